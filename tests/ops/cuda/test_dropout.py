"""Dropout's kernel: the bits of its mask, the same on every device, in the backward and wherever it is computed."""

import numpy as np
import pytest
from accuracy import host, shifted

import gpugrad as gg
import gpugrad.nn.functional as F
from gpugrad.autograd.op import OPS
from gpugrad.backend.philox import words


def philox(counter, key):
    """Philox4x32-10 of one counter, in Python's integers (Salmon et al. 2011, figure 2)."""
    c, k = [counter & 0xFFFFFFFF, counter >> 32, 0, 0], [key & 0xFFFFFFFF, key >> 32]
    for _ in range(10):
        p0, p1 = c[0] * 0xD2511F53, c[2] * 0xCD9E8D57
        c = [p1 >> 32 ^ c[1] ^ k[0], p1 & 0xFFFFFFFF, p0 >> 32 ^ c[3] ^ k[1], p0 & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def test_the_published_answer():
    """Random123's known answer for counter and key 0."""
    assert words(np, 4, 0).tolist() == philox(0, 0) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


def test_masks_are_the_same_words_everywhere(device, way):
    seed = 2**63 - 5
    drawn = np.array([w for c in range(520) for w in philox(c, seed)])
    for n in (1, 3, 4, 5, 7, 8, 9, 255, 1024, 2047, 2048, 2049):
        for dtype in ("float32", "float64", "float16"):
            x = gg.ones(n, device=device, dtype=dtype)
            kept = host(OPS["seeded_dropout"](x, p=0.3, seed=seed)) != 0
            np.testing.assert_array_equal(kept, (drawn[:n] >> 8) * 2.0**-24 >= 0.3)


def test_odd_addresses_and_layouts(cuda, way):
    x = np.random.default_rng(0).standard_normal(1001)
    for offset in (0, 1, 2, 3):
        a = OPS["seeded_dropout"](shifted(x, cuda, "float32", offset), p=0.5, seed=3)
        b = OPS["seeded_dropout"](gg.tensor(x, dtype="float32"), p=0.5, seed=3)
        np.testing.assert_array_equal(host(a), host(b))
    x = gg.tensor(x[:1000].reshape(10, 100), dtype="float32")
    np.testing.assert_array_equal(
        host(OPS["seeded_dropout"](x.T.to(device=cuda).T.T, p=0.5, seed=3)),
        host(OPS["seeded_dropout"](x.T, p=0.5, seed=3)),
    )


@pytest.mark.parametrize("share", [1, 7, 16])
def test_the_backward_draws_the_same_mask(cuda, share):
    x = gg.ones(3, 5, 112, device=cuda, requires_grad=True)
    before = OPS["seeded_dropout"].paths["cuda"].runs
    out = OPS["seeded_dropout"](x, p=0.4, seed=11, share=share)
    out.backward(gg.ones(3, 5, 112, device=cuda))
    assert OPS["seeded_dropout"].paths["cuda"].runs == before + 1
    np.testing.assert_array_equal(host(x.grad), host(out))
    rows = host(out).reshape(-1, share)
    assert (rows == rows[:, :1]).all() and set(np.unique(rows)) == {0.0, np.float32(1 / 0.6)}


def test_layers_draw_from_the_default_generator(device):
    x = gg.ones(64, 50, device=device)
    gg.manual_seed(5)
    a, b = F.dropout(x, 0.5), F.dropout(x, 0.5)
    gg.manual_seed(5)
    np.testing.assert_array_equal(host(F.dropout(x, 0.5)), host(a))
    assert (host(a) != host(b)).any() and 0.45 < (host(a) != 0).mean() < 0.55
    assert host(F.dropout(x, 1.0)).sum() == 0 and F.dropout(x, 0.5, training=False) is x
    y = gg.ones(4, 8, 3, 5, device=device)
    channels = host(F.dropout2d(y, 0.5)).reshape(32, 15)
    assert (channels == channels[:, :1]).all() and 0 < (channels[:, 0] != 0).sum() < 32
    z = gg.ones(7, device=device)
    assert F.dropout(z, 0.5, inplace=True) is z and set(host(z)) <= {0.0, 2.0}


def test_nothing_is_kept_for_the_backward(cuda):
    x = gg.ones(100, device=cuda, requires_grad=True)
    saved = F.dropout(x, 0.5)._node.saved
    assert not any(hasattr(value, "dtype") for value in saved.values())
