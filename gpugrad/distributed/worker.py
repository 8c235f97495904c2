"""One rank as `gpugrad launch` runs it: `python worker.py SETTINGS SCRIPT [ARGUMENT ...]`.

The process divides: one half runs the script, the other waits for it and tells the launcher how it ended before mpiexec
can notice, so that the first report names the rank that ended first. Nothing but the standard library is imported
before the script runs, since the cores and the device are chosen first.

settings (JSON): "names": variables that may hold the rank; "folder": where the pipes are; "cores": a list for each
rank; "devices": one for each rank, or null.
"""

import builtins
import ctypes
import json
import os
import signal
import sys
import types
from typing import Any, NoReturn

kept: list[Any] = []  # this module, whose functions are still running when the script takes its place


def main() -> None:
    """Run one rank, and end as its script ended."""
    settings = json.loads(sys.argv[1])
    sys.argv = sys.argv[2:]
    sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
    rank = int(next(os.environ[name] for name in settings["names"] if name in os.environ))
    folder = settings["folder"]
    status = os.open(os.path.join(folder, "status"), os.O_WRONLY)
    os.set_inheritable(status, False)
    for number, name in ((1, "out"), (2, "err")):
        pipe = os.open(os.path.join(folder, f"{name}.{rank}"), os.O_WRONLY)
        os.dup2(pipe, number)
        os.close(pipe)
    _bind(rank, settings)
    parent = os.getpid()
    child = os.fork()
    if child:
        sys.exit(_watch(child, rank, status))
    _end_with(parent)
    os.environ["GPUGRAD_STATUS_FD"] = str(status)
    os.write(status, f"{rank} began {os.getpid()}\n".encode())
    _run(rank, status)


def _bind(rank: int, settings: dict) -> None:
    """Give this rank its cores and its device, and torchrun's names for its place."""
    ranks = str(len(settings["cores"]))
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=ranks, LOCAL_WORLD_SIZE=ranks)
    cores = settings["cores"][rank]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, str(len(cores)))
    if settings["devices"] is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = settings["devices"][rank]


def _watch(child: int, rank: int, status: int) -> int:
    """Wait for the script, and return the exit status; tell the launcher if it is not 0."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: os.kill(child, received))
    _, code = os.waitpid(child, 0)
    result, reason = os.waitstatus_to_exitcode(code), f"exit status {os.waitstatus_to_exitcode(code)}"
    if result < 0:
        result, reason = 128 - result, f"killed by signal {-result} ({signal.Signals(-result).name})"
    end = f"failed {reason}" if result else "ended"
    os.write(status, f"{rank} {end}\n{rank} code {result}\n".encode())
    return result


def _end_with(parent: int) -> None:
    """Let the system kill this process when the half that watches it ends: mpiexec may kill that one."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(1)


def _run(rank: int, status: int) -> None:
    """Run the script as Python does, and end this process if it fails: MPI's own end would wait for the other ranks."""
    script = sys.argv[0]
    with open(script, "rb") as file:
        code = compile(file.read(), script, "exec")
    module = types.ModuleType("__main__")
    vars(module).update(__file__=script, __builtins__=builtins)
    kept.append(sys.modules["__main__"])
    sys.modules["__main__"] = module
    try:
        exec(code, vars(module))
    except SystemExit as end:
        if end.code in (None, 0):
            raise
        if not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
        _stop(end.code if isinstance(end.code, int) else 1)
    except BaseException as error:
        trace = error.__traceback__.tb_next if error.__traceback__ is not None else None
        words = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
        os.write(status, f"{rank} failed {words}".encode()[:1000] + b"\n")
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        _stop(130 if isinstance(error, KeyboardInterrupt) else 1)


def _stop(code: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
