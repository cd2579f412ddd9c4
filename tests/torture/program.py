"""Programs that are started to be killed, and waiting for what they do.

Must not know what the programs are for.
"""

from __future__ import annotations

import dataclasses
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence

# How often a condition is looked at.
POLL_SECONDS = 0.02
# How long a program that was killed may take to be gone.
GONE_SECONDS = 10
OUTPUT_LINES = 30
# What runs now, so that nothing of it is left when this process has to end.
RUNNING: set[Program] = set()


class Failed(Exception):
    """What was promised and is not so."""


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether a condition came true within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclasses.dataclass(frozen=True)
class SlowSync:
    """The library that slows down a disk, compiled for this run."""

    library: pathlib.Path

    @classmethod
    def compile(cls, folder: pathlib.Path) -> SlowSync:
        """Compiles slow_sync.c into a folder."""
        compiler = shutil.which("cc")
        if compiler is None:
            raise Failed("cc, a C compiler, is missing")
        library = folder / "slow_sync.so"
        source = pathlib.Path(__file__).with_name("slow_sync.c")
        subprocess.run([compiler, "-Wall", "-O1", "-shared", "-fPIC", "-o", library, source], check=True)
        return cls(library)

    def environment(self, milliseconds: int, trace: pathlib.Path) -> dict[str, str]:
        """What a program's environment has to have; which files are synced when goes to `trace`."""
        return {
            "LD_PRELOAD": str(self.library),
            "SLOW_SYNC_MILLISECONDS": str(milliseconds),
            "SLOW_SYNC_TRACE": str(trace),
        }


def trace_length(trace: pathlib.Path) -> int:
    """How much was traced so far."""
    return trace.stat().st_size if trace.exists() else 0


def traced(trace: pathlib.Path, since: int, word: str, name: str) -> bool:
    """Whether a sync of a file with `name` in its path has begun, or is over (`word`), after the trace was so long."""
    if not trace.exists():
        return False
    lines = trace.read_bytes()[since:].decode(errors="replace").splitlines()
    return any(line.startswith(f"{word} ") and name in line for line in lines)


class Program:
    """One running program, a child of this process. Its output is added to a file."""

    def __init__(self, command: Sequence[str | pathlib.Path], folder: pathlib.Path, name: str, environment: dict[str, str] | None = None) -> None:
        self.name = name
        self.output = folder / f"{name}.output"
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **(environment or {})},
            )
        RUNNING.add(self)

    def check_alive(self) -> None:
        """Fails when the program has ended by itself."""
        code = self.process.poll()
        if code is not None:
            last = self.output.read_text(errors="replace").splitlines()[-OUTPUT_LINES:]
            raise Failed("\n  ".join([f"{self.name} ended by itself with {code}:", *last]))

    def kill(self) -> None:
        """SIGKILL: nothing of it runs any more when this returns."""
        self.check_alive()
        self.end(signal.SIGKILL)

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Ends the program, whatever has become of it."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            self.process.wait(GONE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(GONE_SECONDS)
        RUNNING.discard(self)


def choices(seed: int, purpose: str) -> random.Random:
    """The random choices for one purpose: the same for the same seed, whatever else is chosen meanwhile."""
    return random.Random(f"{seed}/{purpose}")
