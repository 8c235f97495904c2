"""REINFORCE: the gradient of the expected return, estimated from whole episodes, with a baseline and without."""

from typing import Any

from ..autograd.tensor import Tensor
from ..models import ActorCritic
from ..nn import Module
from ..nn.functional import log_softmax
from ..optim import Adam
from ..rl import Acting, Experience, OnPolicy
from ..train import Goal, Trainer


class Reinforcement(Trainer):
    """Follows the gradient E[(R - b) grad log pi(a | s)] (Williams 1992; Sutton and Barto 13.4); b = V(s), or 0.

    The critic V learns by squares; without a baseline it is not asked.
    """

    def loss_of(self, batch: tuple[Tensor, ...]) -> Tensor:
        observations, actions, _, advantages, returns = batch
        logits, values = self.model(observations)
        chosen = log_softmax(logits, 1).take_along_axis(actions.reshape(-1, 1), axis=1).reshape(-1)
        return -(advantages * chosen).mean() + 0.5 * ((values - returns) ** 2).mean()


class Reinforce(Acting):
    """Balances a pole by REINFORCE, with a learned baseline and without one.

    Williams 1992, "Simple statistical gradient-following algorithms for connectionist reinforcement learning".
    """

    minutes = 3
    quick = {"agents": 1, "epochs": 2, "solved": 0.0}
    variants = ("with baseline", "without")
    goals = {"return of 100 episodes, with baseline, worst agent": Goal(400, form=".1f")}
    epochs = 60
    lr = 3e-3
    count = 8  # environments
    steps = 500  # of an episode at most

    def network(self, observations: int, actions: int) -> Module:
        return ActorCritic(observations, actions)

    def scores(self, model: Module, observations: Tensor) -> Tensor:
        return model(observations)[0]

    def learn(self, model: Any, seed: int, variant: str) -> tuple[Trainer, Experience]:
        optimizer = Adam(model.parameters(), lr=self.lr)
        trainer = self.trainer(model, optimizer, kind=Reinforcement, clip=0.5, watch=False)
        return trainer, OnPolicy(
            self.environment, self.count, self.greedy(model), self.solved, seed, model=model, steps=self.steps,
            decay=(self.discount, 1.0), rollouts=5, whole=True, baseline=variant == "with baseline",
        )  # fmt: skip
