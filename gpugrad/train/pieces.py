"""Training BERT: masked tokens and next sentences, then tasks of its own for a head."""

from __future__ import annotations

import numpy as np

from ..autograd.convert import asarray
from ..autograd.tensor import Tensor
from ..data import mask_tokens
from ..nn.functional import cross_entropy
from .language import token_cross_entropy
from .trainer import Trainer


class BertPretraining(Trainer):
    """Minimises -log p(hidden tokens) - log p(is the second part the next sentence) (Devlin et al. 2019, section 3.1).

    Batches are `gg.data.PieceSample`s, whose target is 0 where the second part follows the first. The tokens to hide
    are drawn anew for each batch.

    >>> model = gg.models.BertForPreTraining(30, 8, 1, 2)
    >>> trainer = gg.train.BertPretraining(model, gg.optim.SGD(model.parameters(), lr=0.1))
    >>> samples = gg.data.PieceSamples([[7, 8, 9, 10] * 3], [[9]], [1], length=20)
    >>> trainer.loss_of(samples.batch(np.array([0]))).shape
    ()
    """

    share = 0.15

    def loss_of(self, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        tokens, segments, following = batch
        vocab_size = self.model.bert.embeddings.word_embeddings.num_embeddings
        random = np.random.default_rng((self.step, 3))
        given, wanted = (
            asarray(part, device=tokens.device)
            for part in mask_tokens(tokens.cpu().numpy(), vocab_size, random, self.share)
        )
        logits, follows = self.model(given, tokens != 0, segments)
        hidden = token_cross_entropy(logits, wanted)
        return hidden + cross_entropy(follows, following)


class FineTuning(Trainer):
    """Minimises -log p(target) of BERT with a head: classes (N,), tags (N, T), or starts and ends (N, 2) of spans.

    Tags of -100 do not count.

    >>> model = gg.models.BertForTokenClassification(30, 8, 1, 2)
    >>> trainer = gg.train.FineTuning(model, gg.optim.SGD(model.parameters(), lr=0.1))
    >>> samples = gg.data.PieceSamples([[7, 8]], [[]], [[-100, 0, 1, -100]], length=4)
    >>> trainer.loss_of(samples.batch(np.array([0]))).shape
    ()
    """

    def loss_of(self, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        tokens, segments, target = batch
        output = self.model(tokens, tokens != 0, segments)
        if isinstance(output, tuple):
            start, end = (cross_entropy(logits, target[:, side]) for side, logits in enumerate(output))
            return (start + end) / 2
        return token_cross_entropy(output, target)
