"""Reductions, running sums and order statistics against PyTorch, NumPy and numbers worked out by hand."""

import math

import numpy as np
import pytest
import torch

import gpugrad as gg
from gpugrad.errors import DTypeError, ShapeError
from gpugrad.ops.reduce.cpu import sum_over

nan, inf = math.nan, math.inf
X = np.random.default_rng(0).standard_normal((3, 4, 5))


def compare(ours, theirs, array, rtol=1e-10):
    """The value and gradient of both functions on the same float64 array."""
    x, t = gg.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
    out, expected = ours(x), theirs(t)
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=rtol, atol=1e-12)
    assert out.shape == tuple(expected.shape)
    upstream = np.random.default_rng(1).standard_normal(out.shape)
    out.backward(gg.tensor(upstream))
    expected.backward(torch.tensor(upstream))
    np.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), rtol=rtol, atol=1e-12)


NAMES = {"sum": torch.sum, "mean": torch.mean, "max": torch.amax, "min": torch.amin, "logsumexp": torch.logsumexp}
NAMES |= {"amax": torch.amax, "var": lambda *a, **k: torch.var(*a, correction=0, **k)}
NAMES |= {"std": lambda *a, **k: torch.std(*a, correction=0, **k)}


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), [1], (0, 1, 2)], ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_against_torch(name, axis, keepdims):
    dim = tuple(range(3)) if axis is None else axis
    ours = getattr(gg, name)
    compare(lambda x: ours(x, axis=axis, keepdims=keepdims), lambda t: NAMES[name](t, dim=dim, keepdim=keepdims), X)


def test_dtypes_of_results():
    for dtype in ("bool", "uint8", "int32", "int64"):
        x = gg.tensor(np.array([1, 0, 1, 1]), dtype=dtype)
        assert x.sum().dtype == x.prod().dtype == x.cumsum().dtype == gg.count_nonzero(x).dtype == np.int64
        assert x.mean().dtype == x.var().dtype == gg.median(x).dtype == np.float32
        assert x.sum().item() == 3 and x.mean().item() == 0.75
        assert x.sum().shape == () and isinstance(x.sum(), gg.Tensor)
        assert x.max().dtype == x.dtype and x.argmax().dtype == np.int64 and x.any().dtype == np.bool_
    assert gg.tensor([200, 100], dtype="uint8").sum().item() == 300
    x = gg.tensor(np.full(10, 0.1, np.float32), requires_grad=True)
    total = x.sum(dtype="float64")
    total.backward()
    assert total.dtype == np.float64 and x.grad.dtype == np.float32
    assert gg.ones(5000, dtype="float16").sum().item() == 5000


def test_empty():
    x = gg.zeros((0, 3), requires_grad=True)
    assert x.sum().item() == 0 and x.prod().item() == 1 and math.isnan(x.mean().item())
    assert gg.logsumexp(x, axis=1).shape == (0,) and x.any().item() is False and x.all().item() is True
    x.sum().backward()
    assert x.grad.shape == (0, 3)
    with pytest.raises(ShapeError, match=r"max.*\(0, 3\)"):
        x.max()


def test_errors_say_what_was_given():
    x = gg.zeros((2, 3))
    with pytest.raises(ShapeError, match=r"sum: axis: axis 2 is out of bounds.*\(2, 3\)"):
        x.sum(axis=2)
    with pytest.raises(ShapeError, match="repeated axis"):
        x.mean(axis=(0, -2))
    with pytest.raises(DTypeError, match=r"argmax.*axis=\(0, 1\)"):
        x.argmax(axis=(0, 1))
    with pytest.raises((ShapeError, IndexError), match="cummax.*axis 4"):
        gg.cummax(x, axis=4)


def test_ties_share_the_gradient():
    x = gg.tensor([[1.0, 2.0, 2.0], [2.0, 2.0, 2.0]], requires_grad=True)
    (x.max(axis=1) * gg.tensor([1.0, 6.0])).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [[0, 0.5, 0.5], [2, 2, 2]])
    y = gg.tensor([nan, 1.0, 3.0], requires_grad=True)
    top = y.max()
    top.backward()
    assert math.isnan(top.item()) and y.grad.tolist() == [1, 0, 0]


def test_prod_and_cumprod_with_zeros():
    for row in ([2.0, 3.0, 4.0], [2.0, 0.0, 4.0], [0.0, 0.0, 4.0], [5.0]):
        x = np.array([row, row[::-1]])
        compare(lambda x: x.prod(axis=1), lambda t: t.prod(1), x)
        compare(lambda x: x.prod(), lambda t: t.prod(), x)
        compare(lambda x: x.cumprod(axis=1), lambda t: t.cumprod(1), x)
    x = gg.tensor([2.0, 0.0, 4.0], requires_grad=True)
    (g,) = gg.grad(x.prod(), x, create_graph=True)
    assert g.tolist() == [0, 8, 0]
    (h,) = gg.grad(g[1], x)
    assert h.tolist() == [4, 0, 2]


def test_positions():
    x = np.random.default_rng(0).permutation(60).reshape(3, 4, 5).astype(np.float32)
    for axis in (None, 0, 2, -2):
        for keepdims in (False, True):
            np.testing.assert_array_equal(gg.argmax(x, axis, keepdims).numpy(), np.argmax(x, axis, keepdims=keepdims))
            np.testing.assert_array_equal(gg.argmin(x, axis, keepdims).numpy(), np.argmin(x, axis, keepdims=keepdims))
    assert gg.argmax([1.0, 3.0, 3.0]).item() == 1


def test_degrees_of_freedom():
    np.testing.assert_allclose(gg.var([1.0, 2.0, 4.0], ddof=1).item(), 7 / 3, rtol=1e-6)
    np.testing.assert_allclose(gg.std([1.0, 2.0, 4.0], correction=1).item(), math.sqrt(7 / 3), rtol=1e-6)
    assert math.isnan(gg.var([1.0], ddof=1).item())
    compare(lambda x: gg.var(x, axis=1, ddof=1), lambda t: torch.var(t, 1), X)
    x = gg.tensor([3.0, 3.0], requires_grad=True)
    x.std().backward()
    assert x.grad.tolist() == [0, 0]


def test_logsumexp_at_the_extremes():
    x = gg.tensor([[1000.0, 1000.0], [-inf, 1.0], [-inf, -inf]], requires_grad=True)
    out = gg.logsumexp(x, axis=1)
    np.testing.assert_allclose(out.detach().numpy(), [1000 + math.log(2), 1, -inf], rtol=1e-6)
    out[:2].sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [[0.5, 0.5], [0, 1], [0, 0]], rtol=1e-4)
    compare(lambda x: gg.logcumsumexp(x, axis=1), lambda t: torch.logcumsumexp(t, 1), X * 300)


def test_truth():
    x = np.array([[0, 1, 2], [0, 0, 3]])
    for name in ("any", "all", "count_nonzero"):
        for axis in (None, 0, 1):
            np.testing.assert_array_equal(getattr(gg, name)(x, axis=axis).numpy(), getattr(np, name)(x, axis=axis))
    assert gg.tensor(x).any().item() is True


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_running(axis):
    compare(lambda x: x.cumsum(axis=axis), lambda t: t.cumsum(axis), X)
    compare(lambda x: x.cumprod(axis=axis), lambda t: t.cumprod(axis), X)
    compare(lambda x: gg.logcumsumexp(x, axis=axis), lambda t: t.logcumsumexp(axis), X)
    compare(lambda x: gg.cummax(x, axis=axis), lambda t: t.cummax(axis).values, np.round(X))
    compare(lambda x: gg.cummin(x, axis=axis), lambda t: t.cummin(axis).values, np.round(X))
    compare(lambda x: gg.diff(x, n=2, axis=axis), lambda t: t.diff(2, axis), X)
    np.testing.assert_allclose(gg.cumsum(X).numpy(), np.cumsum(X))
    start = gg.cumulative_sum(X, axis=axis, include_initial=True)
    np.testing.assert_allclose(start.numpy(), np.cumulative_sum(X, axis=axis, include_initial=True))
    start = gg.cumulative_prod(X, axis=axis, include_initial=True)
    np.testing.assert_allclose(start.numpy(), np.cumulative_prod(X, axis=axis, include_initial=True))


def test_linear_scan_is_the_recurrence():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 3, 9))
    out, expected = np.zeros(3), []
    for i in range(9):
        out = a[:, i] * out + b[:, i]
        expected.append(out)
    np.testing.assert_allclose(gg.linear_scan(a, b).numpy(), np.stack(expected, 1), rtol=1e-12)
    np.testing.assert_allclose(gg.linear_scan(a.T, b.T, axis=0).numpy(), np.stack(expected), rtol=1e-12)


def test_differences_and_integrals():
    assert gg.diff([1, 4, 9], prepend=0, append=[9]).tolist() == [1, 3, 5, 0]
    assert gg.diff(gg.tensor([True, False, False])).tolist() == [True, False]
    y, x = X, np.sort(np.random.default_rng(0).uniform(0, 9, 4))
    np.testing.assert_allclose(gg.trapezoid(y, x, axis=1).numpy(), np.trapezoid(y, x, axis=1))
    np.testing.assert_allclose(gg.trapezoid(y, dx=0.1).numpy(), np.trapezoid(y, dx=0.1))
    assert gg.trapezoid([1.0, 2.0, 3.0]).item() == 4


@pytest.mark.parametrize("axis", [None, 0, (0, 2)], ids=str)
def test_order_statistics(axis):
    for keepdims in (False, True):
        for q in (0.0, 0.3, 1.0, [0.1, 0.5, 0.77], [[0.25], [0.75]]):
            expected = np.quantile(X, q, axis=axis, keepdims=keepdims)
            np.testing.assert_allclose(gg.quantile(X, q, axis=axis, keepdims=keepdims).numpy(), expected, rtol=1e-12)
        expected = np.median(X, axis=axis, keepdims=keepdims)
        np.testing.assert_allclose(gg.median(X, axis=axis, keepdims=keepdims).numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(gg.percentile(X, 30, axis=axis).numpy(), np.percentile(X, 30, axis=axis), rtol=1e-12)


def test_order_statistics_gradients_and_errors():
    q = [0.1, 0.5, 0.77]
    qs = torch.tensor(q, dtype=torch.float64)
    compare(lambda x: gg.quantile(x, q, axis=1), lambda t: torch.quantile(t, qs, dim=1), X)
    x = gg.tensor([3.0, 1.0, 2.0, 9.0], requires_grad=True)
    gg.median(x).backward()
    assert x.grad.tolist() == [0.5, 0, 0.5, 0]
    assert math.isnan(gg.median([1.0, nan, 3.0]).item())
    with pytest.raises(ShapeError, match="between 0 and 1"):
        gg.quantile(x, 1.5)


def test_weighted_and_nan_means():
    w = np.array([1.0, 2.0, 3.0, 4.0])
    np.testing.assert_allclose(gg.average(X, axis=1, weights=w).numpy(), np.average(X, axis=1, weights=w))
    np.testing.assert_allclose(gg.average(X, weights=abs(X)).numpy(), np.average(X, weights=abs(X)))
    with pytest.raises(ShapeError, match="weights"):
        gg.average(X, axis=0, weights=w)
    x = gg.tensor([1.0, nan, 3.0], requires_grad=True)
    assert gg.nansum(x).item() == 4
    gg.nanmean(x).backward()
    assert x.grad.tolist() == [0.5, 0, 0.5]


SHAPES = [
    ((64, 1024), (1,)), ((40, 1100), (1,)), ((40, 1024), (0,)), ((9000, 7), (0,)), ((8191, 10), (0,)), ((70003,), (0,)),
    ((8, 16, 20, 20), (0, 2, 3)), ((8, 16, 20, 20), (1,)), ((8, 16, 20, 20), (0, 1, 2, 3)), ((4, 9, 1, 1000), (1, 2)),
    ((33000, 1), (1,)), ((2, 16500, 2), ()),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "axis"), SHAPES, ids=str)
def test_fast_sums_are_accurate(shape, axis):
    x = (np.random.default_rng(0).standard_normal(shape) + 1).astype(np.float32)
    for array in (x, np.asfortranarray(x), x[::-1]):
        exact, size = array.astype(np.float64).sum(axis), abs(array.astype(np.float64)).sum(axis)
        total, count = sum_over(array, axis), array.size // exact.size
        assert total.shape == exact.shape and total.dtype == np.float32
        # NumPy adds up what is not dense one by one: rounding errors are a random walk.
        assert np.max(abs(total - exact) / size) <= (8 + math.sqrt(count)) * 2.0**-24
        assert sum_over(array, axis, True).shape == array.sum(axis, keepdims=True).shape
    for dtype in (np.float32, np.float64):
        mean = gg.mean(x.astype(dtype), axis=axis).numpy()
        np.testing.assert_allclose(mean, x.mean(axis, dtype=np.float64), rtol=2e-5)


class Spied(np.ndarray):
    """An array that notes the shapes of what its sums add up."""

    seen: list = []

    def sum(self, *args, **kwargs):
        self.seen.append(self.shape)
        return super().sum(*args, **kwargs)


def test_narrow_columns_are_summed_side_by_side():
    """NumPy takes several times as long for short rows as for long ones."""
    x = np.random.default_rng(0).standard_normal((65536, 16)).astype(np.float32) + 1
    Spied.seen.clear()
    total = np.asarray(sum_over(x.view(Spied), (0,)))
    assert Spied.seen == [(1, 2048, 512), (1, 32, 16)]
    exact, size = x.sum(0, dtype=np.float64), abs(x).sum(0, dtype=np.float64)
    assert np.max(abs(total - exact) / size) <= (8 + math.sqrt(2048)) * 2.0**-24


@pytest.mark.parametrize("shape", [(7, 650), (3, 2500), (2500, 3), (5000,), (4, 150, 20), (2, 70000)])
def test_running_results_of_long_lines(shape):
    x = np.random.default_rng(0).uniform(0.95, 1.05, shape)
    x.flat[3] = 1.5
    for axis in range(len(shape)):
        for turned in (x, x[::-1]):
            compare(lambda x, axis=axis: x.cumsum(axis=axis), lambda t, axis=axis: t.cumsum(axis), turned.copy())
            compare(
                lambda x, axis=axis: gg.cummax(x, axis=axis), lambda t, axis=axis: t.cummax(axis).values, turned.copy()
            )
            np.testing.assert_allclose(gg.cumprod(turned, axis=axis).numpy(), turned.cumprod(axis), 1e-9)
    whole = np.random.default_rng(1).integers(-9, 9, shape)
    whole_sum = gg.cumsum(gg.tensor(whole), axis=0).numpy()
    assert np.array_equal(whole_sum, whole.cumsum(0))
    x.flat[5], x.flat[x.size // 2] = inf, nan
    assert np.array_equal(gg.cummax(x, axis=-1).numpy(), np.maximum.accumulate(x, axis=-1), equal_nan=True)
    assert np.array_equal(np.isfinite(gg.cumsum(x, axis=-1).numpy()), np.isfinite(x.cumsum(-1)))
