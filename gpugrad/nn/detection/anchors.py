"""Anchors: boxes of set sizes and shapes around every position of feature maps."""

from collections.abc import Sequence

import numpy as np

from ...autograd.convert import asarray
from ...autograd.tensor import Tensor
from ...errors import ShapeError
from ..module import Module


class AnchorGenerator(Module):
    """Gives the anchors of feature maps for images of a size: (A, 4), those of a position one after the other.

    sizes, aspect_ratios: for each feature map, the roots of the areas, in pixels, and the heights over the widths; an
    anchor for each pair (S. Ren et al. 2015, "Faster R-CNN", section 3.1.1). Corners are whole pixels around the
    position's own corner, as in torchvision.

    >>> anchors = nn.detection.AnchorGenerator(sizes=((4,),), aspect_ratios=((1.0,),))
    >>> anchors((8, 8), [gg.zeros(1, 3, 2, 2)]).tolist()[:2]
    [[-2.0, -2.0, 2.0, 2.0], [2.0, -2.0, 6.0, 2.0]]
    """

    def __init__(
        self,
        sizes: Sequence[Sequence[float]] = ((128, 256, 512),),
        aspect_ratios: Sequence[Sequence[float]] = ((0.5, 1.0, 2.0),),
    ):
        super().__init__()
        if len(sizes) != len(aspect_ratios):
            raise ShapeError(
                f"AnchorGenerator: sizes and aspect_ratios are for each feature map, got {len(sizes)} and "
                f"{len(aspect_ratios)}"
            )
        self.sizes, self.aspect_ratios = sizes, aspect_ratios
        self.cell_anchors = [self._around(*pair) for pair in zip(sizes, aspect_ratios, strict=True)]

    @staticmethod
    def _around(sizes: Sequence[float], ratios: Sequence[float]) -> np.ndarray:
        """Return the anchors around a position: (ratios * sizes, 4)."""
        height = np.sqrt(np.asarray(ratios, np.float32))[:, None] * np.asarray(sizes, np.float32)
        width = np.asarray(sizes, np.float32) / np.sqrt(np.asarray(ratios, np.float32))[:, None]
        return np.round(np.stack([-width, -height, width, height], -1).reshape(-1, 4) / 2)

    def num_anchors_per_location(self) -> list[int]:
        """Return the number of anchors around a position, for each feature map."""
        return [len(anchors) for anchors in self.cell_anchors]

    def forward(self, image_size: tuple[int, int], features: Sequence[Tensor]) -> Tensor:
        if len(features) != len(self.cell_anchors):
            raise ShapeError(f"AnchorGenerator: made for {len(self.cell_anchors)} feature maps, got {len(features)}")
        found = []
        for feature, around in zip(features, self.cell_anchors, strict=True):
            rows, columns = (
                np.arange(count, dtype=np.float32) * (side // count)
                for side, count in zip(image_size, feature.shape[2:], strict=True)
            )
            y, x = (place.reshape(-1) for place in np.meshgrid(rows, columns, indexing="ij"))
            found.append((np.stack([x, y, x, y], 1)[:, None] + around).reshape(-1, 4))
        return asarray(np.concatenate(found), device=features[0].device)
