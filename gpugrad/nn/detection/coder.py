"""Boxes as changes of other boxes, which is what detectors learn."""

import math

from ...autograd.tensor import Tensor
from ...ops.elementwise import clip, exp, log
from ...ops.join import stack
from .boxes import check_boxes


class BoxCoder:
    """Turns boxes into the four numbers that a detector predicts relative to reference boxes, and back.

    dx = wx (x - xr) / wr, dy likewise, dw = ww log(w / wr), dh likewise, with centers x, y, sizes w, h and `weights`
    (R. Girshick et al. 2014, "Rich feature hierarchies", appendix C). Decoding caps w / wr at 1000 / 16.

    >>> coder = nn.detection.BoxCoder()
    >>> anchor = gg.tensor([[0.0, 0.0, 4.0, 4.0]])
    >>> coder.encode(gg.tensor([[1.0, 0.0, 5.0, 4.0]]), anchor).tolist()
    [[0.25, 0.0, 0.0, 0.0]]
    >>> coder.decode(gg.tensor([[0.25, 0.0, 0.0, 0.0]]), anchor).tolist()
    [[1.0, 0.0, 5.0, 4.0]]
    """

    def __init__(
        self, weights: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0), clip: float = math.log(1000 / 16)
    ):
        self.weights, self.clip = weights, clip

    @staticmethod
    def _centered(boxes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        width, height = boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1]
        return boxes[..., 0] + width / 2, boxes[..., 1] + height / 2, width, height

    def encode(self, boxes: Tensor, reference: Tensor) -> Tensor:
        """Return what is to be predicted at `reference` (..., 4) for `boxes` (..., 4): (..., 4). Shapes broadcast."""
        x, y, w, h = self._centered(check_boxes(boxes, "BoxCoder.encode"))
        xr, yr, wr, hr = self._centered(check_boxes(reference, "BoxCoder.encode"))
        wx, wy, ww, wh = self.weights
        return stack([wx * (x - xr) / wr, wy * (y - yr) / hr, ww * log(w / wr), wh * log(h / hr)], -1)

    def decode(self, codes: Tensor, reference: Tensor) -> Tensor:
        """Return the boxes (..., 4) that `codes` (..., 4) mean at `reference` (..., 4). Shapes broadcast."""
        xr, yr, wr, hr = self._centered(reference)
        wx, wy, ww, wh = self.weights
        x, y = xr + codes[..., 0] / wx * wr, yr + codes[..., 1] / wy * hr
        w = wr * exp(clip(codes[..., 2] / ww, None, self.clip))
        h = hr * exp(clip(codes[..., 3] / wh, None, self.clip))
        return stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], -1)
