"""Proximal policy optimization: several passes over what a policy did, while it may not move far from it."""

from typing import Any

from ..autograd.tensor import Tensor
from ..nn.functional import log_softmax
from ..rl import PolicyLearning, of_actions
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
        ratio = (of_actions(scores, actions) - old).exp()
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        policy = (ratio * advantages).minimum(ratio.clip(1 - self.eps, 1 + self.eps) * advantages).mean()
        entropy = -(scores.exp() * scores).sum(axis=1).mean()
        return -policy + 0.5 * ((values - returns) ** 2).mean() - 0.01 * entropy


class PPO(PolicyLearning):
    """Balances a pole by proximal policy optimization with generalised advantages.

    Schulman et al. 2017, "Proximal policy optimization algorithms"; Schulman et al. 2016 (advantages).
    """

    kind = PolicyOptimization
    minutes = 2
    quick = {"agents": 1, "epochs": 3, "solved": 0.0}
    epochs = 80
    lr = 1e-3
    passes = 4
    batch_size = 256

    def experience(self, variant: str) -> dict[str, Any]:
        return {"passes": self.passes, "batch_size": self.batch_size}
