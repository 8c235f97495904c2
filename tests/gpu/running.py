"""Run the commands of a part within its limit, and understand what they print."""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .parts import Command

ROOT = Path(__file__).parent.parent.parent
_PYTEST = re.compile(r"(?:^|\s)(PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)\b")
_OWN = re.compile(r"(ok|FAILED|skipped) (?!\S*::)(.+)")
_KINDS = {"PASSED": "passed", "XFAIL": "passed", "ok": "passed", "SKIPPED": "skipped", "skipped": "skipped"}
_TAIL = 60  # lines of output that a report keeps


@dataclass
class Outcome:
    """What one command gave so far. status: "running", "passed", "failed", "cut off" or "skipped"."""

    title: str
    arguments: list[str]
    status: str = "running"
    seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    skips: list[str] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)

    def take(self, line: str) -> None:
        """Understand one line: of pytest -vv -rs, or of this folder's own checks."""
        self.tail = [*self.tail[1 - _TAIL :], line]
        own = _OWN.fullmatch(line)
        found = own or (_PYTEST.search(line) if "::" in line else None)
        if found and not (own is None and re.match(r"(FAILED|ERROR) ", line)):  # pytest says failures again at the end
            kind = _KINDS.get(found[1], "failed")
            self.counts[kind] = self.counts.get(kind, 0) + 1
            if kind == "failed":
                self.failures.append(line)
            if own and kind == "skipped":
                self.skips.append(own[2])
        elif line.startswith("SKIPPED ["):
            self.skips.append(line.removeprefix("SKIPPED "))

    def as_dict(self) -> dict[str, Any]:
        """The outcome as JSON has it."""
        return asdict(self)


def run(
    step: list[Command], seconds: float, environment: dict[str, str], told: Callable[[], None], known: list[Outcome]
) -> list[Outcome]:
    """Run the commands of a step at the same time, for at most `seconds`.

    The outcomes are added to `known` at once, and `told` is called about once a second while they grow.
    """
    outcomes = [Outcome(command.title, command.arguments) for command in step]
    known += outcomes
    running: dict[int, tuple[subprocess.Popen, Outcome]] = {}
    start = time.monotonic()
    with selectors.DefaultSelector() as ready:
        for command, outcome in zip(step, outcomes, strict=True):
            if command.missing:
                outcome.status, outcome.skips = "skipped", [command.missing]
                continue
            if seconds <= 0:
                outcome.status = "cut off"
                continue
            process = _start(command, environment)
            assert process.stdout is not None
            ready.register(process.stdout, selectors.EVENT_READ, [process, outcome, b""])
            running[process.pid] = process, outcome
        yielded = start
        while running and time.monotonic() - start < seconds:
            for key, _ in ready.select(timeout=0.5):
                if not _read(key.data, key.fd):
                    ready.unregister(key.fileobj)
                    process, outcome, _ = key.data
                    del running[process.pid]
                    _finish(process, outcome, time.monotonic() - start)
            if time.monotonic() - yielded > 1:
                yielded = time.monotonic()
                told()
        for process, outcome in running.values():
            _stop(process)
            outcome.status, outcome.seconds = "cut off", time.monotonic() - start
    return outcomes


def _start(command: Command, environment: dict[str, str]) -> subprocess.Popen:
    return subprocess.Popen(
        command.arguments, cwd=ROOT, env={**os.environ, "PYTHONUNBUFFERED": "1", **environment}, bufsize=0,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def _read(data: list, source: int) -> bool:
    """Take what a process has printed; return False at the end of its output."""
    _, outcome, rest = data
    chunk = os.read(source, 1 << 16)
    *lines, data[2] = (rest + chunk).split(b"\n") if chunk else [*([rest] if rest else []), b""]
    for line in lines:
        text = line.decode(errors="replace").rstrip()
        print(f"{outcome.title}: {text}", flush=True)
        outcome.take(text)
    return bool(chunk)


def _finish(process: subprocess.Popen, outcome: Outcome, seconds: float) -> None:
    status = process.wait()
    _close(process)
    outcome.seconds, outcome.status = seconds, "passed" if status == 0 else "failed"
    if status:
        outcome.tail.append(f"exit status {status}")


def _stop(process: subprocess.Popen) -> None:
    """End a process and those that it started, which are its session."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
    _close(process)


def _close(process: subprocess.Popen) -> None:
    if process.stdout is not None:
        process.stdout.close()


def machine(environment: dict[str, str]) -> str:
    """GPU, driver, versions and commit in one line; asked of another process, because this one uses no GPU."""
    code = "from tests.gpu.report import describe; print(describe())"
    asked = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True
    )
    return asked.stdout.strip() or f"unknown ({asked.stderr.strip().splitlines()[-1:]})"
