"""Functions of Tensors as functions of JAX arrays: `exported`."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import suppress
from functools import cache
from typing import Any

import jax
import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..autograd.nests import map_tensors, tensors_in
from ..backend.dtypes import is_inexact
from .derivatives import Derivative, Flat, Place, frozen, outputs_of


def exported(function: Callable) -> Callable:
    """Return what `as_jax` gives: calls that differ only in their arrays share what the first has found out."""
    known: dict[Hashable, tuple[Flat, Any]] = {}

    def call(*args: Any, **kwargs: Any) -> Any:
        places = map_tensors(lambda _: Place(), (args, kwargs), jax.Array)
        flat = Flat(function, places, Place)
        made = flat, _lifted(flat)
        with suppress(TypeError):  # of an argument that cannot be a key
            made = known.setdefault(frozen(places), made)
        flat, lifted = made
        outputs = lifted(*tensors_in((args, kwargs), jax.Array))
        return outputs if flat.several else outputs[0]

    call.__name__ = call.__qualname__ = getattr(function, "__name__", "call")
    call.__doc__ = function.__doc__
    return call


def _lifted(function: Callable) -> Any:
    """Return a flat function as one of JAX arrays; its derivative is lifted in the same way, once it is asked for."""

    @cache
    def shapes_of(inputs: tuple) -> tuple[jax.ShapeDtypeStruct, ...]:
        made = outputs_of(function, inputs)
        return tuple(jax.ShapeDtypeStruct(shape, jax.dtypes.canonicalize_dtype(dtype)) for shape, dtype in made)

    @cache
    def derivative(count: int) -> Any:
        return _lifted(Derivative(function, count))

    def host(*arrays: Any) -> tuple[np.ndarray, ...]:
        with no_grad():
            found = function(*(asarray(np.asarray(array)) for array in arrays))
        return tuple(np.asarray(output.numpy(), jax.dtypes.canonicalize_dtype(output.dtype)) for output in found)

    @jax.custom_vjp
    def run(*arrays: Any) -> Any:
        shapes = shapes_of(tuple((array.shape, array.dtype) for array in arrays))
        return jax.pure_callback(host, shapes, *arrays, vmap_method="sequential")

    def forward(*arrays: Any) -> Any:
        return run(*arrays), arrays

    def backward(arrays: Any, gradients: Any) -> Any:
        given = [g for g in gradients if is_inexact(g.dtype)]
        made = iter(derivative(len(arrays))(*arrays, *given))
        return tuple(next(made) if is_inexact(a.dtype) else np.zeros(a.shape, jax.dtypes.float0) for a in arrays)

    run.defvjp(forward, backward)
    return run
