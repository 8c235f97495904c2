"""Rows of single ops are honest: what is slow, wrong or missing is said, and nothing else is lost."""

import time

import pytest
from benchmark_suite.fixed_limits import EFFORT, FixedLimits

from benchmarks.cases import ops
from benchmarks.peers import libraries
from gpugrad.autograd.op import OPS
from gpugrad.autograd.ufunc import Elementwise


def rows(which, level="quick", use=()):
    return list(ops.rows_of(which, "cpu", level, FixedLimits(), EFFORT, list(use)))


def test_rows_hold_times_bytes_flops_and_errors(scaled):
    forward, both = rows(scaled)
    assert forward["pass"] == "forward" and both["pass"] == "forward + backward"
    assert forward["bytes"] == 2 * 64 * 64 * 4 and forward["flops"] == 64 * 64 and both["flops"] == 3 * 64 * 64
    assert both["bytes"] == 4 * 64 * 64 * 4  # x, y, their gradients: the rule keeps nothing
    assert forward["GB/s"] == pytest.approx(forward["bytes"] / forward["ours"]["median"] / 1e9)
    expected = max(forward["bytes"] / 1e10, forward["flops"] / 1e11) / forward["ours"]["median"]
    assert forward["limit"] == pytest.approx(expected)
    assert 0 <= forward["error"] < 1e-6
    assert forward["ours"]["p20"] <= forward["ours"]["median"] <= forward["ours"]["p80"]
    assert forward["copies"] > 1  # inputs rotate through more than the cache


def test_a_wrong_result_stops_the_row(scaled):
    @scaled.path("cpu")
    def wrong(x):
        return 3.01 * x, {}

    failed = rows(scaled)
    assert all("float64" in row["failed"] and "ours" not in row for row in failed)


def test_a_wrong_gradient_stops_the_row_of_backward_alone(scaled):
    @scaled.path("cpu")
    def path(x):
        return 3 * x, {}

    path.backward(lambda g: -3 * g)
    forward, both = rows(scaled)
    assert "ours" in forward and "gradient of x" in both["failed"]


def test_a_planted_slow_down_is_reported(scaled):
    @scaled.path("cpu")
    def slow(x):
        time.sleep(0.002)
        return 3 * x, {}

    forward, _ = rows(scaled)
    assert forward["peers"]["generic"]["ratio"]["p20"] > 2


def test_a_missing_peer_is_skipped_with_a_note(scaled, monkeypatch):
    class Nowhere(libraries.Peer):
        name, package = "nowhere", "no_such_package"

    monkeypatch.setitem(libraries.PEERS, "nowhere", Nowhere)
    forward, _ = rows(scaled, use=["nowhere", "torch"])
    assert forward["peers"]["nowhere"] == {"note": "no_such_package is not installed"}
    assert "torch has no benchmarked_scale" in forward["peers"]["torch"]["note"] and "ours" in forward


def test_a_wrong_peer_is_dropped_with_a_note(scaled, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setitem(libraries.Torch.table, "benchmarked_scale", lambda torch, x: 2 * x)
    forward, _ = rows(scaled, use=["torch"])
    assert "differs from float64" in forward["peers"]["torch"]["note"]


def test_every_op_with_a_path_has_a_row():
    inner = "convolution_input_gradient convolution_weight_gradient max_pool_indices roi_align_adjoint sum_pool_adjoint"
    found = [o for o in OPS.values() if o.paths["cpu"] and o.name not in inner.split()]
    assert [o.name for o in found if not o.bench and not isinstance(o, Elementwise)] == []


def test_a_declared_case_comes_first_and_lazily(scaled):
    first = next(iter(ops.cases_of(scaled)))
    assert first.args[0].shape == (64, 64)
    assert len(rows(scaled, "full")) == 2 * 2 * 3  # sizes, passes, dtypes
