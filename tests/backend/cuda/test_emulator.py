"""The emulator: CUDA's semantics on the CPU, and the mistakes that it must find."""

import ctypes
import faulthandler
import gc
import math
import multiprocessing
import re
import sys
import threading
import time
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from reliability.planted_faults import (
    FAULT_NAMES,
    FOUND_ALWAYS,
    FOUND_BY_THE_COMPILER,
    FOUND_IN_CHECK_MODE,
    SHOWN_AS_A_PATTERN,
    SHOWN_AS_NAN,
    WITHOUT_LINE,
    WITHOUT_THREAD,
    WRONG_LAUNCHES,
    array,
    count,
    empty,
    fault,
    line_of,
    run_fault,
)

from gpugrad.backend.cuda import emulator
from gpugrad.backend.cuda.emulator import allocate, build, current, options
from gpugrad.backend.cuda.sources import Source
from gpugrad.errors import EmulatorError, KernelError

pytestmark = pytest.mark.skipif(emulator.available() is not None, reason=str(emulator.available()))

HERE = Path(__file__).parent
SEMANTICS = HERE / "emulator_semantics.cu"
SEMANTICS_NAMES = """
    positions device_variables copies early_return look_back grid_barrier to_integers
    by_value reversed row_sums<float> row_sums<__half> row_sums<__nv_bfloat16> row_sums<double>
    warp_operations warps_without_barriers barrier_votes histogram more_atomics lock_within_a_block last_block
    mathematics integers to_storage<__half> to_storage<__nv_bfloat16> storage_operators<__half>
    storage_operators<__nv_bfloat16> pairs product_16bit<__half> product_16bit<__nv_bfloat16> product_tf32
    pipeline says_hello
""".split()
MODES = [dict(), dict(schedule="reverse"), *(dict(schedule="random", seed=seed) for seed in range(3))]
MODES += [dict(check=True), dict(check=True, schedule="random", seed=7), dict(check=True, schedule="reverse")]


def good(name):
    return build(Source(SEMANTICS), SEMANTICS_NAMES, check=current().check)[name]


@pytest.fixture(params=MODES, ids=lambda mode: "-".join(map(str, mode.values())) or "forward")
def mode(request):
    with options(**request.param) as chosen:
        yield chosen


# ---- planted faults


def assert_found(name, words):
    with pytest.raises(EmulatorError, match=words) as caught:
        run_fault(name)
    text = str(caught.value)
    assert text.startswith(f"{name}: ")
    assert re.search(r"block \(\d+,0,0\)", text)
    if name not in WITHOUT_THREAD:
        assert re.search(r", thread \(\d+,0,0\)$", text)
    if name not in WITHOUT_LINE:
        assert f"planted_faults.cu:{line_of(name)}" in text
    assert_usable()


def assert_usable():
    y, x = empty(64), array(np.arange(64))
    good("reversed").launch((1,), (64,), [y, x], 256)
    np.testing.assert_array_equal(y, x[::-1])


def test_every_planted_fault_is_tested():
    assert sorted(FAULT_NAMES) == sorted(
        [*FOUND_IN_CHECK_MODE, *FOUND_ALWAYS, *FOUND_BY_THE_COMPILER, *SHOWN_AS_NAN, *SHOWN_AS_A_PATTERN]
    )


def test_planted_faults_are_counted():
    found = count()
    assert (found.caught, found.missed) == (found.planted, [])
    assert str(found) == f"planted faults caught: {len(FAULT_NAMES) + len(WRONG_LAUNCHES)} of {found.planted}"


@pytest.mark.parametrize("name", [*FOUND_IN_CHECK_MODE, *FOUND_ALWAYS])
@pytest.mark.parametrize("schedule", ["forward", "random"])
def test_check_mode_finds(name, schedule):
    with options(check=True, timeout=0.1, schedule=schedule, seed=3):
        words = (FOUND_IN_CHECK_MODE | FOUND_ALWAYS)[name]
        if schedule == "random":  # who comes first is drawn
            words = words.replace("read and an earlier write by", ".* and an earlier .* by")
            words = words.replace(r"\(0,0,0\)", ".*").replace("lane 0", "lane .*").replace("offset 0", r"offset \d+")
        assert_found(name, words)


@pytest.mark.parametrize("name", FOUND_ALWAYS)
def test_normal_mode_finds(name):
    with options(timeout=0.1):
        assert_found(name, FOUND_ALWAYS[name])


SHOWN_OUTSIDE_CHECK_MODE = ["uninitialised_shared", "uninitialised_dynamic", "missing_wait"]


@pytest.mark.parametrize(
    "name, check",
    [
        *((name, check) for name in SHOWN_AS_NAN for check in (False, True)),
        *((n, False) for n in SHOWN_OUTSIDE_CHECK_MODE),
    ],
)
def test_what_was_never_written_is_nan(name, check):
    with options(check=check):
        y = run_fault(name)
    assert np.isnan(y).nonzero()[0].tolist() == [7]


def test_a_copy_that_has_not_arrived_is_nan_although_the_stage_was_used_before():
    assert np.isnan(run_fault("waits_for_one_group_too_few")).all()


@pytest.mark.parametrize("name", FOUND_BY_THE_COMPILER)
def test_check_builds_refuse_variables_that_may_be_uninitialised(name):
    words = FOUND_BY_THE_COMPILER[name]
    with options(check=True), pytest.raises(KernelError, match=rf"planted_faults\.cu:{line_of(name)}:\d+: .*{words}"):
        fault(name)


def test_a_local_array_begins_with_a_pattern_in_check_mode():
    with options(check=True):
        y = run_fault("uninitialised_local_array")
    assert y[7] < -1e38


def test_an_error_in_a_text_names_its_line():
    text = "__global__ void shift(float* y, const float* x) {\n    y[threadIdx.x + 1] = x[threadIdx.x];\n}\n"
    function = build(Source(text=text, name="shift.cu"), ["shift"], check=True)["shift"]
    with options(check=True), pytest.raises(EmulatorError, match=r"out-of-bounds write .*, at shift\.cu:2, block"):
        function.launch((1,), (64,), [empty(64), empty(64)])


def test_a_race_shows_in_the_values_under_some_schedule():
    def values(**how):
        with options(**how):
            return run_fault("missing_barrier")

    expected = np.arange(64, 0, -1)
    assert any(not np.array_equal(values(schedule=s), expected) for s in ("forward", "reverse"))


def test_a_fault_is_found_although_faulthandler_came_later():
    was_on = faulthandler.is_enabled()
    try:
        with options(timeout=0.1):
            assert_usable()
            with open("/dev/null", "w") as nowhere:
                faulthandler.enable(nowhere)
                assert_found("null_pointer", "null pointer")
                faulthandler.disable()
    finally:
        if was_on:
            faulthandler.enable(sys.__stderr__)


# ---- semantics


def test_positions_in_grid_and_block(mode):
    y = empty(2 * 3 * 2 * 70, np.int32)
    good("positions").launch((2, 3, 2), (5, 7, 2), [y])
    blocks, threads = np.divmod(np.arange(y.size), 70)
    np.testing.assert_array_equal(y, 1000 * blocks + threads)


class Scale(ctypes.Structure):
    _fields_ = [("factor", ctypes.c_float), ("shift", ctypes.c_int32), ("more", ctypes.c_void_p)]


def test_structures_constants_and_null_pointers(mode):
    x, more, y = array(np.arange(8)), array(100 * np.arange(8)), empty(8)
    good("by_value").launch((1,), (8,), [y, x, Scale(0.5, 3, more.ctypes.data), None])
    np.testing.assert_array_equal(y, x * 0.5 + 3 + more + np.tile([1, 10, 100, 1000], 2) + 1)


def test_dynamic_shared_memory(mode):
    assert_usable()


@pytest.mark.parametrize(
    "name, dtype",
    [("float", np.float32), ("double", np.float64), ("__half", np.float16), ("__nv_bfloat16", ml_dtypes.bfloat16)],
)
@pytest.mark.parametrize("n", [1, 257])
def test_block_reductions(mode, name, dtype, n):
    x = array(np.random.default_rng(n).normal(size=(3, n)), dtype)
    x[1, -1] = np.nan
    y = empty((3, 2), dtype)
    good(f"row_sums<{name}>").launch((3,), (96,), [y, x, np.int32(n)])
    wide = x.astype(np.float64)
    expected = np.stack([wide.sum(1), wide.max(1)], 1)
    np.testing.assert_allclose(y.astype(np.float64), expected, rtol=2 * float(ml_dtypes.finfo(dtype).eps), atol=1e-4)


@pytest.mark.parametrize("width, by", [(32, 1), (32, 5), (8, 3), (16, 17), (2, 1)])
def test_warp_operations(mode, width, by):
    y = empty((10, 32), np.int32)
    good("warp_operations").launch((1,), (32,), [y, np.int32(width), np.int32(by)])
    lane = np.arange(32)
    first = lane - lane % width
    up, down, xor = lane - by, lane + by, lane ^ by
    expected = [
        10 * (first + by % width),
        10 * np.where(up < first, lane, up),
        10 * np.where(down >= first + width, lane, down),
        10 * np.where(xor >= first + width, lane, xor),
        np.full(32, sum(1 << i for i in range(0, 32, 3))).astype(np.int32),
        np.full(32, 2),
        np.array([0x11111111 << i for i in range(4)] * 8).astype(np.uint32).astype(np.int32),
        np.zeros(32),  # all lanes match: 0xffffffff + 1
        np.full(32, 496),
        np.where(lane % 2, (1.5 * (lane ^ 2)).astype(int), -1),
    ]
    np.testing.assert_array_equal(y, np.array(expected, np.int32))


def test_lanes_ordered_by_syncwarp(mode):
    x, y = array(np.arange(64)), empty(64)
    good("warps_without_barriers").launch((1,), (64,), [y, x])
    np.testing.assert_array_equal(y, x.reshape(2, 32)[:, ::-1].ravel())


def test_barrier_votes(mode):
    y = empty(48, np.int32)
    good("barrier_votes").launch((1,), (48,), [y])
    assert set(y.tolist()) == {24 + 2000}


@pytest.mark.parametrize("n", [128, 96, 32])
def test_threads_may_return_before_a_barrier_of_the_others(mode, n):
    x, y = array(np.arange(128)), array(np.full(128, -1))
    good("early_return").launch((1,), (128,), [y, x, np.int32(n)])
    i = np.arange(128)
    np.testing.assert_array_equal(y, np.where(i < n, (i ^ 1) + i // 32, -1))


def test_a_block_may_wait_for_another(mode):
    x, y = array(np.arange(12)), array(np.zeros(12))
    good("look_back").launch((12,), (64,), [y, x, array([0], np.uint32), array(np.zeros(12), np.int32)])
    np.testing.assert_array_equal(y, np.cumsum(x))


def test_a_barrier_of_the_grid(mode):
    x, y, partial = array(np.arange(1, 33)), empty(32), empty(32)
    good("grid_barrier").launch((32,), (96,), [y, partial, x, array([0], np.uint32)])
    np.testing.assert_array_equal(y, x.sum() + 1000 * x)


def test_more_waiting_blocks_than_run_at_once_are_an_error():
    x = array(np.zeros(40))
    with (
        options(timeout=0.2),
        pytest.raises(EmulatorError, match="blocks have begun and wait, and no more of this size"),
    ):
        good("grid_barrier").launch((40,), (1024,), [x, x, x, array([0], np.uint32)])


def test_device_variables(mode):
    y = empty(32, np.int32)
    good("device_variables").launch((1,), (32,), [y])
    assert (y == 8).all()


def test_copies_by_the_c_library(mode):
    x, y = array(np.arange(64)), empty(64)
    good("copies").launch((1,), (16,), [y, x])
    np.testing.assert_array_equal(y, x.reshape(16, 4)[::-1].ravel())


def test_conversions_to_integers_saturate(mode):
    x = array([1e20, 3e9, np.nan, -1e20, -3e9, 2.9, -2.9, np.inf, 2147483520, -(2.0**31), 9.3e18, 0])
    n = x.size
    narrow, wide, positive = empty(2 * n, np.int32), empty(2 * n, np.int64), empty(n, np.uint32)
    good("to_integers").launch((1,), (32,), [narrow, wide, positive, x, np.int32(n)])
    for y in (narrow, wide):
        limits = np.iinfo(y.dtype)
        whole = [0 if v != v else int(np.clip(float(v), -1e30, 1e30)) for v in x]
        assert y.tolist() == [min(max(v, limits.min), limits.max) for v in whole] * 2
    assert positive[[0, 1, 2, 5]].tolist() == [2**32 - 1, 3_000_000_000, 0, 2]


def test_atomics(mode):
    x = array(np.random.default_rng(0).integers(0, 7, 1000), np.int32)
    y = array(np.zeros(7), np.int32)
    good("histogram").launch((8,), (128,), [y, x, np.int32(1000)])
    np.testing.assert_array_equal(y, np.bincount(x, minlength=7))

    y, f, large, h = (array([0] * 5, t) for t in (np.int32, np.float32, np.uint64, np.float16))
    good("more_atomics").launch((1,), (32,), [y, f, large, h])
    assert y.tolist() == [31, -31, -1, -64, 5]
    assert (f[0], large[0], h[0]) == (16, 32 << 32, 32)


def test_a_lock_within_a_block_comes_free(mode):
    y, lock = array([0], np.int32), array([0], np.int32)
    good("lock_within_a_block").launch((2,), (96,), [y, lock])
    assert y[0] == 192


def test_the_last_block_may_read_what_fences_published(mode):
    x, y, partial, done = array(np.arange(512)), empty(1), empty(8), array([0], np.uint32)
    good("last_block").launch((8,), (64,), [y, x, partial, done])
    assert y[0] == x.sum()


def test_mathematics(mode):
    y = empty(27, np.float64)
    good("mathematics").launch((1,), (1,), [y, np.float64(0.3)])
    expected = [
        math.exp(0.3), 0.3**-0.5, 1 / 0.3, math.erf(0.3), math.erfc(0.3), math.log1p(0.3), math.expm1(0.3),
        math.lgamma(0.3), 0.5 * math.erfc(-0.3 / 2**0.5), 0.2724627147267543, 0.7328690779592167,
        math.exp(0.09) * math.erfc(0.3), -0.5244005127080409, math.cos(0.3 * math.pi), 10**0.3, 0.3 ** (1 / 3),
        0.3**-0.5, 2, -1, 0.3, 1, 1, 0.15, 2, -(2**31), 0, 1.09,
    ]  # fmt: skip
    np.testing.assert_allclose(y, expected, rtol=2e-7)


def test_integers(mode):
    y = empty(14, np.int64)
    good("integers").launch((1,), (1,), [y])
    assert y.tolist() == [8, 31, 32, 4, 2**31, 3, -1, 3, 0x3F800000, 0x77441100, 24, 15, 64, 63]


@pytest.mark.parametrize("name, dtype", [("__half", np.float16), ("__nv_bfloat16", ml_dtypes.bfloat16)])
def test_storage_types_round_to_even(name, dtype):
    every = np.arange(2**16, dtype=np.uint16)
    with np.errstate(invalid="ignore"):  # the NaNs among them
        every = every[np.isfinite(every.view(dtype))].view(dtype).astype(np.float64)
    halfway = np.sort(every)
    halfway = (halfway[1:] + halfway[:-1]) / 2
    beyond = [1e6, -1e30, np.inf, np.nan]
    wide = np.concatenate([every, halfway, halfway * (1 + 2**-40), halfway * (1 - 2**-40), beyond])
    with np.errstate(over="ignore"):
        x = array(wide.astype(np.float32))
        rounded = np.concatenate([x.astype(dtype), _correctly_rounded(wide, dtype)])
    y = empty(2 * wide.size, dtype)
    good(f"to_storage<{name}>").launch((1,), (64,), [y, x, array(wide, np.float64), np.int32(wide.size)])
    np.testing.assert_array_equal(y.astype(np.float32), rounded.astype(np.float32))


def _correctly_rounded(wide, dtype):
    """float64 to a 16-bit type in one rounding (through float32 it would be two)."""
    if dtype == np.float16:
        return wide.astype(np.float16)
    single = wide.astype(np.float32)
    odd = single.view(np.uint32).copy()
    inexact = np.isfinite(single) & (single.astype(np.float64) != wide)
    odd[inexact & (np.abs(single.astype(np.float64)) > np.abs(wide))] -= 1
    odd[inexact] |= 1
    return odd.view(np.float32).astype(dtype)


@pytest.mark.parametrize("name, dtype", [("__half", np.float16), ("__nv_bfloat16", ml_dtypes.bfloat16)])
def test_storage_operators(mode, name, dtype):
    x = array([0.5, -2, 3, 1.25, 100, 0.1, 7, 7], dtype)
    y = empty((12, 8), dtype)
    good(f"storage_operators<{name}>").launch((1,), (32,), [y, x, np.int32(8)])
    a, b = x.astype(np.float32), np.roll(x, -1).astype(np.float32)
    rows = [a + b, a - b, a * b, a / b, -a, a.astype(np.float64) * b + a, np.maximum(a, b), abs(a), a < b, a == b]
    rows += [np.exp(np.minimum(a, 2).astype(np.float64)), a + b]
    expected = [np.asarray(row).astype(np.float32).astype(dtype).astype(np.float32) for row in rows]
    np.testing.assert_array_equal(y.astype(np.float32), expected)


def test_pairs(mode):
    x, y, f = array([1, 2, 3, 4], np.float16), empty(8, np.float16), empty(4)
    good("pairs").launch((1,), (1,), [y.view(np.uint32), x.view(np.uint32), f.view(np.uint64)])
    assert y.tolist() == [4, 6, 4, 9, 2, 3, 2.5, 7.75]
    assert f.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("name, dtype", [("__half", np.float16), ("__nv_bfloat16", ml_dtypes.bfloat16)])
def test_tensor_core_products(mode, name, dtype):
    random = np.random.default_rng(1)
    a, b, y = array(random.normal(size=(16, 16)), dtype), array(random.normal(size=(16, 8)), dtype), empty((16, 8))
    good(f"product_16bit<{name}>").launch((1,), (32,), [y, a, b])
    np.testing.assert_allclose(y, a.astype(np.float64) @ b.astype(np.float64) + 1, rtol=1e-5, atol=1e-5)


def test_tensor_core_product_in_tf32(mode):
    random = np.random.default_rng(2)
    a, b, y = array(random.normal(size=(16, 8))), array(random.normal(size=(8, 8))), empty((16, 8))
    good("product_tf32").launch((1,), (32,), [y, a, b])
    rounded_a, rounded_b = (((m.view(np.uint32) + 0x1000) & 0xFFFFE000).view(np.float32) for m in (a, b))
    np.testing.assert_allclose(y, rounded_a.astype(np.float64) @ rounded_b, rtol=1e-5, atol=1e-6)
    assert np.abs(y - a @ b).max() > 1e-5  # full precision would be wrong


@pytest.mark.parametrize("tiles", [1, 2, 5])
def test_pipeline_of_asynchronous_copies(mode, tiles):
    x, y = array(np.random.default_rng(0).integers(0, 9, (tiles, 64))), empty(64)
    good("pipeline").launch((1,), (64,), [y, x, np.int32(tiles)], 512)
    np.testing.assert_array_equal(y, x.sum(0)[::-1])


def test_printf(capfd):
    good("says_hello").launch((1,), (2,), [np.int32(5)])
    assert capfd.readouterr().out == "hello 5 from 0\nhello 5 from 1\n"


# ---- launches

SINGLES = np.zeros(4, np.float32)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([np.zeros(4), SINGLES], "argument 0 is an array of float64, expected a pointer to 4 bytes, a float"),
        ([SINGLES], "1 arguments given, expected 2"),
        ([SINGLES, np.float32(1)], "argument 1 is a scalar of float32, expected a const pointer to 4 bytes, a float"),
        ([SINGLES, 1.5], "argument 1 is float 1.5"),
        ([np.broadcast_to(SINGLES, 4), SINGLES], "argument 0 is a read-only array"),
    ],
)
def test_wrong_arguments_are_refused(arguments, words):
    with pytest.raises(KernelError, match=words):
        good("reversed").launch((1,), (4,), arguments, 16)


@pytest.mark.parametrize("name", WRONG_LAUNCHES)
def test_wrong_launches_are_refused(name):
    launch, words = WRONG_LAUNCHES[name]
    with pytest.raises(KernelError, match=words):
        launch()


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint32(3), np.float32(3), None, np.zeros(1, np.int32)])
def test_scalars_must_have_the_type_of_the_parameter(value):
    with pytest.raises(KernelError, match="says_hello: argument 0 is .*, expected a signed integer of 4 bytes"):
        good("says_hello").launch((1,), (1,), [value])


def test_a_structure_must_have_the_size_of_the_parameter():
    x = np.zeros(1, np.float32)

    class Short(ctypes.Structure):
        _fields_ = [("factor", ctypes.c_float), ("shift", ctypes.c_int32)]

    with pytest.raises(KernelError, match="argument 2 is a structure of 8 bytes, expected a structure of 16 bytes"):
        good("by_value").launch((1,), (1,), [x, x, Short(1, 2), None])


@pytest.mark.parametrize(
    "grid, block, shared, words",
    [
        ((1,), (1025,), 0, "1 to 1024 threads"),
        ((1,), (0,), 0, "1 to 1024 threads"),
        ((1,), (2, 2, 128), 0, "z at most 64"),
        ((1, 65536), (1,), 0, "y and z at most 65535"),
        ((1,), (1,), 228 << 10, "dynamic shared memory"),
    ],
)
def test_sizes_that_no_device_allows_are_refused(grid, block, shared, words):
    with pytest.raises(KernelError, match=words):
        good("says_hello").launch(grid, block, [np.int32(1)], shared)


def test_an_empty_grid_runs_nothing(capfd):
    good("says_hello").launch((0,), (1,), [np.int32(1)])
    assert capfd.readouterr().out == ""


def test_read_only_arrays_are_inputs():
    y = np.zeros(4, np.float32)
    x = np.frombuffer(np.full(4, 3, np.float32).tobytes(), np.float32)
    good("reversed").launch((1,), (4,), [y, x], 16)
    assert y.tolist() == [3, 3, 3, 3]


def test_arrays_that_overlap_share_what_is_known_of_their_accesses():
    with options(check=True):
        x = array(np.arange(65))
        with pytest.raises(EmulatorError, match="race"):
            fault("unwritten_output").launch((1,), (64,), [x[:-1], x[1:], np.int32(64)])


def test_blocks_run_on_several_cores_and_without_the_gil():
    rows, n = 2000, 4000
    x, y = np.ones((rows, n), np.float32), np.zeros((rows, 2), np.float32)
    ticks, running = 0, True

    def count():
        nonlocal ticks
        while running:
            ticks += 1
            time.sleep(0.0005)

    thread = threading.Thread(target=count)
    thread.start()
    with options(workers=4):
        good("row_sums<float>").launch((rows,), (256,), [y, x, np.int32(n)])
    running = False
    thread.join()
    assert (y == [n, 1]).all()
    assert ticks > 3


def test_threads_launch_at_the_same_time():
    def work(i):
        for _ in range(20):
            y, x = np.zeros((50, 2), np.float32), np.full((50, 100), i, np.float32)
            good("row_sums<float>").launch((50,), (128,), [y, x, np.int32(100)])
            results.append((y == [100 * i, i]).all())
            with pytest.raises(EmulatorError, match="assert"):
                run_fault("failed_assert")

    results = []
    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 80


# ---- builds


def test_a_compile_error_names_file_and_line(tmp_path):
    text = "__global__ void k(float* y) {\n    y[0] = undeclared;\n}\n"
    with pytest.raises(KernelError, match=r"mine\.cu:2:12: error: .*undeclared"):
        build(Source(text=text, name="mine.cu"), ["k"])
    (tmp_path / "other.cu").write_text("\n\n" + text)
    with pytest.raises(KernelError, match=rf"{tmp_path}/other\.cu:4:12: error: .*undeclared"):
        build(Source(tmp_path / "other.cu"), ["k"])
    with pytest.raises(KernelError, match="error: .*nothing"):
        build(Source(text="__global__ void k(float* y) {}"), ["nothing<3>"])


def test_a_cache_that_cannot_be_written_says_so(monkeypatch):
    monkeypatch.setenv("GPUGRAD_CACHE", "/proc/nowhere")
    with pytest.raises(KernelError, match="set GPUGRAD_CACHE"):
        build(Source(text=f"__global__ void k(int* y) {{ *y = {time.time_ns()}; }}"), ["k"])


def test_headers_beside_the_source_are_part_of_the_key(tmp_path):
    (tmp_path / "value.cuh").write_text("constexpr int value = 1;\n")
    (tmp_path / "k.cu").write_text('#include "value.cuh"\n__global__ void k(int* y) { *y = value * FACTOR; }\n')
    y, found = np.zeros(1, np.int32), []
    for value, factor in ((1, 1), (2, 1), (2, 5)):
        (tmp_path / "value.cuh").write_text(f"constexpr int value = {value};\n")
        build(Source(tmp_path / "k.cu"), ["k"], defines=[f"FACTOR={factor}"])["k"].launch((1,), (1,), [y])
        found.append(int(y[0]))
    assert found == [1, 2, 10]


def test_spellings_of_dynamic_shared_memory():
    text = """
    template <typename T> __global__ void k(T* y) {
        extern __shared__ __align__(16) unsigned char bytes[];
        extern __shared__ T items[];
        bytes[threadIdx.x] = threadIdx.x;
        __syncthreads();
        y[threadIdx.x] = items[threadIdx.x];
    }
    """
    y = np.zeros(4, np.uint32)
    build(Source(text=text), ["k<unsigned>"])["k<unsigned>"].launch((1,), (4,), [y[:1]], 4)
    outside = "extern __shared__ float tile[];\n__global__ void k(float* y) { *y = tile[0]; }\n"
    with pytest.raises(KernelError, match="kernel.cu:1: .*inside the kernel"):
        build(Source(text=outside), ["k"])


def _build_and_run(text, results):
    y = np.zeros(1, np.int32)
    build(Source(text=text), ["k"])["k"].launch((1,), (1,), [y])
    results.put(int(y[0]))


def test_processes_and_threads_may_build_the_same_kernel(tmp_path):
    text = f"// {time.time_ns()}\n__global__ void k(int* y) {{ *y = 42; }}\n"
    spawn = multiprocessing.get_context("spawn")
    results = spawn.Queue()
    workers = [spawn.Process(target=_build_and_run, args=(text, results)) for _ in range(2)]
    workers += [threading.Thread(target=_build_and_run, args=(text, results)) for _ in range(2)]
    for worker in workers:
        worker.start()
    assert [results.get(timeout=180) for _ in workers] == [42] * 4
    for worker in workers:
        worker.join()


# ---- options and memory


def test_options_nest_and_belong_to_their_thread(monkeypatch):
    monkeypatch.delenv("GPUGRAD_EMULATOR", raising=False)
    seen = []
    with options(check=True, seed=5), options(schedule="random", timeout=2):
        assert (current().check, current().schedule, current().seed, current().timeout) == (True, "random", 5, 2)
        thread = threading.Thread(target=lambda: seen.append(current().check))
        thread.start()
        thread.join()
    assert seen == [False] and not current().check
    monkeypatch.setenv("GPUGRAD_EMULATOR", "check")
    assert current().check
    for wrong in (dict(schedule="backward"), dict(workers=0), dict(timeout=-1)):
        with pytest.raises(KernelError, match=next(iter(wrong))), options(**wrong):
            pass


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("nbytes", [0, 1, 4096, 10_000])
def test_memory_is_nan_aligned_and_freed(check, nbytes):
    from gpugrad.backend.cuda.emulator import memory

    gc.collect()
    before = len(memory.live())
    with options(check=check):
        made = allocate(nbytes)
    assert made.dtype == np.uint8 and made.shape == (nbytes,) and (made == 0xFF).all()
    assert nbytes == 0 or made.ctypes.data % (16 if check else 256) == 0
    assert len(memory.live()) == before + check
    del made
    gc.collect()
    assert len(memory.live()) == before
