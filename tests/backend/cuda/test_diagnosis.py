"""What keeps a GPU from being used: each case on a fake machine, in the words of its error."""

import importlib.metadata
import os
import sys
from types import ModuleType, SimpleNamespace

import pytest

from gpugrad.backend.cuda import device, diagnosis, nvrtc
from gpugrad.cli import doctor
from gpugrad.errors import DeviceError

DRIVER = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {}  Release Build\nGCC version: 12\n"
ABSENT = "libcuda.so.1: cannot open shared object file"
OLD = RuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version")
NONE = RuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected")
CARD = {"sys/bus/pci/devices/0/vendor": "0x10de\n"}
WORKS = {**CARD, "proc/driver/nvidia/version": DRIVER.format("580.65.06"), "dev/nvidiactl": "", "dev/nvidia0": ""}
OLDER = {**WORKS, "proc/driver/nvidia/version": DRIVER.format("550.90.07")}
OLDEST = {**WORKS, "proc/driver/nvidia/version": DRIVER.format("470.82.01")}
WINDOWS = {"proc/version": "Linux version 5.15.90.1-microsoft-standard-WSL2", "sys/bus/pci/devices/0/vendor": "0x1414"}
BUS = {"sys/bus/pci/devices/0/vendor": "0x8086\n"}
CUPY, OTHER = {"cupy-cuda13x": "14.0.1"}, {"cupy-cuda12x": "14.0.1"}
LOST = ImportError("libcublas.so.13: cannot open shared object file\nmore")
MISSING = ModuleNotFoundError("No module named 'cupy'")

CASES = {  # what is in the machine's files, its packages, what CuPy raises, whether libcuda.so.1 loads; what is said
    "fresh machine": (WORKS, {}, MISSING, True, [
        "CuPy is not installed (No module named 'cupy'); install it with pip install 'gpugrad[cuda13]'"]),
    "fresh machine, driver of CUDA 12": (OLDER, {}, MISSING, True, ["install it with pip install 'gpugrad[cuda12]'"]),
    "fresh machine, driver unknown": (CARD, {}, MISSING, True, [
        "install it with pip install 'gpugrad[cuda13]' (CUDA 13 driver) or 'gpugrad[cuda12]'"]),
    "no library of CUDA": (WORKS, CUPY, LOST, True, ["CuPy cannot be imported (libcublas.so.13: cannot open shared"]),
    "driver too old": (OLDER, CUPY, OLD, True, [
        "driver 550.90.07 is too old for the CUDA version of cupy-cuda13x 14.0.1; update the driver, or install CuPy "
        "for its CUDA: pip uninstall -y cupy-cuda13x && pip install 'gpugrad[cuda12]'"]),
    "driver older than all": (OLDEST, OTHER, OLD, True, [
        "470.82.01 is too old", "cupy-cuda12x 14.0.1; update the driver"]),
    "two CuPys": (WORKS, CUPY | OTHER, LOST, True, [
        "cupy-cuda12x 14.0.1 and cupy-cuda13x 14.0.1 are both installed",
        "pip uninstall -y cupy-cuda12x cupy-cuda13x && pip install 'gpugrad[cuda13]'"]),
    "CuPy from source beside a wheel": (WORKS, {"cupy": "15.0"} | CUPY, LOST, True, [
        "cupy 15.0 and cupy-cuda13x 14.0.1 are both installed, one over the other's files"]),
    "no GPU": (BUS, CUPY, NONE, False, ["this machine has no NVIDIA GPU; GPUGRAD_CUDA=emulate runs the kernels"]),
    "a GPU without a driver": (CARD, CUPY, NONE, False, [
        f"no NVIDIA driver is installed ({ABSENT}); install it (Ubuntu: sudo ubuntu-drivers install)"]),
    "no library of the driver": (WORKS, CUPY, NONE, False, [
        f"the NVIDIA driver is loaded, but its library is missing ({ABSENT}); reinstall", "--gpus all"]),
    "WSL without the adapter": (WINDOWS, CUPY, NONE, False, [
        "Windows lends it no GPU (/dev/dxg is missing)", "wsl --update"]),
    "WSL without the library": (WINDOWS | {"dev/dxg": ""}, CUPY, NONE, False, [
        f"this is WSL, and Windows' driver library is not found ({ABSENT})", "none inside WSL"]),
    "hidden": (WORKS | {"CUDA_VISIBLE_DEVICES": "-1"}, CUPY, NONE, True, [
        "CUDA_VISIBLE_DEVICES='-1' hides every GPU; unset"]),
    "another error": (WORKS, CUPY, RuntimeError("cudaErrorUnknown: unknown error"), True, [
        "CuPy finds no usable NVIDIA driver (cudaErrorUnknown: unknown error)", "`nvidia-smi` must list the GPU"]),
    "forbidden": (WORKS | {"closed": "nvidia0"}, CUPY, NONE, True, [
        "this user may not open", "dev/nvidia0; give", "usermod"]),
}  # fmt: skip


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Make this machine one of these files and packages, whose CuPy raises `failure`."""

    def make(files, packages, failure, loads):
        root = tmp_path / str(len(list(tmp_path.iterdir())))
        root.mkdir()
        for name, text in files.items():
            if "/" in name:
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
        closed, real = files.get("closed"), importlib.metadata.version
        monkeypatch.setattr(os, "access", lambda file, how: closed is None or not str(file).endswith(closed))
        if "CUDA_VISIBLE_DEVICES" in files:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", files["CUDA_VISIBLE_DEVICES"])
        else:
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

        def version(name):
            if name in packages:
                return packages[name]
            if name.startswith(("cupy", "nvmath")):
                raise importlib.metadata.PackageNotFoundError(name)
            return real(name)

        def count():
            raise failure

        cupy = ModuleType("cupy")
        cupy.cuda = SimpleNamespace(runtime=SimpleNamespace(getDeviceCount=count))
        monkeypatch.setitem(sys.modules, "cupy", cupy)
        monkeypatch.setattr(importlib.metadata, "version", version)
        monkeypatch.setattr(diagnosis, "_library", lambda: None if loads else ABSENT)
        monkeypatch.setattr(diagnosis.look, "__defaults__", (None, root, None))

    return make


@pytest.mark.parametrize("name", CASES)
def test_the_error_and_the_doctor_say_what_helps(machine, capsys, name):
    *given, words = CASES[name]
    machine(*given)
    with pytest.raises(DeviceError) as raised:
        device.connect(0)
    assert str(raised.value).startswith('device "cuda:0": ')
    assert doctor.run(None) == 0
    told = capsys.readouterr().out
    for part in words:
        assert part in str(raised.value) and part in told, (part, str(raised.value), told)
    assert "cuda" in told and "not available:" in told


def test_every_case_of_the_table_is_here(machine):
    seen = set()
    for *given, _ in CASES.values():
        machine(*given)
        seen |= {case.name for case in diagnosis.cases(diagnosis.look(given[2], compiler="no headers"))}
    assert seen == {row[0] for row in diagnosis._TABLE}


def test_a_machine_that_works_has_no_case(machine):
    machine(WORKS, CUPY | {"nvmath-python": "0.6"}, None, True)
    assert diagnosis.cases(diagnosis.look()) == []
    machine(WORKS, CUPY | OTHER | {"nvmath-python": "0.6"}, None, True)
    (two,) = diagnosis.cases(diagnosis.look())
    assert two.name == "two CuPys" and not two.stops  # CuPy itself warns


def test_what_follows_is_named_after_its_cause(machine):
    machine(CARD, {}, MISSING, False)
    assert "no NVIDIA driver" in device.diagnose() and device.diagnose().endswith("says what else: CuPy)")


@pytest.mark.parametrize("found", ["folder", None])
def test_headers_that_are_missing(monkeypatch, tmp_path, found):
    bindings, finder = ModuleType("nvrtc"), ModuleType("cuda.pathfinder")
    bindings.nvrtcVersion = lambda: (0, 13, 0)
    finder.find_nvidia_header_directory = lambda name: found and str(tmp_path)
    for name, module in {"cuda": ModuleType("cuda"), "cuda.bindings": ModuleType("bindings")}.items():
        monkeypatch.setitem(sys.modules, name, module)
    sys.modules["cuda.bindings"].nvrtc = bindings
    monkeypatch.setitem(sys.modules, "cuda.bindings.nvrtc", bindings)
    monkeypatch.setitem(sys.modules, "cuda.pathfinder", finder)
    monkeypatch.setattr(sys.modules["cuda"], "bindings", sys.modules["cuda.bindings"], raising=False)
    nvrtc.toolchain.cache_clear()
    try:
        said = nvrtc.diagnose()
        assert said is not None and "CUDA's headers (cuda_fp16.h) are not found; install them with pip install" in said
        (case,) = [c for c in diagnosis.cases(diagnosis.look(compiler=said)) if c.name == "NVRTC"]
        assert said in str(case) and "no kernel can be compiled" in str(case) and not case.stops
    finally:
        nvrtc.toolchain.cache_clear()
