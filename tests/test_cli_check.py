"""The commands `gpugrad check` and `gpugrad doctor`."""

import importlib.metadata

import pytest

from gpugrad.cli import main

GOOD = '''
import gpugrad
from gpugrad import op, xp
from gpugrad.autograd.check.samples import unary

@op(samples=unary())
def triple(x):
    """3 x."""
    return x * 3

triple.vjp(x=lambda g: g * 3)
'''
BAD = GOOD.replace("g * 3", "g * 4")
KINDS = ["declared", "forward", "gradient", "second order", "dtypes", "layout", "memory", "deterministic"]


@pytest.fixture
def check(tmp_path, capsys, own_ops):
    def run(text, *options):
        file = tmp_path / "my_ops.py"
        file.write_text(text)
        status = main(["check", str(file), *(() if "--device" in options else ("--device", "cpu")), *options])
        return status, *capsys.readouterr()

    return run


def test_sound_file(check):
    status, out, err = check(GOOD)
    head, row, last = out.splitlines()
    assert (status, err) == (0, "")
    assert [head.index(kind) for kind in KINDS] == sorted(head.index(kind) for kind in KINDS)
    assert row.split() == ["triple", "6", *["ok"] * 8]
    assert last.startswith("1 ops on cpu: 1 ok, 0 failed")


def test_faulty_file(check):
    status, out, _ = check(BAD)
    assert status == 1
    assert out.splitlines()[1].split() == ["triple", "6", "ok", "ok", "FAIL", *["ok"] * 5]
    assert "gradient: triple(float64[3, 4]) (and 4 more cases; -v lists them)" in out
    assert "analytic 4, numerical 3" in out
    assert out.splitlines()[-1].startswith("1 ops on cpu: 0 ok, 1 failed")


def test_verbose_lists_every_case(check):
    _, out, _ = check(BAD, "-v")
    assert out.count("gradient: triple") == 5 and "seconds" in out.splitlines()[0]


def test_a_check_that_does_not_apply_is_a_dash(check):
    status, out, _ = check(GOOD.replace("triple.vjp", "_ = dict"))
    assert status == 0
    assert out.splitlines()[1].split() == ["triple", "6", "ok", "ok", "-", "-", "ok", "ok", "-", "ok"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no_such_file.py"], "there is no file 'no_such_file.py'"),
        (["--op", "multipli"], "no op 'multipli'; did you mean multiply"),
        (["--device", "tpu"], "unknown device 'tpu'"),
    ],
)
def test_what_cannot_be_done_is_status_2(arguments, words, capsys):
    assert main(["check", *arguments]) == 2
    captured = capsys.readouterr()
    assert words in captured.err and captured.out == ""


@pytest.mark.parametrize(("text", "words"), [("x = 1", "declares no op"), ("1 / 0", "ZeroDivisionError: division by")])
def test_file_without_ops(check, text, words):
    status, out, err = check(text)
    assert (status, out) == (2, "") and words in err


def test_own_ops_by_name(capsys):
    assert main(["check", "--op", "exp", "multiply"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows[1:3]] == ["exp", "multiply"]


def test_doctor(capsys):
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    for name in ("numpy", "ml_dtypes", "torch"):
        assert importlib.metadata.version(name) in out
    for word in ("gpugrad", "python", "cpu", "cuda", "cores usable", "gpugrad works."):
        assert word in out


def test_doctor_says_how_to_get_what_is_missing(capsys, monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "pip install 'gpugrad[demo]'" in out and "pip install 'gpugrad[bench]'" in out
    assert "pip install 'gpugrad[cuda13]' or 'gpugrad[cuda12]'" in out


def test_doctor_fails_when_gradients_are_wrong(capsys, monkeypatch):
    monkeypatch.setattr("gpugrad.autograd.functional.walk", lambda *args: {})
    assert main(["doctor"]) == 1
    assert "d(x*x)/dx at 3 is None, expected 6" in capsys.readouterr().out
