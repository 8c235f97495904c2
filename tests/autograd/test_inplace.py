"""In-place changes and views: the values and gradients that PyTorch gives, and errors where one would be wrong."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.errors import InplaceError

torch = pytest.importorskip("torch")


def programs():
    """Programs that change tensors in place; each runs in both libraries on x (4,) and w (2,) and returns a tensor."""

    def augmented(x, w, lib):
        y = x * 2
        y += x
        y *= x
        y -= 1.5
        y /= x * x + 1
        return y

    def setitem(x, w, lib):
        y = x * 1
        y[1] = w[0]
        y[2:] = w * 3
        return y * y

    def setitem_on_a_constant(x, w, lib):
        y = lib.zeros(4, dtype=lib.float64)
        y[1:3] = w
        return y * x

    def through_a_view(x, w, lib):
        y = x * 1
        view = y[1:3]
        view *= w
        return y * y

    def view_of_a_view(x, w, lib):
        y = (x * 1).reshape(2, 2)
        row = y[1]
        row[0] = w[1]
        return y.reshape(4) * x

    def base_changed_then_view_used(x, w, lib):
        y = x * 1
        view = y[:2]
        y *= 3
        return view * w

    def both_changed(x, w, lib):
        y = x * 1
        first, last = y[:2], y[2:]
        first += w
        y *= 2
        last *= w
        return y * y + 0 * first.sum()

    def index_statement(x, w, lib):
        y = x * 1
        y[0] += w[0]
        y[3] *= w[1]
        return y * y

    def methods(x, w, lib):
        y = x * 1
        y.mul_(2).add_(1)
        y[:2].copy_(w)
        y[3:].zero_()
        return y.exp_()

    def boolean_mask(x, w, lib):
        y = x * 1
        y[y > 0] = 0.5
        return y * x

    def transposed_view(x, w, lib):
        y = (x * 1).reshape(2, 2)
        t = y.T
        t[0] = w
        return y.reshape(4) * x

    return [f for f in locals().values() if callable(f)]


@pytest.mark.parametrize("program", programs(), ids=lambda f: f.__name__)
def test_same_as_pytorch(program):
    x, w = np.array([0.5, -1.0, 2.0, 1.5]), np.array([3.0, -0.7])
    results = []
    for lib in (gg, torch):
        a, b = lib.tensor(x, requires_grad=True), lib.tensor(w, requires_grad=True)
        out = program(a, b, lib)
        out.sum().backward()
        results.append([out.detach(), a.grad, b.grad])
    for ours, theirs in zip(*results, strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-12)


def test_stale_saved_tensor_names_op_and_both_lines():
    x = gg.ones(3, requires_grad=True)
    y = x * 2
    z = y * y  # made here
    y += 1  # changed here
    with pytest.raises(InplaceError, match=r"(?s)multiply.*\(3,\).*# made here.*\+=.*# changed here"):
        z.sum().backward()


def test_stale_through_a_view_and_through_data():
    x = gg.ones(3, requires_grad=True)
    y = x * 2
    z = y.exp() * y
    y[1:][0] = 5.0
    with pytest.raises(InplaceError, match="setitem"):
        z.sum().backward()
    y = x * 2
    z = y * y
    y.detach().mul_(3)
    with pytest.raises(InplaceError):
        z.sum().backward()


def test_change_after_the_last_use_is_no_error():
    x = gg.ones(3, requires_grad=True)
    y = x * 2
    y += 1
    (y * y).sum().backward()
    assert x.grad.tolist() == [12.0] * 3


def test_leaf():
    x = gg.ones(3, requires_grad=True)
    with pytest.raises(InplaceError, match="leaf.*no_grad"):
        x += 1
    with pytest.raises(InplaceError, match="view of a leaf"):
        x[0:2].mul_(2)
    with gg.no_grad():
        x += 1
        x[0] = 7.0
    assert x.tolist() == [7.0, 2.0, 2.0] and x.is_leaf


def test_shape_and_dtype_must_fit():
    x = gg.ones(3)
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(3,\)"):
        x += gg.ones(2, 3)
    n = gg.arange(3)
    with pytest.raises(TypeError, match="float32.*int64"):
        n += 0.5
    with pytest.raises(ValueError, match="setitem"):
        x[:2] = gg.ones(3)


def test_inplace_keeps_memory():
    x = gg.ones(3)
    alias = x.numpy()
    x *= 4
    assert alias.tolist() == [4.0, 4.0, 4.0]
