"""Running one call in gpugrad and in PyTorch, and comparing values and gradients."""

import numpy as np
import pytest

import gpugrad as gg

torch = pytest.importorskip("torch")
RTOL = {"float64": 1e-9, "float32": 2e-4}


def arrays(value):
    """`value`, with arrays inside lists and tuples found too."""
    if isinstance(value, (list, tuple)):
        return [a for v in value for a in arrays(v)]
    return [value] if hasattr(value, "detach") else []


def build(lib, value, dtype, leaves):
    """`value` with NumPy arrays as tensors of `lib`: floats of `dtype` that require gradients, the rest as it is."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "f":
            made = lib.tensor(value.astype(dtype), requires_grad=True)
            leaves.append(made)
            return made
        return lib.tensor(value)
    return type(value)(build(lib, v, dtype, leaves) for v in value) if isinstance(value, (list, tuple)) else value


def run(lib, function, args, kwargs, dtype):
    """Outputs and gradients of the inputs, for an upstream gradient that depends on shapes alone."""
    leaves: list = []
    args = [build(lib, a, dtype, leaves) for a in args]
    kwargs = {k: build(lib, v, dtype, leaves) if isinstance(v, np.ndarray) else v for k, v in kwargs.items()}
    out = function(*args, **kwargs)
    live = [o for o in arrays(out) if o.requires_grad]
    rng = np.random.default_rng(5)
    upstream = [lib.tensor(np.asarray(rng.standard_normal(tuple(o.shape)), dtype)) for o in live]
    if live:
        lib.autograd.backward(live, upstream)
    values = [o.detach().numpy() for o in arrays(out)]
    return values, [np.zeros(0) if x.grad is None else x.grad.detach().numpy() for x in leaves]


def compare(ours, theirs, args, kwargs=None, dtype="float64", rtol=None, theirs_kwargs=None):
    """Assert that both give the same values and gradients."""
    kwargs = kwargs or {}
    got = run(gg, ours, args, kwargs, dtype)
    want = run(torch, theirs, args, kwargs if theirs_kwargs is None else theirs_kwargs, dtype)
    rtol = rtol or RTOL[dtype]
    for what, a, b in [("output", *p) for p in zip(got[0], want[0], strict=True)] + [
        ("gradient", *p) for p in zip(got[1], want[1], strict=True)
    ]:
        assert a.shape == b.shape, f"{what}: {a.shape} is not {b.shape}"
        assert a.dtype == b.dtype, f"{what}: {a.dtype} is not {b.dtype}"
        scale = np.abs(b[np.isfinite(b)]).max(initial=0)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * max(scale, 1e-3), err_msg=what)
