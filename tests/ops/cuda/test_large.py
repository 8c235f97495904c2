"""Arrays of more than 2^31 elements and grids beyond 65,535 blocks: only on a GPU with room for them."""

import numpy as np
import pytest

import gpugrad as gg

ROWS, COLUMNS = 66_000, 32_768  # just above 2^31 elements


@pytest.fixture(scope="module")
def gpu():
    if gg.cuda.is_emulated() or not gg.cuda.is_available():
        pytest.skip("needs a GPU")
    device = gg.device("cuda")
    if gg.cuda.memory_stats(device).limit < 40 << 30:
        pytest.skip("needs 40 GiB of GPU memory")
    yield device
    gg.cuda.empty_cache()


@pytest.fixture
def large(gpu):
    """float16 (ROWS, COLUMNS): a row counts 0, 1, ..., 6 over and over, and ends with its number mod 5."""
    x = (gg.arange(COLUMNS, device=gpu) % 7).to(dtype="float16").broadcast_to((ROWS, COLUMNS)).contiguous()
    x[:, -1] = (gg.arange(ROWS, device=gpu) % 5).to(dtype="float16")
    return x


def last_rows(tensor):
    return tensor[-3:].to(dtype="float32").cpu().numpy()


@pytest.mark.parametrize("name", ["softmax", "exp", "layer_norm", "relu"])
def test_rows_beyond_two_to_the_31(large, name):
    f = {
        "softmax": lambda x: gg.softmax(x, axis=-1),
        "exp": lambda x: gg.exp(-x),
        "layer_norm": lambda x: gg.nn.functional.layer_norm(x, (COLUMNS,)),
        "relu": gg.relu,
    }[name]
    with gg.no_grad():
        got = last_rows(f(large))
        expected = f(large[-3:].to(dtype="float32").cpu()).numpy()
    np.testing.assert_allclose(got, expected, rtol=2e-3, atol=2e-3)


def test_gradient_beyond_two_to_the_31(large):
    large.requires_grad_()
    gg.softmax(large, axis=-1)[-3:].sum().backward()
    assert large.grad.shape == (ROWS, COLUMNS)
    assert abs(large.grad[-3:].to(dtype="float32")).max().item() < 1e-4


def test_reductions_beyond_two_to_the_31(large):
    with gg.no_grad():
        sums = large.sum(axis=1, dtype="float32")[-3:].cpu().numpy()
        columns = large.max(axis=0)[:9].to(dtype="float32").cpu().tolist()
    full = np.arange(COLUMNS) % 7
    np.testing.assert_allclose(sums, full[:-1].sum() + (np.arange(ROWS)[-3:] % 5), rtol=1e-3)
    assert columns == [0, 1, 2, 3, 4, 5, 6, 0, 1]


def test_more_heads_than_a_grid_has_rows(gpu):
    q = gg.randn(65_538, 1, 4, 16, device=gpu, dtype="float16")
    out = gg.nn.functional.scaled_dot_product_attention(q, q, q, is_causal=True)
    np.testing.assert_allclose(last_rows(out)[:, :, 0], last_rows(q)[:, :, 0], atol=1e-3)
