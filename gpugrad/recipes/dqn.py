"""Deep Q-learning: a network values actions, learns from a memory, and is compared with a copy that lags behind."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..models import QNetwork
from ..nn import Module, ModuleDict
from ..nn.functional import smooth_l1_loss
from ..optim import Adam
from ..rl import Acting, Experience, ReplayBuffer, collect, of_actions
from ..train import Trainer


class Transitions(Experience):
    """Acts epsilon-greedily, and draws a batch from the memory after each step."""

    def __init__(self, *args: Any, steps: int, batch_size: int, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.steps, self.batch_size = steps, batch_size
        self.memory = ReplayBuffer(50_000, self.seed)

    def round(self) -> Iterator[tuple[Tensor, ...]]:
        epsilon = max(0.02, 0.5 ** (1 + len(self.returns)))
        for _ in range(self.steps):
            rollout, self.observations = collect(self.many, partial(self.act, epsilon), 1, self.observations)
            seen, actions, rewards, following, terminated, _ = (array[0] for array in rollout)
            self.memory.add(seen, actions, rewards, following, terminated)
            yield tuple(asarray(array) for array in self.memory.sample(self.batch_size))

    def act(self, epsilon: float, observations: np.ndarray) -> np.ndarray:
        random = self.random.integers(self.many.single_action_space.n, size=self.many.num_envs)
        return np.where(self.random.random(self.many.num_envs) < epsilon, random, self.greedy(observations))


class QLearning(Trainer):
    """Makes Q(s, a) equal to r + discount * Q'(s', argmax_a' Q(s', a')), where Q' follows Q slowly."""

    def __init__(self, networks: ModuleDict, optimizer: Any, discount: float, double: bool, rate: float, **kwargs: Any):
        super().__init__(networks, optimizer, watch=False, **kwargs)
        self.online, self.target = networks["online"], networks["target"]
        self.discount, self.double, self.rate = discount, double, rate
        self.pairs = list(zip(self.target.parameters(), self.online.parameters(), strict=True))

    def loss_of(self, batch: tuple[Tensor, ...]) -> Tensor:
        observations, actions, rewards, following, terminated = batch
        with no_grad():
            best = (self.online if self.double else self.target)(following).argmax(axis=1)
            worth = of_actions(self.target(following), best)
            wanted = rewards + self.discount * (1 - terminated) * worth
        values = of_actions(self.online(observations), actions)
        return smooth_l1_loss(values, wanted)

    def train_step(self, batch: Any) -> Tensor:
        loss = super().train_step(batch)
        with no_grad():
            for slow, fast in self.pairs:
                slow.lerp_(fast, self.rate)
        return loss


class DQN(Acting):
    """Balances a pole by deep Q-learning with replay, a target network, double and dueling.

    Mnih et al. 2015, "Human-level control through deep reinforcement learning"; van Hasselt et al. 2016 (double); Wang
    et al. 2016 (dueling). `--set double=0` and `--set dueling=0` leave them out.
    """

    minutes = 4
    quick = {"agents": 1, "epochs": 2, "solved": 0.0, "steps": 150}
    epochs = 60
    lr = 5e-4
    count = 8  # environments
    steps = 500  # in each of them, of a round
    batch_size = 128
    double = 1
    dueling = 1
    rate = 0.01  # at which the target network follows

    def network(self, observations: int, actions: int) -> Module:
        online, target = (QNetwork(observations, actions, dueling=bool(self.dueling)) for _ in range(2))
        target.load_state_dict(online.state_dict())
        return ModuleDict({"online": online, "target": target})

    def scores(self, model: Any, observations: Tensor) -> Tensor:
        return model["online"](observations)

    def learn(self, model: Any, seed: int, variant: str) -> tuple[Trainer, Experience]:
        optimizer = Adam(model["online"].parameters(), lr=self.lr)
        trainer = self.trainer(model, optimizer, self.discount, bool(self.double), self.rate, kind=QLearning)
        return trainer, Transitions(
            self.environment,
            self.count,
            self.greedy(model),
            self.solved,
            seed,
            steps=self.steps,
            batch_size=self.batch_size,
        )
