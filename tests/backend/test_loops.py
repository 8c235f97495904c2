"""Compiled loops: the machine code is vector code, what is missing or fails leaves the work to NumPy."""

import ast
import inspect
import platform
import re
import sys
import textwrap

import numpy as np
import pytest

import gpugrad as gg
from benchmarks.measuring import accuracy
from gpugrad.backend.cpu import loops
from gpugrad.backend.cpu.loops import Rows, choice, compiler, language, loader, loop
from gpugrad.backend.cpu.loops.conversions import converted
from gpugrad.backend.dtypes import bfloat16, float16, float32, float64
from gpugrad.cli import doctor
from gpugrad.nn import functional as F
from gpugrad.ops import ops_with_path
from gpugrad.ops.dropout import seeded_dropout
from gpugrad.ops.softmax import loops as softmax_loops
from gpugrad.optim import loops as optim_loops  # noqa: F401

ops_with_path("cpu")  # imports the modules that declare the loops, as optim_loops is

needs_numba = pytest.mark.skipif(compiler.diagnose() is not None, reason="Numba is an extra")


def innermost(function):
    """The number of `for` statements in a function that hold no other, without those that fill with a number: these
    become calls of memset."""
    fors = [
        node for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))) if isinstance(node, ast.For)
    ]
    inner = [
        node for node in fors if not any(isinstance(other, ast.For) for part in node.body for other in ast.walk(part))
    ]
    return sum(not all(isinstance(getattr(part, "value", None), ast.Constant) for part in node.body) for node in inner)


def vector_loops(text):
    """The number of loops of vector instructions in assembly text: LLVM calls their blocks vector.body."""
    return len(re.findall(r"# %vector\.body[.\w]*$", text, re.MULTILINE))


@needs_numba
@pytest.mark.parametrize(
    ("name", "dtype"), [(name, dtype) for name, one in sorted(loops.LOOPS.items()) for dtype in one.precisions], ids=str
)
def test_every_loop_is_vector_code(name, dtype):
    declared = loops.LOOPS[name]
    found = vector_loops(declared.assembly(dtype))
    assert found >= innermost(declared.function) - declared.scalar, f"{name} has {found} loops of vector instructions"


def recurrence(out: Rows, x: Rows):
    for i in range(x.shape[0]):
        for j in range(1, x.shape[1]):
            out[i, j] = 0.5 * out[i, j - 1] + x[i, j]


@needs_numba
def test_a_scalar_loop_is_seen():
    kinds = {"out": language.Kind(2), "x": language.Kind(2)}
    text = compiler.assembly("tests.recurrence", recurrence, kinds, float32)
    assert vector_loops(text) == 0 and innermost(recurrence) == 1
    assert "vmulss" in text or "mulss" in text or "fmadd" in text


@needs_numba
def test_arrays_of_another_kind_are_refused():
    fill = softmax_loops.softmax.sized(choice.NEVER, float32)
    x, out = np.ones((2, 3), np.float32), np.empty((2, 3), np.float32)
    for wrong in (x.astype(np.float64), x.T, x[0], x[:, ::2]):
        with pytest.raises(TypeError, match="loop: x is"):
            fill(out, wrong)
    fill(out, np.broadcast_to(np.float32(1), (2, 3)).copy())
    np.testing.assert_allclose(out, 1 / 3, rtol=1e-6)


@pytest.fixture
def afresh(monkeypatch):
    """No loop has been compiled or has failed yet."""
    monkeypatch.setattr(loops, "_failures", [])
    for declared in loops.LOOPS.values():
        monkeypatch.setattr(declared, "_compiled", {})


def doctors_word():
    return doctor._loops()[1]


X = np.linspace(-3, 3, 1 << 14, dtype=np.float32).reshape(16, -1)


def test_numpy_computes_if_numba_is_missing(afresh, monkeypatch):
    with loops.switched("off"):
        expected = gg.softmax(gg.tensor(X)).numpy()
        assert doctors_word() == "NumPy computes all: GPUGRAD_LOOPS=off turns them off"
    monkeypatch.setattr(compiler, "version", lambda name: {"numba": "0.48.1", "llvmlite": "0.31"}[name])
    assert doctors_word() == "NumPy computes all: Numba 0.48.1 is too old: pip install -U 'gpugrad[fast]'"
    np.testing.assert_array_equal(gg.softmax(gg.tensor(X)).numpy(), expected)
    monkeypatch.setattr(loops, "_failures", [])

    def missing(name):
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(compiler, "version", missing)
    assert doctors_word() == "NumPy computes all: numba is missing: pip install 'gpugrad[fast]'"
    np.testing.assert_array_equal(gg.softmax(gg.tensor(X)).numpy(), expected)


@needs_numba
def test_numpy_computes_if_compiling_fails(afresh, monkeypatch, tmp_path):
    with loops.switched("off"):
        expected = gg.softmax(gg.tensor(X)).numpy()
    monkeypatch.setenv("GPUGRAD_CACHE", str(tmp_path))

    def fails(*args):
        raise RuntimeError("no such processor")

    monkeypatch.setattr(compiler, "compile", fails)
    np.testing.assert_array_equal(gg.softmax(gg.tensor(X)).numpy(), expected)
    assert doctors_word() == "NumPy computes all: softmax.softmax was not compiled: RuntimeError: no such processor"


@needs_numba
def test_code_is_kept_and_what_was_damaged_is_compiled_again(afresh, monkeypatch, tmp_path):
    monkeypatch.setenv("GPUGRAD_CACHE", str(tmp_path))
    compiled = []
    compile = compiler.compile
    monkeypatch.setattr(compiler, "compile", lambda *args: compiled.append(1) or compile(*args))
    gradient = softmax_loops.softmax_gradient
    for damage in (None, None, b"", b"\x7fELF"):
        if damage is not None:
            for file in tmp_path.rglob("*.o"):
                file.write_bytes(damage)
        monkeypatch.setattr(gradient, "_compiled", {})
        out = np.empty((1, 4), np.float32)
        gradient.sized(choice.NEVER, float32)(out, np.ones((1, 4), np.float32), np.full((1, 4), 0.25, np.float32))
        assert out.tolist() == [[0.0] * 4]
    assert len(compiled) == 3  # the second came from the cache
    monkeypatch.setattr(gradient, "_compiled", {})
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("GPUGRAD_CACHE", str(blocked))  # where nothing can be kept
    assert gradient.sized(choice.NEVER, float32) is not None and len(compiled) == 4


@needs_numba
def test_code_is_loaded_without_llvm_or_by_it(afresh, monkeypatch):
    x, out = np.float32([[0.0, 1.0, 2.0]]), np.empty((2, 1, 3), np.float32)
    log_softmax = softmax_loops.log_softmax  # which calls the C library's logarithm
    log_softmax.sized(choice.NEVER, float32)(out[0], x)
    monkeypatch.setattr(log_softmax, "_compiled", {})
    found = []
    load = loader.load
    monkeypatch.setattr(loader, "load", lambda *args: found.append(load(*args)))
    log_softmax.sized(choice.NEVER, float32)(out[1], x)
    np.testing.assert_array_equal(out[0], out[1])
    np.testing.assert_allclose(out[0], x - np.log(np.exp(x).sum()), rtol=1e-6)
    assert len(found) == 1
    if sys.platform == "linux" and platform.machine() == "x86_64":
        assert found[0] is not None
    assert load(b"\x7fELF\2\1" + bytes(12) + b"\xb7\0" + bytes(44), "entry") is None  # of another processor
    assert load(b"MZ" + bytes(62), "entry") is None


def test_small_work_is_numpys():
    with loops.switched("on"):
        assert softmax_loops.softmax.sized(choice.LEAST - 1, float32) is None
        assert softmax_loops.softmax.sized(choice.NEVER, np.dtype(np.int64)) is None


def test_declared_loops_have_a_family_and_kinds():
    @loop
    def example(out: Rows, x: Rows, n: language.Int):
        out[0, 0] = x[0, 0] * n

    assert example.kinds == {"out": (2, "real"), "x": (2, "real"), "n": (0, "int64")}
    del loops.LOOPS[example.name]


# ---- Mathematics


@needs_numba
@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
@pytest.mark.parametrize("name", accuracy.FUNCTIONS)
def test_a_functions_error_is_a_few_units_in_the_last_place(name, dtype):
    loop, function, *limits = accuracy.FUNCTIONS[name]
    error, where = accuracy.worst(loop, function, accuracy.points(limits[dtype == float64], dtype, 200))
    assert error <= (3 if name == "erfc" else 2), f"{name}({where}) is wrong by {error} units in the last place"


INFINITY, NAN = float("inf"), float("nan")
AT_EDGES = {  # at 0, -0, infinity, -infinity, NaN and the largest number
    "exp": [1, 1, INFINITY, 0, NAN, INFINITY],
    "exp2": [1, 1, INFINITY, 0, NAN, INFINITY],
    "log": [-INFINITY, -INFINITY, INFINITY, NAN, NAN, None],
    "tanh": [0, -0.0, 1, -1, NAN, 1],
    "sigmoid": [0.5, 0.5, 1, 0, NAN, 1],
    "erf": [0, -0.0, 1, -1, NAN, 1],
    "erfc": [1, 1, 0, 2, NAN, 0],
}


@needs_numba
@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
@pytest.mark.parametrize("name", AT_EDGES)
def test_functions_are_right_at_the_edges(name, dtype):
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, np.finfo(dtype).max] * 7, dtype)  # in vectors and after them
    out = np.empty_like(x)
    accuracy.FUNCTIONS[name][0].sized(choice.NEVER, dtype)(out, x)
    right = [np.log(np.finfo(dtype).max) if value is None else value for value in AT_EDGES[name]]
    np.testing.assert_array_equal(out, np.array(right * 7, dtype))
    np.testing.assert_array_equal(np.signbit(out[:2]), np.signbit(right[:2]))


@needs_numba
def test_sixteen_bit_floats_are_converted_as_numpy_does():
    bits = np.arange(1 << 16, dtype=np.uint16)
    words = np.random.default_rng(0).integers(0, 1 << 32, 1 << 16, dtype=np.uint32)
    x = np.concatenate([words.view(np.float32), np.float32([0, -0.0, np.inf, -np.inf, 65519, 65520, 3.4e38, 1e-42])])
    x = x[~np.isnan(x)]
    for low in (float16, bfloat16()):
        every = bits.view(low)
        every = every[~np.isnan(every.astype(np.float32))]
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(converted(every, float32), every.astype(np.float32))
            np.testing.assert_array_equal(converted(x, low).view(np.uint16), x.astype(low).view(np.uint16))
        assert np.isnan(converted(np.full(choice.LEAST, np.nan, np.float32), low).astype(np.float32)).all()
        matrix = np.ones((128, 128), low).T
        assert converted(matrix, float32).strides == (4, 512) and converted(matrix, float32).dtype == float32


# ---- Ops: both ways give the same values, and the same bits on any number of threads


def distinct(x):
    """Numbers (16, 16, 1) that are far apart in each window of 3 x 3, in the dtype of x."""
    return gg.tensor(np.arange(256) * 37 % 256 / 4, dtype=x.dtype).reshape(16, 16, 1)


ROWS = np.random.default_rng(1).standard_normal((600, 256))
FUNCTIONS = {
    "softmax": gg.softmax,
    "log_softmax": gg.log_softmax,
    "masked_softmax": lambda x: gg.masked_softmax(x, causal=True, scale=0.5),
    "layer_norm": lambda x: F.layer_norm(x, (256,), x[0], x[1]),
    "rms_norm": lambda x: F.rms_norm(x, (256,), x[0]),
    "batch_norm": lambda x: F.batch_norm(x, None, None, x[0], x[1], True),
    "batch_norm_images": lambda x: F.batch_norm(x.reshape(30, 20, 256), None, None, x[0, :20], x[1, :20], True),
    "cross_entropy": lambda x: F.cross_entropy(x, gg.arange(600) % 256, label_smoothing=0.1),
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "elu": lambda x: F.elu(x, 0.7),
    "softplus": lambda x: F.softplus(x, 2.0),
    "tanh": lambda x: gg.tanh(gg.concatenate([x, x])),  # from 1 MB on
    "dropout": lambda x: seeded_dropout(x, p=0.3, seed=2**63 + 5),
    "depthwise": lambda x: F.conv2d(
        x.reshape(6, 100, 16, 16) / 8, x.reshape(-1)[:900].reshape(100, 1, 3, 3), x[0, :100], padding=1, groups=100
    ),
    "max_pool": lambda x: F.max_pool2d(
        gg.permute_dims(x.reshape(6, 16, 16, 100) / 64 + distinct(x), (0, 3, 1, 2)), 3, 2, 1
    ),
    "embedding": lambda x: F.embedding(gg.arange(3000) * 7 % 500, x),
    "cumsum": lambda x: gg.cumsum(x, axis=1),
    "cumsum_of_lanes": lambda x: gg.cumsum(x[:60], axis=0),
    "cumprod": lambda x: gg.cumprod(1 + x / 128, axis=1),
    "cumprod_of_lanes": lambda x: gg.cumprod(1 + x / 128, axis=0),
    "sum": lambda x: gg.sum(x, axis=1),
    "var": lambda x: gg.var(x, axis=1),
}


def value_and_gradient(function, dtype):
    x = gg.tensor(ROWS, dtype=dtype, requires_grad=True)
    out = function(x)
    (out * gg.cos(gg.arange(out.size)).reshape(out.shape)).sum().backward()
    return out.detach().numpy(), x.grad.numpy()


@needs_numba
@pytest.mark.parametrize("name", FUNCTIONS)
def test_loops_give_numpys_values_and_the_same_bits_on_every_number_of_threads(name):
    function, before = FUNCTIONS[name], gg.get_num_threads()
    with loops.switched("off"):
        expected = value_and_gradient(function, "float64")
    for dtype, tolerance in (("float64", 1e-12), ("float32", 3e-5), ("float16", 1e-2)):
        found = []
        try:
            for count in (1, 2, 3):
                gg.set_num_threads(count)
                found.append(value_and_gradient(function, dtype))
        finally:
            gg.set_num_threads(before)
        for one, right, *others in zip(found[0], expected, *found[1:], strict=True):
            np.testing.assert_allclose(one.astype(np.float64), right, rtol=tolerance, atol=tolerance)
            for other in others:
                np.testing.assert_array_equal(one, other)
