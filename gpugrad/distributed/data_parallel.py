"""DistributedDataParallel: every rank has the whole model and a part of the batch; gradients are averaged.

S. Li et al. 2020, "PyTorch Distributed: experiences on accelerating data parallel training", section 3.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..autograd.functional import after_backward
from ..autograd.mode import mode
from ..autograd.tensor import Tensor
from ..autograd.versions import changed
from ..errors import DistributedError, OptionError
from ..nn import Module
from ..nn.state_dict import Keys
from .buckets import Bucket, make_buckets
from .collectives import gathered
from .group import ProcessGroup, of

_FIRST_BYTES = 1 << 20


class DistributedDataParallel(Module):
    """Calls `module`, and averages the gradients over all ranks while backward computes them.

    With parts of one size, a step is that of one process on the whole batch, if the loss is a mean. All ranks start
    with the parameters and buffers of rank 0. Gradients are reduced in buckets of `bucket_cap_mb` MB, always in the
    same order, so that another run gives the same bits.

    find_unused_parameters: a parameter that no rank used gets no gradient, one that some ranks used gets a mean that
    counts the others as 0. Without, it is a DistributedError that names the parameters. broadcast_buffers: each forward
    in training begins with rank 0's buffers. Gradients that `no_sync` added up are reduced with the next that are not.

    >>> model = gg.distributed.DistributedDataParallel(nn.Linear(2, 1))
    >>> model(gg.ones(4, 2)).mean().backward()
    >>> model.module.bias.grad
    tensor([1.])
    """

    def __init__(
        self,
        module: Module,
        process_group: ProcessGroup | None = None,
        *,
        broadcast_buffers: bool = True,
        bucket_cap_mb: float = 25,
        find_unused_parameters: bool = False,
    ):
        super().__init__()
        self.module = module
        self.group = of(process_group)
        self.broadcast_buffers, self.find_unused_parameters = broadcast_buffers, find_unused_parameters
        self.named: dict[Tensor, str] = {p: name for name, p in module.named_parameters() if p.requires_grad}
        if not self.named:
            raise OptionError("DistributedDataParallel: the module has no parameter that requires a gradient")
        if not bucket_cap_mb > 0:
            raise OptionError(f"DistributedDataParallel: bucket_cap_mb must be above 0, got {bucket_cap_mb!r}")
        self._check_parameters()
        limit = int(bucket_cap_mb * (1 << 20))
        self.buckets = make_buckets(list(self.named), min(_FIRST_BYTES, limit), limit)
        self._places: dict[Tensor, tuple[Bucket, int]] = {
            p: (b, i) for b in self.buckets for i, p in enumerate(b.parameters)
        }
        self._reduction = _Reduction(self)
        self._hooks_of_parameters = [p.register_hook(self._reduction.hook(p)) for p in self.named]
        self._syncing, self._joining = True, False
        self.synchronize_module()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the module."""
        if self._joining and mode.grad:
            self._tell_others(True)
        if self.broadcast_buffers and self.training and mode.grad and self._syncing:
            self._broadcast(self.module.buffers())
        return self.module(*args, **kwargs)

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Return a context whose backward passes only add to this rank's gradients: all but the last of several that
        make one step.

        >>> model = gg.distributed.DistributedDataParallel(nn.Linear(2, 1))
        >>> with model.no_sync():
        ...     model(gg.ones(4, 2)).mean().backward()
        >>> model(gg.ones(4, 2)).mean().backward()
        >>> model.module.bias.grad
        tensor([2.])
        """
        before, self._syncing = self._syncing, False
        try:
            yield
        finally:
            self._syncing = before

    @contextmanager
    def join(self) -> Iterator[None]:
        """Return a context for ranks with different numbers of batches: one that is out of batches goes on to take part
        in the steps of the others, with gradients of 0, until none has any. The means are over all ranks.

        Only steps of one forward and one backward, in this order, can be joined, and no other collectives.

        >>> model = gg.distributed.DistributedDataParallel(nn.Linear(2, 1))
        >>> with model.join():
        ...     for batch in [gg.ones(4, 2), gg.ones(3, 2)]:
        ...         model(batch).mean().backward()
        """
        self._joining = True
        try:
            yield
            while self._tell_others(False):
                if self.broadcast_buffers and self.training:
                    self._broadcast(self.module.buffers())
                self._reduction.take_part()
        finally:
            self._joining = False

    def synchronize_module(self) -> None:
        """Replace all parameters and buffers by those of rank 0."""
        self._broadcast(self.module.parameters())
        self._broadcast(self.module.buffers())

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Return the module's state dict, so that it loads into the module itself as well."""
        return self.module.state_dict(*args, **kwargs)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Keys:
        """Load a state dict of the module on this rank."""
        return self.module.load_state_dict(state_dict, strict, assign)

    def _broadcast(self, tensors: Any) -> None:
        kinds: dict[tuple, list[Tensor]] = {}
        for tensor in tensors:
            kinds.setdefault((tensor.dtype, tensor.device), []).append(tensor)
        for (_, device), members in kinds.items():
            with device.selected():
                flat = device.xp.concatenate([t._array.reshape(-1) for t in members])
                self.group.begin("DistributedDataParallel's state", flat).broadcast(flat, 0).wait()
                start = 0
                for tensor in members:
                    size = tensor._array.size
                    tensor._array[...] = flat[start : start + size].reshape(tensor.shape)
                    changed(tensor._array, "DistributedDataParallel")
                    start += size

    def _tell_others(self, has_batch: bool) -> bool:
        """Tell all ranks whether this one has a batch; return whether any has."""
        flag = np.array([has_batch], np.int32)
        self.group.begin("whether a rank has a batch", flag).all_reduce(flag, "max").wait()
        return bool(flag[0])

    def _check_parameters(self) -> None:
        """Raise DistributedError unless all ranks have parameters of the same names, shapes and dtypes."""
        own = [(name, p.shape, p.dtype.name) for p, name in self.named.items()]
        for rank, other in enumerate(gathered(own, self.group)):
            if other != own:
                mine, theirs = set(own) - set(other), set(other) - set(own)
                raise DistributedError(
                    f"DistributedDataParallel: the model of rank {self.group.ranks[rank]} differs from that of rank "
                    f"{self.group.ranks[self.group.rank]}: {sorted(theirs) or 'another order'} in place of "
                    f"{sorted(mine)}; build the same model on all ranks"
                )


class _Reduction:
    """What happens to the gradients in one backward pass."""

    def __init__(self, owner: DistributedDataParallel):
        self.owner = owner
        self.ready: set[Tensor] = set()
        self.callbacks: list | None = None  # those of the backward pass that runs
        self.next = 0  # the number of the next bucket that is reduced

    def hook(self, parameter: Tensor) -> Callable[[Tensor], None]:
        """Return the hook of one parameter."""

        def arrived(gradient: Tensor) -> None:
            if not self.owner._syncing or mode.callbacks is None:  # None: inside of `grad`, which adds to no gradient
                return
            if self.callbacks is not mode.callbacks:
                after_backward(self.finish)
                self.callbacks = mode.callbacks
                self.begin()
            self.add(parameter, gradient._array)

        return arrived

    def begin(self) -> None:
        """Get ready for a backward pass."""
        self.next = 0
        self.ready.clear()
        for bucket in self.owner.buckets:
            bucket.begin()

    def add(self, parameter: Tensor, gradient: Any) -> None:
        """Take a gradient, with what `no_sync` has added up; reduce the buckets that are complete, in their order."""
        if parameter in self.ready:
            raise DistributedError(
                f"DistributedDataParallel: {self.owner.named[parameter]} got a gradient twice in one backward pass"
            )
        self.ready.add(parameter)
        have = parameter._grad
        if have is not None:
            gradient = have._array + gradient
        bucket, i = self.owner._places[parameter]
        bucket.put(i, gradient, 1 / self.owner.group.size)
        self.reduce_complete()

    def reduce_complete(self) -> None:
        """Reduce the next buckets as far as they are complete."""
        buckets = self.owner.buckets
        while self.next < len(buckets) and not buckets[self.next].missing:
            buckets[self.next].reduce(self.owner.group, self.next)
            self.next += 1

    def finish(self) -> None:
        """Deal with parameters that got no gradient, wait for all buckets and give the parameters their means."""
        self.callbacks = None
        owner = self.owner
        unused = [p for p in owner.named if p not in self.ready]
        if unused and not owner.find_unused_parameters:
            names = ", ".join(owner.named[p] for p in unused)
            raise DistributedError(
                f"DistributedDataParallel: backward gave rank {owner.group.ranks[owner.group.rank]} no gradient for "
                f"{names}; leave what the loss does not depend on out of the module, or pass "
                "find_unused_parameters=True"
            )
        for parameter in unused:
            bucket, i = owner._places[parameter]
            bucket.put(i, 0.0 if parameter._grad is None else parameter._grad._array, 1 / owner.group.size)
        self.reduce_complete()
        self.give()

    def take_part(self) -> None:
        """Add gradients of 0 to those of the other ranks, and take their means."""
        self.begin()
        for bucket in self.owner.buckets:
            bucket.missing = 0
        self.reduce_complete()
        self.give()

    def give(self) -> None:
        """Wait for all buckets, and give the parameters that any rank has used their gradients."""
        used = self._used() if self.owner.find_unused_parameters else set(self.owner.named)
        for bucket in self.owner.buckets:
            bucket.give(used.__contains__)

    def _used(self) -> set[Tensor]:
        """Return the parameters that have a gradient on some rank."""
        parameters = list(self.owner.named)
        flags = np.array([p in self.ready or p._grad is not None for p in parameters], np.int32)
        self.owner.group.begin("which parameters are used", flags).all_reduce(flags, "max").wait()
        return {p for p, flag in zip(parameters, flags, strict=True) if flag}
