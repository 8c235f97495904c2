"""Hooks, weight norms, containers, fusion and summaries: what goes with Module beyond the layers."""

import copy
import inspect
import threading

import numpy as np
import pytest
import torch
from api_table import is_layer

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import GradientError, ShapeError, StateDictError
from gpugrad.nn.utils import parametrize

LIBRARIES = [(gg, nn), (torch, torch.nn)]


def values(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def close(ours, theirs):
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), 1e-9, 1e-11)


def same(found):
    """The two libraries' records are equal: tensors by value, the rest exactly."""
    ours, theirs = found
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        if isinstance(a, (tuple, list)):
            same((a, b))
        elif hasattr(a, "detach"):
            close(a, b)
        else:
            assert a == b


def layer(nn_, name="Linear", *args):
    made = getattr(nn_, name)(*(args or (3, 4))).double()
    rng = np.random.default_rng(1)
    state = {n: rng.standard_normal(tuple(p.shape)) for n, p in made.state_dict().items()}
    if nn_ is nn:
        made.load_state_dict(state)
    else:
        made.load_state_dict({n: torch.tensor(v) for n, v in state.items()})
    return made


def test_module_has_torchs_methods():
    absent = {
        "T_destination", "call_super_init", "compile", "dump_patches", "ipu", "mtia", "xpu", "share_memory",
        "register_backward_hook",
    }  # fmt: skip
    members = vars(torch.nn.Module).items()  # transformers adds one of its own when it makes a model
    public = {n for n, v in members if not n.startswith("_") and getattr(v, "__module__", "torch").startswith("torch")}
    assert {name for name in public if not hasattr(nn.Module, name)} == absent
    for name in public - absent:
        ours, theirs = (inspect.signature(getattr(lib.Module, name)) for lib in (nn, torch.nn))
        assert name == "forward" or set(theirs.parameters) <= set(ours.parameters) | {"args", "kwargs"}, name


# Hooks


def test_hooks_around_forward_and_backward_are_torchs():
    found = []
    for lib, nn_ in LIBRARIES:
        net, seen = layer(nn_), []
        net.register_forward_pre_hook(lambda m, args, seen=seen: seen.append(("pre", args)))
        net.register_forward_hook(lambda m, args, out, seen=seen: seen.append(("post", args, out)))
        net.register_full_backward_pre_hook(lambda m, g, seen=seen: seen.append(("before", g)) or (g[0] * 2,))
        net.register_full_backward_pre_hook(lambda m, g, seen=seen: seen.append(("first", g)), prepend=True)
        net.register_full_backward_hook(lambda m, gi, go, seen=seen: seen.append(("after", gi, go)) or (gi[0] + 1,))
        x = lib.tensor(values(2, 3), requires_grad=True)
        (net(x) ** 2).sum().backward()
        found.append([*seen, x.grad, net.weight.grad])
    same(found)


def test_backward_hooks_of_modules_with_several_inputs_and_outputs():
    found = []
    for lib, nn_ in LIBRARIES:

        class Two(nn_.Module):
            def forward(self, x, scale, y):
                return x * scale, x + y, "text"

        net, seen = Two(), []
        net.register_full_backward_hook(lambda m, gi, go, seen=seen: seen.append((gi, go)))
        x, y = (lib.tensor(values(2, 3, seed=i), requires_grad=True) for i in range(2))
        first, second, text = net(x, 3.0, y)
        assert text == "text"
        (first * second.detach()).sum().backward()
        [(gi, go)] = seen
        assert (gi[1], go[1], go[2]) == (None, None, None)
        found.append([len(gi), len(go), gi[0], go[0], x.grad])
    same(found)


def test_backward_hook_is_called_where_no_input_needs_a_gradient():
    net, seen = layer(nn), []
    handle = net.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go[0].tolist())))
    net(gg.tensor(values(2, 3))).sum().backward()
    assert seen == [((None,), [[1.0] * 4] * 2)]
    handle.remove()
    net(gg.tensor(values(2, 3))).sum().backward()
    assert len(seen) == 1
    net.register_full_backward_hook(lambda m, gi, go: (gi[0], gi[0]))
    with pytest.raises(GradientError, match="returned 2 gradients where 1"):
        net(gg.ones((2, 3), dtype="float64", requires_grad=True)).sum().backward()


def test_forward_hook_that_is_always_called():
    class Broken(nn.Module):
        def forward(self, x):
            raise ArithmeticError("broken")

    net, seen = Broken(), []
    net.register_forward_hook(lambda m, args, out: seen.append("usual"))
    net.register_forward_hook(lambda m, args, kwargs, out: seen.append(out), always_call=True, with_kwargs=True)
    with pytest.raises(ArithmeticError, match="broken"):
        net(1)
    assert seen == [None]


def test_state_dict_hooks_see_each_module():
    found = []
    for lib, nn_ in LIBRARIES:
        net, seen = nn_.Sequential(layer(nn_), layer(nn_, "Linear", 4, 2)), []
        net[1].register_state_dict_pre_hook(lambda m, prefix, keep, seen=seen: seen.append((prefix, keep)))

        def post(module, state, prefix, metadata):
            state[prefix + "added"] = state.pop(prefix + "bias")

        def pre(module, state, prefix, *rest, seen=seen):
            seen.append((prefix, len(rest), rest[1:]))
            state[prefix + "bias"] = state.pop(prefix + "added")

        net[1].register_state_dict_post_hook(post)
        state = net.state_dict()
        net[1].register_load_state_dict_pre_hook(pre)
        net[1].register_load_state_dict_post_hook(lambda m, keys, seen=seen: seen.append(tuple(map(list, keys))))
        net[1].weight = nn_.Parameter(lib.zeros((2, 4), dtype=lib.float64))
        assert str(net.load_state_dict(state)) == "<All keys matched successfully>"
        found.append([list(state), *seen, net[1].weight, net[1].bias])
    same(found)


def test_post_hook_may_forgive_missing_names():
    net = layer(nn)
    state = {"weight": np.zeros((4, 3))}
    with pytest.raises(StateDictError, match="missing: bias"):
        net.load_state_dict(state)
    assert net.weight.tolist() != state["weight"].tolist()
    handle = net.register_load_state_dict_post_hook(lambda m, keys: keys.missing_keys.clear())
    assert net.load_state_dict(state).missing_keys == []
    assert net.weight.tolist() == state["weight"].tolist()
    handle.remove()
    keys = net.load_state_dict({"weight": state["weight"], "other": 1}, strict=False)
    assert (keys.missing_keys, keys.unexpected_keys) == (["bias"], ["other"])
    with pytest.raises(StateDictError, match="bias: a list given"):
        net.load_state_dict({**state, "bias": [0.0] * 4})
    with pytest.raises(TypeError, match="mapping"):
        net.load_state_dict([state])


def test_extra_state():
    class Counter(nn.Module):
        def __init__(self):
            super().__init__()
            self.count = 0

        def get_extra_state(self):
            return {"count": self.count}

        def set_extra_state(self, state):
            self.count = state["count"]

    net, twin = (nn.Sequential(nn.Linear(1, 1), Counter()) for _ in range(2))
    net[1].count = 3
    assert list(net.state_dict()) == ["0.weight", "0.bias", "1._extra_state"]
    twin.load_state_dict(net.state_dict())
    assert twin[1].count == 3


def test_places_names_and_types():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    weight = net[0].weight
    assert net.type("float64").to_empty(device="cpu") is net
    assert net[0].weight is weight
    assert weight.dtype == gg.float64
    assert net[1].num_batches_tracked.dtype == gg.int64
    net.set_submodule("1", nn.Identity(), strict=True)
    assert isinstance(net[1], nn.Identity)
    for target, options in (("0.weight", {}), ("2", {"strict": True})):
        with pytest.raises(AttributeError):
            net.set_submodule(target, nn.Identity(), **options)
    assert {"weight", "bias", "training", "forward"} <= set(dir(net[0]))
    state = {name: gg.ones_like(value) for name, value in net.state_dict().items()}
    net.load_state_dict(state, assign=True)
    assert net[0].weight is weight
    assert net[0].weight._array is state["0.weight"]._array


def test_buffers_are_registered_when_they_are_assigned():
    net, data = nn.Module(), gg.ones(2)
    net.kept, net.passing = nn.Buffer(data), nn.Buffer(gg.zeros(1), persistent=False)
    assert list(net.state_dict()) == ["kept"]
    assert [name for name, _ in net.named_buffers()] == ["kept", "passing"]
    assert net.kept._array is data._array
    assert not net.kept.requires_grad
    net.kept = nn.Buffer(gg.zeros(3))
    assert net.double().kept.dtype == gg.float64
    assert copy.deepcopy(net).kept.tolist() == [0, 0, 0]


# Weight norm and spectral norm


def norm_of(nn_, kind):
    path = nn_.utils.parametrizations if kind.startswith("parametrized") else nn_.utils
    return getattr(path, kind.removeprefix("parametrized_"))


@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated")
@pytest.mark.parametrize(
    "kind", ["weight_norm", "spectral_norm", "parametrized_weight_norm", "parametrized_spectral_norm"]
)
@pytest.mark.parametrize("shape", [("Linear", 3, 4), ("Conv2d", 3, 4, 2), ("ConvTranspose1d", 3, 4, 2)])
@pytest.mark.parametrize("options", [{}, {"dim": 1}, {"dim": None}])
def test_normed_weights_are_torchs(kind, shape, options):
    ours, theirs = (norm_of(nn_, kind)(layer(nn_, *shape), **options) for _, nn_ in LIBRARIES)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    ours.load_state_dict(theirs.state_dict())
    x = values(*{"Linear": (2, 3), "Conv2d": (2, 3, 4, 5), "ConvTranspose1d": (2, 3, 5)}[shape[0]])
    for _ in range(2):  # spectral norm's vectors move on
        found = []
        for lib, net in ((gg, ours), (torch, theirs)):
            net.zero_grad()
            given = lib.tensor(x, requires_grad=True)
            out = net(given)
            (out**2).sum().backward()
            found.append([out, given.grad, net.weight, *(p.grad for p in net.parameters()), *net.buffers()])
        same(found)
    ours.eval(), theirs.eval()
    close(ours(gg.tensor(x)), theirs(torch.tensor(x)))
    theirs.load_state_dict({n: torch.tensor(v.numpy()) for n, v in ours.state_dict().items()})
    if kind.startswith("parametrized"):
        for nn_, net in ((nn, ours), (torch.nn, theirs)):
            nn_.utils.parametrize.remove_parametrizations(net, "weight")
    else:
        for nn_, net in ((nn, ours), (torch.nn, theirs)):
            getattr(nn_.utils, f"remove_{kind}")(net)
    assert list(ours.state_dict()) == list(theirs.state_dict()) or kind == "weight_norm"
    same([[net.state_dict()[n] for n in ("weight", "bias")] for net in (ours, theirs)])
    close(ours(gg.tensor(x)), theirs(torch.tensor(x)))


def test_parametrized_weight_norm_loads_the_older_names():
    old = nn.utils.weight_norm(nn.Linear(3, 4))
    new = nn.utils.parametrizations.weight_norm(nn.Linear(3, 4))
    new.load_state_dict(old.state_dict())
    np.testing.assert_allclose(new.weight.detach().numpy(), old.weight.detach().numpy(), 1e-6)


def test_weight_norms_refuse_what_they_cannot_do():
    net = nn.utils.weight_norm(nn.Linear(3, 4))
    with pytest.raises(RuntimeError, match="already"):
        nn.utils.weight_norm(net)
    with pytest.raises(ValueError, match="no parameter 'w'"):
        nn.utils.spectral_norm(nn.Linear(3, 4), "w")
    with pytest.raises(ValueError, match="has none"):
        nn.utils.remove_spectral_norm(net)
    with pytest.raises(ValueError, match="n_power_iterations"):
        nn.utils.parametrizations.spectral_norm(nn.Linear(3, 4), n_power_iterations=0)
    with pytest.raises(IndexError, match="dim 2"):
        nn.utils.parametrizations.spectral_norm(nn.Linear(3, 4), dim=2)


def test_parametrizations_compose_and_can_be_assigned():
    class Double(nn.Module):
        def forward(self, x):
            return x * 2

        def right_inverse(self, x):
            return x / 2

    net = nn.Linear(2, 2)
    weight, start = net.weight, net.weight.tolist()
    parametrize.register_parametrization(net, "weight", Double())
    assert net.parametrizations.weight.original is weight
    assert net.weight.tolist() == start
    parametrize.register_parametrization(net, "weight", Double())
    np.testing.assert_allclose(net.weight.tolist(), start, rtol=1e-6)
    net.weight = gg.ones((2, 2))
    assert net.parametrizations.weight.original.tolist() == [[0.25] * 2] * 2
    assert "weight" in dir(net)
    assert parametrize.is_parametrized(net, "weight")
    assert not parametrize.is_parametrized(net, "bias")
    with parametrize.cached():
        assert net.weight is net.weight
    assert net.weight is not net.weight
    twin = copy.deepcopy(net)
    parametrize.remove_parametrizations(net, "weight", leave_parametrized=False)
    assert net.weight.tolist() == [[0.25] * 2] * 2
    assert twin.weight.tolist() == [[1.0] * 2] * 2
    assert not parametrize.is_parametrized(net)
    other = parametrize.transfer_parametrizations_and_params(twin, nn.Linear(2, 2))
    assert other.weight.tolist() == twin.weight.tolist()
    with pytest.raises(ValueError, match="no parametrization"):
        parametrize.remove_parametrizations(net, "weight")
    with pytest.raises(ValueError, match="no parameter or buffer"):
        parametrize.register_parametrization(net, "other", Double())
    with pytest.raises(ShapeError, match="changes the shape"):
        parametrize.register_parametrization(net, "weight", nn.Flatten(0))


# Clipping and vectors


@pytest.mark.parametrize("norm_type", [1.0, 2.0, float("inf")])
def test_total_norm_and_clipping_with_it(norm_type):
    found = []
    for lib, nn_ in LIBRARIES:
        parameters = [lib.tensor(values(2, 3, seed=i), requires_grad=True) for i in range(3)]
        for p in parameters[:2]:
            p.grad = p.detach() * 3
        norm = nn_.utils.get_total_norm([p.grad for p in parameters[:2]], norm_type)
        nn_.utils.clip_grads_with_norm_(parameters, 0.5, norm)
        found.append([norm, parameters[0].grad, parameters[1].grad])
    same(found)


def test_parameters_to_vector_passes_gradients():
    net = nn.Linear(2, 3)
    vector = nn.utils.parameters_to_vector(net.parameters())
    (vector * gg.arange(9.0)).sum().backward()
    assert net.weight.grad.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert net.bias.grad.tolist() == [6, 7, 8]


# Summary


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(10, 4)
        self.body = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
        self.unused = nn.Linear(2, 2)
        self.tied = self.body[0]

    def forward(self, x):
        return self.body(self.embed(x)), {"twice": self.tied(self.embed(x))}


def test_summary_tells_shapes_and_counts():
    net = Net()
    net.unused.requires_grad_(False)
    found = nn.summary(net, (3,), dtypes="int64")
    rows = {row.name: row for row in found.rows}
    assert list(rows) == ["", "embed", "body", "body.0", "body.1", "body.2", "unused"]
    assert rows[""].output == "(3, 4), twice: (3, 4)"
    assert (rows["embed"].type, rows["embed"].output, rows["embed"].parameters) == ("Embedding", "(3, 4)", 40)
    assert rows["unused"].output == ""
    assert (found.total_params, found.trainable_params, found.buffers) == (40 + 20 + 8 + 6, 68, 9)
    assert found.bytes == 74 * 4 + 8 * 4 + 8
    text = repr(found)
    assert "74 parameters (68 trained, 6 frozen)" in text
    assert len({len(line) for line in text.splitlines()[:2]}) == 1


class Noisy(Net):
    def forward(self, x):
        return nn.functional.dropout(super().forward(x)[0], 0.5)  # in evaluation too


def test_summary_changes_nothing():
    net = Noisy()
    net.body[2].eval()
    net.body[0].register_forward_hook(lambda *_: None)
    state = {name: value.tolist() for name, value in net.state_dict().items()}
    before = [(m.training, None if m._hooks is None else len(m._hooks_of("forward"))) for m in net.modules()]
    random = gg.get_rng_state()
    for call in (lambda: nn.summary(net, gg.tensor([1, 2, 3])), lambda: nn.summary(net, (2, 2))):
        try:
            call()
        except Exception:
            assert call is not None  # the second input does not fit, and must leave no trace either
        assert {name: value.tolist() for name, value in net.state_dict().items()} == state
        after = [(m.training, None if m._hooks is None else len(m._hooks_of("forward"))) for m in net.modules()]
        assert after == before
        assert gg.get_rng_state() == random
        assert all(p.grad is None for p in net.parameters())
    with pytest.raises(ShapeError, match="summary: expected"):
        nn.summary(net, 3)


# Containers


def test_containers_have_torchs_methods():
    for name in ("Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"):
        ours, theirs = getattr(nn, name), getattr(torch.nn, name)
        public = {
            n for n in vars(theirs) if not n.startswith("_") or n in ("__add__", "__iadd__", "__ior__", "__mul__")
        }
        assert {n for n in public if not hasattr(ours, n)} <= {"fromkeys"}, name


def test_sequences_of_modules_add_up():
    first, second = nn.Sequential(nn.ReLU(), nn.Linear(1, 2)), nn.Sequential(nn.Linear(2, 3))
    both = first + second
    assert [type(m).__name__ for m in both] == ["ReLU", "Linear", "Linear"]
    assert both[1] is first[1]
    assert len(2 * first) == len(first * 2) == 4
    first += second
    assert first[2] is second[0]
    second *= 3
    assert len(second) == 3
    assert len(nn.ModuleList(first) + list(second)) == 6


def test_repeated_modules_are_shown_once():
    for make in (
        lambda n: n.ModuleList([n.Linear(1, 2), n.Linear(1, 2), n.ReLU(), n.Sequential(n.ReLU())]),
        lambda n: n.ModuleList([]),
        lambda n: n.ModuleList([n.ModuleList([n.ReLU()]), n.ModuleList([n.ReLU()])]),
    ):
        assert repr(make(nn)) == repr(make(torch.nn))


def test_parameter_dictionary_is_a_mapping():
    table = nn.ParameterDict({"a": gg.ones(1), "b": gg.zeros(2)})
    assert list(table.state_dict()) == ["a", "b"]
    assert "a" in table
    assert table.get("c") is None
    assert table.setdefault("c", gg.ones(3)).shape == (3,)
    del table["a"]
    assert [name for name, _ in table.items()] == ["b", "c"]
    assert table.pop("b").shape == (2,)
    joined = table | {"d": gg.ones(4)}
    assert (list(table), list(joined)) == (["c"], ["c", "d"])
    assert joined["c"] is table["c"]
    assert {joined: 1}[joined] == 1
    table.clear()
    assert len(table) == 0
    modules = nn.ModuleDict({"x": nn.ReLU()})
    modules.clear()
    assert list(modules) == []


def test_threads_inside_of_cached_do_not_see_each_other():
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
    seen = []
    with nn.utils.parametrize.cached():
        first = layer.weight
        thread = threading.Thread(target=lambda: seen.extend([layer.weight, layer.weight]))
        thread.start()
        thread.join()
        assert layer.weight is first
    assert seen[0] is not seen[1] and seen[0] is not first


# Lazy layers


@pytest.mark.parametrize(
    ("name", "args", "shape"),
    [
        ("Linear", (4,), (2, 5, 3)), ("Conv1d", (4, 2), (2, 3, 5)), ("Conv2d", (4, 2), (3, 5, 5)),
        ("Conv3d", (4, 2), (2, 3, 4, 4, 4)), ("ConvTranspose2d", (4, 2), (2, 3, 4, 4)), ("BatchNorm1d", (), (4, 3)),
        ("BatchNorm2d", (), (2, 3, 4, 4)), ("InstanceNorm1d", (), (2, 3, 5)),
    ],
)  # fmt: skip
def test_lazy_layers_become_ordinary_ones(name, args, shape):
    ours, theirs = (getattr(nn_, f"Lazy{name}")(*args) for _, nn_ in LIBRARIES)
    net = nn.Sequential(ours)
    with pytest.raises(ValueError, match="no parameters yet"):
        list(net.parameters())
    with pytest.raises(ValueError, match="no parameters yet"):
        net.state_dict()
    seen = []
    ours.register_forward_hook(lambda *_: seen.append(1))
    x = values(*shape).astype("float32")
    assert net(gg.tensor(x)).shape == tuple(theirs(torch.tensor(x)).shape)
    assert type(ours) is getattr(nn, name)
    assert seen == [1]
    assert repr(ours) == repr(theirs)
    assert {n: p.shape for n, p in ours.state_dict().items()} == {
        n: tuple(p.shape) for n, p in theirs.state_dict().items()
    }


LAZY = [
    ("Linear", (4,), (2, 5, 3)), ("Conv1d", (4, 2), (2, 6, 5)), ("ConvTranspose2d", (4, 2), (2, 3, 4, 4)),
    ("BatchNorm1d", (), (4, 3)), ("BatchNorm2d", (0.1, 0.2, False), (2, 3, 4, 4)), ("InstanceNorm1d", (), (2, 3, 5)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args", "shape"), LAZY)
@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_lazy_layers_remember_the_dtype_that_they_were_given(name, args, shape, dtype):
    found = []
    for library, nn_ in LIBRARIES:
        told, made, moved = (
            getattr(nn_, f"Lazy{name}")(*args, **kwargs) for kwargs in ({"dtype": getattr(library, dtype)}, {}, {})
        )
        getattr(made, {"float64": "double", "float16": "half"}[dtype])()
        net = nn_.Sequential(moved).to(getattr(library, dtype))
        for layer in (told, made, copy.deepcopy(net) if nn_ is nn else net):  # PyTorch cannot copy theirs
            out = layer(library.ones(shape, dtype=getattr(library, dtype)))
            found.append([str(t.dtype).split(".")[-1] for t in (out, *layer.state_dict().values())])
    assert found[:3] == found[3:] and found[0][0] == dtype


def test_a_lazy_layer_draws_its_start_values_in_its_dtype():
    layer = nn.LazyLinear(3).double()
    layer(gg.ones((1, 50), dtype=gg.float64))
    weight = layer.weight.detach().numpy()
    assert not np.array_equal(weight, weight.astype("f"))


@pytest.mark.parametrize(("name", "args", "shape"), LAZY)
def test_lazy_layers_take_the_shapes_of_a_state_dict(name, args, shape):
    if name == "Conv1d":
        args = (*args, 1, 0, 1, 2)  # 2 groups
    options = {"affine": True, "track_running_stats": True} if name == "InstanceNorm1d" else {}
    source, lazy = (getattr(nn, f"Lazy{name}")(*args) for _ in range(2))
    theirs = getattr(torch.nn, f"Lazy{name}")(*args)
    x = values(*shape).astype("float32")
    theirs(torch.tensor(x))
    source(gg.tensor(x))
    seen = []
    lazy.register_forward_hook(lambda *_: seen.append(1))
    net = nn.Sequential(lazy.double()).eval()
    net.load_state_dict({f"0.{name}": value for name, value in theirs.state_dict().items()})
    expected = getattr(torch.nn, name)(x.shape[-1 if name == "Linear" else 1], *args, **options).double()
    expected.load_state_dict(theirs.state_dict())
    got = net(gg.tensor(x).double()).detach().numpy()
    np.testing.assert_allclose(got, expected.eval()(torch.tensor(x).double()).detach().numpy(), atol=1e-12)
    assert seen == [1] and repr(lazy) == repr(source)


# Fusion with batch normalisation, and modules without start values


def normed(nn_, name, features, options):
    """A batch normalisation in evaluation mode with statistics, weights and biases of its own."""
    made = getattr(nn_, name)(features, **options).double().eval()
    rng = np.random.default_rng(2)
    for tensor in made.state_dict().values():
        if tuple(tensor.shape):
            drawn = rng.random(tuple(tensor.shape)) + 0.5
            with torch.no_grad(), gg.no_grad():
                tensor.copy_((gg if nn_ is nn else torch).tensor(drawn))
    return made


@pytest.mark.parametrize("options", [{}, {"affine": False}, {"eps": 0.1}])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("name", "args", "shape"),
    [
        ("Conv1d", (4, 6, 3), (2, 4, 5)), ("Conv2d", (4, 6, (3, 2), 1, 1, 1, 2), (2, 4, 5, 5)),
        ("Conv3d", (2, 3, 2), (2, 2, 3, 3, 3)), ("ConvTranspose2d", (4, 6, 3), (2, 4, 3, 3)),
    ],
)  # fmt: skip
def test_convolutions_take_in_batch_norm(name, args, shape, bias, options):
    x, found, transpose = values(*shape), [], "Transpose" in name
    for lib, nn_ in LIBRARIES:
        layers = layer(nn_, name, *args).eval(), normed(nn_, f"BatchNorm{name[-2]}d", args[1], options)
        if not bias:
            layers[0].bias = None
        fused = nn_.utils.fuse_conv_bn_eval(*layers, transpose=transpose)
        assert type(fused) is type(layers[0]) and fused is not layers[0]
        assert (fused.weight.requires_grad, fused.bias.requires_grad) == (True, bias)
        if nn_ is nn:
            close(fused(lib.tensor(x)), torch.tensor(layers[1](layers[0](lib.tensor(x))).detach().numpy()))
        found.append([fused.weight, fused.bias])
    same(found)


@pytest.mark.parametrize(("bias", "features"), [(True, 4), (False, 4), (True, 1), (False, 1)])
def test_linear_layers_take_in_batch_norm(bias, features):
    x, found = values(2, features, 3)[:, :1] if features == 1 else values(2, 3), []
    for lib, nn_ in LIBRARIES:
        layers = layer(nn_).eval(), normed(nn_, "BatchNorm1d", features, {})
        if not bias:
            layers[0].bias = None
        fused = nn_.utils.fuse_linear_bn_eval(*layers)
        if nn_ is nn:
            assert fused.bias.shape == (4,)
            close(fused(lib.tensor(x)), torch.tensor(layers[1](layers[0](lib.tensor(x))).detach().numpy()))
        found.append([fused.weight, fused.bias * lib.ones(4)])
    same(found)


def test_fusion_beyond_torchs(device):
    """Transposed convolutions in groups, and ones that nobody said were transposed; on each device, in float16."""
    conv = layer(nn, "ConvTranspose2d", 4, 6, 3, 1, 0, 0, 2).eval().to(device)
    bn, x = normed(nn, "BatchNorm2d", 6, {}).to(device), gg.tensor(values(2, 4, 3, 3), device=device)
    fused = nn.utils.fuse_conv_bn_eval(conv, bn)
    np.testing.assert_allclose(fused(x).detach().cpu().numpy(), bn(conv(x)).detach().cpu().numpy(), 1e-9, 1e-11)
    made = nn.utils.fuse_conv_bn_eval(conv.half(), bn.float())
    assert {p.dtype for p in made.parameters()} == {gg.float16} and made.weight.device is device


def test_fusion_refuses():
    conv, linear = nn.Conv2d(2, 3, 1).eval(), nn.Linear(2, 3).eval()
    for fuse, first in ((nn.utils.fuse_conv_bn_eval, conv), (nn.utils.fuse_linear_bn_eval, linear)):
        with pytest.raises(ValueError, match="call eval"):
            fuse(first, nn.BatchNorm2d(3))
        with pytest.raises(ValueError, match="no running statistics"):
            fuse(first, nn.BatchNorm2d(3, track_running_stats=False).eval())
    with pytest.raises(ShapeError, match="3 features, as linear gives, or 1, got 2"):
        nn.utils.fuse_linear_bn_eval(linear, nn.BatchNorm1d(2).eval())


def test_skip_init(device):
    class Net(nn.Module):
        def __init__(self, device=None):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(3, 4, device=device), nn.LSTM(4, 2, device=device))
            self.norm, self.slope = nn.BatchNorm1d(4, device=device), nn.PReLU(device=device)
            self.table = nn.Embedding(3, 4, padding_idx=0, device=device)
            nn.init.orthogonal_(self.layers[0].weight)

    gg.manual_seed(3)
    usual, after = Net(device), gg.rand(1).item()
    gg.manual_seed(3)
    first = gg.rand(1).item()
    gg.manual_seed(3)
    made = nn.utils.skip_init(Net, device=device)
    assert gg.rand(1).item() == first != after
    assert {n: t.shape for n, t in made.state_dict().items()} == {n: t.shape for n, t in usual.state_dict().items()}
    assert all(p.device is device and p.requires_grad for p in made.parameters())
    made.load_state_dict(usual.state_dict())
    x = gg.ones(5, 3, device=device)
    assert made.layers(x)[0].tolist() == usual.layers(x)[0].tolist()
    weight = gg.full((2, 2), 7.0)
    assert nn.init.ones_(weight).tolist() == [[1, 1], [1, 1]]  # outside, values are set as always
    with nn.init.skip_filling():
        assert nn.init.zeros_(tensor=weight) is weight
        assert nn.init.xavier_normal_(weight).tolist() == [[1, 1], [1, 1]]
    with pytest.raises(ValueError, match="groups"):
        nn.utils.skip_init(nn.Conv2d, 3, 4, 1, groups=2)
    assert nn.init.zeros_(weight).tolist() == [[0, 0], [0, 0]]
    with pytest.raises(TypeError, match="a subclass of Module"):
        nn.utils.skip_init(len)


# Texts

SIMPLE = {  # an argument without a default -> its value
    "in_channels": 4, "out_channels": 6, "kernel_size": 3, "in_features": 4, "out_features": 6, "num_features": 4,
    "normalized_shape": (4, 5), "num_groups": 2, "num_channels": 4, "num_embeddings": 5, "embedding_dim": 3, "size": 3,
    "input_size": 3, "hidden_size": 4, "padding": 1, "value": 2.5, "in1_features": 2, "in2_features": 3, "d_model": 4,
    "nhead": 2, "embed_dim": 4, "num_heads": 2, "upscale_factor": 2, "downscale_factor": 2, "groups": 2, "dim": 1,
    "unflattened_size": (2, 3), "output_size": 3, "threshold": 0.5, "n_classes": 6, "num_classes": 6, "cutoffs": [2, 4],
    "norm_type": 2, "bias": True, "num_chunks": 1, "num_layers": 2,
}  # fmt: skip
OTHER = {  # arguments with a default -> values to try, where another number than the default will not do
    "p": (0.5,), "dropout": (0.25,), "nhead": (4,), "d_model": (16,), "device": (), "dtype": (), "num_chunks": (),
    "stride": (1, 2), "scale_factor": (), "mode": (), "groups": (2,), "lower": (0.1,), "output_ratio": (),
    "min_value": (), "max_value": (), "size_average": (), "reduce": (), "padding_idx": (1,), "max_norm": (1.0,),
    "enable_nested_tensor": (), "mask_check": (), "proj_size": (2,), "label_smoothing": (0.1,),
}  # fmt: skip
ALWAYS = {  # what else a layer needs
    "FractionalMaxPool2d": {"output_ratio": 0.5}, "FractionalMaxPool3d": {"output_size": 2}, "Upsample": {"size": 4},
    "UpsamplingNearest2d": {"size": 4}, "UpsamplingBilinear2d": {"size": 4}, "MultiMarginLoss": {"p": 2},
    "LPPool1d": {"norm_type": 2.0}, "TripletMarginWithDistanceLoss": {"distance_function": None},
    "PairwiseDistance": {"p": 1.0}, "TripletMarginLoss": {"p": 1.0}, **{n: {"input_size": 3, "hidden_size": 4}
    for n in ("RNN", "LSTM", "GRU")}, "Transformer": {"d_model": 8, "nhead": 2, "num_encoder_layers": 1},
    "Sequential": {}, "CrossEntropyLoss": {}, "RNNBase": {"mode": "GRU"}, "RNNCellBase": {"num_chunks": 1},
}  # fmt: skip
# On purpose: a lazy layer shows the arguments it waits with, not a layer of 0 channels.
OTHERWISE = {name for name in dir(torch.nn) if name.startswith("Lazy")}


def cases(name):
    """The arguments that a layer needs, and these with each of the others changed in turn."""
    needed, tried = dict(ALWAYS.get(name, {})), []
    for p in inspect.signature(getattr(torch.nn, name)).parameters.values():
        if p.kind not in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) or p.name in needed:
            continue
        if p.default is p.empty:
            needed[p.name] = SIMPLE.get(p.name)
        elif p.name in OTHER:
            tried += [{p.name: value} for value in OTHER[p.name]]
        elif isinstance(p.default, bool):
            tried.append({p.name: not p.default})
        elif isinstance(p.default, (int, float)):
            tried.append({p.name: p.default + 1})
    return [needed, *({**needed, **change} for change in tried)]


def inner(nn_, arguments):
    """The arguments with the layer that a stack of layers repeats."""
    for kind in ("encoder", "decoder"):
        if f"{kind}_layer" in arguments:
            made = getattr(nn_, f"Transformer{kind.capitalize()}Layer")(4, 2)
            return {**arguments, f"{kind}_layer": made}
    return arguments


LAYERS = [n for n in dir(torch.nn) if is_layer(getattr(torch.nn, n)) and hasattr(nn, n) and n not in OTHERWISE]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", LAYERS)
def test_texts_are_torchs(name):
    for arguments in cases(name):
        theirs = getattr(torch.nn, name)(**inner(torch.nn, arguments))
        ours = getattr(nn, name)(**inner(nn, arguments))
        # PyTorch gives this layer of MultiheadAttention a class of its own for quantisation.
        assert repr(ours) == repr(theirs).replace("NonDynamicallyQuantizableLinear", "Linear"), arguments


def test_containers_take_none():
    for name in ("ModuleList", "ModuleDict", "ParameterList", "ParameterDict"):
        assert len(getattr(nn, name)(None)) == len(getattr(torch.nn, name)(None)) == 0


def test_lazy_instance_norm_without_a_bias():
    found = [nn_.LazyInstanceNorm1d(bias=False) for _, nn_ in LIBRARIES]
    for (lib, _), net in zip(LIBRARIES, found, strict=True):
        net(lib.ones(2, 3, 4))
        assert list(net.state_dict()) == ["weight", "running_mean", "running_var", "num_batches_tracked"]
