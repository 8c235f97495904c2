"""Bad input: a named exception whose message has the op, what was given and what to do."""

import os
import subprocess
import sys

import numpy as np
import pytest

import gpugrad as gg
import gpugrad.nn.functional as F
from gpugrad import nn
from gpugrad.backend.devices import Device
from gpugrad.errors import DeviceError, DTypeError, GpugradError, LinAlgError, ShapeError


def test_shapes_that_do_not_broadcast():
    with pytest.raises(ShapeError, match=r"add: .*x \(2, 3\) float32, y \(4,\) float32"):
        gg.ones(2, 3) + gg.ones(4)
    with pytest.raises(ShapeError, match=r"matmul.*\(2, 3\).*\(2, 3\)"):
        gg.ones(2, 3) @ gg.ones(2, 3)
    with pytest.raises(ShapeError, match=r"reshape.*\(2, 3\).*shape=\(4,\)"):
        gg.ones(2, 3).reshape(4)
    with pytest.raises(ShapeError, match="sum.*axis 2"):
        gg.ones(2, 3).sum(axis=2)


def test_types_that_are_no_arrays():
    with pytest.raises(DTypeError, match=r"add.*y cannot be a tensor"):
        gg.ones(2) + object()
    with pytest.raises(DTypeError, match="M8.*expected one of bool"):
        gg.tensor(np.zeros(2, "datetime64[s]"))
    with pytest.raises(DTypeError, match="does not fit uint8"):
        gg.tensor([1], dtype="uint8") + 300
    with pytest.raises(DTypeError, match=r"softmax.*unexpected keyword argument 'axes'"):
        gg.softmax(gg.ones(2), axes=0)


def test_mixed_devices():
    class Elsewhere(Device):
        __slots__ = ()

    away = gg.ones(3)
    away.device = Elsewhere("cuda", 0, "cuda:0")
    with pytest.raises(DeviceError, match=r"multiply.*cpu and cuda:0.*\.to\("):
        gg.ones(3) * away
    with pytest.raises(DeviceError, match="NumPy array"):
        gg.multiply(away, np.ones(3))


def without_emulation():
    return {name: value for name, value in os.environ.items() if name != "GPUGRAD_CUDA"}


def test_devices_that_are_not_there():
    with pytest.raises(DeviceError, match='\'tpu\'.*"cpu", "cuda"'):
        gg.zeros(2, device="tpu")
    code = "import sys; sys.modules['cupy'] = None; import gpugrad; gpugrad.zeros(2, device='cuda')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=without_emulation())
    advice = "GPUGRAD_CUDA=emulate", "pip install 'gpugrad[cuda"  # without a GPU, and with one
    assert "DeviceError" in run.stderr and any(words in run.stderr for words in advice)


def test_matrices_without_an_inverse():
    with pytest.raises(LinAlgError, match="inv.*Singular"):
        gg.inv(gg.zeros(2, 2))


def test_every_error_is_also_the_built_in_one():
    assert issubclass(ShapeError, ValueError) and issubclass(DTypeError, TypeError)
    assert issubclass(DeviceError, RuntimeError) and issubclass(ShapeError, GpugradError)


X, ROWS, IMAGE = gg.ones(3, 4), gg.ones(3, 2), gg.ones(1, 2, 4, 4)
HALF = gg.full((3,), 0.5)
# What was computed from once, and must be refused: the call, and the words of the error.
NONSENSE = {
    "the target of BCE above 1": (lambda: F.binary_cross_entropy(HALF, HALF + 1), "binary_cross_entropy: target"),
    "the input of BCE below 0": (lambda: F.binary_cross_entropy(HALF - 1, HALF), "binary_cross_entropy: input"),
    "BCE of two shapes": (lambda: F.binary_cross_entropy(HALF, gg.ones(3, 1)), "target must have input's shape"),
    "logits of two shapes": (lambda: F.binary_cross_entropy_with_logits(HALF, gg.ones(3, 1)), "input's shape"),
    "huber delta 0": (lambda: F.huber_loss(HALF, HALF, delta=0), "huber_loss: delta must be a positive"),
    "smooth_l1 beta -1": (lambda: F.smooth_l1_loss(HALF, HALF, beta=-1), "smooth_l1_loss: beta must be"),
    "triplet margin -1": (lambda: F.triplet_margin_loss(X, X, X, margin=-1), "triplet_margin_loss: margin must be"),
    "label_smoothing 2": (
        lambda: F.cross_entropy(ROWS, gg.tensor([0, 1, 0]), label_smoothing=2), "cross_entropy: label_smoothing must"),
    "label_smoothing of probabilities": (lambda: F.cross_entropy(ROWS, ROWS, label_smoothing=-1), "label_smoothing"),
    "nll of a class that is not there": (lambda: F.nll_loss(ROWS, gg.tensor([0, 2, 0])), "class 2 among 2"),
    "nll of fractions": (lambda: F.nll_loss(ROWS, gg.tensor([0.0, 1.0, 0.0])), "must be integers"),
    "weights of more classes": (lambda: F.nll_loss(ROWS, gg.tensor([0, 1, 0]), gg.ones(3)), "one value per class"),
    "a mask and is_causal": (
        lambda: F.scaled_dot_product_attention(X, X, X, gg.ones(3, 3) > 0, is_causal=True), "is_causal must be False"),
    "dilation 0": (lambda: F.conv2d(IMAGE, IMAGE, dilation=0), "conv2d: dilation must be positive"),
    "dilation -1": (lambda: F.conv2d(IMAGE, IMAGE, dilation=-1), "conv2d: dilation must be positive"),
    "the op with dilation 0": (
        lambda: gg.convolution(IMAGE, IMAGE, stride=(1, 1), padding=((0, 0), (0, 0)), dilation=(0, 0), groups=1),
        "convolution: dilation must be a sequence of positive"),
    "stride 0": (lambda: F.conv_transpose2d(IMAGE, gg.ones(2, 1, 2, 2), stride=0), "stride must be positive"),
    "groups 0": (lambda: F.conv2d(IMAGE, IMAGE, groups=0), "conv2d: groups must be a positive"),
    "the bias of another convolution": (lambda: F.conv2d(IMAGE, IMAGE, gg.ones(3, 1)), r"bias must be \(1,\)"),
    "kernel 0": (lambda: F.max_pool2d(IMAGE, 0), "max_pool2d: kernel_size must be positive"),
    "channels in 0 groups": (lambda: F.group_norm(IMAGE, 0), "group_norm: num_groups must be"),
    "Lp with p = 0": (lambda: F.lp_pool2d(IMAGE, 0, 2), "lp_pool2d: norm_type must be"),
    "celu alpha 0": (lambda: F.celu(X, 0.0), "celu: alpha must be a number other than 0"),
    "hardtanh upside down": (lambda: F.hardtanh(X, 1.0, -1.0), "min_val must not be above max_val"),
    "softshrink lambd -1": (lambda: F.softshrink(X, -1.0), "softshrink: lambd must be"),
    "rrelu upside down": (lambda: F.rrelu(X, 0.5, 0.1), "lower must not be above upper"),
    "temperature 0": (lambda: F.gumbel_softmax(X, tau=0), "gumbel_softmax: tau must be"),
    "a reflection of a reflection": (lambda: F.pad(X, (4, 4), mode="reflect"), "at most 3 with mode 'reflect'"),
    "around twice": (lambda: F.pad(X, (5, 0), mode="circular"), "at most 4 with mode 'circular'"),
    "batch norm eps 0": (lambda: F.batch_norm(X, None, None, training=True, eps=0), "batch_norm: eps must be a pos"),
    "BatchNorm2d eps -1": (lambda: nn.BatchNorm2d(3, eps=-1), "BatchNorm2d: eps must be a positive number"),
    "Conv2d padding x": (lambda: nn.Conv2d(3, 3, 3, padding="x"), "Conv2d: padding must be 'same' or 'valid'"),
    "Conv2d stride 0": (lambda: nn.Conv2d(3, 3, 3, stride=0), "Conv2d: stride must be a positive"),
    "heads -2": (lambda: nn.MultiheadAttention(4, -2), "MultiheadAttention: num_heads must be a positive"),
    "heads 0": (lambda: nn.MultiheadAttention(4, 0), "MultiheadAttention: num_heads must be a positive"),
    "sizes as bias": (lambda: nn.Linear(3, 4, 5), "Linear: bias must be True or False, got 5"),
    "features -1": (lambda: nn.Linear(-1, 4), "Linear: in_features must be"),
    "reshape -2": (lambda: X.reshape(-2, 6), r"reshape: sizes must be -1 or not negative, got \(-2, 6\)"),
    "unflatten -1 twice": (lambda: gg.unflatten(X, 1, (-1, -1)), "unflatten"),
    "the probability 2": (lambda: gg.bernoulli(2.0), "bernoulli: p must be probabilities between 0 and 1, got 2.0"),
    "a negative deviation": (lambda: gg.normal(0.0, -1.0, (2,)), "normal: std must be"),
    "-1 in random order": (lambda: gg.randperm(-1), "randperm: n must be"),
    "no samples": (lambda: gg.multinomial(HALF, 0), "multinomial: num_samples must be"),
    "a shift of 1.5": (lambda: gg.roll(X, 1.5), "roll: shift must be an integer"),
    "keepdims x": (lambda: X.prod(axis=0, keepdims="x"), "prod: keepdims must be True or False, got 'x'"),
}  # fmt: skip


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_refused(name):
    call, words = NONSENSE[name]
    with pytest.raises(GpugradError, match=words):
        call()


# Errors that said little or something wrong: the call, and what they say now.
UNCLEAR = {
    "step 0": (lambda: gg.arange(0, 5, 0), "arange: step must be a number other than 0, got 0"),
    "PyTorch's keepdim by position": (lambda: X.sum(1, True), "sum: dtype must be .*keepdims=True.*keepdim=True"),
    "matrices that do not fit": (lambda: X @ X, r"matmul: \(3, 4\) @ \(3, 4\): 4 columns meet 3 rows"),
    "batches that do not fit": (
        lambda: gg.ones(2, 3, 4) @ gg.ones(3, 4, 2), r"leading axes \(2,\) and \(3,\) do not broadcast"),
    "a number times a matrix": (lambda: gg.matmul(X, 2.0), r"\(3, 4\) @ \(\): a number is no matrix; use \*"),
    "neither dtype nor device": (lambda: X.to("foo"), "to: expected a dtype .*, a device .*, got 'foo'"),
    "no such device": (lambda: gg.zeros(2, device="foo"), 'device: unknown device \'foo\': expected "cpu"'),
    "a missing operand": (lambda: gg.heaviside(X), r"heaviside\(x, y\): missing a required argument: 'y'"),
    "no operand": (lambda: gg.exp(), r"exp\(x\): missing a required argument: 'x'"),
    "a wrong word beside a right one": (
        lambda: gg.flip(X, dim=1, dtype="float32"), "unexpected keyword argument 'dtype'"),
    "max with too few words": (lambda: F.max_pool2d(IMAGE), r"max_pool2d\(input, kernel_size.*'kernel_size'"),
    "None for a tensor": (lambda: gg.matmul(X, None), "matmul: y must be a tensor, got None"),
    "a text as axis": (lambda: gg.softmax(X, axis="x"), "softmax: axis must be an integer"),
    "an array as size": (lambda: gg.zeros(gg.tensor([2, 3])), "zeros: sizes are ints"),
    "an axis that is not there": (lambda: X.size(5), r"size: axis 5 is outside shape \(3, 4\)"),
    "fractions as indices": (lambda: gg.take_along_axis(X, X, axis=0), "take_along_axis: indices must be integers"),
    "a text as an element": (lambda: X.clone().__setitem__(0, "a"), "setitem: the value cannot become float32"),
    "an unknown word": (lambda: gg.tensor([1], dtype="foo"), "tensor: unsupported dtype 'foo'"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNCLEAR)
def test_errors_say_what_is_wrong(name):
    call, words = UNCLEAR[name]
    with pytest.raises(GpugradError, match=words) as caught:
        call()
    assert "<locals>" not in str(caught.value) and "gufunc" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss", "kl_div", "poisson_nll_loss", "hinge_embedding_loss"],
)
def test_losses_of_two_shapes_warn_at_the_users_line(name):
    with pytest.warns(UserWarning, match=rf"{name}: target \(3, 1\) is broadcast against input \(3,\)") as warned:
        getattr(F, name)(HALF, gg.ones(3, 1))
    assert [w.filename for w in warned] == [__file__]


def test_pytorchs_names_of_parameters():
    x, y = gg.tensor([-1.0, 0.0, 2.0]), gg.tensor(0.5)
    assert gg.heaviside(x, values=y).tolist() == [0.0, 0.5, 1.0]
    assert gg.heaviside(input=x, values=y).tolist() == [0.0, 0.5, 1.0]
    assert gg.add(x, other=x).tolist() == x.add(other=x).tolist() == [-2.0, 0.0, 4.0]
    assert gg.pow(input=x, exponent=2).tolist() == [1.0, 0.0, 4.0]
    assert gg.matmul(x, other=x).item() == gg.dot(input=x, tensor=x).item() == 5.0
    assert gg.where(x > 0, input=x, other=1.0).tolist() == [1.0, 1.0, 2.0]
    assert gg.lerp(x, end=x, weight=0.5).tolist() == x.tolist()
    assert gg.cat(tensors=[x, x], dim=0).shape == (6,) and gg.outer(x, vec2=x).shape == (3, 3)
    assert gg.roll(x, shifts=1, dims=0).tolist() == [2.0, -1.0, 0.0]
    values, indices = X.max(1, keepdim=True)
    assert values.shape == indices.shape == X.std(1, keepdim=True).shape == (3, 1)
    with pytest.raises(DTypeError, match="multiple values for argument 'y'"):
        gg.multiply(x, x, other=x)


def test_the_errors_of_the_users_functions_are_left_alone():
    def distance(a, b):
        raise ValueError("of my own")

    with pytest.raises(ValueError, match="^of my own$") as caught:
        F.triplet_margin_with_distance_loss(X, X, X, distance_function=distance)
    assert not isinstance(caught.value, GpugradError)


def test_attributes_of_the_users_ops_are_their_own(own_ops):
    body = "def halved(x, *, groups, keepdims):\n    'Groups may be 0 here.'\n    return x / 2 if groups == 0 else x"
    place = {}
    exec(body, place)  # as in a notebook or a doctest, where functions may have no module
    assert gg.op(place["halved"])(X, groups=0, keepdims="x").sum().item() == 6.0


def test_classes_that_do_not_exist_give_nan_on_cuda_devices(cuda):
    rows, classes = ROWS.log().to(cuda), gg.tensor([0, 5, -100]).to(cuda)
    for name in ("nll_loss", "cross_entropy"):
        assert F.__dict__[name](rows, classes).isnan().item()
        losses = F.__dict__[name](rows, classes, reduction="none").tolist()
        assert [x == x for x in losses] == [True, False, True]
