"""Users' kernels: the guide works as it is printed, planted mistakes are found, wrong declarations are refused."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import op, xp
from gpugrad.autograd.check.checks import check_op
from gpugrad.autograd.check.samples import unary
from gpugrad.errors import KernelError

GUIDE = Path(gg.__file__).parent / "cuda" / "README.md"
BARRIER = "sums[threadIdx.x] += sums[threadIdx.x + half];\n        __syncthreads();"
SWISH = """
template <typename T> __global__ void swish_forward(T* out, const T* x, long long n, double beta) {
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i < n) out[i] = x[i] / (T(1) + exp(T(-beta) * x[i]));
}
template <typename T> __global__ void swish_backward(T* gx, const T* g, const T* x, long long n, double beta) {
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= n) return;
    const T s = T(1) / (T(1) + exp(T(-beta) * x[i]));
    gx[i] = g[i] * (s + T(beta) * x[i] * s * (T(1) - s));
}
"""
FORWARD, BACKWARD = "swish_forward<T>(out, x, n, beta)", "swish_backward<T>(gx, g, x, n, beta)"


@pytest.fixture
def guide(cuda, tmp_path):
    text = GUIDE.read_text()
    (tmp_path / "rms.py").write_text("\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL)))
    (tmp_path / "rms.cu").write_text(re.findall(r"```cuda\n(.*?)```", text, re.DOTALL)[0])
    return tmp_path


def check(folder):
    environment = {**os.environ, "GPUGRAD_CUDA": "emulate", "GPUGRAD_EMULATOR": "check"}
    command = [sys.executable, "-m", "gpugrad", "check", str(folder / "rms.py"), "--device", "cuda"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd="/")
    return done.returncode, done.stdout + done.stderr


def test_the_guide(guide):
    if not gg.cuda.is_emulated():
        pytest.skip("a GPU is here")
    status, text = check(guide)
    assert status == 0 and "1 ops on emulated cuda:0: 1 ok" in text
    source = (guide / "rms.cu").read_text()
    assert BARRIER in source
    (guide / "rms.cu").write_text(source.replace(BARRIER, BARRIER.split("\n")[0]))
    status, text = check(guide)
    assert status == 1 and re.search(r"rms_forward<double>: race: .* shared memory .* at rms\.cu:11", text)


def swish_op():
    @op(samples=lambda s: [*unary()(s), s.case(s(300), beta=2.0)])
    def swish(x, *, beta=1.0):
        """x sigmoid(beta x)."""
        return x / (1 + xp(x).exp(-beta * x))

    def rule(g, x, beta):
        s = 1 / (1 + xp(x).exp(-beta * x))
        return g * (s + beta * x * s * (1 - s))

    return swish.vjp(x=rule)


def test_source_as_text(cuda, own_ops):
    swish = swish_op()
    gg.cuda.attach(swish, SWISH, forward=FORWARD, backward=BACKWARD, dtypes=["float32", "float64"])
    assert [r.message for r in check_op(swish, cuda) if not r.passed] == []
    assert swish.paths["cuda"].runs
    x = gg.tensor([0.0, 1.0, -2.0], device=cuda, requires_grad=True)
    swish(x).sum().backward()
    np.testing.assert_allclose(x.grad.cpu().numpy(), [0.5, 0.927671, -0.090784], rtol=1e-5)


def test_a_wrong_gradient_is_found(cuda, own_ops):
    swish = swish_op()
    wrong = SWISH.replace("s + T(beta)", "s - T(beta)")
    gg.cuda.attach(swish, wrong, forward=FORWARD, backward=BACKWARD, dtypes=["float32", "float64"])
    messages = [r.message for r in check_op(swish, cuda, ["gradient"]) if not r.passed]
    assert any("gradient against the generic rule" in message for message in messages)


def test_without_a_backward_the_rules_run(cuda, own_ops):
    swish = swish_op()
    gg.cuda.attach(swish, SWISH, forward=FORWARD, dtypes=["float32", "float64"])
    assert [r.message for r in check_op(swish, cuda, ["gradient", "second order"]) if not r.passed] == []


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (dict(forward="swish_forward"), "looks like name<T>"),
        (dict(forward="swish_forward<T>(out, y)"), "swish: forward names y; it can know beta, n, out, x"),
        (dict(forward=FORWARD, backward="swish_backward<T>(g, x)"), "backward must write gx"),
        (dict(forward="swish_forward<T>(out, x, )("), "cannot read|looks like"),
    ],
)
def test_wrong_declarations(own_ops, how, words):
    with pytest.raises(KernelError, match=words):
        gg.cuda.attach(swish_op(), SWISH, **how)


def test_a_wrong_argument_is_found_at_the_launch(cuda, own_ops):
    if not gg.cuda.is_emulated():
        pytest.skip("only the emulator knows the parameters' types")
    swish = swish_op()
    gg.cuda.attach(swish, SWISH, forward="swish_forward<T>(out, x, n, n)", dtypes=["float32"])
    with pytest.raises(KernelError, match="swish_forward<float>: argument 3 .* int64, expected a float of 8 bytes"):
        swish(gg.ones(3, device=cuda))
