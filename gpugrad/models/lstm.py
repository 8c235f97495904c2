"""Defines a language model with an LSTM (Hochreiter and Schmidhuber 1997), over characters or words."""

from ..autograd.tensor import Tensor
from ..nn import LSTM, Embedding, Linear, Module
from .architecture import check_tokens


class LSTMLanguageModel(Module):
    """Predicts the token after each: integers (N, T) -> logits (N, T, vocab_size) and the LSTM's state.

    The tokens' vectors of `embedding_dim` go through `num_layers` layers of `hidden_size`, and a linear layer. The
    state, a pair (h, c) of (num_layers, N, hidden_size), continues a text: pass it to the call with the next tokens.

    >>> import gpugrad as gg
    >>> model = gg.models.LSTMLanguageModel(vocab_size=96, embedding_dim=32, hidden_size=64)
    >>> logits, state = model(gg.zeros(8, 20, dtype="int64"))
    >>> logits.shape, state[0].shape
    ((8, 20, 96), (1, 8, 64))
    >>> logits, state = model(gg.ones(8, 1, dtype="int64"), state)
    >>> logits.shape
    (8, 1, 96)
    """

    def __init__(self, vocab_size: int, embedding_dim: int = 256, hidden_size: int = 256, num_layers: int = 1):
        super().__init__()
        self.embedding = Embedding(vocab_size, embedding_dim)
        self.lstm = LSTM(embedding_dim, hidden_size, num_layers, batch_first=True)
        self.head = Linear(hidden_size, vocab_size)

    def forward(
        self, input: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        check_tokens(input, "LSTMLanguageModel")
        out, after = self.lstm(self.embedding(input), state)
        return self.head(out), after
