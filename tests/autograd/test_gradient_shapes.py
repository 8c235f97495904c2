"""A gradient has the shape, dtype and device of what it belongs to: the engine checks whatever it is given."""

import threading

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.autograd.op import op
from gpugrad.errors import GradientError


def leaf(*shape):
    return gg.tensor(np.arange(1.0, 1 + np.prod(shape)).reshape(shape), requires_grad=True)


class Returns(gg.Function):
    """2 x, with whatever `gradient` is as its gradient."""

    gradient = None

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @classmethod
    def backward(cls, ctx, g):
        return cls.gradient


@pytest.mark.parametrize(
    ("gradient", "words"),
    [
        (
            lambda: gg.tensor(1.0),
            r"Returns.backward, argument 0, returned a gradient of shape \(\).*expected shape \(3,\)",
        ),
        (lambda: gg.ones(4), r"shape \(4,\)"),
        (lambda: 1.0, "returned a float, expected a Tensor"),
        (lambda: np.ones(3), "returned a ndarray, expected a Tensor"),
        (lambda: gg.tensor([1, 2, 3]), "int64"),
    ],
)
def test_a_functions_gradient_is_checked(monkeypatch, gradient, words):
    monkeypatch.setattr(Returns, "gradient", gradient())
    with pytest.raises(GradientError, match=words):
        Returns.apply(leaf(3)).sum().backward()


def test_a_functions_gradient_gets_its_inputs_dtype(monkeypatch):
    monkeypatch.setattr(Returns, "gradient", gg.ones(3, dtype="float64"))
    x = leaf(3).detach().to("float32").requires_grad_()
    Returns.apply(x).sum().backward()
    assert x.grad.dtype == np.float32


@pytest.mark.parametrize(
    ("hook", "words"),
    [
        (lambda g: g[:1], r"the hook .*<lambda> of multiply.*shape \(1,\).*expected shape \(3,\)"),
        (lambda g: 2.0, "returned a float"),
        (lambda g: g > 0, "bool"),
    ],
)
def test_a_hooks_gradient_is_checked(hook, words):
    y = leaf(3) * 2
    y.register_hook(hook)
    with pytest.raises(GradientError, match=words):
        y.sum().backward()


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (lambda g: None, "its gradient rule for x returned None"),
        (lambda g: [g, g], "twice: its gradient rules returned list, expected arrays"),
        (lambda g: g[:1], r"gradient for input 0 has shape \(1,\), the input \(3,\)"),
        (lambda g: g.sum(), r"shape \(\), the input \(3,\)"),
        (lambda g: g.reshape(1, 3), r"shape \(1, 3\), the input \(3,\)"),
        (lambda g: g.repeat(2), r"shape \(6,\), the input \(3,\)"),
    ],
)
def test_a_rules_gradient_is_checked(own_ops, rule, words):
    @op
    def twice(x):
        """2 x."""
        return x * 2

    twice.vjp(x=rule)
    with pytest.raises(GradientError, match=words):
        twice(leaf(3)).sum().backward()


def test_only_what_was_broadcast_is_summed(own_ops):
    """A rule for an input of one element that gives many was summed as if it had been broadcast."""

    @op
    def widened(x):
        """x, three times."""
        return x.repeat(3)

    widened.vjp(x=lambda g: g)
    with pytest.raises(GradientError, match=r"shape \(3,\), the input \(1,\)"):
        widened(leaf(1)).sum().backward()

    @op
    def product(x, y):
        """x y."""
        return x * y

    product.vjp(x=lambda g, y: g * y, y=lambda g, x: g * x)
    x, y = leaf(2, 3), leaf(3)
    product(x, y).sum().backward()
    assert y.grad.tolist() == [5.0, 7.0, 9.0]


@pytest.mark.parametrize("make", [lambda x: x * x, lambda x: (x * gg.ones(3)).sum(), lambda x: gg.exp(x).sum()])
def test_the_gradient_of_one_number_is_an_array(make):
    """CLIP's logit_scale: NumPy's reductions give numbers, which cannot be changed in place."""
    x = gg.tensor(2.0, requires_grad=True)
    make(x).backward()
    make(x).backward()
    assert isinstance(x.grad._array, np.ndarray) and x.grad.shape == ()
    x.grad.mul_(0.5)
    (found,) = gg.grad(make(x), [x])
    assert isinstance(found._array, np.ndarray)


def test_threads_that_share_parameters_lose_no_gradient():
    x = gg.zeros(1000, requires_grad=True)

    def add():
        for _ in range(100):
            (x * 1.0).sum().backward()

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (x.grad.numpy() == 400).all()


def test_hooks_and_functions_are_given_arrays():
    """The gradient of a 0-d sum is a number in NumPy; whoever is given it may change it in place."""
    seen = []

    class Identity(gg.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            seen.append(g)
            return g

    x = gg.tensor(2.0, requires_grad=True)
    y = x * 1
    y.register_hook(lambda g: seen.append(g))
    (Identity.apply(y) * gg.ones(3)).sum().backward()
    assert len(seen) == 2 and all(isinstance(g._array, np.ndarray) for g in seen)
