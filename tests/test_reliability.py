"""A small sample of `python -m tests.reliability`."""

from reliability import __main__ as command
from reliability import files

import gpugrad.io.training as training


def test_killed_savers_lose_and_leave_nothing():
    corrupted, _, left = files.killed_savers(3)
    assert (corrupted, left) == (0, 0)


def test_changed_files_are_refused_by_gpugrad_s_own_errors():
    assert files.fuzzed_files(60) == []


def test_the_fuzzer_sees_other_errors(monkeypatch):
    monkeypatch.setattr(training, "put_together", lambda state, tensors: state["a"])
    assert any(problem.startswith("TypeError") for problem in files.fuzzed_files(8))


def test_the_table(monkeypatch, capsys):
    monkeypatch.setattr(files, "killed_savers", lambda count: (0, 1, 2))
    monkeypatch.setattr(files, "fuzzed_files", lambda count: [])
    assert command.main(["files"]) == 1
    head, corrupted, left, _ = capsys.readouterr().out.splitlines()
    assert head.split() == ["what", "tried", "failures"]
    assert corrupted.split()[-2:] == ["100", "0"] and left.split()[-2:] == ["100", "2"]
