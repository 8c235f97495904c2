"""CUDA graphs through CuPy: a stream captures work, in a memory pool of its own, and a replay launches all of it.

CuPy's graph does not keep the arrays that it works on (cupy#8318). What is allocated while it captures comes from a
private pool, whose blocks nothing but this graph ever gets, so they stay what they are as long as the graph. Arrays
from before belong to whoever made them; those that our kernels and products take are kept here as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ...errors import DeviceError

_MIRRORS = 4  # page-locked copies of an upload: so many replays may be queued before the host waits for the first


class CudaGraph:
    """Captured work of one GPU."""

    def __init__(self, device: Any, cupy: Any):
        self._device, self._cupy = device, cupy
        self.pool = cupy.cuda.MemoryPool()
        device.memory.graphs.add(self)
        self._stream = device.stream()
        self._graph: Any = None
        self._kept: list[Any] = []
        self._mirrors: dict[int, list] = {}  # array -> (page-locked host array, event after its last copy)
        self.refusals = (RuntimeError,)  # CuPy's own, and CUDA's; CaptureError is one, too

    @contextmanager
    def running(self) -> Iterator[None]:
        """Do the work of the block in the stream that captures, so that what a stream makes on first use exists."""
        outside = self._device.current_stream()
        self._stream.wait_event(outside.record())
        with self._stream:
            yield
        outside.wait_event(self._stream.record())

    @contextmanager
    def capturing(self) -> Iterator[None]:
        """Capture the work of the block; nothing of it is done."""
        self._graph, self._kept, allocate = None, [], self._device.memory.allocate
        with self._stream, self._cupy.cuda.using_allocator(lambda size: allocate(size, self.pool.malloc)):
            self._stream.begin_capture()
            self._device.capturing = self
            try:
                yield
            except BaseException:
                self._abandon()
                raise
            finally:
                self._device.capturing = None
            self._graph = self._stream.end_capture()

    def _abandon(self) -> None:
        """End a capture that failed; the driver says once more that it is invalid."""
        try:
            self._stream.end_capture()
        except self._cupy.cuda.runtime.CUDARuntimeError:
            pass

    def keep(self, arrays: Any) -> None:
        """Keep arrays alive that captured work reads or writes."""
        self._kept.extend(arrays)

    def upload(self, array: Any, host: np.ndarray) -> None:
        """Copy `host` to `array` in the current stream, without waiting; `host` may change at once."""
        mirrors = self._mirrors.setdefault(array.data.ptr, [])
        if len(mirrors) < _MIRRORS:
            mirror, done = self._device.pinned(host.shape, host.dtype), None
        else:
            mirror, done = mirrors.pop(0)
            done.synchronize()
        mirror[...] = host
        stream = self._device.current_stream()
        array.set(mirror, stream=stream)
        mirrors.append((mirror, stream.record()))

    def replay(self) -> None:
        """Queue the captured work in the current stream."""
        if self._graph is None:
            raise DeviceError("replay: nothing has been captured")
        self._graph.launch(self._device.current_stream())
