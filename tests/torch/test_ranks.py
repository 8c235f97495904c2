"""A data-parallel program of PyTorch's on several processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gpugrad.distributed.launcher import mpiexec
from gpugrad.errors import UsageError
from tests.distributed.faults import environment, launch
from tests.torch.test_programs import in_gpugrad

PROGRAM = Path(__file__).with_name("data_parallel.py")


def losses(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.partition("losses ")[2].splitlines()[0])


def alone(path, **more):
    command = [sys.executable, str(path)]
    return losses(subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment(**more)))


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(in_gpugrad(PROGRAM.read_text()))
    return path


def test_two_ranks_have_the_losses_of_one_process_and_of_pytorch(program, tmp_path):
    pytest.importorskip("mpi4py")
    try:
        mpiexec()
    except UsageError as error:
        pytest.skip(str(error))
    one = alone(program)
    assert len(one) == 6 and one[-1] < one[0]
    np.testing.assert_allclose(losses(launch(str(program))), one, rtol=1e-5)
    place = {
        "RANK": "0",
        "WORLD_SIZE": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(20000 + os.getpid() % 40000),
    }
    np.testing.assert_allclose(alone(PROGRAM, **place), one, rtol=1e-4)
