"""Texts that are at hand everywhere: Python's own sources and their docstrings, and dates in words to translate."""

from __future__ import annotations

import ast
import calendar
import datetime
import os
import sysconfig
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..autograd.convert import asarray
from ..autograd.tensor import Tensor
from ..errors import DataError
from .dataset import Dataset

# Modules of one subject each, so that the text is the same kind of thing throughout.
MODULES = (
    "argparse", "asyncio/base_events", "bisect", "calendar", "cmd", "codecs", "collections/__init__",
    "configparser", "contextlib", "copy", "csv", "dataclasses", "datetime", "difflib", "dis", "enum", "fileinput",
    "fnmatch", "fractions", "ftplib", "functools", "getopt", "glob", "gzip", "heapq", "inspect", "ipaddress",
    "json/decoder", "json/encoder", "logging/__init__", "mailbox", "optparse", "os", "pathlib", "pdb", "pickle",
    "platform", "pprint", "queue", "random", "sched", "shelve", "shlex", "shutil", "smtplib", "socket",
    "statistics", "string", "subprocess", "tarfile", "tempfile", "textwrap", "threading", "tokenize", "trace",
    "turtle", "types", "typing", "unittest/case", "uuid", "warnings", "weakref", "xml/dom/minidom", "zipfile",
)  # fmt: skip

_UNREAD = {"test", "tests", "site-packages", "dist-packages", "idlelib", "lib2to3", "ensurepip"}


class Texts(NamedTuple):
    """Holds a text to learn from, `train`, and one to test on, `test`.

    >>> gg.data.Texts("to learn", "to test").train
    'to learn'
    """

    train: str
    test: str


def python_source(text: Any = None, test_fraction: float = 0.1) -> Texts:
    """Return source code of Python's standard library, cut by files; or the text of the file `text`, cut near its end.

    Only characters of ASCII are kept. What there is depends on the version of Python. Raises DataError for a text of
    fewer than 1000 characters.

    >>> train, test = gg.data.python_source()
    >>> len(train) > 1_000_000, "def " in test
    (True, True)
    """
    if text is not None:
        whole = Path(text).read_text(encoding="utf-8", errors="ignore")
        if len(whole) < 1000:
            raise DataError(f"{text}: {len(whole)} characters are too few to learn from, at least 1000 are needed")
        cut = int(len(whole) * (1 - test_fraction))
        return Texts(whole[:cut], whole[cut:])
    every = round(1 / test_fraction)
    sources = [_ascii(source) for source in _library()]
    parts = ["".join(s for i, s in enumerate(sources) if (i % every == every - 1) == test) for test in (False, True)]
    return Texts(*parts)


@cache
def _library() -> tuple[str, ...]:
    folder = Path(sysconfig.get_path("stdlib"))
    files = [folder / f"{name}.py" for name in MODULES]
    sources = tuple(file.read_text(errors="ignore") for file in files if file.is_file())
    if len(sources) < 10:
        raise DataError(f"{folder}: Python's standard library has no sources there; give a text of your own")
    return sources


def _ascii(text: str) -> str:
    return text.encode("ascii", "ignore").decode()


def docstrings(modules: Sequence[str] | None = None) -> list[str]:
    """Return the sentences of the standard library's docstrings, in small letters: texts of words and single spaces.

    modules: files without their ending, and packages ("json/decoder", "email"); by default all but tests. A sentence
    is given once. Raises DataError where a module has no docstring.

    >>> sentences = gg.data.docstrings(["random", "json"])
    >>> len(sentences) > 100, sentences[0].islower()
    (True, True)
    """
    return list(dict.fromkeys(sentence for text in documents(modules) for sentence in text))


def documents(modules: Sequence[str] | None = None) -> list[list[str]]:
    """Return the sentences of each docstring, in order; see `docstrings`.

    >>> texts = gg.data.documents(["random"])
    >>> sum(map(len, texts)) > len(texts) > 20
    True
    """
    found: dict[tuple[str, ...], None] = {}
    for name in [""] if modules is None else modules:
        more = _docstrings_of(name)
        if not more:
            raise DataError(f"docstrings: the standard library has none in {name!r}")
        found.update(dict.fromkeys(more))
    return [list(text) for text in found]


@cache
def _docstrings_of(module: str) -> tuple[tuple[str, ...], ...]:
    folder = Path(sysconfig.get_path("stdlib"))
    files = [folder / f"{module}.py"] if module and (folder / f"{module}.py").is_file() else []
    found = []
    for file in files or sorted((folder / module).rglob("*.py")):
        if not _UNREAD & set(file.relative_to(folder).parts):
            for node in ast.walk(_parsed(file)):
                if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                    found.append(tuple(_sentences(ast.get_docstring(node) or "")))
    return tuple(text for text in found if text)


def _parsed(file: Path) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about escapes in what others wrote
        try:
            return ast.parse(file.read_text(errors="ignore"))
        except SyntaxError:  # a template
            return ast.Module([], [])


def sentences_of(path: str | os.PathLike) -> list[str]:
    """Return the sentences of a text file (UTF-8) of at least three words, in the form of `docstrings`.

    Raises DataError for a file without any.

    >>> from pathlib import Path
    >>> _ = Path("notes.txt").write_text("Was it there? No. It was not: never.", encoding="utf-8")
    >>> gg.data.sentences_of("notes.txt")
    ['was it there', 'it was not never']
    """
    found = _sentences(Path(path).read_text(encoding="utf-8", errors="ignore"), str)
    if not found:
        raise DataError(f"{path}: has no sentence of three words")
    return found


def _sentences(text: str, kept: Callable[[str], str] = _ascii) -> list[str]:
    """Return the sentences of at least three words, of the characters that are `kept`."""
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n") if ">>>" not in part]
    sentences = [sentence for part in paragraphs for sentence in part.replace("? ", ". ").split(". ")]
    words = ["".join(c if c.isalpha() else " " for c in kept(s).lower()).split() for s in sentences]
    return [" ".join(found) for found in words if len(found) >= 3]


class Vocabulary:
    """Numbers the characters or words of a language: 0 is padding, 1 the start, 2 the end, 3 what is unknown.

    >>> vocabulary = gg.data.Vocabulary("abc")
    >>> vocabulary.encode("cab"), vocabulary.decode([6, 4, 2, 0])
    ([6, 4, 5, 2], ['c', 'a'])
    """

    pad, start, end, unknown = range(4)

    def __init__(self, items: Sequence[str]):
        self.items = ["", "<start>", "<end>", "?", *dict.fromkeys(items)]
        self._numbers = {item: number for number, item in enumerate(self.items) if number > 3}

    def __len__(self) -> int:
        return len(self.items)

    def encode(self, items: Sequence[str]) -> list[int]:
        """Return the numbers of the items, with the end."""
        return [*(self._numbers.get(item, self.unknown) for item in items), self.end]

    def decode(self, numbers: Any) -> list[str]:
        """Return the items before the end."""
        found = []
        for number in map(int, numbers):
            if number == self.end:
                break
            if number not in (self.pad, self.start):
                found.append(self.items[number])
        return found


def padded(rows: Sequence[Sequence[int]], length: int | None = None) -> np.ndarray:
    """Return rows of numbers, filled up with 0, as one array: int64 (N, length).

    >>> gg.data.padded([[5, 2], [7]]).tolist()
    [[5, 2], [7, 0]]
    """
    length = max(map(len, rows), default=0) if length is None else length
    array = np.zeros((len(rows), length), np.int64)
    for row, numbers in zip(array, rows, strict=True):
        row[: len(numbers)] = numbers
    return array


_FORMS = (
    "{d} {month} {y}", "{month} {d}, {y}", "{d}.{m}.{y}", "{weekday}, {d} {month} {y}", "{mon} {d} {y}",
    "{d} {mon} {y}", "the {d}{th} of {month} {y}", "{month} {d}{th}, {y}", "{weekday} {mon} {d} {y}",
    "{y}, {month} {d}", "{d}{th} {mon} {y}",
)  # fmt: skip


class DateTranslation(Dataset):
    """Holds dates as people write them, with the same in ISO's form: samples (source (S,), target (T,)), int64.

    The sides are encoded by `source` and `target`, Vocabularies of characters, end with the end and are padded.
    part: "train" or "test", which have no date in common. texts: the pairs as they are.

    >>> dates = gg.data.DateTranslation(5, seed=3)
    >>> dates.texts[0]
    ('february 24, 2031', '2031-02-24')
    >>> "".join(dates.target.decode(dates[0][1]))
    '2031-02-24'
    """

    source = Vocabulary("abcdefghijklmnopqrstuvwxyz0123456789 ,.")
    target = Vocabulary("0123456789-")

    def __init__(self, count: int, part: str = "train", seed: int = 0):
        if part not in ("train", "test"):
            raise DataError(f"DateTranslation: part must be 'train' or 'test', got {part!r}")
        random = np.random.default_rng((seed, part == "test"))
        first, last = datetime.date(1950, 1, 1).toordinal(), datetime.date(2049, 12, 31).toordinal()
        days = random.integers(first, last, size=2 * count + 100)
        days = [int(day) for day in days if (day * 7919 % 10 < 8) == (part == "train")]
        while len(days) < count:
            more = random.integers(first, last, size=count)
            days += [int(day) for day in more if (day * 7919 % 10 < 8) == (part == "train")]
        forms = random.integers(len(_FORMS), size=count)
        self.texts = [_written(day, _FORMS[form]) for day, form in zip(days[:count], forms, strict=True)]
        self.sources = padded([self.source.encode(text) for text, _ in self.texts], 34)
        self.targets = padded([self.target.encode(text) for _, text in self.texts], 11)

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return asarray(self.sources[index], device="cpu"), asarray(self.targets[index], device="cpu")

    def batch(self, indices: np.ndarray) -> tuple[Tensor, Tensor]:
        """Return the samples `indices`: (N, S) and (N, T)."""
        return asarray(self.sources[indices], device="cpu"), asarray(self.targets[indices], device="cpu")


def _written(day: int, form: str) -> tuple[str, str]:
    date = datetime.date.fromordinal(day)
    ending = "th" if date.day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(date.day % 10, "th")
    month, weekday = calendar.month_name[date.month].lower(), calendar.day_name[date.weekday()].lower()
    short = weekday[:3] if "{mon}" in form else weekday
    text = form.format(d=date.day, m=date.month, y=date.year, month=month, mon=month[:3], weekday=short, th=ending)
    return text, date.isoformat()
