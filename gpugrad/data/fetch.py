"""The making of one batch: samples are fetched, put together, and moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.tensor import Tensor
from ..backend.random import default_generator
from ..errors import DataError, DTypeError, ShapeError
from ..ops.join import stack


def stream(*seed: int) -> np.random.Generator:
    """Return the random number generator that belongs to `seed`."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))


@contextmanager
def drawing_from(random: np.random.Generator) -> Iterator[None]:
    """Let the default generator draw from `random` inside; afterwards it continues where it was."""
    generator = default_generator()
    before, generator.numpy = generator.numpy, random
    try:
        yield
    finally:
        generator.numpy = before


class Fetch:
    """Makes batches of a dataset; `collate` None is the default one. A batch depends on its indices and seed only."""

    def __init__(self, dataset: Any, collate: Callable[[Any], Any] | None, batched: bool):
        self.dataset, self.batched = dataset, batched
        default = default_collate if batched else default_convert
        self.collate = default if collate is None else collate
        self.whole = getattr(dataset, "batch", None) is not None and batched and collate is None

    def __call__(self, indices: Any, seed: int, number: int) -> Any:
        """Make batch `number` of the pass with this seed. Raises DataError that names an unreadable sample."""
        with drawing_from(stream(seed, number)):
            return self._make(indices, number)

    def _make(self, indices: Any, number: int) -> Any:
        if not self.batched:
            return self._collated(sample_of(self.dataset, indices), f"sample {indices!r}")
        name = f"the samples {_short(indices)} of {type(self.dataset).__name__}"
        if self.whole:
            with _named(f"{name} cannot be read"):
                return self.dataset.batch(np.asarray(indices, np.int64))
        if hasattr(self.dataset, "__getitems__"):
            with _named(f"{name} cannot be read"):
                samples = self.dataset.__getitems__(indices)
        else:
            samples = [sample_of(self.dataset, i) for i in indices]
        return self._collated(samples, name)

    def _collated(self, samples: Any, name: str) -> Any:
        with _named(f"no batch can be made of {name}"):
            return self.collate(samples)


class FetchNext(Fetch):
    """Makes batches of a stream; the indices are the number of samples to take. At the end it gives `End`."""

    def _make(self, indices: Any, number: int) -> Any:
        name = type(self.dataset).__name__
        with _named(f"{name} cannot be read, in batch {number}"):
            if number == 0:
                self.samples = iter(self.dataset)
            samples = list(islice(self.samples, indices))
        if not samples:
            return End
        return self._collated(samples if self.batched else samples[0], f"batch {number} of {name}")


class End:
    """Stands for a batch after the last one of a stream."""


def sample_of(dataset: Any, index: Any) -> Any:
    """Return sample `index`. Raises DataError that names it if it cannot be read."""
    with _named(f"sample {index!r} of {type(dataset).__name__} cannot be read"):
        return dataset[index]


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Turn errors inside into a DataError that says `what`."""
    try:
        yield
    except Exception as error:
        raise DataError(f"{what}: {type(error).__name__}: {error}") from error


def _short(indices: Any) -> str:
    text = ", ".join(map(str, indices[:8]))
    return f"{text}, ... ({len(indices)} in all)" if len(indices) > 8 else text


def default_convert(sample: Any) -> Any:
    """Return a sample with its arrays as Tensors.

    >>> gg.data.default_convert((np.zeros(2, np.float32), "name"))
    (tensor([0., 0.]), 'name')
    """
    if isinstance(sample, (np.ndarray, np.generic)):
        return asarray(np.asarray(sample), device="cpu")
    return mapped(default_convert, sample)


def default_collate(samples: list) -> Any:
    """Make one batch of a list of samples: Tensors, arrays and numbers get a leading axis; tuples and mappings stay.

    Python's floats become the default dtype. Raises ShapeError for samples of different shapes.

    >>> gg.data.default_collate([(gg.ones(2), 0), (gg.zeros(2), 1)])[1]
    tensor([0, 1])
    """
    first = samples[0]
    if isinstance(first, Mapping):
        return {name: default_collate([s[name] for s in samples]) for name in first}
    if isinstance(first, (tuple, list)):
        if any(len(s) != len(first) for s in samples):
            raise ShapeError(f"samples of different lengths: {sorted({len(s) for s in samples})}")
        parts = [default_collate(list(part)) for part in zip(*samples, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else tuple(parts)
    if isinstance(first, (str, bytes)):
        return samples
    if hasattr(first, "shape"):
        shapes = {tuple(s.shape) for s in samples}
        if len(shapes) > 1:
            raise ShapeError(f"samples of different shapes: {sorted(shapes)}; pass a collate_fn")
        if isinstance(first, Tensor):
            return stack([s.detach() for s in samples])
        return asarray(np.stack([np.asarray(s) for s in samples]), device="cpu")
    if isinstance(first, (bool, int, float)):
        return asarray(samples, device="cpu")
    raise DTypeError(f"cannot make a Tensor of a sample of type {type(first).__name__}; pass a collate_fn")


def mapped(change: Callable[[Any], Any], nest: Any) -> Any:
    """Apply `change` to the items of the tuple, list or mapping `nest`; return other things unchanged."""
    if isinstance(nest, Mapping):
        return {name: change(value) for name, value in nest.items()}
    if isinstance(nest, tuple) and hasattr(nest, "_fields"):
        return type(nest)(*map(change, nest))
    return type(nest)(map(change, nest)) if isinstance(nest, (tuple, list)) else nest


def on_tensors(change: Callable[[Tensor], Any], nest: Any) -> Any:
    """Apply `change` to every Tensor in `nest`."""
    return change(nest) if isinstance(nest, Tensor) else mapped(lambda item: on_tensors(change, item), nest)
