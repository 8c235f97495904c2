import pytest

import gpugrad
from gpugrad.backend.cuda import diagnose
from gpugrad.backend.cuda.emulator.options import options


@pytest.fixture
def cuda():
    """The cuda device: a GPU, or an emulated one."""
    problem = diagnose()
    if problem:
        pytest.skip(problem)
    return gpugrad.device("cuda")


@pytest.fixture(params=["forward", "check", "reverse", "random"])
def way(request):
    """On the emulated device, each way to run kernels that may show a fault. A GPU has its own."""
    with options(check=request.param == "check", schedule=request.param if request.param != "check" else "forward"):
        yield request.param
