"""Bad input: a named exception whose message has the op, what was given and what to do."""

import os
import subprocess
import sys

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.backend.devices import Device
from gpugrad.errors import DeviceError, DTypeError, GpugradError, LinAlgError, ShapeError


def test_shapes_that_do_not_broadcast():
    with pytest.raises(ShapeError, match=r"add: .*x \(2, 3\) float32, y \(4,\) float32"):
        gg.ones(2, 3) + gg.ones(4)
    with pytest.raises(ShapeError, match=r"matmul.*\(2, 3\).*\(2, 3\)"):
        gg.ones(2, 3) @ gg.ones(2, 3)
    with pytest.raises(ShapeError, match=r"reshape.*\(2, 3\).*shape=\(4,\)"):
        gg.ones(2, 3).reshape(4)
    with pytest.raises(ShapeError, match="sum.*axis 2"):
        gg.ones(2, 3).sum(axis=2)


def test_types_that_are_no_arrays():
    with pytest.raises(DTypeError, match=r"add.*y cannot be a tensor"):
        gg.ones(2) + object()
    with pytest.raises(DTypeError, match="complex128.*expected one of bool"):
        gg.tensor(np.ones(2, complex))
    with pytest.raises(DTypeError, match="does not fit uint8"):
        gg.tensor([1], dtype="uint8") + 300
    with pytest.raises(DTypeError, match=r"softmax.*unexpected keyword argument 'axes'"):
        gg.softmax(gg.ones(2), axes=0)


def test_mixed_devices():
    class Elsewhere(Device):
        __slots__ = ()

    away = gg.ones(3)
    away.device = Elsewhere("cuda", 0, "cuda:0")
    with pytest.raises(DeviceError, match=r"multiply.*cpu and cuda:0.*\.to\("):
        gg.ones(3) * away
    with pytest.raises(DeviceError, match="NumPy array"):
        gg.multiply(away, np.ones(3))


def without_emulation():
    return {name: value for name, value in os.environ.items() if name != "GPUGRAD_CUDA"}


def test_devices_that_are_not_there():
    with pytest.raises(DeviceError, match='\'tpu\'.*"cpu", "cuda"'):
        gg.zeros(2, device="tpu")
    code = "import sys; sys.modules['cupy'] = None; import gpugrad; gpugrad.zeros(2, device='cuda')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=without_emulation())
    assert "DeviceError" in run.stderr and "pip install 'gpugrad[cuda13]'" in run.stderr


def test_matrices_without_an_inverse():
    with pytest.raises(LinAlgError, match="inv.*Singular"):
        gg.inv(gg.zeros(2, 2))


def test_every_error_is_also_the_built_in_one():
    assert issubclass(ShapeError, ValueError) and issubclass(DTypeError, TypeError)
    assert issubclass(DeviceError, RuntimeError) and issubclass(ShapeError, GpugradError)
