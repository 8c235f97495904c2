"""Convolutions on a cuda device against PyTorch in float64: values, both gradients, layouts, types and accuracy."""

import functools

import numpy as np
import pytest
from accuracy import torch, typically_near

import gpugrad as gg
from gpugrad.autograd.op import OPS
from gpugrad.backend.cuda.launch import Kernels

PASSES = ("convolution", "convolution_input_gradient", "convolution_weight_gradient")
RNG = np.random.default_rng(0)

# x, weight, then what is not the default: sizes are odd on purpose, none is a multiple of a tile.
CASES = {
    "1d": dict(x=(3, 5, 17), w=(7, 5, 3), padding=((1, 2),)),
    "1d stride > kernel": dict(x=(2, 3, 23), w=(4, 3, 2), stride=(5,), padding=((3, 0),)),
    "1d long dilation": dict(x=(1, 2, 40), w=(3, 2, 5), dilation=(7,), padding=((0, 9),)),
    "2d": dict(x=(2, 13, 9, 11), w=(67, 13, 3, 3), padding=((1, 1), (1, 1))),
    "2d one channel": dict(x=(3, 1, 12, 10), w=(5, 1, 5, 5)),
    "2d stride": dict(x=(2, 6, 10, 13), w=(9, 6, 3, 3), stride=(2, 3), padding=((1, 0), (0, 2))),
    "2d stride and dilation": dict(
        x=(1, 4, 15, 14), w=(6, 4, 3, 2), stride=(2, 4), dilation=(3, 2), padding=((2, 1), (0, 3))
    ),
    "2d common divisor": dict(
        x=(1, 3, 17, 16), w=(2, 3, 3, 4), stride=(4, 6), dilation=(2, 4), padding=((1, 2), (5, 8))
    ),
    "2d stride > kernel": dict(x=(1, 3, 14, 11), w=(2, 3, 2, 1), stride=(5, 3)),
    "2d groups": dict(x=(2, 12, 7, 6), w=(21, 4, 3, 3), groups=3, padding=((1, 1), (1, 1))),
    "2d one output a group": dict(x=(2, 12, 7, 6), w=(4, 3, 3, 3), groups=4, stride=(2, 2)),
    "2d 1 x 1": dict(x=(2, 9, 6, 7), w=(70, 9, 1, 1)),
    "2d 1 x 1 stride": dict(x=(2, 9, 6, 7), w=(5, 9, 1, 1), stride=(2, 2)),
    "2d large kernel": dict(x=(1, 2, 20, 19), w=(3, 2, 13, 12), padding=((6, 6), (5, 6))),
    "2d kernel of the size": dict(x=(4, 3, 5, 6), w=(8, 3, 5, 6)),
    "2d much padding": dict(x=(1, 2, 3, 3), w=(2, 2, 2, 2), padding=((5, 4), (3, 6)), stride=(2, 1)),
    "2d long sum": dict(x=(5, 2, 33, 31), w=(3, 2, 3, 3)),
    "depthwise": dict(x=(2, 37, 9, 8), w=(37, 1, 3, 3), groups=37, padding=((1, 1), (1, 1))),
    "depthwise stride": dict(x=(3, 5, 20, 17), w=(5, 1, 5, 4), groups=5, stride=(2, 3), padding=((2, 1), (0, 2))),
    "depthwise two outputs": dict(x=(2, 3, 10, 9), w=(6, 1, 3, 3), groups=3, stride=(2, 1), dilation=(1, 2)),
    "depthwise 1d": dict(x=(2, 4, 300), w=(4, 1, 4), groups=4, padding=((3, 0),)),
    "3d": dict(
        x=(2, 3, 5, 6, 4), w=(4, 3, 3, 2, 3), stride=(1, 2, 1), padding=((1, 1), (0, 0), (0, 2)), dilation=(2, 1, 1)
    ),
    "2d deep": dict(x=(1, 136, 6, 7), w=(9, 136, 4, 4), padding=((0, 1), (1, 1))),
    "2d wide groups": dict(x=(2, 18, 5, 7), w=(260, 9, 2, 3), groups=2, stride=(1, 2)),
    "no sample": dict(x=(0, 3, 5, 5), w=(4, 3, 2, 2)),
}  # fmt: skip


def window(case):
    dims = len(case["x"]) - 2
    defaults = dict(stride=(1,) * dims, padding=((0, 0),) * dims, dilation=(1,) * dims, groups=1)
    return {name: case.get(name, value) for name, value in defaults.items()}


def torch_convolution(x, w, bias, *, stride, padding, dilation, groups):
    pads = [p for pair in reversed(padding) for p in pair]
    conv = getattr(torch.nn.functional, f"conv{x.ndim - 2}d")
    return conv(torch.nn.functional.pad(x, pads), w, bias, stride, 0, dilation, groups)


@functools.cache
def arrays(name):
    """x, w, bias and y of a case: float64 numbers that every type holds, unless the case wants long fractions."""
    case = CASES[name]
    digits = 2.0 ** (50 if case.get("long") else 3)
    shape = torch_convolution(torch.zeros(case["x"]), torch.zeros(case["w"]), None, **window(case)).shape
    shapes = case["x"], case["w"], case["w"][:1], tuple(shape)
    return [np.round(RNG.standard_normal(shape) * digits) / digits for shape in shapes]


def reference(name):
    """What PyTorch gives for the three passes in float64."""
    given = [torch.tensor(a).requires_grad_() for a in arrays(name)[:3]]
    out = torch_convolution(*given, **window(CASES[name]))
    gx, gw, _ = torch.autograd.grad(out, given, torch.tensor(arrays(name)[3]))
    return [t.detach().numpy() for t in (out, gx, gw)]


def channels_first(a, device, dtype):
    return gg.asarray(a, device=device).to(dtype=dtype)


def channels_last(a, device, dtype):
    """A view of memory in which the channels of a position are neighbours."""
    return gg.moveaxis(channels_first(np.moveaxis(a, 1, -1), device, dtype), -1, 1)


def ours(name, device, dtype, layout=channels_first):
    """The three passes here, as float64; each must have run on its own path."""
    x, w, bias, y = arrays(name)
    (x, y), (w, bias) = (
        (layout(a, device, dtype) for a in (x, y)),
        (channels_first(a, device, dtype) for a in (w, bias)),
    )
    before = [OPS[p].paths["cuda"].runs for p in PASSES]
    case = window(CASES[name])
    outs = (
        gg.convolution(x, w, bias, **case),
        OPS["convolution_input_gradient"](y, w, shape=x.shape, **case),
        OPS["convolution_weight_gradient"](y, x, shape=w.shape, **case),
    )
    assert [OPS[p].paths["cuda"].runs for p in PASSES] == [n + 1 for n in before]
    assert all(out.dtype == x.dtype for out in outs)
    return [out.to(dtype="float64").numpy() for out in outs]


def near(got, expected, unit):
    """Each number within `unit` of the largest one."""
    for part, a, b in zip(PASSES, got, expected, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=unit, atol=unit * np.abs(b).max(initial=1), err_msg=part)


@pytest.mark.parametrize("layout", [channels_first, channels_last])
@pytest.mark.parametrize("name", CASES)
def test_passes(cuda, name, layout):
    near(ours(name, cuda, "float64", layout), reference(name), 1e-13)


@pytest.mark.parametrize("dtype,unit", [("float16", 1e-3), ("bfloat16", 8e-3), ("float32", 1e-6)])
@pytest.mark.parametrize("name", CASES)
def test_narrow_types(cuda, name, dtype, unit):
    layout = channels_last if dtype == "bfloat16" else channels_first
    near(ours(name, cuda, dtype, layout), reference(name), unit)


@pytest.fixture
def launched(monkeypatch):
    """The instances that are launched meanwhile."""
    names, launch = [], Kernels.launch

    def spy(self, instance, **kwargs):
        names.append(instance)
        launch(self, instance, **kwargs)

    monkeypatch.setattr(Kernels, "launch", spy)
    return names


@pytest.fixture
def tf32():
    gg.set_float32_matmul_precision("high")
    yield
    gg.set_float32_matmul_precision("highest")


@pytest.mark.parametrize("layout", [channels_first, channels_last])
@pytest.mark.parametrize(
    "name", ["1d", "2d", "2d stride and dilation", "2d deep", "2d wide groups", "2d long sum", "3d"]
)
def test_tf32_rounds_only_its_factors(cuda, tf32, launched, name, layout):
    """The arrays' numbers need few bits, so that products of TensorFloat32 are exact."""
    near(ours(name, cuda, "float32", layout), reference(name), 1e-6)
    assert sum("mma" in instance for instance in launched) == len(PASSES)


def test_float32_is_not_rounded_unless_asked(cuda, launched):
    x = gg.full((1, 1, 1, 2), 1 + 2**-20, device=cuda)
    window = dict(stride=(1, 1), padding=((0, 0), (0, 0)), dilation=(1, 1), groups=1)
    weight = gg.ones(1, 1, 1, 2, device=cuda)
    assert gg.convolution(x, weight, None, **window).item() == 2 + 2**-19
    gg.set_float32_matmul_precision("high")
    try:
        assert gg.convolution(x, weight, None, **window).item() == 2
    finally:
        gg.set_float32_matmul_precision("highest")


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("name", ["2d", "2d deep", "2d long sum"])
def test_little_shared_memory(cuda, tf32, monkeypatch, name, dtype):
    """Two stages give the same bits as three."""
    first = ours(name, cuda, dtype)
    monkeypatch.setattr(type(cuda), "shared_bytes", 99 << 10)
    assert all(np.array_equal(a, b) for a, b in zip(first, ours(name, cuda, dtype), strict=True))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["2d", "2d deep", "3d"])
def test_16_bit_floats_use_tensor_cores(cuda, launched, name, dtype):
    ours(name, cuda, dtype)
    assert sum("mma" in instance for instance in launched) == len(PASSES)


def test_gpus_before_sm_80(cuda, launched, monkeypatch):
    """They have 64 KB of shared memory and other tensor cores; sums are then not set aside."""
    first = ours("2d deep", cuda, "float16")
    monkeypatch.setattr(type(cuda), "capability", 75)
    monkeypatch.setattr(type(cuda), "shared_bytes", 64 << 10)
    launched.clear()
    for a, b in zip(first, ours("2d deep", cuda, "float16"), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-3 * np.abs(a).max())
    assert launched and not any("mma" in instance for instance in launched)


@pytest.mark.parametrize("arrange", ["sliced", "reversed", "expanded"])
def test_any_strides(cuda, arrange):
    views = {
        "sliced": lambda a: gg.repeat(a, 2, axis=3)[:, :, :, ::2], "reversed": lambda a: gg.flip(a, 2)[:, :, ::-1],
        "expanded": lambda a: gg.broadcast_to(a[:1, :1], a.shape),
    }  # fmt: skip
    x, w, _, y = (gg.asarray(a, device=cuda) for a in arrays("2d stride"))
    case = window(CASES["2d stride"])
    for part in (
        lambda view: gg.convolution(view(x), view(w), None, **case),
        lambda view: OPS["convolution_input_gradient"](view(y), view(w), shape=x.shape, **case),
        lambda view: OPS["convolution_weight_gradient"](view(y), view(x), shape=w.shape, **case),
    ):
        plain = part(lambda a: views[arrange](a).contiguous())
        np.testing.assert_allclose(part(views[arrange]).numpy(), plain.numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize(
    "x,w", [((1, 512, 4, 5), (16, 512, 3, 3)), ((6, 2, 40, 40), (3, 2, 2, 2)), ((1, 3, 70), (64, 3, 64))]
)
def test_accuracy(cuda, monkeypatch, x, w, dtype):
    monkeypatch.setitem(CASES, "accuracy", dict(x=x, w=w, long=dtype == "float32"))
    arrays.cache_clear()
    for part, got, exact in zip(PASSES, ours("accuracy", cuda, dtype), reference("accuracy"), strict=True):
        typically_near(got, exact, dtype, part)
    arrays.cache_clear()


def test_channels_last_in_channels_last_out(cuda):
    x = gg.moveaxis(gg.zeros(2, 5, 6, 8, device=cuda), -1, 1)
    out = gg.convolution(x, gg.zeros(4, 8, 3, 3, device=cuda), None, **window(dict(x=x.shape)))
    assert gg.moveaxis(out, 1, -1)._array.flags.c_contiguous


def test_a_rerun_gives_the_same_bits(cuda):
    first = ours("2d long sum", cuda, "float32")
    for _ in range(2):
        assert all(np.array_equal(a, b) for a, b in zip(first, ours("2d long sum", cuda, "float32"), strict=True))


def test_infinite_weights_spoil_only_what_they_reach(cuda):
    x, w = np.ones((1, 1, 6)), np.array([[[1.0, np.inf]], [[1.0, 1.0]]])
    out = gg.convolution(gg.asarray(x, device=cuda), gg.asarray(w, device=cuda), None, **window(dict(x=x.shape)))
    assert np.isinf(out.numpy()[0, 0]).all()
    assert (out.numpy()[0, 1] == 2).all()
