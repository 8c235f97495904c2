"""Every way to install gpugrad finds the CUDA sources, and importing it costs little."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FIND = "from gpugrad.backend.cuda.sources import kernels; print(kernels())"


def python(code, *paths):
    run = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path[:0] = {[str(p) for p in paths]}; {code}"],
        capture_output=True, text=True, cwd="/", check=True,
    )  # fmt: skip
    return run.stdout.strip()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A wheel and an sdist of this checkout, and a wheel built from the sdist."""
    build = pytest.importorskip("hatchling.build", reason="needs the build backend")
    folder = tmp_path_factory.mktemp("dist")
    import os

    here = os.getcwd()
    try:
        os.chdir(ROOT)
        wheel, sdist = build.build_wheel(str(folder)), build.build_sdist(str(folder))
        with tarfile.open(folder / sdist) as archive:
            archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4 and later
            archive.extractall(folder / "source")
        os.chdir(next((folder / "source").iterdir()))
        again = build.build_wheel(str(folder / "source"))
    finally:
        os.chdir(here)
    return folder / wheel, folder / "source" / again


def test_wheels_carry_the_kernels(built, tmp_path):
    for i, wheel in enumerate(built):
        target = tmp_path / str(i)
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(target)
            assert {"gpugrad/py.typed", "gpugrad/__init__.pyi"} <= set(archive.namelist())
        site = [p for p in sys.path if p.endswith("site-packages")]
        assert python(FIND, target, *site) == str(target / "gpugrad" / "_kernels")
        installed, ours = (target / "gpugrad" / "_kernels").iterdir(), (ROOT / "kernels").iterdir()
        assert {p.name for p in installed} == {p.name for p in ours}


def test_a_checkout_finds_the_kernels_in_place():
    site = [p for p in sys.path if p.endswith("site-packages")]
    assert python(FIND, ROOT, *site) == str(ROOT / "kernels")
