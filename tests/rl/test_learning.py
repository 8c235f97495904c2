"""Decision processes solved by linear algebra, tabular methods that find the same, experience by hand."""

import itertools

import numpy as np
import pytest

from gpugrad.errors import ShapeError
from gpugrad.rl import (
    MDP,
    GridWorld,
    ReplayBuffer,
    discounted_returns,
    generalized_advantages,
    policy_iteration,
    q_learning,
    sarsa,
    td_zero,
    value_iteration,
)  # fmt: skip

WORLD = GridWorld(["S..", ".#X", "..G"], slip=0.2, step_reward=-0.02)


def best_by_search(mdp):
    """The largest value of each state over all policies, each evaluated by a linear solve of our own."""
    count, actions = mdp.rewards.shape
    best = np.full(count, -np.inf)
    for policy in itertools.product(range(actions), repeat=count):
        rows = np.arange(count), list(policy)
        values = np.linalg.solve(np.eye(count) - mdp.discount * mdp.transitions[rows], mdp.rewards[rows])
        best = np.maximum(best, values)
    return best


def test_value_and_policy_iteration_find_the_best_of_all_policies():
    random = np.random.default_rng(0)
    transitions = random.random((5, 3, 5))
    mdp = MDP(transitions / transitions.sum(2, keepdims=True), random.normal(size=(5, 3)), 0.9)
    best = best_by_search(mdp)
    for solve in (value_iteration, policy_iteration):
        found = solve(mdp)
        np.testing.assert_allclose(found.values, best, atol=1e-9)
        np.testing.assert_allclose(mdp.evaluate(found.policy), best, atol=1e-9)
        np.testing.assert_allclose(mdp.backup(best).max(1), best, atol=1e-9)  # the Bellman equation


def test_a_grid_world_by_hand():
    values = value_iteration(GridWorld(["S.G"], step_reward=-0.1).mdp(discount=0.5)).values
    np.testing.assert_allclose(values, [-0.1 + 0.5 * 1, 1, 0], atol=1e-12)


def test_tabular_methods_approach_the_exact_values():
    mdp = WORLD.mdp(0.9)
    best = value_iteration(mdp)
    learned = q_learning(WORLD, 4000, lr=0.05, discount=0.9, epsilon=0.3, seed=1)
    visited = np.flatnonzero(np.isin(WORLD.fields.ravel(), ["S", "."]))
    assert np.abs(learned.values.max(1) - best.values)[visited].max() < 0.1
    exact = mdp.evaluate(best.policy)
    values = td_zero(WORLD, lambda state: best.policy[state], 4000, lr=0.02, discount=0.9).values
    assert abs(values[0] - exact[0]) < 0.05


def test_sarsa_keeps_away_from_the_cliff():
    """Sutton and Barto, example 6.6: the values of acting at random now and then prefer the detour."""
    cliff = GridWorld(["......", "......", "SXXXXG"], step_reward=-0.05)
    off, on = (method(cliff, 3000, lr=0.1, discount=1.0, epsilon=0.2, seed=0).values for method in (q_learning, sarsa))
    edge = 6 + 2  # above the cliff
    assert off[edge].argmax() == 1
    assert on[edge].argmax() == 0


def test_wrong_processes_are_refused():
    with pytest.raises(ShapeError, match=r"transitions \(S, A, S\) and rewards \(S, A\), got \(2, 1, 2\) and \(2,\)"):
        MDP(np.zeros((2, 1, 2)), np.zeros(2))
    with pytest.raises(ShapeError, match="add up to 1"):
        MDP(np.full((2, 1, 2), 0.4), np.zeros((2, 1)))
    with pytest.raises(ShapeError, match=r"discount must be in \[0, 1\], got 2"):
        MDP(np.zeros((2, 1, 2)), np.zeros((2, 1)), 2)


def test_returns_and_advantages_by_hand():
    returns = discounted_returns([1.0, 2.0, 4.0], 0.5, ends=[0, 1, 0], last=8.0)
    assert returns.tolist() == [2.0, 2.0, 8.0]
    rewards, values, following = np.float32([1, 1, 1]), np.float32([0.5, 1, 2]), np.float32([1, 3, 4])
    deltas = [1 + 0.9 * 1 - 0.5, 1 + 0.9 * 3 - 1, 1 - 2]  # the last step is the end
    expected = [deltas[0] + 0.72 * (deltas[1] + 0.72 * deltas[2]), deltas[1] + 0.72 * deltas[2], deltas[2]]
    found = generalized_advantages(rewards, values, following, [0, 0, 1], [0, 0, 1], 0.9, 0.8)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    cut = generalized_advantages(rewards, values, following, [0, 0, 0], [0, 1, 1], 0.9, 0.8)
    np.testing.assert_allclose(cut, [deltas[0] + 0.72 * deltas[1], deltas[1], 1 + 0.9 * 4 - 2], rtol=1e-6)


def test_replay_buffer():
    memory = ReplayBuffer(4, seed=0)
    with pytest.raises(ShapeError, match="nothing was added"):
        memory.sample(1)
    for i in range(3):
        memory.add(np.arange(2 * i, 2 * i + 2), np.zeros((2, 3)))
    assert len(memory) == 4 and sorted(memory.arrays[0].tolist()) == [2, 3, 4, 5]
    numbers, rows = memory.sample(100)
    assert set(numbers.tolist()) == {2, 3, 4, 5} and rows.shape == (100, 3)
    with pytest.raises(ShapeError, match=r"equally many, got \[1, 2\]"):
        memory.add(np.zeros(1), np.zeros((2, 3)))
