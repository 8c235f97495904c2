"""A layer of ours and PyTorch's with the same weights: made, run, and compared in values and gradients."""

import warnings

import numpy as np
import torch

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import GpugradError

S = (2, 4, 9)  # (N, C, L); images and volumes add axes
I2, I3 = (2, 4, 9, 8), (2, 4, 6, 5, 7)


def to_numpy(state):
    return {name: value.detach().cpu().numpy() for name, value in state.items()}


def twins(name, args, options):
    """Our layer and PyTorch's in float64, with our start values loaded into both."""
    ours = getattr(nn, name)(*args, **options).double()
    theirs = getattr(torch.nn, name)(*args, **options).double()
    theirs.load_state_dict({k: torch.tensor(v) for k, v in to_numpy(ours.state_dict()).items()})
    return ours, theirs


def close(ours, theirs, message="", rtol=1e-9):
    ours, theirs = ours.detach().numpy(), theirs.detach().numpy()
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=0.01 * rtol, err_msg=message)


def agree(ours, theirs, *arrays, call=lambda layer, *inputs: layer(*inputs), rtol=1e-9):
    """Compare output, input gradients, parameter gradients and buffers of one call on float arrays."""
    xs = [gg.tensor(a, requires_grad=True) for a in arrays]
    ys = [torch.tensor(a, requires_grad=True) for a in arrays]
    out, expected = call(ours, *xs), call(theirs, *ys)
    close(out, expected, "output", rtol)
    upstream = np.random.default_rng(1).standard_normal(out.shape)
    out.backward(gg.tensor(upstream))
    expected.backward(torch.tensor(upstream))
    for x, y in zip(xs, ys, strict=True):
        close(x.grad, y.grad, "input", rtol)
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        close(p.grad, q.grad, name, rtol)
    for (name, p), q in zip(ours.named_buffers(), theirs.buffers(), strict=True):
        close(p, q, name, rtol)


def agree_on_nothing(ours, theirs, shape):
    """Compare outputs, gradients and buffers for an empty batch; what PyTorch refuses we may refuse too."""
    shape, refused = (0, *shape[1:]), None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            want = _differentiated(torch, theirs, shape)
        except (RuntimeError, ValueError, IndexError) as error:
            refused = error
    try:
        got = _differentiated(gg, ours, shape)
    except GpugradError as error:
        assert refused, f"PyTorch takes it: {error}"
        return
    if refused:
        return
    for a, b in zip(got, want, strict=True):
        b = np.zeros(a.shape) if b is None else b.detach().numpy()
        assert a.shape == b.shape
        np.testing.assert_array_equal(a.detach().numpy(), b)
    for a, b in zip(ours.buffers(), theirs.buffers(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def _differentiated(lib, layer, shape):
    """The output for zeros, and the gradients of the input and the parameters."""
    x = lib.tensor(np.zeros(shape), requires_grad=True)
    out = layer(x)
    out.sum().backward()
    return [out, x.grad, *(p.grad for p in layer.parameters())]
