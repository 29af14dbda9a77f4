"""The clips: 720p30 H.264 as cameras and editors make it, made by ffmpeg, each frame with its number in a stripe."""

import json
import pathlib
import subprocess

WIDTH, HEIGHT, RATE = 1280, 720, 30
STRIPE = 64
# The stripe's luma for number 0, and the step from one number to the next; it counts modulo LEVELS.
DARK, STEP, LEVELS = 20, 3, 64


class Clip:
    """A file and what is in it."""

    def __init__(self, path, name, seconds, sound):
        self.path = path
        self.name = name
        self.seconds = seconds
        self.sound = sound
        self.rate = RATE
        self.frames = seconds * RATE

    @classmethod
    def make(cls, folder, name, seconds, sound):
        """Makes the clip, unless it was made in the same way before."""
        path = folder / (name.replace(", ", "-").replace(" ", "-") + f"-{seconds}s.mp4")
        command = cls.command(path, seconds, sound)
        recipe = path.with_suffix(".json")
        words = json.dumps(command)
        if not (path.exists() and recipe.exists() and recipe.read_text() == words):
            subprocess.run(command, check=True)
            recipe.write_text(words)
        return cls(path.resolve(), name, seconds, sound)

    @staticmethod
    def command(path, seconds, sound):
        level = f"{DARK}+{STEP}*mod(N,{LEVELS})"
        # Only the stripe is computed pixel by pixel, which is slow.
        stripe = f"color=gray:s={STRIPE}x{HEIGHT}:r={RATE}:d={seconds},format=yuv420p,geq=lum='{level}':cb=128:cr=128"
        picture = f"testsrc2=s={WIDTH}x{HEIGHT}:r={RATE}:d={seconds},format=yuv420p,noise=alls=6:allf=t:all_seed=1"
        graph = f"{picture}[p];{stripe}[s];[p][s]overlay=0:0:format=yuv420,format=yuv420p[v]"
        return [
            "ffmpeg", "-nostdin", "-v", "error", "-y", "-filter_complex", graph,
            *(["-f", "lavfi", "-i", f"sine=f=330:r=48000:d={seconds}"] if sound else []),
            "-map", "[v]", *(["-map", "0:a", "-c:a", "aac", "-b:a", "128k", "-ac", "2"] if sound else []),
            "-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high", "-bf", "2", "-g", "60", "-b:v", "5M",
            "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv",
            "-movflags", "+faststart", str(path),
        ]

    def describe(self):
        return {
            "name": self.name,
            "seconds": self.seconds,
            "frames": self.frames,
            "sound": self.sound,
            "video": f"H.264 High {WIDTH}x{HEIGHT} at {RATE} Hz, B-frames",
            "kbit_s": self.path.stat().st_size * 8 // self.seconds // 1000,
        }

    def number(self, picture, width, height):
        """The number that a captured picture of the clip shows; -1 for none.

        Only for clips of at most LEVELS frames.
        """
        edge = STRIPE * width // WIDTH
        samples = [
            picture[row * width + column]
            for row in range(height // 8, height, height // 8)
            for column in range(edge // 4, edge * 3 // 4)
        ]
        number = round((sum(samples) / len(samples) - DARK) / STEP)
        return number if 0 <= number < self.frames else -1
