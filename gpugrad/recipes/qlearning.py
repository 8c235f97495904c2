"""Q-learning and SARSA beside a cliff: what is best, and what is best for one who stumbles now and then."""

import numpy as np

from ..rl import GridWorld, q_learning, sarsa, value_iteration
from ..train import Goal, Recipe
from ..viz import grid_world, spread

CLIFF = ("........", "........", "........", "SXXXXXXG")
METHODS = {"Q-learning": q_learning, "SARSA": sarsa}


class BesideACliff(Recipe):
    """Learns tables of action values on the cliff walk, by Q-learning and by SARSA.

    Watkins 1989; Rummery and Niranjan 1994; the world is that of Sutton and Barto, example 6.6. Q-learning finds the
    shortest way along the edge, SARSA a safer one, which earns more while actions are still random now and then.
    """

    minutes = 0.5
    goals = {
        "value lost by Q-learning's policy": Goal(1e-9, lower=True, form=".3f"),
        "SARSA earns more while exploring": Goal(0, form=".3f"),
    }
    quick = {"episodes": 300}
    episodes = 3000
    seeds = 5
    lr = 0.2
    epsilon = 0.1
    step_reward = -0.02

    def train(self) -> None:
        world = GridWorld(CLIFF, step_reward=self.step_reward)
        for name, method in METHODS.items():
            runs = [
                method(world, self.episodes, self.lr, 1.0, self.epsilon, seed=self.options.seed + i)
                for i in range(self.seeds)
            ]
            self.record[name] = {
                "values": [run.values.tolist() for run in runs],
                "returns": [np.convolve(run.returns, np.full(50, 0.02), "valid")[::10].tolist() for run in runs],
            }

    def evaluate(self) -> dict[str, float]:
        mdp = GridWorld(CLIFF, step_reward=self.step_reward).mdp(0.999)
        start = GridWorld(CLIFF).fields.ravel().tolist().index("S")
        best = value_iteration(mdp).values[start]
        reached = [mdp.evaluate(np.array(q).argmax(axis=1))[start] for q in self.record["Q-learning"]["values"]]
        earned = {name: np.mean([run[-50:] for run in self.record[name]["returns"]]) for name in METHODS}
        return {
            "value lost by Q-learning's policy": float(best - min(reached)),
            "SARSA earns more while exploring": float(earned["SARSA"] - earned["Q-learning"]),
            **{f"return of {name} while exploring": float(value) for name, value in earned.items()},
        }

    def draw(self) -> None:
        tables = {name: np.mean(self.record[name]["values"], axis=0) for name in METHODS}
        values, policies = ({n: f(table, axis=1) for n, table in tables.items()} for f in (np.max, np.argmax))
        grid_world(GridWorld(CLIFF).fields, values, policies, self.picture("values"))
        returns = {name: self.record[name]["returns"] for name in METHODS}
        spread(returns, self.picture("returns"), x="tens of episodes", y="return, mean of 50")
