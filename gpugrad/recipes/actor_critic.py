"""Actor and critic: a policy is moved along its gradient, weighted by how much better things went than valued."""

from typing import Any

from ..autograd.tensor import Tensor
from ..models import ActorCritic
from ..nn import Module
from ..nn.functional import log_softmax
from ..optim import Adam
from ..rl import Acting, Experience, OnPolicy
from ..train import Trainer


class PolicyGradient(Trainer):
    """Minimises L = -E[A log pi(a | s)] + 0.5 E[(V - R)^2] - 0.01 E[entropy] (Mnih et al. 2016, section 4)."""

    def loss_of(self, batch: tuple[Tensor, ...]) -> Tensor:
        observations, actions, _, advantages, returns = batch
        logits, values = self.model(observations)
        scores = log_softmax(logits, 1)
        chosen = scores.take_along_axis(actions.reshape(-1, 1), axis=1).reshape(-1)
        entropy = -(scores.exp() * scores).sum(axis=1).mean()
        return -(advantages * chosen).mean() + 0.5 * ((values - returns) ** 2).mean() - 0.01 * entropy


class AdvantageActorCritic(Acting):
    """Balances a pole by an actor and a critic that learn from each few steps (A2C).

    Mnih et al. 2016, "Asynchronous methods for deep reinforcement learning", in step instead of asynchronously.
    """

    minutes = 2
    quick = {"agents": 1, "epochs": 3, "solved": 0.0}
    epochs = 80
    lr = 2e-3
    count = 16  # environments
    steps = 16  # in each of them, of an update
    updates = 40  # of a round
    trace = 0.95  # the decay of advantages

    def network(self, observations: int, actions: int) -> Module:
        return ActorCritic(observations, actions)

    def scores(self, model: Module, observations: Tensor) -> Tensor:
        return model(observations)[0]

    def learn(self, model: Any, seed: int, variant: str) -> tuple[Trainer, Experience]:
        optimizer = Adam(model.parameters(), lr=self.lr)
        trainer = self.trainer(model, optimizer, kind=PolicyGradient, clip=0.5, watch=False)
        return trainer, OnPolicy(
            self.environment, self.count, self.greedy(model), self.solved, seed, model=model, steps=self.steps,
            decay=(self.discount, self.trace), rollouts=self.updates,
        )  # fmt: skip
