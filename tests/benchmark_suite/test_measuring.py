"""Times are summarised honestly: budgets, verdicts, exponents, and the machine's limits."""

import math
import time

import pytest
from benchmark_suite.fixed_limits import FixedLimits

from benchmarks.measuring import clock, summaries
from benchmarks.measuring.limits import Limits, last_level_cache


def test_the_starts_of_a_library_share_its_rounds():
    for effort in clock.LEVELS.values():
        shares = list(effort.shares())
        assert len(shares) == effort.starts and sum(share.rounds for share in shares) == effort.rounds
        assert all(share.rounds >= 2 for share in shares)


def test_exponents():
    sizes = [1, 2, 4, 8, 16, 32]
    assert summaries.exponent(sizes, [1e-6 * n**2 for n in sizes]) == pytest.approx(2)
    assert summaries.exponent(sizes, [1 + 1e-9 * n for n in sizes]) == pytest.approx(0, abs=1e-6)


def test_slow_cases_end_with_the_budget_after_enough_rounds():
    calls = clock.interleave([lambda: time.sleep(0.01)], 50, budget=0.001)
    assert len(calls[0]) == clock.LEAST


def test_verdicts():
    assert summaries.verdict({"median": 0.5, "p20": 0.49, "p80": 0.51}, 1) == "met"
    assert summaries.verdict({"median": 1.5, "p20": 1.49, "p80": 1.51}, 1) == "missed"
    assert summaries.verdict({"median": 1.5, "p20": 0.9, "p80": 2.1}, 1) == "noisy"
    assert "noisy" in summaries.compared({"gpugrad": [1.0, 1.0, 3.0, 9.0, 9.0]})
    assert "noisy" not in summaries.compared({"gpugrad": [1.0, 1.01, 1.02, 1.0]})


def test_the_cache_of_this_machine_is_plausible():
    assert 1 << 20 <= last_level_cache("cpu") <= 1 << 27
    assert math.isfinite(FixedLimits().fraction(1.0, 1, None, "float32"))


def test_an_emulated_gpu_has_the_limits_of_the_host(monkeypatch):
    monkeypatch.setenv("GPUGRAD_CUDA", "emulate")
    assert Limits("cuda", 1).device == "cpu"
