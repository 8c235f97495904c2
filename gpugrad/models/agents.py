"""Defines the networks of agents that learn to act: values of actions, and a policy beside a value."""

from ..autograd.tensor import Tensor
from ..nn import Linear, Module, Sequential, Tanh
from .mlp import MLP


class QNetwork(Module):
    """Values actions: observations (N, observations) -> (N, actions) (Mnih et al. 2015).

    dueling: the value of the state and the advantages of the actions come from heads of their own, Q = V + A - mean A
    (Wang et al. 2016, equation 9).

    >>> import gpugrad as gg
    >>> gg.models.QNetwork(4, 2, hidden=16, dueling=True)(gg.zeros(3, 4)).shape
    (3, 2)
    """

    def __init__(self, observations: int, actions: int, hidden: int = 128, dueling: bool = False):
        super().__init__()
        self.trunk = Sequential(Linear(observations, hidden), Tanh())
        self.advantage = MLP(hidden, hidden, actions)
        self.value = MLP(hidden, hidden, 1) if dueling else None

    def forward(self, input: Tensor) -> Tensor:
        hidden = self.trunk(input)
        advantages = self.advantage(hidden)
        if self.value is None:
            return advantages
        return self.value(hidden) + advantages - advantages.mean(axis=1, keepdims=True)


class ActorCritic(Module):
    """Gives logits of actions and the value of the state: observations (N, observations) -> (N, actions), (N,).

    Actor and critic share nothing, and end in small weights, so that the first policy is nearly uniform.

    >>> import gpugrad as gg
    >>> logits, values = gg.models.ActorCritic(4, 2, hidden=16)(gg.zeros(3, 4))
    >>> logits.shape, values.shape
    ((3, 2), (3,))
    """

    def __init__(self, observations: int, actions: int, hidden: int = 64):
        super().__init__()

        def head(outputs: int) -> Sequential:
            return Sequential(
                Linear(observations, hidden), Tanh(), Linear(hidden, hidden), Tanh(), Linear(hidden, outputs)
            )  # fmt: skip

        self.actor, self.critic = head(actions), head(1)
        last = self.actor[4]
        last.weight.data.mul_(0.01)
        last.bias.data.zero_()

    def forward(self, input: Tensor) -> tuple[Tensor, Tensor]:
        return self.actor(input), self.critic(input).reshape(-1)
