"""Defines BERT, an encoder of text (Devlin et al. 2019), with the names and shapes of Hugging Face's checkpoints."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..autograd.tensor import Tensor
from ..errors import ShapeError
from ..nn import GELU, Dropout, Embedding, LayerNorm, Linear, Module, ModuleDict, ModuleList, Parameter, init
from ..nn.functional import scaled_dot_product_attention
from ..ops.creation import arange, zeros
from .architecture import check_sizes, check_tokens


class _Embeddings(Module):
    """Adds the vectors of tokens, positions and segments, and normalises them: (N, T) -> (N, T, hidden_size)."""

    def __init__(self, vocab_size: int, hidden_size: int, positions: int, types: int, dropout: float):
        super().__init__()
        self.word_embeddings = Embedding(vocab_size, hidden_size, padding_idx=0)
        self.position_embeddings = Embedding(positions, hidden_size)
        self.token_type_embeddings = Embedding(types, hidden_size)
        self.LayerNorm = LayerNorm(hidden_size, eps=1e-12)
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor, segments: Tensor | None) -> Tensor:
        if segments is None:
            segments = zeros(*tokens.shape, dtype="int64", device=tokens.device)
        positions = self.position_embeddings(arange(tokens.shape[1], device=tokens.device))
        summed = self.word_embeddings(tokens) + self.token_type_embeddings(segments) + positions
        return self.dropout(self.LayerNorm(summed))


class _Added(Module):
    """Adds to `residual` what a linear layer makes of `x`, and normalises: the "AddNorm" of the transformer."""

    def __init__(self, inside: int, hidden_size: int, dropout: float):
        super().__init__()
        self.dense = Linear(inside, hidden_size)
        self.LayerNorm = LayerNorm(hidden_size, eps=1e-12)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return self.LayerNorm(self.dropout(self.dense(x)) + residual)


class _Layer(Module):
    """Applies self-attention and a perceptron, each with AddNorm: (N, T, hidden_size) -> the same shape."""

    def __init__(self, hidden_size: int, heads: int, intermediate_size: int, dropout: float):
        super().__init__()
        self.heads, self.rate = heads, dropout
        projections = ModuleDict({name: Linear(hidden_size, hidden_size) for name in ("query", "key", "value")})
        self.attention = ModuleDict({"self": projections, "output": _Added(hidden_size, hidden_size, dropout)})
        self.intermediate = ModuleDict({"dense": Linear(hidden_size, intermediate_size)})
        self.activation = GELU()
        self.output = _Added(intermediate_size, hidden_size, dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        batch, length, width = x.shape
        projections: Any = self.attention["self"]
        q, k, v = (
            projections[name](x).view(batch, length, self.heads, width // self.heads).transpose(1, 2)
            for name in ("query", "key", "value")
        )
        mixed = scaled_dot_product_attention(q, k, v, mask, dropout_p=self.rate if self.training else 0.0)
        x = self.attention["output"](mixed.transpose(1, 2).reshape(batch, length, width), x)
        return self.output(self.activation(self.intermediate["dense"](x)), x)


class BertOutput(NamedTuple):
    """What BERT makes of tokens: `last_hidden_state` (N, T, hidden_size), `pooler_output` (N, hidden_size), and
    `hidden_states`, the embeddings and the output of each layer: features, of one layer or of a `ScalarMix` of all.

    >>> model = gg.models.BertModel(vocab_size=11, hidden_size=8, num_hidden_layers=2, num_attention_heads=2)
    >>> len(model(gg.tensor([[1, 2, 3]])).hidden_states)
    3
    """

    last_hidden_state: Tensor
    pooler_output: Tensor | None
    hidden_states: tuple[Tensor, ...]


class BertModel(Module):
    """Encodes tokens: integers (N, T) -> `BertOutput`, with T at most max_position_embeddings.

    The sizes have Hugging Face's names, and by default those of BERT base, of 109 M parameters; the names of the state
    dict are its too. attention_mask (N, T): 1 for tokens, 0 for padding. token_type_ids (N, T): the segment of each
    token. add_pooling_layer: the last state of the first token, through a linear layer and tanh, as `pooler_output`.

    Raises ShapeError if hidden_size is not a multiple of num_attention_heads, a sequence is empty or too long, or the
    mask or the segments have another shape than the tokens.

    >>> model = gg.models.BertModel(vocab_size=30, hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
    >>> output = model(gg.ones(2, 5, dtype="int64"), attention_mask=gg.ones(2, 5))
    >>> output.last_hidden_state.shape, output.pooler_output.shape
    ((2, 5, 8), (2, 8))
    >>> list(model.state_dict())[5]
    'encoder.layer.0.attention.self.query.weight'
    """

    def __init__(
        self,
        vocab_size: int = 30522,
        hidden_size: int = 768,
        num_hidden_layers: int = 12,
        num_attention_heads: int = 12,
        intermediate_size: int | None = None,
        max_position_embeddings: int = 512,
        type_vocab_size: int = 2,
        hidden_dropout_prob: float = 0.1,
        add_pooling_layer: bool = True,
    ):
        super().__init__()
        check_sizes(
            "BertModel", vocab_size=vocab_size, hidden_size=hidden_size, num_hidden_layers=num_hidden_layers,
            num_attention_heads=num_attention_heads, max_position_embeddings=max_position_embeddings,
        )  # fmt: skip
        if hidden_size % num_attention_heads:
            raise ShapeError(
                "BertModel: hidden_size must be a multiple of num_attention_heads, got "
                f"{hidden_size} and {num_attention_heads}"
            )
        self.hidden_size = hidden_size
        self.embeddings = _Embeddings(
            vocab_size, hidden_size, max_position_embeddings, type_vocab_size, hidden_dropout_prob
        )
        inside = 4 * hidden_size if intermediate_size is None else intermediate_size
        layers = [
            _Layer(hidden_size, num_attention_heads, inside, hidden_dropout_prob) for _ in range(num_hidden_layers)
        ]
        self.encoder: Any = ModuleDict({"layer": ModuleList(layers)})
        self.pooler = ModuleDict({"dense": Linear(hidden_size, hidden_size)}) if add_pooling_layer else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new start values, as BERT's were drawn: normal with deviation 0.02."""
        _start(self)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None
    ) -> BertOutput:
        check_tokens(input_ids, "BertModel", self.embeddings.position_embeddings.num_embeddings)
        for name, given in (("attention_mask", attention_mask), ("token_type_ids", token_type_ids)):
            if given is not None and given.shape != input_ids.shape:
                raise ShapeError(f"BertModel: {name} must have the tokens' shape {input_ids.shape}, got {given.shape}")
        mask = None if attention_mask is None else (attention_mask != 0).reshape(len(input_ids), 1, 1, -1)
        x = self.embeddings(input_ids, token_type_ids)
        states = [x]
        for layer in self.encoder["layer"]:
            x = layer(x, mask)
            states.append(x)
        pooled = None if self.pooler is None else self.pooler["dense"](x[:, 0]).tanh()
        return BertOutput(x, pooled, tuple(states))


def _start(module: Module) -> None:
    """Draw start values as BERT's were drawn."""
    for name, parameter in module.named_parameters():
        if parameter.ndim == 2:
            init.normal_(parameter, std=0.02)
        elif name.endswith("bias"):
            init.zeros_(parameter)


class _Predictions(Module):
    """Scores the token of each place: (N, T, hidden_size) -> (N, T, vocab_size), with the embedding's weight."""

    def __init__(self, hidden_size: int, embedding: Embedding):
        super().__init__()
        self.bias = Parameter(zeros(embedding.num_embeddings))
        self.transform = ModuleDict({
            "dense": Linear(hidden_size, hidden_size), "LayerNorm": LayerNorm(hidden_size, eps=1e-12),
        })  # fmt: skip
        self.activation = GELU()
        self.decoder = Linear(hidden_size, embedding.num_embeddings)
        self.decoder.weight, self.decoder.bias = embedding.weight, self.bias

    def forward(self, x: Tensor) -> Tensor:
        x = self.transform["LayerNorm"](self.activation(self.transform["dense"](x)))
        return self.decoder(x)


class BertForPreTraining(Module):
    """Learns text as BERT does: gives logits of masked tokens (N, T, vocab_size) and of "is the next sentence" (N, 2).

    The arguments are those of `BertModel`.

    >>> model = gg.models.BertForPreTraining(vocab_size=30, hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
    >>> tokens, following = model(gg.ones(2, 5, dtype="int64"))
    >>> tokens.shape, following.shape
    ((2, 5, 30), (2, 2))
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__()
        self.bert = BertModel(*args, **kwargs)
        width = self.bert.hidden_size
        self.cls = ModuleDict({
            "predictions": _Predictions(width, self.bert.embeddings.word_embeddings),
            "seq_relationship": Linear(width, 2),
        })  # fmt: skip
        _start(self.cls)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        output = self.bert(input_ids, attention_mask, token_type_ids)
        return self.cls["predictions"](output.last_hidden_state), self.cls["seq_relationship"](output.pooler_output)


class BertForMaskedLM(Module):
    """Gives logits of the token at each place: (N, T) -> (N, T, vocab_size). The arguments are those of `BertModel`.

    >>> model = gg.models.BertForMaskedLM(vocab_size=30, hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
    >>> model(gg.ones(2, 5, dtype="int64")).shape
    (2, 5, 30)
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__()
        self.bert = BertModel(*args, **{"add_pooling_layer": False, **kwargs})
        predictions = _Predictions(self.bert.hidden_size, self.bert.embeddings.word_embeddings)
        self.cls = ModuleDict({"predictions": predictions})
        _start(self.cls)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None
    ) -> Tensor:
        return self.cls["predictions"](self.bert(input_ids, attention_mask, token_type_ids).last_hidden_state)


class _Head(Module):
    """BERT with a linear layer on its output."""

    pooled = False
    output = "classifier"

    def __init__(self, *args: Any, num_labels: int = 2, **kwargs: Any):
        super().__init__()
        self.bert = BertModel(*args, **{"add_pooling_layer": self.pooled, **kwargs})
        self.dropout = Dropout(self.bert.embeddings.dropout.p)
        head = Linear(self.bert.hidden_size, num_labels)
        setattr(self, self.output, head)
        _start(head)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None
    ) -> Any:
        found = self.bert(input_ids, attention_mask, token_type_ids)
        state: Any = found.pooler_output if self.pooled else found.last_hidden_state
        return getattr(self, self.output)(self.dropout(state))


class BertForSequenceClassification(_Head):
    """Gives logits of a text's class: (N, T) -> (N, num_labels). The other arguments are those of `BertModel`.

    >>> model = gg.models.BertForSequenceClassification(30, 8, 1, 2, num_labels=3)
    >>> model(gg.ones(2, 5, dtype="int64")).shape
    (2, 3)
    """

    pooled = True


class BertForTokenClassification(_Head):
    """Gives logits of each token's tag: (N, T) -> (N, T, num_labels). The other arguments are those of `BertModel`.

    >>> model = gg.models.BertForTokenClassification(30, 8, 1, 2, num_labels=3)
    >>> model(gg.ones(2, 5, dtype="int64")).shape
    (2, 5, 3)
    """


class BertForQuestionAnswering(_Head):
    """Gives logits of where the answer begins and of where it ends: (N, T) -> two of (N, T).

    >>> model = gg.models.BertForQuestionAnswering(30, 8, 1, 2)
    >>> start, end = model(gg.ones(2, 5, dtype="int64"))
    >>> start.shape
    (2, 5)
    """

    output = "qa_outputs"

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        found = self.bert(input_ids, attention_mask, token_type_ids).last_hidden_state
        start, end = self.qa_outputs(found).unbind(2)
        return start, end
