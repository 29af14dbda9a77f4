#!/usr/bin/python3
"""playbin3 in a loop on null outputs, by each of the ways in which applications loop it.

    loops.py flush|segment|about-to-finish CLIP ROUNDS

Prints one line for each frame that comes on the screen: `FRAME pts_ns monotonic_ns`. A frame comes on when the sink
prerolls it, as real video sinks show the frame that they preroll, or when it renders it, whatever is first.
"""

import pathlib
import sys
import time

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

WAIT = 30 * Gst.SECOND


class Looper:
    def __init__(self, clip, rounds):
        self.left = rounds - 1
        self.shown = []
        self.prerolled = None
        self.uri = pathlib.Path(clip).absolute().as_uri()
        self.pipeline = Gst.ElementFactory.make("playbin3")
        self.pipeline.set_property("uri", self.uri)
        for kind in ("video", "audio"):
            sink = Gst.ElementFactory.make("fakesink")
            sink.set_property("sync", True)
            self.pipeline.set_property(f"{kind}-sink", sink)
            if kind == "video":
                sink.set_property("signal-handoffs", True)
                sink.connect("preroll-handoff", self.on_preroll)
                sink.connect("handoff", self.on_frame)
        self.bus = self.pipeline.get_bus()

    def on_preroll(self, _sink, buffer, _pad):
        self.prerolled = (buffer.pts, time.monotonic_ns())

    def on_frame(self, _sink, buffer, _pad):
        now = time.monotonic_ns()
        prerolled, self.prerolled = self.prerolled, None
        if prerolled and prerolled[0] == buffer.pts:
            now = prerolled[1]
        self.shown.append((buffer.pts, now))

    def wait(self, kind):
        message = self.bus.timed_pop_filtered(WAIT, kind | Gst.MessageType.ERROR)
        if message is None:
            sys.exit("nothing came in 30 s")
        if message.type == Gst.MessageType.ERROR:
            sys.exit(message.parse_error()[0].message)
        return message

    def seek(self, flags):
        accurate = flags | Gst.SeekFlags.ACCURATE
        if not self.pipeline.seek(1.0, Gst.Format.TIME, accurate, Gst.SeekType.SET, 0, Gst.SeekType.NONE, 0):
            sys.exit("the seek was refused")

    def flush(self):
        """Seeks back, flushing, when the end of the stream has come out."""
        self.pipeline.set_state(Gst.State.PLAYING)
        while True:
            self.wait(Gst.MessageType.EOS)
            if self.left == 0:
                return
            self.left -= 1
            self.seek(Gst.SeekFlags.FLUSH)

    def segment(self):
        """Plays a segment, and seeks back without flushing whenever it is done."""
        self.pipeline.set_state(Gst.State.PAUSED)
        self.wait(Gst.MessageType.ASYNC_DONE)
        self.seek(Gst.SeekFlags.FLUSH | Gst.SeekFlags.SEGMENT)
        self.wait(Gst.MessageType.ASYNC_DONE)
        self.pipeline.set_state(Gst.State.PLAYING)
        while self.left > 0:
            self.wait(Gst.MessageType.SEGMENT_DONE)
            self.left -= 1
            self.seek(Gst.SeekFlags.SEGMENT if self.left else Gst.SeekFlags.NONE)
        self.wait(Gst.MessageType.EOS)

    def about_to_finish(self):
        """Names the same file again each time that playbin3 asks for the next."""

        def on_about_to_finish(pipeline):
            if self.left > 0:
                self.left -= 1
                pipeline.set_property("uri", self.uri)

        self.pipeline.connect("about-to-finish", on_about_to_finish)
        self.pipeline.set_state(Gst.State.PLAYING)
        self.wait(Gst.MessageType.EOS)


def main():
    way, clip, rounds = sys.argv[1:]
    Gst.init(None)
    looper = Looper(clip, int(rounds))
    {"flush": looper.flush, "segment": looper.segment, "about-to-finish": looper.about_to_finish}[way]()
    looper.pipeline.set_state(Gst.State.NULL)
    for pts, at in looper.shown:
        print("FRAME", pts, at)


main()
