import numpy as np
import pytest


@pytest.fixture(autouse=True)
def quiet():
    """Samples hold values at which functions are not defined."""
    with np.errstate(all="ignore"):
        yield


@pytest.fixture
def most(request):
    """How many samples of each name run: None for all, with `--whole`."""
    return None if request.config.getoption("--whole") else 3
