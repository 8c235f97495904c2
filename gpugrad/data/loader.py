"""DataLoader: gives a dataset in batches, in order or shuffled anew for each pass, made here or by other processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import count, islice, repeat
from typing import Any

from ..backend import cuda
from ..backend.devices import CPU
from ..backend.devices import device as find_device
from ..backend.dtypes import uint8
from ..backend.random import Generator, default_generator
from ..errors import OptionError, StateDictError
from .dataset import IterableDataset
from .fetch import End, Fetch, FetchNext, drawing_from, stream
from .prefetch import pinned, prefetch
from .samplers import BatchSampler, RandomSampler, SequentialSampler
from .workers import Workers


class DataLoader:
    """Gives batches of `batch_size` samples of a dataset; its arguments are PyTorch's.

    shuffle: a new order for each pass. sampler: gives the order. batch_sampler: gives lists of numbers, each a batch.
    batch_size=None: samples are given as they are. drop_last: leave out a last batch that is not full. collate_fn:
    makes a batch of a list of samples; the default stacks Tensors, arrays and numbers, through tuples and mappings.

    num_workers: processes that make batches ahead of their use, each `prefetch_factor` of them, in shared memory; they
    start with each pass unless `persistent_workers`. timeout: seconds to wait for a batch (0: for ever).
    worker_init_fn: called with the worker's number in each. multiprocessing_context: how processes start. pin_memory:
    batches are in page-locked memory, from where a GPU copies them without a wait. device: batches are moved
    to this device, each while the one before is in use. in_order: batches come in order either way.

    Each pass draws one seed from `generator` (default: the one that `gpugrad.manual_seed` sets). The order, and the
    random numbers that samples and transforms take from the default generator, depend on that seed alone: batches are
    the same for any number of workers. A stream (IterableDataset) is read by one worker, however many there are.

    Raises DataError that names the sample and the worker if a sample cannot be read or a worker dies.

    >>> dataset = gg.data.TensorDataset(gg.arange(5))
    >>> [batch.tolist() for (batch,) in gg.data.DataLoader(dataset, batch_size=2)]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Any = None,
        batch_sampler: Any = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        in_order: bool = True,
        device: Any = None,
    ):
        self.stream = isinstance(dataset, IterableDataset)
        _check(self.stream, batch_size, shuffle, sampler, batch_sampler, drop_last)
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        self.dataset, self.batch_size, self.drop_last = dataset, batch_size, drop_last
        self.num_workers, self.timeout, self.collate_fn = num_workers, timeout, collate_fn
        self.pin_memory, self.generator, self.in_order = pin_memory, generator, in_order
        self.worker_init_fn, self.multiprocessing_context = worker_init_fn, multiprocessing_context
        self.prefetch_factor = 2 if prefetch_factor is None else prefetch_factor
        self.persistent_workers = persistent_workers
        self.device = None if device is None else find_device(device)
        self.sampler = self.batch_sampler = None
        if not self.stream:
            if sampler is None:
                sampler = RandomSampler(dataset) if shuffle else SequentialSampler(dataset)
            if batch_sampler is None and batch_size is not None:
                batch_sampler = BatchSampler(sampler, batch_size, drop_last)
            self.sampler, self.batch_sampler = sampler, batch_sampler
        self.batched = batch_size is not None
        self._workers: Workers | None = None
        self._seed: int | None = None  # of the pass that is under way
        self._given = 0  # its batches so far
        self._start: list[dict] = []  # where the loader's own generators were when it began
        self._resume: dict[str, Any] | None = None

    def __len__(self) -> int:
        if not self.stream:
            return len(self._order())
        n, size = len(self.dataset), 1 if self.batch_size is None else self.batch_size
        return n // size if self.drop_last else -(-n // size)

    def __iter__(self) -> Iterator[Any]:
        resume, self._resume = {} if self._resume is None else self._resume, None
        self._start = [g.get_state() for g in self._generators()]
        seed = resume.get("seed")
        if seed is None or self.generator is not None:  # its own generator is where it was when that pass began
            seed = int((default_generator() if self.generator is None else self.generator).numpy.integers(1 << 63))
        self._seed, self._given = seed, resume.get("batches", 0)
        return self._pass(seed, self._given)

    def _pass(self, seed: int, skip: int) -> Iterator[Any]:
        """Yield the batches of the pass with this seed, without the first `skip`."""
        batches: Any = self._made(seed, skip)
        if self.device not in (None, CPU):
            batches = prefetch(batches, self.device)
        try:
            for batch in batches:
                self._given += 1
                yield batch
            self._seed = None
        finally:
            batches.close()

    def _made(self, seed: int, skip: int) -> Any:
        fetch = (FetchNext if self.stream else Fetch)(self.dataset, self.collate_fn, self.batched)
        tasks = self._tasks(seed)
        if not self.stream:  # a stream has to be read up to there
            next(islice(tasks, skip, skip), None)
        host = find_device("cuda") if self.pin_memory and cuda.is_available() else CPU
        if self.num_workers:
            made = self._by_workers(seed, fetch, tasks, lambda size: host.pinned((size,), uint8))
        else:
            made = (pinned(fetch(*task), host) for task in tasks)
        for number, batch in enumerate(made):
            if batch is End:
                return
            if not self.stream or number >= skip:
                yield batch

    def _by_workers(self, seed: int, fetch: Fetch, tasks: Iterator[tuple], memory: Callable) -> Iterator[Any]:
        workers = self._workers
        if workers is None:
            number = 1 if self.stream else self.num_workers
            workers = Workers(
                fetch,
                number,
                self.worker_init_fn,
                self.multiprocessing_context,
                self.prefetch_factor,
                self.timeout,
                seed,
            )
        done = False
        self._workers = workers if self.persistent_workers else None
        try:
            yield from workers.batches(tasks, memory)
            done = True
        except GeneratorExit:
            done = True
            raise
        finally:
            if not (done and self.persistent_workers):
                workers.stop()
                self._workers = None

    def _tasks(self, seed: int) -> Iterator[tuple[Any, int, int]]:
        """Yield, for each batch, its indices (of a stream: the number of samples), the pass's seed, and the batch's
        number.
        """
        with drawing_from(random := stream(seed)):
            indices = iter(self._order())
        for number in count():
            with drawing_from(random):  # samplers may draw when they are asked for the next
                chosen = next(indices, End)
            if chosen is End:
                return
            yield chosen, seed, number

    def _order(self) -> Any:
        """Return the sampler that gives each batch's indices; for a stream, its numbers of samples without end."""
        if self.stream:
            return repeat(1 if self.batch_size is None else self.batch_size)
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    # Its place in the data

    def _generators(self) -> list[Generator]:
        """Return the loader's own generators, from which a pass draws."""
        owners = (self, self.sampler, self.batch_sampler, getattr(self.batch_sampler, "sampler", None))
        found = [getattr(owner, "generator", None) for owner in owners]
        return [g for i, g in enumerate(found) if g is not None and not any(g is other for other in found[:i])]

    def state_dict(self) -> dict[str, Any]:
        """Return the place in the data: the pass's seed, the batches given in it, and the state of the loader's own
        generators.

        A loader that loads this gives the rest of the pass when it is iterated next.
        """
        if self._resume is not None:
            return dict(self._resume)
        if self._seed is None:
            return {"generators": [g.get_state() for g in self._generators()]}
        return {"seed": self._seed, "batches": self._given, "generators": list(self._start)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go to a place that `state_dict` of a loader like this one returned. A stream is read again up to there.

        Raises StateDictError for anything else; then nothing has changed.
        """
        generators, seed, given = self._generators(), state_dict.get("seed"), state_dict.get("batches", 0)
        states = state_dict.get("generators")
        if not isinstance(states, (list, tuple)) or len(states) != len(generators):
            raise StateDictError(f"DataLoader: expected the states of {len(generators)} generators, got {states!r:.80}")
        if not (seed is None or type(seed) is int and seed >= 0) or type(given) is not int or given < 0:
            raise StateDictError(
                f"DataLoader: expected a seed and a number of batches, got {seed!r:.80}, {given!r:.80}"
            )
        before = [generator.get_state() for generator in generators]
        try:
            for generator, state in zip(generators, states, strict=True):
                generator.set_state(state)
        except Exception as error:
            for generator, state in zip(generators, before, strict=True):
                generator.set_state(state)
            raise StateDictError(f"DataLoader: no state of a generator ({type(error).__name__}: {error})") from None
        self._seed, self._resume = None, dict(state_dict)


def _check(stream: bool, batch_size: Any, shuffle: Any, sampler: Any, batch_sampler: Any, drop_last: bool) -> None:
    if stream and (shuffle or sampler is not None or batch_sampler is not None):
        raise OptionError("DataLoader: a stream (IterableDataset) has no order to shuffle or sample")
    if sampler is not None and shuffle:
        raise OptionError("DataLoader: give sampler or shuffle, not both")
    if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
        raise OptionError("DataLoader: batch_sampler excludes batch_size, shuffle, sampler and drop_last")
    if batch_size is None and drop_last:
        raise OptionError("DataLoader: drop_last needs batch_size")
    if batch_size is not None and (not isinstance(batch_size, int) or batch_size < 1):
        raise OptionError(f"DataLoader: batch_size must be positive, got {batch_size!r}")


def _check_workers(num_workers: int, timeout: float, prefetch_factor: int | None, persistent_workers: bool) -> None:
    if num_workers < 0 or timeout < 0 or prefetch_factor is not None and prefetch_factor < 1:
        raise OptionError(
            "DataLoader: num_workers and timeout must not be negative and prefetch_factor must be positive, got "
            f"{num_workers}, {timeout} and {prefetch_factor}"
        )
    if not num_workers and (prefetch_factor is not None or timeout or persistent_workers):
        raise OptionError("DataLoader: prefetch_factor, timeout and persistent_workers need num_workers > 0")
