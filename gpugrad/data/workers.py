"""Processes that make batches ahead of their use.

Each worker has one pipe, by which it gets its tasks and reports its results; the batches themselves lie in blocks of
shared memory that are used again and again. Batch i is made by worker i modulo their number and taken in order. There
are no locks and no threads: a worker that dies can hold nothing, and its end is seen at once.
"""

from __future__ import annotations

import multiprocessing
import pickle
import random
import signal
import traceback
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np

from ..autograd.tensor import Tensor, wrap
from ..backend.cpu.threads import set_num_threads
from ..backend.devices import CPU, set_default_device
from ..backend.dtypes import default_dtype, set_default_dtype
from ..backend.random import manual_seed
from ..errors import DataError
from .fetch import End, Fetch

_ALIGN = 64
_HINTS = {"SIGBUS": "is /dev/shm full?", "SIGKILL": "was there not enough memory?"}
_ends: weakref.WeakSet[Connection] = weakref.WeakSet()  # this process's ends of all pipes to workers
_info: WorkerInfo | None = None


@dataclass(frozen=True)
class WorkerInfo:
    """Tells code in a worker about this worker: its number, the number of workers, the dataset, and the seed that
    `worker_init_fn` begins with.
    """

    id: int
    num_workers: int
    dataset: Any
    seed: int


def get_worker_info() -> WorkerInfo | None:
    """Return the WorkerInfo of the worker that runs this; None in the main process.

    >>> gg.data.get_worker_info() is None
    True
    """
    return _info


class Workers:
    """Runs `fetch` in `count` processes, each up to `prefetch` batches ahead; their seeds follow from `seed`."""

    def __init__(
        self,
        fetch: Fetch,
        count: int,
        init: Callable | None,
        context: Any,
        prefetch: int,
        timeout: float,
        seed: int,
    ):
        if not hasattr(context, "Process"):
            context = multiprocessing.get_context(context)
        resource_tracker.ensure_running()  # one for all, so that it knows who removed what
        self.prefetch, self.timeout = prefetch, timeout
        self.pipes: list[Connection] = []
        self.processes: list[Any] = []
        self.blocks: dict[str, SharedMemory] = {}
        self.waiting = [0] * count  # batches that each worker has been asked for and has not given
        weakref.finalize(self, _stop, self.pipes, self.processes, self.blocks)
        for i in range(count):
            ours, theirs = context.Pipe()
            _ends.add(ours)
            self.pipes.append(ours)
            own = int(np.random.SeedSequence((seed, i, 2)).generate_state(1, np.uint64)[0])
            args = (theirs, fetch, WorkerInfo(i, count, fetch.dataset, own), init, prefetch, default_dtype())
            self.processes.append(context.Process(target=_work, args=args, daemon=True, name=f"loader-{i}"))
            self.processes[-1].start()
            theirs.close()

    def batches(self, tasks: Iterator[tuple], memory: Callable[[int], Any]) -> Iterator[Any]:
        """Yield the batches of `tasks` (indices, seed, number), in order; their bytes go into `memory(size)`."""
        for worker, count in enumerate(self.waiting):  # what a pass that was broken off had asked for
            for _ in range(count):
                self._receive(worker, "a batch that is not needed any more")
        asked: list[tuple] = []  # in order; (worker, task)
        turn = 0
        for turn, task in zip(range(self.prefetch * len(self.pipes)), tasks, strict=False):
            asked.append(self._ask(turn % len(self.pipes), task))
        turn = len(asked)
        while asked:
            worker, task = asked.pop(0)
            batch = self._unpack(worker, task, memory)
            if batch is End:
                return
            task = next(tasks, None)
            if task is not None:
                asked.append(self._ask(turn % len(self.pipes), task))
                turn += 1
            yield batch

    def _ask(self, worker: int, task: tuple) -> tuple[int, tuple]:
        with suppress(OSError):  # it died; what it had made before is taken first, then _receive finds the end
            self.pipes[worker].send(task)
        self.waiting[worker] += 1
        return worker, task

    def _receive(self, worker: int, task: Any) -> Any:
        pipe, process = self.pipes[worker], self.processes[worker]
        if not wait([pipe, process.sentinel], self.timeout or None):
            raise DataError(f"DataLoader: worker {worker} has not made {_named(task)} in {self.timeout} s")
        try:
            if not pipe.poll():
                raise EOFError
            self.waiting[worker] -= 1
            return pipe.recv()
        except (EOFError, OSError):
            raise self._death(worker, task) from None

    def _death(self, worker: int, task: Any) -> DataError:
        process = self.processes[worker]
        process.join(5)
        code = process.exitcode
        how = f"exit status {code}" if code is None or code >= 0 else signal.Signals(-code).name
        hint = f" ({_HINTS[how]})" if how in _HINTS else ""
        return DataError(f"DataLoader: worker {worker} (process {process.pid}) died: {how}{hint}, at {_named(task)}")

    def _unpack(self, worker: int, task: tuple, memory: Callable[[int], Any]) -> Any:
        """Return the next batch of a worker, in memory of its own. Raises DataError for an error in the worker."""
        kind, *given = self._receive(worker, task)
        if kind == "error":
            error = DataError(f"DataLoader: worker {worker}: {given[0]}")
            error.add_note(f"In the worker:\n{given[1]}")
            raise error
        name, old, head, *parts = given
        if old in self.blocks:
            self.blocks.pop(old).close()
        if name not in self.blocks:
            self.blocks[name] = SharedMemory(name)
        shared: Any = self.blocks[name].buf
        buffers = []
        for start, size in parts:
            buffers.append(memory(size))
            buffers[-1][:] = shared[start : start + size]
        return pickle.loads(shared[slice(*head)].tobytes(), buffers=buffers)

    def stop(self) -> None:
        """End the processes."""
        _stop(self.pipes, self.processes, self.blocks)


def _named(task: Any) -> str:
    if not isinstance(task, tuple):
        return task
    indices, _, number = task
    return f"batch {number}" + (f" with the samples {indices}" if isinstance(indices, list) else "")


def _stop(pipes: list, processes: list, blocks: dict) -> None:
    """End workers: a closed pipe tells them to. Those that were killed leave their blocks to be removed here."""
    for pipe in pipes:
        pipe.close()
    for process in processes:
        process.join(10)
        if process.exitcode is None:
            process.kill()
            process.join()
    for block in blocks.values():
        block.close()
        if any(process.exitcode for process in processes):
            try:
                block.unlink()
            except FileNotFoundError:
                pass
    for given in (pipes, processes, blocks):
        given.clear()


# In the worker


def _work(pipe: Connection, fetch: Fetch, info: WorkerInfo, init: Callable | None, slots: int, dtype: np.dtype) -> None:
    """Answer the tasks in the pipe until it is closed. `dtype` is the default one; the default device is the host."""
    global _info
    _info = info
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for end in list(_ends):  # inherited: held open, they would hide from other workers that they were closed
        end.close()
    set_num_threads(1)
    set_default_dtype(dtype)
    set_default_device(CPU)
    manual_seed(info.seed)
    _seed_others(np.random.SeedSequence(info.seed))
    blocks = Blocks(slots)
    problem = None
    try:
        if init is not None:
            init(info.id)
    except BaseException as error:  # sys.exit's too: an exit would take finished batches with it
        problem = "error", f"worker_init_fn: {type(error).__name__}: {error}", traceback.format_exc()
    try:
        while True:
            task = pipe.recv()
            pipe.send(problem or _answer(fetch, task, blocks))
    except (EOFError, OSError):  # the loader is gone
        pass
    finally:
        blocks.remove()


def _seed_others(seed: np.random.SeedSequence) -> None:
    """Seed Python's generator and NumPy's."""
    words = seed.generate_state(4)
    random.seed(words.tobytes())
    np.random.seed(words)


def _answer(fetch: Fetch, task: tuple, blocks: Blocks) -> tuple:
    indices, seed, number = task
    _seed_others(np.random.SeedSequence((seed, number, 1)))
    try:
        return "batch", *blocks.put(fetch(indices, seed, number))
    except DataError as error:
        return "error", str(error), traceback.format_exc()
    except BaseException as error:  # sys.exit's too: an exit would take finished batches with it
        return "error", f"batch {number}: {type(error).__name__}: {error}", traceback.format_exc()


class Blocks:
    """Holds a worker's shared memory: a block for each batch that it may be ahead, used in turn."""

    def __init__(self, slots: int):
        self.blocks: list[SharedMemory | None] = [None] * slots
        self.turn = 0

    def put(self, batch: Any) -> tuple:
        """Copy a batch into the next block. Returns the block's name, that of one given up, and the places of the
        batch's parts.
        """
        buffers: list[pickle.PickleBuffer] = []
        head = _dumps(batch, buffers)
        contents: list[Any] = [head, *(buffer.raw() for buffer in buffers)]
        parts, end = [], 0
        for content in contents:
            parts.append((end, len(content)))
            end += -(-len(content) // _ALIGN) * _ALIGN
        block, old = self._block(end)
        shared: Any = block.buf
        for (start, size), content in zip(parts, contents, strict=True):
            shared[start : start + size] = content
        (_, length), *others = parts
        return block.name, old, (0, length), *others

    def _block(self, size: int) -> tuple[SharedMemory, str | None]:
        slot = self.turn % len(self.blocks)
        self.turn += 1
        block, old = self.blocks[slot], None
        if block is not None and block.size < size:
            old = block.name
            _remove(block)
            block = None
        if block is None:
            block = self.blocks[slot] = SharedMemory(create=True, size=size + size // 4)
        return block, old

    def remove(self) -> None:
        """Give the memory back."""
        for block in self.blocks:
            if block is not None:
                _remove(block)


def _remove(block: SharedMemory) -> None:
    block.close()
    block.unlink()


def _dumps(batch: Any, buffers: list) -> bytes:
    import io

    file = io.BytesIO()
    _Pickler(file, protocol=5, buffer_callback=buffers.append).dump(batch)
    return file.getvalue()


class _Pickler(pickle.Pickler):
    """Pickles Tensors as their arrays, whose memory is copied into the block without pickling."""

    def reducer_override(self, obj: Any) -> Any:
        if not isinstance(obj, Tensor):
            return NotImplemented
        if obj.device is not CPU:
            raise DataError(f"a worker made a Tensor on {obj.device}; give DataLoader(device=...) instead")
        return _tensor, (np.asarray(obj._array, order="C"),)


def _tensor(array: np.ndarray) -> Tensor:
    return wrap(array, CPU, None)
