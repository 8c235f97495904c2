"""Loss layers. `reduction` is "mean", "sum" or "none" (the loss of each element)."""

import math
from typing import Any

from ..autograd.tensor import Tensor
from ..errors import OptionError, ShapeError
from . import functional as F
from .linear import Linear
from .module import Module


class _Loss(Module):
    """Computes a loss of (input, target) with the given reduction."""

    function: Any

    def __init__(self, reduction: str = "mean"):
        super().__init__()
        if reduction not in ("mean", "sum", "none"):
            raise OptionError(f"{type(self).__name__}: reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return self.function(input, target, reduction=self.reduction)


class MSELoss(_Loss):
    """Computes (input - target)^2.

    >>> nn.MSELoss()(gg.tensor([1.0, 3.0]), gg.tensor([1.0, 1.0]))
    tensor(2.)
    """

    function = staticmethod(F.mse_loss)


class L1Loss(_Loss):
    """Computes |input - target|.

    >>> nn.L1Loss()(gg.tensor([1.0, 3.0]), gg.tensor([1.0, 1.0]))
    tensor(1.)
    """

    function = staticmethod(F.l1_loss)


class SmoothL1Loss(_Loss):
    """Computes d^2 / (2 beta) where d = |input - target| < beta, and d - beta / 2 elsewhere.

    See R. Girshick, "Fast R-CNN", 2015, section 2.3.

    >>> nn.SmoothL1Loss()(gg.tensor([0.5, 3.0]), gg.tensor([0.0, 0.0])).item()
    1.3125
    """

    def __init__(self, reduction: str = "mean", beta: float = 1.0):
        super().__init__(reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(_Loss):
    """Computes d^2 / 2 where d = |input - target| <= delta, and delta (d - delta / 2) elsewhere (P. Huber 1964).

    >>> nn.HuberLoss(delta=2.0)(gg.tensor([1.0, 4.0]), gg.tensor([0.0, 0.0])).item()
    3.25
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0):
        super().__init__(reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class KLDivLoss(_Loss):
    """Computes target (log(target) - input); the input is given as logarithms and, with log_target, the target too.

    >>> nn.KLDivLoss(reduction="batchmean")(gg.tensor([[0.5, 0.5]]).log(), gg.tensor([[1.0, 0.0]])).round(decimals=4)
    tensor(0.6931)
    """

    def __init__(self, reduction: str = "mean", log_target: bool = False):
        super().__init__("sum" if reduction == "batchmean" else reduction)
        self.reduction, self.log_target = reduction, log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


class OptionLoss(_Loss):
    """Computes `function(*inputs, **options, reduction=reduction)`; the options are attributes too, and a weight is a
    buffer."""

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


class PoissonNLLLoss(OptionLoss):
    """Computes exp(input) - target * input, or with log_input=False input - target * log(input + eps).

    >>> nn.PoissonNLLLoss()(gg.tensor([0.0, 1.0]), gg.tensor([1.0, 2.0])).round(decimals=4)
    tensor(0.8591)
    """

    function = staticmethod(F.poisson_nll_loss)

    def __init__(self, log_input: bool = True, full: bool = False, eps: float = 1e-8, reduction: str = "mean"):
        super().__init__(reduction, log_input=log_input, full=full, eps=eps)


class GaussianNLLLoss(OptionLoss):
    """Computes (log var + (input - target)^2 / var) / 2 of (input, target, var), with var at least eps.

    See D. Nix and A. Weigend 1994.

    >>> nn.GaussianNLLLoss()(gg.tensor([1.0]), gg.tensor([3.0]), gg.tensor([4.0])).round(decimals=4)
    tensor(1.1931)
    """

    function = staticmethod(F.gaussian_nll_loss)

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean"):
        super().__init__(reduction, full=full, eps=eps)


class _WeightedLoss(_Loss):
    """Is the base of losses with a buffer of weights."""

    weight: Tensor | None

    def __init__(self, weight: Tensor | None, reduction: str):
        super().__init__(reduction)
        self.register_buffer("weight", weight)


class CrossEntropyLoss(_WeightedLoss):
    """Computes -log softmax(input)[target] over axis 1 of (N, C, *S), for classes (N, *S) or probabilities (N, C, *S).

    `weight` has a factor for each class, the class ignore_index does not count, and label_smoothing is the share of the
    probability that is spread evenly over all classes (C. Szegedy et al. 2016, section 7).

    >>> nn.CrossEntropyLoss()(gg.tensor([[2.0, 0.0], [0.0, 0.0]]), gg.tensor([0, 1])).round(decimals=4)
    tensor(0.41)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ):
        super().__init__(weight, reduction)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(_WeightedLoss):
    """Computes -input[target] over axis 1, for log-probabilities (N, C, *S) and classes (N, *S).

    >>> nn.NLLLoss()(gg.tensor([[-0.5, -1.0], [-2.0, -0.25]]), gg.tensor([0, 1])).item()
    0.375
    """

    def __init__(self, weight: Tensor | None = None, ignore_index: int = -100, reduction: str = "mean"):
        super().__init__(weight, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.nll_loss(input, target, weight=self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class BCELoss(_WeightedLoss):
    """Computes -(target log(input) + (1 - target) log(1 - input)) of probabilities.

    >>> nn.BCELoss()(gg.tensor([0.5, 0.25]), gg.tensor([1.0, 0.0])).round(decimals=4)
    tensor(0.4904)
    """

    def __init__(self, weight: Tensor | None = None, reduction: str = "mean"):
        super().__init__(weight, reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy(input, target, weight=self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_WeightedLoss):
    """Computes `BCELoss` of sigmoid(input) without overflow; pos_weight is a factor for the positive term.

    >>> nn.BCEWithLogitsLoss()(gg.tensor([0.0, -2.0]), gg.tensor([1.0, 0.0])).round(decimals=4)
    tensor(0.41)
    """

    def __init__(self, weight: Tensor | None = None, reduction: str = "mean", pos_weight: Tensor | None = None):
        super().__init__(weight, reduction)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            input, target, weight=self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class LinearCrossEntropyLoss(_WeightedLoss):
    """Computes the cross-entropy of a linear layer's output, for input (N, in_features) and classes (N, *out_features).

    `linear`, with weight (num_classes * prod(out_features), in_features), is that layer; `weight` has a factor for each
    class. `options`, which choose PyTorch's chunks, change nothing here.

    >>> nn.LinearCrossEntropyLoss(4, 10)(gg.ones((2, 4)), gg.tensor([3, 7])).shape
    ()
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: Any = None,
        dtype: Any = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: Any = None,
    ):
        super().__init__(weight, reduction)
        if weight is not None and weight.shape != (num_classes,):
            raise ShapeError(f"LinearCrossEntropyLoss: weight must be ({num_classes},), got {weight.shape}")
        if not 0 <= label_smoothing <= 1:
            raise OptionError(f"LinearCrossEntropyLoss: label_smoothing must be from 0 to 1, got {label_smoothing}")
        self.num_classes, self.out_features = num_classes, tuple(out_features)
        self.ignore_index, self.label_smoothing, self.options = ignore_index, label_smoothing, options
        self.linear = Linear(in_features, math.prod(out_features, start=num_classes), bias, device, dtype)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        table = self.linear.weight.reshape((self.num_classes, *self.out_features, self.linear.in_features))
        return F.linear_cross_entropy(
            input,
            table,
            target,
            linear_bias=self.linear.bias,
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
        )

    def extra_repr(self) -> str:
        return (
            f"in_features={self.linear.in_features}, num_classes={self.num_classes}, out_features={self.out_features}, "
            f"bias={self.linear.bias is not None}, reduction={self.reduction}, ignore_index={self.ignore_index}, "
            f"label_smoothing={self.label_smoothing}, options={self.options}"
        )
