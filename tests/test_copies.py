"""What is copied by deepcopy or pickle goes on as the original does: functions, networks, optimizers, averages."""

import copy
import pickle

import numpy as np
import pytest

import gpugrad as gg
import gpugrad.nn.functional as F
from gpugrad import nn, optim
from gpugrad.autograd.op import OPS
from gpugrad.nn.utils import parametrizations
from gpugrad.optim import swa_utils


def pickled(value):
    return pickle.loads(pickle.dumps(value))


WAYS = [copy.deepcopy, pickled]
X = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
OPTIMIZERS = [name for name in optim.__all__ if isinstance(getattr(optim, name), type) and name != "Optimizer"]
NORMS = [nn.utils.weight_norm, nn.utils.spectral_norm, parametrizations.weight_norm, parametrizations.spectral_norm]


def network():
    gg.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5, bias=False), nn.Tanh(), nn.Linear(5, 3, bias=False))


def train(model, optimizer, steps):
    for scale in steps:

        def closure(scale=scale):
            optimizer.zero_grad()
            loss = (model(gg.tensor(X * scale)) ** 2).mean()
            if not isinstance(optimizer, optim.NewtonCG):
                loss.backward()
            return loss

        optimizer.step(closure)


def bits(model):
    return [t.numpy().tobytes() for t in model.state_dict().values()]


@pytest.mark.parametrize("way", WAYS)
def test_functions_are_the_same_ones(way):
    functions = [getattr(gg, name) for name in gg.__all__] + [getattr(F, name) for name in F.__all__]
    assert [f for f in (*functions, *OPS.values()) if callable(f) and way(f) is not f] == []
    assert way(gg.Tensor.mul_) is gg.Tensor.mul_ and way(gg.Tensor.reshape) is gg.Tensor.reshape


@pytest.mark.parametrize("way", WAYS)
def test_a_network_that_holds_functions(way):
    layer = nn.Linear(2, 2)
    layer.activation, layer.normal, layer.joined = gg.relu, gg.softmax, gg.cat
    made = way(layer)
    assert (made.activation, made.normal, made.joined) == (gg.relu, gg.softmax, gg.cat)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("norm", NORMS)
def test_a_normed_layer(way, norm):
    layer = norm(nn.Linear(4, 3)).eval()
    layer(gg.tensor(X)).sum().backward()
    made = way(layer)
    assert np.array_equal(made(gg.tensor(X)).detach().numpy(), layer(gg.tensor(X)).detach().numpy())
    train(made.train(), optim.SGD(made.parameters(), lr=0.1), [1])
    assert bits(made) != bits(layer)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_network_and_its_optimizer(way, name):
    model = network()
    optimizer = getattr(optim, name)(model.parameters(), lr=0.01)
    train(model, optimizer, [1, 2])
    model_copy, optimizer_copy = way((model, optimizer))
    train(model, optimizer, [3, 4])
    assert bits(model_copy) != bits(model)
    train(model_copy, optimizer_copy, [3, 4])
    assert bits(model_copy) == bits(model)


@pytest.mark.parametrize("way", WAYS)
def test_keys_of_your_own_in_groups(way):
    model = network()
    groups = [{"params": [p], "name": name, "tags": [name]} for name, p in model.named_parameters()]
    optimizer = optim.SGD(groups, lr=0.1, momentum=0.9)
    state = way(optimizer.state_dict())
    other = optim.SGD([{"params": [p]} for p in network().parameters()], lr=1.0)
    other.load_state_dict(state)
    state["param_groups"][0]["tags"].append("later")
    assert [(g["name"], g["tags"], g["lr"]) for g in other.param_groups] == [
        (name, [name], 0.1) for name, _ in model.named_parameters()
    ]


AVERAGES = [{}, {"use_buffers": True}, {"multi_avg_fn": swa_utils.get_ema_multi_avg_fn(0.9), "use_buffers": True},
            {"avg_fn": swa_utils.get_ema_avg_fn(0.9)}, {"multi_avg_fn": swa_utils.get_swa_multi_avg_fn()}]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("options", AVERAGES)
def test_an_average_of_weights(way, options):
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    averaged = swa_utils.AveragedModel(model, **options)
    made = averaged
    for number in range(4):
        model(gg.tensor(X * number))
        with gg.no_grad():
            for p in model.parameters():
                p.add_(number)
        averaged.update_parameters(model)
        if number == 1:
            made = way(averaged)
        elif number > 1:
            made.update_parameters(model)
            assert bits(made) == bits(averaged)
