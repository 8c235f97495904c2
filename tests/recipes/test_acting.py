"""Agents: quick runs of each way to learn, and the formulas that they minimise, by hand."""

import numpy as np
import pytest
from recipes.runs import quick_run

import gpugrad as gg
from gpugrad.recipes.actor_critic import PolicyGradient
from gpugrad.recipes.dqn import QLearning
from gpugrad.recipes.ppo import PolicyOptimization


@pytest.mark.parametrize("name, least", [("dqn", 60), ("ppo", 100), ("actor_critic", 100), ("reinforce", 30)])
def test_agents_learn(tmp_path, name, least):
    run = quick_run(name, tmp_path)
    assert next(iter(run.figures.values())) > least  # 22 by acting at random, 9 by always doing the same


@pytest.mark.parametrize("name", ["gridworld", "qlearning"])
def test_tables(tmp_path, name):
    run = quick_run(name, tmp_path)
    assert "(at" in run.printed


class Fixed(gg.nn.Module):
    """Gives what its parameters are."""

    def __init__(self, *outputs):
        super().__init__()
        self.outputs = gg.nn.ParameterList([gg.nn.Parameter(gg.tensor(output)) for output in outputs])

    def forward(self, input):
        outputs = list(self.outputs)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)


def column(values, dtype=np.float32):
    return gg.tensor(np.array(values, dtype))


@pytest.mark.parametrize("double, following", [(True, 3.0), (False, 7.0)])
def test_the_target_of_q_learning(double, following):
    """Double: the online network prefers action 1, which the target values 3; else the target's own best, 7."""
    online, target = Fixed([[1.0, 2.0]]), Fixed([[7.0, 3.0]])
    trainer = QLearning(gg.nn.ModuleDict({"online": online, "target": target}), None, 0.5, double, 0.1)
    batch = column([[0.0]]), column([0], np.int64), column([0.25]), column([[0.0]]), column([0.0])
    error = 0.25 + 0.5 * following - 1.0
    assert trainer.loss_of(batch).item() == pytest.approx(abs(error) - 0.5 if abs(error) > 1 else error**2 / 2)
    final = *batch[:4], column([1.0])
    assert trainer.loss_of(final).item() == pytest.approx(0.75**2 / 2)


LOGITS, VALUES = [[0.0, 1.0], [2.0, -1.0], [0.5, 0.5]], [0.1, -0.2, 0.3]
ACTIONS, ADVANTAGES, RETURNS = [1, 1, 0], [1.0, -2.0, 0.5], [1.0, 2.0, 3.0]


def numbers():
    scores = np.array(LOGITS) - np.log(np.exp(LOGITS).sum(1, keepdims=True))
    entropy = -(np.exp(scores) * scores).sum(1).mean()
    return scores[np.arange(3), ACTIONS], 0.5 * np.square(np.subtract(VALUES, RETURNS)).mean() - 0.01 * entropy


def test_the_loss_of_actor_and_critic():
    chosen, others = numbers()
    batch = column([[0.0]]), column(ACTIONS, np.int64), None, column(ADVANTAGES), column(RETURNS)
    expected = -(chosen * ADVANTAGES).mean() + others
    assert PolicyGradient(Fixed(LOGITS, VALUES), None).loss_of(batch).item() == pytest.approx(expected, rel=1e-5)


def test_the_clipped_loss():
    chosen, others = numbers()
    old = chosen - np.log([1.5, 0.5, 1.1])  # the ratios
    scaled = (np.array(ADVANTAGES) - np.mean(ADVANTAGES)) / (np.std(ADVANTAGES) + 1e-8)
    pieces = [
        1.2 * scaled[0],
        0.8 * scaled[1],
        1.1 * scaled[2],
    ]  # both beyond the clip are held, in their bad direction
    batch = column([[0.0]]), column(ACTIONS, np.int64), column(old), column(ADVANTAGES), column(RETURNS)
    loss = PolicyOptimization(Fixed(LOGITS, VALUES), None).loss_of(batch).item()
    assert loss == pytest.approx(-np.mean(pieces) + others, rel=1e-4)
