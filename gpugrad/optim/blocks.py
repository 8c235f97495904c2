"""How one step updates the parameters of a group: joined if they are small, cut into blocks if they are large.

`_update` of an optimizer is elementwise and in place. Its result therefore depends neither on where an array is cut nor
on how many threads share the blocks, and both are chosen for speed alone:

* A large array is cut into blocks of about BLOCK_SIZE elements, which stay in cache from the first operation of the
  formula to the last.
* Small arrays are concatenated, updated as one and copied back, because calling NumPy costs more than their elements.
* If there is enough work, two or more threads take equal parts of it.

A compiled loop (see loops.py), where there is one, goes over an array once, so that it needs no blocks.

For the threads, all updates are laid one after the other on a line. An update takes as much of the line as it has
elements, and CALL_COST more for the calls that it makes. The line is cut into equal parts, one for each thread.

For example, Adam updates the six parameters of an MLP 784-512-256-10 as three updates:

    update                             elements     its place on the line
    first weight, 784 x 512            401408       0 to 401408
    second weight, 512 x 256           131072       417792 to 548864
    third weight and three biases        3338       565248 to 568586

The line ends at 584970 = 568586 + CALL_COST. Two threads halve it: one takes the elements 0 to 292485 of the first
weight, as one block, the other takes the rest of it, the second weight and the joined parameters. A joined update is
never cut: the thread in whose part it begins takes all of it.

On cuda, one launch of a functor of kernels/optim.cu updates all contiguous parameters instead (see cuda.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd.tensor import Tensor, wrap
from ..autograd.versions import all_changed
from ..backend.capture import current
from ..backend.cpu import threads
from ..backend.devices import CPU, Device
from ..backend.dtypes import float32, is_low
from . import loops
from .captured import CapturedUpdate, refuse

if TYPE_CHECKING:
    from .optimizer import Optimizer

BLOCK_SIZE = 1 << 18  # elements: few enough for the caches, yet so many that the calls of two threads overlap
THREAD_SIZE = 1 << 20  # a thread is worth starting for this many elements of parameters, gradients and state
LARGE_ARRAY = 1 << 17  # elements from which a call takes long enough to overlap with another thread's
CALL_COST = 1 << 14  # the calls of one update take as long as this many elements
SMALL_ARRAY = 1 << 12  # up to this many elements, copying an array costs less than the calls that update it
VECTORS = 1 << 6  # elements: a compiled loop takes as many at a time, and may round the rest of an array otherwise


class GroupUpdate:
    """One step of one parameter group.

    An update is a tuple (xp, scalars, members, loop). xp is the array namespace, scalars are the numbers that
    `_step_scalars` returned, each member is a list [parameter, gradient, *state] of arrays, and loop is the compiled
    loop or None. Several members are joined.
    """

    def __init__(self, optimizer: Optimizer, group: dict[str, Any]):
        self.optimizer, self.group = optimizer, group
        self.state_names = optimizer._state_names(group)
        self.updates: list[tuple] = []
        # Arrays are joined if they have the same scalars and dtypes; the third key limits them to about one block.
        self.small: defaultdict[tuple, list] = defaultdict(list)
        self.launches: defaultdict[tuple, list] = defaultdict(list)  # by device, dtype and scalars

    def add(self, parameters: list[Tensor]) -> None:
        """Count a step of each of `parameters` and sort its arrays by the way in which they will be updated."""
        optimizer, group, state_names = self.optimizer, self.group, self.state_names
        functor, small_elements, captured = _functor_of(type(optimizer)), 0, current()
        compiled = loops.STEPS.get((functor, len(state_names)))
        elements = sum([parameter._array.size for parameter in parameters])
        for parameter in parameters:
            # A captured step is counted by its replays, the first of which that takes place gives the state its arrays.
            state = optimizer.state[parameter] if captured is None else dict(optimizer.state[parameter])
            scalars = optimizer._step_scalars(state, group)
            array, device = parameter._array, parameter.device
            arrays = [array, parameter._grad._array]  # pyright: ignore
            for name in state_names:
                if name not in state:
                    initial = optimizer._initial_value(name, group)
                    make = device.xp.full_like if captured is None else captured.filled
                    state[name] = wrap(make(array, initial), device, None)
                arrays.append(state[name]._array)
            flat = all([a.flags.c_contiguous for a in arrays])
            dtypes = tuple([a.dtype for a in arrays])
            if flat and functor and device.type == "cuda" and len({*dtypes}) == 1:
                self.launches[device, array.dtype, scalars].append((parameter, state, arrays))
                continue
            if captured is not None:
                raise refuse(optimizer, f"a parameter of shape {array.shape} is not updated by a kernel")
            arrays = [a.reshape(-1) for a in arrays] if flat else arrays
            alike = flat and device is CPU and len({*dtypes}) == 1 and array.flags.writeable
            loop = compiled.sized(elements, array.dtype) if compiled and alike else None
            # Without state, an update is a single call, and joining would not save any.
            if flat and state_names and device is CPU and array.size <= SMALL_ARRAY:
                small_elements += array.size
                self.small[scalars, dtypes, small_elements // BLOCK_SIZE, loop].append(arrays)
            else:
                self.updates.append((device.xp, scalars, [arrays], loop))
        all_changed([parameter._array for parameter in parameters], f"{type(optimizer).__name__}.step")

    def run(self) -> None:
        """Launch the updates of cuda devices, then do the others, on several threads if they are large enough."""
        for (device, _, scalars), members in self.launches.items():
            self._launch(device, scalars, members)
        self.updates += [(CPU.xp, scalars, members, loop) for (scalars, *_, loop), members in self.small.items()]
        threads.parallel(self._update_blocks, map(self._blocks, self._parts()))

    def _launch(self, device: Device, scalars: tuple, members: list) -> None:
        from . import cuda

        optimizer, group, captured = self.optimizer, self.group, current()
        tensors = [arrays for _, _, arrays in members]
        functor = _functor_of(type(optimizer)) or ""
        if captured is None:
            cuda.step(functor, optimizer._functor_fields(group, scalars), device, tensors, optimizer._tables)
            return
        update, skip = CapturedUpdate(optimizer, group, members, captured), captured.skip
        cuda.captured_step(functor, update.fields, tensors, captured)
        if skip is None:
            captured.before_replay(update.commit)
        else:
            captured.after_replay(lambda: None if skip.read() else update.commit())

    def _parts(self) -> list[slice]:
        """Cut the line of all updates into one part for each thread that has at least THREAD_SIZE elements to touch."""
        on_host = all([xp is CPU.xp for xp, *_ in self.updates])
        sizes = [arrays[0].size for _, _, members, _ in self.updates for arrays in members]
        large = sum([size for size in sizes if size >= LARGE_ARRAY]) if on_host else 0
        touched = large * (2 + len(self.state_names))
        length = sum(sizes) + CALL_COST * len(self.updates)
        return threads.chunks(length, 1 + THREAD_SIZE * length // max(1, touched))

    def _blocks(self, part: slice) -> Iterator[tuple]:
        """Yield the updates of `part` of the line, cut into blocks. Arrays that are not flat are cut between rows."""
        start = 0
        for xp, scalars, members, loop in self.updates:
            size = sum([arrays[0].size for arrays in members])
            low, high = max(part.start - start, 0), min(part.stop - start, size)
            if len(members) > 1 or low == 0 and high == size <= BLOCK_SIZE:
                if part.start <= start < part.stop:
                    yield xp, scalars, members, loop
            elif loop is not None and low < high:
                low, high = low - low % VECTORS, high if high == size else high - high % VECTORS
                yield xp, scalars, [[a[low:high] for a in members[0]]], loop
            elif low < high:
                rows = len(members[0][0])
                block_rows = BLOCK_SIZE * rows // size if xp is CPU.xp else rows
                for block in threads.blocks(slice(low * rows // size, high * rows // size), block_rows):
                    if block.start < block.stop:
                        yield xp, scalars, [[a[block] for a in members[0]]], None
            start += size + CALL_COST

    def _update_blocks(self, blocks: Iterable[tuple]) -> None:
        for xp, scalars, members, loop in blocks:
            arrays = members[0] if len(members) == 1 else [np.concatenate(a) for a in zip(*members, strict=True)]
            if loop is not None:
                loop(*arrays, np.array(self.optimizer._functor_fields(self.group, scalars), arrays[0].dtype))
            else:
                self._update_block(xp, scalars, *arrays)
            if len(members) > 1:
                _copy_back(arrays, members)

    def _update_block(self, xp: Any, scalars: tuple, param: Any, grad: Any, *state: Any) -> None:
        update, group = self.optimizer._update, self.group
        if is_low(param.dtype):
            _update_in_float32(update, xp, group, scalars, param, [grad, *state])
        else:
            update(xp, group, scalars, param, grad, xp.empty_like(param), xp.empty_like(param), *state)


def _copy_back(joined: list, members: list[list]) -> None:
    """Copy the updated parameters and state from the joined arrays into the arrays of each member."""
    start = 0
    for arrays in members:
        stop = start + arrays[0].size
        for i, array in enumerate(arrays):
            if i != 1:  # the gradient has not changed
                array[...] = joined[i][start:stop]
        start = stop


@cache
def _functor_of(cls: type) -> str | None:
    """Return the name of the functor that does what `_update` does; None if a subclass has changed `_update`."""
    for base in cls.__mro__:
        if "_functor" in vars(base) or "_update" in vars(base):
            return vars(base).get("_functor")
    return None


def _update_in_float32(update: Callable, xp: Any, group: dict, scalars: tuple, param: Any, others: list) -> None:
    """Update a block of 16-bit floats: compute in float32 and round each result once."""
    raised = [array.astype(float32) for array in (param, *others)]
    scratch1, scratch2 = xp.empty_like(raised[0]), xp.empty_like(raised[0])
    update(xp, group, scalars, raised[0], raised[1], scratch1, scratch2, *raised[2:])
    for array, values in zip((param, *others[1:]), (raised[0], *raised[2:]), strict=True):
        array[...] = values
