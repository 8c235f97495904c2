"""gradcheck and gradgradcheck: they pass what is right, and name what is wrong."""

import numpy as np
import pytest

import gpugrad
from gpugrad.autograd import gradcheck, gradgradcheck
from gpugrad.errors import DTypeError, GradcheckError, GradientError

RNG = np.random.default_rng(0)
BOTH = pytest.mark.parametrize("fast", [False, True])


def leaf(*shape, dtype=np.float64):
    return gpugrad.tensor(RNG.standard_normal(shape).astype(dtype), requires_grad=True)


class Cube(gpugrad.Function):
    """x ** 3 with a gradient that is wrong in one element."""

    off = 0.01

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        wrong = np.zeros(x.shape)
        wrong[-1] = Cube.off
        return g * (3 * x * x + gpugrad.tensor(wrong))


@BOTH
def test_right_gradients_pass(fast):
    def f(x, y):
        return x * y + y, gpugrad.exp(x)

    inputs = (leaf(2, 3), leaf(3))
    assert gradcheck(f, inputs, fast_mode=fast) is True
    assert gradgradcheck(f, inputs, fast_mode=fast) is True


def test_message_names_input_element_numbers_and_tolerance():
    x = gpugrad.tensor([1.0, 2.0], dtype="float64", requires_grad=True)
    with pytest.raises(GradcheckError) as caught:
        gradcheck(lambda a, b: Cube.apply(b) + a, (gpugrad.tensor([0.0, 0.0]), x), rtol=1e-4)
    message = str(caught.value)
    assert "input 1 (2,) element (1,), for element (1,) of the output" in message
    assert "analytic 12.01, numerical 12," in message
    assert "allowed 0.00121 (atol=1e-05, rtol=0.0001)" in message
    assert "element (0,)" not in message


@BOTH
def test_wrong_gradient_fails(fast):
    assert gradcheck(Cube.apply, leaf(3), fast_mode=fast, raise_exception=False) is False
    with pytest.raises(GradcheckError, match="with respect to input 0"):
        gradcheck(Cube.apply, leaf(3), fast_mode=fast)
    assert gradcheck(Cube.apply, leaf(3), atol=0.1, fast_mode=fast)


@BOTH
def test_wrong_second_derivative_fails(fast):
    class Square(gpugrad.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            return g * 2 * ctx.saved_tensors[0].detach()

    x = leaf(3)
    assert gradcheck(Square.apply, x, fast_mode=fast)
    with pytest.raises(GradcheckError):
        gradgradcheck(Square.apply, x, fast_mode=fast)


def test_a_dependence_that_the_graph_does_not_know_fails():
    with pytest.raises(GradcheckError, match="analytic 0, numerical 1"):
        gradcheck(lambda x: x.detach() + 0 * x, leaf(2))


def test_nan_gradient_fails():
    class Undefined(gpugrad.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return g * float("nan")

    with pytest.raises(GradcheckError, match="nan"):
        gradcheck(Undefined.apply, leaf(2))


def test_coarse_inputs_need_their_own_tolerances():
    x = leaf(3, dtype=np.float32)
    with pytest.raises(DTypeError, match="float32, too coarse"):
        gradcheck(gpugrad.exp, x)
    assert gradcheck(gpugrad.exp, x, eps=1e-2, atol=1e-2, rtol=1e-2)


def test_an_input_must_require_a_gradient():
    with pytest.raises(GradientError, match="no input requires"):
        gradcheck(gpugrad.exp, leaf(2).detach())


def test_arrays_are_left_alone_and_may_be_strided():
    base = RNG.standard_normal((4, 6))
    before = base.tobytes()
    x = gpugrad.from_numpy(base)[::2, ::-3].requires_grad_()
    array = x._array
    assert gradcheck(lambda t: t * t, x)
    with pytest.raises(ZeroDivisionError):
        gradcheck(lambda t: t * (1 / (t is not x or gpugrad.autograd.mode.is_grad_enabled())), x)
    assert x._array is array and base.tobytes() == before
    assert x.grad is None


def test_other_arguments_pass_through():
    index, mask = gpugrad.tensor([2, 0]), gpugrad.tensor([True, False])

    def f(x, index, mask, scale):
        return x[index] * mask * scale

    assert gradcheck(f, (leaf(3), index, mask, 2.5))
    assert gradgradcheck(f, (leaf(3), index, mask, 2.5))


def test_the_same_tensor_twice_and_tensors_of_a_closure():
    x, weight = leaf(3), leaf(3)
    assert gradcheck(lambda a, b: a * b, (x, x))
    assert gradcheck(lambda a, _: a * weight, (x, weight))


def test_zero_size_and_zero_dimensions():
    assert gradcheck(gpugrad.exp, leaf(0, 3)) and gradgradcheck(gpugrad.exp, leaf(0, 3))
    assert gradcheck(gpugrad.exp, leaf()) and gradgradcheck(gpugrad.exp, leaf())


def test_nondeterministic_backward_fails():
    noise = iter(range(1, 100))

    class Restless(gpugrad.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return g + 1e-8 * next(noise)

    with pytest.raises(GradcheckError, match="two backward passes"):
        gradcheck(Restless.apply, leaf(2))
    assert gradcheck(Restless.apply, leaf(2), nondet_tol=1e-6)


def test_gradient_dtypes_on_request(own_ops):
    """A Function's gradient is cast to its input's dtype; that of an op's rule is taken as it is."""

    class Wide(gpugrad.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return g.to(dtype="float64")

    @gpugrad.op
    def wide(x):
        """x, with a gradient that is always float64."""
        return x * 1

    wide.vjp(x=lambda g: g.astype(np.float64))
    x = leaf(2, dtype=np.float32)
    loose = {"eps": 1e-2, "atol": 1e-2, "rtol": 1e-2}
    assert gradcheck(Wide.apply, x, check_grad_dtypes=True, **loose)
    assert gradcheck(wide, x, **loose)
    with pytest.raises(GradcheckError, match="is float32, its gradient float64"):
        gradcheck(wide, x, check_grad_dtypes=True, **loose)


def test_given_grad_outputs():
    x, g = leaf(3), leaf(3)
    assert gradgradcheck(gpugrad.exp, x, g)
    assert gradgradcheck(gpugrad.exp, (x,), [g])
