"""Casts on cuda, of one array and of many in one launch, against NumPy."""

import numpy as np
import pytest
from accuracy import DTYPES, host

import gpugrad as gg
from gpugrad.backend.cuda import tensors
from gpugrad.backend.dtypes import as_dtype
from gpugrad.ops.moving import astype, cast_all

SIZES = [0, 1, 7, 8, 129, 8192, 8193, 20000]


def values(n, seed=0):
    made = np.random.default_rng(seed).standard_normal(n) * 100
    made[: min(n, 3)] = [np.nan, np.inf, 1e-8][: min(n, 3)]
    return made


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.parametrize("to", DTYPES)
@pytest.mark.parametrize("given", DTYPES)
def test_casts_are_numpys(cuda, given, to):
    arrays = [values(n, n).astype(as_dtype(given)) for n in SIZES]
    many = cast_all([gg.tensor(a, device=cuda) for a in arrays], dtype=to)
    for a, made in zip(arrays, many, strict=True):
        want = a.astype(as_dtype(to)).astype(np.float64)
        np.testing.assert_array_equal(host(made), want)
        np.testing.assert_array_equal(host(astype(gg.tensor(a, device=cuda), dtype=to)), want)
        assert made.dtype == as_dtype(to)


def test_every_way_to_run_them(cuda, way):
    x = gg.tensor(values(9000), device=cuda, dtype="float32")
    parts = [x, x[1:], x[:5], x.reshape(90, 100).T]
    for part, made in zip(parts, cast_all(parts, dtype="bfloat16"), strict=True):
        np.testing.assert_array_equal(host(made), host(part.cpu().to(dtype="bfloat16")))


def test_memory_order_stays(cuda):
    x = gg.ones(2, 3, 4, 5, device=cuda).transpose(0, 2, 3, 1)
    for made in (astype(x, dtype="float16"), cast_all([x], dtype="float16")[0]):
        assert made._array.transpose(0, 3, 1, 2).flags.c_contiguous


def test_more_tensors_than_one_launch_takes(cuda):
    x = gg.tensor(np.arange(1000), device=cuda, dtype="float32")
    parts = [x[i : i + 1 + i % 3] for i in range(2 * tensors.TENSORS + 3)]
    with gg.cuda.launches() as ran:
        made = cast_all(parts, dtype="float64")
    assert ran.kernels == {"cast_all<double, float>": 3}
    assert all((host(m) == host(p)).all() for m, p in zip(made, parts, strict=True))


def test_gradients_come_back_in_their_dtype(cuda):
    x, y = (gg.ones(3, device=cuda, dtype=d).requires_grad_() for d in ("float32", "float64"))
    a, b = cast_all([x, y], dtype="float16")
    (a * 2 + b * 3).sum().backward()
    assert (x.grad.dtype, y.grad.dtype) == (gg.float32, gg.float64)
    assert x.grad.tolist() == [2, 2, 2] and y.grad.tolist() == [3, 3, 3]
