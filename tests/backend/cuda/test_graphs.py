"""The calls that a CUDA graph makes of CuPy, in order: a stand-in takes them down."""

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from gpugrad.backend.cuda.graphs import CudaGraph
from gpugrad.errors import DeviceError


class Stream:
    def __init__(self, name, log, fails=False):
        self.name, self.log, self.fails = name, log, fails

    def __enter__(self):
        self.log.append(f"enter {self.name}")
        return self

    def __exit__(self, *exc):
        self.log.append(f"leave {self.name}")

    def record(self):
        return SimpleNamespace(name=self.name, synchronize=lambda: self.log.append(f"wait for {self.name}"))

    def wait_event(self, event):
        self.log.append(f"{self.name} after {event.name}")

    def begin_capture(self):
        self.log.append("begin")

    def end_capture(self):
        self.log.append("end")
        if self.fails:
            raise RuntimeError("the capture is invalid")
        return SimpleNamespace(launch=lambda stream: self.log.append(f"launch in {stream.name}"))


class Array:
    """A device array that takes what is copied to it when its stream gets there: at the end of the test."""

    def __init__(self):
        self.data, self.queued = SimpleNamespace(ptr=id(self)), []

    def set(self, host, stream):
        self.queued.append((host, host.copy()))


@pytest.fixture
def machine():
    log = []

    @contextmanager
    def using_allocator(allocate):
        log.append(f"allocator {allocate(64)}")
        yield
        log.append("allocator as before")

    pool = SimpleNamespace(malloc=lambda size: f"private {size}")
    runtime = SimpleNamespace(CUDARuntimeError=RuntimeError)
    cuda = SimpleNamespace(MemoryPool=lambda: pool, using_allocator=using_allocator, runtime=runtime)
    outside, inside = Stream("outside", log), Stream("inside", log)
    memory = SimpleNamespace(graphs=set(), allocate=lambda size, malloc: malloc(size))
    device = SimpleNamespace(
        memory=memory, stream=lambda: inside, current_stream=lambda: outside, capturing=None,
        pinned=lambda shape, dtype: np.empty(shape, dtype),
    )  # fmt: skip
    return SimpleNamespace(log=log, device=device, inside=inside, graph=CudaGraph(device, SimpleNamespace(cuda=cuda)))


def test_capture_and_replay(machine):
    graph, log = machine.graph, machine.log
    with pytest.raises(DeviceError, match="nothing has been captured"):
        graph.replay()
    with graph.running():
        log.append("first call")
    assert log == ["inside after outside", "enter inside", "first call", "leave inside", "outside after inside"]
    log.clear()
    with graph.capturing():
        assert machine.device.capturing is graph
        graph.keep(["an array"])
    assert machine.device.capturing is None and graph._kept == ["an array"]
    assert log == ["enter inside", "allocator private 64", "begin", "end", "allocator as before", "leave inside"]
    log.clear()
    graph.replay()
    assert log == ["launch in outside"]
    assert machine.device.memory.graphs == {graph}  # whose pool counts in the device's memory


def test_a_failed_capture_is_ended(machine):
    """The stream must not go on capturing, and the step's own error is the one that is raised."""
    machine.inside.fails = True
    with pytest.raises(ZeroDivisionError), machine.graph.capturing():
        raise ZeroDivisionError
    assert machine.log.count("end") == 1 and machine.device.capturing is None
    with pytest.raises(DeviceError, match="nothing has been captured"):
        machine.graph.replay()


def test_uploads_have_pages_of_their_own(machine):
    """The host may fill its table for the next replay while the copy of the last one is still queued."""
    array, host = Array(), np.zeros(3)
    for i in range(6):
        host[...] = i
        machine.graph.upload(array, host)
    assert machine.log == ["wait for outside"] * 2  # the fifth and sixth wait for the first and second
    assert [list(now) for now, _ in array.queued[2:]] == [[i] * 3 for i in range(2, 6)]
    assert [list(then) for _, then in array.queued] == [[i] * 3 for i in range(6)]
