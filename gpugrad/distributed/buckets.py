"""Gradients in buckets: arrays that hold the gradients of several parameters one after the other.

A bucket is reduced as soon as its last gradient is there, while the backward pass computes those of the parameters
before. Buckets are filled from the last parameter to the first, which is about the order in which gradients come, and
are reduced in that order always: what is added to what, and in which order, is the same in each run and on each rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..autograd.tensor import Tensor, wrap
from .group import ProcessGroup
from .transport import Work


class Bucket:
    """The parameters of one bucket, of one dtype and device."""

    def __init__(self, parameters: Sequence[Tensor]):
        self.parameters = list(parameters)
        sizes = [p._array.size for p in parameters]
        self.starts = [sum(sizes[:i]) for i in range(len(sizes))]
        self.size = sum(sizes)
        self.missing = len(self.parameters)
        self.array: Any = None
        self.work: Work | None = None

    def begin(self) -> None:
        """Get ready for the gradients of one backward pass, in new memory: users may hold gradients of the last."""
        first = self.parameters[0]
        with first.device.selected():
            self.array = first.device.xp.zeros(self.size, first.dtype)
        self.missing, self.work = len(self.parameters), None

    def view(self, i: int) -> Any:
        """Return the part of the bucket that belongs to parameter i, in its shape."""
        parameter = self.parameters[i]
        start = self.starts[i]
        return self.array[start : start + parameter._array.size].reshape(parameter.shape)

    def put(self, i: int, gradient: Any, factor: float) -> None:
        """Store gradient * factor as that of parameter i."""
        device = self.parameters[i].device
        with device.selected():
            device.xp.multiply(gradient, factor, out=self.view(i))
        self.missing -= 1

    def reduce(self, group: ProcessGroup, number: int) -> None:
        """Start to add up the buckets of all ranks."""
        self.work = group.begin(f"the gradients of bucket {number}", self.array).all_reduce(self.array, "sum")

    def give(self, used: Any) -> None:
        """Wait for the sums, and make them the gradients of the parameters for which `used(parameter)` is true."""
        assert self.work is not None
        self.work.wait()
        for i, parameter in enumerate(self.parameters):
            if used(parameter):
                parameter._grad = wrap(self.view(i), parameter.device, None)
        self.array = self.work = None


def make_buckets(parameters: Sequence[Tensor], first_bytes: int, bytes_each: int) -> list[Bucket]:
    """Return buckets over the parameters from the last to the first; the first bucket is small, to start early."""
    buckets: list[Bucket] = []
    open_ones: dict[tuple, list[Tensor]] = {}
    for parameter in reversed(parameters):
        members = open_ones.setdefault((parameter.dtype, parameter.device), [])
        limit = bytes_each if buckets else first_bytes
        if members and sum(p.nbytes for p in members) + parameter.nbytes > limit:
            buckets.append(Bucket(members))
            members = open_ones[parameter.dtype, parameter.device] = []
        members.append(parameter)
    return buckets + [Bucket(members) for members in open_ones.values() if members]
