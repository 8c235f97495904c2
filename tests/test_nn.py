"""Modules: each layer against PyTorch's with the same weights, and what Module itself promises."""

import copy

import numpy as np
import pytest
import torch

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import DTypeError, ShapeError, StateDictError

S = (2, 4, 9)  # (N, C, L); images and volumes add axes
I2, I3 = (2, 4, 9, 8), (2, 4, 6, 5, 7)

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


def to_numpy(state):
    return {name: value.detach().cpu().numpy() for name, value in state.items()}


def twins(name, args, options):
    """Our layer and PyTorch's in float64, with our start values loaded into both."""
    ours = getattr(nn, name)(*args, **options).double()
    theirs = getattr(torch.nn, name)(*args, **options).double()
    theirs.load_state_dict({k: torch.tensor(v) for k, v in to_numpy(ours.state_dict()).items()})
    return ours, theirs


def close(ours, theirs, message="", rtol=1e-9):
    ours, theirs = ours.detach().numpy(), theirs.detach().numpy()
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=0.01 * rtol, err_msg=message)


def agree(ours, theirs, *arrays, call=lambda layer, *inputs: layer(*inputs), rtol=1e-9):
    """Compare output, input gradients, parameter gradients and buffers of one call on float arrays."""
    xs = [gg.tensor(a, requires_grad=True) for a in arrays]
    ys = [torch.tensor(a, requires_grad=True) for a in arrays]
    out, expected = call(ours, *xs), call(theirs, *ys)
    close(out, expected, "output", rtol)
    upstream = np.random.default_rng(1).standard_normal(out.shape)
    out.backward(gg.tensor(upstream))
    expected.backward(torch.tensor(upstream))
    for x, y in zip(xs, ys, strict=True):
        close(x.grad, y.grad, "input", rtol)
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        close(p.grad, q.grad, name, rtol)
    for (name, p), q in zip(ours.named_buffers(), theirs.buffers(), strict=True):
        close(p, q, name, rtol)


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


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.scale = nn.Parameter(gg.ones(4))
        self.register_buffer("mean", gg.zeros(4))
        self.register_buffer("scratch", gg.zeros(1), persistent=False)
        self.last = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
        self.note = "plain"

    def forward(self, x, shift=0.0):
        return self.last(self.first(x) * self.scale - self.mean) + shift


def test_names_and_walks():
    net = Net()
    names = ["scale", "first.weight", "first.bias", "last.0.weight", "last.0.bias"]
    assert [n for n, _ in net.named_parameters()] == names
    assert list(net.state_dict()) == ["scale", "mean", *names[1:]]
    assert [n for n, _ in net.named_buffers()] == ["mean", "scratch"]
    assert [n for n, _ in net.named_modules()] == ["", "first", "last", "last.0", "last.1"]
    assert [n for n, _ in net.named_children()] == ["first", "last"]
    assert net.get_parameter("last.0.bias") is net.last[0].bias
    assert net.get_submodule("last.1") is net.last[1]
    assert net.get_submodule("") is net
    with pytest.raises(AttributeError, match="no parameter 'weight'"):
        net.get_parameter("last.weight")
    with pytest.raises(AttributeError, match="'Net' object has no attribute 'other'"):
        net.other  # noqa: B018


def test_shared_parameters_count_once():
    net = Net()
    net.again = net.first
    net.last[0].weight = tied = nn.Parameter(gg.ones(4, 4))
    net.tied = tied
    assert len(list(net.parameters())) == 5
    assert len(list(net.named_parameters(remove_duplicate=False))) == 8
    assert {"again.weight", "tied", "last.0.weight"} <= set(net.state_dict())
    clone = copy.deepcopy(net)
    assert clone.again is clone.first is not net.first
    assert clone.tied is clone.last[0].weight is not tied
    clone.tied._array[:] = 7
    assert tied.tolist() == [[1] * 4] * 4


def test_assignment():
    net = Net()
    net.note = nn.Linear(1, 1)
    assert "note.weight" in net.state_dict()
    net.first = nn.Identity()
    assert [n for n, _ in net.named_children()] == ["first", "last", "note"]
    net.scale = None
    assert net.scale is None
    assert "scale" not in net.state_dict()
    with pytest.raises(TypeError, match="cannot become a Tensor"):
        net.scale = gg.ones(4)
    net.mean = gg.ones(4)
    assert net.state_dict()["mean"].tolist() == [1, 1, 1, 1]
    del net.last
    assert not hasattr(net, "last")
    with pytest.raises(KeyError, match="already"):
        net.register_buffer("training", gg.ones(1))
    with pytest.raises(KeyError, match="without dots"):
        net.register_parameter("a.b", None)

    class Early(nn.Module):
        def __init__(self):
            self.layer = nn.Identity()

    with pytest.raises(AttributeError, match="super"):
        Early()


def test_hooks():
    net, seen = Net(), []
    x = gg.ones(2, 3)
    plain = net(x)
    handles = [
        net.register_forward_pre_hook(lambda m, args: seen.append("pre") or (args[0] * 2,)),
        net.register_forward_pre_hook(lambda m, args: seen.append("first"), prepend=True),
        net.register_forward_hook(lambda m, args, out: seen.append("post") or out * 0),
        net.register_forward_hook(lambda m, args, kwargs, out: seen.append(kwargs), with_kwargs=True),
    ]
    assert net(x, shift=1.0).tolist() == gg.zeros(2, 4).tolist()
    assert seen == ["first", "pre", "post", {"shift": 1.0}]
    for handle in handles:
        handle.remove()
    assert net(x).tolist() == plain.tolist()
    net.register_forward_pre_hook(lambda m, args, kwargs: (args, {"shift": 5.0}), with_kwargs=True)
    np.testing.assert_allclose(net(x).detach().numpy(), plain.detach().numpy() + 5, rtol=1e-6)


def test_modes_gradients_and_apply():
    net = Net()
    assert net.eval() is net
    assert not any(m.training for m in net.modules())
    assert all(m.training for m in net.train().modules())
    net(gg.ones(2, 3)).sum().backward()
    assert net.scale.grad is not None
    net.zero_grad(set_to_none=False)
    assert net.scale.grad.tolist() == [0] * 4
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    net.requires_grad_(False)
    assert not net(gg.ones(2, 3)).requires_grad
    order = []
    net.apply(lambda m: order.append(type(m).__name__))
    assert order == ["Linear", "Linear", "ReLU", "Sequential", "Net"]


def test_to():
    net = Net()
    net.register_buffer("count", gg.tensor(3))
    weight = net.first.weight
    net(gg.ones(2, 3)).sum().backward()
    assert net.to(gg.float64) is net
    assert net.first.weight is weight
    assert weight.dtype == weight.grad.dtype == net.mean.dtype == gg.float64
    assert net.count.dtype == gg.int64
    assert net.half().scale.dtype == gg.float16
    assert net.bfloat16().scale.dtype.name == "bfloat16"
    assert net.float().scale.dtype == gg.float32
    with pytest.raises(DTypeError, match="floating-point"):
        net.to("int64")


def test_state_dict_errors_come_all_at_once():
    net = Net()
    state = to_numpy(net.state_dict())
    state["first.weight"] = np.zeros((4, 5), np.float32)
    state["extra"] = state.pop("scale")
    state["mean"] = np.ones(4, np.float32)
    with pytest.raises(StateDictError) as caught:
        net.load_state_dict(state)
    text = str(caught.value)
    assert "missing: scale" in text
    assert "unexpected: extra" in text
    assert "first.weight: shape (4, 5) given, (4, 3) expected" in text
    assert net.mean.tolist() == [0] * 4
    with pytest.raises(StateDictError, match=r"first\.weight"):
        net.load_state_dict(state, strict=False)
    del state["first.weight"]
    keys = net.load_state_dict(state, strict=False)
    assert keys.missing_keys == ["scale", "first.weight"]
    assert keys.unexpected_keys == ["extra"]
    assert net.mean.tolist() == [1] * 4


def test_state_dict_shares_memory_and_loads_from_torch():
    layer, source = nn.Linear(2, 3), torch.nn.Linear(2, 3)
    state = layer.state_dict()
    layer.load_state_dict(source.state_dict())
    np.testing.assert_array_equal(state["weight"].numpy(), source.weight.detach().numpy())
    layer.load_state_dict(source.bfloat16().state_dict())
    np.testing.assert_array_equal(layer.weight.detach().numpy(), source.weight.detach().float().numpy())
    given = {"weight": gg.ones(3, 2, dtype="float64"), "bias": gg.zeros(3, dtype="float64")}
    layer.load_state_dict(given, assign=True)
    assert layer.weight.dtype == gg.float64
    given["weight"]._array[:] = 2
    assert layer.weight.tolist() == [[2, 2]] * 3


def test_lists_of_parameters_inside_each_other():
    """As PyTorch's: names, order and state are those of one tree."""
    ours, theirs = (
        lib.ParameterList([make(1), lib.ParameterList([make(2), make(3)]), lib.ParameterDict({"a": make(4)}), make(5)])
        for lib, make in ((nn, gg.ones), (torch.nn, torch.ones))
    )
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert len(ours) == 4 and isinstance(ours[1], nn.ParameterList) and ours[1][1].shape == (3,)
    assert [type(item).__name__ for item in ours] == [type(item).__name__ for item in theirs]
    ours[-1], ours[0] = nn.ParameterList([gg.ones(6)]), gg.zeros(7)
    assert [p.shape for p in ours.parameters()] == [(7,), (2,), (3,), (4,), (6,)]
    with pytest.raises(IndexError):
        ours[4] = gg.ones(1)


def test_dictionaries_of_parameters_inside_each_other():
    ours = nn.ParameterDict({"b": gg.ones(1), "inner": nn.ParameterDict({"c": gg.ones(2)}), "a": gg.ones(3)})
    assert list(ours) == ["b", "inner", "a"] and len(ours) == 3
    assert sorted(name for name, _ in ours.named_parameters()) == ["a", "b", "inner.c"]
    ours["b"] = nn.ParameterList([gg.ones(4)])
    assert list(ours) == ["b", "inner", "a"] and ours["b"][0].shape == (4,)
    del ours["inner"]
    assert list(ours) == ["b", "a"] and "inner" not in ours and not hasattr(ours, "inner")
    for missing in ("inner", "training"):
        with pytest.raises(KeyError):
            ours[missing]
    with pytest.raises(KeyError, match="has an attribute 'training' already"):
        ours["training"] = gg.ones(1)
    assert "training" not in ours


def test_sequential_and_lists():
    layers = [nn.Linear(i + 1, i + 2) for i in range(4)]
    net = nn.Sequential(*layers)
    assert net(gg.ones(1, 1)).shape == (1, 5)
    assert list(net[1:3]) == layers[1:3]
    assert net[-1] is layers[3]
    net.insert(1, nn.Identity()).append(nn.ReLU())
    assert [n for n, _ in net.named_children()] == ["0", "1", "2", "3", "4", "5"]
    del net[1]
    assert net.pop() is not None
    assert list(net) == layers
    net[0] = nn.Identity()
    assert isinstance(net[0], nn.Identity)
    with pytest.raises(IndexError, match="4 modules"):
        net[4]
    named = nn.Sequential({"a": nn.Linear(1, 2), "b": nn.ReLU()})
    assert list(named.state_dict()) == ["a.weight", "a.bias"]
    modules = nn.ModuleList(layers[:2])
    modules += layers[2:]
    assert list(modules[::2]) == layers[::2]
    assert layers[3] in modules
    table = nn.ModuleDict({"x": layers[0]})
    table["y"] = layers[1]
    assert list(table) == ["x", "y"]
    assert table.pop("x") is layers[0]
    numbers = nn.ParameterList([gg.ones(1), nn.Parameter(gg.zeros(2))])
    assert [p.shape for p in numbers] == [(1,), (2,)]
    assert nn.ParameterDict({"w": gg.ones(1)})["w"].requires_grad


def test_parameter():
    data = gg.ones(2)
    p = nn.Parameter(data)
    data._array[0] = 5
    assert p.tolist() == [5, 1]
    assert isinstance(p, gg.Tensor)
    assert p.requires_grad
    assert type(p * 1) is gg.Tensor
    assert repr(p).startswith("Parameter containing:\ntensor([5., 1.]")
    assert not nn.Parameter(gg.tensor([1, 2]), requires_grad=False).requires_grad
    with pytest.raises(DTypeError, match="floating-point"):
        nn.Parameter(gg.tensor([1, 2]))


# Start values


def test_seeds_give_the_same_network():
    def build(seed):
        gg.manual_seed(seed)
        net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(5, 6), nn.Embedding(7, 8), nn.MultiheadAttention(4, 2))
        return np.concatenate([p.detach().numpy().ravel() for p in net.parameters()])

    np.testing.assert_array_equal(build(3), build(3))
    assert (build(3) != build(4)).any()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("uniform_", {"a": -2, "b": 3}), ("normal_", {"mean": 1, "std": 2}), ("xavier_uniform_", {"gain": 2}),
        ("trunc_normal_", {"mean": 0.5, "std": 2, "a": -1, "b": 3}), ("xavier_normal_", {}),
        ("kaiming_uniform_", {"a": 1}),
        ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "relu"}), ("orthogonal_", {"gain": 2}),
        ("sparse_", {"sparsity": 0.3, "std": 2}),
    ],
)  # fmt: skip
def test_start_values_have_torchs_distribution(name, options):
    shape = (300, 200) if name in ("sparse_", "orthogonal_") else (300, 40, 5)
    torch.manual_seed(0)
    ours = getattr(nn.init, name)(gg.empty(*shape), **options).numpy()
    theirs = getattr(torch.nn.init, name)(torch.empty(*shape), **options).numpy()
    quantiles = np.linspace(0.01, 0.99, 15)
    expected = np.quantile(theirs, quantiles)
    np.testing.assert_allclose(np.quantile(ours, quantiles), expected, atol=0.05 * theirs.std())
    if name in ("uniform_", "kaiming_uniform_", "xavier_uniform_", "trunc_normal_"):
        np.testing.assert_allclose([ours.min(), ours.max()], [theirs.min(), theirs.max()], atol=0.01 * theirs.std())


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("Linear", (100, 300)), ("Conv2d", (20, 30, 5)), ("ConvTranspose2d", (30, 20, 5)), ("Embedding", (300, 100)),
        ("MultiheadAttention", (100, 2)), ("Bilinear", (30, 40, 20)), ("BatchNorm2d", (3,)), ("PReLU", (3,)),
    ],
)  # fmt: skip
def test_layers_start_like_torchs(name, args):
    torch.manual_seed(0)
    ours, theirs = getattr(nn, name)(*args), getattr(torch.nn, name)(*args)
    for (key, p), q in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        a, b = p.numpy().astype(float), q.numpy().astype(float)
        assert a.mean() == pytest.approx(b.mean(), abs=max(0.5 * b.std(), 1e-7)), key
        assert a.std() == pytest.approx(b.std(), rel=0.3, abs=1e-7), key
        if name != "Embedding":
            assert np.abs(a).max() == pytest.approx(np.abs(b).max(), rel=0.15), key


def test_exact_start_values():
    assert nn.init.eye_(gg.empty(2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert nn.init.constant_(gg.empty(2), 3).tolist() == [3, 3]
    for groups in (1, 2):
        ours = nn.init.dirac_(gg.empty(4, 2, 3, 3), groups).numpy()
        np.testing.assert_array_equal(ours, torch.nn.init.dirac_(torch.empty(4, 2, 3, 3), groups).numpy())
    q = nn.init.orthogonal_(gg.empty(5, 2, 4, dtype="float64")).numpy().reshape(5, 8)
    np.testing.assert_allclose(q @ q.T, np.eye(5), atol=1e-12)
    for name in ("linear", "conv2d", "relu", "tanh", "selu", "leaky_relu", "sigmoid"):
        assert nn.init.calculate_gain(name) == pytest.approx(torch.nn.init.calculate_gain(name))
    with pytest.raises(ValueError, match="unknown nonlinearity 'swish'"):
        nn.init.calculate_gain("swish")
    with pytest.raises(ValueError, match="two axes"):
        nn.init.kaiming_normal_(gg.empty(3))
    p = nn.Parameter(gg.zeros(2))
    assert nn.init.ones_(p) is p
    assert p.requires_grad
    assert p.grad_fn is None


# Products of groups

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
