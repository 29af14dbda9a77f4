#!/usr/bin/python3
"""A live RTSP server for tests: rtsp.py PORT CLIP.mkv serves the clip's H.264 picture at rtsp://127.0.0.1:PORT/live.

All who look see the same stream; it does not say how long it is. It prints one line once it listens, and serves until
it is killed. A line on standard input makes the stream fall silent: the connections stay, and nothing more comes.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402


def endless(_, info):
    """Nobody learns how long the clip is, or that one could seek in it."""
    asked = info.get_query().type
    hidden = asked in (Gst.QueryType.DURATION, Gst.QueryType.SEEKING, Gst.QueryType.SEGMENT)
    return Gst.PadProbeReturn.DROP if hidden else Gst.PadProbeReturn.OK


class Live(GstRtspServer.RTSPMediaFactory):
    """One pipeline for all."""

    def __init__(self, clip):
        super().__init__()
        self.set_shared(True)
        self.set_launch(
            f"( filesrc location={clip} ! matroskademux ! h264parse ! identity name=gate "
            "! rtph264pay name=pay0 pt=96 config-interval=-1 )"
        )
        self.gates = []
        self.connect("media-configure", self.configure)

    def configure(self, _, media):
        gate = media.get_element().get_by_name("gate")
        gate.get_static_pad("src").add_probe(Gst.PadProbeType.QUERY_UPSTREAM, endless)
        self.gates.append(gate)

    def silence(self, *_):
        for gate in self.gates:
            gate.set_property("drop-probability", 1.0)
        return False


def main():
    Gst.init(None)
    server = GstRtspServer.RTSPServer.new()
    server.set_address("127.0.0.1")
    server.set_service(sys.argv[1])
    factory = Live(sys.argv[2])
    server.get_mount_points().add_factory("/live", factory)
    if not server.attach(None):
        sys.exit("cannot listen")
    GLib.io_add_watch(sys.stdin.fileno(), GLib.PRIORITY_DEFAULT, GLib.IO_IN, factory.silence)
    print("listening", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
