"""Proximal policy optimization: several passes over what a policy did, while it may not move far from it."""

from typing import Any

from ..autograd.tensor import Tensor
from ..models import ActorCritic
from ..nn import Module
from ..nn.functional import log_softmax
from ..optim import Adam
from ..rl import Acting, Experience, OnPolicy
from ..train import Trainer


class PolicyOptimization(Trainer):
    """Minimises L = -E[min(r A, clip(r, 1 - eps, 1 + eps) A)] + 0.5 E[(V - R)^2] - 0.01 E[entropy], with the ratio
    r = pi(a | s) / pi_old(a | s) (Schulman et al. 2017, equations 7 and 9).
    """

    eps = 0.2

    def loss_of(self, batch: tuple[Tensor, ...]) -> Tensor:
        observations, actions, old, advantages, returns = batch
        logits, values = self.model(observations)
        scores = log_softmax(logits, 1)
        ratio = (scores.take_along_axis(actions.reshape(-1, 1), axis=1).reshape(-1) - old).exp()
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        policy = (ratio * advantages).minimum(ratio.clip(1 - self.eps, 1 + self.eps) * advantages).mean()
        entropy = -(scores.exp() * scores).sum(axis=1).mean()
        return -policy + 0.5 * ((values - returns) ** 2).mean() - 0.01 * entropy


class PPO(Acting):
    """Balances a pole by proximal policy optimization with generalised advantages.

    Schulman et al. 2017, "Proximal policy optimization algorithms"; Schulman et al. 2016 (advantages).
    """

    minutes = 2
    quick = {"agents": 1, "epochs": 3, "solved": 0.0}
    epochs = 80
    lr = 1e-3
    count = 16  # environments
    steps = 128  # in each of them, of a round
    passes = 4
    batch_size = 256
    trace = 0.95  # the decay of advantages

    def network(self, observations: int, actions: int) -> Module:
        return ActorCritic(observations, actions)

    def scores(self, model: Module, observations: Tensor) -> Tensor:
        return model(observations)[0]

    def learn(self, model: Any, seed: int, variant: str) -> tuple[Trainer, Experience]:
        optimizer = Adam(model.parameters(), lr=self.lr)
        trainer = self.trainer(model, optimizer, kind=PolicyOptimization, clip=0.5, watch=False)
        return trainer, OnPolicy(
            self.environment, self.count, self.greedy(model), self.solved, seed, model=model, steps=self.steps,
            passes=self.passes, batch_size=self.batch_size, decay=(self.discount, self.trace),
        )  # fmt: skip
