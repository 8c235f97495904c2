"""The softmax kernels against PyTorch: lengths, axes, masks, hard values, accuracy, odd offsets, reruns."""

import re

import numpy as np
import pytest
from accuracy import DTYPES, host, judge, ours, rounded, theirs, torch

import gpugrad as gg
import gpugrad.nn.functional as F
from gpugrad.backend.cuda.emulator.options import options
from gpugrad.backend.cuda.launch import Kernels
from gpugrad.backend.cuda.sources import kernels
from gpugrad.errors import DTypeError, ShapeError
from gpugrad.ops.softmax import log_softmax, masked_softmax, softmax

OPS = {softmax: torch.softmax, log_softmax: torch.log_softmax}
LENGTHS = [1, 2, 3, 7, 31, 33, 127, 128, 253, 256, 257, 1021, 1024, 1025, 4099]


def check(op, device, x, axis, dtype="float32", **where):
    g = np.random.default_rng(1).standard_normal(x.shape)
    x, g = rounded(x, dtype), rounded(g, dtype)
    got = ours(op, device, x, g, dtype, axis=axis, **where)
    judge(got, theirs(lambda t: OPS[op](t, axis), x, g), dtype, g)


def draw(*shape, spread=3.0):
    return np.random.default_rng(0).standard_normal(shape) * spread


def test_the_kernel_that_the_file_begins_with(cuda, tmp_path):
    head = (kernels() / "softmax.cu").read_text().partition("#include")[0]
    code = re.search(r"^//   __global__.*?^//   }$", head, re.MULTILINE | re.DOTALL)[0]
    (tmp_path / "naive.cu").write_text('#include "common.cuh"\n' + re.sub("^//   ", "", code, flags=re.MULTILINE))
    x = gg.tensor(draw(70, 33), dtype="float32", device=cuda)
    out = gg.empty_like(x)
    args = (out.detach()._array, x._array, np.int32(70), np.int32(33))
    Kernels(tmp_path / "naive.cu").launch("softmax_by_thread", grid=(3,), block=(32,), args=args)
    np.testing.assert_allclose(host(out), host(gg.softmax(x)), rtol=1e-6)


@pytest.mark.parametrize("op", OPS, ids=str)
@pytest.mark.parametrize("length", LENGTHS)
def test_lengths(cuda, op, length):
    check(op, cuda, draw(5, length), -1)
    check(op, cuda, draw(5, length), -1, offset=1)


@pytest.mark.parametrize("op", OPS, ids=str)
@pytest.mark.parametrize("length", [8189, 16381, 16384, 16389])
def test_rows_larger_than_the_registers(cuda, op, length):
    check(op, cuda, draw(2, length), 1)
    check(op, cuda, draw(2, length), 1, offset=3)


@pytest.mark.parametrize("op", OPS, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(cuda, op, dtype):
    for length in (5, 64, 251, 1031):
        check(op, cuda, draw(3, length), -1, dtype)
        check(op, cuda, draw(3, length), -1, dtype, offset=1)
        check(op, cuda, draw(length, 3), 0, dtype)
    check(op, cuda, draw(1, 16411), -1, dtype)


@pytest.mark.parametrize("op", OPS, ids=str)
@pytest.mark.parametrize(
    "shape", [(3, 4, 5), (2, 33, 31), (2, 1, 5), (1, 300, 257), (600, 2, 2), (4, 3, 1030), (2, 700, 3)]
)
def test_other_axes(cuda, op, shape):
    for axis in (0, 1):
        check(op, cuda, draw(*shape), axis)


@pytest.mark.parametrize("op", OPS, ids=str)
def test_every_way_to_run_them(cuda, op, way):
    for shape, axis in [((3, 33), 1), ((2, 1100), 1), ((1, 16390), 1), ((2, 40, 5), 1), ((5, 2, 3), 1)]:
        check(op, cuda, draw(*shape), axis, offset=1)


HARD = {
    "logits of 1e4": [[1e4, -1e4, 0.0], [1e4, 1e4, 1e4 - 1]],
    "nan": [[0.0, np.nan, 1.0], [0.0, 1.0, 2.0]],
    "inf": [[0.0, np.inf, 1.0], [np.inf, np.inf, 0.0]],
    "minus inf": [[0.0, -np.inf, 1.0], [-np.inf, -np.inf, -np.inf]],
    "largest": [[3e38, -3e38, 0.0], [3e38, 3e38, 3e38]],
    "denormal": [[1e-40, 2e-40, -1e-40], [0.0, -0.0, 0.0]],
}


@pytest.mark.parametrize("op", OPS, ids=str)
@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize("length", [3, 40, 1100, 16400])
def test_hard_values(cuda, op, name, length):
    x = np.resize(np.array(HARD[name]), (2, 3))
    x = np.concatenate([x, np.full((2, length - 3), -np.inf)], axis=1)
    check(op, cuda, x, 1)
    check(op, cuda, x.T, 0) if length < 2000 else None


@pytest.mark.parametrize("op", OPS, ids=str)
def test_sizes_of_zero_and_many_rows(cuda, op):
    for shape in [(0, 3), (3, 0), (2, 0, 3), (0,), (0, 0, 2)]:
        x = gg.zeros(shape, device=cuda).requires_grad_()
        out = op(x, axis=1 if len(shape) > 1 else 0)
        out.sum().backward()
        assert out.shape == shape == x.grad.shape
    check(op, cuda, draw(70_000, 2), 1)
    check(op, cuda, draw(70_000, 2, 1), 0)


def test_layouts(cuda):
    x, g = draw(6, 40, 3), draw(6, 3, 40)
    t = gg.tensor(x, device=cuda).requires_grad_()
    out = softmax(t.swapaxes(1, 2)[::2], axis=-1)
    out.backward(gg.tensor(g, device=cuda)[::2])
    want = torch.tensor(x, requires_grad=True)
    torch.softmax(want.transpose(1, 2)[::2], -1).backward(torch.tensor(g)[::2])
    np.testing.assert_allclose(host(t.grad), want.grad.numpy(), atol=1e-12)
    with pytest.raises(ShapeError, match="axis 3"):
        softmax(t, axis=3)


def test_reruns_give_the_same_bits(cuda):
    x = gg.tensor(draw(3, 16500), device=cuda, dtype="float32")
    for axis in (0, 1):
        runs = []
        for schedule in ("forward", "reverse", "random"):
            with options(schedule=schedule):
                t = x.detach().requires_grad_()
                out = log_softmax(t, axis=axis)
                out.backward(x)
                runs.append((host(out).tobytes(), host(t.grad).tobytes()))
        assert len(set(runs)) == 1


# ---- masked


def reference(x, g, mask=None, causal=False, scale=1.0):
    """The same from PyTorch's single operations."""

    def function(t):
        scores = t * scale
        hidden = torch.zeros(x.shape, dtype=torch.bool)
        if mask is not None:
            m = torch.tensor(mask)
            hidden = hidden | (~m if m.dtype == torch.bool else m == -np.inf)
            scores = scores if m.dtype == torch.bool else scores + m.to(t.dtype)
        if causal:
            hidden = hidden | ~torch.ones(x.shape[-2:], dtype=torch.bool).tril()
        none = hidden.all(-1, keepdim=True)
        p = torch.softmax(torch.where(hidden, -np.inf, scores).masked_fill(none, 0.0), -1)
        return p.masked_fill(none, 0.0)

    return theirs(function, x, g)


def check_masked(device, x, mask=None, dtype="float32", offset=0, **attributes):
    g = np.random.default_rng(1).standard_normal(x.shape)
    x, g = rounded(x, dtype), rounded(g, dtype)
    if mask is not None and mask.dtype != bool:
        mask = rounded(mask, dtype)
    given = None if mask is None else gg.tensor(mask, device=device)
    got = ours(masked_softmax, device, x, g, dtype, given, offset=offset, **attributes)
    judge(got, reference(x, g, mask, **attributes), dtype, g)


def some(*shape, p=0.6):
    return np.random.default_rng(2).random(shape) < p


@pytest.mark.parametrize("length", [1, 5, 64, 251, 257, 1030, 16390])
def test_masks(cuda, length):
    x = draw(2, 3, 4, length) if length < 2000 else draw(1, 1, 2, length)
    b, h, q, k = x.shape
    for shape in [(k,), (q, k), (b, 1, 1, k), (1, h, q, k), (q, 1), (b, h, q, k)]:
        check_masked(cuda, x, some(*shape), scale=0.5)
        check_masked(cuda, x, np.where(some(*shape), draw(*shape), -np.inf), offset=1)
    check_masked(cuda, x, causal=True)
    check_masked(cuda, x, some(k), causal=True, offset=1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_masks_in_every_dtype(cuda, dtype):
    x = draw(2, 5, 37)
    check_masked(cuda, x, some(5, 37), dtype, scale=0.3)
    check_masked(cuda, x, np.where(some(2, 1, 37), draw(2, 1, 37), -np.inf), dtype, causal=True)


def test_masks_every_way(cuda, way):
    for length in (9, 300, 16390):
        check_masked(cuda, draw(2, 3, length), some(3, length), causal=True)


def test_causal_counts_from_the_start(cuda):
    for q, k in [(5, 3), (3, 5), (4, 4), (1, 4)]:
        out = host(masked_softmax(gg.ones((2, q, k), device=cuda), causal=True))
        want = np.tril(np.ones((q, k)))
        np.testing.assert_allclose(out, np.broadcast_to(want / want.sum(1, keepdims=True), out.shape), rtol=1e-6)


def test_masks_of_any_strides_and_many_axes(cuda):
    x = draw(2, 3, 2, 3, 2, 4)
    transposed = gg.tensor(some(4, 2), device=cuda).swapaxes(0, 1)
    many = gg.tensor(some(2, 1, 2, 1, 2, 4), device=cuda)
    sliced = gg.tensor(some(3, 2, 8), device=cuda)[..., ::2]
    t = gg.tensor(x, device=cuda)
    for mask in (transposed, many, sliced):
        got = host(masked_softmax(t, mask))
        np.testing.assert_allclose(got, reference(x, x, mask.cpu().numpy())[0], atol=1e-12)


def test_what_is_hidden_may_be_nan_and_empty_rows_give_zero(cuda):
    x = np.array([[np.nan, 1.0, 2.0], [np.nan, np.inf, -np.inf], [-np.inf, -np.inf, -np.inf], [0.0, 1.0, np.nan]])
    mask = np.array([[0, 1, 1], [0, 0, 0], [1, 1, 1], [1, 1, 1]], bool)
    want = np.array([[0, 1 / (1 + np.e), np.e / (1 + np.e)], [0, 0, 0], [0, 0, 0], [np.nan] * 3])
    for given in (mask, np.where(mask, 0.0, -np.inf)):
        t = gg.tensor(x, device=cuda).requires_grad_()
        out = masked_softmax(t, gg.tensor(given, device=cuda))
        out.backward(gg.tensor(draw(4, 3), device=cuda))
        np.testing.assert_allclose(host(out), want, atol=1e-12)
        np.testing.assert_array_equal(host(t.grad)[1:3], 0)
        assert np.isfinite(host(t.grad)[0]).all()


def test_masked_softmax_of_networks(device):
    x, bias = draw(2, 3, 4), draw(3, 4)
    t, b = (gg.tensor(a, device=device).requires_grad_() for a in (x, bias))
    F.masked_softmax(t, b, causal=True, scale=0.5).backward(gg.tensor(x, device=device))
    tt, tb = (torch.tensor(a, requires_grad=True) for a in (x, bias))
    hidden = ~torch.ones(3, 4, dtype=torch.bool).tril()
    torch.softmax((tt * 0.5 + tb).masked_fill(hidden, -np.inf), -1).backward(torch.tensor(x))
    np.testing.assert_allclose(host(t.grad), tt.grad.numpy(), atol=1e-12)
    np.testing.assert_allclose(host(b.grad), tb.grad.numpy(), atol=1e-12)


def test_masks_that_do_not_fit(device):
    x = gg.ones((2, 3), device=device)
    with pytest.raises(ShapeError, match="masked_softmax"):
        masked_softmax(x, gg.ones((4, 3), device=device))
    with pytest.raises(DTypeError, match="bool or floating-point"):
        masked_softmax(x, gg.ones((2, 3), device=device, dtype="int64"))
