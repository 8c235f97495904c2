"""Environments: a pole on a cart, a car between hills, a world of fields, arms of a bandit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DataError, ShapeError
from .environment import Environment, named
from .mdp import MDP
from .spaces import Box, Discrete


@named
class CartPole(Environment):
    """A pole on a cart that is pushed to the left (0) or right (1); each step upright gives 1 (Barto, Sutton and
    Anderson 1983, with the constants of Gymnasium's CartPole-v1).

    Observed are position, velocity, angle and its velocity. It ends when the cart is 2.4 from the middle or the pole 12
    degrees from upright, and is cut off after 500 steps.

    >>> gg.rl.CartPole().observation_space.shape
    (4,)
    """

    observation_space = Box([-4.8, -np.inf, -0.418, -np.inf], [4.8, np.inf, 0.418, np.inf])
    action_space = Discrete(2)
    max_steps = 500

    def starts(self, random: np.random.Generator, count: int) -> np.ndarray:
        return random.uniform(-0.05, 0.05, (count, 4)).astype(np.float32)

    def advance(self, states: np.ndarray, actions: np.ndarray, random: Any) -> tuple[Any, Any, Any]:
        gravity, cart, pole, half_length, force, step = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02
        x, v, angle, turning = states.T
        push = np.where(actions == 1, force, -force)
        sine, cosine = np.sin(angle), np.cos(angle)
        pushed = (push + pole * half_length * turning**2 * sine) / (cart + pole)
        turn = (gravity * sine - cosine * pushed) / (half_length * (4 / 3 - pole * cosine**2 / (cart + pole)))
        pull = pushed - pole * half_length * turn * cosine / (cart + pole)
        change = np.stack([v, pull, turning, turn], axis=1)
        states = (states + step * change).astype(np.float32)
        fallen = (np.abs(states[:, 0]) > 2.4) | (np.abs(states[:, 2]) > 12 * np.pi / 180)
        return states, np.ones(len(states), np.float32), fallen


@named
class MountainCar(Environment):
    """A car in a valley that is too weak to climb out at once: it must swing (Moore 1990; Gymnasium's MountainCar-v0).

    Actions push to the left (0), not (1) or to the right (2); each step costs 1 until the position 0.5 is reached, and
    the episode is cut off after 200. Observed are position and velocity.

    >>> gg.rl.MountainCar().action_space
    Discrete(3)
    """

    observation_space = Box([-1.2, -0.07], [0.6, 0.07])
    action_space = Discrete(3)
    max_steps = 200

    def starts(self, random: np.random.Generator, count: int) -> np.ndarray:
        return np.stack([random.uniform(-0.6, -0.4, count), np.zeros(count)], axis=1).astype(np.float32)

    def advance(self, states: np.ndarray, actions: np.ndarray, random: Any) -> tuple[Any, Any, Any]:
        x, v = states.T
        v = np.clip(v + (actions - 1) * 0.001 - 0.0025 * np.cos(3 * x), -0.07, 0.07)
        x = np.clip(x + v, -1.2, 0.6)
        v = np.where((x == -1.2) & (v < 0), 0, v)  # the wall stops it
        return np.stack([x, v], axis=1).astype(np.float32), np.full(len(x), -1, np.float32), (x >= 0.5) & (v >= 0)


@named
class Bandit(Environment):
    """A row of arms: action i gives a reward from a normal distribution of mean `means[i]` and spread 1; an episode is
    one pull. Observed is nothing: 0.

    >>> bandit = gg.rl.Bandit([0.0, 5.0])
    >>> _ = bandit.reset(seed=0)
    >>> bandit.step(1)[1] > 1
    True
    """

    observation_space = Discrete(1)

    def __init__(self, means: Sequence[float] = (0.0, 0.2, 0.5, 1.0)):
        self.means = np.asarray(means, np.float64)
        self.action_space = Discrete(len(self.means))

    def starts(self, random: np.random.Generator, count: int) -> np.ndarray:
        return np.zeros(count, np.int64)

    def advance(self, states: np.ndarray, actions: np.ndarray, random: np.random.Generator) -> tuple[Any, Any, Any]:
        rewards = random.normal(self.means[actions]).astype(np.float32)
        return states, rewards, np.ones(len(states), bool)


MAP = (
    "S...",
    ".#.X",
    "...G",
)


@named
class GridWorld(Environment):
    """Fields on which an agent goes up (0), right (1), down (2) or left (3).

    rows: "S" where it starts (several: one of them at random), "." free, "#" a wall, "G" the goal, which gives 1, and
    "X" a pit, which gives -1; both end the episode. Each step gives `step_reward`. slip: the probability of going to
    one side instead, shared by both sides. Observed is the field's number, row by row. Raises DataError for a map
    without start or goal.

    >>> world = gg.rl.GridWorld(["S.G"])
    >>> world.reset()[0], world.step(1)[0], world.step(1)[1:3]
    (0, 1, (1.0, True))
    """

    max_steps = 200

    def __init__(self, rows: Sequence[str] = MAP, slip: float = 0.0, step_reward: float = 0.0):
        if len({len(row) for row in rows}) != 1 or set("".join(rows)) - set("S.#GX"):
            raise ShapeError(f"GridWorld: expected rows of one length made of 'S.#GX', got {list(rows)}")
        self.fields = np.array([list(row) for row in rows])
        if not {"S", "G"} <= set(self.fields.ravel()):
            raise DataError(f"GridWorld: a map needs a start S and a goal G, got {list(rows)}")
        if not 0 <= slip <= 1:
            raise DataError(f"GridWorld: slip is a probability, got {slip}")
        self.slip, self.step_reward = slip, step_reward
        self.observation_space, self.action_space = Discrete(self.fields.size), Discrete(4)
        self._next = np.stack([self._neighbours(*move) for move in ((-1, 0), (0, 1), (1, 0), (0, -1))], axis=1)
        flat = self.fields.ravel()
        self._reward = np.where(flat == "G", 1.0, np.where(flat == "X", -1.0, step_reward))
        self._final = np.isin(flat, ["G", "X"])

    def _neighbours(self, down: int, right: int) -> np.ndarray:
        """Return for each field the one that a move leads to; walls and the border hold it back."""
        rows, columns = np.indices(self.fields.shape)
        to = np.clip(rows + down, 0, self.fields.shape[0] - 1), np.clip(columns + right, 0, self.fields.shape[1] - 1)
        blocked = self.fields[to] == "#"
        return np.where(blocked, rows, to[0]).ravel() * self.fields.shape[1] + np.where(blocked, columns, to[1]).ravel()

    def starts(self, random: np.random.Generator, count: int) -> np.ndarray:
        return random.choice(np.flatnonzero(self.fields.ravel() == "S"), count)

    def advance(self, states: np.ndarray, actions: np.ndarray, random: np.random.Generator) -> tuple[Any, Any, Any]:
        slipped = random.random(len(states)) < self.slip
        actions = np.where(slipped, (actions + random.choice([1, 3], len(states))) % 4, actions)
        states = self._next[states, actions]
        return states, self._reward[states].astype(np.float32), self._final[states]

    def mdp(self, discount: float = 0.95) -> MDP:
        """Return the same world as transition probabilities and rewards."""
        count = self.fields.size
        moves = np.eye(count)[self._next]  # (field, action, next field)
        sides = (np.roll(moves, 1, axis=1) + np.roll(moves, -1, axis=1)) / 2
        transitions = (1 - self.slip) * moves + self.slip * sides
        rewards = transitions @ self._reward
        transitions[self._final] = 0  # nothing follows
        rewards[self._final] = 0
        return MDP(transitions, rewards, discount)
