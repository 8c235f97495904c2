"""Layers against PyTorch's with the same weights: values and gradients."""

import re

import numpy as np
import pytest
import torch
from layer_twins import I2, I3, S, agree, agree_on_nothing, close, twins

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import ShapeError

# Layer, its arguments, its options, the input's shape.
LAYERS = [
    ("Identity", (), {}, S),
    ("Linear", (9, 5), {}, S),
    ("Linear", (9, 5), {"bias": False}, (9,)),
    ("Flatten", (), {}, I2),
    ("Flatten", (0, 1), {}, (0, 3, 2)),
    ("Unflatten", (1, (2, -1)), {}, S),
    ("Conv1d", (4, 6, 3), {"stride": 2, "padding": 1}, S),
    ("Conv1d", (4, 6, 3), {"padding": "same", "padding_mode": "circular"}, S),
    ("Conv2d", (4, 6, 3), {}, I2),
    ("Conv2d", (4, 6, (3, 2)), {"padding": (1, 0), "dilation": 2, "groups": 2, "bias": False}, I2),
    ("Conv2d", (4, 6, 3), {"padding": 1, "padding_mode": "reflect"}, I2),
    ("Conv2d", (4, 6, 3), {"padding": 2, "padding_mode": "replicate"}, I2),
    ("Conv3d", (4, 2, 2), {"stride": (1, 2, 1)}, I3),
    ("ConvTranspose1d", (4, 6, 3), {"stride": 2, "output_padding": 1}, S),
    ("ConvTranspose2d", (4, 6, 3), {"stride": 2, "padding": 1, "groups": 2}, I2),
    ("ConvTranspose3d", (4, 2, 2), {"bias": False}, I3),
    ("MaxPool1d", (2,), {}, S),
    ("MaxPool2d", (3,), {"stride": 2, "padding": 1}, I2),
    ("MaxPool3d", (2,), {"ceil_mode": True}, I3),
    ("AvgPool1d", (2,), {"padding": 1}, S),
    ("AvgPool2d", (3,), {"stride": 2, "padding": 1, "count_include_pad": False}, I2),
    ("AvgPool3d", (2,), {"divisor_override": 3}, I3),
    ("AdaptiveAvgPool1d", (4,), {}, S),
    ("AdaptiveAvgPool2d", ((3, None),), {}, I2),
    ("AdaptiveAvgPool3d", (2,), {}, I3),
    ("AdaptiveMaxPool1d", (4,), {}, S),
    ("AdaptiveMaxPool2d", (3,), {}, I2),
    ("AdaptiveMaxPool3d", (2,), {}, I3),
    ("Dropout", (0.0,), {}, S),
    ("LayerNorm", ((8,),), {}, I2),
    ("LayerNorm", ([9, 8],), {"bias": False}, I2),
    ("RMSNorm", (8,), {}, I2),
    ("RMSNorm", ((9, 8),), {"eps": 1e-3}, I2),
    ("GroupNorm", (2, 4), {}, I2),
    ("BatchNorm1d", (4,), {}, (6, 4)),
    ("BatchNorm1d", (4,), {"momentum": None}, S),
    ("BatchNorm2d", (4,), {"momentum": 0.3, "eps": 1e-3}, I2),
    ("BatchNorm2d", (4,), {"track_running_stats": False, "affine": False}, I2),
    ("BatchNorm3d", (4,), {}, I3),
    ("InstanceNorm1d", (4,), {"affine": True}, S),
    ("InstanceNorm2d", (4,), {"track_running_stats": True}, I2),
    ("InstanceNorm2d", (4,), {}, (4, 5, 6)),
    ("InstanceNorm3d", (4,), {}, I3),
    ("LocalResponseNorm", (3,), {"alpha": 0.1, "k": 2.0}, I2),
    ("PReLU", (4,), {}, S),
    ("GELU", (), {"approximate": "tanh"}, S),
    ("LeakyReLU", (0.2,), {}, S),
    ("ELU", (0.7,), {}, S),
    ("CELU", (0.7,), {}, S),
    ("Softplus", (2.0, 3.0), {}, S),
    ("Softshrink", (0.3,), {}, S),
    ("Hardshrink", (0.3,), {}, S),
    ("Hardtanh", (-0.4, 0.6), {}, S),
    ("Threshold", (0.1, 20.0), {}, S),
    ("GLU", (), {"dim": 1}, S),
    ("Softmax", (), {"dim": 1}, S),
    ("Softmin", (), {"dim": 1}, S),
    ("LogSoftmax", (), {"dim": 1}, S),
]
PLAIN = "ReLU ReLU6 SiLU Mish SELU Hardswish Hardsigmoid Sigmoid Tanh LogSigmoid Softsign Tanhshrink GELU".split()
LAYERS += [(name, (), {}, S) for name in PLAIN]


@pytest.mark.parametrize(
    ("name", "args", "options", "shape"), LAYERS, ids=[f"{i}-{x[0]}" for i, x in enumerate(LAYERS)]
)
def test_layers_agree_with_torch(name, args, options, shape):
    ours, theirs = twins(name, args, options)
    random = np.random.default_rng(0)
    for mode in (True, False):
        ours.train(mode), theirs.train(mode)
        ours.zero_grad(), theirs.zero_grad()
        rough = name in ("CELU", "Hardsigmoid")  # where PyTorch's constants have float32's precision
        agree(ours, theirs, random.standard_normal(shape), rtol=1e-6 if rough else 1e-9)


@pytest.mark.parametrize(
    ("name", "args", "options", "shape"), LAYERS, ids=[f"{i}-{x[0]}" for i, x in enumerate(LAYERS)]
)
def test_layers_take_an_empty_batch(name, args, options, shape):
    agree_on_nothing(*twins(name, args, options), shape)


def test_repr_is_torchs():
    def build(lib):
        m = lib.Sequential(lib.Conv2d(3, 8, 3, padding=1, bias=False), lib.BatchNorm2d(8), lib.ReLU(), lib.MaxPool2d(2))
        m.add_module("head", lib.Sequential(lib.Flatten(), lib.Linear(8, 2), lib.Embedding(4, 3, padding_idx=0)))
        return lib.ModuleDict(
            {
                "net": m,
                "drop": lib.Dropout(0.1),
                "norm": lib.LayerNorm(3),
                "act": lib.GELU(),
                "six": lib.ReLU6(inplace=True),
                "elu": lib.ELU(0.5),
            }
        )

    assert repr(build(nn)) == repr(build(torch.nn))


def test_repr_of_what_is_many_lines_is_torchs():
    def build(lib):
        class Said(lib.Module):
            def extra_repr(self):
                return "first=1\nsecond=2"

        said = Said()
        said.add_module("inner", Said())
        ones = lib.Parameter((gg if lib is nn else torch).ones(2, 3))
        return lib.ModuleList([said, lib.ParameterList([ones, ones]), lib.ParameterDict({"a": ones, "b": ones})])

    theirs = re.sub(r"torch\.(float32|FloatTensor)", "float32", repr(build(torch.nn)))
    assert repr(build(nn)) == theirs


def test_embedding():
    ours, theirs = twins("Embedding", (6, 3), {"padding_idx": 1})
    assert ours.weight[1].tolist() == [0, 0, 0]
    index = np.array([[1, 5], [5, 0]])
    close(ours(gg.tensor(index)), theirs(torch.tensor(index)))
    ours(gg.tensor(index)).sum().backward()
    theirs(torch.tensor(index)).sum().backward()
    close(ours.weight.grad, theirs.weight.grad)
    table = nn.Embedding.from_pretrained(gg.ones(2, 3))
    assert not table.weight.requires_grad
    assert table(gg.tensor([1])).tolist() == [[1, 1, 1]]


def test_bilinear():
    ours, theirs = twins("Bilinear", (3, 4, 5), {})
    random = np.random.default_rng(0)
    agree(ours, theirs, random.standard_normal((2, 6, 3)), random.standard_normal((2, 6, 4)))


def test_transposed_convolution_to_a_wanted_size():
    ours, theirs = twins("ConvTranspose2d", (4, 6, 3), {"stride": 2})
    x = np.random.default_rng(0).standard_normal(I2)
    agree(ours, theirs, x, call=lambda layer, x: layer(x, output_size=(20, 17)))
    with pytest.raises(ValueError, match="smallest is"):
        ours(gg.tensor(x), output_size=(30, 30))


@pytest.mark.filterwarnings("ignore:reduction.*batchmean")
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    ("name", "options", "kind"),
    [
        ("MSELoss", {}, "normal"), ("L1Loss", {}, "normal"), ("SmoothL1Loss", {"beta": 0.5}, "normal"),
        ("HuberLoss", {"delta": 0.5}, "normal"), ("KLDivLoss", {}, "probability"),
        ("BCEWithLogitsLoss", {}, "probability"),
        ("CrossEntropyLoss", {}, "class"), ("CrossEntropyLoss", {"label_smoothing": 0.1, "ignore_index": 2}, "class"),
        ("NLLLoss", {}, "class"), ("CrossEntropyLoss", {}, "probability"),
    ],
)  # fmt: skip
def test_losses_agree_with_torch(name, options, kind, reduction):
    random = np.random.default_rng(0)
    x = random.standard_normal((5, 4))
    target = {"normal": random.standard_normal((5, 4)), "class": random.integers(0, 4, 5)}.get(
        kind, random.random((5, 4))
    )
    ours, theirs = (
        getattr(nn, name)(**options, reduction=reduction),
        getattr(torch.nn, name)(**options, reduction=reduction),
    )
    a, b = gg.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    ours(a, gg.tensor(target)).sum().backward()
    theirs(b, torch.tensor(target)).sum().backward()
    close(ours(a, gg.tensor(target)), theirs(b, torch.tensor(target)))
    close(a.grad, b.grad)


def test_weighted_losses():
    random = np.random.default_rng(0)
    x, w, p = random.standard_normal((5, 4)), random.random(4) + 0.5, random.random((5, 4))
    classes = random.integers(0, 4, 5)
    for name, options, given, target in (
        ("CrossEntropyLoss", {"weight": w}, x, classes),
        ("NLLLoss", {"weight": w}, x, classes),
        ("BCELoss", {"weight": w}, p[::-1].copy(), p),
        ("BCEWithLogitsLoss", {"weight": w, "pos_weight": w * 2}, x, p),
    ):
        ours = getattr(nn, name)(**{k: gg.tensor(v) for k, v in options.items()})
        theirs = getattr(torch.nn, name)(**{k: torch.tensor(v) for k, v in options.items()})
        assert set(ours.state_dict()) == set(theirs.state_dict())
        close(ours(gg.tensor(given), gg.tensor(target)), theirs(torch.tensor(given), torch.tensor(target)))
    with pytest.raises(ValueError, match="'mean', 'sum' or 'none'"):
        nn.MSELoss(reduction="max")


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("mask", [None, "bool", "float", "padding", "both"])
def test_multihead_attention(batch_first, need_weights, mask):
    options = {"batch_first": batch_first} | ({"kdim": 6, "vdim": 10} if mask == "bool" else {})
    ours, theirs = twins("MultiheadAttention", (8, 2), options)
    random = np.random.default_rng(0)
    shapes = [(5, 3, 8), (7, 3, ours.kdim), (7, 3, ours.vdim)]
    q, k, v = (random.standard_normal((s[1], s[0], s[2]) if batch_first else s) for s in shapes)
    masks = {}
    if mask in ("bool", "both"):
        masks["attn_mask"] = np.triu(np.ones((5, 7), bool), 3)
    if mask == "float":
        masks["attn_mask"] = random.standard_normal((5, 7))
    if mask in ("padding", "both"):
        masks["key_padding_mask"] = np.array([[False] * 6 + [True], [False] * 7, [False] * 5 + [True] * 2])

    def call(layer, *inputs):
        make = gg.tensor if layer is ours else torch.tensor
        given = {name: make(value) for name, value in masks.items()}
        out, weights = layer(*inputs, need_weights=need_weights, **given)
        seen.append(weights)
        return out

    seen = []
    agree(ours, theirs, q, k, v, call=call)
    assert (seen[0] is None) == (not need_weights)
    if need_weights:
        close(*seen)


def test_multihead_attention_without_a_batch_and_causal():
    ours, theirs = twins("MultiheadAttention", (8, 2), {})
    x = np.random.default_rng(0).standard_normal((5, 8))
    forbidden = np.triu(np.ones((5, 5), bool), 1)

    def call(layer, x):
        mask = gg.tensor(forbidden) if layer is ours else torch.tensor(forbidden)
        return layer(x, x, x, need_weights=False, attn_mask=mask, is_causal=True)[0]

    agree(ours, theirs, x, call=call)


# Module


GROUPS = [  # shapes, offsets, and the axes that these cut
    ((3, 4, 8), (3, 8, 12), None, (None, None)),
    ((7, 8), (3, 8, 12), [2, 2, 7], (0, None)),
    ((7, 8), (2, 8, 12), [3, 5], (0, None)),
    ((2, 4, 8), (8, 12), [5, 12], (None, 1)),
    ((3, 4, 8), (8, 12), [0, 5, 8], (None, 1)),
    ((4, 8), (8, 12), [3, 8], (1, 0)),
    ((4, 8), (8, 12), [0, 3, 4], (1, 0)),
]


@pytest.mark.parametrize(("first", "second", "offs", "axes"), GROUPS)
def test_grouped_products_are_torchs(device, first, second, offs, axes):
    """PyTorch does not say what is beyond the last offset: it gets what comes before, and here the rest is zeros."""
    random = np.random.default_rng(0)
    arrays = [random.standard_normal(shape).astype(np.float32) for shape in (first, second)]
    ours = [gg.tensor(a, requires_grad=True, device=device) for a in arrays]
    used = [
        a if axis is None else np.take(a, range(offs[-1]), axis).copy() for a, axis in zip(arrays, axes, strict=True)
    ]
    theirs = [torch.tensor(a, requires_grad=True) for a in used]
    out = nn.functional.grouped_mm(*ours, offs=None if offs is None else gg.tensor(offs, device=device))
    expected = torch.nn.functional.grouped_mm(
        *theirs, offs=None if offs is None else torch.tensor(offs, dtype=torch.int32)
    )
    upstream = random.standard_normal(out.shape).astype(np.float32)
    out.backward(gg.tensor(upstream, device=device))
    expected.backward(torch.tensor(upstream[tuple(map(slice, expected.shape))]))
    pairs = [(out.detach(), expected.detach()), *((a.grad, b.grad) for a, b in zip(ours, theirs, strict=True))]
    for mine, other in pairs:
        padding = [(0, n - m) for n, m in zip(mine.shape, other.shape, strict=True)]
        np.testing.assert_allclose(mine.cpu().numpy(), np.pad(other.numpy(), padding), 1e-4, 1e-5)


def test_grouped_products_refuse_what_does_not_fit():
    a, b = gg.ones((7, 8)), gg.ones((2, 8, 4))
    for args, offs in (((a, b), None), ((b, b), [1, 2]), ((a[0], b), [1, 2])):
        with pytest.raises(ShapeError, match="expected factors of 2 or 3 axes"):
            nn.functional.grouped_mm(*args, offs=offs)
    for offs in ([5, 3], [5, 9], [-1, 3], [1, 5, 7]):
        with pytest.raises(ShapeError, match="2 numbers that rise from 0 to at most 7"):
            nn.functional.grouped_mm(a, b, offs=offs)
    with pytest.raises(ValueError, match="bias"):
        nn.functional.grouped_mm(a, b, offs=[3, 7], bias=gg.ones(4))
    assert nn.functional.grouped_mm(a, b, offs=[3, 7], out_dtype=gg.float64).dtype == gg.float64
