"""Functions as JAX's, against JAX's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gpugrad as gg
from gpugrad.export import as_jax

x = jnp.array(np.random.default_rng(0).standard_normal((2, 3)), "float32")
softmax = gg.softmax.as_jax()


def ours(t):
    return (softmax(t, axis=-1) ** 2).sum()


def theirs(t):
    return (jax.nn.softmax(t) ** 2).sum()


@pytest.mark.parametrize(
    "change",
    [
        jax.grad,
        lambda f: jax.jit(jax.grad(f)),
        lambda f: jax.jacrev(jax.grad(f)),  # a batch of second derivatives
        lambda f: jax.vmap(jax.grad(f)),
    ],
    ids=["grad", "jit", "hessian", "vmap"],
)
def test_it_is_differentiated_compiled_and_mapped(change):
    np.testing.assert_allclose(change(ours)(x), change(theirs)(x), atol=2e-7)


def test_several_inputs_and_outputs_integers_among_them():
    both = as_jax(lambda tensors, index: (gg.concatenate(tensors), tensors[0][index]))
    index = jnp.array([1, 1])

    def sums(a, b, concatenate, take):
        joined, taken = concatenate(a, b), take(a)
        return (joined**2).sum() + taken.sum()

    found = jax.grad(lambda a, b: sums(a, b, lambda a, b: both([a, b], index)[0], lambda a: both([a, a], index)[1]),
                     (0, 1))(x, 2 * x)  # fmt: skip
    expected = jax.grad(lambda a, b: sums(a, b, lambda a, b: jnp.concatenate([a, b]), lambda a: a[index]), (0, 1))(
        x, 2 * x
    )
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    assert gg.argmax.as_jax()(x, axis=1).tolist() == jnp.argmax(x, axis=1).tolist()


def test_shapes_are_tried_once():
    calls = []
    double = as_jax(lambda t, factor: calls.append(1) or t * factor)
    for _ in range(3):
        assert double(x, factor=2.0).shape == (2, 3)
    assert len(calls) == 4  # one trial and three calls
    assert double(x, factor=np.float32([1, 2, 3])).shape == (2, 3)  # an argument that cannot be a key
