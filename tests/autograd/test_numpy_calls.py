"""NumPy's functions and ufuncs on Tensors, and NumPy's words in calls of ops."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.errors import DTypeError, GradientError, ShapeError

A = np.array([[3.0, 1.0, 2.0], [0.5, 2.5, 0.5]])


@pytest.mark.parametrize(
    "call",
    [
        np.sum, np.mean, np.median, np.linalg.norm, np.argsort, np.cumsum, np.diff, np.ptp, np.std, np.trace, np.exp,
        lambda x: np.sum(x, axis=0, keepdims=True), lambda x: np.max(x, axis=1), lambda x: np.concatenate([x, x]),
        lambda x: np.where(x > 1, x, 0), lambda x: np.einsum("ij,kj->ik", x, x), lambda x: np.reshape(x, (3, 2)),
        lambda x: np.add.reduce(x), lambda x: np.multiply.accumulate(x, axis=1), lambda x: np.logical_and.reduce(x > 1),
        lambda x: np.subtract.outer(x[0], x[1]), lambda x: np.maximum(x, 1), lambda x: np.clip(x, 1, 2),
        lambda x: np.tensordot(x, x, 2), lambda x: np.pad(x, 1), lambda x: np.linalg.svd(x, compute_uv=False),
        lambda x: np.interp(x, [0.0, 3.0], [1.0, 7.0]), lambda x: np.stack([x, x], axis=-1), lambda x: np.fft.rfft(x),
        lambda x: np.sum(x, where=A > 1), lambda x: np.prod(x, initial=2.0), lambda x: np.divmod(x, 2)[1],
        lambda x: np.maximum.reduce(x, initial=9.0), lambda x: np.exp(x, dtype=np.float32), lambda x: x.reshape(6),
        lambda x: np.reshape(x, (2, 3), order="F"), lambda x: np.where(x > 1)[0], lambda x: np.shape(x),
        lambda x: np.add.reduceat(x, [0, 1, 0], axis=1), lambda x: np.maximum.reduceat(x, [1]),
        lambda x: np.cross(x.T, x[::-1].T, axisa=0, axisb=0, axisc=0), lambda x: np.linspace(0, x, 3, retstep=True)[1],
    ],
)  # fmt: skip
def test_functions_of_numpy(call):
    made, expected = call(gg.tensor(A)), call(A)
    if isinstance(expected, tuple):
        assert made == expected
        return
    assert isinstance(made, gg.Tensor) and made.shape == expected.shape and made.dtype == expected.dtype
    np.testing.assert_allclose(made.numpy(), expected, rtol=1e-6)


def test_gradients_flow_through_numpys_names():
    x = gg.tensor(A, requires_grad=True)
    (np.sum(np.exp(x)) + np.add.reduce(x, axis=None) + np.linalg.norm(x) ** 2).backward()
    np.testing.assert_allclose(x.grad.numpy(), np.exp(A) + 1 + 2 * A)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: gg.sum(gg.tensor(A), axis=1, where=gg.tensor(A > 1)), [5, 2.5]),
        (lambda: gg.mean(gg.tensor(A), where=A > 1), 2.5), (lambda: gg.var(gg.tensor(A), where=A > 1), 1 / 6),
        (lambda: gg.max(gg.tensor(A), axis=0, initial=2.2), [3, 2.5, 2.2]),
        (lambda: gg.min(gg.tensor(A), where=A > 1, initial=7.0), 2), (lambda: gg.max([], initial=1.0), 1),
        (lambda: gg.all(gg.tensor(A) > 0.7, axis=1, where=A > 0.6), [True, True]),
        (lambda: gg.add(gg.tensor(A[0]), 1, where=[True, False, True]), [4, 0, 3]),
    ],
)  # fmt: skip
def test_words_of_numpy(call, expected):
    np.testing.assert_allclose(call().numpy(), expected)


def test_results_are_written_where_they_are_asked_for():
    x, array, place = gg.tensor(A), np.ones((2, 3)), gg.zeros(2, 3, dtype="float64")
    array += x
    assert array.tolist() == (A + 1).tolist()
    assert np.multiply(x, 2, out=array) is array and array.tolist() == (2 * A).tolist()
    assert gg.add(x, x, out=place) is place and place.tolist() == (2 * A).tolist()
    assert np.sum(x, out=np.zeros(())) == A.sum()
    w = gg.tensor(A, requires_grad=True)
    out = gg.zeros(2, 3, dtype="float64")
    np.multiply(w, w, out=out)
    out.sum().backward()  # the Tensor goes on with the graph
    assert w.grad.tolist() == (2 * A).tolist()
    with pytest.raises(GradientError, match="has no place in the graph"):
        array += w
    with pytest.raises(ShapeError, match=r"add: the result \(2, 3\) float64 does not fit out= \(2,\)"):
        gg.add(x, x, out=gg.zeros(2))


def test_ufuncs_at_places():
    x = gg.zeros(3)
    np.add.at(x, [0, 0, 1], 1.0)
    np.maximum.at(x, [1], 5.0)
    assert x.tolist() == [2, 5, 0]
    v = gg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = v * 0
    np.subtract.at(y, [0, 0, 1], v)
    (y * gg.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert y.tolist() == [-3, -3, 0] and v.grad.tolist() == [-1, -1, -10]
    with pytest.raises(GradientError, match="only add and subtract"):
        np.multiply.at(v * 1, [0], 2.0)


def test_what_gpugrad_lacks_says_how_to_convert():
    with pytest.raises(DTypeError, match=r"numpy.busday_count was given a Tensor.*\.numpy\(\)"):
        np.busday_count(gg.ones(1), gg.ones(1))
    with pytest.raises(DTypeError, match="np.subtract.reduce of a Tensor: gpugrad has reduce of these ufuncs: add"):
        np.subtract.reduce(gg.ones(3))
    with pytest.raises(DTypeError, match="casting='never' is not one of"):
        gg.add(1.0, 2.0, casting="never")
    with pytest.raises(DTypeError, match="unexpected keyword argument 'where'"):
        gg.matmul(gg.ones(2), gg.ones(2), where=True)
    with pytest.raises(ShapeError, match="max: where= needs initial="):
        gg.max(gg.ones(3), where=[True, False, True])


def test_the_interfaces_of_arrays():
    x = gg.tensor(A)
    view = np.asarray(x)
    view[0, 0] = 9
    assert x[0, 0].item() == 9 and x.__array_interface__["shape"] == (2, 3)
    with pytest.raises(GradientError):
        np.asarray(gg.ones(2, requires_grad=True))
    assert np.asarray(gg.ones(2, dtype="bfloat16")).dtype.name == "bfloat16"


def test_random_numbers_by_numpys_names():
    gg.random.seed(3)
    first = gg.random.randn(2, 3), gg.random.exponential(2.0, size=4), gg.random.permutation(5)
    gg.random.seed(3)
    again = gg.random.randn(2, 3), gg.random.exponential(2.0, size=4), gg.random.permutation(5)
    assert all(gg.array_equal(a, b) for a, b in zip(first, again, strict=True)) and first[1].dtype == gg.float32
    one, other = gg.random.default_rng(1), gg.random.default_rng(1)
    assert one.normal(size=3).tolist() == other.normal(size=3).tolist() != one.normal(size=3).tolist()
    assert sorted(one.choice(gg.arange(4), 4, replace=False).tolist()) == [0, 1, 2, 3]
    assert one.integers(2, 3, size=(2,)).tolist() == [2, 2] and one.permuted(A, axis=1).shape == (2, 3)
    x = gg.arange(6)
    one.shuffle(x)
    assert sorted(x.tolist()) == list(range(6))
    with pytest.raises(ShapeError, match="exponential"):
        one.exponential(-1.0)
    assert gg.random.default_rng(one) is one and len(one.spawn(2)) == 2
    assert gg.random.RandomState(1).rand(2).shape == (2,)
