"""Ops whose bodies and gradient rules leave the threads to BLAS and LAPACK: each call waits for its turn.

Other products are cut over threads by `backend.cpu.gemm`, which holds BLAS to one thread meanwhile. The ops here must
not see that: the last bits of their results depend on the number of threads.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from ..autograd.op import Op
from ..backend.cpu.threads import blas_turn
from ..backend.devices import CPU, Device


class InTurn(Op):
    """An op that is computed, forward and backward, in a `blas_turn`."""

    def _run(self, device: Device, arrays: list, attributes: dict) -> Any:
        if device is not CPU:
            return super()._run(device, arrays, attributes)
        with blas_turn:
            return super()._run(device, arrays, attributes)

    def vjp(self, **rules: Callable) -> Op:
        return super().vjp(**{name: _in_turn(rule) for name, rule in rules.items()})


def _in_turn(rule: Callable) -> Callable:
    @wraps(rule)
    def in_turn(*args: Any) -> Any:
        with blas_turn:
            return rule(*args)

    return in_turn
