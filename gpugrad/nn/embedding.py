"""Embedding layers: a learned table of vectors, looked up one by one or summed in bags."""

from typing import Any

from ..autograd.tensor import Tensor
from ..errors import OptionError
from . import functional as F
from . import init
from .module import Module
from .parameter import Parameter, empty


class _EmbeddingTable(Module):
    """Holds the parameter weight (num_embeddings, embedding_dim) of both layers, and how it is looked up."""

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None,
        max_norm: float | None,
        norm_type: float,
        scale_grad_by_freq: bool,
        sparse: bool,
        weight: Tensor | None,
        device: Any,
        dtype: Any,
    ):
        super().__init__()
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise OptionError(
                f"{type(self).__name__}: padding_idx {padding_idx} is outside a table of {num_embeddings} rows"
            )
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        self.max_norm, self.norm_type, self.scale_grad_by_freq = max_norm, norm_type, scale_grad_by_freq
        self.sparse = sparse
        if weight is None:
            self.weight = empty((num_embeddings, embedding_dim), device, dtype)
            self.reset_parameters()
        elif weight.shape != (num_embeddings, embedding_dim):
            raise OptionError(
                f"{type(self).__name__}: weight must be ({num_embeddings}, {embedding_dim}), got {weight.shape}"
            )
        else:
            self.weight = Parameter(weight.detach())

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True, **options: Any) -> Any:
        """Make a layer over the rows of a matrix, which is not trained unless `freeze` is False; `options` are the
        layer's."""
        made = cls(*embeddings.shape, _weight=embeddings, **options)  # type: ignore[call-arg]
        made.weight.requires_grad = not freeze
        return made

    def reset_parameters(self) -> None:
        """Draw new standard normal values, and make the row padding_idx zeros."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight._array[self.padding_idx] = 0

    def _repr_options(self, **defaults: Any) -> str:
        """Return the sizes, and the attributes whose value differs from the one given here, as text."""
        shown = [(name, getattr(self, name)) for name, default in defaults.items() if getattr(self, name) != default]
        return ", ".join([f"{self.num_embeddings}, {self.embedding_dim}", *(f"{n}={value!r}" for n, value in shown)])


class Embedding(_EmbeddingTable):
    """Looks up rows of a table: integer indices (...) give (..., embedding_dim).

    Its parameter is weight (num_embeddings, embedding_dim). The row padding_idx starts as zeros and gets no gradient;
    `functional.embedding` explains max_norm, norm_type, scale_grad_by_freq and sparse.

    >>> nn.Embedding(10, 3)(gg.tensor([[1, 2, 4, 5]])).shape
    (1, 4, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ):
        options = (padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse)
        super().__init__(num_embeddings, embedding_dim, *options, _weight, device, dtype)
        if _freeze:
            self.weight.requires_grad = False

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(
            input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse
        )

    def extra_repr(self) -> str:
        return self._repr_options(padding_idx=None, max_norm=None, norm_type=2, scale_grad_by_freq=False, sparse=False)


class EmbeddingBag(_EmbeddingTable):
    """Reduces bags of rows of a table to their sum, mean or maximum (`mode`): (B, N), or (N,) and offsets (B,), give
    (B, D).

    Its parameter is weight (num_embeddings, embedding_dim); `functional.embedding_bag` explains the other arguments.

    >>> nn.EmbeddingBag(10, 3, mode="sum")(gg.tensor([1, 2, 4, 5]), gg.tensor([0, 3])).shape
    (2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: Any = None,
    ):
        options = (padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse)
        super().__init__(num_embeddings, embedding_dim, *options, _weight, device, dtype)
        self.mode, self.include_last_offset = mode, include_last_offset

    def forward(self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None) -> Tensor:
        return F.embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

    def extra_repr(self) -> str:
        return self._repr_options(max_norm=None, norm_type=2, scale_grad_by_freq=False, mode=None, padding_idx=None)
