"""Layers that resize images."""

from typing import Any

from ..autograd.tensor import Tensor
from . import functional as F
from .module import Module


class Upsample(Module):
    """Resizes (N, C, *S), of one to three spatial axes, to `size` or by `scale_factor`: see `functional.interpolate`.

    >>> nn.Upsample(scale_factor=2, mode="bilinear")(gg.ones((1, 3, 4, 5))).shape
    (1, 3, 8, 10)
    """

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ):
        super().__init__()
        self.size, self.mode, self.align_corners = size, mode, align_corners
        if isinstance(scale_factor, (tuple, list)):
            self.scale_factor: Any = tuple(float(factor) for factor in scale_factor)
        else:
            self.scale_factor = float(scale_factor) if scale_factor else None
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.interpolate(
            input, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor
        )

    def extra_repr(self) -> str:
        what = f"size={self.size}" if self.scale_factor is None else f"scale_factor={self.scale_factor}"
        return f"{what}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Is `Upsample` with mode "nearest" for (N, C, H, W).

    >>> nn.UpsamplingNearest2d(scale_factor=2)(gg.tensor([[[[1.0, 2.0]]]]))
    tensor([[[[1., 1., 2., 2.],
              [1., 1., 2., 2.]]]])
    """

    def __init__(self, size: Any = None, scale_factor: Any = None):
        super().__init__(size, scale_factor, "nearest")


class UpsamplingBilinear2d(Upsample):
    """Is `Upsample` with mode "bilinear" and align_corners=True for (N, C, H, W).

    >>> nn.UpsamplingBilinear2d(size=(1, 3))(gg.tensor([[[[1.0, 2.0]]]]))
    tensor([[[[1. , 1.5, 2. ]]]])
    """

    def __init__(self, size: Any = None, scale_factor: Any = None):
        super().__init__(size, scale_factor, "bilinear", True)
