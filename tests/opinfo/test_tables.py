"""A sample of `python -m tests.opinfo`, or with `--whole` all of it."""

from collections import Counter

import pytest

pytest.importorskip("expecttest")  # which PyTorch's tables import

import gpugrad as gg
from gpugrad.autograd.op import OPS
from opinfo import error_inputs, functions, modules, names, optimizers
from opinfo.outcome import Outcome

TABLES = {"op_db": functions, "module_db": modules, "optim_db": optimizers}


def failures(table, entries, most):
    """The samples that are wrong or crash, as text."""
    found = (outcome for entry in entries for outcome in table.outcomes(entry, most))
    return [f"{o.verdict} {o.name} #{o.number}: {o.detail}" for o in found if o.failed]


@pytest.mark.parametrize("table", TABLES)
def test_samples_have_pytorch_s_values_and_gradients(table, most):
    present, _ = TABLES[table].entries()
    assert failures(TABLES[table], present, most) == []


def test_names_that_gpugrad_has_no_counterpart_for():
    assert optimizers.entries()[1] == ["SparseAdam"]  # gradients are dense
    assert modules.entries()[1] == []
    assert not [
        name
        for name in functions.entries()[1]
        if name.startswith("nn.functional") and hasattr(gg.nn.functional, name.split(".")[-1])
    ]


def test_error_inputs_that_are_accepted_have_a_meaning():
    found = Counter(name for name, _ in error_inputs.accepted())
    assert found == {name: count for name, (count, _) in names.ACCEPTED.items()}


def test_a_wrong_value_and_a_crash_are_seen(monkeypatch):
    entries = {entry.name: entry for entry in functions.entries()[0]}
    monkeypatch.setattr(gg, "hypot", lambda x, y: x + y)
    monkeypatch.setattr(gg, "heaviside", OPS["matmul"])
    verdicts = {name: {o.verdict for o in functions.outcomes(entries[name])} for name in ("hypot", "heaviside")}
    assert "wrong" in verdicts["hypot"] and "crash" in verdicts["heaviside"]
    assert Outcome("hypot", 0, "wrong").failed and not Outcome("hypot", 0, "NumPy's").failed


def test_names_with_numpy_s_meaning_still_differ_from_pytorch():
    """The table of differences on purpose holds no name that has lost its difference."""
    differ = set()
    for entry in functions.entries()[0]:
        if entry.name in names.NUMPY_MEANING and entry.name not in differ:
            differ |= {entry.name for o in functions.outcomes(entry) if o.verdict == "NumPy's"}
    assert differ == set(names.NUMPY_MEANING)
