"""A whole training step as one CUDA graph: Python runs once, and later steps are a single launch."""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from ..autograd.mode import Switch, mode
from ..autograd.nests import map_tensors
from ..autograd.op import Op
from ..autograd.tensor import Tensor, wrap
from ..autograd.versions import INSIDE, all_changed, changes, clock
from ..backend.capture import Capture, current
from ..backend.devices import Device
from ..backend.devices import device as find_device
from ..errors import CaptureError, DeviceError, GpugradError


def graph(function: Callable | None = None, *, device: Any = None) -> Any:
    """Make `function`, a training step or any other work of a cuda device, one CUDA graph. It decorates with or without
    brackets.

        @gpugrad.cuda.graph
        def step(x, target):
            optimizer.zero_grad()
            loss = cross_entropy(model(x), target)
            loss.backward()
            optimizer.step()
            return loss

        for x, target in loader:
            losses.append(step(x, target))

    The first call with new shapes, dtypes or other arguments runs as always: it compiles kernels and makes the state of
    optimizers. The second is captured, and it and all later ones are replayed, with the same results bit for bit.

    Arguments may be Tensors (copied into fixed memory on `device`; they may come from the CPU), tuples, lists and dicts
    of them, and hashable values, which belong to what is captured. Tensors that it returns are copies, outside of the
    autograd graph. `.grad` of the parameters is that of the last step.

    What may change between replays: everything in the memory of tensors that exist outside of the step, the learning
    rate and the step counts of optimizers (schedulers may step inside or outside), the seeds of dropout and attention,
    and GradScaler's scale. With a GradScaler, each replay waits for whether the gradients were finite, as a step
    without a graph does. Everything else that Python decides stays as it was captured: branches, numbers that it
    computed, whether a model is in training mode.

    Raises CaptureError, with the line of the step, for what a graph cannot hold: waiting for values (`item()`, a
    branch on a Tensor), shapes that depend on values (`nonzero`, `x[mask]`), tensors made of Python numbers or moved
    from the CPU, optimizers whose step is not one kernel.

    >>> if gg.cuda.is_available():
    ...     w = gg.nn.Parameter(gg.ones(2, device="cuda"))
    ...     optimizer = gg.optim.SGD([w], lr=0.5)
    ...     @gg.cuda.graph
    ...     def step(x):
    ...         optimizer.zero_grad()
    ...         loss = (w * x).sum()
    ...         loss.backward()
    ...         optimizer.step()
    ...         return loss
    ...     losses = [step(gg.tensor([1.0, 2.0])).item() for _ in range(3)]
    ...     assert losses == [3.0, 0.5, -2.0] and step.captures == 1
    """
    if function is None:
        return lambda decorated: Graph(decorated, device)
    return Graph(function, device)


class Graph:
    """What `graph` returns: call it like the function. `captures` counts how often it was captured.

    >>> gg.cuda.graph(lambda x: x + 1).captures
    0
    """

    def __init__(self, function: Callable, device: Any):
        self._function, self._device = function, device
        self._ready: dict[
            Any, Any
        ] = {}  # by kind of arguments: the device's graph after the first call, then _Captured
        self.captures = 0
        update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if current() is not None:  # a part of a step that is being captured already
            return self._function(*args, **kwargs)
        device = find_device("cuda" if self._device is None else self._device)
        if device.type != "cuda":
            raise DeviceError(f"cuda.graph: expected a cuda device, got {device}")
        tensors: list[Tensor] = []
        key = (_shape((args, kwargs), tensors), mode.grad, mode.inference, _casts())
        with device.selected():
            found = self._ready.get(key)
            if found is None or isinstance(found, _Captured) and not found.is_current():
                return self._first(device, key, (args, kwargs))
            if not isinstance(found, _Captured):
                found = self._ready[key] = _Captured(self._function, device, found, (args, kwargs))
                self.captures += 1
            return found.replay(tensors)

    def _first(self, device: Device, key: Any, given: tuple) -> Any:
        args, kwargs = map_tensors(lambda t: t.to(device=device), given)
        ready = device.graph()
        with ready.running(), _own_casts():
            out = self._function(*args, **kwargs)
        self._ready[key] = ready
        return map_tensors(lambda t: t.detach(), out)

    def reset(self) -> None:
        """Forget what was captured, and free its memory.

        >>> gg.cuda.graph(lambda x: x + 1).reset()
        """
        self._ready.clear()


class _Captured:
    """A function captured for one kind of arguments."""

    def __init__(self, function: Callable, device: Device, ready: Any, given: tuple):
        self._inputs: list[Tensor] = []
        args, kwargs = map_tensors(lambda t: self._buffer(t, device), given)
        self._capture = Capture(device, ready)
        before = next(clock)
        try:
            with self._capture.recording(), _own_casts():
                self._out = map_tensors(lambda t: t.detach(), function(*args, **kwargs))
        except ready.refusals as error:
            if isinstance(error, GpugradError) and not isinstance(error, CaptureError):
                raise
            raise _refusal(function, error) from error
        leaves = self._capture.leaves
        self._gradients = [(leaf, leaf._grad) for leaf in leaves]
        owners = [change.owner() for change in changes.values() if change.number > before]
        self._changed = [owner for owner in owners if owner is not None]

    def _buffer(self, tensor: Tensor, device: Device) -> Tensor:
        if tensor.requires_grad:
            raise CaptureError(
                f"cuda.graph: an argument of shape {tensor.shape} requires a gradient, which would reach its copy; "
                "detach it, or use it from outside of the arguments"
            )
        made = wrap(device.xp.empty(tensor.shape, tensor.dtype), device, None)
        self._inputs.append(made)
        return made

    def is_current(self) -> bool:
        """Return whether a replay would do what the function does."""
        return self._capture.is_current()

    def replay(self, tensors: list[Tensor]) -> Any:
        """Copy the arguments' tensors to their places, replay, and return copies of the results."""
        for mine, given in zip(self._inputs, tensors, strict=True):
            if given.device.type == "cpu":
                self._capture.graph.upload(mine._array, given._array)
            else:
                mine._array[...] = given._array
        self._capture.replay()
        for leaf, gradient in self._gradients:
            leaf._grad = gradient
        all_changed(self._changed, "cuda.graph")
        return map_tensors(lambda t: wrap(t._array.copy(), t.device, None), self._out)


def _shape(value: Any, tensors: list[Tensor]) -> Any:
    """Return what a capture depends on, hashable, and collect the Tensors in the order of `map_tensors`."""
    if isinstance(value, Tensor):
        tensors.append(value)
        return "tensor", value.shape, value.dtype
    if isinstance(value, dict):
        return "dict", tuple((key, _shape(item, tensors)) for key, item in value.items())
    if isinstance(value, (tuple, list)):
        return type(value), tuple(_shape(item, tensors) for item in value)
    try:
        hash(value)
    except TypeError:
        raise CaptureError(
            f"cuda.graph: arguments are tensors, tuples, lists and dicts of them, and hashable values; got a "
            f"{type(value).__name__}"
        ) from None
    return type(value), value


def _casts() -> Any:
    """Return what the autocast region in force, if any, casts to."""
    return None if mode.autocast is None else tuple(sorted((k, str(v)) for k, v in mode.autocast.dtypes.items()))


def _own_casts() -> Switch:
    """Return a context for one step, in which a region around it keeps no casts from before: each replay makes them."""
    return Switch(autocast=None if mode.autocast is None else mode.autocast.again())


def _refusal(function: Callable, error: BaseException) -> CaptureError:
    """Return the error with the op and the user's line at which the capture failed."""
    op, site = None, None
    frames = [(frame, number) for frame, number in traceback.walk_tb(error.__traceback__)]
    for (frame, number), (following, _) in itertools.pairwise([*frames, frames[-1]]):
        owner = frame.f_locals.get("self")
        if frame.f_code is Op.__call__.__code__ and isinstance(owner, Op):
            op = owner.name
        # The user's line is the last one that calls gpugrad: below are the array library's.
        if not INSIDE[frame.f_code.co_filename] and (INSIDE[following.f_code.co_filename] or site is None):
            site = traceback.FrameSummary(frame.f_code.co_filename, number, frame.f_code.co_name)
    line = "an unknown line" if site is None else f"{site.filename}:{site.lineno} in {site.name}: {site.line}"
    name = getattr(function, "__qualname__", repr(function))
    where = f"{op}: " if op else ""
    return CaptureError(f"cuda.graph: {name} cannot be captured: {where}{error}\n  at {line}")
