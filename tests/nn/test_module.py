"""Module: parameters, buffers, names, modes, moves and state dicts."""

import copy

import numpy as np
import pytest
import torch
from layer_twins import to_numpy

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import DTypeError, StateDictError


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
