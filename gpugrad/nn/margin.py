"""Loss layers that want a margin between right and wrong, or that compare distributions and sequences."""

from collections.abc import Callable
from typing import Any

from ..autograd.tensor import Tensor
from . import functional as F
from .distance import PairwiseDistance
from .loss import _Loss


class _OptionLoss(_Loss):
    """`function(*inputs, **options, reduction=reduction)`; the options are attributes too, Tensors among them
    buffers."""

    def __init__(self, reduction: str, **options: Any):
        super().__init__(reduction)
        self._options = tuple(options)
        for name, value in options.items():
            if name == "weight":
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)

    def forward(self, *inputs: Any) -> Tensor:
        return self.function(*inputs, **{n: getattr(self, n) for n in self._options}, reduction=self.reduction)


class HingeEmbeddingLoss(_OptionLoss):
    """input where target is 1, max(0, margin - input) where it is -1."""

    function = staticmethod(F.hinge_embedding_loss)

    def __init__(self, margin: float = 1.0, reduction: str = "mean"):
        super().__init__(reduction, margin=margin)


class MarginRankingLoss(_OptionLoss):
    """max(0, -target (input1 - input2) + margin), target 1 or -1."""

    function = staticmethod(F.margin_ranking_loss)

    def __init__(self, margin: float = 0.0, reduction: str = "mean"):
        super().__init__(reduction, margin=margin)


class CosineEmbeddingLoss(_OptionLoss):
    """1 - cos(input1, input2) where target is 1, max(0, cos - margin) where it is -1."""

    function = staticmethod(F.cosine_embedding_loss)

    def __init__(self, margin: float = 0.0, reduction: str = "mean"):
        super().__init__(reduction, margin=margin)


class SoftMarginLoss(_OptionLoss):
    """log(1 + exp(-target * input)), target 1 or -1."""

    function = staticmethod(F.soft_margin_loss)

    def __init__(self, reduction: str = "mean"):
        super().__init__(reduction)


class MultiMarginLoss(_OptionLoss):
    """sum_{i != t} max(0, margin - input[t] + input[i])**p / C: (N, C) and classes t (N,); weight: of each class."""

    function = staticmethod(F.multi_margin_loss)

    def __init__(self, p: int = 1, margin: float = 1.0, weight: Tensor | None = None, reduction: str = "mean"):
        if p not in (1, 2):
            raise ValueError(f"MultiMarginLoss: p must be 1 or 2, got {p}")
        super().__init__(reduction, p=p, margin=margin, weight=weight)


class MultiLabelMarginLoss(_OptionLoss):
    """sum over labels t and other classes i of max(0, 1 - input[t] + input[i]) / C; a target's labels end at -1."""

    function = staticmethod(F.multilabel_margin_loss)

    def __init__(self, reduction: str = "mean"):
        super().__init__(reduction)


class MultiLabelSoftMarginLoss(_OptionLoss):
    """The mean over classes of binary cross-entropy with logits: (N, C) and (N, C)."""

    function = staticmethod(F.multilabel_soft_margin_loss)

    def __init__(self, weight: Tensor | None = None, reduction: str = "mean"):
        super().__init__(reduction, weight=weight)


class TripletMarginLoss(_OptionLoss):
    """max(0, ||anchor - positive||_p - ||anchor - negative||_p + margin) (V. Balntas et al. 2016)."""

    function = staticmethod(F.triplet_margin_loss)

    def __init__(
        self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False, reduction: str = "mean"
    ):
        if margin <= 0:
            raise ValueError(f"TripletMarginLoss: margin must be positive, got {margin}")
        super().__init__(reduction, margin=margin, p=p, eps=eps, swap=swap)


class TripletMarginWithDistanceLoss(_OptionLoss):
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


class PoissonNLLLoss(_OptionLoss):
    """exp(input) - target * input (log_input), or input - target * log(input + eps)."""

    function = staticmethod(F.poisson_nll_loss)

    def __init__(self, log_input: bool = True, full: bool = False, eps: float = 1e-8, reduction: str = "mean"):
        super().__init__(reduction, log_input=log_input, full=full, eps=eps)


class GaussianNLLLoss(_OptionLoss):
    """(log var + (input - target)^2 / var) / 2 of (input, target, var), var at least eps."""

    function = staticmethod(F.gaussian_nll_loss)

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean"):
        super().__init__(reduction, full=full, eps=eps)


class CTCLoss(_OptionLoss):
    """-log of the probability of `targets` given log_probs (T, N, C): `functional.ctc_loss` (A. Graves et al. 2006)."""

    function = staticmethod(F.ctc_loss)

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False):
        super().__init__(reduction, blank=blank, zero_infinity=zero_infinity)
