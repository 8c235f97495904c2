"""The safetensors format: a header of names, dtypes, shapes and places, then the values.

    8 bytes: length of the header, little-endian; the header: JSON; the values: one tensor after the other, without gaps
    {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ..., "__metadata__": {"key": "text"}}

(https://github.com/huggingface/safetensors). A file may come from anywhere, so everything in it is checked before it is
used: a header can ask for more memory than there is, for values that belong to others, or for more values than the file
has.
"""

from __future__ import annotations

import hashlib
import json
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..backend.dtypes import as_dtype
from ..errors import CheckpointError

DTYPES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "I16": "int16", "I32": "int32", "I64": "int64",
    "F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64",
}  # fmt: skip
_CODES = {name: code for code, name in DTYPES.items()}
_LIMIT = 100_000_000  # bytes of a header, the format's own limit
# What takes memory when a header is parsed is its lists and their items, up to 30 times its size; a tensor has about
# 10 of these marks, so that this allows 200 thousand tensors, and no more than 200 MB.
_MARKS, _MOST_MARKS = (b"{", b"[", b","), 1 << 21
_NOTES = "__metadata__"
_SUMS, _SUM = "gpugrad.sha256", "gpugrad.header.sha256"


class Entry(NamedTuple):
    """Describes one tensor of a file."""

    dtype: str
    shape: tuple[int, ...]
    start: int  # from the beginning of the file
    size: int  # bytes
    sum: str | None  # of the values

    def array(self, buffer: Any) -> np.ndarray:
        """Return the values in a buffer of `size` bytes, sharing its memory."""
        return np.frombuffer(buffer, as_dtype(DTYPES[self.dtype])).reshape(self.shape)


def checksum(content: Any) -> str:
    """Return the SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()


def write_header(arrays: dict[str, np.ndarray], notes: dict[str, str]) -> tuple[bytes, list[str]]:
    """Return the first bytes of a file, and the order in which the arrays' values follow.

    The checksum of each array's values, and one of the header itself, are added to the notes. Raises CheckpointError
    for names and sizes that `read_header` refuses.
    """
    for name in arrays:
        if name == _NOTES or not _is_unicode(name):
            raise CheckpointError(f"save: a tensor cannot be called {name!r} in a safetensors file")
    order = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))  # aligned: wide elements first
    header: dict[str, Any] = {}
    end = 0
    for name in order:
        array = arrays[name]
        start, end = end, end + array.nbytes
        header[name] = {"dtype": _CODES[array.dtype.name], "shape": array.shape, "data_offsets": [start, end]}
    sums = {name: checksum(array.reshape(-1).view(np.uint8)) for name, array in arrays.items()}
    header[_NOTES] = {**notes, _SUMS: json.dumps(sums, sort_keys=True)}
    header[_NOTES][_SUM] = _header_sum(header)
    text = _dumped(header)
    text += b" " * (-len(text) % 8)
    try:
        _check_size(text)
    except ValueError as error:
        what = f"{len(arrays)} tensors and their metadata are too much for one file"
        raise CheckpointError(f"save: {what}: {error}") from None
    return len(text).to_bytes(8, "little") + text, order


def _check_size(text: bytes) -> None:
    """Raise ValueError for a header that would take too much memory."""
    if len(text) > _LIMIT:
        raise ValueError(f"a header of {len(text)} bytes, where {_LIMIT} are allowed")
    marks = sum(map(text.count, _MARKS))
    if marks > _MOST_MARKS:
        raise ValueError(f"a header of {marks} lists, objects and items, where {_MOST_MARKS} are allowed")


def _is_unicode(text: str) -> bool:
    """Return whether other programs can read the text: a lone surrogate is no character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _dumped(header: Any) -> bytes:
    return json.dumps(header, sort_keys=True, separators=(",", ":")).encode()


def _header_sum(header: dict) -> str:
    """Return the checksum of a header without this checksum."""
    notes = {key: value for key, value in header[_NOTES].items() if key != _SUM}
    return checksum(_dumped({**header, _NOTES: notes}))


def read_header(file: Any, size: int) -> tuple[dict[str, Entry], dict[str, str]]:
    """Return the tensors and the notes of an open file of `size` bytes. Raises ValueError with the reason for a bad
    one.
    """
    if size < 8:
        raise ValueError(f"it has {size} bytes")
    length = int.from_bytes(file.read(8), "little")
    if length > min(size - 8, _LIMIT):
        raise ValueError(f"a header of {length} bytes in a file of {size}")
    try:
        text = file.read(length)
        _check_size(text)
        header = json.loads(text.decode(), object_pairs_hook=_without_repetition)
    except RecursionError:
        raise ValueError("the header is nested too deep") from None
    if not isinstance(header, dict):
        raise ValueError("the header is no JSON object")
    notes = {} if header.get(_NOTES) is None else header[_NOTES]
    _check_texts(_NOTES, notes)
    sums = json.loads(notes[_SUMS]) if _SUMS in notes else {}
    _check_texts(_SUMS, sums)
    if (_SUM in notes or sums) and notes.get(_SUM) != _header_sum(header):
        raise ValueError("the header's checksum is another; the file was changed or damaged")
    begin = 8 + length
    entries = {name: _entry(name, given, begin, sums.get(name)) for name, given in header.items() if name != _NOTES}
    _check_places(entries, begin, size)
    return dict(sorted(entries.items())), {key: text for key, text in notes.items() if key not in (_SUMS, _SUM)}


def _check_texts(name: str, given: Any) -> None:
    if not isinstance(given, dict) or not all(isinstance(text, str) for text in given.values()):
        raise ValueError(f"{name} is not a table of texts")


def _without_repetition(pairs: list) -> dict:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name occurs twice in the header")
    return made


def _entry(name: str, given: Any, begin: int, total: str | None) -> Entry:
    if not isinstance(given, dict) or set(given) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{name!r} has not the fields dtype, shape and data_offsets")
    dtype, shape, places = given["dtype"], given["shape"], given["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"{name!r}: unsupported dtype {dtype}")
    if not _are_sizes(shape) or len(shape) > 64:
        raise ValueError(f"{name!r}: the shape {str(shape)[:80]} is no list of sizes")
    if not _are_sizes(places) or len(places) != 2 or places[0] > places[1]:
        raise ValueError(f"{name!r}: the offsets {str(places)[:80]} are no range")
    size = places[1] - places[0]
    if prod(shape) * as_dtype(DTYPES[dtype]).itemsize != size:
        raise ValueError(f"{name!r}: {size} bytes are not the values of {dtype} {tuple(shape)}")
    return Entry(dtype, tuple(shape), begin + places[0], size, total)


def _are_sizes(given: Any) -> bool:
    return isinstance(given, list) and all(type(n) is int and 0 <= n < 1 << 63 for n in given)


def _check_places(entries: dict[str, Entry], begin: int, size: int) -> None:
    """Raise ValueError unless every byte after the header belongs to exactly one tensor."""
    end = begin
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].start, item[1].size)):
        if entry.start != end:
            what = "overlap with another tensor" if entry.start < end else "begin after a gap"
            raise ValueError(f"{name!r}: its values {what}")
        end += entry.size
    if end != size:
        raise ValueError(f"the tensors end at byte {end}, the file at {size}")
