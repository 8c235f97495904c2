"""Loops that take the place of NumPy's functions of one array, which are slow without AVX-512 and run on one thread."""

import numpy as np

from .. import memory
from . import Loop, Row, each_part, loop
from .mathematics import exp as exp_of
from .mathematics import exp2 as exp2_of
from .mathematics import log as log_of
from .mathematics import tanh as tanh_of


@loop
def exp(out: Row, x: Row):
    for i in range(x.shape[0]):
        out[i] = exp_of(x[i])


@loop
def exp2(out: Row, x: Row):
    for i in range(x.shape[0]):
        out[i] = exp2_of(x[i])


@loop
def log(out: Row, x: Row):
    for i in range(x.shape[0]):
        out[i] = log_of(x[i])


@loop
def tanh(out: Row, x: Row):
    for i in range(x.shape[0]):
        out[i] = tanh_of(x[i])


_OF: dict[object, Loop] = {np.exp: exp, np.exp2: exp2, np.log: log, np.tanh: tanh}


def call(function: object, x: np.ndarray) -> np.ndarray | None:
    """Return `function(x)` in the memory order of x, computed by a loop; None if none is there for it."""
    found = _OF.get(function)
    compiled = found.chosen(x) if found is not None and x.flags.forc else None
    if compiled is None:
        return None
    out = memory.empty_like(x)
    flat, filled = x.ravel("K"), out.ravel("K")
    each_part(lambda part: compiled(filled[part], flat[part]), x.size)
    return out
