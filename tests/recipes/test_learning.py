"""Learning itself: quick runs of its recipes, and the formulas behind their figures on cases that are known."""

import json

import numpy as np
import pytest
from recipes.runs import quick_run, said

import gpugrad as gg
from gpugrad.errors import OptionError
from gpugrad.recipes import bias_variance, find
from gpugrad.recipes.ensembles import Heads, heads_loss
from gpugrad.recipes.optimizers import Race
from gpugrad.recipes.regularisation import EarlyStopping, Penalized
from gpugrad.train import Options


@pytest.mark.parametrize(
    "name",
    ["approximation", "bandit", "bias_variance", "clipping", "debugging", "initialisation", "losses", "perceptron"],
)
def test_measured(tmp_path, name):
    run = quick_run(name, tmp_path)
    assert set(find(name).goals) <= set(run.figures)
    assert all(np.isfinite(value) for value in run.figures.values())
    reached = {"perceptron": True, "debugging": True}
    if reached.get(name):
        assert all(goal.is_met(run.figures[what]) for what, goal in find(name).goals.items())


@pytest.mark.parametrize("name", ["xor", "activations"])
def test_goals_that_a_quick_run_reaches(tmp_path, name):
    run = quick_run(name, tmp_path)
    assert all(goal.is_met(run.figures[what]) for what, goal in find(name).goals.items())


@pytest.mark.parametrize("name", ["regularisation", "schedules", "ensembles", "optimizers"])
def test_trained(tmp_path, name):
    run = quick_run(name, tmp_path)
    accuracies = [value for what, value in run.figures.items() if what.startswith("test accuracy")]
    assert max(accuracies) > 0.5 and min(accuracies) > 0.05
    assert set(find(name).goals) <= set(run.figures)


def test_mistakes_stay_below_the_bound():
    recipe = find("perceptron")(Options(seed=3, progress=False))
    points, classes, line = recipe.points()
    distance = points @ line[:2] + line[2]
    assert np.abs(distance).min() >= recipe.margin - 1e-6
    np.testing.assert_array_equal(classes, distance > 0)
    longest = np.sqrt((points**2).sum(1) + 1).max()
    assert recipe.bound() == pytest.approx((longest * np.linalg.norm(line) / np.abs(distance).min()) ** 2, rel=1e-5)


def test_the_learning_rule_by_hand():
    model = gg.models.Perceptron(2)
    points, labels = gg.tensor([[1.0, 2.0], [3.0, -1.0]]), gg.tensor([1.0, 0.0])
    assert model.learn(points, labels) == 2  # heaviside(0) is 0, then 3 - 2 + 1 > 0
    assert (model.weight.tolist(), model.bias.tolist()) == ([-2.0, 3.0], [0.0])


@pytest.mark.parametrize("degree", [0, 3])
def test_bias_and_variance_of_noise(monkeypatch, degree):
    """Of a truth that is 0, degree d fits noise alone: its d + 1 weights take noise^2 (d + 1) / n of each sample."""
    monkeypatch.setattr(bias_variance, "truth", lambda x: 0 * x)
    recipe = bias_variance.BiasVariance(Options(settings={"draws": 4000, "samples": 20}))
    measured = recipe.measured(bias_variance.polynomial(degree))
    noise = recipe.noise**2
    assert measured["bias"] < 1e-4
    assert measured["training"] == pytest.approx(noise * (1 - (degree + 1) / 20), rel=0.03)
    assert measured["variance"] == pytest.approx(noise * (degree + 1) / 20, rel=0.25)
    assert measured["test"] == pytest.approx(measured["bias"] + measured["variance"] + noise, rel=0.02)


@pytest.mark.parametrize("kind", ["gaussian", "laplace"])
def test_penalties_are_priors(kind):
    """The penalty and minus the log of the prior differ by a constant, and have the same gradient."""
    weights = [gg.tensor(np.random.default_rng(0).standard_normal((3, 4)), requires_grad=True)]
    others = [gg.tensor(np.random.default_rng(1).standard_normal((3, 4)))]
    strength = 0.3
    if kind == "gaussian":

        def prior(w):
            return gg.train.gaussian_log_prior(w, std=1 / np.sqrt(2 * strength))

        named = {"l2": strength}
    else:

        def prior(w):
            return gg.train.laplace_log_prior(w, scale=1 / strength)

        named = {"l1": strength}
    (a,), (b,) = (gg.grad(f, weights) for f in (gg.train.penalty(weights, **named), -prior(weights)))
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)
    gaps = [(gg.train.penalty(w, **named) + prior(w)).item() for w in (weights, others)]
    assert gaps[0] == pytest.approx(gaps[1], rel=1e-12)


def test_priors_are_densities():
    x = np.linspace(-30, 30, 60001)
    for prior, value in ((gg.train.gaussian_log_prior, 1.7), (gg.train.laplace_log_prior, 0.8)):
        density = [np.exp(prior([gg.tensor(np.array([at]))], value).item()) for at in x[::20]]
        assert np.trapezoid(density, x[::20]) == pytest.approx(1, abs=1e-3)
    with pytest.raises(OptionError, match="no parameters"):
        gg.train.penalty([])


def test_the_penalized_loss():
    model = gg.nn.Linear(2, 2)
    trainer = Penalized(model, None, l1=0.5, l2=2.0, progress=False)
    batch = gg.tensor([[1.0, 2.0]]), gg.tensor([1])
    w = model.weight.detach().numpy()
    plain = gg.nn.functional.cross_entropy(model(batch[0]), batch[1]).item()
    assert trainer.loss_of(batch).item() == pytest.approx(plain + 0.5 * abs(w).sum() + 2 * (w**2).sum(), rel=1e-5)
    model.eval()
    assert trainer.loss_of(batch).item() == pytest.approx(plain)


def test_early_stopping_keeps_the_best():
    model = gg.nn.Linear(1, 2)
    trainer = EarlyStopping(model, gg.optim.SGD(model.parameters(), lr=0.5), progress=False)
    learned, held_out = [(gg.ones(4, 1), gg.zeros(4, dtype="int64"))], [(gg.ones(4, 1), gg.ones(4, dtype="int64"))]
    before = model.weight.detach().numpy().copy()
    trainer.fit(learned, 3, held_out)  # each step makes the validation worse
    assert trainer.validation == sorted(trainer.validation) and trainer.best == trainer.validation[0]
    kept = trainer.kept["weight"].numpy()
    assert not np.array_equal(kept, model.weight.detach().numpy()) and not np.array_equal(kept, before)


def test_the_race_counts_steps():
    race = Race(Options(settings={"steps": 50, "rates": 3}))
    path, rate = race.best(gg.train.ravine, (1.0, 0.0), lambda p, lr: gg.optim.SGD(p, lr=lr), "gradient descent")
    assert rate == 1.0 and race.needed(gg.train.ravine, path) == 1  # along the ravine the curvature is 1
    far = np.array([[1.0, 1.0]])
    assert race.needed(gg.train.ravine, far) == 51


def test_nothing_is_regretted_where_arms_are_equal():
    recipe = find("bandit")(Options(settings={"pulls": 30}))
    random = np.random.default_rng(0)
    assert recipe.regret("UCB", np.ones((4, 5)), random).max() == 0
    missed = recipe.regret("greedy", np.tile([0.0, 1.0], (3, 1)), random)
    assert missed[0] == 1.0 and np.all(np.diff(missed) >= 0)


def test_heads_are_trained_by_the_mean_of_their_losses():
    scores, labels = gg.randn(4, 3, 10), gg.tensor([1, 2, 3, 4])
    each = [gg.nn.functional.cross_entropy(scores[:, i], labels).item() for i in range(3)]
    assert heads_loss(scores, labels).item() == pytest.approx(np.mean(each), rel=1e-5)
    assert Heads(3)(gg.zeros(2, 1, 8, 8)).shape == (2, 3, 10)


def test_verdicts_and_correlated_units():
    verdict = gg.train.learning_rate_verdict
    assert verdict([2.3] * 20) == "too low"
    assert verdict([2.3, 900.0] + [2.3] * 20) == "too high"
    assert verdict([1.0] * 10 + [float("nan")]) == "too high"
    assert verdict([2.3, 0.5] * 10 + [9.0, 2.0]) == "too high"
    with pytest.raises(OptionError, match="at least 10"):
        verdict([1.0])
    model = gg.nn.Sequential(gg.nn.Linear(3, 4), gg.nn.Tanh())
    model[0].weight.data[3] = model[0].weight.data[1]
    model[0].bias.data[3] = model[0].bias.data[1]
    (pair,) = gg.train.correlated_units(model, [gg.randn(50, 3)])
    assert (pair.layer, pair.first, pair.second) == ("1", 1, 3) and model.training


def score(values):
    return -abs(values["lr"] - 0.1)


def test_search_goes_on_from_its_log(tmp_path):
    trials = gg.train.random_trials({"lr": (0.01, 1.0)}, 6, seed=1)
    assert trials == gg.train.random_trials({"lr": (0.01, 1.0)}, 6, seed=1)
    log, called = tmp_path / "log.jsonl", []

    def counted(values):
        called.append(values)
        if len(called) == 4:
            raise KeyboardInterrupt
        return score(values)

    with pytest.raises(KeyboardInterrupt):
        gg.train.search(counted, trials, log)
    log.write_text(log.read_text() + '{"values": {"l')  # broken off in the writing
    found = gg.train.search(counted, trials, log)
    assert len(called) == 7 and [trial.values for trial in found] == trials
    assert [trial.score for trial in found] == [score(values) for values in trials]
    with pytest.raises(OptionError, match="workers"):
        gg.train.search(score, trials, workers=0)


def test_search_with_workers(tmp_path):
    trials = gg.train.grid_trials({"lr": (0.01, 1.0)}, 3)
    found = gg.train.search(score, trials, tmp_path / "log.jsonl", workers=2)
    assert [trial.score for trial in found] == [score(values) for values in trials]
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert sorted(row["values"]["lr"] for row in rows) == [0.01, 0.1, 1.0]


def test_search_resumes(tmp_path):
    run = quick_run("search", tmp_path)
    assert len((tmp_path / "search-grid.jsonl").read_text().splitlines()) == 4
    status, printed = said("train", "search", "--quick", "--resume", "--out", tmp_path)
    assert status == 0 and len((tmp_path / "search-grid.jsonl").read_text().splitlines()) == 4
    assert printed == run.printed
