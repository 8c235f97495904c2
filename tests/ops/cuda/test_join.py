"""Arrays joined on cuda against NumPy: widths, dtypes, axes, addresses."""

import numpy as np
import pytest
from accuracy import host

import gpugrad as gg
from gpugrad.ops.join import concatenate

DTYPES = ["float64", "float32", "float16", "bfloat16", "int64", "int8", "bool"]


def draw(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 2 if shape else 1, shape) * 1.0 + np.arange(shape[-1]) % 3


def check(device, arrays, axis, dtype="float32", offset=0):
    given = []
    for a in arrays:
        flat = gg.tensor(np.concatenate([np.zeros(offset), a.ravel()]), device=device, dtype=dtype)
        given.append(flat[offset:].reshape(a.shape))
    before = concatenate.paths["cuda"].runs
    made = concatenate(given, axis=axis)
    assert concatenate.paths["cuda"].runs == before + 1
    want = np.concatenate([host(g) for g in given], axis=axis)
    np.testing.assert_array_equal(host(made), want)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_and_addresses(cuda, dtype):
    for width in (1, 2, 3, 4, 8, 16, 33):
        for offset in (0, 1):
            check(cuda, [draw(3, width, seed=1), draw(3, 2 * width, seed=2)], 1, dtype, offset)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_axes(cuda, axis):
    shapes = [[2, 3, 4], [2, 3, 4], [2, 3, 4]]
    for i, shape in enumerate(shapes):
        shape[axis] = i * 5  # the first is empty
    check(cuda, [np.ones(shapes[0]), *(draw(*shape, seed=i) for i, shape in enumerate(shapes[1:]))], axis)


def test_many_and_large(cuda, way):
    check(cuda, [draw(2, n + 1, seed=n) for n in range(32)], 1)
    check(cuda, [draw(700, 3, seed=1), draw(700, 4, seed=2), draw(700, 1, seed=3)], 1)


def test_gradients_are_pieces_of_one(cuda):
    x = gg.tensor(np.arange(24.0).reshape(2, 12), device=cuda, dtype="bfloat16").requires_grad_()
    q, k, v = x.split(4, dim=1)
    with gg.cuda.launches() as ran:
        (q * 1 + k * 2 + v * 3).sum().backward()
    assert ran.kernels["concatenate<unsigned long long>"] == 1
    assert not ran.arrays, ran
    assert x.grad.tolist() == [[1.0] * 4 + [2.0] * 4 + [3.0] * 4] * 2
