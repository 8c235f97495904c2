"""What `gpugrad doctor` says about what is there and what is missing."""

import importlib.metadata

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.cli import doctor


@pytest.mark.parametrize("missing", [False, True])
def test_it_says_what_is_lost_without_nvmath(monkeypatch, capsys, missing):
    real = importlib.metadata.version

    def version(name):
        if name == "nvmath-python":
            if missing:
                raise importlib.metadata.PackageNotFoundError(name)
            return "9.9.9"
        return real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert doctor.run(None) == 0
    told = capsys.readouterr().out
    assert ("through nvmath-python 9.9.9" in told) is not missing
    assert ("16-bit products are computed in float32" in told) is missing


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_products_work_without_cublaslt(cuda, monkeypatch, dtype):
    def step():
        gg.manual_seed(0)
        layer = gg.nn.Linear(8, 16).to(cuda, dtype=dtype)
        x = gg.randn(4, 8, device=cuda, dtype=dtype, requires_grad=True)
        y = gg.nn.functional.gelu(layer(x), approximate="tanh") @ layer.weight
        (y * y).sum().backward()
        return [t.cpu().to(dtype="float32").numpy() for t in (y.detach(), x.grad, layer.weight.grad, layer.bias.grad)]

    expected = step()
    monkeypatch.setattr(type(cuda), "multiply", None)
    monkeypatch.setattr(type(cuda), "has_products", False)
    for got, want in zip(step(), expected, strict=True):
        assert np.allclose(got, want, rtol=0, atol=(1e-5 if dtype == "float32" else 4e-2) * max(1, abs(want).max()))
