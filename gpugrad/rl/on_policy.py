"""Experience of the policy that learns: rollouts with the advantages of what was done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..models import ActorCritic
from ..nn import Module
from ..nn.functional import log_softmax
from ..optim import Adam
from ..train import Trainer
from .experience import generalized_advantages
from .recipe import Acting, Experience
from .rollouts import Rollout, collect


class OnPolicy(Experience):
    """Acts by the policy for some steps, then gives shuffled parts of them, several times over.

    model: observations (n, ...) -> logits (n, actions) and values (n,). A batch is observations, actions, logarithms of
    the actions' probabilities, advantages, and returns to which the values belong. decay: the discount, and what
    advantages of later steps count (see `generalized_advantages`). batch_size: by default all steps of a rollout.
    whole: begin each rollout anew and leave out episodes that did not come to their end. baseline: subtract the values
    from the returns.

    >>> model = gg.models.ActorCritic(4, 2)
    >>> experience = gg.rl.OnPolicy(
    ...     "CartPole", 4, lambda seen: seen[:, 2] > 0, 500.0,
    ...     model=model, steps=8, passes=2, batch_size=16, decay=(0.99, 1.0),
    ... )
    >>> [batch[0].shape for batch in experience]
    [(16, 4), (16, 4), (16, 4), (16, 4)]
    """

    def __init__(
        self,
        *args: Any,
        model: Module,
        steps: int,
        decay: tuple[float, float],
        batch_size: int | None = None,
        passes: int = 1,
        rollouts: int = 1,
        whole: bool = False,
        baseline: bool = True,
        **kwargs: Any,
    ):
        super().__init__(*args, **kwargs)
        self.model, self.steps, self.decay, self.batch_size = model, steps, decay, batch_size
        self.passes, self.rollouts, self.whole, self.baseline = passes, rollouts, whole, baseline
        self.device = next(model.parameters()).device

    def judged(self, observations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the logarithms of the actions' probabilities and the values of the states."""
        shape = observations.shape[:-1]
        with no_grad():
            logits, values = self.model(asarray(observations.reshape(-1, observations.shape[-1]), device=self.device))
        return log_softmax(logits, 1).cpu().numpy().reshape(*shape, -1), values.cpu().numpy().reshape(shape)

    def act(self, observations: np.ndarray) -> np.ndarray:
        """Draw actions: the largest logarithm plus Gumbel noise is distributed as the policy says."""
        scores, _ = self.judged(observations.astype(np.float32))
        return (scores + self.random.gumbel(size=scores.shape)).argmax(axis=-1)

    def round(self) -> Iterator[tuple[Tensor, ...]]:
        for _ in range(self.rollouts):
            columns = self.judge(*self.rollout())
            for _ in range(self.passes):
                order = self.random.permutation(len(columns[0]))
                size = self.batch_size or len(order)
                for start in range(0, len(order), size):
                    yield tuple(asarray(column[order[start : start + size]]) for column in columns)

    def rollout(self) -> tuple[Rollout, np.ndarray]:
        """Act; returns what happened, and which steps (T, n) belong to an episode that came to its end."""
        rollout, self.observations = collect(self.many, self.act, self.steps, None if self.whole else self.observations)
        return rollout, np.maximum.accumulate(rollout.ends[::-1])[::-1] > 0

    def judge(self, rollout: Rollout, complete: np.ndarray) -> list[np.ndarray]:
        """Return the columns of all batches: arrays with a row for each step."""
        scores, values = self.judged(rollout.observations)
        _, following = self.judged(rollout.next_observations)
        if not self.baseline:
            values, following = np.zeros_like(values), np.zeros_like(following)
        advantages = generalized_advantages(
            rollout.rewards, values, following, rollout.terminated, rollout.ends, *self.decay
        )  # fmt: skip
        chosen = np.take_along_axis(scores, rollout.actions[..., None], axis=-1)[..., 0]
        kept = complete if self.whole else np.ones_like(complete)
        columns = rollout.observations, rollout.actions, chosen, advantages, advantages + values
        return [column[kept] for column in columns]


def of_actions(table: Tensor, actions: Tensor) -> Tensor:
    """Return the entry of each row's action: (n, actions) and integers (n,) -> (n,).

    >>> gg.rl.of_actions(gg.tensor([[1.0, 2.0], [3.0, 4.0]]), gg.tensor([1, 0])).tolist()
    [2.0, 3.0]
    """
    return table.take_along_axis(actions.reshape(-1, 1), axis=1).reshape(-1)


class PolicyLearning(Acting):
    """A recipe in which an actor and a critic learn from what the policy does. A recipe gives the `kind` of trainer,
    which holds the loss, and may change what the experience is made of.

    >>> sorted(set(gg.rl.PolicyLearning.settings()) - set(gg.rl.Acting.settings()))
    ['count', 'steps', 'trace']
    """

    kind: type[Trainer]
    count = 16  # environments
    steps = 128  # in each of them, of a rollout
    trace = 0.95  # the decay of advantages

    def network(self, observations: int, actions: int) -> Module:
        return ActorCritic(observations, actions)

    def scores(self, model: Module, observations: Tensor) -> Tensor:
        return model(observations)[0]

    def experience(self, variant: str) -> dict[str, Any]:
        """Return further arguments of `OnPolicy`."""
        return {}

    def learn(self, model: Any, seed: int, variant: str) -> tuple[Trainer, Experience]:
        trainer = self.trainer(model, Adam(model.parameters(), lr=self.lr), kind=self.kind, clip=0.5, watch=False)
        return trainer, OnPolicy(
            self.environment, self.count, self.greedy(model), self.solved, seed, model=model, steps=self.steps,
            decay=(self.discount, self.trace), **self.experience(variant),
        )  # fmt: skip
