"""The map of the course notes: every section has an entry, every entry leads somewhere."""

import importlib
import re
from pathlib import Path

import pytest
from recipes.runs import said

import gpugrad as gg
from gpugrad.cli import COMMANDS
from gpugrad.cli.notes import entries
from gpugrad.recipes import find, names

ROOT = Path(__file__).parents[2]


def sections():
    """(note, section) of the notes' tables of contents; of slides without one, their subjects."""
    found, note = [], None
    for line in Path(__file__).with_name("sections.txt").read_text().splitlines():
        if line.startswith("= "):
            note = line[2:]
        else:
            found.append((note, line))
    return found


def test_no_section_is_missing():
    assert [(entry.note, entry.section) for entry in entries()] == sections()
    assert len({note for note, _ in sections()}) == 5


def resolved(name):
    """What a dotted name below gpugrad stands for."""
    found = gg
    for part in name.split(".") if name != "gpugrad" else []:
        if not hasattr(found, part):
            importlib.import_module(f"{found.__name__}.{part}")
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("name", sorted({name for entry in entries() for name in entry.code}))
def test_names_are_in_the_code(name):
    resolved(name)


def test_every_recipe_is_shown_by_a_section():
    shown = {name for entry in entries() for name in re.findall(r"gpugrad train (\w+)", entry.command)}
    mentioned = {name.removeprefix("recipes.") for entry in entries() for name in entry.code}
    assert set(names()) <= shown | mentioned


@pytest.mark.parametrize("command", sorted({entry.command for entry in entries()}))
def test_commands_exist(command):
    if command.startswith("gpugrad "):
        _, name, *recipe = command.split()
        assert name in COMMANDS
        assert set(recipe) <= set(names())
    else:
        assert (ROOT / command.removeprefix("python -m pytest ")).exists()


def test_the_command():
    status, printed = said("notes")
    assert status == 0
    assert len(printed.splitlines()) == len(entries()) + 5 + 4
    _, few = said("notes", "policy_iteration")
    assert few.splitlines()[0] == "Deep Learning lecture notes" and "gridworld" in few
    _, page = said("notes", "--markdown")
    assert page.count("\n| ") == len(entries()) + 5
    assert said("notes", "nosuchthing")[0] == 2


@pytest.mark.parametrize("name", names())
def test_recipes_name_sections_that_there_are(name):
    assert set(find(name).notes) <= {section for _, section in sections()}
