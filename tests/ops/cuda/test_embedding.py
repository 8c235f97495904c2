"""Rows looked up and sums of rows with equal ids, against PyTorch and NumPy in float64: widths, runs, order, reruns."""

import numpy as np
import pytest
from accuracy import DTYPES, host, judge, rounded, theirs, torch

import gpugrad as gg
import gpugrad.nn.functional as F
from gpugrad import nn
from gpugrad.backend.cuda.emulator.options import options
from gpugrad.ops.embedding import cuda as launches
from gpugrad.ops.embedding import embedding, segment_sum

WIDTHS = [1, 2, 3, 4, 7, 8, 31, 64, 127, 128, 130, 515]


@pytest.fixture(autouse=True, params=["scanned", "sorted"])
def found_by(request, monkeypatch):
    """How the rows of a segment are found: by a look at all ids, or by sorting these."""
    if request.param == "sorted":
        monkeypatch.setattr("gpugrad.ops.embedding.cuda._COMPARED", -1)


def draw(*shape):
    return np.random.default_rng(0).standard_normal(shape)


def ids(high, n, seed=3):
    return np.random.default_rng(seed).integers(0, high, n)


def check(device, weight, index, dtype="float32", offset=0, padding_idx=None):
    g = rounded(np.random.default_rng(1).standard_normal((*index.shape, weight.shape[1])), dtype)
    weight = rounded(weight, dtype)
    before = embedding.paths["cuda"].runs
    leaf = gg.tensor(np.concatenate([np.zeros(offset), weight.ravel()]), device=device, dtype=dtype).requires_grad_()
    table = leaf[offset:].reshape(weight.shape)
    out = embedding(gg.tensor(index, device=device), table, padding_idx=padding_idx)
    out.backward(gg.tensor(g, device=device, dtype=dtype))
    assert embedding.paths["cuda"].runs == before + 1
    got = host(out), host(leaf.grad)[offset:].reshape(weight.shape)

    def function(t):
        return torch.nn.functional.embedding(torch.tensor(index), t, padding_idx=padding_idx)

    judge(got, theirs(function, weight, g), dtype, g)


@pytest.mark.parametrize("width", WIDTHS)
def test_widths(cuda, width):
    index = ids(11, (4, 5))
    check(cuda, draw(11, width), index)
    check(cuda, draw(11, width), index, offset=1, padding_idx=3)
    check(cuda, draw(11, width), np.array(2))


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(cuda, dtype):
    for width in (1, 8, 33):
        check(cuda, draw(7, width), ids(7, 300), dtype)
        check(cuda, draw(7, width), ids(7, 10), dtype, offset=1)


def test_every_way_to_run_them(cuda, way):
    for width, n in [(3, 40), (64, 300), (130, 5)]:
        check(cuda, draw(5, width), ids(5, n), offset=n % 2)


@pytest.mark.parametrize("n", [1, 127, 128, 129, 255, 256, 257, 640])
@pytest.mark.parametrize("high", [1, 2, 3, 1000])
def test_runs_of_every_length(cuda, n, high):
    x, numbers = draw(n, 5), ids(high, n)
    want = np.zeros((high, 5))
    np.add.at(want, numbers, x)
    t = gg.tensor(x, device=cuda).requires_grad_()
    out = segment_sum(t, gg.tensor(numbers, device=cuda), num_segments=high)
    np.testing.assert_allclose(host(out), want, atol=1e-12)
    out.backward(gg.tensor(want, device=cuda))
    np.testing.assert_array_equal(host(t.grad), want[numbers])


def test_runs_cut_in_every_place(cuda, way):
    for lengths in [(128, 128), (100, 28, 200), (1, 127, 1), (130, 126, 256, 5), (127, 2, 255), (384,), (3, 381, 3)]:
        numbers = np.repeat(np.arange(len(lengths)), lengths)
        numbers = numbers[np.random.default_rng(0).permutation(len(numbers))]
        x, want = draw(len(numbers), 3), np.zeros((len(lengths) + 1, 3))
        np.add.at(want, numbers, x)
        got = segment_sum(gg.tensor(x, device=cuda), gg.tensor(numbers, device=cuda), num_segments=len(lengths) + 1)
        np.testing.assert_allclose(host(got), want, atol=1e-12)


def test_sixteen_bits_do_not_stick(cuda):
    for dtype in ("float16", "bfloat16"):
        x = gg.ones((1000, 2), device=cuda, dtype=dtype)
        out = segment_sum(x, gg.zeros(1000, device=cuda, dtype="int64"), num_segments=2)
        np.testing.assert_array_equal(host(out), [[1000, 1000], [0, 0]])


def test_reruns_give_the_same_bits(cuda):
    x, numbers = draw(700, 9), ids(4, 700)
    runs = []
    for schedule in ("forward", "reverse", "random"):
        with options(schedule=schedule):
            got = segment_sum(
                gg.tensor(x, device=cuda, dtype="float32"), gg.tensor(numbers, device=cuda), num_segments=4
            )
            runs.append(host(got).tobytes())
    assert len(set(runs)) == 1


def test_indices_that_do_not_exist(cuda):
    weight = gg.tensor(draw(4, 3), device=cuda).requires_grad_()
    out = embedding(gg.tensor([4, 1, -1], device=cuda), weight)
    out.backward(gg.ones((3, 3), device=cuda, dtype="float64"))
    assert np.isnan(host(out)).all(axis=1).tolist() == [True, False, True]
    np.testing.assert_array_equal(host(weight.grad), np.eye(4)[1][:, None] * np.ones(3))
    out = segment_sum(gg.ones((3, 2), device=cuda), gg.tensor([5, 1, -1], device=cuda), num_segments=2)
    np.testing.assert_array_equal(host(out), [[0, 0], [1, 1]])


def test_sizes_of_zero_and_many_rows(cuda):
    for table, index in [((5, 0), (3,)), ((5, 3), (0,)), ((5, 3), (2, 0)), ((1, 0), (0, 2))]:
        weight = gg.zeros(table, device=cuda).requires_grad_()
        out = embedding(gg.zeros(index, device=cuda, dtype="int64"), weight)
        out.sum().backward()
        assert out.shape == (*index, table[1])
        assert weight.grad.shape == table
    check(cuda, draw(50, 1), ids(50, 70_000), "float64")


def test_hard_values_and_other_integers(cuda):
    weight = np.array([[np.nan, np.inf, 1e-40], [-np.inf, -0.0, 3e38]])
    for kind in ("int64", "int32", "uint8"):
        out = embedding(gg.tensor(np.array([1, 0, 1], kind), device=cuda), gg.tensor(weight, device=cuda))
        np.testing.assert_array_equal(host(out), weight[[1, 0, 1]])
    x = np.array([[np.nan, 1.0], [np.inf, 2.0], [-np.inf, 3.0], [1.0, 4.0]])
    out = segment_sum(gg.tensor(x, device=cuda), gg.tensor([0, 1, 1, 2], device=cuda), num_segments=3)
    np.testing.assert_array_equal(host(out), [[np.nan, 1], [np.nan, 5], [1, 4]])


def test_layouts(cuda):
    index, weight, g = ids(6, (4, 6)), draw(3, 6), draw(3, 2, 4)
    leaf = gg.tensor(weight, device=cuda).requires_grad_()
    out = embedding(gg.tensor(index, device=cuda).T[::3], leaf.T)
    out.backward(gg.tensor(g, device=cuda).permute(1, 2, 0))
    want = torch.tensor(weight, requires_grad=True)
    torch.nn.functional.embedding(torch.tensor(index).T[::3], want.T).backward(torch.tensor(g).permute(1, 2, 0))
    np.testing.assert_allclose(host(leaf.grad), want.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize(
    "index", [[2, 0, 2, -1], (slice(None), [1, 1, 0]), ([0, 1], [1, 1]), ([[0, 2], [2, 2]], slice(1, 3))]
)
def test_gradients_of_indexing_are_such_sums(cuda, index):
    x = draw(3, 4)
    parts = index if isinstance(index, tuple) else (index,)
    where = tuple(np.array(p) if isinstance(p, list) else p for p in parts)
    there = tuple(gg.tensor(p, device=cuda) if isinstance(p, np.ndarray) else p for p in where)
    before = segment_sum.paths["cuda"].runs
    t = gg.tensor(x, device=cuda).requires_grad_()
    out = t[there]
    g = draw(*out.shape)
    out.backward(gg.tensor(g, device=cuda))
    want = np.zeros_like(x)
    np.add.at(want, where, g)
    np.testing.assert_allclose(host(t.grad), want, atol=1e-12)
    assert segment_sum.paths["cuda"].runs == before + 1


def test_the_layer(cuda):
    layer = nn.Embedding(10, 4, padding_idx=0, device=cuda)
    index = gg.tensor(ids(10, (2, 300)), device=cuda)
    out = layer(index)
    (out * out).sum().backward()
    counts = np.bincount(ids(10, (2, 300)).ravel(), minlength=10)[:, None]
    want = 2 * counts * host(layer.weight)
    want[0] = 0
    np.testing.assert_allclose(host(layer.weight.grad), want, rtol=1e-5)
    np.testing.assert_array_equal(host(F.embedding(index, layer.weight)), host(layer.weight)[ids(10, (2, 300))])


@pytest.mark.parametrize("n", [1, 2, 255, 256, 257, 1000])
def test_sorting_by_counting(cuda, way, n):
    """The order is that of a stable sort, which long lists of ids get."""
    given = ids(7, n) - 2
    order, found = launches._sorted(gg.tensor(given, device=cuda)._array)
    np.testing.assert_array_equal(order.get(), np.argsort(given, kind="stable"))
    np.testing.assert_array_equal(found.get(), np.sort(given))


def test_many_ids_are_sorted_by_the_array_library(cuda, monkeypatch):
    monkeypatch.setattr(launches, "_FEW", 10)
    given = ids(7, 11)
    order, found = launches._sorted(gg.tensor(given, device=cuda)._array)
    np.testing.assert_array_equal(order.get(), np.argsort(given, kind="stable"))
    np.testing.assert_array_equal(found.get(), np.sort(given))
