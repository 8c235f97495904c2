"""Compiled loops: the machine code is vector code, what is missing or fails leaves the work to NumPy."""

import ast
import inspect
import re
import textwrap

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.backend.cpu import loops
from gpugrad.backend.cpu.loops import Rows, choice, compiler, language, loop
from gpugrad.backend.dtypes import float32
from gpugrad.cli import doctor
from gpugrad.ops import ops_with_path
from gpugrad.ops.softmax import loops as softmax_loops
from gpugrad.optim import loops as optim_loops

ops_with_path("cpu")  # imports the modules that declare the loops, as optim_loops is

needs_numba = pytest.mark.skipif(compiler.diagnose() is not None, reason="Numba is an extra")


def innermost(function):
    """The number of `for` statements in a function that hold no other."""
    fors = [
        node for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))) if isinstance(node, ast.For)
    ]
    return sum(not any(isinstance(inner, ast.For) for inner in ast.walk(node) if inner is not node) for node in fors)


def vector_loops(text):
    """The number of loops of vector instructions in assembly text: LLVM calls their blocks vector.body."""
    return len(re.findall(r"# %vector\.body\d*$", text, re.MULTILINE))


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
        raise compiler.PackageNotFoundError(name)

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
