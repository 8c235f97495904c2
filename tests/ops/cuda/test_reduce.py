"""The reduction kernels against NumPy in float64 and PyTorch: axes, lengths, splitting, special values, reruns."""

import numpy as np
import pytest
import torch
from accuracy import DTYPES, EPS, host, near, rounded

import gpugrad as gg
from gpugrad.ops.reduce import cuda as reduce

NAMES = ["sum", "mean", "prod", "max", "min", "var", "std", "logsumexp", "argmax", "argmin"]
LENGTHS = [1, 2, 3, 5, 31, 32, 33, 127, 129, 1021, 1024, 1025]
AXES = [
    ((5, 7, 11), (0,)), ((5, 7, 11), (1,)), ((5, 7, 11), (2,)), ((5, 7, 11), (0, 1)), ((5, 7, 11), (0, 2)),
    ((5, 7, 11, 3), (1, 3)), ((5, 7, 11, 3), (0, 2)), ((2, 3, 4, 5, 6), (0, 2, 4)), ((3, 1, 4), (1,)), ((2, 3), ()),
    ((300, 33), (0,)), ((3, 65, 70), (1,)), ((1, 1), (0,)),
]  # fmt: skip


@pytest.fixture(scope="module")
def seen():
    """What a reduction gave in all modes."""
    return set()


def draw(*shape):
    return np.asarray(np.random.default_rng(0).standard_normal(shape))


def expected(name, x, axis, **rest):
    if name == "logsumexp":
        top = x.max(axis=axis, keepdims=True)
        out = np.log(np.exp(x - top).sum(axis=axis, keepdims=True)) + top
        return out if rest.get("keepdims") else out.reshape(np.sum(x, axis=axis).shape)
    return getattr(np, name)(x, axis=axis, **rest)


def agree(name, cuda, x, axis, dtype="float32", tensor=None, **rest):
    op = getattr(gg, name)
    x = rounded(x, dtype)
    before = op.paths["cuda"].runs
    got = op(gg.tensor(x, device=cuda, dtype=dtype) if tensor is None else tensor, axis=axis, **rest)
    assert op.paths["cuda"].runs == before + 1
    wanted = expected(name, x, axis, **rest)
    assert got.shape == wanted.shape
    if name.startswith("arg"):
        np.testing.assert_array_equal(got.cpu().numpy(), wanted)
        return
    assert got.dtype.name == dtype
    if name == "prod":  # each factor brings an error of its own
        np.testing.assert_allclose(host(got), wanted, rtol=x.size * EPS[dtype], atol=1e-37)
        return
    scale = max(np.abs(wanted).max(initial=0), np.abs(x).sum() / max(wanted.size, 1) * 0.1 if name == "sum" else 0)
    np.testing.assert_allclose(host(got), wanted, rtol=0, atol=8 * EPS[dtype] * scale)


@pytest.mark.parametrize("name", NAMES)
def test_axes(cuda, name):
    for shape, axis in AXES:
        if not name.startswith("arg"):
            agree(name, cuda, draw(*shape), axis)
            agree(name, cuda, draw(*shape), axis, keepdims=True)
        elif len(axis) == 1:
            agree(name, cuda, draw(*shape), axis[0])
            agree(name, cuda, draw(*shape), axis[0], keepdims=True)
    agree(name, cuda, draw(4, 5), None)
    agree(name, cuda, draw(), None)


@pytest.mark.parametrize("name", ["sum", "var", "argmax"])
def test_lengths(cuda, way, name):
    for length in LENGTHS:
        agree(name, cuda, draw(5, length), 1)
        agree(name, cuda, draw(length, 3), 0)


@pytest.mark.parametrize("name", NAMES)
def test_shared_out_reductions(cuda, monkeypatch, name):
    """Few outputs: several blocks share each, and a second kernel joins them."""
    monkeypatch.setattr(reduce, "_LEAST", 64)
    for shape, axis in [((1000,), 0), ((2, 2049), 1), ((999, 3), 0), ((2, 700, 5), 1), ((1030, 33), 0)]:
        agree(name, cuda, draw(*shape) * 0.1 + 1 if name == "prod" else draw(*shape), axis)


@pytest.mark.parametrize("name", ["sum", "mean", "max", "logsumexp"])
def test_accuracy_of_large_ones(cuda, name):
    x = np.float32(np.random.default_rng(0).random((3, 40_001)) + 0.5)
    near(host(getattr(gg, name)(gg.tensor(x, device=cuda), axis=1)), expected(name, np.float64(x), 1), "float32")


@pytest.mark.parametrize("name", ["sum", "mean", "var", "max"])
@pytest.mark.parametrize("dtype", sorted(set(DTYPES) - {"float32"}))
def test_dtypes(cuda, name, dtype):
    for shape, axis in [((3, 257), 1), ((257, 3), 0), ((3, 5, 64), (0, 2)), ((2, 8), 1)]:
        agree(name, cuda, draw(*shape), axis, dtype)


def test_sixteen_bit_sums_do_not_stick(cuda):
    ones = gg.ones(5000, device=cuda, dtype="bfloat16")
    assert ones.sum().item() == 4992 or ones.sum().item() == 5000  # bfloat16 has 8 bits: 5000 rounds to 4992
    assert gg.ones(3000, 2, device=cuda, dtype="float16").sum(axis=0).cpu().numpy().tolist() == [3000.0, 3000.0]


def test_layouts(cuda, way):
    x = draw(6, 10, 12)
    t = gg.tensor(x, device=cuda, dtype="float32")
    for axis in (0, 1, 2, (0, 1), (0, 2), (1, 2)):
        agree("sum", cuda, x.transpose(2, 0, 1), axis, tensor=t.permute(2, 0, 1))
        agree("mean", cuda, x[:, ::2], axis, tensor=t[:, ::2])
        agree("max", cuda, x[1:, 1:, 1:], axis, tensor=t[1:, 1:, 1:])
        agree("sum", cuda, np.broadcast_to(x[:, :1], x.shape), axis, tensor=gg.broadcast_to(t[:, :1], x.shape))
    flat = gg.tensor(draw(1026), device=cuda, dtype="float32")
    agree("sum", cuda, draw(1026)[1:-1].reshape(2, 512), 1, tensor=flat[1:-1].reshape(2, 512))


def test_special_values(cuda, way):
    inf, nan = np.inf, np.nan
    x = np.array([[1, nan, 3, nan], [-inf, -inf, -inf, -inf], [inf, 1, -2, inf], [2, 2, 1, 2], [-inf, 0, 1, -0.0]])
    for rows, axis in ((x, 1), (x.T.copy(), 0)):
        t = gg.tensor(rows, device=cuda, dtype="float32")
        for name in ("max", "min", "argmax", "argmin", "sum"):
            with np.errstate(invalid="ignore"):
                wanted = getattr(np, name)(rows, axis=axis)
            np.testing.assert_array_equal(getattr(gg, name)(t, axis=axis).cpu().numpy(), wanted)
        wanted = torch.logsumexp(torch.tensor(rows, dtype=torch.float32), axis).numpy()
        np.testing.assert_allclose(gg.logsumexp(t, axis=axis).cpu().numpy(), wanted, rtol=1e-6)


def test_variance_of_a_large_mean(cuda):
    x = np.float32(1e4 + 1e-2 * draw(4, 3000))
    exact = np.float64(x).var(axis=1)
    np.testing.assert_allclose(host(gg.tensor(x, device=cuda).var(axis=1)), exact, rtol=1e-4)
    assert np.isnan(host(gg.tensor(x, device=cuda).var(axis=1, ddof=3000))).all()


def test_nothing(cuda):
    empty = gg.zeros(0, 3, device=cuda)
    assert empty.sum(axis=0).cpu().numpy().tolist() == [0, 0, 0] and empty.sum(axis=1).shape == (0,)
    assert np.isnan(empty.mean().item()) and empty.prod().item() == 1
    with pytest.raises(gg.errors.ShapeError):
        empty.max(axis=0)


def test_the_same_bits_in_every_run(cuda, way, monkeypatch, seen):
    monkeypatch.setattr(reduce, "_LEAST", 64)
    x = gg.tensor(draw(3, 1111), device=cuda, dtype="float32")
    seen.update(x.sum(axis=1).cpu().numpy().tobytes() for _ in range(3))
    assert len(seen) == 1
