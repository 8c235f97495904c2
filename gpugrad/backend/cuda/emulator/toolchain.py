"""g++, its flags, and the folder that keeps its output."""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sys
import threading
from collections import defaultdict
from functools import cache
from pathlib import Path

from ....errors import KernelError
from ... import builds

INCLUDE = Path(__file__).parent / "include"
RUNTIME = Path(__file__).parent / "runtime"
_OLDEST = 11  # of g++: the first that knows -march=x86-64-v3
_INSTALL = "install g++ 11 or newer (Debian, Ubuntu: apt install g++; Fedora: dnf install gcc-c++)"

# All builds keep frame pointers: an error's lines are found by walking the frames. Kernels cast pointers freely, as
# CUDA lets them; no sanitizer library is linked (runtime/hooks.cpp).
_COMMON = "-std=c++17 -fPIC -g -fno-omit-frame-pointer -fno-optimize-sibling-calls -fno-exceptions -fno-rtti".split()
_COMMON += "-fvisibility=hidden -fno-gnu-unique -fno-strict-aliasing -fno-math-errno".split()
# A large frame touches its pages one by one, and so meets the guard page. The rest is for conversions.h.
_COMMON += "-fstack-clash-protection -mno-red-zone -fno-tree-vectorize".split()
_NORMAL = "-O2 -w".split()
_CHECK = "-O1 -fsanitize=thread,bounds,alignment,shift,signed-integer-overflow,object-size".split()
# These two passes take the value that is known for one that may be unknown, and then nothing is left to warn of.
_CHECK += "-Werror=uninitialized -Werror=maybe-uninitialized -fno-tree-ccp -fno-tree-fre".split()
_CHECK += ["--param=tsan-instrument-func-entry-exit=0"]
# Accesses as the source has them: a structure's is one, and is not taken apart into those of its members. What is read
# twice without a change between is read once. The code's order is the source's, by which lanes that parted meet again.
_RECORD = "-O1 -w -fsanitize=thread -fsanitize-coverage=trace-pc --param=tsan-instrument-func-entry-exit=0".split()
_RECORD += "-fno-tree-sra -fno-tree-fre -fno-reorder-blocks".split()
LINK = "-shared -nodefaultlibs -lm -lc -lgcc".split()

_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


@cache
def available() -> str | None:
    """Return None if this machine can run the emulator, else what is missing and how to get it."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return f"the emulator runs on x86-64 Linux; this is {platform.machine()} {platform.system()}"
    if shutil.which("g++") is None:
        return f"the emulator compiles kernels with g++, which is missing: {_INSTALL}"
    if int(version().split(".")[0]) < _OLDEST:
        return f"the emulator needs a newer g++ than {version()}: {_INSTALL}"
    return None


@cache
def version() -> str:
    """Return g++'s version, "12.2.0"."""
    return subprocess.run(["g++", "-dumpfullversion"], capture_output=True, text=True, check=True).stdout.strip()


def flags(kind: str) -> list[str]:
    """Return the flags for kernels and for the precompiled header, which must not differ.

    kind: of the build, "normal", "check", or "record".
    """
    chosen = {"normal": _NORMAL, "check": _CHECK, "record": _RECORD}[kind]
    if kind == "check" and int(version().split(".")[0]) >= 12:
        chosen = [*chosen, "-ftrivial-auto-var-init=pattern"]  # -1.7e38 in a float: what was not initialised shows
    return ["g++", *_COMMON, *chosen, _architecture(), f"-I{INCLUDE}"]


@cache
def _architecture() -> str:
    """Return the flag that allows AVX2, FMA and half-precision conversions if the CPU has them."""
    try:
        words = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        words = set()
    return "-march=x86-64-v3" if {"avx2", "fma", "f16c", "bmi2"} <= words else "-march=x86-64"


@cache
def shim_digest() -> str:
    """Return a hash of the emulator's own C++ files."""
    files = sorted(file for folder in (INCLUDE, RUNTIME) for file in folder.rglob("*") if file.is_file())
    return digest(*(f"{file.relative_to(file.parents[1])}\0{file.read_text()}" for file in files))


def digest(*parts: str) -> str:
    """Return a key for the cache."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def make(name: str, command: list[str], text: str = "", within: Path | None = None) -> Path:
    """Return the file `name` in the cache; run `command` to make it unless it is there already.

    text: the command's input. within: the folder it is started in.

    Other threads and processes may make the same file at the same time; each sees a whole file. Raises KernelError with
    the compiler's messages.
    """
    target = builds.folder("emulator") / name
    with _locks[str(target)]:
        if not target.exists():
            with builds.replacing(target) as unfinished:
                _run([*command, "-o", str(unfinished)], text, within or builds.folder("emulator"))
    return target


def _run(command: list[str], text: str, within: Path) -> None:
    done = subprocess.run(command, input=text, cwd=within, capture_output=True, text=True)
    if done.returncode:
        raise KernelError(done.stderr.strip() or f"g++ failed ({done.returncode})")


def write(name: str, text: str) -> Path:
    """Return the file `name` in the cache, and write this text to it unless it is there already."""
    target = builds.folder("emulator") / name
    if not target.exists():
        builds.store(target, text.encode())
    return target
