"""Training vectors of words, and what they are asked afterwards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..autograd.convert import asarray
from ..autograd.tensor import Tensor
from ..errors import DataError
from .trainer import Trainer


class WordVectors(Trainer):
    """Learns a `Word2Vec` from batches (given, wanted), by comparing with `negatives` drawn words, or with all if None.

    >>> model = gg.models.Word2Vec([5, 3, 2], width=4)
    >>> trainer = gg.train.WordVectors(model, gg.optim.SGD(model.parameters(), lr=0.1))
    >>> trainer.loss_of((gg.tensor([0, 1]), gg.tensor([2, 0]))).shape
    ()
    """

    negatives: int | None = 5

    def loss_of(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        given, wanted = batch
        if self.negatives is None:
            return self.model.full_softmax_loss(given, wanted)
        others = self.model.draw((len(wanted), self.negatives), np.random.default_rng((self.step, 2)))
        return self.model.negative_sampling_loss(given, wanted, asarray(others, device=wanted.device))


def neighbours(similarities: np.ndarray, names: Sequence[str], name: str, count: int = 5) -> list[str]:
    """Return the names of the `count` rows that are most similar to that of `name`, itself left out.

    Raises DataError for a name that is not among them.

    >>> gg.train.neighbours(np.array([[1, 0.2, 0.9], [0.2, 1, 0], [0.9, 0, 1]]), ["a", "b", "c"], "a", 1)
    ['c']
    """
    known: list[str] = list(names)
    if name not in known:
        raise DataError(f"neighbours: {name!r} is not one of the {len(known)} names")
    place = known.index(name)
    order = np.argsort(-similarities[place], kind="stable")
    return [known[other] for other in order if other != place][:count]
