"""What is no arithmetic is measured too: launches, and how cost grows with size."""

import time

import pytest
from benchmark_suite.fixed_limits import EFFORT

import gpugrad
from benchmarks.cases import growth, overheads
from benchmarks.measuring.clock import Effort


def test_growth_that_is_too_steep_is_reported(monkeypatch):
    class Case:
        def __init__(self, n):
            self.n = n

    monkeypatch.setattr(growth, "time_cases", lambda cases, effort: [[1e-6 * case.n**2] * 3 for case in cases])
    monkeypatch.setitem(growth.GROWTH, "batch", (lambda lib, inputs, n: Case(n), (4, 8, 16), 1))
    (row,) = growth.growth("batch", {"gpugrad": gpugrad}, "cpu", Effort(3, 0.0, 0))
    assert row["steep"] and row["exponents"]["gpugrad"] == pytest.approx(2)


@pytest.mark.skipif(not gpugrad.cuda.is_available(), reason="there is no cuda device, not even an emulated one")
def test_a_launch_is_timed_by_itself(monkeypatch):
    right = gpugrad.cuda.Kernels.launch

    def slow(self, *args, **more):
        time.sleep(1e-4)
        right(self, *args, **more)

    monkeypatch.setattr(gpugrad.cuda.Kernels, "launch", slow)
    (row,) = overheads.launches({}, "cuda", EFFORT)
    assert row["id"] == "launch cuda" and 1e-4 < row["ours"]["median"] < 1e-4 * overheads.CALLS
    assert row["peers"] == {} or "cupy" in row["peers"]
