"""`checkpoint` carries what the function ran in to where it runs again; PyTorch gives the same gradients."""

from collections import namedtuple

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import AnomalyError, GradientError, InplaceError

torch = pytest.importorskip("torch")


def random(*shape):
    return np.random.default_rng(len(shape)).standard_normal(shape).astype("f")


def leaf(array):
    return gg.tensor(array, requires_grad=True)


def test_the_region_of_autocast_is_entered_again():
    seen = []

    def product(x, w):
        out = x @ w
        seen.append((out.dtype.name, gg.amp.is_autocast_enabled("cpu")))
        return out

    x, w = leaf(random(4, 5)), leaf(random(5, 3))
    with gg.autocast("cpu", dtype=gg.bfloat16):
        out = gg.checkpoint(product, x, w)
    out.float().sum().backward()
    assert seen == [("bfloat16", True)] * 2
    tx, tw = (torch.tensor(t.detach().numpy(), requires_grad=True) for t in (x, w))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        expected = torch.utils.checkpoint.checkpoint(torch.matmul, tx, tw, use_reentrant=False)
    expected.float().sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), tx.grad.numpy())
    np.testing.assert_array_equal(w.grad.numpy(), tw.grad.numpy())


def test_a_region_around_backward_alone_is_not_entered():
    seen = []

    def product(x):
        seen.append((x @ x).dtype.name)
        return x @ x

    x = leaf(random(3, 3))
    out = gg.checkpoint(product, x).sum()
    with gg.autocast("cpu", dtype=gg.bfloat16):
        out.backward()
    assert seen == ["float32", "float32"]


@pytest.mark.parametrize("cached", [True, False])
def test_casts_of_parameters_are_cached_when_the_region_caches_them(cached):
    layer = nn.Linear(3, 3)
    nodes = []

    def twice(x):
        first, second = layer(x), layer(x)
        region = gg.autograd.mode.mode.autocast
        nodes.append(None if region.cache is None else len(region.cache))
        return first + second

    with gg.autocast("cpu", dtype=gg.bfloat16, cache_enabled=cached):
        out = gg.checkpoint(twice, gg.ones((2, 3)))
        stale = dict(gg.autograd.mode.mode.autocast.cache or {})
    assert out.requires_grad
    out.float().sum().backward()
    assert nodes == ([2, 2] if cached else [None, None]) and len(stale) == (2 if cached else 0)
    np.testing.assert_allclose(layer.bias.grad.numpy(), 4.0)


def test_a_mode_of_the_forward_is_that_of_the_repetition():
    seen = []

    def function(x):
        seen.append((gg.autograd.mode.mode.anomaly, gg.is_grad_enabled(), gg.is_inference_mode_enabled()))
        return x * 2

    x = leaf(random(3))
    with gg.detect_anomaly():
        out = gg.checkpoint(function, x).sum()
    out.backward()
    assert seen == [(True, True, False)] * 2 and not gg.autograd.mode.mode.anomaly


def test_anomalies_are_found_inside():
    x = leaf(np.zeros(2, "f"))
    with np.errstate(all="ignore"), gg.detect_anomaly(), pytest.raises(AnomalyError, match="sqrt"):
        (gg.checkpoint(lambda x: gg.sqrt(x) * 0, x)).sum().backward()


Pair = namedtuple("Pair", "first second")


@pytest.mark.parametrize("create_graph", [False, True])
def test_keywords_and_nested_arguments_and_results(create_graph):
    def function(x, others, *, scale, text):
        assert text == "as it is"
        return {"sum": x * others[0] * scale["w"], "list": [others[1] ** 2, None, 3], "pair": Pair(x * 2, "name")}

    x, y, z, w = (leaf(random(*shape)) for shape in ((2, 3), (3,), (2, 2, 1), (1, 1, 1, 1)))
    call = dict(scale={"w": w}, text="as it is")

    def loss(result):
        return result["sum"].sum() + (result["list"][0] ** 2).sum() + (result["pair"].first * x).sum()

    made = gg.checkpoint(function, x, [y, z], use_reentrant=False, **call)
    assert made["list"][1:] == [None, 3] and made["pair"].second == "name" and type(made["pair"]) is Pair
    found = gg.grad(loss(made), [x, y, z, w], create_graph=create_graph)
    expected = gg.grad(loss(function(x, [y, z], **call)), [x, y, z, w])
    for got, want in zip(found, expected, strict=True):
        np.testing.assert_allclose(got.detach().numpy(), want.numpy(), rtol=1e-5)


def test_nested_checkpoints_use_the_same_random_numbers():
    draws = []

    def inner(x):
        noise = gg.randn(*x.shape)
        draws.append(noise.tolist())
        return x * noise

    def outer(x):
        return gg.checkpoint(inner, gg.checkpoint(inner, x) * 2) + gg.randn(*x.shape)

    x = leaf(random(3))
    gg.manual_seed(3)
    out = gg.checkpoint(outer, x)
    after = gg.get_rng_state()
    out.sum().backward()
    assert str(gg.get_rng_state()) == str(after)
    first, second = draws[:2]
    assert all(draw in (first, second) for draw in draws)
    np.testing.assert_allclose(x.grad.numpy(), 2 * np.multiply(first, second), rtol=1e-5)


def test_the_random_numbers_go_on_where_they_were_after_an_error():
    fail = []

    def function(x):
        gg.randn(3)
        if fail:
            raise ZeroDivisionError
        return x * 2

    out = gg.checkpoint(function, leaf(random(2))).sum()
    gg.randn(5)
    before = gg.get_rng_state()
    fail.append(True)
    with pytest.raises(ZeroDivisionError):
        out.backward()
    assert str(gg.get_rng_state()) == str(before)


def test_without_preserve_rng_state_the_numbers_go_on():
    draws = []

    def function(x):
        draws.append(gg.randn(2).tolist())
        return x * 2

    gg.checkpoint(function, leaf(random(2)), preserve_rng_state=False).sum().backward()
    assert draws[0] != draws[1]


def test_arguments_and_parameters_that_changed_meanwhile_are_an_error():
    x = leaf(random(2)) * 1
    out = gg.checkpoint(lambda x: x**2, x).sum()
    x += 1
    with pytest.raises(InplaceError, match="checkpoint: 'argument 0'"):
        out.backward()
    layer = nn.Linear(3, 3)
    out = gg.checkpoint(layer, leaf(random(2, 3))).sum()
    with gg.no_grad():
        layer.weight.zero_()
    with pytest.raises(InplaceError, match="checkpoint: 'a parameter'"):
        out.backward()


def test_a_second_backward_needs_retain_graph():
    x = leaf(random(2))
    out = gg.checkpoint(lambda x: x**2, x).sum()
    out.backward(retain_graph=True)
    out.backward()
    np.testing.assert_allclose(x.grad.numpy(), 4 * x.detach().numpy(), rtol=1e-6)
    with pytest.raises(GradientError, match="freed already"):
        gg.checkpoint(lambda x: x**2, x).backward(gg.ones(2)) or out.backward()


def test_a_function_without_tensors_among_its_arguments():
    layer = nn.Linear(2, 2)
    gg.checkpoint(lambda scale: layer(gg.ones((1, 2))) * scale, 3.0).sum().backward()
    np.testing.assert_allclose(layer.bias.grad.numpy(), 3.0)
