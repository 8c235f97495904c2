import pytest


@pytest.fixture(scope="package", autouse=True)
def one_thread():
    """Samples are so small that threads only cost time."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
