"""How the kernels' tests run an op and judge its error: by the dtype's precision and a reference in float64.

No tolerance comes from another library's error in the same dtype: that is another one on every CPU.
"""

import numpy as np
import pytest

import gpugrad as gg

torch = pytest.importorskip("torch")
DTYPES = {"float64": torch.float64, "float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
# What an op may err by, in units in the last place of the largest value. A float32 kernel makes a handful of roundings,
# and calls functions that err by up to two units; 16-bit ones compute in float32 and round what they keep and what they
# return; in float64 the reference has an error of its own.
UNITS = {"float64": 64, "float32": 8, "float16": 2, "bfloat16": 2}
EPS = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}


def rounded(array, dtype):
    """float64 values that `dtype` holds exactly."""
    return torch.tensor(array).to(DTYPES[dtype]).double().numpy()


def ours(op, device, x, g, dtype, *rest, offset=0, **attributes):
    """Output and gradient of op(x, *rest), in float64 on the host; its path for cuda must be the one that ran.

    offset: how many elements after the beginning of their memory x and g lie (g one more).
    """
    before = op.paths["cuda"].runs
    x, g = shifted(x, device, dtype, offset), shifted(g, device, dtype, offset and offset + 1)
    x.requires_grad_()
    out = op(x, *rest, **attributes)
    out.backward(g)
    if device.type == "cuda":
        assert op.paths["cuda"].runs == before + 1
    assert out.dtype.name == x.grad.dtype.name == dtype
    return host(out), host(x.grad)


def shifted(array, device, dtype, offset):
    """`array` as a contiguous tensor whose memory begins `offset` elements late."""
    flat = gg.tensor(np.concatenate([np.full(offset, np.nan), np.ravel(array)]), device=device, dtype=dtype)
    return flat[offset:].reshape(np.shape(array)).detach()


def host(tensor):
    """Values in float64 on the host."""
    return tensor.detach().to(dtype="float64").cpu().numpy()


def theirs(function, x, g):
    """Output and gradient of PyTorch's function, computed in float64."""
    x = torch.tensor(x).requires_grad_()
    out = function(x)
    out.backward(torch.tensor(g))
    return out.detach().numpy(), x.grad.numpy()


def near(got, exact, dtype, scale=0.0, name=""):
    """Assert that `got` is at most as far from `exact` as UNITS[dtype] allow for values as large as `scale` or `exact`.

    What the dtype has no finite number for must be that infinity, and NaNs must be in the same places.
    """
    largest = torch.finfo(DTYPES[dtype]).max
    exact = np.where(np.abs(exact) > largest, np.copysign(np.inf, exact), exact)
    assert got.shape == exact.shape, name
    np.testing.assert_array_equal(np.isnan(got), np.isnan(exact), err_msg=name)
    known = np.isfinite(exact)
    np.testing.assert_array_equal(got[~known], exact[~known], err_msg=name)
    if known.any():
        error, scale = np.abs(got[known] - exact[known]).max(), max(scale, np.abs(exact[known]).max())
        allowed = UNITS[dtype] * EPS[dtype] * scale
        assert error <= allowed, f"{name} of {exact.shape} in {dtype}: error {error:.3g}, allowed {allowed:.3g}"


def typically_near(got, exact, dtype, name=""):
    """Assert that the root mean square of the error is at most half of what `near` allows the largest one."""
    error, scale = (np.sqrt(np.mean(a**2)) for a in (got - exact, exact))
    allowed = UNITS[dtype] / 2 * EPS[dtype] * scale
    assert error <= allowed, f"{name} of {exact.shape} in {dtype}: error {error:.3g}, allowed {allowed:.3g}"


def judge(got, exact, dtype, g):
    """Assert that output and gradient are `near` the exact ones.

    Gradients are differences of numbers as large as the upstream gradient `g`.
    """
    near(got[0], exact[0], dtype, name="output")
    near(got[1], exact[1], dtype, np.abs(g[np.isfinite(g)]).max(initial=0), name="gradient")
