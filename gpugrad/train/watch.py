"""Looks into a network while it trains: gradients' norms, the layer where a NaN begins, units that do nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, NoReturn

import numpy as np

from ..autograd.mode import no_grad
from ..autograd.nests import tensors_in
from ..autograd.tensor import Tensor
from ..backend.dtypes import is_float
from ..errors import TrainingError
from ..nn import Module
from ..nn.utils import evaluating
from ..ops.norm import p_norm


def gradient_norms(model: Module) -> dict[str, float]:
    """Return the 2-norm of each parameter's gradient by name, of those that have one; it waits for the device once.

    >>> model = nn.Linear(2, 1)
    >>> model(gg.ones(1, 2)).sum().backward()
    >>> gg.train.gradient_norms(model)["bias"]
    1.0
    """
    named = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    if not named:
        return {}
    device = next(iter(named.values())).device
    with device.selected():
        norms = device.xp.stack([p_norm(grad._array) for grad in named.values()])
    return dict(zip(named, device.to_host(norms).tolist(), strict=True))


def check_gradients(model: Module, when: str) -> dict[str, float]:
    """Return the gradients' norms. Raises TrainingError, with `when` and the layer's name, if one is not finite."""
    norms = gradient_norms(model)
    suspects = [name for name, norm in norms.items() if not math.isfinite(norm)]  # or large: its square overflows
    grads: dict[str, Any] = {name: model.get_parameter(name).grad for name in suspects}
    bad = [name for name, grad in grads.items() if not is_finite(grad)]
    if bad:  # backward comes from the last layer
        layer, _, name = bad[-1].rpartition(".")
        kind = type(model.get_submodule(layer)).__name__
        others = f", and those of {len(bad) - 1} parameters before it" if len(bad) > 1 else ""
        raise TrainingError(
            f"{when}: the gradient of {name!r} in layer {layer!r} ({kind}) is not finite{others}; "
            "detect_anomaly() finds the op"
        )
    return norms


def find_nan(model: Module, compute: Callable[[], Any], what: str) -> NoReturn:
    """Raise TrainingError with `what` and the name of the layer that caused it, which is found by computing again."""
    try:
        with no_grad(), nan_watch(model):
            compute()
    except TrainingError as error:
        raise TrainingError(f"{what}; {error}") from None
    raise TrainingError(f"{what}, though every layer's output is finite: look at the loss and the targets")


@contextmanager
def nan_watch(model: Module) -> Iterator[None]:
    """Make a layer whose output is not finite raise TrainingError, which names it and describes its input, inside the
    block.

    Every layer's output is looked at, and the program waits for a GPU each time: it is meant for finding a fault.

    >>> model = nn.Sequential(nn.Identity())
    >>> with gg.train.nan_watch(model):
    ...     model(gg.tensor([float("nan")]))
    Traceback (most recent call last):
        ...
    gpugrad.errors.TrainingError: the output (1,) of layer '0' (Identity) is not finite: ...
    """

    def check(name: str, module: Module, args: Any, output: Any) -> None:
        bad = [t for t in tensors_in(output) if not is_finite(t)]
        if bad:
            given = "" if all(map(is_finite, tensors_in(args))) else "not "
            weights = [n for n, p in module.named_parameters(recurse=False) if not is_finite(p)]
            weights = f"; its {', '.join(weights)} is not finite" if weights else ""
            values = bad[0].detach().cpu().numpy().astype(np.float32)
            share = f"{(~np.isfinite(values)).sum()} of {values.size} values are NaN or infinite"
            raise TrainingError(
                f"the output {bad[0].shape} of layer {name or 'itself'!r} ({type(module).__name__}) is not finite: "
                f"{share}; its input is {given}finite{weights}"
            )

    with _hooks(model, check, lambda module: True):
        yield


class DeadUnits(NamedTuple):
    """Names the units (channels, features) of a layer whose output is 0 for every sample.

    >>> print(gg.train.DeadUnits("features.1", [0, 3], 8))
    features.1: 2 of 8 units are dead (25%)
    """

    layer: str
    dead: list[int]
    units: int

    def __str__(self) -> str:
        return f"{self.layer}: {len(self.dead)} of {self.units} units are dead ({len(self.dead) / self.units:.0%})"


def dead_units(model: Module, batches: Iterable[Any]) -> list[DeadUnits]:
    """Return, for each activation layer of `model`, the units that are 0 for all samples and places of `batches`.

    batches: inputs of the model, or tuples whose first item is one. Units are along axis 1 of (N, C, ...) outputs.

    >>> model = nn.Sequential(nn.ReLU())
    >>> gg.train.dead_units(model, [gg.tensor([[1.0, -1.0], [2.0, -3.0]])])
    [DeadUnits(layer='0', dead=[1], units=2)]
    """
    alive: dict[str, Any] = {}

    def look(name: str, module: Module, args: Any, output: Tensor) -> None:
        if output.ndim >= 2:
            array = output.detach()._array
            seen = (array != 0).any(axis=tuple(i for i in range(output.ndim) if i != 1))
            alive[name] = output.device.to_host(seen) | alive.get(name, False)

    see_activations(model, batches, look)
    return [DeadUnits(name, np.flatnonzero(~seen).tolist(), len(seen)) for name, seen in alive.items()]


def see_activations(model: Module, batches: Iterable[Any], see: Callable) -> None:
    """Call `see(name, module, args, output)` for each activation layer and batch, in evaluation mode."""
    with evaluating(model), no_grad(), _hooks(model, see, lambda m: type(m).__module__.endswith("nn.activation")):
        for batch in batches:
            model(batch[0] if isinstance(batch, (tuple, list)) else batch)


@contextmanager
def _hooks(model: Module, see: Callable, chosen: Callable[[Module], bool]) -> Iterator[None]:
    """Call `see(name, module, args, output)` after each of the chosen modules, inside the block."""
    handles = [
        module.register_forward_hook(lambda m, args, output, name=name: see(name, m, args, output))
        for name, module in model.named_modules()
        if chosen(module)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def is_finite(tensor: Tensor) -> bool:
    """Return whether a Tensor has neither NaN nor infinity."""
    if not is_float(tensor.dtype):
        return True
    return bool(tensor.detach().isfinite().all())
