"""`gpugrad.nn.functional` in PyTorch's language."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from ...autograd.op import Op
from ..language import TABLE, Tensor, passed_through, passing
from ..modules import reduction_of

# The losses, whose old words size_average and reduce are in `reduction`, and how many arguments come before those.
_LOSSES = frozenset(
    "binary_cross_entropy binary_cross_entropy_with_logits cosine_embedding_loss cross_entropy gaussian_nll_loss "
    "hinge_embedding_loss huber_loss kl_div l1_loss margin_ranking_loss mse_loss multi_margin_loss "
    "multilabel_margin_loss multilabel_soft_margin_loss nll_loss poisson_nll_loss smooth_l1_loss soft_margin_loss "
    "triplet_margin_loss".split()
)
_TAIL = ("size_average", "ignore_index", "reduce", "reduction", "label_smoothing")
_POSITIONS = {
    "cross_entropy": ("input", "target", "weight", *_TAIL),
    "nll_loss": ("input", "target", "weight", *_TAIL[:4]),
    **dict.fromkeys(("mse_loss", "l1_loss"), ("input", "target", "size_average", "reduce", "reduction", "weight")),
    "smooth_l1_loss": ("input", "target", "size_average", "reduce", "reduction", "beta"),
    "binary_cross_entropy": ("input", "target", "weight", "size_average", "reduce", "reduction"),
    "binary_cross_entropy_with_logits": (
        "input", "target", "weight", "size_average", "reduce", "reduction", "pos_weight",
    ),
    "kl_div": ("input", "target", "size_average", "reduce", "reduction", "log_target"),
}  # fmt: skip


def _loss(function: Callable) -> Callable:
    """Return a loss that also takes PyTorch's old words, by name and in their places."""
    names = _POSITIONS.get(function.__name__)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if names is not None and len(args) > 2:
            kwargs, args = {**dict(zip(names[2:], args[2:], strict=False)), **kwargs}, args[:2]
        return function(*args, **reduction_of(kwargs))

    return call


def _adapted(value: Any) -> Any:
    made = passed_through(value)
    if isinstance(value, Op) or not callable(value):
        return made
    return _loss(made) if value.__name__ in _LOSSES else made


def softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """Return the normalised exponentials along `dim`, of `input` as `dtype` if one is given."""
    return TABLE["softmax"].function(input, _implicit(input, dim), dtype)


def log_softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """Return the logarithm of `softmax`."""
    return TABLE["log_softmax"].function(input, _implicit(input, dim), dtype)


def softmin(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """Return the softmax of -input."""
    return softmax(-input, dim, dtype=dtype)


def _implicit(input: Any, dim: int | None) -> int:
    """Return the axis; without one, PyTorch's old choice: 0 of 0, 1 or 3 axes, else 1."""
    return (0 if input.ndim in (0, 1, 3) else 1) if dim is None else dim


def tanh(input: Any) -> Tensor:
    """Return the hyperbolic tangent of each element."""
    return input.tanh()


def sigmoid(input: Any) -> Tensor:
    """Return 1 / (1 + exp(-input))."""
    return input.sigmoid()


def upsample(
    input: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None
) -> Tensor:
    """Return `interpolate` of the arguments, under its old name."""
    return __getattr__("interpolate")(input, size, scale_factor, mode, align_corners)


_find = passing(__name__, "gpugrad.nn.functional", "gpugrad.torch.meanings.matrices", adapt=_adapted)


def __getattr__(name: str) -> Any:
    return _find(name)
