"""Functions of Tensors as functions of JAX arrays: `exported`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..autograd.nests import tensors_in
from ..backend.dtypes import is_inexact
from .derivatives import Derivative, Flat, outputs_of


def exported(function: Callable) -> Callable:
    """Return what `as_jax` gives."""

    def call(*args: Any, **kwargs: Any) -> Any:
        flat = Flat(function, (args, kwargs), jax.Array)
        outputs = _lifted(flat)(*tensors_in((args, kwargs), jax.Array))
        return outputs if flat.several else outputs[0]

    call.__name__ = call.__qualname__ = getattr(function, "__name__", "call")
    call.__doc__ = function.__doc__
    return call


def _lifted(function: Callable) -> Any:
    """Return a flat function as one of JAX arrays; its derivative is lifted in the same way when it is asked for."""

    def host(*arrays: Any) -> tuple[np.ndarray, ...]:
        with no_grad():
            found = function(*(asarray(np.asarray(array)) for array in arrays))
        return tuple(np.asarray(output.numpy(), jax.dtypes.canonicalize_dtype(output.dtype)) for output in found)

    @jax.custom_vjp
    def run(*arrays: Any) -> Any:
        made = outputs_of(function, [(array.shape, array.dtype) for array in arrays])
        shapes = tuple(jax.ShapeDtypeStruct(shape, jax.dtypes.canonicalize_dtype(dtype)) for shape, dtype in made)
        return jax.pure_callback(host, shapes, *arrays, vmap_method="sequential")

    def forward(*arrays: Any) -> Any:
        return run(*arrays), arrays

    def backward(arrays: Any, gradients: Any) -> Any:
        given = [g for g in gradients if is_inexact(g.dtype)]
        made = iter(_lifted(Derivative(function, len(arrays)))(*arrays, *given))
        return tuple(next(made) if is_inexact(a.dtype) else np.zeros(a.shape, jax.dtypes.float0) for a in arrays)

    run.defvjp(forward, backward)
    return run
