"""REINFORCE: the gradient of the expected return, estimated from whole episodes, with a baseline and without."""

from typing import Any

from ..autograd.tensor import Tensor
from ..nn.functional import log_softmax
from ..rl import PolicyLearning, of_actions
from ..train import Goal, Trainer


class Reinforcement(Trainer):
    """Follows the gradient E[(R - b) grad log pi(a | s)] (Williams 1992; Sutton and Barto 13.4); b = V(s), or 0.

    The critic V learns by squares; without a baseline it is not asked.
    """

    def loss_of(self, batch: tuple[Tensor, ...]) -> Tensor:
        observations, actions, _, advantages, returns = batch
        logits, values = self.model(observations)
        chosen = of_actions(log_softmax(logits, 1), actions)
        return -(advantages * chosen).mean() + 0.5 * ((values - returns) ** 2).mean()


class Reinforce(PolicyLearning):
    """Balances a pole by REINFORCE, with a learned baseline and without one.

    Williams 1992, "Simple statistical gradient-following algorithms for connectionist reinforcement learning".
    """

    kind = Reinforcement
    minutes = 3
    quick = {"agents": 1, "epochs": 2, "solved": 0.0}
    variants = ("with baseline", "without")
    goals = {"return of 100 episodes, with baseline, worst agent": Goal(400, form=".1f")}
    epochs = 60
    lr = 3e-3
    count = 8  # environments
    steps = 500  # of an episode at most
    trace = 1.0  # whole returns

    def experience(self, variant: str) -> dict[str, Any]:
        return {"rollouts": 5, "whole": True, "baseline": variant == "with baseline"}
