"""Loss layers that want a margin between right and wrong. `reduction` is as in `loss`."""

from collections.abc import Callable

from ..autograd.tensor import Tensor
from ..errors import OptionError
from . import functional as F
from .distance import PairwiseDistance
from .loss import OptionLoss


class HingeEmbeddingLoss(OptionLoss):
    """Computes the input where target is 1, and max(0, margin - input) where it is -1.

    >>> nn.HingeEmbeddingLoss()(gg.tensor([0.5, 0.25]), gg.tensor([1, -1])).item()
    0.625
    """

    function = staticmethod(F.hinge_embedding_loss)

    def __init__(self, margin: float = 1.0, reduction: str = "mean"):
        super().__init__(reduction, margin=margin)


class MarginRankingLoss(OptionLoss):
    """Computes max(0, -target (input1 - input2) + margin), the target being 1 or -1.

    >>> nn.MarginRankingLoss(margin=0.5)(gg.tensor([1.0, 1.0]), gg.tensor([2.0, 0.0]), gg.tensor([1, 1])).item()
    0.75
    """

    function = staticmethod(F.margin_ranking_loss)

    def __init__(self, margin: float = 0.0, reduction: str = "mean"):
        super().__init__(reduction, margin=margin)


class CosineEmbeddingLoss(OptionLoss):
    """Computes 1 - cos(input1, input2) where target is 1, and max(0, cos(input1, input2) - margin) where it is -1.

    >>> nn.CosineEmbeddingLoss()(gg.tensor([[1.0, 0.0]]), gg.tensor([[1.0, 1.0]]), gg.tensor([1])).round(decimals=4)
    tensor(0.2929)
    """

    function = staticmethod(F.cosine_embedding_loss)

    def __init__(self, margin: float = 0.0, reduction: str = "mean"):
        super().__init__(reduction, margin=margin)


class SoftMarginLoss(OptionLoss):
    """Computes log(1 + exp(-target * input)), the target being 1 or -1.

    >>> nn.SoftMarginLoss()(gg.tensor([0.0, 2.0]), gg.tensor([1.0, -1.0])).round(decimals=4)
    tensor(1.41)
    """

    function = staticmethod(F.soft_margin_loss)

    def __init__(self, reduction: str = "mean"):
        super().__init__(reduction)


class MultiMarginLoss(OptionLoss):
    """Computes sum_{i != t} max(0, margin - input[t] + input[i])**p / C for input (N, C) and classes t (N,).

    `weight` has a factor for each class (K. Crammer and Y. Singer 2001).

    >>> nn.MultiMarginLoss()(gg.tensor([[0.1, 0.2, 0.8]]), gg.tensor([2])).round(decimals=4)
    tensor(0.2333)
    """

    function = staticmethod(F.multi_margin_loss)

    def __init__(self, p: int = 1, margin: float = 1.0, weight: Tensor | None = None, reduction: str = "mean"):
        if p not in (1, 2):
            raise OptionError(f"MultiMarginLoss: p must be 1 or 2, got {p}")
        super().__init__(reduction, p=p, margin=margin, weight=weight)


class MultiLabelMarginLoss(OptionLoss):
    """Computes the sum over labels t and other classes i of max(0, 1 - input[t] + input[i]) / C; a target's labels end
    at -1.

    >>> nn.MultiLabelMarginLoss()(gg.tensor([[0.1, 0.2, 0.8]]), gg.tensor([[2, -1, 0]])).round(decimals=4)
    tensor(0.2333)
    """

    function = staticmethod(F.multilabel_margin_loss)

    def __init__(self, reduction: str = "mean"):
        super().__init__(reduction)


class MultiLabelSoftMarginLoss(OptionLoss):
    """Computes the mean over classes of binary cross-entropy with logits, for input (N, C) and target (N, C).

    >>> nn.MultiLabelSoftMarginLoss()(gg.tensor([[0.0, 2.0]]), gg.tensor([[1.0, 0.0]])).round(decimals=4)
    tensor(1.41)
    """

    function = staticmethod(F.multilabel_soft_margin_loss)

    def __init__(self, weight: Tensor | None = None, reduction: str = "mean"):
        super().__init__(reduction, weight=weight)


class TripletMarginLoss(OptionLoss):
    """Computes max(0, ||anchor - positive||_p - ||anchor - negative||_p + margin).

    See V. Balntas et al. 2016, section 2.

    >>> loss = nn.TripletMarginLoss()
    >>> loss(gg.tensor([[0.0, 0.0]]), gg.tensor([[3.0, 4.0]]), gg.tensor([[0.0, 1.0]])).round(decimals=4)
    tensor(5.)
    """

    function = staticmethod(F.triplet_margin_loss)

    def __init__(
        self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False, reduction: str = "mean"
    ):
        if margin <= 0:
            raise OptionError(f"TripletMarginLoss: margin must be positive, got {margin}")
        super().__init__(reduction, margin=margin, p=p, eps=eps, swap=swap)


class TripletMarginWithDistanceLoss(OptionLoss):
    """Computes `TripletMarginLoss` of another distance: a function of two Tensors (N, D) that gives (N,).

    >>> loss = nn.TripletMarginWithDistanceLoss(distance_function=lambda a, b: (a - b).abs().sum(axis=1))
    >>> loss(gg.tensor([[0.0, 0.0]]), gg.tensor([[3.0, 4.0]]), gg.tensor([[0.0, 1.0]])).item()
    7.0
    """

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
            raise OptionError(f"TripletMarginWithDistanceLoss: margin must be positive, got {margin}")
        distance = PairwiseDistance() if distance_function is None else distance_function
        super().__init__(reduction, distance_function=distance, margin=margin, swap=swap)
