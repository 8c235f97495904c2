"""Which box each anchor or proposal is to find, and which of them a step learns from."""

from ...autograd.mode import no_grad
from ...autograd.tensor import Tensor
from ...errors import OptionError
from ...ops.creation import full
from ...ops.elementwise import where
from ...ops.random import rand
from ...ops.reduce import amax


class Matcher:
    """Assigns boxes to predictions by their overlaps: (..., M, A), as `box_iou` gives them -> (..., A), int64.

    A prediction gets the number of the box that it overlaps most, -1 (background) if that is below `low_threshold`, and
    -2 (neither) from there to below `high_threshold`. allow_low_quality_matches: the predictions that overlap a box
    most get it however low that is, so that no box goes without (S. Ren et al. 2015, section 3.1.2).

    >>> iou = gg.tensor([[0.8, 0.4, 0.1], [0.0, 0.2, 0.35]])
    >>> nn.detection.Matcher(0.7, 0.3)(iou), nn.detection.Matcher(0.7, 0.3, allow_low_quality_matches=True)(iou)
    (tensor([ 0, -2, -2]), tensor([ 0, -2,  1]))
    """

    BELOW_LOW_THRESHOLD, BETWEEN_THRESHOLDS = -1, -2

    def __init__(self, high_threshold: float, low_threshold: float, allow_low_quality_matches: bool = False):
        if not 0 <= low_threshold <= high_threshold <= 1:
            raise OptionError(
                f"Matcher: 0 <= low_threshold <= high_threshold <= 1 must hold, got {low_threshold}, {high_threshold}"
            )
        self.high_threshold, self.low_threshold = high_threshold, low_threshold
        self.allow_low_quality_matches = allow_low_quality_matches

    def __call__(self, iou: Tensor) -> Tensor:
        with no_grad():
            if not iou.shape[-2]:  # nothing to find: all is background
                shape = (*iou.shape[:-2], iou.shape[-1])
                return full(shape, self.BELOW_LOW_THRESHOLD, dtype="int64", device=iou.device)
            best, number = amax(iou, -2), iou.argmax(-2)
            found = where(best >= self.high_threshold, number, self.BETWEEN_THRESHOLDS)
            found = where(best < self.low_threshold, self.BELOW_LOW_THRESHOLD, found)
            if self.allow_low_quality_matches:
                most = amax(iou, -1, keepdims=True)
                needed = ((iou == most) & (most > 0)).any(-2)
                found = where(needed, number, found)
            return found


def sample_balanced(matches: Tensor, count: int, positive_fraction: float) -> tuple[Tensor, Tensor]:
    """Choose, in each row of `matches` (..., A), at random `count` predictions to learn from: two masks (..., A).

    The first is of those with a box (matches >= 0), at most `positive_fraction` of `count`, the second of those that
    are background (-1) and fill up the count, where there are enough. Only these two kinds are chosen.

    >>> positive, negative = nn.detection.sample_balanced(gg.tensor([[3, -1, -1, -2, 1, -1]]), 4, 0.25)
    >>> positive.sum().item(), negative.sum().item(), negative[0, 3].item()
    (1, 3, False)
    """
    with no_grad():
        positive = _some_of(matches >= 0, int(count * positive_fraction))
        missing = count - positive.sum(-1, keepdims=True)
        return positive, _some_of(matches == Matcher.BELOW_LOW_THRESHOLD, missing)


def _some_of(mask: Tensor, count: int | Tensor) -> Tensor:
    """Return the mask with at most `count` of each row's True values left, chosen at random."""
    order = where(mask, rand(*mask.shape, device=mask.device), 2.0).argsort(axis=-1).argsort(axis=-1)
    return mask & (order < count)
