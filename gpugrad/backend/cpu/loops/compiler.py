"""Compiles loops with Numba, keeps their machine code on disk, and loads it.

Numba is only the compiler: code from the cache is put into memory by `loader` (a millisecond, where importing Numba
takes 0.6 s and 60 MB) and called through ctypes, which releases the GIL. A loop's function in one precision is made in
three steps:

1. `_specialised` makes a Python function whose constants have the precision, with the primitives as LLVM instructions
   and the scalar functions compiled.
2. A function of addresses calls it with the arrays whose Python objects are there. Numba compiles that to an object
   file.
3. `_wrapped` makes the Python function that looks at the arrays and calls the machine code.
"""

import ctypes
import hashlib
import os
import platform
import re
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from ....errors import KernelError
from ... import builds
from . import choice, loader
from .language import Kind, Primitive, Scalar, Varying

LEAST = (0, 61)  # the first version of Numba that this was tried with
_NUMBERS = {"float32": ctypes.c_float, "float64": ctypes.c_double, "int64": ctypes.c_int64}
_REALS = {np.dtype(np.float32): np.float32, np.dtype(np.float64): np.float64}


def diagnose() -> str | None:
    """Return what keeps loops from being compiled here, None if nothing does. Nothing is imported for it."""
    try:
        found = version("numba")
        version("llvmlite")
    except ModuleNotFoundError as error:
        return f"{error.name} is missing: pip install 'gpugrad[fast]'"
    if tuple(int(part) for part in found.split(".")[:2]) < LEAST:
        return f"Numba {found} is too old: pip install -U 'gpugrad[fast]'"
    return None


@cache
def version(name: str) -> str:
    """Return a package's version, by the name of the folder that says it; ModuleNotFoundError if it is not installed.

    To import importlib.metadata takes ten times as long as to load a loop.
    """
    found = find_spec(name)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    for entry in os.listdir(Path(found.origin).parents[1]):
        if entry.startswith(f"{name}-") and entry.endswith(".dist-info"):
            return entry.removeprefix(f"{name}-").removesuffix(".dist-info")
    from importlib import metadata  # an installation of another form

    return metadata.version(name)


def load(name: str, function: Callable, kinds: dict[str, Kind], dtype: np.dtype) -> Callable:
    """Return the function of NumPy arrays that `function` is in one precision, from the cache or newly compiled.

    name: what its file in the cache is called. What goes wrong is an exception of Numba's, llvmlite's or the system's.
    """
    file = _file(name, function, dtype)
    code = _read(file)
    if code is None:
        code = _build(file, function, kinds, dtype)[0]
    return _wrapped(_address(code), kinds, dtype)


def assembly(name: str, function: Callable, kinds: dict[str, Kind], dtype: np.dtype) -> str:
    """Return the assembly text of a loop in one precision, with LLVM's names of its blocks."""
    file = _file(name, function, dtype)
    try:
        return file.with_suffix(".s").read_text()
    except OSError:
        return _build(file, function, kinds, dtype)[1]


def _build(file: Path, function: Callable, kinds: dict[str, Kind], dtype: np.dtype) -> tuple[bytes, str]:
    """Compile a loop, keep the object file and the assembly text, and return both."""
    module, machine = compile(function, kinds, dtype), _machine()
    code, text = machine.emit_object(module), machine.emit_assembly(module)
    try:
        builds.store(file.with_suffix(".s"), text.encode())
        builds.store(file, hashlib.sha256(code).digest() + code)
    except KernelError:
        pass  # a folder that cannot be written to costs time in the next process
    return code, text


def compile(function: Callable, kinds: dict[str, Kind], dtype: np.dtype) -> Any:
    """Return LLVM's module of a loop in one precision; its entry is called `ENTRY`."""
    from numba.core import types

    from .intrinsics import array_of

    space: dict = {"body": _jit(_specialised(function, _REALS[dtype]), {"reassoc", "contract"}, apart=True)}
    arguments, values = [], []
    for argument, kind in kinds.items():
        named = {"real": dtype.name, "bool": "boolean"}.get(kind.dtype, kind.dtype)
        number = getattr(types, named)
        arguments.append(types.intp if kind.ndim else number)
        values.append(f"{argument}_array({argument})" if kind.ndim else argument)
        space[f"{argument}_array"] = array_of(kind.ndim, number) if kind.ndim else None
    exec(f"def entry({', '.join(kinds)}):\n    body({', '.join(values)})", space)
    return _compiled(space["entry"], arguments)


ENTRY = "gpugrad_loop"


def _compiled(entry: Callable, arguments: list) -> Any:
    import llvmlite.binding as llvm
    from numba.core import types
    from numba.core.compiler import Flags, compile_extra
    from numba.core.compiler_lock import global_compiler_lock
    from numba.core.registry import cpu_target

    flags: Any = Flags()
    flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True  # they need the interpreter; nothing here does
    flags.error_model = "numpy"
    typing: Any = cpu_target.typing_context
    target: Any = cpu_target.target_context
    with global_compiler_lock:
        generator = target.codegen()
        before, generator._tm = generator._tm, _machine()  # it decides how wide vectors are
        try:
            made = compile_extra(typing, target, entry, tuple(arguments), types.void, flags, {})
        finally:
            generator._tm = before
    text = str(made.library._final_module).replace(made.fndesc.mangled_name, ENTRY)
    module = llvm.parse_assembly(text)
    outside = [f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm.")]
    unknown = [name for name in outside if not hasattr(ctypes.CDLL(None), name)]
    if unknown:
        raise ValueError(f"a loop calls {', '.join(unknown)}")
    return module


# ---- One precision of a Python function


def _jit(function: Callable, fastmath: set[str], inline: bool = False, apart: bool = False) -> Any:
    """Compile with Numba. apart: arrays do not overlap, so that no loop has to look first."""
    import numba
    from numba.core.compiler import Compiler

    class Apart(Compiler):
        def define_pipelines(self) -> Any:
            self.state.flags.noalias = True  # Numba has no other way to ask for it
            return super().define_pipelines()

    options: Any = {"pipeline_class": Apart} if apart else {}
    jit: Any = numba.njit  # Numba's types leave out options that it has
    return jit(error_model="numpy", fastmath=fastmath, forceinline=inline, _nrt=False, **options)(function)


def _specialised(function: Callable, real: type) -> Callable:
    """Return the function with constants, primitives and scalar functions of one precision."""
    code: Any = function.__code__  # type: ignore[attr-defined]
    space: Any = function.__globals__  # type: ignore[attr-defined]
    constants = tuple(real(c) if type(c) is float else c for c in code.co_consts)
    found = {name: _value(space[name], real) for name in code.co_names if name in space}
    return FunctionType(code.replace(co_consts=constants), {**found, "__builtins__": __builtins__}, function.__name__)


def _value(value: Any, real: type) -> Any:
    """Return what a global name of a loop stands for in one precision."""
    if isinstance(value, Varying):
        return _value(value.float32 if real is np.float32 else value.float64, real)
    if isinstance(value, Scalar):
        return _compiled_scalar(value, real)
    if isinstance(value, Primitive):
        from .intrinsics import intrinsic_of

        return intrinsic_of(value.__name__, real)
    return real(value) if type(value) is float else value


@cache
def _compiled_scalar(scalar: Scalar, real: type) -> Any:
    return _jit(_specialised(scalar.function, real), {"contract"}, inline=True)


# ---- Machine code


@cache
def _machine() -> Any:
    """Return LLVM's description of this processor, with the features that Numba would use."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    name, features = processor()
    target = llvm.Target.from_default_triple()
    machine = target.create_target_machine(cpu=name, features=features, opt=3, jit=True)
    machine.set_asm_verbosity(True)
    return machine


@cache
def processor() -> tuple[str, str]:
    """Return the name and features of the processor for which loops are compiled, which Numba's variables may
    change."""
    import llvmlite.binding as llvm

    name = os.environ.get("NUMBA_CPU_NAME") or llvm.get_host_cpu_name()
    features = os.environ.get("NUMBA_CPU_FEATURES")
    if features is None:
        features = "" if "NUMBA_CPU_NAME" in os.environ else llvm.get_host_cpu_features().flatten()
        # Loops of this kind are faster with the widest vectors, even where LLVM prefers those of 256 bits.
        features += ",-prefer-256-bit" if "+avx512f" in features else ""
    return name, features


_engines: list = []  # hold the memory of the code that was loaded


def _address(code: bytes) -> int:
    found = loader.load(code, ENTRY)
    if found is not None:
        return found
    import llvmlite.binding as llvm

    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _engines.append(engine)
    return engine.get_function_address(ENTRY)


def _features() -> str:
    """Return the processor's features as the system lists them, or NumPy where it does not; LLVM would have to load."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"^(flags|Features)\s*:.*", info.read_text(), re.MULTILINE) if info.exists() else None
    return found[0] if found else repr(choice.FEATURES)


@cache
def _sources() -> bytes:
    """Return the digest of all that decides what a loop is compiled to, beside its own file."""
    digest = hashlib.sha256()
    for name in ("compiler.py", "intrinsics.py", "language.py", "mathematics.py"):
        digest.update(Path(__file__).with_name(name).read_bytes())
    variables = [f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith("NUMBA_CPU_")]
    for part in (version("numba"), version("llvmlite"), np.__version__, platform.machine(), _features(), *variables):
        digest.update(part.encode() + b"\0")
    return digest.digest()


def _file(name: str, function: Callable, dtype: np.dtype) -> Path:
    digest = hashlib.sha256(_sources())
    digest.update(Path(function.__code__.co_filename).read_bytes())  # type: ignore[attr-defined]
    return builds.folder("loops") / f"{name}-{dtype.name}-{digest.hexdigest()[:24]}.o"


def _read(file: Path) -> bytes | None:
    """Return the object file's bytes, None if there is none or it is not what was written."""
    try:
        content = file.read_bytes()
    except OSError:
        return None
    digest, code = content[:32], content[32:]
    return code if hashlib.sha256(code).digest() == digest else None


def _wrapped(address: int, kinds: dict[str, Kind], dtype: np.dtype) -> Callable:
    """Return the function of NumPy arrays and numbers that calls machine code."""
    types: list = [ctypes.c_void_p, ctypes.c_void_p]  # for what it returns and for an exception: neither is used
    checks = []
    for name, kind in kinds.items():
        named = dtype.name if kind.dtype == "real" else kind.dtype
        types.append(ctypes.py_object if kind.ndim else _NUMBERS[named])
        if kind.ndim:
            test = f"{name}.dtype is {named} and {name}.ndim == {kind.ndim} and {name}.flags.c_contiguous"
            checks.append(f"    {test} or refuse({name!r}, {name})\n")
    nowhere = (ctypes.c_int64 * 8)()
    space: dict = {"function": ctypes.CFUNCTYPE(ctypes.c_int32, *types)(address), "refuse": _refuse}
    space |= {"nowhere": ctypes.addressof(nowhere), "kept": nowhere}
    space |= {kind.dtype: np.dtype(kind.dtype) for kind in kinds.values() if kind.dtype != "real"} | {dtype.name: dtype}
    names = ", ".join(kinds)
    exec(f"def call({names}):\n{''.join(checks)}    function(nowhere, nowhere, {names})", space)
    return space["call"]


def _refuse(name: str, array: Any) -> None:
    raise TypeError(f"loop: {name} is {array.dtype} {array.shape} with strides {array.strides}, not as declared")
