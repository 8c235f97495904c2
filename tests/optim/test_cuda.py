"""Optimizer steps in one launch: PyTorch's numbers, and those of the CPU path in 16 bits."""

import numpy as np
import pytest
import torch

import gpugrad as gg
from gpugrad import nn, optim
from gpugrad.optim import cuda as launches

SHAPES = [(8193,), (7,), (), (2, 3, 4), (0, 3), (127,), (16, 65)]
CASES = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "maximize": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("Adam", {"lr": 0.01, "weight_decay": 0.1, "betas": (0.8, 0.9), "eps": 1e-3}),
    ("Adam", {"lr": 0.01, "amsgrad": True, "maximize": True}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.01, "amsgrad": True, "maximize": True}),
    ("NAdam", {"lr": 0.01, "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {"lr": 0.01, "betas": (0.8, 0.7)}),
    ("Adamax", {"lr": 0.01, "weight_decay": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.5}),
    ("Adadelta", {"weight_decay": 0.1, "rho": 0.5}),
    ("RMSprop", {"lr": 0.01}),
    ("RMSprop", {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.01, "centered": True, "alpha": 0.5, "eps": 1e-3}),
    ("RMSprop", {"lr": 0.01, "centered": True, "momentum": 0.9, "alpha": 0.5, "eps": 1e-3}),
    ("Rprop", {"lr": 0.01, "step_sizes": (5e-3, 0.02), "maximize": True}),
    ("ASGD", {"lr": 0.1, "lambd": 0.1, "t0": 2}),
]
IDS = [f"{name}-{'-'.join(options)}" for name, options in CASES]


@pytest.fixture(autouse=True)
def counts_in_float64():
    """PyTorch keeps the counts and products in its state in the default dtype."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def launched(monkeypatch):
    """The instances that steps launch."""
    names, launch = [], launches.kernels.launch
    monkeypatch.setattr(launches.kernels, "launch", lambda name, **rest: names.append(name) or launch(name, **rest))
    return names


def parameters(values, device, dtype="float64"):
    return [nn.Parameter(gg.tensor(v, device=device, dtype=dtype)) for v in values]


def drawn(seed):
    random = np.random.default_rng(seed)
    return [np.asarray(random.standard_normal(shape)) for shape in SHAPES]


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_steps_are_torchs_in_one_launch(cuda, launched, name, options):
    ours, theirs = parameters(drawn(0), cuda), [torch.nn.Parameter(torch.tensor(v)) for v in drawn(0)]
    a, b = getattr(optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options)
    for i in range(4):
        for p, q, g in zip(ours, theirs, drawn(i + 1), strict=True):
            p.grad, q.grad = gg.tensor(g, device=cuda, dtype="float64"), torch.tensor(g)
        a.step()
        b.step()
    assert len(launched) == 4
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.detach().cpu().numpy(), q.detach().numpy(), rtol=1e-12, atol=1e-12)
        for held, value in b.state[q].items():
            if isinstance(mine := a.state[p][held], gg.Tensor):
                np.testing.assert_allclose(mine.cpu().numpy(), value.numpy(), rtol=1e-12, atol=1e-12)


LION = "Lion", {"lr": 0.01, "weight_decay": 0.1, "betas": (0.6, 0.8)}


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize(("name", "options"), [CASES[2], CASES[4], LION], ids=["SGD", "Adam", "Lion"])
def test_every_dtype_agrees_with_the_cpu(cuda, name, options, dtype):
    sides = []
    for device in (gg.device("cpu"), cuda):
        made = parameters(drawn(0), device, dtype)
        a = getattr(optim, name)(made, **options)
        for i in range(3):
            for p, g in zip(made, drawn(i + 1), strict=True):
                p.grad = gg.tensor(g, device=device, dtype=dtype)
            a.step()
        sides.append([p.detach().cpu().to(dtype="float64").numpy() for p in made])
    rtol = {"float32": 2e-6, "float16": 2e-3, "bfloat16": 1.6e-2}[dtype]
    for expected, got in zip(*sides, strict=True):
        np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol)


def test_parameters_that_missed_steps_and_views_at_odd_addresses(cuda, way, launched):
    """Another step count is another launch; p[1:] is not aligned to 16 bytes."""
    ours, theirs = (
        parameters(drawn(0)[:2], cuda, "float32"),
        [torch.tensor(v, dtype=torch.float32) for v in drawn(0)[:2]],
    )
    ours[0] = nn.Parameter(ours[0].detach()[1:])
    theirs = [torch.nn.Parameter(theirs[0][1:].clone()), torch.nn.Parameter(theirs[1])]
    a, b = optim.Adam(ours, lr=0.1), torch.optim.Adam(theirs, lr=0.1)
    for i in range(3):
        for p, q, g in zip(ours, theirs, drawn(i + 1), strict=False):
            g = np.float32(g)[: p.shape[0]]
            skipped = i == 0 and p is ours[1]
            p.grad, q.grad = (None, None) if skipped else (gg.tensor(g, device=cuda), torch.tensor(g))
        a.step()
        b.step()
    assert len(launched) == 1 + 2 + 2
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.detach().cpu().numpy(), q.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_the_table_is_sent_again_only_when_addresses_change(cuda):
    (p,) = made = parameters([np.ones(5)], cuda)
    a = optim.SGD(made, lr=0.1)
    p.grad = gg.ones(5, device=cuda, dtype="float64")
    a.step()
    a.step()
    assert len(a._tables) == 1
    keep = p.grad
    p.grad = gg.ones(5, device=cuda, dtype="float64")
    a.step()
    assert len(a._tables) == 2 and keep is not p.grad
    np.testing.assert_allclose(p.detach().cpu().numpy(), 0.7 * np.ones(5))


def test_a_subclass_with_its_own_update_is_not_replaced(cuda, launched):
    class Still(optim.SGD):
        def _update(self, xp, group, scalars, param, grad, scratch1, scratch2, *state):
            pass

    (p,) = made = parameters([np.ones(3)], cuda)
    p.grad = gg.ones(3, device=cuda, dtype="float64")
    Still(made, lr=0.1).step()
    assert launched == [] and (p.detach().cpu().numpy() == 1).all()
