"""Every way to install gpugrad finds the CUDA sources, and importing it costs little."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from shipping import archives, environments

import gpugrad

ROOT = Path(__file__).parent.parent
FIND = "from gpugrad.backend.cuda.sources import kernels; print(kernels())"


def python(code, *paths):
    run = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path[:0] = {[str(p) for p in paths]}; {code}"],
        capture_output=True, text=True, cwd="/", check=True,
    )  # fmt: skip
    return run.stdout.strip()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The wheel of this checkout, and the wheel that the sdist builds."""
    pytest.importorskip("hatchling.build", reason="needs the build backend")
    wheel, _, again = archives.built(tmp_path_factory.mktemp("dist"))
    return wheel, again


def test_wheel_and_sdist_give_the_same(made):
    assert archives.check(*made) == []


def test_what_is_wrong_with_archives_is_found(made, tmp_path):
    changed = tmp_path / made[0].name
    files = archives.contents(made[0])
    with zipfile.ZipFile(changed, "w") as archive:
        for name, text in files.items():
            if name != "gpugrad/_kernels/softmax.cu":
                archive.writestr(name, text.replace(b"\nVersion: ", b"\nVersion: 9") if "METADATA" in name else text)
    found = archives.check(changed, made[1])
    assert "gpugrad/_kernels/softmax.cu: not the same in the sdist's wheel" in found
    assert "gpugrad/_kernels/softmax.cu: not in the wheel" in found
    assert any("the versions differ" in problem and gpugrad.__version__ in problem for problem in found)


def test_the_oldest_versions_are_those_of_the_lower_bounds():
    assert environments.oldest(["numpy>=2.1.2", "a-b >= 1, <3"]) == ["numpy==2.1.2", "a-b==1"]
    with pytest.raises(ValueError, match="lower bound.*'scipy'"):
        environments.oldest(["numpy>=2", "scipy"])


def test_an_installed_wheel_finds_its_kernels(made, tmp_path):
    with zipfile.ZipFile(made[0]) as archive:
        archive.extractall(tmp_path)
    site = [p for p in sys.path if p.endswith("site-packages")]
    assert python(FIND, tmp_path, *site) == str(tmp_path / "gpugrad" / "_kernels")


def test_a_checkout_finds_the_kernels_in_place():
    site = [p for p in sys.path if p.endswith("site-packages")]
    assert python(FIND, ROOT, *site) == str(ROOT / "kernels")
