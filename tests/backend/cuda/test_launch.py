"""What a launch refuses, and what it passes on."""

import numpy as np
import pytest

from gpugrad.cuda import Kernels, Source, Strided, ctype, dense
from gpugrad.errors import DTypeError, KernelError

SCALE = """
template <typename T> __global__ void scale(T* out, const T* x, long long n, T by) {
    const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = x[i] * by;
}
"""


@pytest.fixture
def scale():
    return Kernels(Source(text=SCALE, name="scale.cu"))


def test_a_launch(cuda, scale):
    x = cuda.asarray(np.arange(1000, dtype=np.float32))
    out = cuda.xp.empty(1000, np.float32)
    scale.launch("scale<float>", grid=(4,), block=(256,), args=(out, x, np.int64(1000), np.float32(3)))
    np.testing.assert_array_equal(cuda.to_host(out), np.arange(1000) * 3)


def test_an_empty_grid_runs_nothing(cuda, scale):
    out = cuda.xp.zeros(0, np.float32)
    scale.launch("scale<float>", grid=(0,), block=(256,), args=(out, out, np.int64(0), np.float32(3)))


def test_what_is_refused(cuda, scale):
    x = cuda.xp.ones((4, 6), np.float32)
    n, by = np.int64(24), np.float32(1)

    def refused(words, *args, grid=(1,), block=(32,), kernels=scale, instance="scale<float>"):
        with pytest.raises(KernelError, match=words):
            kernels.launch(instance, grid=grid, block=block, args=args)

    refused("argument 2 is a int; a kernel takes", x, x, 24, by)
    refused(r"argument 1 \(4, 3\) is not contiguous", x, x[:, ::2], n, by)
    refused("no argument is an array", None, None, n, by)
    refused("argument 1 is on cpu", x, Strided(np.ones(3, np.float32)), n, by)
    refused("block of", x, x, n, by, block=(2048,))
    refused("grid of", x, x, n, by, grid=(1, 70_000))
    declared = Kernels(Source(text=SCALE, name="scale.cu"), lambda: ["scale<float>"])
    Kernels.families.remove(declared)
    refused("scale<double> is not among its declared", x, x, n, by, kernels=declared, instance="scale<double>")
    newer = Kernels(Source(text=SCALE, name="scale.cu"), capability=9999)
    refused(r"scale<float> needs compute capability 999\.9, cuda:0 has", x, x, n, by, kernels=newer)
    broken = Kernels(Source(text="__global__ void f(float* x) { x[0] = y; }", name="broken.cu"))
    refused(r"broken\.cu:1", x, kernels=broken, instance="f")
    with pytest.raises(KernelError, match="cannot read .*missing.cu"):
        Kernels("missing.cu").launch("f", grid=(1,), block=(1,), args=(x,))


def test_types(cuda):
    assert [ctype(np.dtype(d)) for d in ("float32", "float64", "float16", "int64")] == [
        "float",
        "double",
        "__half",
        "long long",
    ]
    with pytest.raises(DTypeError, match="complex64"):
        ctype(np.dtype("complex64"))
    x = cuda.xp.ones((4, 6), np.float32)
    assert dense(x) is x and dense(x.T).flags.c_contiguous
