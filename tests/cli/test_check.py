"""The commands `gpugrad check` and `gpugrad doctor`."""

import importlib.metadata
import signal
import subprocess
import sys

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
    assert row.split() == ["triple", "6", *["ok"] * 10]
    assert last.startswith("1 ops on cpu: 1 ok, 0 failed")


def test_faulty_file(check):
    status, out, _ = check(BAD)
    assert status == 1
    assert out.splitlines()[1].split() == ["triple", "6", "ok", "ok", "FAIL", *["ok"] * 7]
    assert "gradient: triple(float64[3, 4]) (and 4 more cases; -v lists them)" in out
    assert "analytic 4, numerical 3" in out
    assert out.splitlines()[-1].startswith("1 ops on cpu: 0 ok, 1 failed")


def test_verbose_lists_every_case(check):
    _, out, _ = check(BAD, "-v")
    assert out.count("gradient: triple") == 5 and "seconds" in out.splitlines()[0]


def test_a_check_that_does_not_apply_is_a_dash(check):
    status, out, _ = check(GOOD.replace("triple.vjp", "_ = dict"))
    assert status == 0
    assert out.splitlines()[1].split() == ["triple", "6", "ok", "ok", "-", "ok", "-", "ok", "ok", "ok", "-", "ok"]


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


FAULTS = {
    "syntax": ("x = 1\ndef f(:\n", "line 2: SyntaxError: invalid syntax"),
    "error": ("def f():\n    return 1 / 0\n\nf()\n", "line 2: ZeroDivisionError: division by zero"),
    "long message": ("raise ValueError('a\\nb')", "line 1: ValueError: a b"),
    "exit": ("import sys; sys.exit(3)", "ended the program: SystemExit(3)"),
    "interrupt": ("raise KeyboardInterrupt", "was ended by KeyboardInterrupt"),
    "loop": ("while True: pass", "takes longer than 0.5 s"),
    "stubborn loop": ("try:\n    while True: pass\nexcept BaseException:\n    while True: pass", "takes longer than"),
    "exit in an op": (GOOD.replace("return x", "raise SystemExit(4)\n    return x"), "triple ended the program"),
    "loop in an op": (GOOD.replace("return x", "while True: pass\n    return x"), "checking triple takes longer than"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "words"), FAULTS.values(), ids=FAULTS)
def test_a_file_that_cannot_be_checked_is_one_line(check, text, words):
    status, out, err = check(text, "--timeout", "0.5")
    assert (status, out) == (2, "") and words in err and err.startswith("gpugrad check: ")
    assert err.count("\n") == 1
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_ctrl_c_is_one_line(capsys, monkeypatch):
    def press(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("gpugrad.cli.check.check_op", press)
    assert main(["check", "--op", "exp"]) == 130
    assert capsys.readouterr().err == "gpugrad check: interrupted\n"


def test_a_closed_pipe_is_silent():
    code = "import sys; from gpugrad.cli import main; print('x' * 9**6); sys.exit(main(['check', '--op', 'exp']))"
    command = [sys.executable, "-c", code.replace("print('x' * 9**6); ", "")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b"" and process.wait() == 1


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
