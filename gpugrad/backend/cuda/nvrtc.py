"""Compile CUDA C++ for a GPU with NVRTC: neither a GPU nor a driver is needed, only NVIDIA's wheels.

Compiled code is kept on disk, in `$GPUGRAD_CACHE` or `~/.cache/gpugrad`, in the folder `cubin`. A file of code is named
by the hash of its contents. Each instance of a kernel has an entry that names the file with its code, so that instances
that were compiled together are found one by one when they are launched.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ...errors import KernelError
from .. import builds
from .diagnosis import INSTALL
from .sources import Source

# No -ftz and no fast math: denormals survive, as on the CPU. `resources` reads the log of `-v`.
_OPTIONS = ("-std=c++17", "-lineinfo", "--ptxas-options=-v")
_NAMES = "__nv_name_map"  # the file that NVRTC writes the instances' names to
_CARRIED = "compiled-by"  # the file in a cache that is carried to other machines
_SHOWN = 5  # errors that a message shows


@dataclass(frozen=True)
class Cubin:
    """Machine code for one architecture: a driver loads it from `path`, which several instances may share.

    names: instance -> the kernel's mangled name. log: the compiler's output, with each kernel's registers and memory.
    """

    path: Path
    names: dict[str, str]
    log: str


@dataclass(frozen=True)
class Toolchain:
    """NVRTC and the CUDA headers: their versions, and the folder with `cuda_fp16.h`."""

    version: tuple[int, int]
    headers: Path
    headers_version: str


@cache
def toolchain() -> Toolchain:
    """Return NVRTC and the CUDA headers. Raises KernelError, with the command that installs them, if one is missing."""
    try:
        import cuda.bindings.nvrtc as nvrtc
        from cuda.pathfinder import find_nvidia_header_directory

        status, major, minor = nvrtc.nvrtcVersion()
        found = find_nvidia_header_directory("cudart")
    except (ImportError, RuntimeError) as error:  # the library is looked for at the first call
        reason = str(error).strip().splitlines()[0]
        raise KernelError(f"NVRTC, NVIDIA's compiler, cannot be used ({reason}); install it with {INSTALL}") from None
    if found is None or not (headers := Path(found) / "cuda_fp16.h").is_file():
        raise KernelError(f"CUDA's headers (cuda_fp16.h) are not found; install them with {INSTALL}")
    defined = re.search(r"#define\s+CUDART_VERSION\s+(\d+)", (headers.parent / "cuda_runtime_api.h").read_text())
    return Toolchain((major, minor), headers.parent, defined[1] if defined else "unknown")


def diagnose() -> str | None:
    """Return why kernels cannot be compiled here and what to do, or None if they can."""
    try:
        toolchain()
    except KernelError as error:
        return str(error)
    return None


def compile(source: Source, instances: Sequence[str], arch: str, *, options: Sequence[str] = ()) -> Cubin:
    """Compile `instances`, C++ name expressions such as `softmax_forward<float, 4>`, for `arch` ("sm_90a").

    The disk cache is used if it has the code. Raises KernelError for code that does not compile (with file, line and
    the compiler's message), for an unknown architecture, and if NVRTC or the CUDA headers are missing.
    """
    if not instances:
        raise KernelError(f"{source.name}: no instance to compile")
    found = lookup(source, instances, arch, options=options)
    if found is not None:
        return found
    keys = _keys(source, instances, arch, options)
    code, names, log = _run(source, instances, [*_options(source, arch), *options])
    name = hashlib.sha256(code).hexdigest()
    builds.store(_folder() / f"{name}.cubin", code)
    entry = json.dumps({"cubin": name, "names": names, "log": log}).encode()
    for key in keys.values():
        builds.store(_folder() / f"{key}.json", entry)
    return Cubin(_folder() / f"{name}.cubin", names, log)


def lookup(source: Source, instances: Sequence[str], arch: str, *, options: Sequence[str] = ()) -> Cubin | None:
    """Return what `compile` would return if the disk cache has all of it in one undamaged file, else None."""
    keys = _keys(source, instances, arch, options)
    try:
        entries = {instance: json.loads((_folder() / f"{key}.json").read_bytes()) for instance, key in keys.items()}
        (name,) = {entry["cubin"] for entry in entries.values()}
        names = {instance: entry["names"][instance] for instance, entry in entries.items()}
        path = _folder() / f"{name}.cubin"
        whole = hashlib.sha256(path.read_bytes()).hexdigest() == name
        return Cubin(path, names, entries[instances[0]]["log"]) if whole else None
    except (OSError, ValueError, LookupError, TypeError):  # absent, in several pieces, or damaged
        return None


# ---- the cache


def _folder() -> Path:
    return builds.folder("cubin")


def carry() -> None:
    """Make what is compiled into this cache, before and from now on, code for machines with any NVRTC, or none.

    The cache keeps the name of this NVRTC, and machines to which it is carried look code up by that.
    """
    builds.store(_folder() / _CARRIED, _tools().encode())


def _tools() -> str:
    """Return the name of NVRTC and the headers in keys: of those that made a carried cache, else of this machine's."""
    try:
        return (_folder() / _CARRIED).read_text()
    except OSError:
        tools = toolchain()
        return f"{tools.version} {tools.headers_version}"


def _keys(source: Source, instances: Sequence[str], arch: str, options: Sequence[str]) -> dict[str, str]:
    """Return the key of each instance, made of everything that decides its machine code."""
    common = [source.digest(), arch, *_OPTIONS, *options, _tools()]
    return {i: hashlib.sha256("\0".join([*common, i]).encode()).hexdigest() for i in instances}


# ---- the compiler


def _options(source: Source, arch: str) -> list[str]:
    folders = [*source.include_folders, toolchain().headers]
    return [f"-arch={arch}", *_OPTIONS, *(f"-I{folder}" for folder in folders)]


def _run(source: Source, instances: Sequence[str], options: Sequence[str]) -> tuple[bytes, dict[str, str], str]:
    """Compile and return (machine code, mangled names, log). The bindings release the GIL, for threads in parallel."""
    import cuda.bindings.nvrtc as nvrtc

    ok = nvrtc.nvrtcResult.NVRTC_SUCCESS
    program = _value(
        nvrtc.nvrtcCreateProgram(source.text.encode(), str(source.path or source.name).encode(), 0, [], [])
    )
    try:
        for instance in instances:
            _value(nvrtc.nvrtcAddNameExpression(program, instance.encode()))
        (status,) = nvrtc.nvrtcCompileProgram(program, len(options), [option.encode() for option in options])
        log = (
            _buffer(nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog, program)
            .rstrip(b"\0 \n")
            .decode(errors="replace")
        )
        if status == nvrtc.nvrtcResult.NVRTC_ERROR_INVALID_OPTION:
            raise KernelError(_refused(log, options))
        if status != ok:
            raise KernelError(_errors(log, source) or f"{source.name}: {_error_name(status)}")
        names = {i: _value(nvrtc.nvrtcGetLoweredName(program, i.encode())).decode() for i in instances}
        return _buffer(nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN, program), names, log
    finally:
        nvrtc.nvrtcDestroyProgram(program)


def _value(answer: tuple) -> Any:
    """Return the value in a binding's (status, value)."""
    status, *values = answer
    if int(status):
        raise KernelError(f"NVRTC fails: {_error_name(status)}")
    return values[0] if values else None


def _error_name(status: Any) -> str:
    import cuda.bindings.nvrtc as nvrtc

    return nvrtc.nvrtcGetErrorString(status)[1].decode()


def _buffer(size: Any, fill: Any, program: Any) -> bytes:
    """Return the bytes from a pair of calls: `size` tells how many there are, `fill` writes them to a buffer."""
    content = bytes(_value(size(program)))
    _value(fill(program, content))
    return content


# ---- errors


def _errors(log: str, source: Source) -> str:
    """Return the errors of a log, each as file:line: error: message, the source line, and where it was instantiated."""
    assembler = re.findall(r"ptxas (?:error|fatal) *: .*", log)
    blocks = assembler or [b.strip("\n") for b in re.split(r"\n\s*\n", log) if re.search(r"\berror: ", b)]
    own = [block for block in blocks if not block.startswith(_NAMES)]
    if blocks and not own:  # there are several errors about each name: the first is enough
        return re.sub(r"^.*?: ", f"{source.name}: instance: ", blocks[0])
    text = [re.sub(r"^(.+?)\((\d+)\): ", r"\1:\2: ", block) for block in own[:_SHOWN]]
    if assembler:
        text = [f"{source.name}: {line}" for line in text]
    return "\n".join([*text, *([f"... and {len(own) - _SHOWN} more errors"] if len(own) > _SHOWN else [])]) or log


def _refused(log: str, options: Sequence[str]) -> str:
    """Say why NVRTC refused the options: nearly always an architecture newer or older than it knows."""
    import cuda.bindings.nvrtc as nvrtc

    known = ", ".join(f"sm_{number}" for number in nvrtc.nvrtcGetSupportedArchs()[1])
    return f"{log} in {' '.join(options)}; this NVRTC ({'.'.join(map(str, toolchain().version))}) compiles for {known}"
