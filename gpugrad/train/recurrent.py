"""Training recurrent language models: gradients through a part of a long text, tokens of the model's own among it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..autograd.convert import asarray
from ..autograd.tensor import Tensor
from ..models import sample
from ..ops.join import concatenate
from .language import NextToken, token_cross_entropy


class Streams:
    """Gives the numbers of windows so that row i of a batch goes on where row i of the batch before ended.

    windows: how many there are, in the order of the text. A `batch_sampler` for `DataLoader`.

    >>> list(gg.train.Streams(windows=6, batch_size=2))
    [[0, 3], [1, 4], [2, 5]]
    """

    def __init__(self, windows: int, batch_size: int):
        self.batch_size, self.batches = batch_size, windows // batch_size

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[list[int]]:
        for start in range(self.batches):
            yield [start + row * self.batches for row in range(self.batch_size)]


class TruncatedBackpropagation(NextToken):
    """Learns long texts window by window: the state goes on to the next batch (see `Streams`), the gradient does not.

    The model is called with tokens (N, T) and a state or None, and gives logits and the state after (Williams and Peng
    1990, truncated backpropagation through time). A run that is resumed begins with an empty state.

    sampled: the probability that a token given is one that the model itself draws from its last prediction, instead of
    the right one (Bengio et al. 2015, scheduled sampling); it rises linearly over the first `rising` steps.

    >>> model = gg.models.LSTMLanguageModel(5, 4, 4)
    >>> trainer = gg.train.TruncatedBackpropagation(model, gg.optim.SGD(model.parameters(), lr=0.1))
    >>> trainer.loss_of((gg.zeros(2, 3, dtype="int64"), gg.zeros(2, 3, dtype="int64"))).shape
    ()
    """

    sampled = 0.0
    rising = 1
    _state: tuple[Tensor, ...] | None = None

    def loss_of(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        tokens, following = batch
        state = self._state if self._state is not None and self._state[0].shape[1] == len(tokens) else None
        share = self.sampled * min(1.0, self.step / self.rising)
        if share:
            logits, state = self._with_own(tokens, state, share)
        else:
            logits, state = self.model(tokens, state)
        self._state = tuple(part.detach() for part in state)
        return token_cross_entropy(logits, following)

    def _with_own(self, tokens: Tensor, state: tuple | None, share: float) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the logits (N, T, V) where tokens but the first are replaced, and the state."""
        random = np.random.default_rng((self.step, 1))
        right, given, parts = tokens.cpu().numpy(), tokens[:, :1], []
        for place in range(tokens.shape[1]):
            if place:
                own = sample(parts[-1][:, 0], random=random)
                mixed = np.where(random.random(len(own)) < share, own, right[:, place])
                given = asarray(mixed[:, None], device=tokens.device)
            logits, state = self.model(given, state)
            parts.append(logits)
        assert state is not None
        return concatenate(parts, axis=1), state
