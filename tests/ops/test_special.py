"""Special functions over their whole range: values as SciPy's, gradients as PyTorch's."""

import mpmath
import numpy as np
import pytest
import scipy.special
import torch

import gpugrad as gg
from gpugrad.errors import OptionError

inf, nan = np.inf, np.nan
WIDE = np.concatenate([np.linspace(-30, 30, 61) + 0.013, [-1e3, -1e-9, 1e-9, 1e3, inf, nan]])
POSITIVE = np.concatenate([np.geomspace(1e-6, 1e6, 49), [1.0, 2.0, 1 + 1e-9]])
FRACTIONS = np.concatenate([np.linspace(1e-3, 1 - 1e-3, 41), [1e-300, 1e-15, 1 - 1e-15]])
PAIRS = POSITIVE[:, None][6:-9:2], POSITIVE[6:-9:3]
CASES = {
    "gammaln": [np.linspace(-6.5, 20, 54), POSITIVE, np.array([0.0, -1.0, -2.0, inf, nan, 171.6, 1e300])],
    "digamma": [np.linspace(-6.51, 20, 54), POSITIVE, np.array([inf, nan])],
    "i0": [WIDE], "i0e": [WIDE], "i1": [WIDE], "i1e": [WIDE], "erfcx": [WIDE[10:]], "ndtr": [WIDE], "log_ndtr": [WIDE],
    "ndtri": [FRACTIONS, np.array([0.0, 1.0, -0.1, 1.1, nan])], "erfinv": [2 * FRACTIONS - 1],
    "entr": [POSITIVE, np.array([0.0, -1.0, nan])], "sinc": [WIDE[:-2]], "logit": [FRACTIONS], "expit": [WIDE],
    "xlogy": [PAIRS, (np.array([0.0, 0.0, 0.0, 1.0]), np.array([0.0, nan, 3.0, -1.0]))],
    "xlog1py": [PAIRS, (np.array([0.0, 0.0, 2.0]), np.array([-1.0, nan, 1e-12]))],
    "zeta": [(np.array([[1.5], [2.0], [7.3]]), POSITIVE[12:]), (np.array([1.0, 0.5]), np.array([2.0, 2.0]))],
    "gammainc": [(POSITIVE[:, None][18:34], POSITIVE[18:34]), (np.array([2.0, 2.0, 50.0]), np.array([0, inf, 400]))],
    "gammaincc": [(POSITIVE[:, None][18:34], POSITIVE[18:34])],
}  # fmt: skip
WITHOUT = {"zeta": (0,), "gammainc": (0,), "gammaincc": (0,)}  # inputs that no gradient flows to


@pytest.mark.parametrize("name", CASES)
def test_as_in_torch(name):
    for arrays in CASES[name]:
        arrays = arrays if isinstance(arrays, tuple) else (arrays,)
        flows = [i not in WITHOUT.get(name, ()) for i in range(len(arrays))]
        mine = [gg.tensor(a, requires_grad=flow) for a, flow in zip(arrays, flows, strict=True)]
        theirs = [torch.tensor(a, requires_grad=flow) for a, flow in zip(arrays, flows, strict=True)]
        with np.errstate(all="ignore"):
            got, expected = getattr(gg.special, name)(*mine), getattr(scipy.special, name, np.sinc)(*arrays)
            np.testing.assert_allclose(got.detach().numpy(), expected, rtol=5e-13, atol=1e-14)
            got.sum().backward()
        getattr(torch.special, name)(*theirs).sum().backward()
        for x, y in zip(mine, theirs, strict=True):
            if y.grad is not None:
                finite = np.isfinite(y.grad.numpy()) & (np.abs(y.detach().numpy()) > 1e-5)
                np.testing.assert_allclose(x.grad.numpy()[finite], y.grad.numpy()[finite], rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_polygamma(n):
    x = np.concatenate([POSITIVE[12:], np.linspace(-3.4, 0, 7)[:-1]])
    mine = gg.tensor(x, requires_grad=True)
    got = gg.polygamma(n, mine)
    slope = gg.grad(got.sum(), [mine])[0]
    for values, k in ((got.detach(), n), (slope, n + 1)):
        expected = [float(mpmath.psi(k, v)) for v in x]
        np.testing.assert_allclose(values.numpy(), expected, rtol=1e-12)
    with pytest.raises(OptionError, match="polygamma: n must be an integer of at least 0, got -1"):
        gg.polygamma(-1, mine)


def test_multivariate_gamma():
    x = np.array([[2.5, 3.0]])
    got = gg.mvlgamma(gg.tensor(x, requires_grad=True), 3)
    np.testing.assert_allclose(got.detach().numpy(), torch.mvlgamma(torch.tensor(x), 3).numpy(), rtol=1e-13)


def test_single_precision_is_rounded_once():
    x = np.linspace(-8, 8, 33, dtype=np.float32) + np.float32(0.1)
    for name in ("gammaln", "digamma", "i0e", "i1e", "log_ndtr", "erfcx"):
        function = getattr(gg.special, name)
        got, wide = function(gg.tensor(x)), function(gg.tensor(x.astype(np.float64)))
        assert got.dtype == gg.float32
        assert (got.numpy() == wide.numpy().astype(np.float32)).all(), name
