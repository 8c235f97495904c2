"""The benchmark suite measures honestly: what is slow, wrong or missing is said, and nothing else is lost."""

import json
import math
import time

import pytest

import gpugrad
from gpugrad.autograd.op import OPS, op
from gpugrad.autograd.ufunc import Elementwise

pytest.importorskip("benchmarks.cli", reason="needs the checkout")
from benchmarks import contenders, kernels, measure, overheads, peers
from benchmarks.limits import Limits, last_level_cache
from benchmarks.subprocesses import Elsewhere, Pass, python

EFFORT = measure.Effort(5, 0.002, 0, 5.0)


class FixedLimits(Limits):
    """Limits that need no measuring."""

    def __init__(self, device="cpu"):
        self.device = device
        self.bandwidth, self.rate = lambda: 1e10, lambda dtype: 1e11

    def facts(self, dtypes=("float32",)):
        return {"bandwidth": 1e10, "rates": {d: 1e11 for d in dtypes}, "cache": 1 << 16}


@pytest.fixture
def scaled():
    """An op y = 3 x of our own, with a benchmark case."""

    @op(
        samples=lambda s: [s.case(s(3, 4))],
        bench=lambda s: (s.case(s(n, 64)) for n in (64, 8)),
        flops=lambda x: x.size,
    )
    def benchmarked_scale(x):
        """3 x."""
        return 3 * x

    benchmarked_scale.vjp(x=lambda g: 3 * g)
    yield benchmarked_scale
    del OPS["benchmarked_scale"]


def rows(which, level="quick", use=()):
    return list(kernels.rows_of(which, "cpu", level, FixedLimits(), EFFORT, list(use)))


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
    class Nowhere(peers.Peer):
        name, package = "nowhere", "no_such_package"

    monkeypatch.setitem(peers.PEERS, "nowhere", Nowhere)
    forward, _ = rows(scaled, use=["nowhere", "torch"])
    assert forward["peers"]["nowhere"] == {"note": "no_such_package is not installed"}
    assert "torch has no benchmarked_scale" in forward["peers"]["torch"]["note"] and "ours" in forward


def test_a_wrong_peer_is_dropped_with_a_note(scaled, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setitem(peers.Torch.table, "benchmarked_scale", lambda torch, x: 2 * x)
    forward, _ = rows(scaled, use=["torch"])
    assert "differs from float64" in forward["peers"]["torch"]["note"]


@pytest.mark.parametrize("name", ["softmax", "layer_norm", "batch_norm", "add_rms_norm", "attention", "convolution"])
def test_formulas_of_peers_agree_with_ours(name):
    pytest.importorskip("torch")
    s = kernels.Sampler()
    if name == "batch_norm":  # large enough to tell its output from its statistics
        sample = s.case(s(4, 3, 16, 16), s(3), s(3), eps=1e-5)
    else:
        sample = next(c for c in OPS[name].samples(s) if _plain(name, c))
    problem = kernels.Problem(OPS[name], sample, "float32")
    problem.solve()
    _, errors, absent = kernels.contenders(problem, "cpu", ["torch"], True)
    assert "torch" in errors, absent


def _plain(name, case):
    if name == "convolution":
        return case.args[0].ndim == 4 and case.args[2] is not None and all(a == b for a, b in case.kwargs["padding"])
    return case.args[0].ndim > 1 and case.args[0].size > 12 and all(a is not None for a in case.args[:3])


def test_every_fused_op_has_a_row():
    inner = "convolution_input_gradient convolution_weight_gradient max_pool_indices sum_pool_adjoint".split()
    fused = [o for o in OPS.values() if o.paths["cpu"] and o.name not in inner]
    assert [o.name for o in fused if not o.bench and not isinstance(o, Elementwise)] == []


def test_a_declared_case_comes_first_and_lazily(scaled):
    first = next(iter(kernels.cases_of(scaled)))
    assert first.args[0].shape == (64, 64)
    assert len(rows(scaled, "full")) == 2 * 2 * 3  # sizes, passes, dtypes


def test_a_library_is_timed_in_a_process_of_its_own():
    with Elsewhere("gpugrad", "mlp-sgd", "cpu", 1) as elsewhere:
        times = measure.time_cases([Pass(elsewhere, "step"), Pass(elsewhere, "forward")], EFFORT)
        assert all(seconds > 0 for kind in times for seconds in kind)
        elsewhere.process.kill()
        with pytest.raises(RuntimeError, match="gpugrad's process of mlp-sgd ended with status -9"):
            elsewhere.seconds("step", 1)


def test_the_starts_of_a_library_share_its_rounds():
    for effort in measure.LEVELS.values():
        shares = list(effort.shares())
        assert len(shares) == effort.starts and sum(share.rounds for share in shares) == effort.rounds
        assert all(share.rounds >= 2 for share in shares)


def test_exponents():
    sizes = [1, 2, 4, 8, 16, 32]
    assert measure.exponent(sizes, [1e-6 * n**2 for n in sizes]) == pytest.approx(2)
    assert measure.exponent(sizes, [1 + 1e-9 * n for n in sizes]) == pytest.approx(0, abs=1e-6)


def test_growth_that_is_too_steep_is_reported(monkeypatch):
    class Case:
        def __init__(self, n):
            self.n = n

    monkeypatch.setattr(overheads, "time_cases", lambda cases, effort: [[1e-6 * case.n**2] * 3 for case in cases])
    monkeypatch.setitem(overheads.GROWTH, "batch", (lambda lib, inputs, n: Case(n), (4, 8, 16), 1))
    (row,) = overheads.growth("batch", {"gpugrad": gpugrad}, "cpu", measure.Effort(3, 0.0, 0))
    assert row["steep"] and row["exponents"]["gpugrad"] == pytest.approx(2)


def test_slow_cases_end_with_the_budget_after_enough_rounds():
    calls = measure.interleave([lambda: time.sleep(0.01)], 50, budget=0.001)
    assert len(calls[0]) == measure.LEAST


def test_verdicts():
    assert measure.verdict({"median": 0.5, "p20": 0.49, "p80": 0.51}, 1) == "met"
    assert measure.verdict({"median": 1.5, "p20": 1.49, "p80": 1.51}, 1) == "missed"
    assert measure.verdict({"median": 1.5, "p20": 0.9, "p80": 2.1}, 1) == "noisy"
    assert "noisy" in measure.compared({"gpugrad": [1.0, 1.0, 3.0, 9.0, 9.0]})
    assert "noisy" not in measure.compared({"gpugrad": [1.0, 1.01, 1.02, 1.0]})


def test_the_cache_of_this_machine_is_plausible():
    assert 1 << 20 <= last_level_cache("cpu") <= 1 << 27
    assert math.isfinite(FixedLimits().fraction(1.0, 1, None, "float32"))


def test_an_emulated_gpu_has_the_limits_of_the_host(monkeypatch):
    monkeypatch.setenv("GPUGRAD_CUDA", "emulate")
    assert Limits("cuda", 1).device == "cpu"


def test_generic_declines_where_there_is_no_fused_path(scaled):
    problem = kernels.Problem(scaled, next(iter(kernels.cases_of(scaled))), "float32")
    with pytest.raises(contenders.Absent, match="no device path"):
        contenders.Generic(problem, "cpu")


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


TRITON = """
import json
from benchmarks.kernels import OPS, Problem, Sampler, contenders

s = Sampler()
x, w, b = s(3, 5, 37), s(37), s(37)
cases = [("softmax", s.case(x, axis=-1)), ("gelu", s.case(s(3, 700), approximate="tanh"))]
cases += [("gelu", s.case(s(3, 700), approximate="none"))]
cases += [("layer_norm", s.case(x, w, b, ndim=1, eps=1e-5)), ("rms_norm", s.case(x, w, ndim=1, eps=1e-5))]
cases += [("layer_norm", s.case(x, s(5, 37), s(5, 37), ndim=2, eps=0.1))]
cases += [("rms_norm", s.case(x, s(5, 37), ndim=2, eps=0.1))]
found = []
for name, case in cases:
    for dtype in ("float32", "float16", "bfloat16"):
        problem = Problem(OPS[name], case, dtype)
        problem.solve()
        _, errors, absent = contenders(problem, "cpu", ["triton"], False)
        found.append([name, dtype, errors.get("triton"), absent.get("triton")])
print(json.dumps(found))
"""


def test_triton_kernels_agree(monkeypatch):
    pytest.importorskip("torch")
    pytest.importorskip("triton")
    monkeypatch.setenv("TRITON_INTERPRET", "1")  # which Triton reads when it is imported: hence a process of its own
    found = json.loads(python("-c", TRITON))
    assert len(found) == 21 and [entry for entry in found if entry[3] is not None] == []


def test_triton_says_why_it_is_absent(monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    s = kernels.Sampler()
    for name, case in (("gelu", s.case(s(3), approximate="tanh")), ("exp", s.case(s(3)))):
        problem = kernels.Problem(OPS[name], case, "float32")
        problem.solve()
        _, _, absent = kernels.contenders(problem, "cpu", ["triton"], False)
        assert "riton" in absent["triton"] and "Error" not in absent["triton"]
