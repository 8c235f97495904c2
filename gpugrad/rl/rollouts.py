"""Acting in many environments at once: what a policy saw and did, and the returns that it reaches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Rollout(NamedTuple):
    """What happened in T steps of n environments: arrays (T, n, ...), float32 but for the actions.

    next_observations are those that followed a step, the last of its episode where it ended. terminated: where nothing
    follows; ends: where an episode ended or was cut off.

    >>> rollout, _ = gg.rl.collect(gg.rl.make_vector("CartPole", 3), lambda seen: seen[:, 2] > 0, 5)
    >>> rollout.observations.shape, rollout.rewards.shape
    ((5, 3, 4), (5, 3))
    """

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    next_observations: np.ndarray
    terminated: np.ndarray
    ends: np.ndarray


def collect(
    many: Any, act: Callable[[np.ndarray], Any], steps: int, observations: Any = None, seed: int | None = None
) -> tuple[Rollout, np.ndarray]:
    """Take `steps` steps of the vector environment `many`, as `act(observations) -> actions` says.

    It goes on from `observations`, or begins anew with `seed`; returns what happened and the last observations.

    >>> many = gg.rl.make_vector("CartPole", 2)
    >>> rollout, seen = gg.rl.collect(many, lambda observations: np.array([0, 1]), 3, seed=0)
    >>> rollout, seen = gg.rl.collect(many, lambda observations: np.array([1, 0]), 3, seen)
    >>> rollout.actions.tolist()
    [[1, 0], [1, 0], [1, 0]]
    """
    if observations is None:
        observations, _ = many.reset(seed=seed)
    rows = []
    for _ in range(steps):
        actions = np.asarray(act(observations)).astype(many.single_action_space.dtype)
        following, rewards, terminated, truncated, info = many.step(actions)
        ends, last = terminated | truncated, following
        if ends.any():
            last = following.copy()
            for i in np.flatnonzero(ends):
                last[i] = info["final_obs"][i]
        rows.append((observations, actions, rewards, last, terminated, ends))
        observations = following
    seen, actions, *others = (np.stack(column) for column in zip(*rows, strict=True))
    return Rollout(seen.astype(np.float32), actions, *(array.astype(np.float32) for array in others)), observations


def play(many: Any, act: Callable[[np.ndarray], Any], seed: int | None = None, most: int = 10_000) -> np.ndarray:
    """Return the sum of rewards of one episode in each environment of `many`: (n,), of at most so many steps.

    >>> many = gg.rl.make_vector("CartPole", 50)
    >>> bool(gg.rl.play(many, lambda seen: seen[:, 2] + seen[:, 3] > 0, seed=0).mean() > 100)  # push where it falls
    True
    """
    observations, _ = many.reset(seed=seed)
    returns, going = np.zeros(many.num_envs), np.ones(many.num_envs, bool)
    while going.any() and most:
        actions = np.asarray(act(observations)).astype(many.single_action_space.dtype)
        observations, rewards, terminated, truncated, _ = many.step(actions)
        returns += going * rewards
        going &= ~(terminated | truncated)
        most -= 1
    return returns
