"""From what was shown when to how long the joins took, and whether every frame was there.

A showing is a pair: the frame's number in the clip, and when it came on the screen, in milliseconds.
"""


def rounds(showings):
    """Splits showings where the numbers begin again.

    >>> rounds([(0, 0.0), (1, 33.3), (0, 66.6), (1, 100.0)])
    [[(0, 0.0), (1, 33.3)], [(0, 66.6), (1, 100.0)]]
    """
    found = []
    for number, at in showings:
        if not found or number <= found[-1][-1][0]:
            found.append([])
        found[-1].append((number, at))
    return found


def seams(showings):
    """From the last frame of each round to the first of the next, in milliseconds.

    >>> seams([(0, 0.0), (1, 33.0), (0, 66.0), (1, 99.0), (0, 199.0)])
    [33.0, 100.0]
    """
    parts = rounds(showings)
    return [round(after[0][1] - before[-1][1], 3) for before, after in zip(parts, parts[1:])]


def verdict(showings, frames, wanted_rounds):
    """Nothing if each round showed each frame once and in order, else what was shown instead.

    >>> verdict([(0, 0.0), (1, 33.0), (0, 66.0), (1, 99.0)], 2, 2)
    >>> verdict([(0, 0.0), (1, 33.0), (0, 66.0)], 2, 2)
    '3 of 4 frames'
    >>> verdict([(0, 0.0), (2, 33.0), (0, 66.0), (2, 99.0)], 2, 2)
    'other frames than those of the clip'
    """
    if len(showings) != frames * wanted_rounds:
        return f"{len(showings)} of {frames * wanted_rounds} frames"
    every = list(range(frames))
    if any([number for number, _ in part] != every for part in rounds(showings)):
        return "other frames than those of the clip"
    return None


def from_vblanks(numbers, rate):
    """Showings from the number that each vblank of a capture shows; a frame comes on when the number changes.

    >>> from_vblanks([0, 0, 1, 1, 1, 0], 1000)
    [(0, 0.0), (1, 2.0), (0, 5.0)]
    """
    found = []
    for vblank, number in enumerate(numbers):
        if not found or found[-1][0] != number:
            found.append((number, vblank * 1000.0 / rate))
    return found


def from_flips(flips_ms, frames):
    """Showings from bare times: numbers follow each other and begin again after the clip's last.

    Right only where no frame is missing, which the count tells.

    >>> from_flips([1.0, 2.0, 3.0], 2)
    [(0, 1.0), (1, 2.0), (0, 3.0)]
    """
    return [(index % frames, at) for index, at in enumerate(flips_ms)]
