"""Cuda devices: moving tensors, mixing devices, memory and its limit, streams; and what keeps host code honest."""

import gc

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.errors import DeviceError, OutOfMemoryError


@pytest.fixture
def emulated(cuda):
    if not gg.cuda.is_emulated():
        pytest.skip("a GPU is here")
    return cuda


def test_there_and_back(cuda):
    x = gg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = x.to("cuda")
    assert y.device is cuda and y.is_cuda and str(y.device) == "cuda:0"
    (y * y).sum().backward()
    assert x.grad.device == "cpu" and x.grad.tolist() == [[2.0, 4.0], [6.0, 8.0]]
    assert y.cpu().tolist() == x.tolist() and y.numpy is not None


def test_values_do_not_leave_by_themselves(cuda):
    x = gg.ones(3, device=cuda)
    with pytest.raises(DeviceError, match=r"\.cpu\(\)"):
        np.asarray(x)
    with pytest.raises(DeviceError, match="cpu and cuda:0|cuda:0 and cpu"):
        x + gg.ones(3)
    with pytest.raises(DeviceError, match="NumPy array"):
        x + np.ones(3, np.float32)
    assert (x + 1).tolist() == [2, 2, 2]


def test_default_device(cuda):
    with gg.device("cuda"):
        assert gg.zeros(2).device is cuda and gg.randn(2).device is cuda
    assert gg.zeros(2).device == "cpu"


def test_a_seed_means_the_same_everywhere(cuda):
    gg.manual_seed(3)
    host = gg.randn(4, 5)
    gg.manual_seed(3)
    assert gg.randn(4, 5, device=cuda).tolist() == host.tolist()


def test_pinned_memory_and_moves_that_do_not_wait(cuda):
    x = gg.arange(6.0).pin_memory()
    y = x.to("cuda", non_blocking=True)
    back = (y * 2).to("cpu", non_blocking=True)
    gg.cuda.synchronize()
    assert back.tolist() == [0, 2, 4, 6, 8, 10]


def test_memory_is_counted(cuda):
    gc.collect()
    gg.cuda.reset_peak_memory_stats()
    before = gg.cuda.memory_allocated()
    x = gg.zeros(1024, 256, device=cuda)
    assert gg.cuda.memory_allocated() - before >= 1 << 20
    assert gg.cuda.max_memory_allocated() >= gg.cuda.memory_allocated()
    assert "allocated" in gg.cuda.memory_summary() and "MiB" in gg.cuda.memory_summary()
    del x
    assert gg.cuda.memory_allocated() <= before


def test_memory_limit(cuda):
    gc.collect()
    gg.cuda.empty_cache()
    gg.cuda.set_memory_limit(gg.cuda.memory_allocated() + (4 << 20))
    try:
        with pytest.raises(OutOfMemoryError, match=r"cuda:0: no room for an array of 8.00 MiB: .* Try a smaller batch"):
            gg.empty(2 << 20, device=cuda)
    finally:
        gg.cuda.set_memory_limit(0)
    with pytest.raises(DeviceError, match="at least 0"):
        gg.cuda.set_memory_limit(-1)
    with pytest.raises(DeviceError, match="cuda device, got cpu"):
        gg.cuda.memory_stats("cpu")


def test_streams(cuda):
    side = gg.cuda.Stream()
    with gg.cuda.stream(side):
        x = gg.ones(1000, device=cuda) * 3
    other = gg.cuda.Stream()
    other.wait_stream(side)
    with gg.cuda.stream(other):
        y = x + 1
    other.synchronize()
    assert y.sum().item() == 4000


def test_a_second_device(cuda):
    if gg.cuda.device_count() < 2:
        pytest.skip("one device")
    x = gg.ones(2, 3, device="cuda:1", requires_grad=True)
    y = (gg.softmax(x * 2, axis=1) @ gg.ones(3, 2, device="cuda:1")).to("cuda:0")
    assert y.device is cuda
    y.sum().backward()
    assert str(x.grad.device) == "cuda:1"
    with pytest.raises(DeviceError, match="cuda:1 and cuda:0"):
        x + gg.ones(3, device="cuda:0")
    with pytest.raises(DeviceError, match="numbered from 0"):
        gg.device("cuda:7")


def test_emulated_arrays_have_cupys_manners(emulated):
    x = emulated.xp.ones((2, 3), np.float32)
    with pytest.raises(TypeError, match="NumPy array"):
        x + np.ones(3)
    with pytest.raises(TypeError, match="host first"):
        np.asarray(x)
    assert not isinstance(x, np.ndarray) and x.sum().shape == ()
    assert x[0].base is x and x.reshape(6)[1:].base is x and (x + 1).base is None
    assert np.isnan(emulated.xp.empty(5, np.float32).get()).all()
    with pytest.raises(TypeError, match="cuda:0 is used while cuda:1 is selected"), gg.device("cuda:1").selected():
        x + 1


def training_step(cuda):
    model = gg.nn.Sequential(
        gg.nn.Conv2d(1, 4, 3), gg.nn.BatchNorm2d(4), gg.nn.ReLU(), gg.nn.MaxPool2d(2), gg.nn.Flatten(),
        gg.nn.Dropout(0.1), gg.nn.Linear(36, 8), gg.nn.LayerNorm(8), gg.nn.GELU(), gg.nn.Linear(8, 3),
    ).to(cuda)  # fmt: skip
    optimizer = gg.optim.AdamW(model.parameters(), lr=0.01)
    x, target = gg.randn(4, 1, 8, 8, device=cuda), gg.tensor([0, 2, 1, 0], device=cuda)

    def step():
        optimizer.zero_grad()
        gg.nn.functional.cross_entropy(model(x), target).backward()
        optimizer.step()

    return step


def test_a_training_step_never_waits_for_the_device(cuda):
    """It is captured as a graph, which refuses whatever waits and every copy from the host."""
    step = gg.cuda.graph(training_step(cuda))
    step()
    before = gg.cuda.emulator.waits()
    step()
    step()
    assert gg.cuda.emulator.waits() == before and step.captures == 1
