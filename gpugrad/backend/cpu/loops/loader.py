"""Puts the machine code of an object file into memory, so that a program that finds its loops in the cache loads no
LLVM.

That would take 60 MB and a tenth of a second. It is done for what LLVM makes of loops on x86-64 Linux: an ELF file
whose code names constants and the C library's functions by their full addresses. `load` leaves all else to LLVM's own
loader.
"""

import ctypes
import mmap
import struct
import sys
from typing import NamedTuple

_X86_64, _ALLOCATED, _PROGRAM, _SYMBOLS, _RELOCATIONS = 62, 2, 1, 2, 4  # values of ELF's fields
_ABSOLUTE = 1  # the relocation R_X86_64_64
_COMMON = 0xFFF2  # the section of symbols that are zeros of a size
_regions: list[mmap.mmap] = []  # hold the code


class _Section(NamedTuple):
    name: int
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int


class _Symbol(NamedTuple):
    name: int
    info: int
    other: int
    section: int
    value: int
    size: int


def load(code: bytes, entry: str) -> int | None:
    """Return the address of the function `entry`; None if the file is of another kind, or the system is."""
    if sys.platform != "linux" or code[:6] != b"\x7fELF\2\1" or struct.unpack_from("<H", code, 18)[0] != _X86_64:
        return None
    start, count = struct.unpack_from("<Q", code, 40)[0], struct.unpack_from("<H", code, 60)[0]
    sections = [_Section(*struct.unpack_from("<IIQQQQIIQQ", code, start + 64 * i)) for i in range(count)]
    table = next(section for section in sections if section.type == _SYMBOLS)
    symbols = [_Symbol(*struct.unpack_from("<IBBHQQ", code, table.offset + i)) for i in range(0, table.size, 24)]
    names = [_name(code, sections[table.link].offset + symbol.name) for symbol in symbols]
    places, spots, size = _layout(sections, symbols)
    try:
        region = mmap.mmap(-1, size)
        base = ctypes.addressof(ctypes.c_char.from_buffer(region))
        for i, section in enumerate(sections):
            if section.type == _PROGRAM and i in places:
                region[places[i] : places[i] + section.size] = code[section.offset : section.offset + section.size]
        for section in sections:
            for at in range(section.offset, section.offset + section.size, 24) if section.type == _RELOCATIONS else ():
                offset, info, addend = struct.unpack_from("<QQq", code, at)
                number, kind = info >> 32, info & 0xFFFFFFFF
                if section.info in places:
                    if kind != _ABSOLUTE:
                        return None
                    spot = spots[number]
                    address = _outside(names[number]) if spot is None else base + spot
                    struct.pack_into("<Q", region, places[section.info] + offset, address + addend)
    except (OSError, ValueError, AttributeError):  # there is no memory, or no such function
        return None
    readable = mmap.PROT_READ | mmap.PROT_EXEC  # and no longer to be written
    if ctypes.CDLL(None).mprotect(ctypes.c_void_p(base), ctypes.c_size_t(size), readable) != 0:
        return None
    _regions.append(region)
    return base + (spots[names.index(entry)] or 0)


def _layout(sections: list[_Section], symbols: list[_Symbol]) -> tuple[dict[int, int], list[int | None], int]:
    """Return where each section that belongs into memory begins, where each symbol is, and the size of all.

    A symbol that is elsewhere has None. Common symbols come last.
    """
    places, size = {}, 0
    for i, section in enumerate(sections):
        if section.flags & _ALLOCATED and section.size:
            size += -size % max(1, section.alignment)
            places[i] = size
            size += section.size
    spots: list[int | None] = []
    for symbol in symbols:
        if symbol.section == _COMMON:
            size += -size % max(1, symbol.value)  # its alignment
            spots.append(size)
            size += symbol.size
        else:
            spots.append(places[symbol.section] + symbol.value if symbol.section in places else None)
    return places, spots, size


def _name(code: bytes, start: int) -> str:
    return code[start : code.index(b"\0", start)].decode()


def _outside(name: str) -> int:
    """Return the address of a function of the C library."""
    return ctypes.cast(getattr(ctypes.CDLL(None), name), ctypes.c_void_p).value or 0
