"""Attention's CUDA kernels against PyTorch in float64: shapes, masks, hard values, accuracy, layouts, dropout."""

import numpy as np
import pytest
from accuracy import DTYPES, near, rounded, torch, typically_near

import gpugrad as gg
from gpugrad.backend.cuda import is_emulated
from gpugrad.backend.cuda.launch import Kernels
from gpugrad.ops.attention import attention

LENGTHS = [1, 15, 16, 17, 63, 64, 65, 127, 130]


def draw(*sizes, seed=0, spread=1.0):
    """q, k, v and the upstream gradient for (B, H, Hkv, Tq, Tk, D, Dv)."""
    b, h, hkv, tq, tk, d, dv = sizes
    rng = np.random.default_rng(seed)
    shapes = [(b, h, tq, d), (b, hkv, tk, d), (b, hkv, tk, dv), (b, h, tq, dv)]
    return [rng.standard_normal(shape) * (spread if i < 2 else 1) for i, shape in enumerate(shapes)]


def run(device, arrays, mask=None, dtype="float64", **attributes):
    """Output and gradients of the op, in float64 on the host."""
    q, k, v, g = (gg.tensor(a, device=device, dtype=dtype) for a in arrays)
    leaves = [t.requires_grad_() for t in (q, k, v)]
    before = attention.paths["cuda"].runs
    mask = mask if mask is None or isinstance(mask, gg.Tensor) else gg.tensor(mask, device=device)
    out = attention(q, k, v, mask, **{"causal": False, "scale": 0.3, **attributes})
    if device.type == "cuda":
        assert attention.paths["cuda"].runs == before + 1
    out.backward(g)
    return [t.to(dtype="float64").cpu().numpy() for t in (out.detach(), *(leaf.grad for leaf in leaves))]


def reference(arrays, mask=None, causal=False, scale=0.3):
    """The same from PyTorch's single operations in float64."""
    q, k, v, g = (torch.tensor(a) for a in arrays)
    leaves = [t.requires_grad_() for t in (q, k, v)]
    full = None if mask is None else torch.tensor(np.atleast_2d(mask))
    if causal:
        seen = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool).tril()
        full = seen if full is None else full & seen if full.dtype == torch.bool else full.masked_fill(~seen, -np.inf)
    full = full if full is None or full.dtype == torch.bool else full.to(q.dtype)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        out = torch.nn.functional.scaled_dot_product_attention(q, k, v, full, scale=scale, enable_gqa=True)
    out.backward(g)
    return [t.detach().double().numpy() for t in (out, *(leaf.grad for leaf in leaves))]


def agree(got, expected, tolerance=1e-10):
    for name, a, b in zip(("out", "gq", "gk", "gv"), got, expected, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, atol=tolerance * max(1, np.abs(b).max(initial=0)), rtol=0, err_msg=name)


def test_gpus_before_sm_80(cuda, monkeypatch):
    names, launch = [], Kernels.launch
    monkeypatch.setattr(
        Kernels, "launch", lambda self, name, **given: (names.append(name), launch(self, name, **given))
    )
    monkeypatch.setattr(type(cuda), "capability", 75)
    arrays = draw(1, 2, 1, 17, 33, 16, 24)
    agree(run(cuda, arrays, dtype="float16"), reference(arrays), 5e-3)
    names = [name for name in names if "attention" in name]  # the others cast to 16 bits and back
    assert len(names) == 4 and not any("mma" in name for name in names)


def both(cuda, sizes, mask=None, **attributes):
    arrays = draw(*sizes)
    agree(run(cuda, arrays, mask, **attributes), reference(arrays, mask, **attributes))


@pytest.mark.parametrize("length", LENGTHS)
def test_lengths(cuda, length):
    both(cuda, (1, 2, 1, length, 70, 16, 16))
    both(cuda, (1, 1, 1, 33, length, 5, 7), causal=True)
    both(cuda, (1, 2, 2, length, length, 8, 8), causal=True)


@pytest.mark.parametrize("width", [1, 3, 16, 40, 64, 80, 128, 192, 256])
def test_widths(cuda, width):
    both(cuda, (1, 2, 1, 35, 33, width, width))
    both(cuda, (1, 1, 1, 9, 34, width, 65), causal=True)
    both(cuda, (1, 1, 1, 9, 34, 12, width))


@pytest.mark.parametrize("shape", [(40, 70), (1, 70), (40, 1), (2, 1, 40, 70), (1, 4, 1, 70), (2, 4, 40, 70), ()])
@pytest.mark.parametrize("causal", [False, True])
def test_masks(cuda, shape, causal):
    rng = np.random.default_rng(1)
    chosen = rng.random(shape) < 0.7
    added = rng.standard_normal(shape)
    for mask in (np.asarray(chosen), np.asarray(added), np.where(chosen, added, -np.inf)):
        both(cuda, (2, 4, 2, 40, 70, 8, 8), mask, causal=causal)


def test_mask_of_another_dtype(cuda):
    arrays = draw(1, 1, 1, 20, 30, 8, 8)
    mask = np.random.default_rng(2).standard_normal((20, 30))
    for dtype in ("float16", "float32"):
        for kind in ("float32", "float64", dtype):
            given = gg.tensor(mask, device=cuda, dtype=kind)
            got = run(cuda, arrays, given, dtype)
            agree(got, reference(arrays, given.to(dtype="float64").cpu().numpy()), 1e-2 if dtype == "float16" else 1e-5)


@pytest.mark.parametrize("sizes", [
    (0, 2, 2, 3, 3, 2, 2), (1, 0, 0, 3, 3, 2, 2), (1, 2, 2, 0, 3, 2, 2), (1, 2, 2, 3, 0, 2, 2), (1, 2, 2, 3, 3, 0, 2),
    (1, 2, 2, 3, 3, 2, 0), (1, 2, 1, 0, 0, 0, 0),
])  # fmt: skip
def test_zero_sizes(cuda, sizes):
    arrays = draw(*sizes)
    agree(run(cuda, arrays), run(gg.device("cpu"), arrays))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_more_heads_than_a_grid_has_rows(cuda, monkeypatch, dtype):
    arrays = draw(65_538, 1, 1, 2, 1, 8, 8)
    if is_emulated():  # takes minutes there: so many blocks fit along x alone
        grids = []
        monkeypatch.setattr(Kernels, "launch", lambda self, name, *, grid, **_: grids.append((name, grid)))
        run(cuda, arrays, dtype=dtype)
        assert [grid for name, grid in grids if "attention" in name] == [(65_538,)] * 4
    else:
        agree(run(cuda, arrays, dtype=dtype), run(gg.device("cpu"), arrays), 1e-2)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_that_see_nothing(cuda, dtype):
    arrays = draw(1, 2, 2, 70, 66, 8, 8)
    for hidden in (False, -np.inf):
        mask = np.full((70, 66), True if hidden is False else 0.0)
        mask[3], mask[5, 1:], mask[:, 7] = hidden, hidden, hidden
        out, gq, gk, gv = run(cuda, arrays, mask, dtype)
        assert not out[0, :, 3].any() and not gq[0, :, 3].any() and not gk[0, :, 7].any() and not gv[0, :, 7].any()
        assert all(np.isfinite(a).all() for a in (out, gq, gk, gv))
        out, *gradients = run(cuda, arrays, np.full((70, 66), hidden), dtype)
        assert not out.any() and not any(g.any() for g in gradients)


@pytest.mark.parametrize("dtype", DTYPES)
def test_hidden_keys_and_values_may_be_anything(cuda, dtype):
    arrays = draw(1, 2, 1, 70, 130, 8, 8)
    seen = np.full(130, True)
    seen[[5, 77, 129]] = False
    clean = run(cuda, arrays, seen, dtype)
    for value in (np.nan, np.inf):
        wild = [a.copy() for a in arrays]
        wild[1][:, :, ~seen] = wild[2][:, :, ~seen] = value
        for mask in (seen, np.where(seen, 0.0, -np.inf)):
            agree(run(cuda, wild, mask, dtype), clean, 1e-2 if dtype.endswith("16") else 0)
    # Under a causal mask a bad key spoils the queries from it on, and none before.
    wild = [a.copy() for a in arrays]
    wild[2][:, :, 40, 3] = np.nan
    out = run(cuda, wild, dtype=dtype, causal=True)[0]
    assert np.isfinite(out[:, :, :40]).all() and np.isnan(out[:, :, 40:, 3]).all()
    assert np.isfinite(np.delete(out, 3, axis=3)).all()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_finite_masks(cuda, dtype):
    arrays = draw(1, 1, 1, 20, 70, 8, 8)
    mask = np.zeros((20, 70), dtype)
    mask[:, 30:] = mask[4] = np.finfo(dtype).min  # row 4: all alike, so the scores vanish beside it
    agree(run(cuda, arrays, mask, dtype), reference(arrays, mask), 1e-5)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_large_scores(cuda, dtype):
    """Scores of +-1e4: nearly every row has one key with all the weight, so what gq and gk should be is nearly 0."""
    arrays = [a.astype(np.float32).astype(np.float64) for a in draw(1, 1, 1, 30, 70, 8, 8, spread=60.0)]
    q, k, v, g = (np.abs(a).max() for a in arrays)
    scales = v, g * v * k, g * v * q, g  # of the numbers that add up to each
    found = run(cuda, arrays, dtype=dtype, scale=1.0), reference(arrays, scale=1.0)
    for name, got, exact, scale in zip(("out", "gq", "gk", "gv"), *found, scales, strict=True):
        near(got, exact, dtype, scale, name)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("sizes,causal", [
    ((1, 2, 1, 130, 130, 64, 64), True), ((1, 1, 1, 65, 127, 128, 128), False), ((1, 1, 1, 70, 66, 40, 24), False),
    ((1, 1, 1, 40, 70, 256, 192), True),
])  # fmt: skip
def test_accuracy(cuda, sizes, causal, dtype):
    arrays = [rounded(a, dtype) for a in draw(*sizes)]
    options = dict(causal=causal, scale=sizes[5] ** -0.5)
    found = run(cuda, arrays, dtype=dtype, **options), reference(arrays, **options)
    for name, got, exact in zip(("out", "gq", "gk", "gv"), *found, strict=True):
        near(got, exact, dtype, name=name)
        typically_near(got, exact, dtype, name)


@pytest.fixture
def tensor_cores(cuda, monkeypatch):
    """The cuda device, and the names of the tensor-core kernels that were launched."""
    from gpugrad.ops.attention.cuda import mma

    names, launch = [], mma.launch
    monkeypatch.setattr(mma, "launch", lambda name, *rest: (names.append(name), launch(name, *rest)))
    return cuda, names


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("sizes,options", [
    ((1, 2, 1, 1, 1, 8, 8), {}), ((2, 4, 2, 15, 17, 64, 64), {"causal": True}), ((1, 1, 1, 63, 65, 16, 24), {}),
    ((1, 1, 1, 127, 33, 64, 72), {"causal": True}), ((1, 2, 1, 130, 129, 128, 128), {"causal": True}),
    ((1, 2, 2, 33, 260, 128, 64), {"dropout_p": 0.3, "seed": 4}), ((1, 4, 1, 257, 64, 40, 128), {"causal": True}),
    ((1, 2, 1, 200, 150, 64, 64), {"dropout_p": 0.5, "seed": 4, "causal": True}),
    ((1, 1, 1, 20, 30, 8, 8), {"scale": -2.0}),
])  # fmt: skip
def test_tensor_cores(tensor_cores, sizes, options, dtype):
    cuda, names = tensor_cores
    arrays = [rounded(a, dtype) for a in draw(*sizes)]
    tolerance = 4e-3 if dtype == "float16" else 3e-2
    agree(run(cuda, arrays, dtype=dtype, **options), run(gg.device("cpu"), arrays, **options), tolerance)
    assert names == ["forward", "backward_q", "backward_kv"]


@pytest.mark.parametrize("shape", [(40, 140), (1, 140), (40, 1), (2, 1, 40, 140), (2, 4, 40, 140)])
def test_masks_on_tensor_cores(tensor_cores, shape):
    cuda, names = tensor_cores
    rng = np.random.default_rng(1)
    chosen, added = rng.random(shape) < 0.7, rng.standard_normal(shape).astype(np.float16).astype(np.float64)
    arrays = [a.astype(np.float16).astype(np.float64) for a in draw(2, 4, 2, 40, 140, 8, 8)]
    for mask in (chosen, np.where(chosen, added, -np.inf), np.where(chosen, added, np.finfo(np.float32).min)):
        for causal in (False, True):
            got = run(cuda, arrays, mask.astype(np.float32) if mask is not chosen else mask, "float16", causal=causal)
            agree(got, reference(arrays, mask, causal=causal), 4e-3)
    assert len(names) == 18


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_no_race_in_any_order(cuda, dtype):
    if not is_emulated():
        pytest.skip("only the emulator orders threads")
    from gpugrad.backend.cuda.emulator.options import options

    arrays = draw(1, 2, 1, 70, 66, 8, 8)
    arrays[2][:, :, 5] = np.nan
    mask = np.arange(66) != 5
    attributes: dict = dict(dtype=dtype, causal=True, dropout_p=0.2, seed=1)
    found = []
    for schedule in ("forward", "reverse", "random"):
        with options(check=True, schedule=schedule, seed=3):
            found.append(run(cuda, arrays, mask, **attributes))
            agree(found[-1], found[0], 0)
    assert all(np.isfinite(a).all() for a in found[0][:3])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_heads_behind_time(cuda, dtype):
    arrays = draw(2, 4, 2, 33, 47, 16, 16)
    expected = run(cuda, arrays, dtype=dtype)
    q, k, v, g = (gg.tensor(a.swapaxes(1, 2), device=cuda, dtype=dtype) for a in arrays)
    leaves = [t.requires_grad_() for t in (q, k, v)]
    out = attention(*(t.swapaxes(1, 2) for t in leaves), causal=False, scale=0.3)
    assert out.swapaxes(1, 2)._array.flags.c_contiguous
    out.backward(g.swapaxes(1, 2))
    got = [out.detach(), *(leaf.grad.swapaxes(1, 2) for leaf in leaves)]
    agree([t.to(dtype="float64").cpu().numpy() for t in got], expected, 0)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_views(cuda, dtype):
    rng = np.random.default_rng(3)
    x = gg.tensor(rng.standard_normal((2, 40, 51)), device=cuda, dtype=dtype)
    q, k, v = (x[:, 1:, i::3].reshape(2, 39, 1, 17).swapaxes(1, 2) for i in range(3))  # odd offsets, steps of three
    flipped = attention(q[:, :, ::-1], k, v, causal=False, scale=0.3)
    dense = attention(*(gg.tensor(t.cpu().numpy(), device=cuda) for t in (q, k, v)), causal=False, scale=0.3)
    assert np.array_equal(flipped.cpu().numpy()[:, :, ::-1], dense.cpu().numpy())
    q = q.detach().requires_grad_()
    attention(q, k, v, causal=False, scale=0.3).sum().backward()  # an upstream gradient of strides 0
    assert np.isfinite(q.grad.to(dtype="float32").cpu().numpy()).all()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_reruns_give_the_same_bits(cuda, dtype):
    arrays = draw(1, 4, 2, 130, 130, 64, 64)
    first = run(cuda, arrays, dtype=dtype, causal=True, dropout_p=0.1, seed=5)
    for _ in range(19):
        agree(run(cuda, arrays, dtype=dtype, causal=True, dropout_p=0.1, seed=5), first, 0)


@pytest.mark.parametrize("sizes", [(2, 2, 1, 70, 67, 8, 8), (1, 2, 2, 33, 130, 64, 64), (1, 1, 1, 3, 1, 8, 8)])
def test_dropout(cuda, sizes):
    arrays = draw(*sizes)
    for dtype, tolerance in (("float64", 1e-10), ("float32", 1e-5), ("float16", 1e-2)):
        for p in (0.3, 1.0):
            options: dict = dict(causal=sizes[3] == 70, dropout_p=p, seed=11)
            agree(run(cuda, arrays, dtype=dtype, **options), run(gg.device("cpu"), arrays, **options), tolerance)


def test_dropout_keeps_its_share(device):
    ones = gg.ones(1, 4, 100, 4, device=device)
    out = attention(ones, ones, ones, causal=False, scale=1.0, dropout_p=0.25, seed=1)
    again = attention(ones, ones, ones, causal=False, scale=1.0, dropout_p=0.25, seed=2)
    assert out.mean().item() == pytest.approx(1, abs=0.02)
    assert not np.array_equal(out.cpu().numpy(), again.cpu().numpy())


def test_wider_than_the_kernels(cuda):
    before = attention.paths["cuda"].runs
    x = gg.ones(1, 1, 2, 257, device=cuda)
    assert attention(x, x, x, causal=False, scale=1.0).cpu().numpy() == pytest.approx(1)
    assert attention.paths["cuda"].runs == before
