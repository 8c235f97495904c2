"""The cross-entropy kernels against PyTorch: class counts, smoothing, weights, ignored rows, hard logits, accuracy."""

import numpy as np
import pytest
from accuracy import DTYPES, host, judge, ours, rounded, theirs, torch

import gpugrad as gg
import gpugrad.nn.functional as F
from gpugrad.backend.cuda.emulator.options import options
from gpugrad.errors import DTypeError, ShapeError
from gpugrad.ops.loss import cross_entropy_rows

CLASSES = [1, 2, 3, 10, 31, 33, 127, 128, 251, 257, 1021, 1024, 1025, 4099]
WAYS = [{}, {"label_smoothing": 0.1}, {"ignore_index": 0}]


def draw(rows, classes, spread=3.0):
    rng = np.random.default_rng(0)
    return rng.standard_normal((rows, classes)) * spread, rng.integers(0, classes, rows)


def check(device, x, target, dtype="float32", weight=None, offset=0, **attributes):
    g = rounded(np.random.default_rng(1).standard_normal(len(x)), dtype)
    x = rounded(x, dtype)
    w = None if weight is None else rounded(weight, dtype)
    given = None if w is None else gg.tensor(w, device=device, dtype=dtype)
    got = ours(
        cross_entropy_rows, device, x, g, dtype, gg.tensor(target, device=device), given, offset=offset, **attributes
    )

    def function(t):
        tw = None if w is None else torch.tensor(w).to(t.dtype)
        return torch.nn.functional.cross_entropy(t, torch.tensor(target), tw, reduction="none", **attributes)

    judge(got, theirs(function, x, g), dtype, g)


@pytest.mark.parametrize("classes", CLASSES)
def test_class_counts(cuda, classes):
    x, target = draw(5, classes)
    weight = np.linspace(0.5, 2, classes)
    for way in WAYS:
        check(cuda, x, target, **way)
        check(cuda, x, target, weight=weight, offset=1, **way)


@pytest.mark.parametrize("classes", [16384, 50257])
def test_vocabularies(cuda, classes):
    x, target = draw(2, classes)
    check(cuda, x, target)
    check(cuda, x, target, "bfloat16", offset=1, label_smoothing=0.1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(cuda, dtype):
    for classes in (5, 64, 251, 1031):
        x, target = draw(4, classes)
        check(cuda, x, target, dtype)
        check(cuda, x, target, dtype, np.linspace(0.5, 2, classes), offset=1, label_smoothing=0.2)


def test_every_way_to_run_them(cuda, way):
    for classes in (3, 40, 1100, 9001):
        x, target = draw(3, classes)
        check(cuda, x, target, weight=np.linspace(0.5, 2, classes), label_smoothing=0.1, ignore_index=int(target[0]))
        check(cuda, x, target, "float16", offset=1)


def test_ignored_rows_are_not_looked_at(cuda):
    x = np.array([[np.nan, 1.0, 2.0], [0.0, 1.0, 2.0], [np.inf, 0.0, 0.0]])
    t = gg.tensor(x, device=cuda).requires_grad_()
    out = cross_entropy_rows(t, gg.tensor([-100, 2, -100], device=cuda), label_smoothing=0.1)
    out.backward(gg.tensor([np.nan, 1.0, 1.0], device=cuda, dtype="float64"))
    assert host(out)[0] == host(out)[2] == 0
    np.testing.assert_array_equal(host(t.grad)[[0, 2]], 0)
    assert np.isfinite(host(t.grad)[1]).all() and host(t.grad)[1].any()


HARD = {
    "logits of 1e4": [[1e4, -1e4, 0.0], [1e4, 1e4, 1e4 - 1], [-1e4, -1e4 - 2, -1e4 - 1]],
    "nan": [[0.0, np.nan, 1.0], [0.0, 1.0, 2.0], [1.0, 2.0, 3.0]],
    "inf": [[0.0, np.inf, 1.0], [np.inf, np.inf, 0.0], [0.0, 1.0, np.inf]],
    "minus inf": [[0.0, -np.inf, 1.0], [-np.inf, -np.inf, -np.inf], [1.0, 0.0, -np.inf]],
}


@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize("classes", [3, 40, 1100])
def test_hard_logits(cuda, name, classes):
    x = np.concatenate([np.array(HARD[name]), np.full((3, classes - 3), -np.inf)], axis=1)
    check(cuda, x, np.array([0, 1, 2]))
    check(cuda, np.concatenate([np.array(HARD[name])] * 2, axis=1), np.array([0, 1, 5]))


def test_large_logits_with_smoothing(cuda):
    x = np.array([[1e4, 1e4 - 1, 1e4 - 2.5], [1e4 + 1, 1e4, 1e4]])
    check(cuda, x, np.array([1, 2]), label_smoothing=0.1)


def test_classes_that_do_not_exist(cuda):
    x = gg.tensor(draw(3, 4)[0], device=cuda).requires_grad_()
    out = cross_entropy_rows(x, gg.tensor([4, -1, 2], device=cuda))
    out.sum().backward()
    assert np.isnan(host(out)).tolist() == [True, True, False]
    assert np.isnan(host(x.grad)).all(axis=1).tolist() == [True, True, False]


def test_sizes_of_zero_many_rows_and_other_integers(cuda):
    for shape in [(0, 3), (0, 0)]:
        x = gg.zeros(shape, device=cuda).requires_grad_()
        cross_entropy_rows(x, gg.zeros(shape[:1], device=cuda, dtype="int64")).sum().backward()
        assert x.grad.shape == shape
    check(cuda, *draw(70_000, 2))
    x, target = draw(5, 9)
    for kind in ("int32", "uint8"):
        check(cuda, x, target.astype(kind).astype("int64"))
        a, b = (
            cross_entropy_rows(gg.tensor(x, device=cuda), gg.tensor(target.astype(k), device=cuda))
            for k in (kind, "int64")
        )
        np.testing.assert_array_equal(host(a), host(b))


def test_as_networks_use_it(cuda):
    x, target = draw(6, 5)
    for reduction in ("mean", "sum"):
        t = gg.tensor(x.reshape(2, 3, 5), device=cuda).swapaxes(1, 2).detach().requires_grad_()
        F.cross_entropy(t, gg.tensor(target.reshape(2, 3), device=cuda), reduction=reduction).backward()
        want = torch.tensor(x.reshape(2, 3, 5)).transpose(1, 2).requires_grad_()
        torch.nn.functional.cross_entropy(want, torch.tensor(target.reshape(2, 3)), reduction=reduction).backward()
        np.testing.assert_allclose(host(t.grad), want.grad.numpy(), atol=1e-12)


def test_reruns_give_the_same_bits(cuda):
    x, target = draw(4, 3001)
    runs = []
    for schedule in ("forward", "reverse", "random"):
        with options(schedule=schedule):
            got = ours(cross_entropy_rows, cuda, x, np.ones(4), "float32", gg.tensor(target, device=cuda))
            runs.append(tuple(a.tobytes() for a in got))
    assert len(set(runs)) == 1


def test_what_is_refused(cuda):
    x = gg.zeros((2, 3), device=cuda)
    with pytest.raises(ShapeError, match="target"):
        cross_entropy_rows(x, gg.zeros(3, device=cuda, dtype="int64"))
    with pytest.raises(ShapeError, match="weight"):
        cross_entropy_rows(x, gg.zeros(2, device=cuda, dtype="int64"), gg.ones(2, device=cuda))
    with pytest.raises(DTypeError, match="integers"):
        cross_entropy_rows(x, gg.zeros(2, device=cuda))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 511, 3000, 40000])
def test_sums_and_means_of_any_number_of_rows(cuda, rows, dtype):
    """One block adds up few rows; several share many."""
    x, target = draw(rows, 3)
    x, weight = rounded(x, dtype), rounded(np.array([0.5, 1.0, 2.0]), dtype)
    for reduction in ("mean", "sum"):
        for given in (None, weight):
            w = None if given is None else gg.tensor(given, device=cuda, dtype=dtype)
            leaf = gg.tensor(x, device=cuda, dtype=dtype).requires_grad_()
            options, classes = {"ignore_index": 1, "reduction": reduction}, gg.tensor(target, device=cuda)
            with gg.cuda.launches() as ran:
                loss = F.cross_entropy(leaf, classes, w, **options)
                loss.backward()
            assert not ran.arrays or w is not None, ran
            assert ran.kernels.total() == (4 if rows > 1 << 14 else 3) or w is not None, ran

            def function(t, given=given, options=options):
                tw = None if given is None else torch.tensor(given).to(t.dtype)
                return torch.nn.functional.cross_entropy(t, torch.tensor(target), tw, **options)

            judge((host(loss), host(leaf.grad)), theirs(function, x, np.ones(())), dtype, np.ones(()))


def test_a_mean_of_no_rows(cuda):
    x = gg.ones(2, 3, device=cuda).requires_grad_()
    loss = F.cross_entropy(x, gg.tensor([1, 1], device=cuda), ignore_index=1)
    loss.backward()
    assert np.isnan(loss.item()) and x.grad.tolist() == [[0.0] * 3] * 2
