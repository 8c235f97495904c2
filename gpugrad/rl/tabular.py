"""Tabular methods: values of states and actions learned from episodes, without a model of the world."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np


class Learned(NamedTuple):
    """What was learned, values (S,) or (S, A), and the sum of rewards of each episode."""

    values: np.ndarray
    returns: list[float]


def epsilon_greedy(q: np.ndarray, epsilon: float, random: np.random.Generator) -> int:
    """Return the best action by its values `q` (A,), ties broken at random; with probability `epsilon` any action.

    >>> gg.rl.epsilon_greedy(np.array([0.0, 2.0, 1.0]), 0.0, np.random.default_rng(0))
    1
    """
    if random.random() < epsilon:
        return int(random.integers(len(q)))
    return int(random.choice(np.flatnonzero(q == q.max())))


def td_zero(
    environment: Any,
    policy: Callable[[int], int],
    episodes: int,
    lr: float = 0.1,
    discount: float = 0.95,
    seed: int = 0,
) -> Learned:
    """Learn the values of a policy: V(s) += lr (r + discount V(s') - V(s)) (Sutton 1988; Sutton and Barto 6.1).

    >>> world = gg.rl.GridWorld(["S.G"])
    >>> gg.rl.td_zero(world, lambda state: 1, 200, discount=0.5).values.round(3).tolist()
    [0.5, 1.0, 0.0]
    """
    values, returns = np.zeros(environment.observation_space.n), []
    for episode in range(episodes):
        total = 0.0
        for state, _, reward, following, done in _episode(environment, policy, seed if episode == 0 else None):
            values[state] += lr * (reward + (0 if done else discount * values[following]) - values[state])
            total += reward
        returns.append(total)
    return Learned(values, returns)


def _episode(environment: Any, act: Callable[[int], int], seed: int | None) -> Iterator[tuple]:
    """Give (state, action, reward, next state, whether it is final) of each step."""
    state, _ = environment.reset(seed=seed)
    over = False
    while not over:
        action = act(state)
        following, reward, terminated, truncated, _ = environment.step(action)
        yield state, action, reward, following, terminated
        state, over = following, terminated or truncated


def q_learning(
    environment: Any, episodes: int, lr: float = 0.1, discount: float = 0.95, epsilon: float = 0.1, seed: int = 0
) -> Learned:
    """Learn Q(s, a) += lr (r + discount max_a' Q(s', a') - Q(s, a)), the values of the best policy (Watkins 1989).

    It acts epsilon-greedily meanwhile, and learns what is best all the same.

    >>> world = gg.rl.GridWorld(["S.G"])
    >>> gg.rl.q_learning(world, 300, discount=0.5).values.max(axis=1).round(2).tolist()
    [0.5, 1.0, 0.0]
    """
    return _control(environment, episodes, lr, discount, epsilon, seed, lambda q, action: q.max())


def sarsa(
    environment: Any, episodes: int, lr: float = 0.1, discount: float = 0.95, epsilon: float = 0.1, seed: int = 0
) -> Learned:
    """Learn Q(s, a) += lr (r + discount Q(s', a') - Q(s, a)), where a' is what is done next.

    These are the values of acting epsilon-greedily, so it keeps away from where a random step is dear (Rummery and
    Niranjan 1994; Sutton and Barto 6.4).

    >>> world = gg.rl.GridWorld(["S.G"])
    >>> gg.rl.sarsa(world, 300, discount=0.5, epsilon=0.0).values.max(axis=1).round(2).tolist()
    [0.5, 1.0, 0.0]
    """
    return _control(environment, episodes, lr, discount, epsilon, seed, lambda q, action: q[action])


def _control(
    environment: Any,
    episodes: int,
    lr: float,
    discount: float,
    epsilon: float,
    seed: int,
    followed: Callable[[np.ndarray, int], float],
) -> Learned:
    """Learn action values, of which `followed` says what the next state's are worth."""
    random = np.random.default_rng(seed)
    q, returns = np.zeros((environment.observation_space.n, environment.action_space.n)), []
    for episode in range(episodes):
        state, _ = environment.reset(seed=seed if episode == 0 else None)
        action, total, over = epsilon_greedy(q[state], epsilon, random), 0.0, False
        while not over:
            following, reward, terminated, truncated, _ = environment.step(action)
            chosen = epsilon_greedy(q[following], epsilon, random)
            worth = 0.0 if terminated else discount * followed(q[following], chosen)
            q[state, action] += lr * (reward + worth - q[state, action])
            state, action, total, over = following, chosen, total + reward, terminated or truncated
        returns.append(total)
    return Learned(q, returns)
