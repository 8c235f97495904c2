"""Build CuPy's runtime module over the CUDA runtime of `runtime/`, and a driver, libcuda.so.1.

The wheel's module has NVIDIA's runtime linked into it. Its source is in CuPy's source package, of which nothing else is
built; the wheel's module is kept beside it as `runtime.*.so.wheel`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

SOURCES = Path(__file__).parent / "runtime"
_MODULE = "cupy_backends/cuda/api/runtime"
_CYTHONIZE = """
import sys
import Cython
from Cython.Compiler import Errors
from Cython.Compiler.Main import CompilationOptions, compile

Errors.LEVEL = 3  # errors, not the warnings about what could be said in a newer way
constants = dict(
    CUPY_USE_CUDA_PYTHON=False, CUPY_CUFFT_STATIC=False, CUPY_CYTHON_VERSION=Cython.__version__,
    CUPY_CUDA_VERSION=13000, CUPY_HIP_VERSION=0,
)
options = CompilationOptions(
    language_level=3, cplus=True, compile_time_env=constants, output_file=sys.argv[2],
    compiler_directives=dict(embedsignature=True),
)
sys.exit(compile([sys.argv[1]], options).num_errors)
"""


def digest() -> str:
    """Return a hash of everything that decides what is built."""
    files = sorted(SOURCES.iterdir())
    return hashlib.sha256(b"\0".join(f.read_bytes() for f in [*files, Path(__file__)])).hexdigest()


def build(python: Path, site: Path, fake: Path, source: Path) -> None:
    """Replace the runtime module of the CuPy in `site` by one made from `source`, and put the drivers into `fake`."""
    shutil.rmtree(fake, ignore_errors=True)
    (fake / "cublaslt").mkdir(parents=True)
    _driver(fake / "libcuda.so.1")
    _driver(fake / "cublaslt" / "libcuda.so.1", "-DFOR_CUBLASLT")
    with tempfile.TemporaryDirectory() as folder:
        _runtime(python, site, source, Path(folder))


def _driver(target: Path, *options: str) -> None:
    command = ["gcc", "-shared", "-fPIC", "-O1", "-w", *options, "-Wl,-soname,libcuda.so.1"]
    subprocess.run([*command, str(SOURCES / "libcuda.c"), "-o", str(target)], check=True)


def _runtime(python: Path, site: Path, source: Path, folder: Path) -> None:
    generated = folder / "runtime.cpp"
    command = [python, "-W", "ignore", "-c", _CYTHONIZE, f"{_MODULE}.pyx", str(generated)]
    subprocess.run(command, cwd=source, check=True)
    headers = next(site.glob("nvidia/**/cuda_runtime.h")).parent
    code = "import sysconfig; print(sysconfig.get_path('include'))"
    include = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    folders = [headers, SOURCES, source, (source / _MODULE).parent, include]
    flags = ["-fPIC", "-w", *(f"-I{path}" for path in folders)]
    objects = []
    for file in (SOURCES / "cudart.cpp", SOURCES / "cudart_refused.c", generated):
        objects.append(str(folder / f"{file.stem}.o"))
        compiler, level = ("gcc", "-O1") if file.suffix == ".c" else ("g++", "-O0" if file is generated else "-O1")
        subprocess.run([compiler, level, *flags, "-c", str(file), "-o", objects[-1]], check=True)
    (target,) = site.glob(f"{_MODULE}.*.so")
    kept = target.with_name(f"{target.name}.wheel")
    if not kept.exists():
        shutil.copy(target, kept)
    subprocess.run(["g++", "-shared", *objects, "-o", str(folder / "runtime.so")], check=True)
    target.unlink()
    shutil.copy(folder / "runtime.so", target)


def source_package(python: Path, folder: Path, cupy: str) -> Path:
    """Return the unpacked source package of this version of CuPy, which is kept in `folder`."""
    target = folder / f"cupy-{cupy}"
    if not target.is_dir():
        with tempfile.TemporaryDirectory(dir=folder) as unfinished:
            command = [
                python,
                "-m",
                "pip",
                "-q",
                "download",
                "--no-deps",
                "--no-build-isolation",
                "--no-binary",
                "cupy",
            ]
            stub = os.environ | {"CUPY_INSTALL_USE_STUB": "1"}  # pip runs its setup.py to ask for its name
            subprocess.run([*command, "-d", unfinished, f"cupy=={cupy}"], check=True, env=stub)
            (archive,) = Path(unfinished).glob("cupy-*.tar.gz")
            with tarfile.open(archive) as opened:
                opened.extractall(unfinished, filter="data")
            (Path(unfinished) / target.name).rename(target)
    return target
