"""Recipes of agents: several learn the same task from seeds of their own, and are measured by the same episodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..backend.random import manual_seed
from ..nn import Module, ModuleDict
from ..train import Goal, Recipe, Trainer
from ..viz import spread
from .environment import make_vector
from .rollouts import play


class Experience:
    """Batches to learn from, which an agent makes by acting: a pass over it is a round, ended by a test.

    A subclass defines `round`, which gives the batches. returns: the mean of `episodes` test episodes after each round,
    in which the best action is taken; when `solved` is reached twice in a row there is nothing more to learn.

    >>> class Idle(gg.rl.Experience):
    ...     def round(self):
    ...         yield gg.zeros(1)
    >>> idle = Idle("CartPole", 2, lambda seen: seen[:, 2] > 0, solved=500.0)
    >>> len(list(idle)), len(idle.returns)
    (1, 1)
    """

    def __init__(
        self,
        environment: str,
        count: int,
        greedy: Callable[[np.ndarray], Any],
        solved: float,
        seed: int = 0,
        episodes: int = 20,
    ):
        self.many, self.tests = make_vector(environment, count), make_vector(environment, episodes)
        self.greedy, self.solved, self.seed = greedy, solved, seed
        self.random = np.random.default_rng(seed)
        self.returns: list[float] = []
        self.observations: Any = None

    def round(self) -> Iterator[Any]:
        """Act, and give batches to learn from."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[Any]:
        if len(self.returns) > 1 and min(self.returns[-2:]) >= self.solved:
            return
        if self.observations is None:
            self.observations, _ = self.many.reset(seed=self.seed)
        yield from self.round()
        self.returns.append(float(play(self.tests, self.greedy, seed=1000 + len(self.returns)).mean()))


class Acting(Recipe):
    """A recipe in which `agents` networks learn to act. A recipe defines `network` and `learn`.

    >>> gg.rl.Acting.settings()
    {'agents': 3, 'discount': 0.99, 'environment': 'CartPole', 'epochs': 1, 'lr': 0.001, 'solved': 495.0}
    """

    environment = "CartPole"
    agents = 3
    discount = 0.99
    lr = 1e-3
    solved = 495.0  # the mean return at which an agent need not learn more
    variants: tuple[str, ...] = ("",)  # names of ways to learn, which are compared
    goals = {"return of 100 episodes, worst agent": Goal(475, form=".1f")}

    def network(self, observations: int, actions: int) -> Module:
        """Return an agent's network, new."""
        raise NotImplementedError

    def scores(self, model: Module, observations: Tensor) -> Tensor:
        """Return the scores of the actions, of which the best is taken in tests: (n, actions)."""
        raise NotImplementedError

    def learn(self, model: Any, seed: int, variant: str) -> tuple[Trainer, Experience]:
        """Return what trains an agent, and its experience."""
        raise NotImplementedError

    def build(self) -> Module:
        one = make_vector(self.environment, 1)
        sizes = int(np.prod(one.single_observation_space.shape)), int(one.single_action_space.n)
        names = [f"{variant}{i}" for variant in self.variants for i in range(self.agents)]
        return ModuleDict({name: self.network(*sizes) for name in names})

    def tensor(self, array: np.ndarray) -> Tensor:
        """Return an array as a Tensor on the run's device."""
        return asarray(array, device=self.device)

    def greedy(self, model: Module) -> Callable[[np.ndarray], np.ndarray]:
        """Return the function from observations to the actions that `model` scores best."""

        def act(observations: np.ndarray) -> np.ndarray:
            with no_grad():
                return self.scores(model, self.tensor(observations)).cpu().numpy().argmax(axis=1)

        return act

    def train(self) -> None:
        self.record["returns"] = {}
        for variant in self.variants:
            self.record["returns"][variant] = found = []
            for i in range(self.agents):
                manual_seed(self.options.seed + i)
                trainer, experience = self.learn(self.model[f"{variant}{i}"], self.options.seed + i, variant)
                self.fit(trainer, experience, name=f"{variant}{i}")
                found.append(experience.returns)

    def evaluate(self) -> dict[str, float]:
        many, figures = make_vector(self.environment, 100), {}
        for variant in self.variants:
            models = [self.model[f"{variant}{i}"] for i in range(self.agents)]
            means = [float(play(many, self.greedy(model), seed=123).mean()) for model in models]
            name = f"return of 100 episodes{variant and f', {variant}'}"
            figures |= {f"{name}, worst agent": min(means), f"{name}, mean of the agents": sum(means) / len(means)}
        return figures

    def draw(self) -> None:
        named = {variant or self.name: returns for variant, returns in self.record["returns"].items()}
        spread(named, self.picture("returns"), x="round", y=f"return of an episode of {self.environment}")
