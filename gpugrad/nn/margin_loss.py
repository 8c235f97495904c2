"""Loss layers that want a margin between right and wrong."""

from collections.abc import Callable

from ..autograd.tensor import Tensor
from . import functional as F
from .distance import PairwiseDistance
from .loss import OptionLoss


class HingeEmbeddingLoss(OptionLoss):
    """input where target is 1, max(0, margin - input) where it is -1."""

    function = staticmethod(F.hinge_embedding_loss)

    def __init__(self, margin: float = 1.0, reduction: str = "mean"):
        super().__init__(reduction, margin=margin)


class MarginRankingLoss(OptionLoss):
    """max(0, -target (input1 - input2) + margin), target 1 or -1."""

    function = staticmethod(F.margin_ranking_loss)

    def __init__(self, margin: float = 0.0, reduction: str = "mean"):
        super().__init__(reduction, margin=margin)


class CosineEmbeddingLoss(OptionLoss):
    """1 - cos(input1, input2) where target is 1, max(0, cos - margin) where it is -1."""

    function = staticmethod(F.cosine_embedding_loss)

    def __init__(self, margin: float = 0.0, reduction: str = "mean"):
        super().__init__(reduction, margin=margin)


class SoftMarginLoss(OptionLoss):
    """log(1 + exp(-target * input)), target 1 or -1."""

    function = staticmethod(F.soft_margin_loss)

    def __init__(self, reduction: str = "mean"):
        super().__init__(reduction)


class MultiMarginLoss(OptionLoss):
    """sum_{i != t} max(0, margin - input[t] + input[i])**p / C: (N, C) and classes t (N,); weight: of each class."""

    function = staticmethod(F.multi_margin_loss)

    def __init__(self, p: int = 1, margin: float = 1.0, weight: Tensor | None = None, reduction: str = "mean"):
        if p not in (1, 2):
            raise ValueError(f"MultiMarginLoss: p must be 1 or 2, got {p}")
        super().__init__(reduction, p=p, margin=margin, weight=weight)


class MultiLabelMarginLoss(OptionLoss):
    """sum over labels t and other classes i of max(0, 1 - input[t] + input[i]) / C; a target's labels end at -1."""

    function = staticmethod(F.multilabel_margin_loss)

    def __init__(self, reduction: str = "mean"):
        super().__init__(reduction)


class MultiLabelSoftMarginLoss(OptionLoss):
    """The mean over classes of binary cross-entropy with logits: (N, C) and (N, C)."""

    function = staticmethod(F.multilabel_soft_margin_loss)

    def __init__(self, weight: Tensor | None = None, reduction: str = "mean"):
        super().__init__(reduction, weight=weight)


class TripletMarginLoss(OptionLoss):
    """max(0, ||anchor - positive||_p - ||anchor - negative||_p + margin) (V. Balntas et al. 2016)."""

    function = staticmethod(F.triplet_margin_loss)

    def __init__(
        self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False, reduction: str = "mean"
    ):
        if margin <= 0:
            raise ValueError(f"TripletMarginLoss: margin must be positive, got {margin}")
        super().__init__(reduction, margin=margin, p=p, eps=eps, swap=swap)


class TripletMarginWithDistanceLoss(OptionLoss):
    """TripletMarginLoss of another distance: a function of two Tensors (N, D) that gives (N,)."""

    function = staticmethod(F.triplet_margin_with_distance_loss)

    def __init__(
        self,
        *,
        distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ):
        if margin <= 0:
            raise ValueError(f"TripletMarginWithDistanceLoss: margin must be positive, got {margin}")
        distance = PairwiseDistance() if distance_function is None else distance_function
        super().__init__(reduction, distance_function=distance, margin=margin, swap=swap)
