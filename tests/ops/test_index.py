"""Indexing, gathering and scattering against NumPy, and their errors."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.errors import DTypeError, OutOfRangeError

X = np.arange(24.0).reshape(2, 3, 4)
INDICES = [
    0, -1, slice(None), (slice(None), 1), (..., 0), None, (0, None, slice(1, 3)), slice(None, None, -1), [0, 1, 1],
    np.array([[0, 1], [1, 0]]), (np.array([0, 1]), np.array([2, 2])), (slice(None), np.array([0, 0, 2])),
    (np.array([0, 1]), slice(None), np.array([1, 1])), X > 5, (0, X[0, :, 0] > 3), np.array([True, False]), (), ...,
    (slice(0, 0),), np.array([], dtype=np.int64),
]  # fmt: skip


@pytest.mark.parametrize("index", INDICES, ids=lambda i: repr(i)[:30])
def test_getitem_and_its_gradient(index):
    x = gg.tensor(X, requires_grad=True)
    out = x[index]
    np.testing.assert_array_equal(out.detach().numpy(), X[index])
    upstream = np.random.default_rng(0).standard_normal(X[index].shape)
    out.backward(gg.tensor(upstream))
    expected = np.zeros_like(X)
    np.add.at(expected, index, upstream)
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-12)


def test_index_by_tensors():
    x = gg.tensor(X)
    np.testing.assert_array_equal(x[gg.tensor([1, 0]), :, gg.tensor(2)].numpy(), X[[1, 0], :, 2])
    np.testing.assert_array_equal(x[x > 5].numpy(), X[X > 5])


def test_take_gather_scatter():
    x = gg.tensor(X)
    i = np.array([[[3, 0], [1, 1], [2, 0]], [[0, 0], [1, 2], [3, 3]]])
    np.testing.assert_array_equal(gg.take_along_axis(x, i, axis=2).numpy(), np.take_along_axis(X, i, 2))
    np.testing.assert_array_equal(gg.gather(x, 2, i).numpy(), np.take_along_axis(X, i, 2))
    np.testing.assert_array_equal(gg.take(x, [2, 0], axis=1).numpy(), np.take(X, [2, 0], 1))
    np.testing.assert_array_equal(gg.take(x, [5, 23]).numpy(), [5.0, 23.0])
    made = gg.scatter_add(gg.zeros(3), gg.tensor([0, 2, 0]), gg.tensor([1.0, 2.0, 4.0]), axis=0)
    assert made.tolist() == [5.0, 0.0, 2.0]
    made = gg.index_add(gg.zeros(2, 3), gg.tensor([1, 1]), gg.ones(2, 2), axis=1)
    assert made.tolist() == [[0.0, 2.0, 0.0]] * 2


def test_embedding_gradient_counts_repeated_rows_in_float32_sums():
    weight = gg.zeros(4, 2, dtype=gg.bfloat16, requires_grad=True)
    rows = gg.embedding(gg.tensor([1] * 1000 + [3]), weight)
    rows.sum().backward()
    assert weight.grad.float().tolist() == [[0.0, 0.0], [1000.0, 1000.0], [0.0, 0.0], [1.0, 1.0]]


@pytest.mark.parametrize(
    ("index", "error", "words"),
    [
        (5, OutOfRangeError, r"5.*axis 0.*\(2, 3, 4\)"),
        ((0, 9), OutOfRangeError, r"getitem.*9.*axis 1.*\(2, 3, 4\)"),
        ([0, 7], OutOfRangeError, r"getitem.*7"),
        ({"a": 1}, DTypeError, "getitem.*dict"),
        ("a", DTypeError, "getitem.*str"),
        (1.5, DTypeError, "getitem.*float"),
        (np.array([1.0]), DTypeError, "getitem.*float64"),
        ((0, 0, 0, 0), OutOfRangeError, "getitem.*too many"),
    ],
)
def test_bad_indices(index, error, words):
    with pytest.raises(error, match=words):
        gg.tensor(X)[index]


def test_embedding_errors():
    with pytest.raises(OutOfRangeError, match=r"embedding.*9.*4 rows"):
        gg.embedding(gg.tensor([0, 9]), gg.zeros(4, 2))
    with pytest.raises(DTypeError, match="embedding.*float32"):
        gg.embedding(gg.tensor([0.0]), gg.zeros(4, 2))
