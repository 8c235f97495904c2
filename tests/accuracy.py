"""How the kernels' tests run an op and judge its error: PyTorch's own error, in the same dtype, is the measure."""

import numpy as np
import pytest

import gpugrad as gg

torch = pytest.importorskip("torch")
DTYPES = {"float64": torch.float64, "float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
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


def theirs(function, x, g, dtype):
    """Output and gradient of PyTorch's function, computed in `dtype`, as float64 arrays."""
    x = torch.tensor(x).to(DTYPES[dtype]).requires_grad_()
    out = function(x)
    out.backward(torch.tensor(g).to(out.dtype))
    return out.detach().double().numpy(), x.grad.double().numpy()


def judge(got, same, exact, dtype, g):
    """Assert that `got` is at most twice as far from `exact` as PyTorch's `same` is, but for a unit in the last place.

    It is that of the largest value; gradients are differences of numbers as large as the upstream gradient `g`. `exact`
    is PyTorch's in float64, and has an error of its own where that is the dtype.
    """
    floor = EPS[dtype] * (16 if dtype == "float64" else 1)
    least = (0.0, np.abs(g[np.isfinite(g)]).max(initial=0))
    for name, a, b, e, scale in zip(("output", "gradient"), got, same, exact, least, strict=True):
        assert a.shape == e.shape, name
        np.testing.assert_array_equal(np.isnan(a), np.isnan(e), err_msg=name)
        known = np.isfinite(e)
        np.testing.assert_array_equal(a[~known], e[~known], err_msg=name)
        if known.any():
            scale = max(scale, np.abs(e[known]).max())
            allowed = 2 * np.abs(b[known] - e[known]).max() + floor * scale
            assert np.abs(a[known] - e[known]).max() <= allowed, f"{name} of {e.shape} in {dtype}"
