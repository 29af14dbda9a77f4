"""The result as tables in Markdown."""


def figure(spread, digits):
    if spread is None:
        return "-"
    return f"{spread['median']:.{digits}f} ({spread['min']:.{digits}f} to {spread['max']:.{digits}f})"


def ratio(ours, theirs):
    if ours is None or theirs is None or not theirs["median"]:
        return "-"
    return f"{ours['median'] / theirs['median']:.2f}"


def counted(player):
    return "all" if not player["did_not_play_all_frames"] else f"{player['counted_runs']} of {player['runs']}"


def left_out(players):
    """A line for each player of which a run does not count, and why."""
    lines = []
    for player in players:
        why = player["did_not_play_all_frames"]
        if why:
            missed = f"did not play all frames in {len(why)} of {player['runs']} runs"
            lines.append(f"- {player['player']} {missed}: {', '.join(why)}.")
    return [*lines, ""] if lines else []


FIGURES = [
    ("to_first_frame_ms", "exec to first frame, ms", 0),
    ("cpu_to_first_frame_s", "CPU until then, s", 2),
    ("cpu_s_per_minute", "CPU from then on, s per played minute", 2),
    ("peak_mib", "peak memory (VmHWM), MiB", 1),
]


def play_table(part):
    """One table of what playing costs: a row for each figure and peer."""
    clip = part["clip"]
    ours, *peers = part["players"]
    lines = [
        f"{clip['name'].capitalize()}: {clip['seconds']} s, {clip['frames']} frames, {clip['video']}, "
        f"{clip['kbit_s']} kbit/s.",
        "",
        "| figure | peer | musebox | peer's | ours / peer | peer's runs that count |",
        "|---|---|---|---|---|---|",
    ]
    for key, title, digits in FIGURES:
        for peer in peers:
            lines.append(
                f"| {title} | {peer['player']} | {figure(ours[key], digits)} | {figure(peer[key], digits)} "
                f"| {ratio(ours[key], peer[key])} | {counted(peer)} |"
            )
    return [*lines, "", f"musebox's own runs that count: {counted(ours)}.", "", *left_out(part["players"])]


def loop_table(part):
    """One table of the seams: a row for each player."""
    clip = part["clip"]
    ours = part["players"][0]
    lines = [
        f"{clip['name'].capitalize()}: {clip['frames']} frames, {part['rounds']} rounds a run; "
        f"ideal {1000 * clip['seconds'] / clip['frames']:.1f} ms.",
        "",
        "| player | seam, ms | farthest from ideal, ms | ours / theirs | seams | runs that count |",
        "|---|---|---|---|---|---|",
    ]
    for player in part["players"]:
        off = player["worst_off_ideal_ms"]
        lines.append(
            f"| {player['player']} | {figure(player['seam_ms'], 1)} | {'-' if off is None else format(off, '.1f')} "
            f"| {ratio(ours['seam_ms'], player['seam_ms'])} | {len(player['seams_ms'])} | {counted(player)} |"
        )
    return [*lines, "", *left_out(part["players"])]


def markdown(result):
    machine, load = result["machine"], result["load_average"]
    lines = [
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB; GStreamer {machine['gstreamer']}, "
        f"mpv {machine['mpv']}; load average {load['before']:.1f} before and {load['after']:.1f} after; "
        f"nice {machine['nice']}; took {result['took_s']} s. Each figure: median (least to most).",
        "",
    ]
    for part in result["play"]:
        lines += play_table(part)
    for part in result["loop"]:
        lines += loop_table(part)
    return "\n".join(lines)
