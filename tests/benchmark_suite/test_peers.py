"""Peers take part where they can, and say why where they cannot."""

import json

import pytest

from gpugrad.autograd.op import OPS

pytest.importorskip("benchmarks.cli", reason="needs the checkout")
from benchmarks.cases import ops
from benchmarks.measuring.subprocesses import python
from benchmarks.peers import contender


@pytest.mark.parametrize("name", ["softmax", "layer_norm", "batch_norm", "add_rms_norm", "attention", "convolution"])
def test_formulas_of_peers_agree_with_ours(name):
    pytest.importorskip("torch")
    s = ops.Sampler()
    if name == "batch_norm":  # large enough to tell its output from its statistics
        sample = s.case(s(4, 3, 16, 16), s(3), s(3), eps=1e-5)
    else:
        sample = next(c for c in OPS[name].samples(s) if _plain(name, c))
    problem = ops.Problem(OPS[name], sample, "float32")
    problem.solve()
    _, errors, absent = ops.contenders(problem, "cpu", ["torch"], True)
    assert "torch" in errors, absent


def _plain(name, case):
    if name == "convolution":
        return case.args[0].ndim == 4 and case.args[2] is not None and all(a == b for a, b in case.kwargs["padding"])
    return case.args[0].ndim > 1 and case.args[0].size > 12 and all(a is not None for a in case.args[:3])


def test_generic_declines_where_there_is_no_device_path(scaled):
    problem = ops.Problem(scaled, next(iter(ops.cases_of(scaled))), "float32")
    with pytest.raises(contender.Absent, match="no device path"):
        contender.Generic(problem, "cpu")


TRITON = """
import json
from benchmarks.cases.ops import OPS, Problem, Sampler, contenders

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
    s = ops.Sampler()
    for name, case in (("gelu", s.case(s(3), approximate="tanh")), ("exp", s.case(s(3)))):
        problem = ops.Problem(OPS[name], case, "float32")
        problem.solve()
        _, _, absent = ops.contenders(problem, "cpu", ["triton"], False)
        assert "riton" in absent["triton"] and "Error" not in absent["triton"]
