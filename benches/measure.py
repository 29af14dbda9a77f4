"""One run of one player: when its lines came, what it cost, how large it grew.

Knows nothing about any player. Times are nanoseconds of the monotonic clock, CPU is user and system time of the whole
process with its threads and the children it waited for, memory is the peak of the resident set (VmHWM).
"""

import os
import subprocess
import threading
import time

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Run:
    """A process that is watched from exec to exit.

    `is_first` tells from a line of its output whether the first frame is on the screen. `pictures` takes the standard
    output as a binary stream where that is a capture; else both streams are read as lines.
    """

    def __init__(self, argv, is_first, pictures=None, env=None, limit_s=120.0):
        self.argv = argv
        self.is_first = is_first
        self.lines = []
        self.first_ns = None
        self.first_cpu_s = None
        self.peak_kib = 0
        self.timed_out = False
        self.started_ns = time.monotonic_ns()
        errors = subprocess.PIPE if pictures else subprocess.STDOUT
        self.process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env={**os.environ, **(env or {})}
        )
        threads = [threading.Thread(target=self._watch, args=(limit_s,))]
        if pictures:
            threads.append(threading.Thread(target=pictures, args=(self.process.stdout,)))
            threads.append(threading.Thread(target=self._read, args=(self.process.stderr,)))
        else:
            threads.append(threading.Thread(target=self._read, args=(self.process.stdout,)))
        self.exited = threading.Event()
        for thread in threads:
            thread.start()
        _, self.status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(self.status)
        self.exited.set()
        for thread in threads:
            thread.join()
        self.cpu_s = usage.ru_utime + usage.ru_stime

    @property
    def ok(self):
        """Whether it ended by itself, and well."""
        return self.process.returncode == 0 and not self.timed_out

    @property
    def to_first_ms(self):
        """From just before exec to the first frame; nothing if it never came."""
        return None if self.first_ns is None else (self.first_ns - self.started_ns) / 1e6

    def tail(self):
        """The last words, for a player that failed."""
        return " / ".join(line.decode(errors="replace").strip() for _, line in self.lines[-3:])

    def _read(self, stream):
        for line in stream:
            now = time.monotonic_ns()
            self.lines.append((now, line))
            if self.first_ns is None and self.is_first(line):
                self.first_cpu_s = self._cpu_so_far()
                self.first_ns = now

    def _cpu_so_far(self):
        """CPU seconds until now, to a tick (10 ms); the process must not be reaped yet."""
        try:
            with open(f"/proc/{self.process.pid}/stat", "rb") as stat:
                fields = stat.read().rpartition(b")")[2].split()
        except OSError:
            return None
        return sum(int(field) for field in fields[11:15]) * TICK_S

    def _watch(self, limit_s):
        until = time.monotonic() + limit_s
        while not self.exited.wait(0.05):
            self.peak_kib = max(self.peak_kib, self._high_water_kib())
            if time.monotonic() > until:
                self.timed_out = True
                self.process.kill()
                return

    def _high_water_kib(self):
        try:
            with open(f"/proc/{self.process.pid}/status", "rb") as status:
                for line in status:
                    if line.startswith(b"VmHWM:"):
                        return int(line.split()[1])
        except OSError:
            pass
        return 0
