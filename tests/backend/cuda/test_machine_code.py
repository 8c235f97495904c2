"""What the disassembled kernels say: the hottest part, occupancy, the table and what makes a kernel worse than it."""

import dataclasses
from fnmatch import fnmatchcase

import pytest

from gpugrad.amp import cuda as _amp  # noqa: F401
from gpugrad.backend.cuda import machine_code, nvrtc
from gpugrad.backend.cuda.launch import Block, Kernels
from gpugrad.backend.cuda.machine_code import Instruction, Profile, profile
from gpugrad.backend.cuda.occupancy import multiprocessor, occupancy
from gpugrad.backend.cuda.resources import Resources, resources
from gpugrad.backend.cuda.sources import Source
from gpugrad.cli import code_table, main
from gpugrad.errors import KernelError
from gpugrad.ops import ops_with_path
from gpugrad.optim import cuda as _optim  # noqa: F401

ops_with_path("cuda")  # declares the families, as the two imports do, before a test replaces their list


def code(text):
    """Instructions from lines such as `@P0 BRA 0x20`."""
    made = []
    for line in text.strip().splitlines():
        words = line.split()
        guard = words.pop(0) if words[0].startswith("@") else ""
        made.append(Instruction(guard, words[0], " ".join(words[1:])))
    return made


# Instruction i lies at 16 i. The loop 2-9 has a slow way (3-5) and a quick one around it.
LOOP = """
S2R R0
MOV R1
LDG.E.128 R4
@P1 BRA 0x60
CALL.REL 0x900
MOV R2
FADD R3
STG.E.64 R4
IADD3 R0
@P0 BRA 0x20
LDG.E R9
EXIT
"""


def test_the_hottest_part_is_the_quickest_way_through_the_loop_with_the_work():
    found = profile(code(LOOP))
    assert found == Profile(6, tensor=0, loads={16: 1}, stores={8: 1}, shared=0, is_loop=True)
    assert found.global_bytes == 24


def test_products_are_the_work_where_there_are_any():
    found = profile(
        code("LDG.E.128 R0\nBRA 0x20\nHMMA.16816 R1\nLDSM.16.M88.4 R2\nLDGSTS.E.128 R3\n@P0 BRA 0x20\nEXIT")
    )
    assert (found.tensor, found.shared, found.instructions, found.loads) == (1, 32, 4, {16: 1})


def test_code_without_a_loop():
    found = profile(code("LDG.E.U16 R0\n@P0 EXIT\nLDG.E.64 R1\nSTG.E.64 R2\nEXIT\nNOP"))
    assert found == Profile(5, tensor=0, loads={8: 1, 2: 1}, stores={8: 1}, shared=0, is_loop=False)


def test_occupancy():
    taken = Resources(registers=97, shared_bytes=1024)
    # 104 registers a thread of 128: 13312 a block. 2 KiB and the system's 1 KiB of shared memory.
    assert occupancy(taken, 128, 1024, multiprocessor("sm_80")) == (4, 54, 16)
    assert occupancy(Resources(registers=32), 1024, 100 << 10, multiprocessor("sm_90a")) == (2, 2, 2)
    with pytest.raises(KernelError, match="limits of sm_70 are not known"):
        multiprocessor("sm_70")


ROW = code_table.Row(
    "f<float, 2>", 128, 2048, 40, 0, "12 / 50 / 16", 48, "2 x 16", "1 x 16 + 1 x 4", 0, 0, 100, "memory", "1.00"
)


@pytest.mark.parametrize(
    "change,words",
    [
        (dict(instructions=106), "instructions 100 -> 106"), (dict(warps=40), "warps 48 -> 40"),
        (dict(spilled=4), "spilled 0 -> 4"), (dict(shared=4096), "shared 2048 -> 4096"),
        (dict(stores="5 x 4"), "stores"), (dict(instructions=105, warps=64, registers=42, loads="1 x 16"), None),
    ],
)  # fmt: skip
def test_what_is_worse(change, words):
    found = code_table.worse(dataclasses.replace(ROW, **change), ROW)
    assert not found if words is None else len(found) == 1 and words in found[0]


def test_the_table_is_read_as_it_is_written():
    text = code_table.written("# Head\n\nprose\n", {"sm_80": ("13.5", [ROW]), "sm_90a": ("13.5", [])})
    assert text.startswith("# Head\n\nprose\n\n### sm_80, NVRTC 13.5\n")
    assert code_table.read(text) == {"sm_80": ("13.5", {ROW.kernel: ROW}), "sm_90a": ("13.5", {})}
    assert code_table.written(text, {"sm_80": ("13.5", [ROW])}).count("prose") == 1


def test_the_committed_table_has_every_typical_kernel():
    tables = code_table.read(code_table.path().read_text())
    known = {kernel for family in Kernels.families for kernel in family.typical()}
    assert set(tables) == {"sm_80", "sm_90a"}
    assert all(set(rows) == known for _, rows in tables.values())
    spilled = {row.kernel for _, rows in tables.values() for row in rows.values() if row.spilled}
    assert all(any(fnmatchcase(k, p) for family in Kernels.families for p in family.spills) for k in spilled)


def test_typical_kernels_are_instances():
    for family in Kernels.families:
        assert set(family.typical()) <= set(family.instances()), family.source.name


COPY = """
extern "C" __global__ void copy(float4* out, const float4* x, int n) {
    for (int i = threadIdx.x; i < n; i += 32) out[i] = x[i];
}
"""


@pytest.mark.skipif(nvrtc.diagnose() is not None, reason=f"needs NVRTC: {nvrtc.diagnose()}")
@pytest.mark.skipif(machine_code.disassembler() is None, reason="needs nvdisasm")
def test_precompile_compares_with_the_table(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GPUGRAD_CACHE", str(tmp_path))
    monkeypatch.setattr(Kernels, "families", [])
    family = Kernels(Source(text=COPY, name="copy.cu"), lambda: ["copy"], typical=lambda: {"copy": Block(256)})
    table = tmp_path / "table.md"
    table.write_text("# Table\n")
    monkeypatch.setattr(code_table, "path", lambda: table)
    run = ["precompile", "--arch", "sm_80", "--typical", "--check"]
    assert main(run) == 1 and "copy is not in table.md" in capsys.readouterr().out
    assert main([*run, "--write"]) == 0
    [row] = code_table.read(table.read_text())["sm_80"][1].values()
    cubin = nvrtc.compile(family.source, ["copy"], "sm_80")
    assert row.registers == resources(cubin)["copy"].registers and row.threads == 256
    assert row.loads == row.stores and row.loads.endswith(" x 16")
    assert main(run) == 0
    table.write_text(table.read_text().replace(f" | {row.instructions} | ", f" | {row.instructions // 2} | "))
    capsys.readouterr()
    assert main(run) == 1
    assert (
        f"sm_80: copy became worse: instructions {row.instructions // 2} -> {row.instructions}"
        in capsys.readouterr().out
    )
    table.write_text(table.read_text().replace("NVRTC ", "NVRTC 1"))
    assert main(run) == 0 and "not compared" in capsys.readouterr().out
