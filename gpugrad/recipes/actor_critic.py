"""Actor and critic: a policy is moved along its gradient, weighted by how much better things went than valued."""

from typing import Any

from ..autograd.tensor import Tensor
from ..nn.functional import log_softmax
from ..rl import PolicyLearning, of_actions
from ..train import Trainer


class PolicyGradient(Trainer):
    """Minimises L = -E[A log pi(a | s)] + 0.5 E[(V - R)^2] - 0.01 E[entropy] (Mnih et al. 2016, section 4)."""

    def loss_of(self, batch: tuple[Tensor, ...]) -> Tensor:
        observations, actions, _, advantages, returns = batch
        logits, values = self.model(observations)
        scores = log_softmax(logits, 1)
        chosen = of_actions(scores, actions)
        entropy = -(scores.exp() * scores).sum(axis=1).mean()
        return -(advantages * chosen).mean() + 0.5 * ((values - returns) ** 2).mean() - 0.01 * entropy


class AdvantageActorCritic(PolicyLearning):
    """Balances a pole by an actor and a critic that learn from each few steps (A2C).

    Mnih et al. 2016, "Asynchronous methods for deep reinforcement learning", in step instead of asynchronously.
    """

    kind = PolicyGradient
    minutes = 2
    quick = {"agents": 1, "epochs": 3, "solved": 0.0}
    epochs = 80
    lr = 2e-3
    steps = 16  # in each of them, of an update
    updates = 40  # of a round

    def experience(self, variant: str) -> dict[str, Any]:
        return {"rollouts": self.updates}
