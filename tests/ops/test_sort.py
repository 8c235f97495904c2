"""Sorting, searching and counting against NumPy and PyTorch."""

import numpy as np
import pytest
import torch

import gpugrad as gg
from gpugrad.autograd.convert import tensor
from gpugrad.errors import ShapeError

rng = np.random.default_rng(11)
X = rng.standard_normal((3, 5))
TIES = np.array([[2, 1, 2, 0, 1], [3, 3, 3, 3, 3]])


@pytest.mark.parametrize("axis", [-1, 0, None])
def test_sort_and_argsort_are_numpys(axis):
    np.testing.assert_array_equal(gg.sort(X, axis=axis).numpy(), np.sort(X, axis=axis))
    np.testing.assert_array_equal(gg.argsort(TIES, axis=axis).numpy(), np.argsort(TIES, axis=axis, kind="stable"))


@pytest.mark.parametrize("axis", [-1, 0])
def test_descending_is_torchs_stable_order(axis):
    values, order = torch.tensor(TIES).sort(dim=axis, descending=True, stable=True)
    np.testing.assert_array_equal(gg.sort(TIES, axis=axis, descending=True).numpy(), values.numpy())
    np.testing.assert_array_equal(gg.argsort(TIES, axis=axis, descending=True).numpy(), order.numpy())


def test_nan_is_the_largest():
    x = np.array([1.0, np.nan, -1.0])
    assert gg.argsort(x).tolist() == [2, 0, 1] and gg.argsort(x, descending=True).tolist() == [1, 0, 2]
    assert gg.topk(x, 1)[1].tolist() == [1]


@pytest.mark.parametrize("axis", [-1, 0, None])
@pytest.mark.parametrize("descending", [False, True])
def test_sort_gradient_goes_back_to_its_place(axis, descending):
    x = tensor(X, requires_grad=True)
    out = gg.sort(x, axis=axis, descending=descending)
    g = rng.standard_normal(out.shape)
    out.backward(g)
    back = np.zeros(X.shape)
    for position in np.ndindex(X.shape):
        back[position] = g[out.detach().numpy() == X[position]].item()
    np.testing.assert_array_equal(x.grad.numpy(), back)


def test_sort_gradient_among_ties_is_stable():
    x = tensor([1.0, 0.0, 1.0], requires_grad=True)
    gg.sort(x).backward([10.0, 20.0, 30.0])
    assert x.grad.tolist() == [20, 10, 30]


@pytest.mark.parametrize(
    ("k", "axis", "largest"), [(2, -1, True), (3, 0, True), (1, 1, False), (0, -1, True), (5, 1, False)]
)
def test_topk_is_torchs(k, axis, largest):
    ours, theirs = tensor(X, requires_grad=True), torch.tensor(X, requires_grad=True)
    (values, indices), expected = gg.topk(ours, k, axis, largest), torch.topk(theirs, k, axis, largest)
    np.testing.assert_array_equal(values.detach().numpy(), expected.values.detach().numpy())
    np.testing.assert_array_equal(indices.numpy(), expected.indices.numpy())
    g = rng.standard_normal(values.shape)
    values.backward(g)
    expected.values.backward(torch.tensor(g))
    np.testing.assert_array_equal(ours.grad.numpy(), theirs.grad.numpy())


def test_topk_takes_the_first_of_equal_elements():
    assert gg.topk(TIES, 2)[1].tolist() == [[0, 2], [0, 1]]
    assert gg.topk(TIES, 2, largest=False)[1].tolist() == [[3, 1], [0, 1]]


def test_topk_needs_enough_elements():
    with pytest.raises(ShapeError, match="k=6"):
        gg.topk(X, 6)


def test_unique_is_numpys():
    names = ("return_index", "return_inverse", "return_counts")
    for ours, theirs in zip(
        gg.unique(TIES, **dict.fromkeys(names, True)), np.unique(TIES, **dict.fromkeys(names, True)), strict=True
    ):
        np.testing.assert_array_equal(ours.numpy(), theirs)
    assert gg.unique(TIES).tolist() == gg.unique_values(TIES).tolist() == [0, 1, 2, 3]
    assert gg.unique(TIES[:, [0, 2, 1]], axis=1).tolist() == [[1, 2], [3, 3]]
    assert gg.unique_counts(TIES).counts.tolist() == [1, 2, 2, 5]
    assert gg.unique_inverse(TIES).inverse_indices.tolist() == TIES.tolist()
    assert gg.unique_all(TIES).indices.tolist() == [3, 1, 0, 5]


def test_searching():
    edges = [0.0, 1.0, 1.0, 2.0]
    assert gg.searchsorted(edges, [1.0, -1.0, 3.0]).tolist() == [1, 0, 4]
    assert gg.searchsorted(edges, 1.0, side="right").item() == 3
    assert gg.searchsorted([2.0, 0.0, 1.0], 1.5, sorter=[1, 2, 0]).item() == 2
    assert gg.digitize([0.0, 0.5, 5.0], edges).tolist() == np.digitize([0.0, 0.5, 5.0], edges).tolist()
    assert gg.digitize([0.0, 2.0], edges, right=True).tolist() == np.digitize([0.0, 2.0], edges, right=True).tolist()
    assert gg.isin(TIES, [0, 2]).tolist() == np.isin(TIES, [0, 2]).tolist()
    assert gg.isin(TIES, [0, 2], invert=True).tolist() == np.isin(TIES, [0, 2], invert=True).tolist()


def test_nonzero():
    x = np.array([[0, 3], [4, 0]])
    assert [i.tolist() for i in gg.nonzero(x)] == [[0, 1], [1, 0]]
    assert gg.argwhere(x).tolist() == [[0, 1], [1, 0]] and gg.flatnonzero(x).tolist() == [1, 2]


def test_bincount():
    weights = tensor(np.array([1, 2, 3], np.float32), requires_grad=True)
    out = gg.bincount([3, 0, 3], weights, minlength=5)
    assert out.tolist() == [2, 0, 0, 4, 0] and out.dtype == np.float32
    (out * np.arange(5, dtype=np.float32)).sum().backward()
    assert weights.grad.tolist() == [3, 0, 3]
    assert gg.bincount([3, 0, 3]).tolist() == [1, 0, 0, 2]
    with pytest.raises(ShapeError):
        gg.bincount([-1])


@pytest.mark.parametrize("options", [{}, {"bins": 4, "range": (-1, 1)}, {"bins": [-1.0, 0.0, 2.0]}, {"density": True}])
def test_histogram_is_numpys(options):
    for ours, theirs in zip(gg.histogram(X, **options), np.histogram(X, **options), strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs)
