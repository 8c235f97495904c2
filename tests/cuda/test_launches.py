"""What is counted of a cuda device's work, and that training steps stay within their budgets of it."""

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.autograd.op import OPS
from gpugrad.backend.cuda import is_emulated
from gpugrad.ops import ops_with_path

from . import training_steps

BUDGETS = tomllib.loads((Path(__file__).parent / "launch_budgets.toml").read_text())
LAYERS = 2
OWN = ("kernels", "products")  # a GPU's array library does not say what it launches

# Ops that have a kernel, and whose gradient is computed by the array library in float32: reductions that no training
# step spends its time on.
RULES_IN_FLOAT32 = {"logsumexp", "max", "min", "prod", "std", "var"}


def steps():
    return [(network, mode) for network, modes in BUDGETS.items() for mode in modes]


@pytest.mark.parametrize(("network", "mode"), steps())
def test_a_training_step_stays_within_its_budget(cuda, network, mode):
    made = training_steps.transformer(LAYERS) if network == "transformer" else training_steps.images()
    step = training_steps.step_of(made, mode)
    step()  # makes the optimizer's state
    with gg.cuda.launches() as ran:
        step()
    budget = dict(BUDGETS[network][mode])
    never = budget.pop("never")
    limits = {kind: whole + LAYERS * each for kind, (whole, each) in budget.items()}
    seen = {kind: count for kind, count in ran.totals().items() if is_emulated() or kind in OWN}
    above = [f"{kind}: {count}, at most {limits[kind]}" for kind, count in seen.items() if count > limits[kind]]
    assert not above, f"{above}\n{ran}"
    names = [*ran.kernels, *ran.products]
    wrong = [name for name in names for pattern in never if re.search(pattern, name)]
    assert not wrong, f"in float32: {wrong}"
    assert any("optimizer_step" in name for name in names), "the step was skipped"


def test_kinds_of_work(cuda):
    x = gg.ones(3, 4, device=cuda)
    with gg.cuda.launches() as ran:
        y = (x + 1) @ x.T
    assert ran.kernels == {"map<add_forward, float, float, float>": 1}
    assert ran.products == {"default float32": 1}
    assert not ran.arrays and not ran.fills and not ran.uploads, ran
    with gg.cuda.launches() as outer:
        with gg.cuda.launches() as inner:
            gg.exp(x)
        gg.exp(x)
    assert (inner.kernels.total(), outer.kernels.total()) == (1, 2)
    gg.exp(x)
    assert outer.kernels.total() == 2
    assert y.shape == (3, 3)


@pytest.mark.skipif(not is_emulated(), reason="a GPU's array library does not say what it launches")
def test_calls_of_the_array_library(cuda):
    x = gg.ones(3, 4, device=cuda)
    with gg.cuda.launches() as ran:
        x._array.T.reshape(2, 6), x._array[1:], x._array.sum(), x._array.copy()
        cuda.xp.zeros(3), cuda.xp.ascontiguousarray(x._array.T), cuda.asarray(np.ones(3))
        x._array[0] = 2.0
        x._array[0] = x._array[1]
        x.sum().item()
    assert ran.totals() == {"kernels": 1, "products": 0, "arrays": 5, "fills": 2, "uploads": 1, "waits": 1}, ran
    assert all("at test_launches.py" in name for name in [*ran.arrays, *ran.fills, *ran.uploads])
    assert "arrays: 5" in str(ran)


def test_every_kernel_of_a_forward_has_one_for_its_backward():
    found = set()
    for name in ops_with_path("cuda"):
        op = OPS[name]
        path = op.paths["cuda"]
        if op.__module__.startswith("gpugrad.") and op.rules and path.backward_function is None:
            found |= set() if op.exact_gradient else {name}
    assert found == RULES_IN_FLOAT32
