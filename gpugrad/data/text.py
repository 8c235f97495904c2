"""Text: tokenisers, files by lines, and sequences of tokens to predict the next one of."""

from __future__ import annotations

import os
from collections.abc import Iterable
from io import TextIOWrapper
from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.tensor import Tensor
from ..backend.files import open_regular
from ..errors import DataError, OutOfRangeError
from ..optional import need
from .dataset import Dataset


class ByteTokenizer:
    """Turns a text into its bytes in UTF-8: there are 256 tokens, and every text has one encoding.

    >>> tokenizer = gg.data.ByteTokenizer()
    >>> tokenizer.encode("ab"), tokenizer.decode([97, 98])
    (tensor([97, 98]), 'ab')
    """

    vocab_size = 256

    def encode(self, text: str) -> Tensor:
        """Return the numbers of the tokens, int64 (T,)."""
        return asarray(np.frombuffer(text.encode(), np.uint8).astype(np.int64), device="cpu")

    def decode(self, ids: Any) -> str:
        """Return the text; bytes that are not UTF-8 become U+FFFD."""
        return bytes(_checked(ids, 256)).decode(errors="replace")


class CharTokenizer:
    """Turns a text into its characters, numbered in the order of `chars`: those that occur in the text given, sorted.
    Raises DataError for an empty text.

    >>> tokenizer = gg.data.CharTokenizer("banana")
    >>> tokenizer.encode("nab"), tokenizer.decode([1, 0, 2])
    (tensor([2, 0, 1]), 'ban')
    """

    def __init__(self, text: str):
        if not text:
            raise DataError("CharTokenizer: the text is empty")
        self.chars = "".join(sorted(set(text)))
        self._codes = np.array([ord(c) for c in self.chars], np.int64)

    @property
    def vocab_size(self) -> int:
        """The number of characters."""
        return len(self.chars)

    def encode(self, text: str) -> Tensor:
        """Return the numbers of the characters, int64 (T,). Raises DataError that names the first unknown character."""
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.int64)
        ids = np.searchsorted(self._codes, codes)
        known = np.zeros(len(codes), bool)
        inside = ids < len(self._codes)
        known[inside] = self._codes[ids[inside]] == codes[inside]
        if not known.all():
            where = int((~known).argmax())
            raise DataError(f"CharTokenizer: the character {text[where]!r} at {where} is not one of {self.chars!r}")
        return asarray(ids.astype(np.int64), device="cpu")

    def decode(self, ids: Any) -> str:
        """Return the text."""
        return "".join(self.chars[i] for i in _checked(ids, len(self.chars)))


class HuggingFaceTokenizer:
    """Gives a tokeniser of Hugging Face's `tokenizers` the methods of the others.

    source: a `tokenizers.Tokenizer`, or the path of a "tokenizer.json". It stays reachable as `tokenizer`.

    >>> from tokenizers import Tokenizer, models, pre_tokenizers
    >>> words = Tokenizer(models.WordLevel({"a": 0, "rose": 1, "?": 2}, unk_token="?"))
    >>> words.pre_tokenizer = pre_tokenizers.Whitespace()
    >>> gg.data.HuggingFaceTokenizer(words).encode("a rose")
    tensor([0, 1])
    """

    def __init__(self, source: Any):
        if isinstance(source, (str, os.PathLike)):
            module = need("tokenizers", f"reading {os.fspath(source)}", "train")
            with open_regular(source, DataError) as file:
                content = file.read()
            try:
                source = module.Tokenizer.from_buffer(content)
            except Exception as error:  # the package raises Exception itself
                raise DataError(f"{os.fspath(source)}: not a tokeniser ({error})") from None
        self.tokenizer = source

    @property
    def vocab_size(self) -> int:
        """The number of tokens, added ones included."""
        return self.tokenizer.get_vocab_size()

    def encode(self, text: str) -> Tensor:
        """Return the numbers of the tokens, int64 (T,)."""
        return asarray(np.array(self.tokenizer.encode(text).ids, np.int64), device="cpu")

    def decode(self, ids: Any) -> str:
        """Return the text."""
        return self.tokenizer.decode(_checked(ids, self.vocab_size))


def _checked(ids: Any, size: int) -> list[int]:
    """Return `ids` (a Tensor, an array, numbers) as a list. Raises OutOfRangeError for one that is no token."""
    numbers = [int(i) for i in (ids.tolist() if hasattr(ids, "tolist") else ids)]
    for i in numbers:
        if not 0 <= i < size:
            raise OutOfRangeError(f"decode: {i} is not one of the {size} tokens")
    return numbers


class Lines(Dataset):
    r"""Holds the lines of a text file, without their ends; only the places where they begin are in memory.

    Raises DataError, which names the file and the line, for bytes that are not text in `encoding`.

    >>> from pathlib import Path
    >>> _ = Path("poem.txt").write_text("one\ntwo\n")
    >>> lines = gg.data.Lines("poem.txt")
    >>> len(lines), lines[1]
    (2, 'two')
    """

    def __init__(self, path: str | os.PathLike, encoding: str = "utf-8"):
        self.path, self.encoding = os.fspath(path), encoding
        with open_regular(path, DataError) as file:
            self._ends = np.cumsum([len(line) for line in file], dtype=np.int64)

    def __getitem__(self, index: int) -> str:
        n = len(self)
        if not -n <= index < n:
            raise OutOfRangeError(f"{self.path}: there is no line {index} of {n}")
        start = self._ends[index % n - 1] if index % n else 0
        with open(self.path, "rb") as file:
            file.seek(start)
            line = file.read(int(self._ends[index % n] - start))
        try:
            return line.decode(self.encoding).rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise DataError(f"{self.path}: line {index % n}: {error}") from None

    def __len__(self) -> int:
        return len(self._ends)


class TokenDataset(Dataset):
    """Cuts a long sequence of tokens into windows: samples (x, y), int64 (length,) each, where y is x one token later.

    tokens: numbers (T,), or a text or the texts of files, which `tokenizer` encodes. stride: the distance from the
    start of one window to that of the next; by default `length`, so that no token is predicted twice.

    >>> dataset = gg.data.TokenDataset(range(7), length=3)
    >>> dataset[0], len(dataset)
    ((tensor([0, 1, 2]), tensor([1, 2, 3])), 2)
    """

    def __init__(self, tokens: Any, length: int, stride: int | None = None, tokenizer: Any = None):
        if tokenizer is not None:
            tokens = tokenizer.encode(tokens if isinstance(tokens, str) else read_text(tokens))
        self.tokens = np.asarray(tokens, np.int64)
        self.length, self.stride = length, length if stride is None else stride
        if self.stride < 1:
            raise DataError(f"TokenDataset: stride must be positive, got {stride}")
        if self.tokens.ndim != 1 or len(self.tokens) <= length or length < 1:
            raise DataError(
                f"TokenDataset: tokens {self.tokens.shape} are too few for a window of {length} and the next"
            )

    def __len__(self) -> int:
        return (len(self.tokens) - 1 - self.length) // self.stride + 1

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        if not -len(self) <= index < len(self):
            raise OutOfRangeError(f"TokenDataset: index {index} is outside the {len(self)} windows")
        x, y = self.batch(np.array([index % len(self)]))
        return x[0], y[0]

    def batch(self, indices: np.ndarray) -> tuple[Tensor, Tensor]:
        """Return the windows `indices`, (N, length) each."""
        window = self.tokens[indices[:, None] * self.stride + np.arange(self.length + 1)]
        x, y = (np.ascontiguousarray(part) for part in (window[:, :-1], window[:, 1:]))
        return asarray(x, device="cpu"), asarray(y, device="cpu")


def read_text(paths: Any, encoding: str = "utf-8") -> str:
    """Return the text of a file, or of several one after the other. Raises DataError that names a file that is not
    text.
    """
    given: Iterable[Any] = [paths] if isinstance(paths, os.PathLike) else paths
    texts = []
    for path in given:
        try:
            with open_regular(path, DataError) as file, TextIOWrapper(file, encoding) as text:
                texts.append(text.read())
        except UnicodeDecodeError as error:
            raise DataError(f"{os.fspath(path)}: {error}") from None
    return "".join(texts)
