"""Distributions: densities, moments, entropies and divergences as PyTorch's, gradients included; samples by moments."""

import numpy as np
import pytest
import torch

import gpugrad as gg
from gpugrad.errors import DTypeError, OptionError, ShapeError

rng = np.random.default_rng(12)


def real(*shape):
    return rng.standard_normal(shape)


def positive(*shape):
    return rng.uniform(0.5, 3.0, shape)


def chance(*shape):
    return rng.uniform(0.1, 0.9, shape)


def counts(high, *shape):
    return rng.integers(0, high, shape).astype(np.float64)


def spd(n):
    a = real(n, n)
    return a @ a.T + np.eye(n)


SIMPLEX = chance(3, 4) / 1.0
SIMPLEX /= SIMPLEX.sum(-1, keepdims=True)
ONE_HOT = np.eye(4)[[0, 2, 1]]
# name: (parameters, values)
CASES = {
    "Normal": ({"loc": real(3), "scale": positive(3)}, real(2, 3)),
    "HalfNormal": ({"scale": positive(3)}, positive(2, 3)),
    "LogNormal": ({"loc": real(3), "scale": chance(3) / 2}, positive(2, 3)),
    "Laplace": ({"loc": real(3), "scale": positive(3)}, real(2, 3)),
    "Cauchy": ({"loc": real(3), "scale": positive(3)}, real(2, 3)),
    "Gumbel": ({"loc": real(3), "scale": positive(3)}, real(2, 3)),
    "Uniform": ({"low": real(3) - 3, "high": real(3) + 3}, chance(2, 3)),
    "Exponential": ({"rate": positive(3)}, positive(2, 3)),
    "Gamma": ({"concentration": positive(3), "rate": positive(3)}, positive(2, 3)),
    "Chi2": ({"df": positive(3)}, positive(2, 3)),
    "Beta": ({"concentration1": positive(3) + 1, "concentration0": positive(3) + 1}, chance(2, 3)),
    "Dirichlet": ({"concentration": positive(3, 4) + 0.6}, SIMPLEX),
    "StudentT": ({"df": positive(3) + 6, "loc": real(3), "scale": positive(3)}, real(2, 3)),
    "Bernoulli": ({"probs": chance(3)}, counts(2, 2, 3)),
    "Bernoulli logits": ({"logits": real(3)}, counts(2, 2, 3)),
    "Binomial": ({"total_count": np.array(5.0), "probs": chance(3)}, counts(6, 2, 3)),
    "Geometric": ({"probs": chance(3)}, counts(5, 2, 3)),
    "NegativeBinomial": ({"total_count": positive(3), "probs": chance(3)}, counts(5, 2, 3)),
    "Poisson": ({"rate": positive(3)}, counts(5, 2, 3)),
    "Categorical": ({"probs": SIMPLEX * 2}, counts(4, 2, 3)),
    "Categorical logits": ({"logits": real(3, 4)}, counts(4, 2, 3)),
    "OneHotCategorical": ({"probs": SIMPLEX}, ONE_HOT),
    "Multinomial": ({"total_count": 5, "probs": SIMPLEX}, np.array([[2.0, 1, 1, 1]])),
    "MultivariateNormal": ({"loc": real(2, 3), "covariance_matrix": spd(3)}, real(4, 2, 3)),
    "MultivariateNormal precision": ({"loc": real(3), "precision_matrix": spd(3)}, real(4, 3)),
    "MultivariateNormal factor": ({"loc": real(3), "scale_tril": np.linalg.cholesky(spd(3))}, real(4, 3)),
}  # fmt: skip
PROPERTIES = "mean variance stddev mode batch_shape event_shape has_rsample".split()
FLAT = {"total_count"}  # no gradient


def make(library, name, device=None):
    given, value = CASES[name]
    made = {
        k: library.tensor(v, requires_grad=k not in FLAT, device=device) if isinstance(v, np.ndarray) else v
        for k, v in given.items()
    }
    kind = getattr(library.distributions, name.split()[0])
    return kind(**made), library.tensor(value, device=device), [made[k] for k in made if k not in FLAT]


def compare(ours, theirs, leaves, others):
    """Values, and gradients of their weighted sum."""
    if not hasattr(theirs, "detach"):
        assert ours == theirs
        return
    assert ours.shape == tuple(theirs.shape)
    np.testing.assert_allclose(ours.detach().cpu().numpy(), theirs.detach().numpy(), rtol=1e-7, atol=1e-9)
    assert ours.requires_grad == theirs.requires_grad
    if theirs.requires_grad:
        weights = np.random.default_rng(0).standard_normal(ours.shape)
        mine = gg.grad((ours * gg.tensor(weights, device=ours.device)).sum(), leaves, allow_unused=True)
        other = torch.autograd.grad((theirs * torch.tensor(weights)).sum(), others, allow_unused=True)
        for a, b in zip(mine, other, strict=True):
            a, b = (0 if g is None else g.cpu().numpy() for g in (a, b))
            np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-8)


def called(distribution, what, value):
    """A property, or a method of the value or of none; None where there is no such thing."""
    try:
        found = getattr(distribution, what)
        if what == "entropy":
            return found()
        return found(value) if callable(found) else found
    except NotImplementedError:
        return None


@pytest.mark.parametrize("name", CASES)
def test_as_in_torch(name):
    for what in [*PROPERTIES, "log_prob", "cdf", "entropy"]:
        (mine, value, leaves), (other, torch_value, others) = make(gg, name), make(torch, name)
        theirs = called(other, what, torch_value)
        if (name, what) == ("Uniform", "mode"):  # NaN, with a gradient in PyTorch
            continue
        if theirs is None or (name, what) in MISSING:
            continue
        try:
            compare(called(mine, what, value), theirs, leaves, others)
        except Exception as error:
            error.add_note(f"{name}.{what}")
            raise


MISSING = {("Gamma", "cdf"), ("Chi2", "cdf")}  # compared below: PyTorch's has no gradient either, and says so late


@pytest.mark.parametrize(
    "name", ["Normal", "LogNormal", "HalfNormal", "Laplace", "Cauchy", "Gumbel", "Uniform", "Exponential"]
)
def test_icdf_undoes_cdf(name):
    mine, value, _ = make(gg, name)
    below = mine.cdf(value).detach()
    known = ((below > 1e-5) & (below < 1 - 1e-5)).numpy()
    assert known.any()
    np.testing.assert_allclose(mine.icdf(below).detach().numpy()[known], value.numpy()[known], rtol=1e-9)


def test_cdf_of_gamma():
    p, value = gg.distributions.Gamma(2.0, 3.0), gg.tensor(1.5)
    assert p.cdf(value).item() == pytest.approx(
        torch.distributions.Gamma(2.0, 3.0).cdf(torch.tensor(1.5)).item(), rel=1e-6
    )


@pytest.mark.parametrize("name", [n for n in CASES if n not in ("Cauchy", "MultivariateNormal precision")])
def test_samples_have_the_moments(name):
    gg.manual_seed(1)
    mine, _, _ = make(gg, name)
    values = mine.sample((4000,))
    assert values.shape == (4000, *mine.batch_shape, *mine.event_shape)
    assert not values.requires_grad
    if not name.startswith("Categorical"):
        spread = mine.stddev.detach().numpy()
        error = np.abs(values.numpy().mean(0) - mine.mean.detach().numpy()) / (spread / np.sqrt(4000) + 1e-12)
        assert error.max() < 4.5
        assert np.abs(values.numpy().std(0) / spread - 1).max() < 0.35
    else:
        frequency = np.stack([(values.numpy() == k).mean(0) for k in range(4)], -1)
        assert np.abs(frequency - mine.probs.detach().numpy()).max() < 0.04
    assert np.isfinite(mine.log_prob(values).detach().numpy()).all()


@pytest.mark.parametrize(
    "name", ["Normal", "Laplace", "LogNormal", "Exponential", "Gamma", "Beta", "Dirichlet", "StudentT"]
)
def test_gradients_of_samples_estimate_those_of_expectations(name):
    gg.manual_seed(2)
    mine, _, leaves = make(gg, name)
    estimated = gg.grad(mine.rsample((6000,)).mean(0).sum(), leaves, allow_unused=True)
    exact = gg.grad(mine.mean.sum() + sum(leaf.sum() * 0 for leaf in leaves), leaves)
    for a, b in zip(estimated, exact, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=0.12 * max(1, np.abs(b.numpy()).max()))


def test_the_gradient_of_a_gamma_sample_is_implicit():
    gg.manual_seed(0)
    shape = gg.tensor(np.geomspace(0.05, 300, 30), requires_grad=True)
    draws = gg.distributions.Gamma(shape, gg.ones(30, dtype="float64")).rsample()
    draws.sum().backward()
    expected = torch._standard_gamma_grad(torch.tensor(shape.detach().numpy()), torch.tensor(draws.detach().numpy()))
    np.testing.assert_allclose(shape.grad.numpy(), expected.numpy(), rtol=2e-3)


PAIRS = [
    *((n, n) for n in ("Normal", "HalfNormal", "LogNormal", "Laplace", "Exponential", "Gamma", "Beta", "Dirichlet")),
    *((n, n) for n in ("Bernoulli", "Binomial", "Geometric", "Poisson", "Categorical", "OneHotCategorical")),
    ("MultivariateNormal", "MultivariateNormal"), ("Uniform", "Normal"), ("Exponential", "Gamma"), ("Chi2", "Gamma"),
    ("Bernoulli logits", "Bernoulli"), ("Uniform", "Uniform"),
]  # fmt: skip


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_divergences(p, q):
    def of(library):
        first, _, leaves = make(library, p)
        given = {
            k: v * 1.1 if isinstance(v, np.ndarray) and k != "total_count" and "probs" not in k else v
            for k, v in CASES[q][0].items()
        }
        tensors = {
            k: library.tensor(v, requires_grad=k not in FLAT) if isinstance(v, np.ndarray) else v
            for k, v in given.items()
        }
        second = getattr(library.distributions, q.split()[0])(**tensors)
        return library.distributions.kl_divergence(first, second), leaves + [
            tensors[k] for k in tensors if k not in FLAT
        ]

    (mine, leaves), (theirs, others) = of(gg), of(torch)
    compare(mine, theirs, leaves, others)


def test_independent_and_expand():
    p = gg.distributions.Normal(gg.zeros(2, 3), gg.ones(2, 3))
    joint = gg.distributions.Independent(p, 1)
    assert (joint.batch_shape, joint.event_shape) == ((2,), (3,))
    assert joint.log_prob(gg.zeros(2, 3)).shape == (2,)
    assert joint.expand((4, 2)).sample().shape == (4, 2, 3)
    assert gg.distributions.kl_divergence(joint, joint).tolist() == [0, 0]
    assert gg.distributions.Categorical(logits=gg.zeros(4)).expand((3,)).sample((2,)).shape == (2, 3)
    assert gg.distributions.MultivariateNormal(gg.zeros(2), gg.eye(2)).expand((5,)).sample().shape == (5, 2)


@pytest.mark.parametrize("build", [
    lambda m, t: [t.AffineTransform(1.0, -2.0), t.SigmoidTransform()],
    lambda m, t: [t.ExpTransform(), t.PowerTransform(m.tensor(2.0))],
    lambda m, t: [t.TanhTransform()],
    lambda m, t: [t.ComposeTransform([t.AffineTransform(0.5, 0.5), t.SoftplusTransform()])],
])  # fmt: skip
def test_transformed(build):
    def of(library):
        loc = library.tensor(np.array([0.3, -0.2]), requires_grad=True)
        base = library.distributions.Normal(loc, library.tensor(np.array([1.0, 0.5])))
        made = library.distributions.TransformedDistribution(base, build(library, library.distributions.transforms))
        value = library.tensor(np.array([0.6, 0.4]))
        return (made.log_prob(value), made.cdf(value)), [loc]

    (mine, leaves), (theirs, others) = of(gg), of(torch)
    for a, b in zip(mine, theirs, strict=True):
        compare(a, b, leaves, others)


def test_supports_are_enumerated():
    for name in ("Bernoulli", "Binomial", "Categorical", "OneHotCategorical"):
        for expand in (True, False):
            mine, theirs = (make(library, name)[0].enumerate_support(expand) for library in (gg, torch))
            np.testing.assert_array_equal(mine.numpy(), theirs.numpy())


def test_one_seed_one_sample(cuda):
    p = {where: gg.distributions.Gamma(gg.ones(3, device=where), gg.ones(3, device=where)) for where in ("cpu", "cuda")}
    gg.manual_seed(5)
    first = p["cpu"].sample((2,))
    gg.manual_seed(5)
    assert gg.array_equal(p["cuda"].sample((2,)).cpu(), first)


def test_errors():
    d = gg.distributions
    with pytest.raises(OptionError, match="Normal: scale must be positive, got -1.0"):
        d.Normal(0.0, -1.0)
    with pytest.raises(OptionError, match="Bernoulli: the value must be 0 or 1, got 0.5"):
        d.Bernoulli(0.5).log_prob(0.5)
    with pytest.raises(ShapeError, match=r"Dirichlet: a value \(2,\) does not end in \(3,\)"):
        d.Dirichlet(gg.ones(3)).log_prob(gg.ones(2) / 2)
    with pytest.raises(DTypeError, match="Categorical: give one of probs and logits"):
        d.Categorical()
    with pytest.raises(NotImplementedError, match="none is registered for Normal and Gamma"):
        d.kl_divergence(d.Normal(0.0, 1.0), d.Gamma(1.0, 1.0))
    assert d.Normal(0.0, -1.0, validate_args=False).scale.item() == -1
