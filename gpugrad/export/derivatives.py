"""Functions as other libraries ask for them: of Tensors alone, with a tuple of Tensors as the result.

`Flat` makes one of any function and its arguments, and `Derivative` makes one of another: its vector-Jacobian product,
with respect to the inputs that are floating-point or complex. So the derivative of a derivative is no special case.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.functional import grad
from ..autograd.mode import enable_grad
from ..autograd.nests import map_tensors
from ..autograd.tensor import Tensor
from ..backend.dtypes import is_inexact
from ..errors import DTypeError
from ..ops.creation import zeros_like


class Flat:
    """A function as one of some Tensors: those whose places in `arguments`, (args, kwargs), hold a `kind`."""

    def __init__(self, function: Callable, arguments: Any, kind: type):
        self.function, self.arguments, self.kind = function, arguments, kind
        self.several: bool | None = None  # whether it returns a tuple; known when it ran

    def __call__(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        given = iter(tensors)
        args, kwargs = map_tensors(lambda _: next(given), self.arguments, self.kind)
        found = self.function(*args, **kwargs)
        self.several = not isinstance(found, Tensor)
        outputs = tuple(found) if isinstance(found, (tuple, list)) else (found,)
        if not all(isinstance(output, Tensor) for output in outputs):
            name = getattr(self.function, "__name__", repr(self.function))
            raise DTypeError(f"{name}: to be exported it must return a Tensor or a tuple of them, got {found!r}")
        return outputs


class Place:
    """Stands for a tensor in arguments that serve more than one call."""

    def __eq__(self, other: object) -> bool:
        return type(other) is Place

    def __hash__(self) -> int:
        return hash(Place)


def frozen(nest: Any) -> Hashable:
    """Return nested arguments as a key: 1, 1.0 and True are different ones."""
    if isinstance(nest, dict):
        return tuple((name, frozen(item)) for name, item in nest.items())
    if isinstance(nest, (tuple, list)):
        return (type(nest), *map(frozen, nest))
    return type(nest), nest


class Derivative:
    """The vector-Jacobian product of a function of `count` Tensors, as one of these and its float outputs' gradients.

    It returns the gradient of each input that holds floating-point or complex numbers.
    """

    def __init__(self, function: Callable[..., tuple[Tensor, ...]], count: int):
        self.function, self.count = function, count

    def __call__(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        inputs, gradients = tensors[: self.count], tensors[self.count :]
        with enable_grad():
            inputs = [x if x.requires_grad or not is_inexact(x.dtype) else x.detach().requires_grad_() for x in inputs]
            outputs = self.function(*inputs)
            floats = [x for x in inputs if is_inexact(x.dtype)]
            return vector_jacobian(outputs, floats, gradients, create_graph=any(t.requires_grad for t in tensors))


def vector_jacobian(
    outputs: Sequence[Tensor], inputs: Sequence[Tensor], gradients: Sequence[Tensor], create_graph: bool = False
) -> tuple[Tensor, ...]:
    """Return the gradients of the inputs, zeros where nothing flows; `gradients`: of the outputs that hold floats."""
    floats = [output for output in outputs if is_inexact(output.dtype)]
    reached = [(o, g) for o, g in zip(floats, gradients, strict=True) if o.requires_grad]
    if not reached:
        return tuple(map(zeros_like, inputs))
    made, given = zip(*reached, strict=True)
    found = grad(made, inputs, given, retain_graph=True, create_graph=create_graph, allow_unused=True)
    return tuple(zeros_like(x) if g is None else g for g, x in zip(found, inputs, strict=True))


def outputs_of(function: Callable[..., tuple[Tensor, ...]], inputs: Sequence[tuple]) -> list[tuple[tuple, np.dtype]]:
    """Return the (shape, dtype) of each output for inputs of these, by a trial on values that most functions accept.

    Integers are 0, an index everywhere; floats are 1, and 2 on the diagonal of square matrices, which are then positive
    definite.
    """
    with np.errstate(all="ignore"):
        return [(o.shape, o.dtype) for o in function(*(asarray(_trial(shape, dtype)) for shape, dtype in inputs))]


def _trial(shape: tuple, dtype: Any) -> np.ndarray:
    dtype = np.dtype(dtype)
    if not is_inexact(dtype):
        return np.zeros(shape, dtype)
    made = np.ones(shape, dtype)
    if len(shape) > 1 and shape[-1] == shape[-2]:
        made += np.eye(shape[-1]).astype(dtype)
    return made
