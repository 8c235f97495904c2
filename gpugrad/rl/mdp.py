"""Markov decision processes: the Bellman equation, value iteration, policy iteration."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import ShapeError


class MDP:
    """A Markov decision process of S states and A actions (R. Bellman 1957; Sutton and Barto, "Reinforcement Learning",
    chapter 3).

    transitions: (S, A, S), the probability of each next state; a row of zeros says that nothing follows. rewards:
    (S, A), those expected. discount: in [0, 1]. Raises ShapeError for shapes or probabilities that do not fit.

    >>> stay_or_go = gg.rl.MDP([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]], [[0.0, 1.0], [0.0, 0.0]], 0.9)
    >>> stay_or_go.backup(np.zeros(2)).tolist()
    [[0.0, 1.0], [0.0, 0.0]]
    """

    def __init__(self, transitions: object, rewards: object, discount: float = 0.95):
        self.transitions, self.rewards = np.asarray(transitions, np.float64), np.asarray(rewards, np.float64)
        self.discount = discount
        shape = self.transitions.shape
        if len(shape) != 3 or shape[0] != shape[2] or self.rewards.shape != shape[:2]:
            raise ShapeError(
                f"MDP: expected transitions (S, A, S) and rewards (S, A), got {shape} and {self.rewards.shape}"
            )
        sums = self.transitions.sum(2)
        if (self.transitions < 0).any() or not (np.isclose(sums, 1) | (sums == 0)).all():
            raise ShapeError("MDP: the probabilities of next states must be at least 0 and add up to 1, or all be 0")
        if not 0 <= discount <= 1:
            raise ShapeError(f"MDP: discount must be in [0, 1], got {discount}")

    def backup(self, values: np.ndarray) -> np.ndarray:
        """Return the right side of the Bellman equation, Q(s, a) = r(s, a) + discount * sum_s' P(s' | s, a) V(s')."""
        return self.rewards + self.discount * self.transitions @ values

    def evaluate(self, policy: np.ndarray) -> np.ndarray:
        """Return the values of a policy (S,) of actions, exactly: the solution of V = r + discount * P V."""
        states = np.arange(len(policy))
        transitions, rewards = self.transitions[states, policy], self.rewards[states, policy]
        return np.linalg.solve(np.eye(len(policy)) - self.discount * transitions, rewards)


class Solution(NamedTuple):
    """The best values (S,), a policy (S,) that reaches them, and the rounds that were needed."""

    values: np.ndarray
    policy: np.ndarray
    rounds: int


def value_iteration(mdp: MDP, tolerance: float = 1e-12, max_rounds: int = 100_000) -> Solution:
    """Repeat V(s) = max_a Q(s, a) until no value changes by more than `tolerance` (Bellman 1957).

    >>> chain = gg.rl.GridWorld(["S..G"]).mdp(discount=0.5)
    >>> gg.rl.value_iteration(chain).values.tolist()
    [0.25, 0.5, 1.0, 0.0]
    """
    values, rounds, change = np.zeros(len(mdp.rewards)), 0, np.inf
    while change > tolerance and rounds < max_rounds:
        new = mdp.backup(values).max(axis=1)
        change, values, rounds = np.abs(new - values).max(), new, rounds + 1
    return Solution(values, mdp.backup(values).argmax(axis=1), rounds)


def policy_iteration(mdp: MDP, max_rounds: int = 1000) -> Solution:
    """Evaluate a policy exactly and act greedily by its values, until it no longer changes (Howard 1960).

    An action is changed only where another one is better by more than rounding, so the rounds come to an end.

    >>> chain = gg.rl.GridWorld(["S..G"]).mdp(discount=0.5)
    >>> gg.rl.policy_iteration(chain).policy[:3].tolist()
    [1, 1, 1]
    """
    policy, states = np.zeros(len(mdp.rewards), np.int64), np.arange(len(mdp.rewards))
    values, rounds, changing = np.zeros(len(mdp.rewards)), 0, True
    while changing and rounds < max_rounds:
        values, rounds = mdp.evaluate(policy), rounds + 1
        q = mdp.backup(values)
        better = q.max(axis=1) > q[states, policy] + 1e-10
        policy, changing = np.where(better, q.argmax(axis=1), policy), better.any()
    return Solution(values, policy, rounds)
