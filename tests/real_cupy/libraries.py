"""Stubs of the CUDA libraries that CuPy's modules link (cuBLAS, cuSOLVER, ...): each function does nothing.

Which functions there must be is read from the modules. Those that give the size of a workspace, a handle, a version or
a status write one.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

_LIBRARY = re.compile(r"\[(libcu(?:blas|solver|rand|sparse|fft|tensor)\S*\.so\S*)\]")
# cuSOLVER's functions that write the size of a workspace, an int, to one of their arguments: its number
_SIZES = {
    "potrf": 5, "getrf": 5, "geqrf": 5, "orgqr": 7, "ungqr": 7, "gesvd": 3, "syevd": 7, "heevd": 7, "syevj": 7,
    "syevjBatched": 7, "gesvdjBatched": 11, "gesvdj": 12, "gesvdaStridedBatched": 15, "potri": 5, "sytrf": 4,
}  # fmt: skip
_MAKES_HANDLE = re.compile(r"(Create(_v2)?|CreateParams|CreateSyevjInfo|CreateGesvdjInfo|CreateMatDescr)$")
_ARGUMENTS = ", ".join(f"void* a{i}" for i in range(18))


def digest() -> str:
    """Return a hash of what decides the stubs."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def build(site: Path, folder: Path) -> None:
    """Put a stub of each library that CuPy in `site` links into `folder`."""
    for library, functions in _linked(site).items():
        code, versions = folder / f"{library}.c", folder / f"{library}.map"
        code.write_text("\n".join(["#include <stddef.h>", *map(_function, sorted(functions)), ""]))
        versions.write_text(f"{library} {{ global: *; }};")
        flags = ["-shared", "-fPIC", "-w", "-O1", f"-Wl,--version-script={versions}", f"-Wl,-soname,{library}"]
        subprocess.run(["gcc", *flags, "-o", str(folder / library), str(code)], check=True)


def _linked(site: Path) -> dict[str, set[str]]:
    """Library -> the functions that some module of CuPy's may call in it."""
    found: dict[str, set[str]] = {}
    for module in [*site.glob("cupy/**/*.so"), *site.glob("cupy_backends/**/*.so")]:
        for library in _LIBRARY.findall(_output("readelf", "-d", module)):
            found.setdefault(library, set()).update(_undefined(module))
    return found


def _undefined(module: Path) -> Iterator[str]:
    yield from re.findall(r"U (cu\w+)", _output("nm", "-D", "--undefined-only", module))


def _output(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _function(name: str) -> str:
    """Return the C definition of a function that succeeds."""
    if _MAKES_HANDLE.search(name):
        return f"int {name}(void** handle) {{ *handle = (void*)0x20; return 0; }}"
    if name.endswith(("GetVersion", "GetVersion_v2")):
        return f"int {name}(void* handle, int* version) {{ if (version) *version = 130000; return 0; }}"
    if name == "cusolverDnXsyevd_bufferSize":
        return f"int {name}({_ARGUMENTS}) {{ *(size_t*)a11 = 1024; *(size_t*)a12 = 1024; return 0; }}"
    if name.endswith("getrsBatched"):
        return f"int {name}({_ARGUMENTS}) {{ *(int*)a9 = 0; return 0; }}"
    for routine, number in _SIZES.items():
        if name.endswith(f"{routine}_bufferSize"):
            return f"int {name}({_ARGUMENTS}) {{ *(int*)a{number} = 64; return 0; }}"
    return f"int {name}() {{ return 0; }}"
