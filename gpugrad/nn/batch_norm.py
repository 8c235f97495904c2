"""Layers that normalise each channel: over the batch (batch norm), or over each sample (instance norm)."""

from typing import Any

from ..autograd.tensor import Tensor, wrap
from ..backend.devices import device as find_device
from ..errors import OptionError
from . import functional as F
from . import init
from .functional.batch_norm import trained
from .layer_norm import AffineNorm
from .parameter import empty


class _RunningStatistics(AffineNorm):
    """Holds the running mean and variance of each channel (axis 1), which are for evaluation, and weight and bias."""

    ranks: tuple[int, ...]

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
        device: Any,
        dtype: Any,
        bias: bool,
    ):
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        device = find_device(device)
        for name in ("running_mean", "running_var"):
            self.register_buffer(name, empty((num_features,), device, dtype).detach() if track_running_stats else None)
        counter = wrap(device.xp.zeros((), "int64"), device, None)
        self.register_buffer("num_batches_tracked", counter if track_running_stats else None)
        self.reset_running_stats()
        self._add_affine((num_features,), affine, affine and bias, device, dtype)

    def reset_running_stats(self) -> None:
        """Forget the running statistics: set the mean to 0, the variance to 1 and the number of batches to 0."""
        if self.track_running_stats:
            init.zeros_(self.running_mean)
            init.ones_(self.running_var)
            init.zeros_(self.num_batches_tracked)

    def _check(self, input: Tensor) -> None:
        if input.ndim not in self.ranks:
            expected = " or ".join(map(str, self.ranks))
            raise OptionError(f"{type(self).__name__}: expected an input of {expected} axes, got shape {input.shape}")

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_RunningStatistics):
    """Is the base of batch norm for one to three spatial axes."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        bias: bool = True,
    ):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input: Tensor) -> Tensor:
        self._check(input)
        momentum, counter = self.momentum, self.num_batches_tracked
        statistics, affine = (self.running_mean, self.running_var), (self.weight, self.bias)
        if not self.training and self.running_mean is not None:
            return F.batch_norm(input, *statistics, *affine, False, momentum or 0.0, self.eps)
        if momentum is None and counter is not None:
            momentum = 1 / (counter.item() + 1)
        counter = counter if self.training else None
        return trained(input, *statistics, counter, *affine, momentum or 0.0, self.eps)


class BatchNorm1d(_BatchNorm):
    """Computes (x - mean) / sqrt(var + eps) * weight + bias for each feature over the batch, of (N, C) or (N, C, L).

    In training the statistics are those of the batch, and they move the running ones by `momentum` (None: to the mean
    of all batches); otherwise the running ones are used (S. Ioffe and C. Szegedy 2015, section 3.1).

    >>> nn.BatchNorm1d(1)(gg.tensor([[1.0], [3.0]])).round(decimals=3).tolist()
    [[-1.0], [1.0]]
    """

    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Is `BatchNorm1d` for (N, C, H, W), over N, H and W (S. Ioffe and C. Szegedy 2015, section 3.2).

    >>> nn.BatchNorm2d(3)(gg.ones((2, 3, 4, 4))).shape
    (2, 3, 4, 4)
    """

    ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """Is `BatchNorm1d` for (N, C, D, H, W), over N, D, H and W.

    >>> nn.BatchNorm3d(3)(gg.ones((2, 3, 4, 4, 4))).shape
    (2, 3, 4, 4, 4)
    """

    ranks = (5,)


class _InstanceNorm(_RunningStatistics):
    """Is the base of instance norm for one to three spatial axes."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        bias: bool = True,
    ):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input: Tensor) -> Tensor:
        self._check(input)
        single = input.ndim == self.ranks[0]
        batch = input.reshape((1, *input.shape)) if single else input
        out = F.instance_norm(
            batch,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            self.momentum or 0.0,
            self.eps,
        )
        return out.reshape(input.shape) if single else out


class InstanceNorm1d(_InstanceNorm):
    """Normalises each channel of each sample of (N, C, L) or (C, L) (D. Ulyanov et al. 2016, section 2).

    >>> nn.InstanceNorm1d(2)(gg.tensor([[1.0, 3.0], [0.0, 8.0]])).round(decimals=3).tolist()
    [[-1.0, 1.0], [-1.0, 1.0]]
    """

    ranks = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """Is `InstanceNorm1d` for (N, C, H, W) or (C, H, W).

    >>> nn.InstanceNorm2d(3)(gg.ones((2, 3, 4, 4))).shape
    (2, 3, 4, 4)
    """

    ranks = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """Is `InstanceNorm1d` for (N, C, D, H, W) or (C, D, H, W).

    >>> nn.InstanceNorm3d(3)(gg.ones((2, 3, 4, 4, 4))).shape
    (2, 3, 4, 4, 4)
    """

    ranks = (4, 5)
