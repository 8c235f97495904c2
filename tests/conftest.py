import pytest

import gpugrad
from gpugrad.autograd.op import OPS
from gpugrad.backend.cuda import is_available

DEVICES = ["cpu", "cuda"] if is_available() else ["cpu"]


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
