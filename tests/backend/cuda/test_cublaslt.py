"""Products that cuBLASLt does not have with their epilogue, and what the library is told and says."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from gpugrad.backend.cuda import cublaslt, gemm
from gpugrad.backend.cuda.gemm import Operand, Product, UnsupportedError, product

M, N, K = 4, 8, 16


def operands(cuda, dtype, epilogue, offset=0):
    """a, b, bias and aux on the device; the last two begin `offset` elements after an aligned address."""
    rng = np.random.default_rng(0)

    def made(*shape, offset=0):
        values = np.zeros(offset + int(np.prod(shape)), np.float32)
        values[offset:] = rng.uniform(-1, 1, len(values) - offset)
        return cuda.asarray(values).astype(dtype)[offset:].reshape(shape)

    bias = made(M if epilogue == "bgradb" else N, offset=offset)
    aux = made(M, N, offset=offset) if epilogue == "gelu_aux_bias" else None
    return made(M, K), made(K, N), None if epilogue == "default" else bias, aux


def run(cuda, dtype, epilogue, offset=0):
    """(out, bias, aux) on the host."""
    a, b, bias, aux = operands(cuda, dtype, epilogue, offset)
    out = product(a, b, epilogue=epilogue, bias=bias, aux=aux)
    return [None if array is None else cuda.to_host(array).astype(np.float64) for array in (out, bias, aux)]


def agree(got, expected, dtype):
    for one, other in zip(got, expected, strict=True):
        assert one is other is None or np.allclose(
            one, other, atol={"float64": 1e-12, "float32": 1e-5}.get(dtype, 3e-2)
        )


@pytest.mark.parametrize("dtype", gemm.DTYPES)
@pytest.mark.parametrize("epilogue", ["bias", "relu_bias", "gelu_aux_bias", "bgradb"])
def test_an_epilogue_that_is_not_supported_is_computed_after_the_product(cuda, monkeypatch, dtype, epilogue):
    if not cuda.has_products:
        pytest.skip("no cuBLASLt")
    expected = run(cuda, dtype, epilogue)
    real, asked_for = type(cuda).multiply, []

    def multiply(self, asked, *arrays):
        asked_for.append(asked.epilogue)
        if asked.epilogue != "default":
            raise UnsupportedError("no algorithm")
        real(self, asked, *arrays)

    monkeypatch.setattr(type(cuda), "multiply", multiply)
    agree(run(cuda, dtype, epilogue), expected, dtype)
    assert asked_for == [epilogue, "default"]
    asked_for.clear()
    agree(run(cuda, dtype, epilogue, offset=1), run(cuda, dtype, epilogue), dtype)
    assert asked_for == ["default", epilogue, "default"]  # an address off its alignment is not offered to cuBLASLt

    def refuse(self, asked, *arrays):
        raise UnsupportedError("no algorithm")

    monkeypatch.setattr(type(cuda), "multiply", refuse)
    with pytest.raises(UnsupportedError):
        run(cuda, dtype, epilogue)


class Error(Exception):
    def __init__(self, status):
        super().__init__(status)
        self.status = status


class Names:
    """An enumeration that has every name, with its text as value."""

    def __getattr__(self, name):
        return name

    __getitem__ = __getattr__


class Library:
    """cublasLt as far as it is called: `calls` are those of the heuristic and of the product."""

    cuBLASLtError = Error
    MatmulDescAttribute = MatrixLayoutAttribute = MatmulPreferenceAttribute = Names()
    Epilogue = SimpleNamespace()
    matmul_heuristic_result_dtype = np.dtype([("algo", np.int64, 8)])

    def __init__(self, found=1, heuristic=0, product=0):
        self.found, self.statuses, self.calls = found, {"heuristic": heuristic, "product": product}, []
        self.Epilogue = dict.fromkeys(("DEFAULT", "BIAS"), 1)

    def __getattr__(self, name):
        if name.startswith("get_"):
            return lambda attribute: np.int64
        return lambda *args: 1

    def called(self, what):
        self.calls.append(what)
        if self.statuses[what]:
            raise Error(self.statuses[what])

    def matmul_algo_get_heuristic(self, *args):
        self.called("heuristic")
        np.ctypeslib.as_array((np.ctypeslib.ctypes.c_int32 * 1).from_address(args[-1]))[0] = self.found

    def matmul(self, *args):
        self.called("product")


ASKED = Product("float32", 4, 6, 8, 1, Operand(4, 8, 4, 32), Operand(8, 6, 8, 48), Operand(4, 6, 4, 24))


@pytest.fixture
def products(monkeypatch):
    """Returns a function that makes CublasLt over a Library, and multiplies by it."""
    array = SimpleNamespace(data=SimpleNamespace(ptr=1 << 12))
    stream = SimpleNamespace(get_current_stream=lambda: SimpleNamespace(ptr=0))
    cupy = SimpleNamespace(cuda=stream, empty=lambda *_: array)

    def make(library):
        kinds = SimpleNamespace(**{f"COMPUTE_{name}": 1 for name in ("64F", "32F", "32F_FAST_TF32")})
        types = SimpleNamespace(**{f"CUDA_R_{name}": 1 for name in ("16F", "16BF", "32F", "64F")})
        nvmath, bindings = ModuleType("nvmath"), ModuleType("nvmath.bindings")
        vars(nvmath).update(CudaDataType=types, bindings=bindings)
        vars(bindings).update(cublas=SimpleNamespace(ComputeType=kinds), cublasLt=library)
        monkeypatch.setitem(sys.modules, "nvmath", nvmath)
        monkeypatch.setitem(sys.modules, "nvmath.bindings", bindings)
        made = cublaslt.CublasLt(cupy)
        return lambda: made.multiply(ASKED, array, array, array, None, None)

    return make


def test_a_plan_is_made_once(products):
    library = Library()
    multiply = products(library)
    multiply()
    multiply()
    assert library.calls == ["heuristic", "product", "product"]


@pytest.mark.parametrize("refusal", [{"found": 0}, {"heuristic": 15}, {"product": 15}])
def test_what_is_not_supported_is_said_in_one_way(products, refusal):
    library = Library(**refusal)
    multiply = products(library)
    for _ in range(2):
        with pytest.raises(UnsupportedError, match="cuBLASLt.*float32"):
            multiply()
    assert library.calls.count("heuristic") == 1


def test_other_errors_are_not_hidden(products):
    with pytest.raises(Error, match="14"):
        products(Library(product=14))()
