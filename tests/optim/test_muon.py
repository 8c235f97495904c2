"""Muon: PyTorch's steps with and without its rounding, the formula in float64, devices, state, what it refuses."""

import numpy as np
import pytest
import torch

import gpugrad as gg
from gpugrad import nn, optim
from gpugrad.errors import ShapeError
from gpugrad.optim.muon import orthogonalized

SHAPES = [(40, 30), (30, 40), (6, 6), (1, 5), (5, 1), (0, 3)]
CASES = [
    {},
    {"lr": 0.1, "weight_decay": 0.01, "adjust_lr_fn": "match_rms_adamw"},
    {"lr": 0.1, "nesterov": False, "momentum": 0.8, "adjust_lr_fn": "original"},
    {"lr": 0.1, "weight_decay": 0, "momentum": 0, "ns_steps": 3, "ns_coefficients": (2.0, -1.5, 0.5), "eps": 1.0},
]


def pair(random, shapes=SHAPES, dtype=np.float64, device="cpu"):
    values = [random.standard_normal(shape).astype(dtype) for shape in shapes]
    ours = [nn.Parameter(gg.tensor(v, device=device)) for v in values]
    return ours, [torch.nn.Parameter(torch.tensor(v)) for v in values]


def step(random, ours, theirs, a, b):
    for p, q in zip(ours, theirs, strict=True):
        g = random.standard_normal(p.shape).astype(p.dtype)
        p.grad, q.grad = gg.tensor(g, device=p.device), torch.tensor(g)
    a.step()
    b.step()


def check(ours, theirs, tolerance):
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.detach().cpu().numpy(), q.detach().numpy(), rtol=tolerance, atol=tolerance)


@pytest.fixture
def unrounded(monkeypatch):
    """PyTorch's own code, but for its rounding to bfloat16."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda tensor: tensor.clone())


@pytest.mark.parametrize("options", CASES)
def test_fifty_steps_agree_with_torch_unrounded(unrounded, options):
    random = np.random.default_rng(0)
    ours, theirs = pair(random)
    a, b = optim.Muon(ours, **options), torch.optim.Muon(theirs, **options)
    for _ in range(50):
        step(random, ours, theirs, a, b)
    check(ours, theirs, 1e-12)
    for p, q in zip(ours, theirs, strict=True):
        assert a.state[p].keys() == b.state[q].keys()
    check([a.state[p]["momentum_buffer"] for p in ours], [b.state[q]["momentum_buffer"] for q in theirs], 1e-12)


@pytest.mark.parametrize("options", CASES[:3])
def test_steps_agree_with_torch_as_far_as_its_rounding_goes(options):
    """An element of O has the size 1 / sqrt(larger axis); bfloat16 has steps of 1 / 128."""
    random = np.random.default_rng(0)
    ours, theirs = pair(random, SHAPES[:2], np.float32)
    a, b = optim.Muon(ours, **options), torch.optim.Muon(theirs, **options)
    start = [p.detach().numpy().copy() for p in ours]
    for _ in range(5):
        step(random, ours, theirs, a, b)
    for p, q, before in zip(ours, theirs, start, strict=True):
        moved, expected = p.detach().numpy() - before, q.detach().numpy() - before
        assert 0 < np.linalg.norm(moved - expected) < 0.02 * np.linalg.norm(expected)


def formula(p, gradients, lr, decay, momentum, coefficients, steps, eps):
    """The whole run of one matrix in float64, the iteration on its singular values alone."""
    a, b, c = coefficients
    m = np.zeros_like(p)
    for g in gradients:
        m = momentum * m + (1 - momentum) * g
        u, s, v = np.linalg.svd(momentum * m + (1 - momentum) * g, full_matrices=False)
        s = s / max(np.linalg.norm(s), eps)
        for _ in range(steps):
            s = a * s + b * s**3 + c * s**5
        p = (1 - lr * decay) * p - lr * max(1, p.shape[0] / p.shape[1]) ** 0.5 * (u * s) @ v
    return p


@pytest.mark.parametrize("shape", [(8, 5), (5, 8), (6, 6)])
def test_fifty_steps_are_the_formula(device, shape):
    random = np.random.default_rng(0)
    start, gradients = random.standard_normal(shape), random.standard_normal((50, *shape))
    p = nn.Parameter(gg.tensor(start, device=device))
    a = optim.Muon([p], lr=0.05)
    for g in gradients:
        p.grad = gg.tensor(g, device=device)
        a.step()
    expected = formula(start, gradients, 0.05, 0.1, 0.95, (3.4445, -4.7750, 2.0315), 5, 1e-7)
    np.testing.assert_allclose(p.detach().cpu().numpy(), expected, rtol=1e-10, atol=1e-10)


def test_singular_values_come_near_one():
    random = np.random.default_rng(0)
    u, _, v = np.linalg.svd(random.standard_normal((20, 30)), full_matrices=False)
    matrix = u * np.geomspace(1, 0.05, 20) @ v
    found = np.linalg.svd(orthogonalized(np, matrix, (3.4445, -4.7750, 2.0315), 5, 1e-7), compute_uv=False)
    assert 0.6 < found.min() and found.max() < 1.3
    exact = orthogonalized(np, matrix, (1.875, -1.25, 0.375), 30, 1e-7)  # whose fixed point is 1
    np.testing.assert_allclose(exact, u @ v, atol=1e-12)
    assert not orthogonalized(np, np.zeros((2, 3)), (3.4445, -4.7750, 2.0315), 5, 1e-7).any()


@pytest.mark.parametrize("options", CASES)
def test_state_dicts_go_both_ways(unrounded, device, options):
    random = np.random.default_rng(0)
    ours, theirs = pair(random, SHAPES[:5], device=device)
    a, b = optim.Muon(ours, **options), torch.optim.Muon(theirs, **options)
    for _ in range(3):
        step(random, ours, theirs, a, b)
    a2, b2 = optim.Muon(ours, lr=0.5), torch.optim.Muon(theirs, lr=0.5)
    a2.load_state_dict(b.state_dict())
    given = a.state_dict()
    for state in given["state"].values():
        state["momentum_buffer"] = torch.tensor(state["momentum_buffer"].cpu().numpy())
    b2.load_state_dict(given)
    step(random, ours, theirs, a2, b2)
    a3 = optim.Muon(ours)
    a3.load_state_dict(a2.state_dict())
    for _ in range(2):
        step(random, ours, theirs, a3, b2)
    check(ours, theirs, 1e-12)
    assert a3.state[ours[0]]["momentum_buffer"].device is device


def test_transposed_parameters_and_gradients(unrounded, device):
    random = np.random.default_rng(0)
    start = random.standard_normal((4, 6))
    p, q = nn.Parameter(gg.tensor(start, device=device).T), torch.nn.Parameter(torch.tensor(start).T)
    a, b = optim.Muon([p], lr=0.1), torch.optim.Muon([q], lr=0.1)
    for _ in range(3):
        g = random.standard_normal((4, 6))
        p.grad, q.grad = gg.tensor(g, device=device).T, torch.tensor(g).T
        a.step()
        b.step()
    check([p], [q], 1e-12)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_sixteen_bit_parameters_are_rounded_once(dtype, device):
    random = np.random.default_rng(0)
    values, g = (gg.tensor(random.standard_normal((5, 4)), dtype=dtype, device=device) for _ in range(2))
    low, full = nn.Parameter(values), nn.Parameter(values.astype("float32"))
    low.grad, full.grad = g, g.astype("float32")
    optim.Muon([low], lr=0.1).step()
    optim.Muon([full], lr=0.1).step()
    assert low.dtype == values.dtype
    assert low.tolist() == full.astype(dtype).tolist()


def test_closure_groups_and_parameters_without_a_gradient():
    a, b = nn.Parameter(gg.ones(2, 2)), nn.Parameter(gg.ones(2, 3))
    optimizer = optim.Muon([{"params": [a], "lr": 0.5}, {"params": [b]}])

    def closure():
        optimizer.zero_grad()
        loss = (a * a).sum()
        loss.backward()
        return loss

    with gg.no_grad():
        assert optimizer.step(closure).item() == 4
    assert (a.detach().numpy() < 1).all() and (b.detach().numpy() == 1).all()
    assert optimizer.state_dict()["param_groups"][0]["lr"] == 0.5


@pytest.mark.parametrize("name", ["Muon", "Adafactor"])
def test_a_learning_rate_that_is_a_tensor(name):
    def run(lr, how):
        p = nn.Parameter(gg.tensor([[1.0, 2.0], [3.0, 5.0]]))
        p.grad = gg.tensor([[1.0, 0.5], [-1.0, 2.0]])
        if how == "later":
            optimizer = getattr(optim, name)([p])
            optimizer.param_groups[0]["lr"] = lr
        else:
            optimizer = getattr(optim, name)([{"params": [p], "lr": lr}] if how == "group" else [p], lr=lr)
        optimizer.step()
        return p.tolist()

    for how in ("all", "group", "later"):
        assert run(gg.tensor(0.125), how) == run(0.125, how)


def test_what_it_refuses():
    matrix = nn.Parameter(gg.ones(2, 2))
    for options in (
        {"lr": -1}, {"momentum": -1}, {"weight_decay": -1}, {"adjust_lr_fn": "other"}, {"ns_steps": 100},
        {"ns_coefficients": (1.0, 2.0)},
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"Muon: .*(must|expected)"):
            optim.Muon([matrix], **options)
    for shape in ((3,), (2, 2, 2), ()):
        with pytest.raises(ShapeError, match="must be a matrix"):
            optim.Muon([matrix, nn.Parameter(gg.ones(shape))])
    optimizer = optim.Muon([matrix])
    with pytest.raises(ShapeError, match="must be a matrix"):
        optimizer.add_param_group({"params": [nn.Parameter(gg.ones(3))]})
    assert len(optimizer.param_groups) == 1
