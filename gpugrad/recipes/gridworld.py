"""A grid world: the Bellman equation solved by repetition, by policies, and by linear algebra."""

import numpy as np

from ..rl import GridWorld, policy_iteration, value_iteration
from ..train import Goal, Recipe
from ..viz import grid_world

WORLD = ("S....", ".##.X", ".#...", "...#G")


class BellmanEquation(Recipe):
    """Solves a grid world by value iteration and policy iteration, checked by a linear solve.

    V(s) = max_a (r(s, a) + discount * sum_s' P(s' | s, a) V(s')) (Bellman 1957; Sutton and Barto, chapter 4).
    """

    minutes = 0.1
    goals = {
        "largest difference of value and policy iteration": Goal(1e-9, lower=True, form=".1e"),
        "largest error in the Bellman equation": Goal(1e-9, lower=True, form=".1e"),
        "largest difference from a linear solve": Goal(1e-9, lower=True, form=".1e"),
    }
    discount = 0.95
    slip = 0.2

    def train(self) -> None:
        world = GridWorld(WORLD, slip=self.slip, step_reward=-0.01)
        mdp = world.mdp(self.discount)
        by_values, by_policies = value_iteration(mdp, 1e-13), policy_iteration(mdp)
        self.record = {
            "values": by_values.values.tolist(), "policy": by_policies.policy.tolist(),
            "other": by_policies.values.tolist(),
            "rounds of value iteration": by_values.rounds, "rounds of policy iteration": by_policies.rounds,
        }  # fmt: skip

    def evaluate(self) -> dict[str, float]:
        mdp = GridWorld(WORLD, slip=self.slip, step_reward=-0.01).mdp(self.discount)
        values, policy = np.array(self.record["values"]), np.array(self.record["policy"])
        rows = np.arange(len(policy)), policy
        solved = np.linalg.solve(np.eye(len(policy)) - self.discount * mdp.transitions[rows], mdp.rewards[rows])
        return {
            "largest difference of value and policy iteration": np.abs(values - np.array(self.record["other"])).max(),
            "largest error in the Bellman equation": np.abs(mdp.backup(values).max(axis=1) - values).max(),
            "largest difference from a linear solve": np.abs(solved - values).max(),
            "rounds of value iteration": self.record["rounds of value iteration"],
            "rounds of policy iteration": self.record["rounds of policy iteration"],
        }

    def draw(self) -> None:
        found = {"best values and policy": np.array(self.record["values"])}
        policy = {"best values and policy": np.array(self.record["policy"])}
        grid_world(GridWorld(WORLD).fields, found, policy, self.picture("values"))
