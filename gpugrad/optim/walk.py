"""The walk of a step: parameters, gradients and state cut into blocks that stay in cache through a whole formula.

Blocks are updated elementwise and in place, so the result does not depend on how they were cut, nor on the number of
threads that share them. Small arrays are joined for the update, since each call costs more than their elements. On
cuda, what a functor of kernels/optimizer.cu can do goes in one launch instead.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd.tensor import Tensor, wrap
from ..autograd.versions import all_changed
from ..backend.cpu import threads
from ..backend.devices import CPU
from ..backend.dtypes import float32, is_low

if TYPE_CHECKING:
    from .optimizer import Optimizer

BLOCK = 1 << 18  # elements of a block: few enough for the caches, yet long enough a call for threads to overlap
SHARE = 1 << 20  # elements of parameters, gradients and state that are worth a thread
LONG = 1 << 17  # elements of an array from which a thread's calls are long enough to overlap with another's
CALLS = 1 << 14  # elements that take as long as the calls of an update
SMALL = 1 << 12  # elements of an array up to which copying it costs less than the calls that update it


class Work:
    """What one step updates of one group."""

    def __init__(self, optimizer: Optimizer, group: dict[str, Any]):
        self.optimizer, self.group = optimizer, group
        self.names = optimizer._slots(group)
        self.updates: list[tuple] = []  # namespace, numbers, and the arrays of each of the parameters updated as one
        self.small: defaultdict[tuple, list] = defaultdict(list)  # by numbers, dtypes, and a count of what fits a block
        self.launches: defaultdict[tuple, list] = defaultdict(list)  # by device, dtype and numbers

    def add(self, parameters: list[Tensor]) -> None:
        """Count a step of each of `parameters` and note its arrays."""
        optimizer, group, names = self.optimizer, self.group, self.names
        functor, elements = _functor_of(type(optimizer)), 0
        for parameter in parameters:
            state = optimizer.state[parameter]
            numbers = optimizer._start(state, group)
            array, device = parameter._array, parameter.device
            arrays = [array, parameter.grad._array]  # pyright: ignore
            for name in names:
                if name not in state:
                    state[name] = wrap(device.xp.full_like(array, optimizer._initial(name, group)), device, None)
                arrays.append(state[name]._array)
            flat = all([a.flags.c_contiguous for a in arrays])
            dtypes = tuple([a.dtype for a in arrays])
            if flat and functor and device.type == "cuda" and len({*dtypes}) == 1:
                self.launches[device, array.dtype, numbers].append(arrays)
                continue
            arrays = [a.reshape(-1) for a in arrays] if flat else arrays
            if flat and names and device is CPU and array.size <= SMALL:  # without state, an update is a single call
                elements += array.size
                self.small[numbers, dtypes, elements // BLOCK].append(arrays)
            else:
                self.updates.append((device.xp, numbers, [arrays]))
        all_changed([parameter._array for parameter in parameters], f"{type(optimizer).__name__}.step")

    def run(self) -> None:
        """Update all blocks, on several threads where that pays, and what one launch can do at once by one."""
        optimizer = self.optimizer
        for (device, _, numbers), tensors in self.launches.items():
            from . import cuda

            scalars = optimizer._scalars(self.group, numbers)
            cuda.step(_functor_of(type(optimizer)) or "", scalars, device, tensors, optimizer._tables)
        self.updates += [(CPU.xp, numbers, members) for (numbers, *_), members in self.small.items()]
        on_host = all([ns is CPU.xp for ns, *_ in self.updates])
        sizes = [arrays[0].size for _, _, members in self.updates for arrays in members]
        touched = sum([size for size in sizes if size >= LONG]) * (2 + len(self.names)) if on_host else 0
        length = sum(sizes) + CALLS * len(self.updates)
        parts = threads.chunks(length, 1 + SHARE * length // max(1, touched))
        threads.parallel(self._update, map(self._blocks, parts))

    def _blocks(self, part: slice) -> Iterator[tuple]:
        """The blocks of `part` of all updates laid side by side, each followed by what its calls cost in elements.

        Arrays that are put together are in one block; those that are not flat are cut between rows.
        """
        start = 0
        for ns, numbers, members in self.updates:
            size = sum([arrays[0].size for arrays in members])
            low, high = max(part.start - start, 0), min(part.stop - start, size)
            if len(members) > 1 or low == 0 and high == size <= BLOCK:
                if part.start <= start < part.stop:
                    yield ns, numbers, members
            elif low < high:
                rows = len(members[0][0])
                most = BLOCK * rows // size if ns is CPU.xp else rows
                for cut in threads.blocks(slice(low * rows // size, high * rows // size), most):
                    if cut.start < cut.stop:
                        yield ns, numbers, [[a[cut] for a in members[0]]]
            start += size + CALLS

    def _update(self, blocks: Iterable[tuple]) -> None:
        for ns, numbers, members in blocks:
            arrays = members[0] if len(members) == 1 else [np.concatenate(a) for a in zip(*members, strict=True)]
            self._update_block(ns, numbers, *arrays)
            if len(members) > 1:
                _scatter(arrays, members)

    def _update_block(self, ns: Any, numbers: tuple, p: Any, g: Any, *state: Any) -> None:
        update, group = self.optimizer._update, self.group
        if is_low(p.dtype):
            _update_low(update, ns, group, numbers, p, [g, *state])
        else:
            update(ns, group, numbers, p, g, ns.empty_like(p), ns.empty_like(p), *state)


def _scatter(whole: list, members: list[list]) -> None:
    """Give each member its part of the updated parameter and state."""
    start = 0
    for arrays in members:
        stop = start + arrays[0].size
        for i, array in enumerate(arrays):
            if i != 1:  # the gradient is as it was
                array[...] = whole[i][start:stop]
        start = stop


@cache
def _functor_of(cls: type) -> str | None:
    """The functor that does what `_update` does: None if a subclass has changed `_update`."""
    for base in cls.__mro__:
        if "_functor" in vars(base) or "_update" in vars(base):
            return vars(base).get("_functor")
    return None


def _update_low(update: Callable, ns: Any, group: dict, numbers: tuple, p: Any, others: list) -> None:
    """Update a block of 16-bit floats: computed in float32, rounded once."""
    raised = [array.astype(float32) for array in (p, *others)]
    t, u = ns.empty_like(raised[0]), ns.empty_like(raised[0])
    update(ns, group, numbers, raised[0], raised[1], t, u, *raised[2:])
    for array, values in zip((p, *others[1:]), (raised[0], *raised[2:]), strict=True):
        array[...] = values
