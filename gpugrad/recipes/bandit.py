"""The bandit: which of ten arms is best is found only by pulling others as well."""

import numpy as np

from ..rl import Bandit
from ..train import Goal, Recipe
from ..viz import curves


class Regret(Recipe):
    """Pulls a bandit's arms greedily, epsilon-greedily, and by upper confidence bounds, and adds up what was missed.

    UCB pulls the arm with the largest mean + sqrt(2 log t / pulls) (Auer et al. 2002). The regret of a pull is the best
    arm's mean minus the pulled one's; shown is the mean over many bandits with arms drawn from N(0, 1).
    """

    notes = ("4.0.3 Examples",)
    minutes = 0.1
    goals = {"regret of UCB over that of greedy": Goal(0.5, lower=True, form=".3f")}
    quick = {"bandits": 20, "pulls": 200}
    arms = 10
    bandits = 200
    pulls = 2000
    epsilon = 0.1

    def train(self) -> None:
        random = np.random.default_rng(self.options.seed)
        means = random.standard_normal((self.bandits, self.arms))
        for kind in ("greedy", "epsilon-greedy", "UCB"):
            self.record[kind] = self.regret(kind, means, np.random.default_rng(self.options.seed + 1)).tolist()

    def regret(self, kind: str, means: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Return the mean regret so far after each pull (pulls,), of bandits with the given means (bandits, arms)."""
        rows, pulled, sums = np.arange(len(means)), np.zeros(means.shape), np.zeros(means.shape)
        bandits, missed = Bandit(means.ravel().tolist()), np.zeros((self.pulls, len(means)))
        for t in range(self.pulls):
            values = np.where(pulled > 0, sums / np.maximum(pulled, 1), np.inf)  # an arm that is new comes first
            if kind == "UCB":
                values = values + np.sqrt(2 * np.log(t + 1) / np.maximum(pulled, 1))
            arms = values.argmax(axis=1)
            if kind == "epsilon-greedy":
                other = random.integers(means.shape[1], size=len(means))
                arms = np.where(random.random(len(means)) < self.epsilon, other, arms)
            _, rewards, _ = bandits.advance(rows, rows * means.shape[1] + arms, random)
            pulled[rows, arms] += 1
            sums[rows, arms] += rewards
            missed[t] = means.max(axis=1) - means[rows, arms]
        return missed.cumsum(axis=0).mean(axis=1)

    def evaluate(self) -> dict[str, float]:
        last = {kind: found[-1] for kind, found in self.record.items()}
        figures = {"regret of UCB over that of greedy": last["UCB"] / last["greedy"]}
        return figures | {f"regret after {self.pulls} pulls, {kind}": value for kind, value in last.items()}

    def draw(self) -> None:
        figure = curves(self.record, log=False)
        figure.axes[0].set(xlabel="pull", ylabel="regret so far, mean over bandits")
        figure.savefig(self.picture("regret"), dpi=150)
