"""How each player is started, and how it tells what it has shown.

Every player plays the same file in real time on outputs that show nothing. `play` answers the run and why it does not
count (nothing if it does); `loop` answers the showings of all rounds and why they do not count.
"""

import json
import os
import pathlib

import seams
from measure import Run

HERE = pathlib.Path(__file__).resolve().parent

# The loop is captured at a quarter of the clip's area: enough to read the number in each picture.
CAPTURE = (640, 360, 60)


def never(_line):
    return False


class Musebox:
    """Our daemon on the virtual display, which has a vblank 60 times a second, as a screen has."""

    name = "musebox"

    def __init__(self, binary, folder):
        self.binary = binary
        self.folder = folder

    def arguments(self, clip, rounds, mode):
        playlist = self.folder / "playlist.json"
        item = {"id": "clip", "src": str(clip.path), "kind": "video"}
        montage = {"id": "m", "tracks": [{"id": "t", "items": [item]}]}
        playlist.write_text(json.dumps({"id": "bench", "name": "Bench", "montages": [montage]}))
        config = self.folder / "bench.toml"
        # The sound goes where the peers' goes: decoded, mixed, paced, and thrown away.
        config.write_text('[audio]\nsink = "fakesink sync=true"\n')
        width, height, rate = mode
        return [
            self.binary, "--config", config, "--playlist", playlist, "--display", "virtual",
            "--mode", f"{width}x{height}@{rate}", "--pace", "real", "--rounds", str(rounds),
            "--report", self.folder / "report.json", "--socket", self.folder / "control.sock",
            "--state", self.folder / "state",
        ]

    def play(self, clip):
        report = self.folder / "report.json"
        report.unlink(missing_ok=True)
        run = Run(self.arguments(clip, 1, (1280, 720, 60)), lambda line: b"position=M0T0I0" in line)
        if not run.ok or run.first_ns is None:
            return run, f"failed: {run.tail()}"
        shown = json.loads(report.read_text())["display"]["presented"]
        return run, None if shown == clip.frames else f"{shown} of {clip.frames} frames"

    def loop(self, clip, rounds):
        width, height, rate = CAPTURE
        numbers = []

        def pictures(stream):
            header = stream.readline().split()
            if header[:3] != [b"YUV4MPEG2", b"W%d" % width, b"H%d" % height]:
                return
            while stream.readline() == b"FRAME\n":
                numbers.append(clip.number(stream.read(width * height * 3 // 2), width, height))

        run = Run([*self.arguments(clip, rounds, CAPTURE), "--capture", "-"], never, pictures)
        if not run.ok:
            return [], f"failed: {run.tail()}"
        showings = seams.from_vblanks(numbers, rate)
        return showings, seams.verdict(showings, clip.frames, rounds)


class GstLaunch:
    """gst-launch-1.0 with playbin3; its sink's last-message tells each frame."""

    name = "playbin3"

    def play(self, clip):
        sink = "fakesink name=picture sync=true silent=false"
        run = Run(
            [
                "gst-launch-1.0", "-v", "playbin3", f"uri={clip.path.as_uri()}",
                f"video-sink={sink}", "audio-sink=fakesink sync=true",
            ],
            # A video sink shows the frame that it prerolls.
            lambda line: b":picture: last-message = preroll" in line,
        )
        if not run.ok or run.first_ns is None:
            return run, f"failed: {run.tail()}"
        shown = sum(b":picture: last-message = chain" in line for _, line in run.lines)
        return run, None if shown == clip.frames else f"{shown} of {clip.frames} frames"


class Playbin:
    """playbin3 in a program that loops it in one of the usual ways."""

    def __init__(self, way):
        self.way = way
        self.name = {
            "flush": "playbin3, flush seek on EOS",
            "segment": "playbin3, SEGMENT seek",
            "about-to-finish": "playbin3, about-to-finish",
        }[way]

    def loop(self, clip, rounds):
        run = Run(["/usr/bin/python3", HERE / "loops.py", self.way, clip.path, str(rounds)], never)
        if not run.ok:
            return [], f"failed: {run.tail()}"
        frames = [line.split() for _, line in run.lines if line.startswith(b"FRAME ")]
        times = [(int(pts), int(at) / 1e6) for _, pts, at in frames]
        # The clip's first frame need not have time 0: the numbers count from the first that was seen.
        first = min((pts for pts, _ in times), default=0)
        showings = [(round((pts - first) * clip.rate / 1e9), at) for pts, at in times]
        return showings, seams.verdict(showings, clip.frames, rounds)


class Mpv:
    """mpv on null outputs; its statistics file has a time stamp for each flip."""

    name = "mpv"

    def __init__(self, folder):
        self.folder = folder

    def run(self, clip, rounds):
        stats = self.folder / "mpv.stats"
        stats.unlink(missing_ok=True)
        run = Run(
            [
                "mpv", "--no-config", "--vo=null", "--ao=null", "--hwdec=no", "--term-status-msg=", "--really-quiet",
                "--msg-level=cplayer=v", f"--dump-stats={stats}",
                f"--loop-file={rounds - 1}" if rounds > 1 else "--loop-file=no", clip.path,
            ],
            lambda line: b"first video frame after restart shown" in line,
        )
        flips = []
        if stats.exists():
            for line in stats.read_text(errors="replace").splitlines():
                if line.endswith(" start video-flip"):
                    flips.append(int(line.split(" ", 1)[0]) / 1e3)
        return run, flips

    def play(self, clip):
        run, flips = self.run(clip, 1)
        if not run.ok or run.first_ns is None:
            return run, f"failed: {run.tail()}"
        return run, None if len(flips) == clip.frames else f"{len(flips)} of {clip.frames} frames"

    def loop(self, clip, rounds):
        run, flips = self.run(clip, rounds)
        if not run.ok:
            return [], f"failed: {run.tail()}"
        showings = seams.from_flips(flips, clip.frames)
        return showings, seams.verdict(showings, clip.frames, rounds)
