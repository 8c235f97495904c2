"""Layers of which each rank of a group has a part, and a cross-entropy of logits that are cut the same way.

M. Shoeybi et al. 2019, "Megatron-LM: training multi-billion parameter language models using model parallelism",
section 3. All ranks of the group see the same input and compute the same loss; two sums over the group are done for
each pair of layers, one in forward and one in backward.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor, wrap
from ..errors import OptionError, ShapeError
from ..models.gpt import GPT
from ..nn import Embedding, Linear, Module, Parameter
from ..nn.functional import embedding, linear
from ..ops.elementwise import where
from ..ops.index import gather
from .collectives import all_reduce
from .functional import copy_to_group, gather_from_group, reduce_from_group
from .group import ProcessGroup, of
from .layouts import PARALLEL, Cut


def _cut(owner: Module, name: str, cut: Cut) -> None:
    """Keep this rank's part of a parameter, which all ranks have whole."""
    whole = getattr(owner, name)
    part = Parameter(wrap(cut.part(whole._array).copy(), whole.device, None), whole.requires_grad)
    setattr(part, PARALLEL, cut)
    setattr(owner, name, part)


def _check_divides(name: str, what: str, size: int, group: ProcessGroup) -> None:
    if size % group.size:
        raise ShapeError(f"{name}: {what} must be a multiple of the {group.size} ranks, got {size}")


class ColumnParallelLinear(Module):
    """Is `nn.Linear` with a part of the outputs on each rank: (..., in_features) -> (..., out_features / size).

    With gather_output all ranks get the whole output. `blocks`: the outputs are that many equal parts side by side,
    each of which is cut (3 for queries, keys and values). All ranks start from the weights that rank 0 draws. Raises
    ShapeError unless the outputs can be cut evenly.

    >>> gg.distributed.ColumnParallelLinear(4, 6)(gg.ones(2, 4)).shape
    (2, 6)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        gather_output: bool = False,
        blocks: int = 1,
        process_group: ProcessGroup | None = None,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self._take(Linear(in_features, out_features, bias, device, dtype), gather_output, blocks, process_group)

    @classmethod
    def of(
        cls, layer: Linear, *, gather_output: bool = False, blocks: int = 1, process_group: ProcessGroup | None = None
    ) -> ColumnParallelLinear:
        """Return a layer that does the work of `layer`, of which it takes over its part of the parameters.

        >>> gg.distributed.ColumnParallelLinear.of(nn.Linear(2, 3)).out_features
        3
        """
        made = cls.__new__(cls)
        Module.__init__(made)
        made._take(layer, gather_output, blocks, process_group)
        return made

    def _take(self, layer: Linear, gather_output: bool, blocks: int, group: ProcessGroup | None) -> None:
        self.group, self.gather_output, self.blocks = of(group), gather_output, blocks
        self.in_features, self.out_features = layer.in_features, layer.out_features
        _check_divides("ColumnParallelLinear", f"out_features / {blocks}", layer.out_features // blocks, self.group)
        self.weight = layer.weight
        self.register_parameter("bias", layer.bias)
        _start_alike(self, self.group)
        for name in ("weight", "bias") if layer.bias is not None else ("weight",):
            _cut(self, name, Cut(0, self.group, blocks))

    def forward(self, input: Tensor) -> Tensor:
        out = linear(copy_to_group(input, group=self.group), self.weight, self.bias)
        if not self.gather_output:
            return out
        size, lead = self.group.size, out.shape[:-1]
        rows = gather_from_group(out.unsqueeze(0), group=self.group).reshape(size, *lead, self.blocks, -1)
        return rows.movedim(0, -2).reshape(*lead, self.out_features)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, ranks={self.group.size}"


class RowParallelLinear(Module):
    """Is `nn.Linear` with a part of the inputs on each rank: (..., in_features / size) -> (..., out_features), summed.

    With input_is_parallel=False the input is whole, and each rank takes its part. Raises ShapeError unless the inputs
    can be cut evenly.

    >>> gg.distributed.RowParallelLinear(4, 6)(gg.ones(2, 4)).shape
    (2, 6)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        input_is_parallel: bool = True,
        process_group: ProcessGroup | None = None,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self._take(Linear(in_features, out_features, bias, device, dtype), input_is_parallel, process_group)

    @classmethod
    def of(
        cls, layer: Linear, *, input_is_parallel: bool = True, process_group: ProcessGroup | None = None
    ) -> RowParallelLinear:
        """Return a layer that does the work of `layer`, of which it takes over its part of the weight.

        >>> gg.distributed.RowParallelLinear.of(nn.Linear(2, 3)).in_features
        2
        """
        made = cls.__new__(cls)
        Module.__init__(made)
        made._take(layer, input_is_parallel, process_group)
        return made

    def _take(self, layer: Linear, input_is_parallel: bool, group: ProcessGroup | None) -> None:
        self.group, self.input_is_parallel = of(group), input_is_parallel
        self.in_features, self.out_features = layer.in_features, layer.out_features
        _check_divides("RowParallelLinear", "in_features", layer.in_features, self.group)
        self.weight = layer.weight
        self.register_parameter("bias", layer.bias)
        _start_alike(self, self.group)
        _cut(self, "weight", Cut(1, self.group))

    def forward(self, input: Tensor) -> Tensor:
        if not self.input_is_parallel:
            each = self.in_features // self.group.size
            whole = copy_to_group(input, group=self.group)
            input = whole[..., each * self.group.rank : each * (self.group.rank + 1)]
        out = reduce_from_group(linear(input, self.weight), group=self.group)
        return out if self.bias is None else out + self.bias

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, ranks={self.group.size}"


class VocabParallelEmbedding(Module):
    """Is `nn.Embedding` with a part of the table's rows on each rank: integers (...) -> (..., embedding_dim), summed.

    Raises ShapeError unless the rows can be cut evenly.

    >>> gg.distributed.VocabParallelEmbedding(10, 3)(gg.tensor([[1, 2]])).shape
    (1, 2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        *,
        process_group: ProcessGroup | None = None,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self._take(Embedding(num_embeddings, embedding_dim, device=device, dtype=dtype), process_group)

    @classmethod
    def of(cls, layer: Embedding, *, process_group: ProcessGroup | None = None) -> VocabParallelEmbedding:
        """Return a layer that does the work of `layer`, of which it takes over its rows.

        >>> gg.distributed.VocabParallelEmbedding.of(nn.Embedding(4, 3)).num_embeddings
        4
        """
        made = cls.__new__(cls)
        Module.__init__(made)
        made._take(layer, process_group)
        return made

    def _take(self, layer: Embedding, group: ProcessGroup | None) -> None:
        self.group = of(group)
        self.num_embeddings, self.embedding_dim = layer.num_embeddings, layer.embedding_dim
        _check_divides("VocabParallelEmbedding", "num_embeddings", layer.num_embeddings, self.group)
        self.weight = layer.weight
        _start_alike(self, self.group)
        _cut(self, "weight", Cut(0, self.group))

    def forward(self, input: Tensor) -> Tensor:
        own, here = _in_part(input, self.weight.shape[0], self.group)
        rows = embedding(own, self.weight)
        return reduce_from_group(where(here.unsqueeze(-1), rows, 0.0), group=self.group)

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}, ranks={self.group.size}"


def _in_part(index: Tensor, count: int, group: ProcessGroup) -> tuple[Tensor, Tensor]:
    """Return (numbers within this rank's `count` rows or classes, which of them are there); others become 0."""
    shifted = asarray(index) - count * group.rank
    here = (shifted >= 0) & (shifted < count)
    return where(here, shifted, 0), here


def _start_alike(module: Module, group: ProcessGroup) -> None:
    """Give all ranks of the group rank 0's parameters."""
    for parameter in module.parameters():
        group.begin(f"the start values of {type(module).__name__}", parameter._array).broadcast(
            parameter._array, 0
        ).wait()


def vocab_parallel_cross_entropy(logits: Any, target: Any, process_group: ProcessGroup | None = None) -> Tensor:
    """Return the mean of -log softmax(logits)[target] of logits (N, C / size) that are cut along the classes.

    target (N,) are numbers among all C classes. The whole logits are on no rank: the largest, the sum of exponentials
    and the logit of the target are reduced over the group.

    >>> gg.distributed.vocab_parallel_cross_entropy(gg.zeros(2, 4), gg.tensor([1, 3])).round(decimals=4)
    tensor(1.3863)
    """
    logits, group = asarray(logits), of(process_group)
    if logits.ndim != 2 or tuple(asarray(target).shape) != logits.shape[:1]:
        raise ShapeError(
            f"vocab_parallel_cross_entropy: logits must be (N, C / size) and target (N,), got {logits.shape} and "
            f"{asarray(target).shape}"
        )
    with no_grad():
        largest = logits.detach().max(axis=1)
        all_reduce(largest, "max", group=group)
    shifted = logits - largest.unsqueeze(1)
    total = reduce_from_group(shifted.exp().sum(axis=1), group=group)
    own, here = _in_part(target, logits.shape[1], group)
    chosen = gather(shifted, dim=1, index=own.unsqueeze(1)).squeeze(1)
    chosen = reduce_from_group(where(here, chosen, 0.0), group=group)
    return (total.log() - chosen).mean()


def parallelize_gpt(model: GPT, process_group: ProcessGroup | None = None) -> GPT:
    """Cut a GPT over the ranks of a group: heads, hidden units and the vocabulary; returns the model.

    Its logits are then (N, T, vocab_size / size): `vocab_parallel_cross_entropy` takes them. Raises OptionError if the
    heads or the vocabulary cannot be cut evenly.

    >>> model = gg.models.GPT(vocab_size=8, n_positions=4, n_embd=6, n_layer=1, n_head=2)
    >>> gg.distributed.parallelize_gpt(model)(gg.zeros(1, 4, dtype="int64")).shape
    (1, 4, 8)
    """
    group = of(process_group)
    heads: Sequence[Any] = [block.attn for block in model.transformer.h]
    vocab = model.lm_head.out_features
    if any(attention.n_head % group.size for attention in heads) or vocab % group.size:
        raise OptionError(
            f"parallelize_gpt: n_head ({heads[0].n_head}) and vocab_size ({vocab}) must be multiples of the "
            f"{group.size} ranks"
        )
    tied = model.lm_head.weight is model.transformer.wte.weight
    for block in model.transformer.h:
        attention, mlp = block.attn, block.mlp
        attention.c_attn = ColumnParallelLinear.of(attention.c_attn, blocks=3, process_group=group)
        attention.c_proj = RowParallelLinear.of(attention.c_proj, process_group=group)
        attention.n_head //= group.size
        mlp.c_fc = ColumnParallelLinear.of(mlp.c_fc, process_group=group)
        mlp.c_proj = RowParallelLinear.of(mlp.c_proj, process_group=group)
    head: Any = ColumnParallelLinear.of(model.lm_head, process_group=group)
    model.transformer.wte = VocabParallelEmbedding.of(model.transformer.wte, process_group=group)
    model.lm_head = head
    if tied:
        head.weight = model.transformer.wte.weight
    for module in (model.transformer.wpe, model.transformer.ln_f, *(b.ln_1 for b in model.transformer.h)):
        _start_alike(module, group)
    for block in model.transformer.h:
        _start_alike(block.ln_2, group)
    return model
