"""Functions of several ops on 16-bit floats: computed in float32 and rounded once, as NumPy in float64 says."""

import math

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import GpugradError
from gpugrad.nn import functional as F

torch = pytest.importorskip("torch")


def half(values):
    return gg.tensor(values, dtype=gg.float16)


LARGE = [[300.0, -400.0]]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: F.lp_pool1d(x[None], 2, 2), [[[500.0]]]),
        (lambda x: F.lp_pool2d(x[None, None], 2, (1, 2)), [[[[500.0]]]]),
        (lambda x: F.avg_pool1d(abs(x[None]) * 150, 2), [[[52500.0]]]),
        (lambda x: F.normalize(x * 150), [[0.6, -0.8]]),
        (lambda x: F.normalize(x * 0), [[0.0, 0.0]]),
        (lambda x: F.cosine_similarity(x, x * 10), [1.0]),
        (lambda x: F.cosine_similarity(x * 0, x), [0.0]),
        (lambda x: F.pairwise_distance(x, x * 0), [500.0]),
        (lambda x: F.pdist(gg.concatenate([x, x * 0])), [500.0]),
        (lambda x: F.mse_loss(gg.concatenate([x, x * 0, x * 0]), gg.zeros((3, 2), dtype=gg.float16)), 125000 / 3),
        (lambda x: F.huber_loss(x, x * 0, delta=500.0), 62500.0),
        (lambda x: F.cosine_embedding_loss(x, x, half([1.0])), 0.0),
        (lambda x: F.gaussian_nll_loss(x, x * 0, x * 0 + 100), 625 + math.log(100) / 2),
        (lambda x: F.local_response_norm(x[None], 2, alpha=2.0, beta=1.0), [[[300 / 90001, -400 / 160001]]]),
        (lambda x: nn.utils.get_total_norm([x]), 500.0),
        (lambda x: nn.utils.weight_norm(_layer(x)).weight_g, [[500.0]]),
        (lambda x: F.embedding(gg.tensor([0]), x * 150, max_norm=1.0), [[0.6, -0.8]]),
        (lambda x: gg.nan_to_num(x * math.inf), [[65504.0, -65504.0]]),
    ],
)  # fmt: skip
def test_nothing_overflows_on_the_way(function, expected):
    x = half(LARGE)
    out = function(x)
    np.testing.assert_allclose(out.detach().numpy().astype("d"), expected, rtol=2e-3, atol=1e-6)


def _layer(weight):
    layer = nn.Linear(2, 1, dtype=gg.float16)
    with gg.no_grad():
        layer.weight.copy_(weight)
    return layer


def test_results_and_gradients_have_the_dtype_of_the_inputs():
    x = half(LARGE).requires_grad_()
    loss = F.mse_loss(x / 4, gg.zeros((1, 2), dtype=gg.float16), reduction="sum")
    assert loss.dtype == gg.float16
    near = F.normalize(x)
    near.sum().backward()
    assert near.dtype == x.grad.dtype == gg.float16
    tx = torch.tensor(LARGE, dtype=torch.float64, requires_grad=True)
    torch.nn.functional.normalize(tx).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), tx.grad.numpy(), atol=1e-5)
    assert F.mse_loss(half(LARGE), gg.zeros((1, 2))).dtype == gg.float32


@pytest.mark.parametrize("ord", [math.inf, -math.inf])
@pytest.mark.parametrize("ceil_mode", [False, True])
def test_lp_pool_with_an_infinite_norm_is_the_largest_or_least_absolute_value(ord, ceil_mode):
    values = np.random.default_rng(0).standard_normal((2, 3, 7, 6)).astype("f")
    x = gg.tensor(values, requires_grad=True)
    out = F.lp_pool2d(x, ord, 3, 2, ceil_mode)
    expected = torch.nn.functional.lp_pool2d(torch.tensor(values), ord, 3, 2, ceil_mode)
    if not ceil_mode:
        np.testing.assert_array_equal(out.detach().numpy(), expected.numpy())
    pooled = torch.nn.functional.max_pool2d(torch.tensor(np.copysign(1, ord) * np.abs(values)), 3, 2, 0, 1, ceil_mode)
    np.testing.assert_array_equal(out.detach().numpy(), np.copysign(1, ord) * pooled.numpy())
    out.sum().backward()
    assert np.abs(x.grad.numpy()).sum() == np.prod(out.shape)
    with pytest.raises(GpugradError, match="norm_type"):
        F.lp_pool2d(x, 0, 2)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_nan_to_num_gives_the_largest_numbers_of_the_dtype(dtype):
    values = [math.inf, -math.inf, math.nan, 1.5]
    got = gg.nan_to_num(gg.tensor(values, dtype=getattr(gg, dtype)))
    expected = torch.nan_to_num(torch.tensor(values, dtype=getattr(torch, dtype)))
    np.testing.assert_array_equal(got.numpy().astype("d"), expected.double().numpy())


@pytest.mark.parametrize("ord", [2.0, 1.0, 3.0, 0.0, math.inf, -math.inf])
def test_the_total_norm_passes_over_empty_gradients(ord):
    arrays = [np.array([3.0, -4.0], "f"), np.zeros((0, 2), "f"), np.array([12.0], "f")]
    got = nn.utils.get_total_norm([gg.tensor(a) for a in arrays], ord)
    expected = np.linalg.norm([np.linalg.norm(a, ord) for a in arrays if a.size], ord)
    np.testing.assert_allclose(got.item(), expected, rtol=1e-6)


def test_several_results_are_rounded_each():
    x = half(np.arange(64).reshape(1, 1, 4, 4, 4))
    values, indices = F.adaptive_max_pool3d(x, 2, return_indices=True)
    assert values.dtype == gg.float16 and indices.dtype == gg.int64
    assert values.flatten().tolist() == [21, 23, 29, 31, 53, 55, 61, 63]
