"""Arrays of other libraries: DLPack both ways, NumPy's protocols."""

import operator

import numpy as np
import pytest
import torch

import gpugrad as gg
from gpugrad.errors import DeviceError, DTypeError, GradientError

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_dlpack_from_pytorch_shares_memory(dtype):
    theirs = torch.zeros(2, 3).to(getattr(torch, dtype))
    ours = gg.from_dlpack(theirs)
    assert ours.dtype == gg.zeros(1, dtype=dtype).dtype and ours.shape == (2, 3)
    theirs[1, 2] = 1
    assert ours.tolist() == [[0, 0, 0], [0, 0, 1]]
    ours[0, 0] = 1  # writable, and seen there
    assert theirs[0, 0] == 1
    assert gg.from_dlpack(theirs.t()[1:]).tolist() == theirs.t()[1:].tolist()
    apart = gg.from_dlpack(theirs, copy=True)
    theirs[...] = 0
    assert apart.sum().item() == 2


@pytest.mark.parametrize("dtype", DTYPES)
def test_dlpack_to_pytorch_shares_memory(dtype):
    ours = gg.zeros(2, 3, dtype=dtype)
    theirs = torch.from_dlpack(ours)
    assert theirs.dtype == getattr(torch, dtype)
    theirs[1, 2] = 1
    assert ours.tolist() == [[0, 0, 0], [0, 0, 1]]
    assert torch.from_dlpack(ours.T).tolist() == ours.T.tolist()


def test_gradients_flow_over_what_was_taken_in():
    theirs = torch.tensor([1.0, 2.0])
    x = gg.from_dlpack(theirs).requires_grad_()
    (x * x).sum().backward()
    assert torch.from_dlpack(x.grad).tolist() == [2, 4]
    with pytest.raises(GradientError, match="call detach"):
        torch.from_dlpack(x)


def test_what_dlpack_cannot_do(device):
    with pytest.raises(DTypeError, match="a list has no __dlpack__"):
        gg.from_dlpack([1])
    with pytest.raises(DTypeError, match="uint16"):
        gg.from_dlpack(torch.zeros(1, dtype=torch.uint16))
    with pytest.raises(DTypeError, match="torch.bfloat16"):
        gg.from_dlpack(torch.zeros(1).bfloat16())
    with pytest.raises(DTypeError, match="from_dlpack: .*requires? grad"):
        gg.from_dlpack(torch.zeros(1, requires_grad=True))
    moved = gg.from_dlpack(torch.ones(2), device=device)
    assert moved.device == device and moved.tolist() == [1, 1]
    if device.type == "cuda":
        with pytest.raises(DeviceError, match="without a copy"):
            gg.from_dlpack(torch.ones(2), device=device, copy=False)

    class Elsewhere:
        def __dlpack__(self, **_):
            raise AssertionError

        def __dlpack_device__(self):
            return (8, 0)

    with pytest.raises(DeviceError, match="kind 8"):
        gg.from_dlpack(Elsewhere())


def test_numpy_takes_tensors(device):
    x = gg.tensor([1.0, 2.0], device=device)
    if device.type == "cuda":
        with pytest.raises(DeviceError, match=r"call \.cpu\(\) first"):
            np.asarray(x)
        return
    array = np.asarray(x)
    array[0] = 5
    assert x.tolist() == [5, 2]  # shared
    assert np.array(x, dtype=np.int64).tolist() == [5, 2]
    assert np.from_dlpack(x).ctypes.data == array.ctypes.data
    with pytest.raises(GradientError):
        np.asarray(x.clone().requires_grad_())
    assert not hasattr(x, "__cuda_array_interface__")


OPERATORS = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.floordiv, operator.mod,
    operator.matmul, operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne,
]  # fmt: skip


@pytest.mark.parametrize("op", OPERATORS)
def test_numpy_operators_in_both_orders(op):
    array, values = np.float32([3, 5, 2]), np.float32([2, 5, 4])
    x = gg.tensor(values, requires_grad=True)
    for ours, theirs in ((op(array, x), op(array, values)), (op(x, array), op(values, array))):
        assert isinstance(ours, gg.Tensor) and ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=1e-6)
        assert ours.requires_grad == (theirs.dtype == np.float32)
    if op is not operator.matmul:
        for scalar in (np.float64(3), np.float32(3), np.int64(3)):
            for ours, theirs in (
                (op(scalar, x), op(float(scalar), values)),
                (op(x, scalar), op(values, float(scalar))),
            ):
                assert isinstance(ours, gg.Tensor)
                np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=1e-6)


@pytest.mark.parametrize("op", [operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift])
def test_numpy_operators_of_integers(op):
    array, values = np.array([3, 5, 2]), np.array([2, 1, 4])
    assert op(array, gg.tensor(values)).tolist() == op(array, values).tolist()
    assert op(gg.tensor(values), array).tolist() == op(values, array).tolist()


def test_numpy_functions_of_tensors_have_gradients():
    x = gg.tensor([0.5, 1.5], requires_grad=True)
    np.multiply(np.exp(x), np.float32([1, 2])).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.exp([0.5, 1.5]) * [1, 2], rtol=1e-6)
    with pytest.raises(GradientError, match="has no place in the graph"):  # into memory that the graph does not see
        np.add(np.ones(2), x, out=np.ones(2))


def test_numpy_arrays_do_not_meet_tensors_elsewhere(device):
    if device.type == "cuda":
        for op in (lambda a, b: a + b, lambda a, b: b * a):
            with pytest.raises(DeviceError):
                op(np.ones(2, np.float32), gg.ones(2, device=device))
