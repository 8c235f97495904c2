"""Tensors inside Python sequences are stacked, with their gradients and dtypes, wherever an array is taken."""

from collections import deque

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import GradientError, ShapeError

F = nn.functional
W = np.array([1.0, 10.0])


def pair(dtype="float64"):
    return [gg.tensor(x, dtype=dtype, requires_grad=True) for x in (2.0, 3.0)]


def w():
    return gg.tensor(W)


# (a call of a = 2 and b = 3, its value, d(sum of it)/da, d(sum of it)/db), by hand
CALLS = {
    "dot": (lambda a, b: gg.dot([a, b], w()), 32, 1, 10),
    "mean": (lambda a, b: gg.mean([a, b]), 2.5, 0.5, 0.5),
    "maximum": (lambda a, b: gg.maximum([a, b], 2.5), [2.5, 3], 0, 1),
    "add": (lambda a, b: w() + [a, b], [3, 13], 1, 1),
    "radd": (lambda a, b: (a, b) + w(), [3, 13], 1, 1),
    "matmul": (lambda a, b: w() @ [a, b], 32, 1, 10),
    "asarray": (lambda a, b: gg.asarray([a * b, a]), [6, 2], 4, 2),
    "asarray dtype": (lambda a, b: gg.asarray([a * b, a], dtype="float64", copy=True), [6, 2], 4, 2),
    "nested": (lambda a, b: gg.asarray([[a, 1], (2.0, b)]), [[2, 1], [2, 3]], 1, 1),
    "deeply nested": (lambda a, b: gg.asarray([[[1.0]], [[a * b]]]), [[[1]], [[6]]], 3, 2),
    "arrays": (lambda a, b: gg.asarray([W, gg.stack([a, b])]), [[1, 10], [2, 3]], 1, 1),
    "deque": (lambda a, b: gg.asarray(deque([a, b])), [2, 3], 1, 1),
    "full": (lambda a, b: gg.full(3, a) * b, [6, 6, 6], 9, 6),
    "full, a row": (lambda a, b: gg.full((2, 2), [a, b]), [[2, 3], [2, 3]], 2, 2),
    "full_like": (lambda a, b: gg.full_like(w(), a * b), [6, 6], 6, 4),
    "linspace": (lambda a, b: gg.linspace(a, b, 3), [2, 2.5, 3], 1.5, 1.5),
    "linspace, one number": (lambda a, b: gg.linspace(0, b, 4), [0, 1, 2, 3], 0, 2),
    "logspace": (lambda a, b: gg.logspace(a, b, 2), [100, 1000], 100 * np.log(10), 1000 * np.log(10)),
    "concatenate": (lambda a, b: gg.concatenate([[a], [b]]), [2, 3], 1, 1),
    "stack": (lambda a, b: gg.stack([[a, b], [b, 1.0]]), [[2, 3], [3, 1]], 1, 2),
    "where": (lambda a, b: gg.where([True, False], [a, b], 0.0), [2, 0], 1, 0),
    "clip": (lambda a, b: gg.clip(w(), [a, b], None), [2, 10], 1, 0),
    "einsum": (lambda a, b: gg.einsum("i,i", [a, b], w()), 32, 1, 10),
    "linear": (lambda a, b: F.linear([a, b], [[a, b]]), [13], 4, 6),
    "mse_loss": (lambda a, b: F.mse_loss([a, b], w(), reduction="sum"), 50, 2, -14),
    "layer_norm": (lambda a, b: F.layer_norm(w(), (2,), None, [a, b]), [2 - 1, 3 + 1], 1, 1),
    "max, dim": (lambda a, b: gg.max([a, b], dim=0)[0], 3, 0, 1),
    "embedding": (lambda a, b: F.embedding([0, 1, 1], [[a], [b]]), [[2], [3], [3]], 1, 2),
    "diff": (lambda a, b: gg.diff([a, b]), [1], -1, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_value_and_gradient(name):
    call, value, da, db = CALLS[name]
    a, b = pair()
    out = call(a, b)
    assert out.dtype == np.float64
    np.testing.assert_allclose(out.detach().numpy(), value, rtol=1e-4 if name == "layer_norm" else 1e-14)
    grads = gg.autograd.grad(out.sum(), [a, b], allow_unused=True)
    np.testing.assert_allclose([0.0 if g is None else g.item() for g in grads], [da, db], rtol=1e-14)


def test_higher_derivatives_go_through():
    a, b = pair()
    out = gg.prod([a * a, b])
    (first,) = gg.autograd.grad(out, a, create_graph=True)
    (second,) = gg.autograd.grad(first, a)
    assert (first.item(), second.item()) == (12.0, 6.0)


def test_elements_written_in_place_keep_their_gradients():
    a, b = pair()
    y = gg.zeros(2, dtype="float64")
    y[...] = [a, b]
    z = w()
    z.copy_([b, a])
    grads = gg.autograd.grad((y * w()).sum() + (z * w()).sum(), [a, b])
    assert [g.item() for g in grads] == [11.0, 11.0]


def test_upstream_gradients_may_be_a_sequence_of_tensors():
    a, b = pair()
    x = gg.tensor([1.0, 1.0], dtype="float64", requires_grad=True)
    (g,) = gg.autograd.grad([x * x], x, [[a, b]], create_graph=True)
    np.testing.assert_array_equal(g.detach().numpy(), [4, 6])
    assert gg.autograd.grad(g.sum(), b)[0].item() == 2.0


@pytest.mark.parametrize(
    ("items", "dtype"),
    [
        ([np.float32(1), "float64"], "float64"),
        ([1, "float32"], "float32"),
        ([1.5, "float16"], "float16"),  # a Python number is weak
        ([True, "int32"], "int32"),
        ([1.5, "int64"], "float32"),
        ([[1, 2], ["float64", 3]], "float64"),
        (["float16", "float32"], "float32"),
    ],
)
def test_dtypes_are_promoted(items, dtype):
    def made(item):
        return (
            [made(i) for i in item]
            if isinstance(item, list)
            else gg.ones((), dtype=item)
            if isinstance(item, str)
            else item
        )

    for function in (gg.asarray, gg.tensor):
        assert function(made(items)).dtype == dtype


def test_tensor_and_parameter_are_leaves_with_a_copy():
    a, b = pair()
    for made in (gg.tensor([a, b]), gg.Tensor([a, b]), nn.Parameter([a, b]).detach()):
        assert made.is_leaf
        assert not made.requires_grad
        assert made.dtype == np.float64
        np.testing.assert_array_equal(made.numpy(), [2, 3])
    assert gg.tensor([a, b], requires_grad=True).is_leaf


def test_no_graph_under_no_grad():
    with gg.no_grad():
        assert not gg.asarray(pair()).requires_grad
        assert not gg.full(3, pair()[0]).requires_grad


def test_arguments_without_a_gradient_refuse_tensors_that_require_one():
    a, _ = pair()
    x = w()
    for call, name in [
        (lambda: F.leaky_relu(x, a), "negative_slope"),
        (lambda: F.leaky_relu(x, negative_slope=a), "negative_slope"),
        (lambda: gg.nan_to_num(x, nan=a), "nan"),
        (lambda: gg.pad(x, 1, constant_values=a), "constant_values"),
        (lambda: gg.quantile(x, [a / 10, 0.5]), "q"),
        (lambda: gg.arange(a), "stop"),
    ]:  # fmt: skip
        with pytest.raises(GradientError, match=f"no gradient flows to {name}"):
            call()


def test_ragged_sequences_are_refused():
    a, _ = pair()
    with pytest.raises(ShapeError):
        gg.asarray([[a, a], [a]])


def test_autocast_sees_the_stacked_tensor():
    a, b = pair("float32")
    with gg.autocast("cpu"):
        assert gg.matmul([a, b], gg.ones(2)).dtype.name == "bfloat16"
