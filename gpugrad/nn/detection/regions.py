"""What feature maps have inside of boxes, with the names and arguments of torchvision.ops."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...autograd.convert import asarray
from ...autograd.tensor import Tensor
from ...errors import OptionError, ShapeError
from ...ops import roi
from ...ops.join import concatenate
from ..module import Module
from .boxes import check_boxes


def _grid(size: int | tuple[int, int], scale: float, name: str) -> dict[str, Any]:
    """Return the arguments of how regions are cut. Raises OptionError for no bins, and for a scale not above 0."""
    bins = (size, size) if isinstance(size, int) else tuple(size)
    if len(bins) != 2 or min(bins) < 1 or not 0 < scale < math.inf:
        raise OptionError(
            f"{name}: output_size must be one or two whole numbers of at least 1, spatial_scale above 0, got {size}, "
            f"{scale}"
        )
    return {"output_size": bins, "spatial_scale": float(scale)}


def as_rois(boxes: Tensor | Sequence[Tensor], name: str = "as_rois") -> Tensor:
    """Return boxes as regions (K, 5) of (image, x1, y1, x2, y2): from such, or from a list of (n, 4) for each image.

    Raises ShapeError for other shapes, and for a box of negative size, which it names.

    >>> nn.detection.as_rois([gg.zeros(1, 4), gg.ones(1, 4)]).tolist()
    [[0.0, 0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0, 1.0]]
    """
    if not isinstance(boxes, (list, tuple)):
        boxes = asarray(boxes)
    if isinstance(boxes, Tensor):
        rois: Any = boxes
    else:
        parts = [check_boxes(part, name) for part in boxes]
        joined = concatenate(parts)
        image: Any = asarray(np.repeat(np.arange(len(parts)), [len(part) for part in parts]), device=joined.device)
        rois = concatenate([image.astype(joined.dtype)[:, None], joined], 1)
    if rois.ndim != 2 or rois.shape[1] != 5:
        raise ShapeError(f"{name}: boxes must be (K, 5), or a list of (n, 4) for each image, got {rois.shape}")
    check_boxes(rois[:, 1:], name)
    return rois


def roi_align(
    input: Tensor,
    boxes: Tensor | Sequence[Tensor],
    output_size: int | tuple[int, int],
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
) -> Tensor:
    """Return the mean of `input` (N, C, H, W) in each bin of boxes: (K, C, *output_size).

    boxes: (K, 5), (image, x1, y1, x2, y2), or a list of (n, 4) for each image, in units of 1 / spatial_scale pixels.
    sampling_ratio: points per bin along each axis; not above 0: as many as it has pixels. aligned: a pixel's center is
    half a pixel from its corner (K. He et al. 2017, "Mask R-CNN", section 3). No gradient for the boxes.

    >>> x = gg.arange(16.0).reshape(1, 1, 4, 4)
    >>> nn.detection.roi_align(x, [gg.tensor([[0.0, 0.0, 4.0, 4.0]])], 2, aligned=True)
    tensor([[[[ 2.5,  4.5],
              [10.5, 12.5]]]])
    """
    return roi.roi_align(
        input, as_rois(boxes, "roi_align"), **_grid(output_size, spatial_scale, "roi_align"),
        sampling_ratio=max(0, sampling_ratio), aligned=aligned,
    )  # fmt: skip


def roi_pool(
    input: Tensor,
    boxes: Tensor | Sequence[Tensor],
    output_size: int | tuple[int, int],
    spatial_scale: float = 1.0,
) -> Tensor:
    """Return the maximum of `input` (N, C, H, W) in each bin of boxes: (K, C, *output_size).

    boxes: as for `roi_align`; corners are rounded to whole pixels, bins outward (R. Girshick 2015, "Fast R-CNN",
    section 2.1). No gradient for the boxes.

    >>> x = gg.arange(16.0).reshape(1, 1, 4, 4)
    >>> nn.detection.roi_pool(x, [gg.tensor([[0.0, 0.0, 3.0, 3.0]])], 2)
    tensor([[[[ 5.,  7.],
              [13., 15.]]]])
    """
    return roi.roi_pool(input, as_rois(boxes, "roi_pool"), **_grid(output_size, spatial_scale, "roi_pool"))


class RoIAlign(Module):
    """Calls `roi_align` with these arguments on (input, boxes).

    >>> align = nn.detection.RoIAlign(2, spatial_scale=0.5, sampling_ratio=2, aligned=True)
    >>> align(gg.ones(1, 3, 4, 4), [gg.tensor([[0.0, 0.0, 8.0, 8.0]])]).shape
    (1, 3, 2, 2)
    """

    def __init__(
        self,
        output_size: int | tuple[int, int],
        spatial_scale: float = 1.0,
        sampling_ratio: int = -1,
        aligned: bool = False,
    ):
        super().__init__()
        self.arguments: tuple[Any, ...] = (output_size, spatial_scale, sampling_ratio, aligned)

    def forward(self, input: Tensor, rois: Tensor | Sequence[Tensor]) -> Tensor:
        return roi_align(input, rois, *self.arguments)


class RoIPool(Module):
    """Calls `roi_pool` with these arguments on (input, boxes).

    >>> nn.detection.RoIPool(2)(gg.ones(1, 3, 4, 4), [gg.tensor([[0.0, 0.0, 3.0, 3.0]])]).shape
    (1, 3, 2, 2)
    """

    def __init__(self, output_size: int | tuple[int, int], spatial_scale: float = 1.0):
        super().__init__()
        self.arguments: tuple[Any, ...] = (output_size, spatial_scale)

    def forward(self, input: Tensor, rois: Tensor | Sequence[Tensor]) -> Tensor:
        return roi_pool(input, rois, *self.arguments)
