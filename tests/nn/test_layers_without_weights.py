"""Layers of padding, resizing, pooling, comparing and looking up, and loss layers, against PyTorch's."""

import numpy as np
import pytest
from layer_twins import I2, I3, S, agree, agree_on_nothing, close, to_numpy, twins

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import OutOfRangeError, ShapeError

torch = pytest.importorskip("torch")
SIZED = {1: S, 2: I2, 3: I3}

LAYERS = [
    ("RReLU", (0.1, 0.4), {}, S),
    ("Softmax2d", (), {}, I2),
    ("FeatureAlphaDropout", (0.0,), {}, S),
    ("Upsample", (), {"scale_factor": 2}, S),
    ("Upsample", (), {"size": (5, 12), "mode": "bilinear", "align_corners": True}, I2),
    ("Upsample", (), {"scale_factor": (1.5, 2.5), "mode": "bicubic", "recompute_scale_factor": True}, I2),
    ("UpsamplingNearest2d", (), {"scale_factor": 1.5}, I2),
    ("UpsamplingBilinear2d", ((3, 4),), {}, I2),
    ("PixelShuffle", (2,), {}, I2),
    ("PixelUnshuffle", (2,), {}, (2, 3, 4, 6)),
    ("ChannelShuffle", (2,), {}, I2),
    ("Unfold", (3,), {"padding": 1, "stride": 2}, I2),
    ("Fold", ((4, 5), (2, 3)), {}, (2, 12, 9)),
    ("FractionalMaxPool2d", (2, 3), {"_random_samples": np.full((2, 4, 2), 0.3)}, I2),
    ("FractionalMaxPool3d", (2,), {"output_ratio": 0.5, "_random_samples": np.full((2, 4, 3), 0.7)}, I3),
]
LAYERS += [(f"LPPool{d}d", (3, 2), {"ceil_mode": d == 2}, SIZED[d]) for d in (1, 2, 3)]
LAYERS += [(f"{kind}Pad{d}d", (1,), {}, SIZED[d]) for kind in ("Zero", "Reflection", "Replication") for d in (1, 2, 3)]
LAYERS += [(f"{kind}Pad{d}d", ((2, 1) * d,), {}, SIZED[d]) for kind in ("Reflection", "Circular") for d in (1, 2, 3)]
LAYERS += [(f"ConstantPad{d}d", ((1, 0) * d, 3.5), {}, SIZED[d]) for d in (1, 2, 3)]
IDS = [f"{i}-{case[0]}" for i, case in enumerate(LAYERS)]


def pair(name, args, options):
    """Our layer and PyTorch's; arrays in the options become tensors of each."""
    made = []
    for lib in (gg, torch):
        given = {n: lib.tensor(v) if isinstance(v, np.ndarray) else v for n, v in options.items()}
        made.append(getattr(lib.nn, name)(*args, **given).double())
    assert list(made[0].state_dict()) == list(made[1].state_dict())
    return made


@pytest.mark.parametrize(("name", "args", "options", "shape"), LAYERS, ids=IDS)
def test_layers_agree_with_torch(name, args, options, shape):
    ours, theirs = pair(name, args, options)
    ours.train(name != "RReLU"), theirs.train(name != "RReLU")
    x = np.random.default_rng(0).standard_normal(shape)
    agree(ours, theirs, abs(x) if name.startswith("LP") else x)
    if not name.startswith("Fractional"):
        assert repr(ours) == repr(theirs)


@pytest.mark.parametrize(("name", "args", "options", "shape"), LAYERS, ids=IDS)
def test_layers_take_an_empty_batch(name, args, options, shape):
    options = {n: v[:0] if n == "_random_samples" else v for n, v in options.items()}
    agree_on_nothing(*pair(name, args, options), shape)


def test_cross_map_norm():
    """PyTorch's own sums are wrong from the third channel on, and its gradient for few channels."""
    x = np.random.default_rng(0).standard_normal((2, 6, 3, 3))
    agree(nn.CrossMapLRN2d(3, 0.2), torch.nn.LocalResponseNorm(3, 0.2), x)
    for size in (3, 4):
        few, theirs = gg.tensor(x[:, :2]), torch.nn.CrossMapLRN2d(size, 0.2, k=2.0)
        close(nn.CrossMapLRN2d(size, 0.2, k=2.0)(few), theirs(torch.tensor(x[:, :2])))
        assert repr(nn.CrossMapLRN2d(size, 0.2, k=2.0)) == repr(theirs)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_max_unpool(dims):
    shape = (2, 3, 6, 4, 8)[: dims + 2]
    x = np.random.default_rng(0).standard_normal(shape)
    for size in (None, shape[2:]):
        ours, theirs = pair(f"MaxUnpool{dims}d", (2,), {"stride": 2})

        def call(layer, x, size=size, ours=ours):
            lib = nn if layer is ours else torch.nn
            out, places = getattr(lib, f"MaxPool{dims}d")(2, 2, return_indices=True)(x)
            return layer(out, places, output_size=size)

        agree(ours, theirs, x, call=call)
    assert repr(ours) == repr(theirs)


def test_layers_that_choose_at_random():
    x = gg.tensor(np.random.default_rng(0).standard_normal((8, 16, 5, 5)))
    slopes = nn.RReLU(0.2, 0.3)(x).numpy() / x.numpy()
    assert ((slopes == 1) | ((slopes >= 0.2) & (slopes <= 0.3))).all()
    dropped = nn.FeatureAlphaDropout(0.5)(x).numpy()
    apart = np.ptp(dropped, axis=(2, 3))
    assert ((apart < 1e-12) | (apart > 0.5)).all()
    assert 0.2 < (apart < 1e-12).mean() < 0.8
    layer = nn.FractionalMaxPool2d(2, output_ratio=0.5, return_indices=True)
    assert [t.shape for t in layer(x)] == [(8, 16, 2, 2)] * 2
    assert nn.FeatureAlphaDropout(0.5).eval()(x) is x


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nn.ReflectionPad2d((1, 2)), "an int or 4 ints"),
        (lambda: nn.CircularPad1d(1)(gg.ones(3)), "2-d or 3-d input"),
        (lambda: nn.Softmax2d()(gg.ones(3, 2)), "expected input"),
        (lambda: nn.CrossMapLRN2d(3)(gg.ones(3, 2, 2)), "expected input"),
        (lambda: nn.FractionalMaxPool2d(2), "either output_size or output_ratio"),
        (lambda: nn.FractionalMaxPool2d(2, output_ratio=2.0), "between 0 and 1"),
        (lambda: nn.MultiMarginLoss(p=3), "p must be 1 or 2"),
        (lambda: nn.TripletMarginLoss(margin=0), "margin must be positive"),
        (lambda: nn.TripletMarginWithDistanceLoss(margin=-1), "margin must be positive"),
        (lambda: nn.Embedding(3, 2, padding_idx=3), "outside a table"),
        (lambda: nn.EmbeddingBag(3, 2, _weight=gg.ones(2, 2)), r"weight must be \(3, 2\)"),
        (lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 6, [3, 2]), "cutoffs must rise"),
        (lambda: nn.LinearCrossEntropyLoss(3, 4, weight=gg.ones(3)), r"weight must be \(4,\)"),
        (lambda: nn.LinearCrossEntropyLoss(3, 4, label_smoothing=2), "from 0 to 1"),
    ],
)
def test_layers_refuse(make, words):
    with pytest.raises(ValueError, match=words):
        make()


# Tables


def test_embedding_options():
    options = {"padding_idx": -1, "max_norm": 1.0, "norm_type": 1.0, "scale_grad_by_freq": True}
    ours, theirs = twins("Embedding", (6, 3), options)
    assert repr(ours) == repr(theirs)
    index = np.array([[1, 5], [1, 0]])
    out, expected = ours(gg.tensor(index)), theirs(torch.tensor(index))
    close(out, expected, rtol=1e-6)
    out.sum().backward(), expected.sum().backward()
    close(ours.weight.grad, theirs.weight.grad)
    close(ours.weight, theirs.weight, rtol=1e-6)
    assert not nn.Embedding(2, 2, _freeze=True).weight.requires_grad


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_embedding_bag(mode):
    ours, theirs = twins("EmbeddingBag", (6, 3), {"mode": mode, "padding_idx": 2})
    assert repr(ours) == repr(theirs)
    index, offsets = np.array([1, 5, 2, 0, 0]), np.array([0, 2, 3])
    out, expected = (m(lib.tensor(index), lib.tensor(offsets)) for m, lib in ((ours, gg), (theirs, torch)))
    close(out, expected)
    out.sum().backward(), expected.sum().backward()
    close(ours.weight.grad, theirs.weight.grad)
    table = nn.EmbeddingBag.from_pretrained(gg.ones(2, 3), mode="sum")
    assert not table.weight.requires_grad
    assert table(gg.tensor([[0, 1]])).tolist() == [[2, 2, 2]]


# Losses

R = np.random.default_rng(6)
A, B, C = R.standard_normal((3, 5, 4))
SIGNS, CLASSES = np.where(B > 0, 1.0, -1.0), R.integers(0, 4, 5)
LOSSES = [
    ("HingeEmbeddingLoss", {"margin": 0.7}, [A], [SIGNS]),
    ("MarginRankingLoss", {"margin": 0.2}, [A, B], [SIGNS]),
    ("CosineEmbeddingLoss", {"margin": 0.2}, [A, B], [SIGNS[:, 0]]),
    ("SoftMarginLoss", {}, [A], [SIGNS]),
    ("MultiMarginLoss", {"p": 2, "margin": 0.8, "weight": np.arange(1.0, 5)}, [A], [CLASSES]),
    ("MultiLabelMarginLoss", {}, [A], [np.array([[1, 3, -1, 0]] * 5)]),
    ("MultiLabelSoftMarginLoss", {"weight": np.arange(1.0, 5)}, [A], [(B > 0) * 1.0]),
    ("TripletMarginLoss", {"margin": 2.0, "p": 1.5, "swap": True}, [A, B, C], []),
    ("TripletMarginWithDistanceLoss", {"margin": 2.0}, [A, B, C], []),
    ("PoissonNLLLoss", {"full": True}, [A], [CLASSES[:, None] * np.ones(4)]),
    ("PoissonNLLLoss", {"log_input": False, "eps": 0.1}, [abs(A)], [abs(B)]),
    ("GaussianNLLLoss", {"full": True, "eps": 0.1}, [A, B], [abs(C)]),
    ("LinearCrossEntropyLoss", {"in_features": 4, "num_classes": 6, "bias": True}, [A], [CLASSES]),
    (
        "LinearCrossEntropyLoss",
        {"in_features": 4, "num_classes": 3, "out_features": (2,), "weight": np.arange(1.0, 4), "ignore_index": 1},
        [A],
        [R.integers(0, 3, (5, 2))],
    ),
    ("CosineSimilarity", {"dim": 0}, [A, B], []),
    ("PairwiseDistance", {"p": 3.0, "keepdim": True}, [A, B], []),
]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    ("name", "options", "inputs", "targets"), LOSSES, ids=[f"{i}-{case[0]}" for i, case in enumerate(LOSSES)]
)
def test_losses_agree_with_torch(name, options, inputs, targets, reduction):
    options = {**options, "reduction": reduction} if name.endswith("Loss") else options
    ours, theirs = pair(name, (), options)
    theirs.load_state_dict({k: torch.tensor(v) for k, v in to_numpy(ours.state_dict()).items()})

    def call(layer, *given):
        lib = gg if layer is ours else torch
        return layer(*given, *(lib.tensor(t) for t in targets)) * 1.0

    agree(ours, theirs, *inputs, call=call)


def test_ctc_loss_layer():
    x = R.standard_normal((6, 2, 4))
    labels, lengths = np.array([[1, 2, 2], [3, 1, 0]]), np.array([3, 2])
    for options in ({}, {"blank": 3, "reduction": "sum", "zero_infinity": True}):
        ours, theirs = pair("CTCLoss", (), options)

        def call(layer, x, ours=ours):
            lib = gg if layer is ours else torch
            log_probs = lib.nn.functional.log_softmax(x, -1)
            return layer(log_probs, lib.tensor(labels % 3), lib.tensor([6, 5]), lib.tensor(lengths))

        agree(ours, theirs, x, call=call, rtol=1e-8)


@pytest.mark.parametrize("head_bias", [True, False])
def test_adaptive_log_softmax(head_bias):
    ours, theirs = twins("AdaptiveLogSoftmaxWithLoss", (16, 12, [3, 7]), {"div_value": 2.0, "head_bias": head_bias})
    assert repr(ours) == repr(theirs)
    x, labels = R.standard_normal((9, 16)), np.array([0, 11, 2, 4, 7, 6, 1, 3, 8])
    for rows in (slice(None), 1, slice(0, 1)):
        picked = labels[rows]

        def call(layer, x, i=0, picked=picked):
            return layer(x, (gg if layer is ours else torch).tensor(picked))[i]

        ours.zero_grad(), theirs.zero_grad()
        if isinstance(rows, slice) and rows.start is None:
            agree(ours, theirs, x, call=call, rtol=1e-8)
            ours.zero_grad(), theirs.zero_grad()
            agree(ours, theirs, x, call=lambda layer, x: call(layer, x, 1), rtol=1e-8)
        else:
            close(call(ours, gg.tensor(x[rows])), call(theirs, torch.tensor(x[rows])), rtol=1e-8)
    close(ours.log_prob(gg.tensor(x)), theirs.log_prob(torch.tensor(x)), rtol=1e-8)
    assert ours.predict(gg.tensor(x)).tolist() == theirs.predict(torch.tensor(x)).tolist()
    with pytest.raises(OutOfRangeError, match="among 12 classes"):
        ours(gg.tensor(x), gg.tensor(labels + 1))
    with pytest.raises(ShapeError, match="expected input"):
        ours(gg.tensor(x), gg.tensor(labels[:2]))


def test_layers_work_on_each_device(device):
    x = gg.tensor(np.random.default_rng(0).standard_normal((2, 4, 6, 6)), device=device)
    index = gg.tensor([[0, 1], [2, 2]], device=device)
    for layer in (
        nn.Upsample(scale_factor=2, mode="bicubic"), nn.ReflectionPad2d(2), nn.Unfold(3), nn.LPPool2d(2, 2),
        nn.FractionalMaxPool2d(2, 3), nn.PixelShuffle(2), nn.RReLU(), nn.FeatureAlphaDropout(),
    ):  # fmt: skip
        assert layer(x).device is device
    assert nn.EmbeddingBag(3, 4).to(device)(index).device is device
    loss = nn.AdaptiveLogSoftmaxWithLoss(6, 5, [2]).double().to(device)
    assert loss(x[0, 0], index.reshape((-1,))[gg.tensor([0, 1, 2, 3, 0, 1], device=device)]).loss.device is device
    for margin, target in ((nn.MultiMarginLoss(), index[0]), (nn.MultiLabelMarginLoss(), index[[0, 0]])):
        assert margin(x[0, :2, 0, :2], target).device is device


# Second order

LABELS = gg.tensor([[1, 0, -1, 2]] * 3)
SIGN = gg.tensor([[1.0, -1, 1, 1]] * 3)
TWICE = {
    "cosine_similarity": lambda F, a, b: F.cosine_similarity(a, b),
    "pairwise_distance": lambda F, a, b: F.pairwise_distance(a, b, p=3.0),
    "pdist": lambda F, a, b: F.pdist(a * b),
    "soft_margin_loss": lambda F, a, b: F.soft_margin_loss(a * b, SIGN),
    "multi_margin_loss": lambda F, a, b: F.multi_margin_loss(a * b, LABELS[:, 0], p=2),
    "multilabel_margin_loss": lambda F, a, b: F.multilabel_margin_loss(a * b, LABELS),
    "multilabel_soft_margin_loss": lambda F, a, b: F.multilabel_soft_margin_loss(a * b, SIGN > 0),
    "cosine_embedding_loss": lambda F, a, b: F.cosine_embedding_loss(a, b, SIGN[:, 1]),
    "triplet_margin_loss": lambda F, a, b: F.triplet_margin_loss(a, b, a * b, margin=3.0, swap=True),
    "gaussian_nll_loss": lambda F, a, b: F.gaussian_nll_loss(a, SIGN, b * b, full=True),
    "poisson_nll_loss": lambda F, a, b: F.poisson_nll_loss(a, b * b),
    "linear_cross_entropy": lambda F, a, b: F.linear_cross_entropy(a, b, LABELS[:, 0]),
    "embedding_bag": lambda F, a, b: F.embedding_bag(LABELS[:, :2], a * b, mode="max"),
    "lp_pool1d": lambda F, a, b: F.lp_pool1d(a * a + b * b, 3, 2),
    "max_pool1d_with_indices": lambda F, a, b: F.max_pool1d_with_indices(a * b, 2)[0],
    "fractional_max_pool2d": lambda F, a, b: F.fractional_max_pool2d(
        (a * b).unsqueeze(0), 2, 2, _random_samples=gg.full((1, 1, 2), 0.4)
    ),
    "pixel_shuffle": lambda F, a, b: F.pixel_shuffle((a * b).reshape((4, 3, 1)), 2),
    "fold": lambda F, a, b: F.fold(F.unfold((a * b).unsqueeze(0), 2), (3, 4), 2),
    "affine_grid": lambda F, a, b: F.affine_grid((a * b).reshape((2, 2, 3)), (2, 1, 2, 3)),
    "rrelu": lambda F, a, b: F.rrelu(a * b),
}


@pytest.mark.parametrize("name", TWICE)
def test_functions_are_twice_differentiable(name):
    a, b = (gg.tensor(x, requires_grad=True) for x in np.random.default_rng(3).standard_normal((2, 3, 4)))

    def call(a, b):
        return TWICE[name](nn.functional, a, b)

    assert gg.autograd.gradcheck(call, (a, b))
    assert gg.autograd.gradgradcheck(call, (a, b))
