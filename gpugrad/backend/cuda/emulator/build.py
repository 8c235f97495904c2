"""Build functions that can be launched from a CUDA source: g++ compiles the kernel behind the emulator's header."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Sequence
from pathlib import Path

from ....errors import KernelError
from ..sources import Source
from . import toolchain
from .run import Function, load, load_runtime
from .toolchain import available

# `extern __shared__ float tile[];` within a kernel: the one spelling of CUDA that a host compiler cannot take.
_DYNAMIC_SHARED = re.compile(
    r"extern\s+__shared__\s+(?:(?:__align__|alignas)\s*\([^()]*\)\s*)?([\w:<>, ]+?)\s*\b(\w+)\s*\[\s*\]\s*;"
)
_TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])'|\breturn\s*;|\b__global__\b|[{};]""", re.DOTALL
)
_MESSAGE_LENGTH = 6000  # of g++'s output that an error quotes

_digests: dict[Path | str, tuple[dict, str]] = {}  # of each source: when its files were changed, and its digest
_built: dict[tuple, dict[str, Function]] = {}
_lock = threading.Lock()


def build(
    source: Source, instances: Sequence[str], *, check: bool = False, record: bool = False, defines: Sequence[str] = ()
) -> dict[str, Function]:
    """Compile the named instances ("softmax_forward<float, 4>") of a source's kernels; returns {name: function}.

    check: compile for check mode. record: compile for profiles. defines: macros, "NAME" or "NAME=VALUE". Results are
    cached on disk and in this process. Raises KernelError if g++ refuses the source (its message follows), or if this
    machine cannot run the emulator.
    """
    if (lacking := available()) is not None:
        raise KernelError(lacking)
    kind = "record" if record else "check" if check else "normal"
    key = (_digest(source), source.name, source.path, tuple(instances), kind, tuple(defines))
    with _lock:
        found = _built.get(key)
    if found is None:
        found = _load(source, list(instances), kind, list(defines))
        with _lock:
            found = _built.setdefault(key, found)
    return dict(found)


def _digest(source: Source) -> str:
    """Return `source.digest()`; each launch calls this, so the files are read again only if one has changed."""
    key = source.path or source.text
    stamps, digest = _digests.get(key, ({}, ""))
    if not digest or any(_stamp(file) != stamp for file, stamp in stamps.items()):
        files = [*source.headers(), *([source.path] if source.path else [])]
        stamps = {file: _stamp(file) for file in files}  # before reading: a change in between shows next time
        digest = source.digest()
        _digests[key] = stamps, digest
    return digest


def _stamp(file: Path) -> tuple[int, int]:
    try:
        found = os.stat(file)
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def _load(source: Source, instances: list[str], kind: str, defines: list[str]) -> dict[str, Function]:
    load_runtime(_runtime)
    library = _compile(source, instances, kind, defines)
    return load(library, instances, kind, source)


def _compile(source: Source, instances: list[str], kind: str, defines: list[str]) -> Path:
    header = _precompiled_header(kind)
    folders = [flag for folder in source.include_folders for flag in ("-iquote", str(folder))]
    command = [*toolchain.flags(kind), *folders, "-include", str(header), "-x", "c++", "-"]
    command += toolchain.LINK
    text = _translation_unit(source, instances, defines)
    key = toolchain.digest(*command, text, source.digest(), toolchain.shim_digest(), toolchain.version())
    try:
        # A text has no folder; the cache has no headers that it could find by mistake.
        return toolchain.make(f"{key}.so", command, text, source.path.parent if source.path else None)
    except KernelError as error:
        shown = str(error)[:_MESSAGE_LENGTH]
        raise KernelError(f"{source.path or source.name} does not compile for the emulator:\n{shown}") from None


def _translation_unit(source: Source, instances: list[str], defines: list[str]) -> str:
    macros = [f"#define {define.replace('=', ' ', 1)}" for define in defines]
    entries = []
    for number, instance in enumerate(instances):
        entries += [f'#line 1 "instance {instance}"', f"EMULATOR_ENTRY({number}, {instance})"]
    place = str(source.path or source.name)
    return "\n".join([*macros, f'#line 1 "{place}"', _with_marked_returns(_with_dynamic_shared(source)), *entries, ""])


def _with_dynamic_shared(source: Source) -> str:
    """Return the source with pointers to the launch's dynamic shared memory instead of arrays of no size."""

    def pointer(match: re.Match[str]) -> str:
        if match.start() == 0 or text[match.start() - 1] == "\n":
            line = text.count("\n", 0, match.start()) + 1
            raise KernelError(f"{source.name}:{line}: for the emulator, declare `{match[0]}` inside the kernel")
        return f"{match[1]}* {match[2]} = ::emulator::dynamic_shared<{match[1]}>();" + "\n" * match[0].count("\n")

    text = re.sub(r"\bstatic\s+__shared__", "__shared__", source.text)  # they are static already
    return _DYNAMIC_SHARED.sub(pointer, text)


def _with_marked_returns(text: str) -> str:
    """Within kernels, `return;` tells the runtime: a thread that has left is not one that went around a barrier."""
    depth, kernel, inside = 0, False, False

    def mark(match: re.Match[str]) -> str:
        nonlocal depth, kernel, inside
        token = match[0]
        if token == "__global__":
            kernel = True
        elif token == ";":
            kernel = kernel and inside  # else it was a declaration
        elif token == "{":
            depth += 1
            if kernel and not inside:
                inside, kernel, depth = True, False, 1
        elif token == "}":
            depth -= 1
            inside = inside and depth > 0
        elif token.startswith("return") and inside:
            return "return ::emulator::end_early();"
        return token

    return _TOKEN.sub(mark, text)


def _precompiled_header(kind: str) -> Path:
    """Return emulator.h beside its precompiled form, which g++ uses instead if it can (else it only takes longer)."""
    flags = toolchain.flags(kind)
    key = toolchain.digest(*flags, toolchain.shim_digest(), toolchain.version())
    header = toolchain.write(f"{key}/emulator.h", f'#include "{toolchain.INCLUDE / "emulator.h"}"\n')
    toolchain.make(f"{key}/emulator.h.gch", [*flags, "-x", "c++-header", str(header)])
    return header


def _runtime() -> Path:
    command = "g++ -std=c++17 -O2 -g1 -fno-omit-frame-pointer -fPIC -shared -fvisibility=hidden -pthread".split()
    command += [str(file) for file in sorted(toolchain.RUNTIME.glob("*.cpp"))]
    key = toolchain.digest(*command, toolchain.shim_digest(), toolchain.version())
    return toolchain.make(f"runtime-{key}.so", command)
