"""A long memory: symbols are shown, a hundred steps later they must be named; gates do it, a plain network does not."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..nn import LSTM, RNN, Embedding, Linear, Module, ModuleDict
from ..nn.functional import cross_entropy
from ..optim import Adam
from ..train import Goal, Recipe
from ..viz import curves

SYMBOLS = 8


class Recalled(Module):
    """Names the first symbol after the last step: tokens (N, T) -> logits (N, SYMBOLS)."""

    def __init__(self, recurrent: Module, hidden: int):
        super().__init__()
        self.embedding, self.recurrent = Embedding(SYMBOLS + 2, 16), recurrent
        self.head = Linear(hidden, SYMBOLS)

    def forward(self, input: Tensor) -> Tensor:
        output, _ = self.recurrent(self.embedding(input))
        return self.head(output[:, -1])


class Sequences:
    """Gives batches: a symbol, `lag` steps of noise, the question; and the symbol."""

    def __init__(self, steps: int, batch_size: int, lag: int, seed: int):
        self.steps, self.batch_size, self.lag, self.random = steps, batch_size, lag, np.random.default_rng(seed)

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(self.steps):
            yield self.batch()

    def batch(self) -> tuple[Tensor, Tensor]:
        tokens = np.full((self.batch_size, self.lag + 2), SYMBOLS)  # nothing
        tokens[:, 0] = self.random.integers(SYMBOLS, size=self.batch_size)
        tokens[:, -1] = SYMBOLS + 1  # the question
        return asarray(tokens), asarray(tokens[:, 0].copy())


class LongLagCopy(Recipe):
    """Remembers a symbol over 100 steps: an LSTM learns it, a plain recurrent network does not.

    Hochreiter and Schmidhuber 1997, section 5. The forget gates' biases begin at log u, u uniform between 1 and the
    lag, and the input gates' at their negatives, so that cells remember for as long as the task asks from the first
    step on (Tallec and Ollivier 2018: "chrono initialization"). Both networks see the same batches.
    """

    minutes = 2
    goals = {
        "LSTM's accuracy": Goal(0.99),
        "plain RNN's accuracy": Goal(0.5, lower=True),
    }
    quick = {"lag": 8, "steps": 20, "hidden": 24}
    epochs = 6
    steps = 150
    batch_size = 64
    hidden = 64
    lag = 100
    lr = 2e-3

    def build(self) -> Module:
        lstm, rnn = LSTM(16, self.hidden, batch_first=True), RNN(16, self.hidden, batch_first=True)
        remember = np.log(np.random.default_rng(self.options.seed).uniform(1, self.lag, self.hidden))
        lstm.bias_ih_l0.data[: self.hidden] = -remember
        lstm.bias_ih_l0.data[self.hidden : 2 * self.hidden] = remember
        return ModuleDict({"LSTM": Recalled(lstm, self.hidden), "plain RNN": Recalled(rnn, self.hidden)})

    def train(self) -> None:
        losses = {}
        for name, model in self.model.items():
            optimizer = Adam(model.parameters(), lr=self.lr)
            trainer: Any = self.trainer(model, optimizer, cross_entropy, clip=1.0, watch=False)
            for part in range(self.epochs):
                batches = Sequences(self.steps, self.batch_size, self.lag, self.options.seed + part)
                self.fit(trainer, batches, part + 1, name=name)
            losses[name] = trainer.losses
        curves(losses, self.picture("loss"))

    def evaluate(self) -> dict[str, float]:
        tokens, symbols = Sequences(1, 1000, self.lag, 999).batch()
        with no_grad():
            found = {
                name: model(tokens.to(device=self.device)).cpu().numpy().argmax(axis=1)
                for name, model in self.model.items()
            }
        return {f"{name}'s accuracy": (found[name] == symbols.numpy()).mean() for name in found}
