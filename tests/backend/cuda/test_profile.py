"""Profiles of planted kernels: what the requests of a warp touch is known by hand."""

from pathlib import Path

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.backend.cuda.emulator import allocate, available, build
from gpugrad.backend.cuda.sources import Source
from gpugrad.errors import KernelError

pytestmark = pytest.mark.skipif(available() is not None or not gg.cuda.is_emulated(), reason="needs the emulator")

SOURCE = Source(Path(__file__).with_name("planted_accesses.cu"))
NAMES = [
    "strided", "offset", "vectors<float4>", "vectors<float2>", "taken_apart", "doubles", "bytes", "banks", "wide_banks",
    "pair_banks", "transposed<0>", "transposed<1>", "counters", "halves", "uneven", "alternating", "long_loop",
    "copied", "fragments",
]  # fmt: skip


def zeros(n, dtype=np.float32):
    array = allocate(n * np.dtype(dtype).itemsize).view(dtype)
    array[:] = 0
    return array


def run(name, *args, block=(64,), grid=(2,), **options):
    function = build(SOURCE, NAMES, record=True)[name]
    with gg.cuda.profile(**options) as profile:
        function.launch(grid, block, args)
    (kernel,) = profile
    return kernel


def line_of(kernel, text):
    (line,) = [line for line in kernel.by_line().values() if text in line.text]
    return line


def measured(kernel, kind):
    """Return requests, units, the least units, and lanes."""
    found = kernel.total(kind)
    return found.requests, found.units, found.least, found.lanes


# ---- sectors of global memory: 4 warps of 32 lanes


@pytest.mark.parametrize(("stride", "sectors"), [(1, 4), (2, 8), (4, 16), (8, 32), (32, 32), (0, 1)])
def test_sectors_of_a_stride(stride, sectors):
    kernel = run("strided", zeros(128), zeros(128 * 32), np.int32(stride))
    least = 1 if stride == 0 else 4  # a broadcast needs no more than it takes
    assert measured(kernel, "load") == (4, 4 * sectors, 4 * least, 128)
    assert measured(kernel, "store") == (4, 16, 16, 128)
    load = kernel.total("load")
    assert load.worst == load.per_request == sectors and load.efficiency == least / sectors and load.width == 4
    assert load.active == kernel.active == 1.0


def test_rows_that_begin_between_sectors():
    kernel = run("offset", zeros(160), zeros(160), np.int32(1))
    assert measured(kernel, "load") == measured(kernel, "store") == (4, 20, 16, 128)
    assert kernel.efficiency == 0.8
    assert (kernel.touched.read, kernel.touched.sectors_read) == (512, 17 * 32)  # neighbours share a sector
    assert kernel.bound.limit == "memory" and kernel.bound.of_peak == 512 / (17 * 32)


@pytest.mark.parametrize(("T", "width"), [("float4", 16), ("float2", 8)])
def test_a_vector_is_one_request(T, width):
    kernel = run(f"vectors<{T}>", zeros(512), zeros(512))
    for kind in ("load", "store"):
        assert measured(kernel, kind) == (4, 4 * width, 4 * width, 128) and kernel.total(kind).width == width
    touched = 128 * width
    assert [(a.parameter, a.bytes, a.touched.read, a.touched.written) for a in kernel.arrays] == [
        (0, 2048, 0, touched),
        (1, 2048, touched, 0),
    ]


def test_a_structure_of_floats_takes_an_instruction_for_each():
    kernel = run("taken_apart", zeros(128), zeros(512))
    assert measured(kernel, "load") == (16, 16 * 16, 16 * 4, 512) and kernel.total("load").width == 4


def test_other_widths():
    kernel = run("doubles", zeros(128, np.float64), zeros(128, np.float64))
    assert measured(kernel, "load") == (8, 4 * 8 + 4 * 1, 4 * 8 + 4, 256)
    assert measured(run("bytes", zeros(128, np.int8), zeros(128, np.int8)), "load") == (4, 4, 4, 128)


def test_the_last_warp_is_partial():
    kernel = run("strided", zeros(80), zeros(80), np.int32(1), block=(40,))
    assert measured(kernel, "store") == (4, 10, 10, 80)
    assert kernel.total("store").active == 80 / 128 and kernel.active == 80 / 128


# ---- banks of shared memory


@pytest.mark.parametrize(("stride", "turns"), [(1, 1), (2, 2), (3, 1), (8, 8), (32, 32), (33, 1), (0, 1)])
def test_bank_conflicts(stride, turns):
    kernel = run("banks", zeros(64), np.int32(stride), grid=(1,))
    (read,) = line_of(kernel, "the read").accesses[1:]
    assert (read.kind, read.requests, read.units, read.least) == ("shared load", 2, 2 * turns, 2)
    assert kernel.conflicts == 2 * (turns - 1) and kernel.total("shared store").conflicts == 0
    assert kernel.operations == {"__syncthreads": 2}


@pytest.mark.parametrize(("stride", "turns"), [(1, 4), (2, 8), (8, 32), (0, 4)])
def test_wide_accesses_take_a_turn_for_eight_lanes(stride, turns):
    kernel = run("wide_banks", zeros(256), np.int32(stride), grid=(1,), block=(32,))
    (read,) = line_of(kernel, "the read").accesses[1:]
    assert (read.kind, read.width, read.units, read.least) == ("shared load", 16, turns, 4)


def test_pairs_take_a_turn_for_sixteen_lanes():
    kernel = run("pair_banks", zeros(128), grid=(1,), block=(32,))  # 16 bytes apart: two words of a bank in each half
    assert measured(kernel, "shared store") == measured(kernel, "shared load") == (1, 4, 2, 32)


@pytest.mark.parametrize(("padding", "turns"), [(0, 32), (1, 1)])
def test_a_column_of_more_than_one_dimension(padding, turns):
    kernel = run(f"transposed<{padding}>", zeros(1024), zeros(1024), grid=(1,), block=(32, 32))
    assert measured(kernel, "shared load") == (32, 32 * turns, 32, 1024)
    assert measured(kernel, "shared store") == (32, 32, 32, 1024)


def test_atomics():
    kernel = run("counters", zeros(128, np.int32), zeros(8, np.int32))
    assert measured(kernel, "shared atomic") == (4, 128, 4, 128)  # on one word they come one after the other
    assert measured(kernel, "atomic") == (4, 4, 4, 128)


# ---- lanes


def test_a_branch_that_half_of_the_lanes_take():
    kernel = run("halves", zeros(128), zeros(128), np.int32(50))
    assert line_of(kernel, "the work").active == 0.5 and line_of(kernel, "the half").active < 0.52
    assert measured(kernel, "load") == (4, 16, 16, 128)
    assert measured(kernel, "store") == (8, 16, 16, 128)  # each half by itself
    assert 0.5 < kernel.active < 0.56


def test_a_loop_that_ends_lane_by_lane():
    kernel = run("uneven", zeros(32), zeros(32), grid=(1,), block=(32,))
    assert measured(kernel, "load") == (32, 32, 32, 32 * 33 // 2)
    assert measured(kernel, "store") == (1, 4, 4, 32)  # all lanes together again


def test_lanes_that_take_turns_are_not_taken_together():
    kernel = run("alternating", zeros(320), zeros(32), np.int32(10), grid=(1,), block=(32,))
    assert measured(kernel, "load") == (10, 10, 10, 160)
    assert measured(kernel, "store") == (10, 40, 20, 160)


def test_a_loop_longer_than_a_trace():
    kernel = run("long_loop", zeros(32), zeros(256), np.int32(20_000), grid=(1,), block=(32,))
    assert measured(kernel, "load") == (20_000, 80_000, 80_000, 640_000)
    assert measured(kernel, "store") == (1, 4, 4, 32)


# ---- what warps do together


def test_asynchronous_copies_read_and_write():
    kernel = run("copied", zeros(256), zeros(256), grid=(1,))
    load, store = line_of(kernel, "the copy").accesses
    assert (load.kind, load.requests, load.units, load.width) == ("load", 2, 32, 16)
    assert (store.kind, store.requests, store.units, store.conflicts) == ("shared store", 2, 8, 0)


@pytest.mark.parametrize(("row", "turns"), [(4, 4), (8, 8), (32, 32)])  # words from row to row
def test_rows_of_fragments(row, turns):
    kernel = run("fragments", zeros(32), np.int32(row), grid=(1,), block=(32,))
    (rows,) = line_of(kernel, "the rows").accesses
    assert (rows.units, rows.least, rows.width) == (turns, 4, 16)
    assert kernel.operations["mma_m16n8k16"] == 1 and kernel.tensor_operations == {"mma_m16n8k16": 4096}
    assert kernel.bound.seconds["tensor cores"] == 4096 / 989.5e12


# ---- the face


def test_a_profile_holds_the_launches_of_its_block():
    text = "__global__ void twice(float* x) {\n    x[threadIdx.x] *= 2;\n}"
    twice = gg.cuda.Kernels(gg.cuda.Source(text=text, name="twice.cu"))
    x = gg.ones(64, device="cuda")
    with gg.cuda.profile("T4") as profile:
        for _ in range(2):
            twice.launch("twice", grid=(1,), block=(64,), args=(x._array,))
    twice.launch("twice", grid=(1,), block=(64,), args=(x._array,))
    assert x.tolist() == [8.0] * 64
    assert [kernel.name for kernel in profile] == ["twice", "twice"] and profile.bytes == 2 * 2 * 256
    (line,) = profile.kernels[0].lines
    assert line.text == "x[threadIdx.x] *= 2;" and str(line) == "twice.cu:2"
    text = str(profile)
    assert "twice.cu:2  store" in text and "T4, a model: bound by memory, at 100 % of the GPU's peak" in text


def test_what_is_refused(monkeypatch):
    with pytest.raises(KernelError, match="'H9' are not known here; known are H200, A100, RTX 4090, T4"):
        with gg.cuda.profile("H9"):
            pass
    monkeypatch.delenv("GPUGRAD_CUDA")
    with pytest.raises(KernelError, match="GPUGRAD_CUDA=emulate"):
        with gg.cuda.profile():
            pass
