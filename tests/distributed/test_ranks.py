"""What several ranks do together: a few launches, each of which checks a lot."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gpugrad.distributed.launcher import mpiexec
from gpugrad.errors import UsageError
from tests.distributed import on_ranks
from tests.distributed.faults import ROOT, environment, launch, left_over, trial

pytest.importorskip("mpi4py")
try:
    mpiexec()
except UsageError as error:
    pytest.skip(str(error), allow_module_level=True)

ON_RANKS = Path(__file__).with_name("on_ranks.py")
# Two ranks do all of it, others what depends on the number of ranks.
CHECKS = {
    2: (),
    3: ("scattered", "groups", "adjoints", "data_parallel", "joined", "sharded_checkpoints", "ring"),
    4: ("groups", "checked", "synchronised", "tensor_parallel", "pipeline", "zero"),
}


@pytest.mark.parametrize("ranks", CHECKS)
def test_ranks_do_what_one_process_does(ranks, tmp_path):
    done = launch(str(ON_RANKS), str(tmp_path), *CHECKS[ranks], ranks=ranks, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    chosen = [name for name in vars(on_ranks) if name.startswith("check_")]
    chosen = [name for name in chosen if any(word in name for word in CHECKS[ranks] or [""])]
    passed = [line.partition(" passed, ")[0] for line in done.stdout.splitlines()]
    assert passed == [f"[0] {name}" for name in chosen] and len(chosen) > 5


@pytest.mark.parametrize("how", ["kill", "raise"])
def test_a_rank_that_dies_ends_all(how, tmp_path):
    """While they train and save: one message with the rank and the reason, nothing left over, a whole checkpoint."""
    trial(how, 0.5, 1, 2, tmp_path)


SCRIPT = """
import os, sys, time
import gpugrad as gg
from gpugrad import distributed as dist
dist.init_process_group(timeout=60)
rank = dist.get_rank()
print("out", rank, sorted(os.sched_getaffinity(0)), gg.get_num_threads(), sys.argv[1:], __file__.endswith("script.py"))
print("err", rank, file=sys.stderr)
"""


@pytest.fixture
def script(tmp_path):
    """A function that writes a script and returns its path."""

    def write(code):
        path = tmp_path / "script.py"
        path.write_text(SCRIPT + code)
        return str(path)

    return write


def test_output_cores_and_exit_status(script):
    done = launch(script("sys.stdout.write('no newline')\nif rank: sys.exit(7)\ndist.barrier()\n"), "a", "--b")
    assert done.returncode == 7 and "gpugrad launch: rank 1 ended all ranks: exit status 7" in done.stderr
    lines = sorted(done.stdout.splitlines())
    cores = sorted(os.sched_getaffinity(0))
    shares = [cores[: len(cores) // 2], cores[len(cores) // 2 :]] if len(cores) > 1 else [cores, cores]
    for rank in (0, 1):
        expected = f"[{rank}] out {rank} {shares[rank]} {len(shares[rank])} ['a', '--b'] True"
        assert expected in lines and f"[{rank}] no newline" in lines, done.stdout
        assert f"[{rank}] err {rank}" in done.stderr.splitlines()


def test_ctrl_c_reaches_the_ranks(script, tmp_path):
    code = f"""
dist.barrier()
open({str(tmp_path)!r} + f"/ready{{rank}}", "w").close()
try:
    time.sleep(600)
except KeyboardInterrupt:
    print("interrupted", rank)
"""
    mark = f"GPUGRAD_TEST_MARK={os.getpid()}-{time.time_ns()}"
    command = [sys.executable, "-m", "gpugrad", "launch", "-n", "2", script(code)]
    process = subprocess.Popen(
        command, env=environment(**dict([mark.split("=")])), cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        while not all((tmp_path / f"ready{rank}").exists() for rank in (0, 1)):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130 and "gpugrad launch: ended by SIGINT" in err
    assert "[0] interrupted 0" in out and "[1] interrupted 1" in out
    assert not left_over(mark)
