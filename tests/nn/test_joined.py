"""Neighbours in a Sequential that are called as one op: the same results, and not where anybody could tell."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn


def net():
    gg.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 300), nn.ReLU(inplace=True), nn.Linear(300, 4), nn.ReLU()
    )


def ops_of(out):
    """The names of the ops that lead to a Tensor, the last one first."""
    names, node = [], out.grad_fn
    while node is not None and node.name != "leaf":
        names.append(node.name)
        node = node.edges[0]
    return names


def one_by_one(model, x):
    for module in model:
        x = module(x)
    return x


@pytest.mark.parametrize("shape", [(7, 6), (2, 3, 6), (6,), (0, 6), (1500, 6)])
def test_joined_modules_give_the_same_bits(shape):
    x = gg.randn(*shape)
    joined, apart = net(), net()
    a, b = joined(x), one_by_one(apart, x)
    assert ops_of(a) == ["linear_relu"] * 3
    assert ops_of(b) == ["relu", "linear"] * 3
    np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())
    weights = gg.randn(*a.shape)
    a.backward(weights)
    b.backward(weights)
    for p, q in zip(joined.parameters(), apart.parameters(), strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), q.grad.numpy())


def test_the_last_of_a_pair_may_be_missing():
    assert ops_of(nn.Sequential(nn.Linear(2, 3))(gg.randn(4, 2))) == ["linear"]
    assert ops_of(nn.Sequential(nn.ReLU(), nn.Linear(2, 3))(gg.randn(4, 2))) == ["linear"]
    no_bias = nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(), nn.ReLU())
    assert ops_of(no_bias(gg.randn(4, 2))) == ["relu", "linear_relu"]


@pytest.mark.parametrize("place", [0, 1])
def test_modules_with_hooks_are_called_themselves(place):
    model, seen = net()[:2], []
    handle = model[place].register_forward_hook(lambda module, args, output: seen.append(output.shape))
    assert ops_of(model(gg.randn(3, 6))) == ["relu", "linear"]
    assert seen == [(3, 5)]
    handle.remove()
    model[place].forward = lambda x: x
    assert ops_of(model(gg.randn(3, 6).requires_grad_() * 1))[-1] == "multiply"
    assert "linear_relu" not in ops_of(model(gg.randn(3, 6)))


def test_subclasses_are_called_themselves():
    class Doubled(nn.Linear):
        def forward(self, input):
            return 2 * super().forward(input)

    class Shifted(nn.ReLU):
        def forward(self, input):
            return super().forward(input) + 1

    x = gg.randn(3, 6)
    for model in (nn.Sequential(Doubled(6, 5), nn.ReLU()), nn.Sequential(nn.Linear(6, 5), Shifted())):
        np.testing.assert_array_equal(model(x).detach().numpy(), one_by_one(model, x).detach().numpy())
