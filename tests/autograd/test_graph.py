"""The graph: accumulation, order, memory, hooks, higher derivatives, and what happens when it cannot be done."""

import gc
import threading
import weakref

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.autograd import grad, hessian, hvp, jacobian, jvp, vjp
from gpugrad.errors import AnomalyError, GradientError, ShapeError


def leaf(*values, dtype=gg.float64):
    return gg.tensor(list(values), dtype=dtype, requires_grad=True)


def test_gradients_add_up_over_paths_and_over_calls():
    x = leaf(2.0, 3.0)
    (x * x + x).sum().backward()
    assert x.grad.tolist() == [5.0, 7.0]
    (x * 1.0).sum().backward()
    assert x.grad.tolist() == [6.0, 8.0]


def test_broadcasting_is_undone():
    x, y = gg.ones(3, 1, requires_grad=True), gg.ones(4, requires_grad=True)
    (x * y).sum().backward()
    assert x.grad.shape == (3, 1) and x.grad.tolist() == [[4.0]] * 3
    assert y.grad.tolist() == [3.0] * 4


def test_chain_of_100000_ops():
    x = leaf(1.0)
    y = x
    for _ in range(100_000):
        y = y + x
    y.backward()
    assert x.grad.item() == 100_001.0
    del y  # freeing the graph must not overflow the stack


def test_a_dropped_graph_is_freed_without_the_garbage_collector():
    gc.collect()
    gc.disable()
    try:
        x = leaf(1.0, 2.0)
        y = (x.exp() * x)[0]
        y.retain_grad()
        node, middle = weakref.ref(y.grad_fn), weakref.ref(y)
        z = y * 2
        z.backward()
        del y, z
        assert node() is None and middle() is None
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_second_backward_needs_retain_graph():
    x = leaf(1.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 4.0
    with pytest.raises(GradientError, match=r"multiply|sum.*freed.*retain_graph=True"):
        y.backward()


def test_unneeded_gradients_are_not_computed():
    x, y = leaf(2.0), leaf(3.0)
    (gx,) = grad((x * y).sum(), x)
    assert gx.item() == 3.0 and y.grad is None and x.grad is None


def test_unused_input():
    x, y = leaf(2.0), leaf(3.0)
    with pytest.raises(GradientError, match="input 1 .* not used"):
        grad(x * x, [x, y])
    assert grad(x * x, [x, y], allow_unused=True)[1] is None


def test_backward_on_a_non_scalar():
    with pytest.raises(GradientError, match=r"shape \(2,\)"):
        (leaf(1.0, 2.0) * 2).backward()
    with pytest.raises(ShapeError, match=r"\(3,\).*\(2,\)"):
        (leaf(1.0, 2.0) * 2).backward(gg.ones(3))


def test_backward_without_a_graph():
    with pytest.raises(GradientError, match="does not require a gradient"):
        gg.ones(1).backward()


def test_third_derivative():
    x = leaf(2.0)
    y = x**4
    for expected in (32.0, 48.0, 48.0, 24.0):
        (y,) = grad(y.sum(), x, create_graph=True)
        assert y.item() == pytest.approx(expected)


def test_gradient_of_an_intermediate():
    x = leaf(3.0)
    y = x * x
    (gy,) = grad((y * y).sum(), y)
    assert gy.item() == 18.0


def test_backward_with_inputs_leaves_others_alone():
    x, y = leaf(2.0), leaf(3.0)
    (x * y).sum().backward(inputs=[x])
    assert x.grad.item() == 3.0 and y.grad is None


def test_gradients_do_not_share_memory():
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    (x + y).backward(gg.ones(2, dtype=gg.float64))
    x.grad *= 10.0
    assert y.grad.tolist() == [1.0, 1.0]


def test_functional_derivatives_of_a_known_function():
    def f(x):
        return gg.stack([x[0] * x[1], x[0] ** 2 + x[1]])

    x = gg.tensor([2.0, 3.0], dtype=gg.float64)
    assert jacobian(f, x).tolist() == [[3.0, 2.0], [4.0, 1.0]]
    assert jvp(f, x, gg.tensor([1.0, 10.0]))[1].tolist() == [23.0, 14.0]
    assert vjp(f, x, gg.tensor([1.0, 10.0]))[1].tolist() == [43.0, 12.0]

    def scalar(x):
        return x[0] ** 2 * x[1]

    assert hessian(scalar, x).tolist() == [[6.0, 4.0], [4.0, 0.0]]
    assert hvp(scalar, x, gg.tensor([1.0, 1.0]))[1].tolist() == [10.0, 4.0]


def test_modes():
    x = leaf(1.0)
    with gg.no_grad():
        assert not (x * 2).requires_grad
        with gg.enable_grad():
            assert (x * 2).requires_grad
    with gg.inference_mode():
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad and not (x * 2).detach().requires_grad

    @gg.no_grad()
    def frozen(x):
        return x * 2

    assert not frozen(x).requires_grad


def test_modes_belong_to_a_thread():
    seen = []
    with gg.no_grad():
        thread = threading.Thread(target=lambda: seen.append(gg.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_hooks():
    x = leaf(1.0, 2.0)
    y = x * 3
    handle = y.register_hook(lambda g: g * 10)
    seen = []
    x.register_hook(lambda g: seen.append(g.tolist()))
    y.sum().backward()
    assert x.grad.tolist() == [30.0, 30.0] and seen == [[30.0, 30.0]]
    handle.remove()
    x.grad = None
    (x * 3).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_retain_grad():
    x = leaf(2.0)
    y = x * x
    y.retain_grad()
    (y * 5).sum().backward()
    assert y.grad.item() == 5.0


def test_detect_anomaly_names_the_op_and_the_line():
    x = leaf(0.0)
    y = gg.sqrt(x) * 0  # the line
    named = pytest.raises(AnomalyError, match=r"sqrt.*test_graph.py:\d+.*# the line")
    with gg.detect_anomaly(), np.errstate(all="ignore"), named:
        y.sum().backward()


class Cube(gg.Function):
    @staticmethod
    def forward(ctx, x):
        out = x * x * x
        ctx.save_for_backward(x, out)
        return out

    @staticmethod
    def backward(ctx, g):
        x, _ = ctx.saved_tensors
        return g * 3 * x * x


def test_function():
    x = leaf(2.0, -1.0)
    Cube.apply(x).sum().backward()
    assert x.grad.tolist() == [12.0, 3.0]
    (g,) = grad(Cube.apply(x).sum(), x, create_graph=True)
    assert grad(g.sum(), x)[0].tolist() == [12.0, -6.0]


class SinCos(gg.Function):
    @staticmethod
    def forward(ctx, x, scale):
        ctx.scale = scale
        s, c = gg.sin(x) * scale, gg.cos(x) * scale
        ctx.save_for_backward(s, c)
        return s, c

    @staticmethod
    def backward(ctx, gs, gc):
        s, c = ctx.saved_tensors
        return gs * c - gc * s, None


def test_function_with_two_outputs_and_saved_outputs():
    x = leaf(0.3)
    gc.collect()
    s, c = SinCos.apply(x, 2.0)
    (g,) = grad(s, x, create_graph=True)
    assert g.item() == pytest.approx(2 * np.cos(0.3))
    assert grad(g, x)[0].item() == pytest.approx(-2 * np.sin(0.3))
    (g,) = grad(SinCos.apply(x, 1.0)[1], x)
    assert g.item() == pytest.approx(-np.sin(0.3))


@pytest.mark.parametrize("create_graph", [False, True])
def test_checkpoint(create_graph):
    w, x = leaf(0.5, -0.2), leaf(1.0, 2.0)
    calls = []

    def stretch(a):
        calls.append(1)
        return gg.exp(a * w) * gg.rand(2, dtype=gg.float64)

    gg.manual_seed(3)
    plain = grad((stretch(x * 2) ** 2).sum(), [x, w])
    calls.clear()
    gg.manual_seed(3)
    out = (gg.checkpoint(stretch, x * 2) ** 2).sum()
    grads = grad(out, [x, w], create_graph=create_graph)
    assert len(calls) == 2  # once forward, once again in backward
    for a, b in zip(plain, grads, strict=True):
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=1e-12)


def test_split_outputs_and_unused_parts():
    x = gg.arange(6, dtype=gg.float64).requires_grad_()
    a, b, c = gg.split(x, 3)
    (a * 2 + c).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0, 0.0, 0.0, 1.0, 1.0]


def test_numpy_operands_in_both_orders():
    x = leaf(1.0, 2.0)
    n = np.array([3.0, 4.0])
    for out in (n * x, x * n, np.multiply(n, x)):
        assert isinstance(out, gg.Tensor) and out.requires_grad and out.tolist() == [3.0, 8.0]
    assert isinstance(np.exp(x), gg.Tensor)


def test_gradient_of_float32_stays_float32_and_of_bfloat16_bfloat16():
    for dtype in (gg.float32, gg.float16, gg.bfloat16):
        x = leaf(1.0, 2.0, dtype=dtype)
        (x * 2.5 + x.exp()).sum().backward()
        assert x.grad.dtype == dtype


def test_promotion_is_differentiable():
    x, y = leaf(1.5, dtype=gg.float32), leaf(2.0)
    out = x * y
    assert out.dtype == gg.float64
    out.sum().backward()
    assert x.grad.dtype == gg.float32 and x.grad.item() == 2.0
    assert (gg.tensor([1, 2], dtype=gg.int32) + gg.ones(2)).dtype == gg.float32


def test_deepcopy_and_requires_grad_rules():
    import copy

    x = leaf(1.0)
    twin = copy.deepcopy(x)
    assert twin.requires_grad and twin is not x and not np.shares_memory(twin._array, x._array)
    with pytest.raises(TypeError, match="int64"):
        gg.tensor([1, 2]).requires_grad_()
    with pytest.raises(GradientError, match="detach"):
        (x * 2).requires_grad_(False)
