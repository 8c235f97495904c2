import os

if "PYTEST_XDIST_WORKER" in os.environ:  # as many processes as cores: threads that wait for one another spin in vain
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # PyTorch's; gpugrad's own threads do not spin, and stay
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest

from gpugrad.backend import cuda

if not cuda.is_available():
    os.environ.setdefault("GPUGRAD_CUDA", "emulate")  # the kernels then run on the CPU, where that is possible

import gpugrad
import gpugrad.distributed  # declares its ops before any test forgets those that it declared
from gpugrad.autograd.op import OPS
from gpugrad.backend.cuda.emulator.options import options

DEVICES = ["cpu", "cuda"] if cuda.is_available() else ["cpu"]


def pytest_addoption(parser):
    parser.addoption("--whole", action="store_true", help="all samples and recipes, of which else a part is tested")


@pytest.fixture
def most(request):
    """How many samples of each name run where some are enough: None for all, with `--whole`."""
    return None if request.config.getoption("--whole") else 2


@pytest.fixture(params=DEVICES)
def device(request):
    """Each device that this machine has."""
    return gpugrad.device(request.param)


@pytest.fixture(autouse=True)
def seed():
    """The same random numbers in every test."""
    gpugrad.manual_seed(0)


@pytest.fixture
def own_ops():
    """Ops that the test declares are forgotten afterwards."""
    before = dict(OPS)
    yield OPS
    OPS.clear()
    OPS.update(before)


@pytest.fixture(name="cuda")
def cuda_device():
    """The cuda device: a GPU, or an emulated one."""
    problem = cuda.diagnose()
    if problem:
        pytest.skip(problem)
    return gpugrad.device("cuda")


@pytest.fixture(params=["forward", "check", "reverse", "random"] if cuda.is_emulated() else ["forward"])
def way(request):
    """On the emulated device, each way to run kernels that may show a fault. A GPU has its own."""
    with options(check=request.param == "check", schedule=request.param if request.param != "check" else "forward"):
        yield request.param
