"""The hardware run without hardware: which parts, what their output means, limits, the report as it grows."""

import json
import subprocess
import sys

import pytest

from tests.gpu import __main__, parts, report, running, smoke

SAYS = """
print("ok launch, 0.1 s")
print("FAILED product: KernelError: no algorithm, 0.2 s")
print("skipped products: nvmath is not installed, 0.0 s")
print("tests/a.py::test_x[1] PASSED   [ 10%]")
print("[gw3] [ 20%] FAILED tests/a.py::test_x[2]")
print("tests/b.py::test_y SKIPPED (needs a GPU)   [ 30%]")
print("SKIPPED [1] tests/b.py:3: needs a GPU")
print("FAILED tests/a.py::test_x[2] - assert 1 == 2")
"""


def command(text, title="talks", missing=""):
    return parts.Command(title, [sys.executable, "-c", text], missing)


@pytest.fixture
def short_run(monkeypatch, tmp_path):
    """A run whose parts are these commands, on no device at all; gives the exit status and the report."""

    def short(steps, *arguments):
        monkeypatch.setattr(__main__, "commands", lambda part, out: steps[part])
        monkeypatch.setattr(__main__, "_problem", lambda environment: "")
        monkeypatch.setattr(
            __main__, "machine", lambda environment: f"a machine, {environment['GPUGRAD_CUDA'] or 'GPU'}"
        )
        status = __main__.main(["--out", str(tmp_path), *arguments])
        (path,) = tmp_path.glob("gpu-*.json")
        return status, json.loads(path.read_text()), path.with_suffix(".md").read_text()

    return short


def test_parts_are_chosen_by_letter_and_by_name():
    assert parts.chosen([]) == ["a", "b", "c", "d", "e"]
    assert parts.chosen(["ops", "a", "smoke"]) == ["a", "c"]
    with pytest.raises(ValueError, match="no part speed; the parts are a smoke, b kernels"):
        parts.chosen(["a", "speed"])


def test_each_part_is_made_of_commands_of_this_python():
    for part in parts.NAMES:
        steps = parts.commands(part, "out")
        assert steps and all(steps)
        for one in (c for step in steps for c in step if not c.missing):
            assert sys.executable in one.arguments and one.title


def test_sanitized_tests_exist():
    for test in parts.SANITIZED:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (running.ROOT / "tests" / "ops" / "cuda" / file).read_text()


def test_output_is_understood_and_reported(short_run, capsys):
    missing = command("", "sanitizer", "compute-sanitizer is not on the PATH")
    status, found, text = short_run({"a": [[command(SAYS)]], "e": [[missing]]}, "a", "e", "--device", "emulate")
    assert status == 0 and found["machine"] == "a machine, emulate"
    (talks,), (skipped,) = found["parts"]["smoke"], found["parts"]["sanitizer"]
    assert talks["status"] == "passed" and talks["counts"] == {"passed": 2, "failed": 2, "skipped": 2}
    assert [line.split(",")[0] for line in talks["failures"]] == [
        "FAILED product: KernelError: no algorithm", "[gw3] [ 20%] FAILED tests/a.py::test_x[2]",
    ]  # fmt: skip
    assert talks["skips"] == ["products: nvmath is not installed, 0.0 s", "[1] tests/b.py:3: needs a GPU"]
    assert skipped["status"] == "skipped" and skipped["skips"] == ["compute-sanitizer is not on the PATH"]
    assert "| a smoke | talks | passed | 2 | 2 | 2 |" in text and "- skipped: compute-sanitizer is not" in text
    assert "talks: ok launch, 0.1 s" in capsys.readouterr().out


def test_a_failure_and_its_last_words_are_reported(short_run):
    steps = {"b": [[command("print('Traceback'); raise SystemExit(3)")], [command("print('ok next, 0 s')", "next")]]}
    status, found, text = short_run(steps, "kernels")
    failed, following = found["parts"]["kernels"]
    assert status == 1 and failed["status"] == "failed" and failed["tail"] == ["Traceback", "exit status 3"]
    assert following["counts"] == {"passed": 1} and "Traceback" in text and found["machine"] == "a machine, GPU"


def test_a_part_ends_at_its_limit_with_what_it_knew(short_run):
    """So do the processes that it started; the next step has no time left."""
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    steps = {"c": [[command(f"print('ok first, 0 s', flush=True); {child}", "hangs")], [command("", "late")]]}
    status, found, text = short_run(steps, "c", "--limit", "2")
    hangs, late = found["parts"]["ops"]
    assert status == 1 and hangs["status"] == "cut off" and hangs["counts"] == {"passed": 1}
    assert 2 <= hangs["seconds"] < 30 and late["status"] == "cut off" and "ok first" in text


def test_the_report_grows_while_commands_run(tmp_path):
    written, known = report.Report(tmp_path, "a machine"), []

    def told():
        written.write()
        known.append(json.loads(written.path.with_suffix(".json").read_text()))

    text = "import time\nfor i in range(3): print(f'ok thing {i}, 0 s', flush=True); time.sleep(1.2)"
    running.run([command(text)], 60, {}, told, written.parts.setdefault("a", []))
    counts = [part["smoke"][0]["counts"].get("passed", 0) for part in (k["parts"] for k in known)]
    assert len(counts) >= 2 and counts == sorted(counts) and counts[0] < 3
    assert known[0]["parts"]["smoke"][0]["status"] == "running"


def test_commands_of_a_step_run_at_the_same_time():
    meet = "import sys, pathlib, time\np = pathlib.Path(sys.argv[1])\n(p / sys.argv[2]).touch()\n"
    meet += "while len(list(p.iterdir())) < 2: time.sleep(0.05)\nprint('ok met, 0 s')"
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        step = [parts.Command(n, [sys.executable, "-c", meet, folder, n]) for n in "xy"]
        outcomes = running.run(step, 60, {}, lambda: None, [])
    assert [o.status for o in outcomes] == ["passed", "passed"]


def test_without_a_device_it_says_why(monkeypatch, capsys):
    monkeypatch.setattr(__main__, "_problem", lambda environment: "CuPy cannot be imported")
    assert __main__.main(["a"]) == 2 and "no device to test: CuPy cannot be imported" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        __main__.main(["speed"])


def test_the_machine_is_described(cuda):
    if not __import__("gpugrad").cuda.is_emulated():
        pytest.skip("a GPU is here")
    about = running.machine({"GPUGRAD_CUDA": "emulate"})
    assert about.startswith("emulated device; gpugrad ") and " cores; commit " in about and "numpy " in about


def test_the_smoke_test_finds_faults(cuda, monkeypatch, capsys):
    """It runs here on a few things, one of them broken."""

    def broken():
        raise RuntimeError("nothing\nworks")

    def nowhere():
        raise smoke.Skipped("no such library")

    things = {
        "launch": smoke.launch, "product": lambda: smoke.product("float16", "gelu_aux_bias"), "memory": smoke.memory,
        "captured": lambda: smoke.training("SGD"), "broken": broken, "nowhere": nowhere,
    }  # fmt: skip
    monkeypatch.setattr(smoke, "things", lambda: iter(things.items()))
    assert smoke.main([]) == 1 and smoke.main(["launch", "mem"]) == 0
    outcome = running.Outcome("smoke", [])
    for line in capsys.readouterr().out.splitlines():
        outcome.take(line)
    assert outcome.counts == {"passed": 6, "failed": 1, "skipped": 1}
    assert outcome.failures[0].startswith("FAILED broken: RuntimeError: nothing works, ")


def test_checks_of_a_share(cuda):
    asked = [sys.executable, "-m", "tests.gpu.checks", "1/2", "exp", "square"]
    found = subprocess.run(asked, cwd=running.ROOT, capture_output=True, text=True)
    assert found.returncode == 0 and found.stdout.startswith("ok exp, "), found.stderr
