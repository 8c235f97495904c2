"""Kernels compiled by NVRTC for GPUs that need not be there, the cache on disk, and `gpugrad precompile`."""

import hashlib
import subprocess
import sys

import pytest

from gpugrad.backend.cuda import nvrtc
from gpugrad.backend.cuda.launch import Kernels
from gpugrad.backend.cuda.resources import resources
from gpugrad.backend.cuda.sources import Source
from gpugrad.cli import main
from gpugrad.errors import KernelError
from gpugrad.ops import ops_with_path

ops_with_path("cuda")  # declares the families before a test replaces their list

ARCHS = ["sm_80", "sm_90a"]
SUM = """#include "common.cuh"

template <typename T> __global__ void total(T* out, const T* x) {
    __shared__ acc_t<T> scratch[kWarp];
    const acc_t<T> sum = block_reduce<Sum>(load(x[thread_index()]), scratch);
    if (threadIdx.x == 0) out[blockIdx.x] = store<T>(sum);
}

template <int N> __global__ void hold(float* x) {
    __shared__ float held[N];
    held[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    x[threadIdx.x] = held[N - 1 - threadIdx.x];
}
"""
# N values that all live at once, in the 32 registers that two blocks of 1024 threads leave to a thread.
SPILL = """template <int N> __global__ void __launch_bounds__(1024, 2) crowded(float* x) {
    float a[N];
#pragma unroll
    for (int i = 0; i < N; ++i) a[i] = x[threadIdx.x * N + i];
#pragma unroll
    for (int round = 0; round < 3; ++round)
#pragma unroll
        for (int i = 0; i < N; ++i) a[i] = a[i] * a[(i * 7 + 3 + round) % N] + a[(i + 1) % N];
    for (int i = 0; i < N; ++i) x[threadIdx.x * N + i] = a[i];
}
"""
ALONE = """__device__ __noinline__ float apart(float* x) { return sqrtf(x[threadIdx.x]) / x[0]; }
template <typename T> __global__ void calls(T* x) { x[threadIdx.x] = apart(x); }
"""

pytestmark = pytest.mark.skipif(nvrtc.diagnose() is not None, reason=f"needs NVRTC: {nvrtc.diagnose()}")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache of the test's own."""
    monkeypatch.setenv("GPUGRAD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "cubin"


@pytest.fixture
def no_compiler(monkeypatch):
    """From the call on, nothing may be compiled."""

    def refuse(*args):
        raise AssertionError("compiled again")

    return lambda: monkeypatch.setattr(nvrtc, "_run", refuse)


@pytest.fixture
def families(monkeypatch):
    """Only the families that the test declares; the product's have registered themselves before."""
    import gpugrad.amp.cuda
    import gpugrad.optim.cuda  # noqa: F401

    monkeypatch.setattr(Kernels, "families", [])
    return Kernels.families


@pytest.mark.parametrize("arch", ARCHS)
def test_kernels_compile_without_a_gpu(arch):
    instances = [f"total<{T}>" for T in ("float", "double", "__half", "__nv_bfloat16")]
    cubin = nvrtc.compile(Source(text=SUM), instances, arch)
    assert list(cubin.names) == instances
    code = cubin.path.read_bytes()
    assert code.startswith(b"\x7fELF")
    assert all(name.encode() in code for name in cubin.names.values())
    assert len(set(cubin.names.values())) == 4


def test_denormals_survive():
    scale = Source(text="template <typename T> __global__ void scale(T* x) { x[0] *= x[1]; }")
    plain = nvrtc.compile(scale, ["scale<float>"], "sm_80").path.read_bytes()
    flushing = nvrtc.compile(scale, ["scale<float>"], "sm_80", options=["-ftz=true"]).path.read_bytes()
    assert b"mul.ftz.f32" in flushing and b"mul.f32" in plain and b".ftz" not in plain


def test_an_error_names_file_line_and_source(tmp_path):
    file = tmp_path / "mine.cu"
    file.write_text("template <typename T> __global__ void f(T* x) {\n    x[0] = nothing(x[1]);\n}\n")
    with pytest.raises(KernelError) as raised:
        nvrtc.compile(Source(file), ["f<float>"], "sm_80")
    assert f'{file}:2: error: identifier "nothing" is undefined' in str(raised.value)
    assert "x[0] = nothing(x[1]);" in str(raised.value)


def test_an_error_in_a_header_names_the_header(tmp_path):
    (tmp_path / "part.cuh").write_text("\n\nint wrong = ;\n")
    (tmp_path / "mine.cu").write_text('#include "part.cuh"\n')
    with pytest.raises(KernelError, match=r"part\.cuh:3: error: expected an expression"):
        nvrtc.compile(Source(tmp_path / "mine.cu"), ["f<float>"], "sm_80")


def test_an_error_in_a_text_names_it():
    with pytest.raises(KernelError, match=r"^given\.cu:1: error: .*\n  broken\n"):
        nvrtc.compile(Source(text="broken\n", name="given.cu"), ["f<float>"], "sm_80")


def test_an_unknown_instance_and_an_unknown_architecture():
    with pytest.raises(KernelError, match='instance: error: identifier "absent" is undefined'):
        nvrtc.compile(Source(text=SUM), ["absent<float>"], "sm_80")
    with pytest.raises(KernelError, match="sm_999.* compiles for .*sm_90"):
        nvrtc.compile(Source(text=SUM), ["total<float>"], "sm_999")
    with pytest.raises(KernelError, match="no instance"):
        nvrtc.compile(Source(text=SUM), [], "sm_80")


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cuda.bindings.nvrtc", None)
    nvrtc.toolchain.cache_clear()
    try:
        with pytest.raises(KernelError, match=r"pip install 'gpugrad\[cuda13\]'.*'gpugrad\[cuda12\]'"):
            nvrtc.compile(Source(text=SUM), ["total<float>"], "sm_80")
    finally:
        nvrtc.toolchain.cache_clear()


# ---- the cache


def test_a_carried_cache_serves_machines_with_another_nvrtc_and_with_none(cache, no_compiler, monkeypatch):

    def absent():
        raise KernelError("no NVRTC")

    nvrtc.carry()
    made = nvrtc.compile(Source(text=SUM), ["total<float>"], "sm_90a")
    no_compiler()
    monkeypatch.setattr(nvrtc, "toolchain", lambda: nvrtc.Toolchain((12, 0), cache, "12000"))
    assert nvrtc.compile(Source(text=SUM), ["total<float>"], "sm_90a") == made
    monkeypatch.setattr(nvrtc, "toolchain", absent)
    assert nvrtc.compile(Source(text=SUM), ["total<float>"], "sm_90a") == made
    (cache / nvrtc._CARRIED).unlink()
    with pytest.raises(KernelError, match="no NVRTC"):
        nvrtc.compile(Source(text=SUM), ["total<float>"], "sm_90a")


def test_what_was_compiled_is_found(cache, no_compiler):
    first = nvrtc.compile(Source(text=SUM), ["total<float>", "total<double>"], "sm_80")
    files = {file: file.stat().st_mtime_ns for file in cache.iterdir()}
    no_compiler()
    assert nvrtc.compile(Source(text=SUM), ["total<float>", "total<double>"], "sm_80") == first
    single = nvrtc.compile(Source(text=SUM), ["total<double>"], "sm_80")
    assert (single.path, single.names) == (first.path, {"total<double>": first.names["total<double>"]})
    assert {file: file.stat().st_mtime_ns for file in cache.iterdir()} == files
    for other in ({"arch": "sm_90a"}, {"options": ["-DX"]}, {"instances": ["total<__half>"]}):
        arguments = {"source": Source(text=SUM), "instances": ["total<float>"], "arch": "sm_80", **other}
        with pytest.raises(AssertionError, match="compiled again"):
            nvrtc.compile(**arguments)


def test_an_edited_header_is_compiled_again(tmp_path):
    source = Source(tmp_path / "mine.cu")
    (tmp_path / "mine.cu").write_text(
        '#include "a.cuh"\ntemplate <int N> __global__ void f(int* x) { *x = VALUE + N; }\n'
    )
    (tmp_path / "a.cuh").write_text('#include "b.cuh"\n')
    (tmp_path / "b.cuh").write_text("#define VALUE 1\n")
    before = nvrtc.compile(source, ["f<1>"], "sm_80")
    (tmp_path / "b.cuh").write_text("#define VALUE 2\n")
    after = nvrtc.compile(source, ["f<1>"], "sm_80")
    assert before.path != after.path and before.path.is_file()


@pytest.mark.parametrize("suffix", [".cubin", ".json"])
def test_a_damaged_entry_is_rebuilt(cache, suffix):
    first = nvrtc.compile(Source(text=SUM), ["total<float>"], "sm_80")
    content = first.path.read_bytes()
    for file in cache.glob(f"*{suffix}"):
        file.write_bytes(file.read_bytes()[:-9])
    assert nvrtc.lookup(Source(text=SUM), ["total<float>"], "sm_80") is None
    again = nvrtc.compile(Source(text=SUM), ["total<float>"], "sm_80")
    assert again.path.read_bytes() == content and again.names == first.names


def test_processes_compile_at_the_same_time(cache, tmp_path):
    (tmp_path / "mine.cu").write_text(SUM)
    code = (
        "import sys; from pathlib import Path; from gpugrad.backend.cuda import nvrtc, sources\n"
        "source = sources.Source(Path(sys.argv[1]))\n"
        "for T in ('float', 'double'): print(nvrtc.compile(source, [f'total<{T}>'], 'sm_80').path)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "mine.cu")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    printed = [process.communicate()[0].split() for process in running]
    assert [process.returncode for process in running] == [0] * 4
    assert all(paths == printed[0] for paths in printed) and len(printed[0]) == 2
    assert sorted(file.suffix for file in cache.iterdir()) == [".cubin", ".cubin", ".json", ".json"]
    assert all(hashlib.sha256(file.read_bytes()).hexdigest() == file.stem for file in cache.glob("*.cubin"))


def test_a_cache_that_cannot_be_written_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GPUGRAD_CACHE", str(tmp_path / "file"))
    with pytest.raises(KernelError, match="GPUGRAD_CACHE"):
        nvrtc.compile(Source(text=SUM), ["total<float>"], "sm_80")


# ---- resources


@pytest.mark.parametrize("arch", ARCHS)
def test_resources_of_each_instance(arch):
    found = resources(nvrtc.compile(Source(text=SUM), ["total<float>", "total<double>", "hold<64>"], arch))
    assert {name: taken.shared_bytes for name, taken in found.items()} == {
        "total<float>": 32 * 4, "total<double>": 32 * 8, "hold<64>": 64 * 4,
    }  # fmt: skip
    assert all(8 <= taken.registers <= 64 and taken.spill_bytes == 0 for taken in found.values())


def test_spills_are_reported():
    found = resources(nvrtc.compile(Source(text=SPILL), ["crowded<2>", "crowded<48>"], "sm_80"))
    assert found["crowded<2>"].spill_bytes == 0
    crowded = found["crowded<48>"]
    assert crowded.spill_bytes >= 2 * 4 * (48 - 32) and crowded.stack_bytes > 0 and crowded.registers == 32
    roomy = SPILL.replace("__launch_bounds__(1024, 2)", "")
    assert resources(nvrtc.compile(Source(text=roomy), ["crowded<48>"], "sm_80"))["crowded<48>"].spill_bytes == 0


def test_a_function_that_was_not_inlined_has_its_own_row():
    found = resources(nvrtc.compile(Source(text=ALONE), ["calls<float>"], "sm_80"))
    assert "calls<float>" in found and any("apart" in name for name in found)


# ---- gpugrad precompile


def test_precompile_serves_later_launches(families, no_compiler, capsys):
    names = [f"total<{T}>" for T in ("float", "double", "__half")] + [f"hold<{n}>" for n in range(32, 40)]
    family = Kernels(Source(text=SUM, name="sum.cu"), lambda: names)
    assert main(["precompile", "--arch", *ARCHS, "--check"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[0][:4] == ["family", "target", "kernels", "compiled"]
    assert [row[:4] for row in rows[1:3]] == [["sum.cu", arch, "11", "11"] for arch in ARCHS]
    assert rows[1][-2:] == ["256", "0"]
    no_compiler()
    for name in names:
        assert nvrtc.compile(family.source, [name], "sm_90a").names.keys() == {name}
    assert main(["precompile", "--arch", "sm_90a", "--check"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:4] == ["sum.cu", "sm_90a", "11", "0"]


def test_precompile_check_fails_on_spills(families, capsys):
    Kernels(Source(text=SPILL, name="crowd.cu"), lambda: ["crowded<2>", "crowded<48>"])
    assert main(["precompile", "--arch", "sm_80", "--check"]) == 1
    out = capsys.readouterr().out
    assert "sm_80: crowd.cu: crowded<48> spills" in out and "crowded<2> spills" not in out
    assert main(["precompile", "--arch", "sm_80"]) == 0


def test_precompile_check_allows_declared_spills(families, capsys):
    Kernels(Source(text=SPILL, name="crowd.cu"), lambda: ["crowded<48>"], spills={"crowded<4*>": "a test of spills"})
    assert main(["precompile", "--arch", "sm_80", "--check"]) == 0
    assert "as allowed: a test of spills" in capsys.readouterr().out


def test_precompile_check_fails_on_static_shared_memory(families, capsys):
    Kernels(Source(text=SUM, name="sum.cu"), lambda: ["hold<12288>", "hold<12289>"])
    assert main(["precompile", "--arch", "sm_90a", "--check"]) == 1
    assert "shared" in capsys.readouterr().out.splitlines()[2]


def test_precompile_goes_on_after_an_error(families, capsys):
    Kernels(Source(text="broken", name="a.cu"), lambda: ["f<1>"])
    Kernels(Source(text=SUM, name="b.cu"), lambda: ["total<float>"])
    assert main(["precompile", "--arch", "sm_80"]) == 1
    out = capsys.readouterr().out
    assert out.splitlines()[2].split()[:4] == ["b.cu", "sm_80", "1", "1"] and "sm_80: a.cu:1: error:" in out
    assert main(["precompile", "--arch", "sm_80", "--family", "b"]) == 0
    assert main(["precompile", "--arch", "sm_80", "--family", "c"]) == 2
    assert "there is no c among the families a, b" in capsys.readouterr().err


def test_doctor_names_the_compiler(capsys):
    main(["doctor"])
    tools = nvrtc.toolchain()
    assert f"{tools.version[0]}.{tools.version[1]}, headers in {tools.headers}" in capsys.readouterr().out
