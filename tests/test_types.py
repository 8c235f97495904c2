"""What editors and type checkers read: the stubs are current, and checkers find mistakes and nothing but mistakes."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from stubs import files

ROOT = Path(__file__).parent.parent
PROGRAMS = ROOT / "tests" / "type_checks"
FILES = files()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_written_is_current(path):
    assert path.read_text() == FILES[path], "run: python -m tests.stubs"


def test_the_package_says_that_it_is_typed():
    assert (ROOT / "gpugrad" / "py.typed").exists()


def tool(name):
    """The path of a checker; the test is skipped where it is not installed (it comes with the extra `dev`)."""
    return shutil.which(name, path=str(Path(sys.executable).parent)) or pytest.skip(f"{name} is not installed")


def pyright(program):
    done = subprocess.run([tool("pyright"), "--outputjson", program], capture_output=True, text=True, cwd=ROOT)
    found = json.loads(done.stdout)["generalDiagnostics"]
    return {d["range"]["start"]["line"] + 1: d["message"] for d in found if d["severity"] == "error"}


def mypy(program, cache):
    command = [tool("mypy"), "--follow-imports=silent", f"--cache-dir={cache}", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode in (0, 1), done.stderr
    return {int(line): message for line, message in re.findall(r":(\d+): error: (.*)", done.stdout)}


@pytest.mark.parametrize("checker", ["pyright", "mypy"])
def test_checkers_find_every_mistake_and_invent_none(checker, tmp_path):
    right, wrong = PROGRAMS / "right.py", PROGRAMS / "wrong.py"
    planted = [i for i, line in enumerate(wrong.read_text().splitlines(), 1) if "# wrong:" in line]
    assert len(planted) == 12
    found = {p: pyright(str(p)) if checker == "pyright" else mypy(str(p), tmp_path) for p in (right, wrong)}
    assert found[right] == {}
    assert sorted(found[wrong]) == planted, found[wrong]


def test_pyright_knows_pytorch_s_language():
    right, wrong = PROGRAMS / "right_torch.py", PROGRAMS / "wrong_torch.py"
    planted = [i for i, line in enumerate(wrong.read_text().splitlines(), 1) if "# wrong:" in line]
    assert len(planted) == 8 and pyright(str(right)) == {}
    found = pyright(str(wrong))
    assert sorted(found) == planted, found


@pytest.mark.parametrize("program", ["right.py", "right_torch.py"])
def test_the_right_program_runs(program):
    subprocess.run([sys.executable, str(PROGRAMS / program)], check=True, capture_output=True, cwd=ROOT)
