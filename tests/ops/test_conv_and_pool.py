"""Convolution and pooling against PyTorch over a grid of arguments, known numbers, and errors."""

import itertools

import numpy as np
import pytest
from torch_reference import compare, torch

import gpugrad as gg
import gpugrad.nn.functional as F
from gpugrad.autograd.check.samples import Sampler
from gpugrad.autograd.op import OPS
from gpugrad.backend.cpu import gemm, loops
from gpugrad.backend.cpu.windows import Windows
from gpugrad.errors import DTypeError, ShapeError
from gpugrad.ops.conv.cpu import winograd

TF = torch.nn.functional
RNG = np.random.default_rng(0)
SIZES = {1: (11,), 2: (9, 8), 3: (5, 6, 4)}


def normal(*shape):
    return RNG.standard_normal(shape)


def conv_grid():
    windows = [(1, 0, 1, 3), (2, 1, 1, 3), (3, 2, 2, 2), (1, 0, 1, 1), (2, 0, 1, 1), (4, 1, 1, 2)]
    windows += [(1, "same", 1, 2), (1, "same", 2, 3)]
    for dims, groups, (stride, padding, dilation, kernel), bias in itertools.product(
        (1, 2, 3), (1, 2, 4), windows, (True, False)
    ):
        yield dims, groups, stride, padding, dilation, kernel, bias


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # PyTorch's
@pytest.mark.parametrize("dims,groups,stride,padding,dilation,kernel,bias", list(conv_grid()))
def test_conv(dims, groups, stride, padding, dilation, kernel, bias):
    x, w = normal(2, 4, *SIZES[dims]), normal(8, 4 // groups, *(kernel,) * dims)
    kwargs = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    args = [x, w, normal(8) if bias else None]
    ours, theirs = (getattr(lib, f"conv{dims}d") for lib in (F, TF))
    compare(ours, theirs, args, kwargs)
    compare(ours, theirs, args, kwargs, dtype="float32")


@pytest.mark.parametrize(
    "channels,kernels,size,kernel", [(1, 20, 12, 5), (3, 16, 10, 3), (64, 64, 8, 3), (32, 48, 7, 1), (5, 7, 9, 4)]
)
def test_conv_channel_counts(channels, kernels, size, kernel):
    args = [normal(3, channels, size, size), normal(kernels, channels, kernel, kernel), normal(kernels)]
    compare(F.conv2d, TF.conv2d, args, dict(padding=kernel // 2), dtype="float32")


def test_conv_asymmetric_padding_channels_last_and_no_batch():
    x, w = normal(2, 3, 6, 5), normal(4, 3, 3, 2)
    compare(
        lambda x, w: F.conv2d(x, w, padding=((1, 2), (0, 3))),
        lambda x, w: TF.conv2d(TF.pad(x, (0, 3, 1, 2)), w),
        [x, w],
    )
    compare(
        lambda x, w: F.conv2d(x.transpose(0, 3, 1, 2), w),
        lambda x, w: TF.conv2d(x.permute(0, 3, 1, 2), w),
        [np.ascontiguousarray(x.transpose(0, 2, 3, 1)), w],
    )
    compare(F.conv2d, TF.conv2d, [x[0], w])


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize(
    "samples,channels,kernels,size,padding",
    [
        (4, 48, 48, (16, 17), ((1, 1), (1, 1))),
        (3, 64, 50, (9, 62), ((0, 0), (0, 0))),
        (1, 51, 64, (33, 35), ((2, 2), (0, 0))),
        (2, 50, 49, (21, 30), ((1, 2), (0, 3))),
        (2, 48, 64, (20, 21), ((3, 3), (4, 4))),
        (1, 48, 48, (150, 91), ((1, 1), (1, 1))),
        (40, 48, 96, (5, 6), ((1, 1), (1, 1))),
    ],
)
def test_winograd_convolution_is_as_exact_as_columns(samples, channels, kernels, size, padding, channels_last):
    x, w, b = (
        a.astype(np.float32)
        for a in (normal(samples, channels, *size), normal(kernels, channels, 3, 3), normal(kernels))
    )
    if channels_last:
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    attributes = dict(stride=(1, 1), padding=padding, dilation=(1, 1), groups=1)
    out = tuple(n + sum(pad) - 2 for n, pad in zip(size, padding, strict=True))
    g = normal(samples, kernels, *out).astype(np.float32)
    windows = Windows((3, 3), (1, 1), (1, 1), tuple(low for low, _ in padding), out)
    assert winograd.is_faster(samples, channels, kernels, windows, x.dtype)
    made = [
        OPS["convolution"].paths["cpu"].forward(x, w, b, **attributes)[0],
        OPS["convolution_input_gradient"].paths["cpu"].forward(g, w, shape=x.shape, **attributes)[0],
        OPS["convolution_weight_gradient"].paths["cpu"].forward(g, x, shape=w.shape, **attributes)[0],
    ]
    xt, wt, bt, gt = (torch.tensor(np.ascontiguousarray(a), dtype=torch.float64) for a in (x, w, b, g))
    xt.requires_grad_(), wt.requires_grad_()
    (top, bottom), (left, right) = padding
    exact = TF.conv2d(TF.pad(xt, (left, right, top, bottom)), wt, bt)
    exact.backward(gt)
    for ours, theirs in zip(made, (exact.detach(), xt.grad, wt.grad), strict=True):
        assert ours.dtype == np.float32
        assert np.linalg.norm(ours - theirs.numpy()) < 8e-7 * np.linalg.norm(theirs.numpy())


@pytest.mark.parametrize("lead,rows,inner,columns", [((), 1000, 144, 16), ((3,), 517, 96, 40), ((2, 2), 7, 700, 900)])
def test_products_in_pieces(lead, rows, inner, columns):
    x, w, y = normal(*lead, rows, inner), normal(*lead, inner, columns), normal(*lead, rows, columns)
    out, sums = np.empty((*lead, rows, columns)), np.empty((*lead, inner, columns))
    gemm.multiply(x, w, out)
    gemm.transposed(x, y, sums)
    assert np.allclose(out, np.einsum("...mk,...kn->...mn", x, w))
    assert np.allclose(sums, np.einsum("...mk,...mn->...kn", x, y))


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize(
    "stride,padding,output_padding,dilation,groups",
    [(1, 0, 0, 1, 1), (2, 1, 1, 1, 2), (3, 0, 2, 2, 1), (2, 2, 0, 2, 4)],
)
def test_conv_transpose(dims, stride, padding, output_padding, dilation, groups):
    args = [normal(2, 4, *(n // 2 + 1 for n in SIZES[dims])), normal(4, 8 // groups, *(3,) * dims), normal(8)]
    kwargs = dict(stride=stride, padding=padding, output_padding=output_padding, dilation=dilation, groups=groups)
    ours, theirs = (getattr(lib, f"conv_transpose{dims}d") for lib in (F, TF))
    compare(ours, theirs, args, kwargs)


@pytest.mark.parametrize("size,padding,stride,expected", [(7, 0, 1, 5), (7, 0, 2, 3), (7, 1, 1, 7), (7, 0, 3, 2)])
def test_output_sizes_of_the_course(size, padding, stride, expected):
    out = F.conv2d(gg.zeros(1, 1, size, size), gg.zeros(1, 1, 3, 3), stride=stride, padding=padding)
    assert out.shape == (1, 1, expected, expected)  # stride 3 leaves the last column out


def test_six_filters_on_an_image():
    layer = gg.nn.Conv2d(3, 6, 5)
    assert layer(gg.zeros(1, 3, 32, 32)).shape == (1, 6, 28, 28)
    assert sum(p.numel() for p in layer.parameters()) == 5 * 5 * 3 * 6 + 6


def depthwise_grid():
    for dims, (stride, padding, dilation, kernel) in itertools.product(
        (1, 2, 3), [(1, 1, 1, 3), (2, 2, 2, 2), (3, 0, 1, 3), (2, 4, 1, 3)]
    ):
        yield dims, stride, padding, dilation, kernel


@pytest.mark.parametrize("setting", ["off", "always"])
@pytest.mark.parametrize("dims,stride,padding,dilation,kernel", list(depthwise_grid()))
def test_depthwise_conv_with_and_without_loops(setting, dims, stride, padding, dilation, kernel):
    args = [normal(3, 9, *SIZES[dims]), normal(9, 1, *(kernel,) * dims), normal(9)]
    ours, theirs = (getattr(lib, f"conv{dims}d") for lib in (F, TF))
    with loops.switched(setting):
        for dtype in ("float32", "float64"):
            compare(ours, theirs, args, dict(stride=stride, padding=padding, dilation=dilation, groups=9), dtype=dtype)


def test_conv_errors():
    x, w = gg.zeros(1, 2, 3, 3), gg.zeros(4, 2, 5, 5)
    with pytest.raises(ShapeError, match=r"convolution.*\(5, 5\).*does not fit.*\(3, 3\).*x \(1, 2, 3, 3\)"):
        F.conv2d(x, w)
    with pytest.raises(ShapeError, match="2 channels.*takes 3"):
        F.conv2d(x, gg.zeros(4, 3, 1, 1))
    with pytest.raises(ShapeError, match="same.*stride 1"):
        F.conv2d(x, gg.zeros(4, 2, 1, 1), stride=2, padding="same")
    with pytest.raises(DTypeError, match="int64"):
        F.conv2d(x, gg.zeros(4, 2, 1, 1, dtype=gg.int64))
    with pytest.raises(ShapeError, match="output_padding"):
        F.conv_transpose2d(x, gg.zeros(2, 2, 1, 1), output_padding=1)


POOLS = [
    dict(kernel_size=2),
    dict(kernel_size=3, stride=2, padding=1),
    dict(kernel_size=3, stride=1),
    dict(kernel_size=2, stride=3),
    dict(kernel_size=3, stride=2, ceil_mode=True),
    dict(kernel_size=2, stride=2, padding=1, ceil_mode=True),
]


@pytest.mark.parametrize(
    "kwargs", [*POOLS, dict(kernel_size=2, dilation=2), dict(kernel_size=3, stride=2, padding=1, dilation=2)]
)
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_max_pool(dims, kwargs):
    ours, theirs = (getattr(lib, f"max_pool{dims}d") for lib in (F, TF))
    x = np.round(normal(2, 3, *SIZES[dims]), 1)  # with ties
    compare(ours, theirs, [x], {**kwargs, "return_indices": True})
    compare(ours, theirs, [x], kwargs, dtype="float32")
    compare(lambda x: ours(x.swapaxes(1, -1), **kwargs), lambda x: theirs(x.transpose(1, -1), **kwargs), [x])


@pytest.mark.parametrize(
    "kwargs", [*POOLS, dict(kernel_size=3, padding=1, count_include_pad=False), dict(kernel_size=2, divisor_override=3)]
)
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_avg_pool(dims, kwargs):
    if dims == 1 and "divisor_override" in kwargs:
        pytest.skip("PyTorch has it for 2 and 3 axes only")
    ours, theirs = (getattr(lib, f"avg_pool{dims}d") for lib in (F, TF))
    compare(ours, theirs, [normal(2, 3, *SIZES[dims])], kwargs)


@pytest.mark.parametrize("dims,size", [(1, 4), (2, (3, 5)), (2, (None, 1)), (3, 2), (2, 1)])
def test_adaptive_pools(dims, size):
    for kind in ("avg", "max"):
        ours, theirs = (getattr(lib, f"adaptive_{kind}_pool{dims}d") for lib in (F, TF))
        compare(ours, theirs, [normal(2, 3, *SIZES[dims])], dict(output_size=size))
    ours, theirs = (getattr(lib, f"adaptive_max_pool{dims}d") for lib in (F, TF))
    compare(
        lambda x: ours(x, size, return_indices=True),
        lambda x: theirs(x, size, return_indices=True),
        [normal(2, 3, *SIZES[dims])],
    )


def test_lp_pool_and_unpool():
    compare(F.lp_pool2d, TF.lp_pool2d, [normal(2, 3, 6, 6), 2.0, 3], dict(stride=2))
    compare(F.lp_pool1d, TF.lp_pool1d, [np.abs(normal(2, 3, 6)), 3.0, 2])

    def there_and_back(lib):
        def call(x):
            out, indices = lib.max_pool2d(x, 2, return_indices=True)
            return lib.max_unpool2d(out * 2, indices, 2, output_size=x.shape)

        return call

    compare(there_and_back(F), there_and_back(TF), [normal(2, 3, 5, 6)])


def test_max_pool_of_the_course():
    x = gg.tensor([[1.0, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]]).reshape(1, 1, 4, 4)
    assert F.max_pool2d(x, 2)[0, 0].tolist() == [[6.0, 8.0], [3.0, 4.0]]


@pytest.mark.parametrize("setting", ["off", "always"])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(2, 2, 0), (3, 2, 1), ((3, 2), (1, 3), (1, 0))])
def test_max_pool_with_channels_last_memory(setting, kernel, stride, padding):
    """With and without loops, and with NaN and -inf in places that rows of a loop share."""
    x = normal(2, 7, 6, 10)
    x[0, 2, 2, ::2], x[1, :3, :4], x[1, 3, 3] = np.nan, -np.inf, 0.0
    with loops.switched(setting):
        compare(
            lambda x: F.max_pool2d(gg.permute_dims(x, (0, 3, 1, 2)), kernel, stride, padding, return_indices=True),
            lambda x: TF.max_pool2d(x.permute(0, 3, 1, 2), kernel, stride, padding, return_indices=True),
            [x],
        )


def test_max_pool_corner_cases():
    nan, inf = np.nan, np.inf
    x = np.array([[[[1.0, nan, 2.0, 2.0], [3.0, 4.0, 2.0, 2.0], [-inf, -inf, 0.0, 1.0], [-inf, -inf, 1.0, 1.0]]]])
    compare(F.max_pool2d, TF.max_pool2d, [x, 2], dict(return_indices=True))
    compare(
        F.max_pool2d, TF.max_pool2d, [np.full((1, 1, 3, 3), -inf), 3], dict(stride=2, padding=1, return_indices=True)
    )
    with pytest.raises(ShapeError, match=r"does not fit.*\(2, 2\)"):
        F.max_pool2d(gg.zeros(1, 1, 2, 2), 3)
    with pytest.raises(ShapeError, match="half of kernel_size"):
        F.max_pool2d(gg.zeros(1, 1, 4, 4), 2, padding=2)
    assert F.max_pool2d(gg.zeros(0, 2, 4, 4), 2).shape == (0, 2, 2, 2)


@pytest.mark.parametrize(
    "name", sorted(name for name, op in OPS.items() if {"stride", "dilation"} & set(op.attributes))
)
def test_windows_may_be_lists(name):
    def lists(value):
        return [lists(v) for v in value] if isinstance(value, tuple) else value

    for case in OPS[name].samples(Sampler(0)):
        given = {attribute: lists(value) for attribute, value in case.kwargs.items()}
        for a, b in zip(
            parts(OPS[name](*case.args, **case.kwargs)), parts(OPS[name](*case.args, **given)), strict=True
        ):
            np.testing.assert_array_equal(a.numpy(), b.numpy())


def parts(out):
    return out if isinstance(out, tuple) else (out,)


@pytest.mark.parametrize(
    ("length", "kernel", "stride", "padding", "output_padding", "dilation"),
    [(1, 2, 1, 0, 2, 4), (3, 2, 1, 0, 2, 4), (1, 1, 1, 0, 1, 2), (2, 3, 2, 1, 1, 1), (5, 2, 3, 2, 2, 2)],
)
def test_a_transposed_convolution_with_room_for_more_windows(length, kernel, stride, padding, output_padding, dilation):
    """The gradient of its input is as large as the input, however many windows fit into its output."""
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, 2, length)), rng.normal(size=(2, 3, kernel))
    options = dict(stride=stride, padding=padding, output_padding=output_padding, dilation=dilation)
    found = []
    for lib, functional in ((gg, F), (torch, TF)):
        a, b = (lib.tensor(v, requires_grad=True) for v in (x, w))
        y = functional.conv_transpose1d(a, b, **options)
        (y * y).sum().backward()
        found.append([t.detach().numpy() for t in (y, a.grad, b.grad)])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, 1e-10)
