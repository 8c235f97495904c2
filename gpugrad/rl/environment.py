"""Environment: a task with Gymnasium's interface, one at a time or many in step with each other."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from ..errors import DataError, ShapeError
from ..optional import need


class Environment:
    """A task: `reset` begins an episode, `step` takes an action, as in Gymnasium.

    A subclass gives `observation_space`, `action_space`, `max_steps` (after which an episode is cut off; 0: never) and
    three functions of many states at once: `starts`, `advance` and, where a state is not what is seen, `observe`.

    >>> environment = gg.rl.CartPole()
    >>> observation, info = environment.reset(seed=0)
    >>> observation.shape
    (4,)
    >>> observation, reward, terminated, truncated, info = environment.step(1)
    >>> reward, terminated, truncated
    (1.0, False, False)
    """

    observation_space: Any
    action_space: Any
    max_steps: int = 0

    def starts(self, random: np.random.Generator, count: int) -> np.ndarray:
        """Return `count` states in which an episode begins: (count, ...)."""
        raise NotImplementedError

    def advance(
        self, states: np.ndarray, actions: np.ndarray, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the next states, the rewards (n,), and whether each episode has come to its end (n,)."""
        raise NotImplementedError

    def observe(self, states: np.ndarray) -> np.ndarray:
        """Return what is seen of the states."""
        return states

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; returns the first observation. A seed begins the random numbers anew."""
        if seed is not None or not hasattr(self, "_many"):
            self._many = VectorEnvironment(self, 1)
        observations, _ = self._many.reset(seed=seed)
        return _one(observations), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take an action; returns observation, reward, terminated (the end), truncated (cut off at `max_steps`).

        Raises DataError before `reset` and after the end of an episode, and for an action that is none of the space's.
        """
        many = getattr(self, "_many", None)
        if many is None or many.over[0]:
            raise DataError(f"{type(self).__name__}.step: call reset first, no episode is under way")
        if action not in self.action_space:
            raise DataError(f"{type(self).__name__}.step: expected an action of {self.action_space}, got {action!r}")
        observations, rewards, terminated, truncated, _ = many.step(np.asarray(action)[None], reset=False)
        return _one(observations), float(rewards[0]), bool(terminated[0]), bool(truncated[0]), {}


def _one(observations: np.ndarray) -> Any:
    """Return the only observation, a number as Python's."""
    return observations[0] if observations.ndim > 1 else observations[0].item()


class VectorEnvironment:
    """Runs `count` episodes of an Environment at once, as Gymnasium's vector environments: arrays (count, ...).

    An episode that ends is followed by a new one in the same step; its last observation is then in
    `info["final_obs"]`, an array of all last observations, and `info["_final_obs"]` says whose are valid.

    >>> many = gg.rl.VectorEnvironment(gg.rl.CartPole(), 3)
    >>> observations, info = many.reset(seed=0)
    >>> observations, rewards, terminated, truncated, info = many.step(np.array([0, 1, 1]))
    >>> observations.shape, rewards.tolist()
    ((3, 4), [1.0, 1.0, 1.0])
    """

    def __init__(self, environment: Environment, count: int):
        if count < 1:
            raise ShapeError(f"VectorEnvironment: count must be at least 1, got {count}")
        self.environment, self.num_envs = environment, count
        self.single_observation_space, self.single_action_space = (
            environment.observation_space,
            environment.action_space,
        )
        self.random = np.random.default_rng()
        self.over = np.ones(count, bool)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin all episodes; returns the first observations."""
        if seed is not None:
            self.random = np.random.default_rng(seed)
        self.states = self.environment.starts(self.random, self.num_envs)
        self.steps, self.over = np.zeros(self.num_envs, np.int64), np.zeros(self.num_envs, bool)
        return self.environment.observe(self.states), {}

    def step(
        self, actions: Any, reset: bool = True
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Take an action in each; returns observations, rewards, terminated, truncated, and the last observations."""
        actions = np.asarray(actions)
        if len(actions) != self.num_envs:
            raise ShapeError(f"VectorEnvironment.step: expected {self.num_envs} actions, got shape {actions.shape}")
        self.states, rewards, terminated = self.environment.advance(self.states, actions, self.random)
        self.steps += 1
        truncated = (self.steps >= (self.environment.max_steps or np.inf)) & ~terminated
        self.over, observations = terminated | truncated, self.environment.observe(self.states)
        if not reset or not self.over.any():
            return observations, rewards, terminated, truncated, {}
        info = {"final_obs": observations, "_final_obs": self.over}
        self.states = self.states.copy()
        self.states[self.over] = self.environment.starts(self.random, int(self.over.sum()))
        self.steps[self.over] = 0
        return self.environment.observe(self.states), rewards, terminated, truncated, info


Kind = TypeVar("Kind", bound=Environment)
_OWN: dict[str, type[Environment]] = {}


def named(kind: type[Kind]) -> type[Kind]:
    """Make an Environment known to `make` under the name of its class."""
    _OWN[kind.__name__] = kind
    return kind


def make(name: str, **options: Any) -> Any:
    """Return an environment by name: one of ours, or any of Gymnasium's where it is installed (they have "-v" in them).

    Raises DataError for an unknown name and MissingPackageError without Gymnasium.

    >>> gg.rl.make("GridWorld").action_space
    Discrete(4)
    """
    if name in _OWN:
        return _OWN[name](**options)
    if "-v" not in name:
        raise DataError(
            f"make: there is no environment {name!r}; there are {', '.join(_OWN)}, and Gymnasium's, as CartPole-v1"
        )
    return need("gymnasium", f"the environment {name}", "rl").make(name, **options)


def make_vector(name: str, count: int, **options: Any) -> Any:
    """Return `count` environments that are stepped at once, with new episodes in the step in which one ends.

    >>> gg.rl.make_vector("CartPole", 2).num_envs
    2
    """
    if name in _OWN:
        return VectorEnvironment(_OWN[name](**options), count)
    gymnasium: Any = need("gymnasium", f"the environment {name}", "rl")
    same_step = gymnasium.vector.AutoresetMode.SAME_STEP
    return gymnasium.make_vec(
        name, count, vectorization_mode="sync", vector_kwargs={"autoreset_mode": same_step}, **options
    )
