"""Layers that normalise each sample by itself: over trailing axes, groups of channels, or neighbouring channels."""

from typing import Any

from ..autograd.tensor import Tensor
from ..errors import OptionError, ShapeError
from . import functional as F
from . import init
from .module import Module
from .parameter import empty


class AffineNorm(Module):
    """Holds `weight` (ones) and `bias` (zeros) of one shape."""

    weight: Any
    bias: Any

    def _add_affine(self, shape: tuple[int, ...], weight: bool, bias: bool, device: Any, dtype: Any) -> None:
        self.register_parameter("weight", empty(shape, device, dtype) if weight else None)
        self.register_parameter("bias", empty(shape, device, dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the weight to ones and the bias to zeros."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


class LayerNorm(AffineNorm):
    """Computes (x - mean) / sqrt(var + eps) * weight + bias over the last axes, which are normalized_shape.

    See J. Ba et al. 2016, section 3.

    >>> nn.LayerNorm(2)(gg.tensor([[1.0, 3.0], [0.0, 8.0]])).round(decimals=3).tolist()
    [[-1.0, 1.0], [-1.0, 1.0]]
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self._add_affine(self.normalized_shape, elementwise_affine, elementwise_affine and bias, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        affine = f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        return f"{self.normalized_shape}, eps={self.eps}, {affine}"


class RMSNorm(AffineNorm):
    """Computes x / sqrt(mean(x^2) + eps) * weight over the last axes, which are normalized_shape. eps=None means the
    smallest step of the input's dtype above 1.

    See B. Zhang and R. Sennrich 2019, section 4.

    >>> nn.RMSNorm(2)(gg.tensor([[3.0, 4.0]])).round(decimals=3).tolist()
    [[0.8489999771118164, 1.13100004196167]]
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.register_parameter("weight", empty(self.normalized_shape, device, dtype) if elementwise_affine else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the weight to ones."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(AffineNorm):
    """Normalises each sample of (N, C, *S) over groups of channels, then applies weight and bias per channel.

    See Y. Wu and K. He 2018, section 3.

    >>> nn.GroupNorm(num_groups=2, num_channels=6)(gg.ones((1, 6, 4, 4))).shape
    (1, 6, 4, 4)
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        bias: bool = True,
    ):
        super().__init__()
        if num_channels % num_groups:
            raise OptionError(f"GroupNorm: {num_channels} channels cannot be divided into {num_groups} groups")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        self._add_affine((num_channels,), affine, affine and bias, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        affine = f"affine={self.affine}, bias={self.bias is not None}"
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, {affine}"


class LocalResponseNorm(Module):
    """Computes x / (k + alpha / size * sum of x^2 over `size` neighbouring channels)^beta.

    See A. Krizhevsky et al. 2012, section 3.3.

    >>> nn.LocalResponseNorm(2)(gg.ones((1, 4, 3, 3))).shape
    (1, 4, 3, 3)
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0):
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Tensor) -> Tensor:
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class CrossMapLRN2d(LocalResponseNorm):
    """Is `LocalResponseNorm` for (N, C, H, W) whose window is centred on the channel: `size` channels, or one fewer if
    that is even.

    PyTorch's never takes the first channel out of its running sums; this layer takes the mean that PyTorch describes.

    >>> nn.CrossMapLRN2d(3)(gg.ones((1, 4, 3, 3))).shape
    (1, 4, 3, 3)
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1):
        super().__init__(size, alpha, beta, k)

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim != 4:
            raise ShapeError(f"CrossMapLRN2d: expected input (N, C, H, W), got {input.shape}")
        width = 2 * ((self.size - 1) // 2) + 1
        return F.local_response_norm(input, width, self.alpha * width / self.size, self.beta, self.k)
