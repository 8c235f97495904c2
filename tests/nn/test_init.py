"""nn.init against PyTorch's: names and arguments, exact values without chance, and distributions with it."""

import inspect
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import ShapeError

SHAPE = (60, 50, 3, 2)
NAMES = [name for name in dir(torch.nn.init) if name.endswith("_") and not name.startswith("_")]


@pytest.mark.parametrize("name", [*NAMES, "calculate_gain"])
def test_names_and_arguments_are_torchs(name):
    ours, theirs = (inspect.signature(getattr(lib.init, name)).parameters for lib in (nn, torch.nn))
    assert list(ours) == list(theirs)
    assert [p.default for p in ours.values()] == [p.default for p in theirs.values()]


def filled(lib, init, name, shape, *args, **options):
    made = getattr(init, name)(lib.zeros(*shape), *args, **options)
    return made.detach().numpy()


@pytest.mark.parametrize(
    ("name", "args", "options"),
    [
        ("uniform_", (-1.0, 3.0), {}), ("normal_", (1.0, 2.0), {}), ("trunc_normal_", (0.5, 2.0, -1.0, 3.0), {}),
        ("xavier_uniform_", (2.0,), {}), ("xavier_normal_", (2.0,), {}), ("kaiming_uniform_", (), {}),
        ("kaiming_uniform_", (0.2, "fan_out"), {}), ("kaiming_normal_", (), {"nonlinearity": "relu"}),
        ("kaiming_normal_", (), {"mode": "fan_out", "nonlinearity": "tanh"}),
    ],
)  # fmt: skip
def test_distributions_are_torchs(name, args, options):
    torch.manual_seed(0)
    ours = filled(gg, nn.init, name, SHAPE, *args, **options)
    theirs = filled(torch, torch.nn.init, name, SHAPE, *args, **options)
    spread = float(theirs.std())
    assert ours.mean() == pytest.approx(theirs.mean(), abs=0.05 * spread)
    assert ours.std() == pytest.approx(spread, rel=0.03)
    quantiles = [np.quantile(a, [0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.999]) for a in (ours, theirs)]
    np.testing.assert_allclose(*quantiles, atol=0.12 * spread)
    if "normal" not in name or name.startswith("trunc"):
        np.testing.assert_allclose([ours.min(), ours.max()], [theirs.min(), theirs.max()], atol=0.01 * spread)


@given(
    shape=st.lists(st.integers(1, 5), min_size=3, max_size=5), groups=st.integers(1, 3), value=st.floats(-5, 5)
)  # fmt: skip
@settings(deadline=None, max_examples=30)
def test_exact_values_are_torchs(shape, groups, value):
    shape = [shape[0] * groups, *shape[1:]]
    for name, size, args in (
        ("dirac_", shape, (groups,)), ("eye_", shape[:2], ()), ("constant_", shape, (value,)), ("ones_", shape, ()),
        ("zeros_", shape, ()),
    ):  # fmt: skip
        ours, theirs = (filled(*lib, name, size, *args) for lib in ((gg, nn.init), (torch, torch.nn.init)))
        np.testing.assert_array_equal(ours, theirs)


@given(shape=st.lists(st.integers(1, 6), min_size=2, max_size=4), gain=st.floats(0.5, 2))
@settings(deadline=None, max_examples=30)
def test_orthogonal(shape, gain):
    values = filled(gg, nn.init, "orthogonal_", shape, gain)
    matrix = values.reshape(shape[0], -1)
    product = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(product, gain**2 * np.eye(len(product)), atol=1e-5)


def test_orthogonal_matrices_are_spread_evenly():
    turns = [filled(gg, nn.init, "orthogonal_", (2, 2)) for _ in range(400)]
    assert np.mean([np.linalg.det(t) > 0 for t in turns]) == pytest.approx(0.5, abs=0.1)
    assert np.abs(np.mean(turns, axis=0)).max() < 0.12


@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.95, 1.0])
def test_sparse(sparsity):
    ours, theirs = (filled(*lib, "sparse_", (30, 20), sparsity, 0.5) for lib in ((gg, nn.init), (torch, torch.nn.init)))
    assert ((ours == 0).sum(axis=0) == (theirs == 0).sum(axis=0)).all()
    assert len({tuple(column) for column in (ours == 0).T.tolist()}) > 1 or sparsity in (0.0, 1.0)
    if sparsity < 1:
        assert ours[ours != 0].std() == pytest.approx(0.5, rel=0.3)


NONLINEARITIES = ["linear", "conv2d", "conv_transpose3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]


@pytest.mark.parametrize("name", NONLINEARITIES)
@pytest.mark.parametrize("parameter", [None, 0.3])
def test_gain(name, parameter):
    expected = torch.nn.init.calculate_gain(name, parameter)
    assert nn.init.calculate_gain(name, parameter) == pytest.approx(expected)


def test_the_tensor_itself_is_filled_outside_the_graph(device):
    weight = nn.Parameter(gg.zeros((4, 3), device=device))
    assert nn.init.normal_(weight) is weight
    assert weight.is_leaf
    generators = [gg.Generator().manual_seed(3) for _ in range(2)]
    first, second = (nn.init.uniform_(gg.empty((5,)), generator=g).tolist() for g in generators)
    assert first == second != nn.init.uniform_(gg.empty((5,))).tolist()


def test_sixteen_bit_floats():
    values = nn.init.xavier_normal_(gg.empty((50, 50), dtype="float16"))
    assert values.dtype == gg.float16
    assert float(values.astype("float32").std()) == pytest.approx(math.sqrt(2 / 100), rel=0.1)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: nn.init.xavier_uniform_(gg.empty((3,))), ShapeError),
        (lambda: nn.init.eye_(gg.empty((3, 3, 3))), ShapeError),
        (lambda: nn.init.dirac_(gg.empty((3, 3))), ShapeError),
        (lambda: nn.init.dirac_(gg.empty((3, 3, 3)), 2), ShapeError),
        (lambda: nn.init.sparse_(gg.empty((3,)), 0.1), ShapeError),
        (lambda: nn.init.orthogonal_(gg.empty((3,))), ShapeError),
        (lambda: nn.init.kaiming_normal_(gg.empty((3, 3)), mode="fan"), ValueError),
        (lambda: nn.init.calculate_gain("swish"), ValueError),
    ],
)
def test_errors(call, error):
    with pytest.raises(error):
        call()
