"""SyncBatchNorm: batch norm by the statistics of the parts of the batch on all ranks."""

from __future__ import annotations

import math
from typing import Any

from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..errors import OptionError, ShapeError
from ..nn import BatchNorm1d, BatchNorm2d, BatchNorm3d, Module
from ..ops.creation import full
from .functional import all_reduce
from .group import ProcessGroup, of


class SyncBatchNorm(BatchNorm2d):
    """Is batch norm of (N, C, *S) whose statistics, in training, are those of all ranks' batches together.

    The parts may have different sizes. Two small sums are done in forward and two in backward. In evaluation it is the
    batch norm that it replaces, whose state dict it has.

    >>> layer = gg.distributed.SyncBatchNorm(1)
    >>> layer(gg.tensor([[1.0], [3.0]])).round(decimals=3).tolist()
    [[-1.0], [1.0]]
    """

    ranks = (2, 3, 4, 5)

    def __init__(self, num_features: int, *args: Any, process_group: ProcessGroup | None = None, **kwargs: Any):
        super().__init__(num_features, *args, **kwargs)
        self.process_group = process_group

    def forward(self, input: Tensor) -> Tensor:
        group = of(self.process_group)
        if group.size == 1 or not self.training and self.running_mean is not None:
            return super().forward(input)
        self._check(input)
        axes, wide = (0, *range(2, input.ndim)), (1, -1, *(1,) * (input.ndim - 2))
        own = full((1,), math.prod(input.shape) // max(input.shape[1], 1), dtype=input.dtype, device=input.device)
        count = all_reduce(own, group=group)
        mean = all_reduce(input.sum(axis=axes), group=group) / count
        centred = input - mean.reshape(wide)
        variance = all_reduce((centred * centred).sum(axis=axes), group=group) / count
        if self.training:
            self._move(mean.detach(), variance.detach(), count)
        out = centred * (variance + self.eps).rsqrt().reshape(wide)
        out = out if self.weight is None else out * self.weight.reshape(wide)
        return out if self.bias is None else out + self.bias.reshape(wide)

    def _move(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """Move the running statistics. Raises ShapeError if all ranks together have one value per channel."""
        values = count.item()
        if values < 2:
            raise ShapeError("SyncBatchNorm: training needs more than one value per channel on all ranks together")
        counter = self.num_batches_tracked
        if self.running_mean is None or self.running_var is None or counter is None:
            return
        with no_grad():
            counter.copy_(counter + 1)
            momentum = 1 / counter.item() if self.momentum is None else self.momentum
            self.running_mean.copy_(self.running_mean * (1 - momentum) + mean * momentum)
            unbiased = variance * (values / (values - 1))
            self.running_var.copy_(self.running_var * (1 - momentum) + unbiased * momentum)

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: ProcessGroup | None = None) -> Module:
        """Replace each batch norm in `module` by one of these with its parameters and buffers; returns the module.

        >>> model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        >>> gg.distributed.SyncBatchNorm.convert_sync_batchnorm(model)[1]
        SyncBatchNorm(4, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
        """
        if not isinstance(module, Module):
            raise OptionError(f"convert_sync_batchnorm: expected a Module, got {type(module).__name__}")
        if vars(type(module)).get("_shared", type(module)) in (BatchNorm1d, BatchNorm2d, BatchNorm3d):
            made = cls.__new__(cls)
            vars(made).update(vars(module), process_group=process_group)
            return made
        for name, child in module.named_children():
            setattr(module, name, cls.convert_sync_batchnorm(child, process_group))
        return module
