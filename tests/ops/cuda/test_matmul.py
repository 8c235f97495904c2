"""Products on cuda: every layout of the operands without a copy, batches, epilogues, 16-bit floats."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.backend.cuda import gemm

RNG = np.random.default_rng(0)
TOLERANCE = {"float64": 1e-12, "float32": 2e-6, "float16": 2e-3, "bfloat16": 1.6e-2}


def made(cuda, *shape, dtype="float32"):
    return gg.tensor(RNG.standard_normal(shape), dtype=dtype, device=cuda)


def close(got, expected, dtype="float32"):
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    np.testing.assert_allclose(wide(got), expected, atol=TOLERANCE[dtype] * scale, rtol=0)


def wide(tensor):
    return tensor.detach().cpu().astype("float64").numpy()


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("left", ["rows", "columns", "gaps"])
@pytest.mark.parametrize("right", ["rows", "columns", "gaps"])
@pytest.mark.parametrize("batch", [(), (3,)])
def test_layouts(cuda, left, right, batch, dtype):
    def arranged(how, *shape):
        if how == "columns":
            return made(cuda, *batch, *shape[::-1], dtype=dtype).swapaxes(-1, -2)
        return made(cuda, *batch, shape[0], shape[1] * 2, dtype=dtype)[..., :: 2 if how == "gaps" else 1][
            ..., : shape[1]
        ]

    x, y = arranged(left, 5, 7), arranged(right, 7, 3)
    close(x @ y, wide(x) @ wide(y), dtype)


def test_a_view_is_described_and_not_copied(cuda):
    x = cuda.xp.zeros((4, 6), np.float32)
    assert gemm._operand(x.T)[0].base is x and gemm._operand(x.T)[1] == gemm.Operand(6, 4, 6, 0, True)
    assert gemm._operand(x[:, 1:5])[1] == gemm.Operand(4, 4, 6, 0)
    assert gemm._operand(x[:, ::2])[0].base is not x  # neither rows nor columns are contiguous


@pytest.mark.parametrize(
    "shapes",
    [((4,), (4,)), ((4,), (4, 3)), ((3, 4), (4,)), ((2, 3, 4), (4, 2)), ((2, 1, 3, 4), (5, 4, 2)), ((3, 4), (2, 4, 2)),
     ((0, 4), (4, 2)), ((3, 0), (0, 2)), ((2, 3, 4), (4,)), ((1, 1), (1, 1)), ((1, 5), (5, 1))],
)  # fmt: skip
def test_shapes_are_numpys(cuda, shapes):
    x, y = (made(cuda, *shape).requires_grad_() for shape in shapes)
    out = x @ y
    close(out, wide(x) @ wide(y))
    out.sum().backward()
    a, b = (gg.tensor(wide(t), requires_grad=True) for t in (x, y))
    (a @ b).sum().backward()
    close(x.grad, a.grad.numpy())
    close(y.grad, b.grad.numpy())


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("op", ["linear", "linear_relu", "linear_gelu"])
def test_epilogues(cuda, op, dtype):
    x, w, b = (made(cuda, *shape, dtype=dtype).requires_grad_() for shape in ((2, 5, 6), (16, 6), (16,)))
    out = getattr(gg, op)(x, w, b)
    same = [gg.tensor(wide(t), requires_grad=True) for t in (x, w, b)]
    expected = getattr(gg, op)(*same)
    close(out, expected.detach().numpy(), dtype)
    weights = RNG.standard_normal(out.shape)
    out.backward(gg.tensor(weights, dtype=dtype, device=cuda))
    expected.backward(gg.tensor(weights))
    for got, wanted in zip((x, w, b), same, strict=True):
        close(got.grad, wanted.grad.numpy(), dtype)


def test_products_really_are_cublaslts(cuda):
    before = gg.linear.paths["cuda"].runs
    gg.linear(made(cuda, 2, 3), made(cuda, 4, 3), made(cuda, 4))
    assert gg.linear.paths["cuda"].runs == before + 1


def test_precision_is_one_of_three():
    with pytest.raises(gg.errors.DTypeError, match="highest, high, medium; got 'low'"):
        gg.set_float32_matmul_precision("low")
    assert gg.get_float32_matmul_precision() == "highest"
