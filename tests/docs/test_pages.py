"""Every page of docs/ that is written by hand: its code runs and prints what the page shows, its commands exist."""

import re
import warnings

import pytest

import gpugrad as gg
from docs import DOCS, LANGUAGES, ROOT, blocks, commands, differs, pages, run
from gpugrad.backend import cuda
from gpugrad.cli import COMMANDS, parse
from gpugrad.cuda import Kernels
from gpugrad.recipes import names

PAGES = pages()


@pytest.fixture(autouse=True)
def a_place_of_its_own(own_ops, monkeypatch, tmp_path):
    """Pages declare ops and kernels, and write files where they are run."""
    monkeypatch.setattr(Kernels, "families", list(Kernels.families))
    monkeypatch.chdir(tmp_path)
    device = gg.default_device()
    yield
    gg.set_default_device(device)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_code_prints_what_the_page_shows(page, tmp_path):
    text = page.read_text()
    if '"cuda' in text and cuda.diagnose():
        pytest.skip(cuda.diagnose())
    found = [said for block, *rest in run(text, str(page), tmp_path) if (said := differs(block, *rest))]
    assert found == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_commands_exist(page):
    text = page.read_text()
    assert {block.language for block in blocks(text)} <= LANGUAGES
    for words in commands(text):
        assert words[0] in COMMANDS, words
        if len(words) > 1 and not any(word.isupper() for word in words[1:]):
            options = parse(words)
            if words[0] == "train":
                assert options.recipe in [None, *names(), "all"], words


def test_files_that_pages_name_exist():
    for page in PAGES:
        for name in re.findall(r"`((?:gpugrad|kernels|tests|benchmarks|docs)/[\w/.-]*)`", page.read_text()):
            assert (ROOT / name).exists(), f"{page.name}: {name}"


def test_wrong_pages_are_seen(tmp_path):
    page = "```python\nx = 1\nprint(x + 1)\n```\n\n```output\n3\n```\n\n```python\nprint(x)  # 1\nprint(x)  # 2\n```\n"
    ((first, *shown), (second, *rest)) = run(page, "page", tmp_path)
    assert "it prints\n2\nbut the page shows\n3" in differs(first, *shown)
    assert "line 11" in differs(second, *rest) and not differs(first, "3\n", shown[1])
    with pytest.raises(SyntaxError):
        list(run("```py\nx =\n```\n", "page", tmp_path))
    with pytest.raises(SystemExit), warnings.catch_warnings():
        parse(next(commands("```sh\ngpugrad check --no-such-option\n```\n")))
