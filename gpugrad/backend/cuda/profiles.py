"""What a launch on the emulator counted, by source line: what `gpugrad.cuda.profile` returns is made of these."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

from .bounds import Bound, Machine, bound, machine
from .emulator.lines import Place, frames, stretches
from .emulator.run import Recording
from .gpus import GPU
from .sizes import Size
from .sources import Source

KINDS = ("load", "store", "atomic", "shared load", "shared store", "shared atomic")
SECTOR, WARP = 32, 32
_PREDICATED = 6  # instructions: no warp parts for fewer, the lanes that skip them wait
_TENSOR = {"mma_m16n8k16": 2 * 16 * 8 * 16, "mma_m16n8k8_tf32": 2 * 16 * 8 * 8}  # operations


@dataclass(frozen=True)
class Access:
    """What the accesses of one kind and width at a line did. Warps make them as requests, one an instruction.

    kind: one of "load", "store", "atomic" (of global memory) and the same after "shared ". width: bytes of a lane.
    requests: of warps. lanes: that took part, in all. bytes: distinct ones of each request, added up.
    units: sectors of 32 bytes, or of shared memory the turns of its banks. least: that those bytes would have needed.
    worst: units of the worst request.

    >>> strided = gg.cuda.Access("load", 4, requests=1, lanes=32, bytes=128, units=8, least=4, worst=8)
    >>> strided.per_request, strided.efficiency, strided.active
    (8.0, 0.5, 1.0)
    """

    kind: str
    width: int
    requests: int
    lanes: int
    bytes: int
    units: int
    least: int
    worst: int

    @property
    def is_shared(self) -> bool:
        """Whether it is shared memory."""
        return self.kind.startswith("shared")

    @property
    def per_request(self) -> float:
        """Return the sectors, or turns, of a request."""
        return self.units / self.requests

    @property
    def efficiency(self) -> float:
        """Return the share of the sectors, or turns, that were needed: 1.0 is best."""
        return self.least / self.units

    @property
    def conflicts(self) -> int:
        """Return the sectors too many; of shared memory, the turns that bank conflicts took."""
        return self.units - self.least

    @property
    def active(self) -> float:
        """Return the share of the warps' lanes that took part."""
        return self.lanes / (WARP * self.requests)

    def __add__(self, other: Access) -> Access:
        return Access(
            self.kind, max(self.width, other.width), self.requests + other.requests, self.lanes + other.lanes,
            self.bytes + other.bytes, self.units + other.units, self.least + other.least, max(self.worst, other.worst),
        )  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A line of the source, reached through the calls at `places[1:]`, the innermost first.

    runs, lanes: how often warps ran its code, and with how many lanes in all, weighted by instructions; code so short
    that a GPU skips it lane by lane, without parting the warp, is left out.

    >>> gg.cuda.Line((), "if (threadIdx.x % 32 < 16) {", (), runs=2, lanes=48).active
    0.75
    """

    places: tuple[Place, ...]
    text: str
    accesses: tuple[Access, ...]
    runs: int
    lanes: int

    @property
    def active(self) -> float | None:
        """Return the share of the warps' lanes that were active, None if nothing of the line could part a warp."""
        return self.lanes / (WARP * self.runs) if self.runs else None

    def __str__(self) -> str:
        return " < ".join(f"{Path(place.file).name}:{place.line}" for place in self.places)


@dataclass(frozen=True)
class Touched:
    """The distinct bytes of global memory that were read and written, and those of the sectors that they lie in."""

    read: int
    written: int
    sectors_read: int
    sectors_written: int

    @property
    def bytes(self) -> int:
        """Return the bytes, read and written."""
        return self.read + self.written

    @property
    def moved(self) -> int:
        """Return the bytes of the sectors, read and written: what a cache that forgets nothing moves."""
        return self.sectors_read + self.sectors_written


@dataclass(frozen=True)
class Array:
    """An array that the kernel was given, as parameter 0, 1, ...: its bytes, the distinct ones that were touched."""

    parameter: int
    bytes: int
    touched: Touched


@dataclass(frozen=True)
class KernelProfile:
    """One launch: its sizes, what its lines did, and what that allows on a GPU.

    operations: what the lanes of warps did together, by name: "__syncthreads", shuffles, tensor products.
    touched: of global memory, all arrays together.
    machine: of the machine code, or, if there is none, why.

    >>> if gg.cuda.is_emulated():
    ...     x = gg.ones(8, 1024, device="cuda")
    ...     with gg.cuda.profile() as profile:
    ...         y = gg.exp(x)
    ...     kernel = profile.kernels[0]
    ...     assert kernel.touched.bytes == 2 * 8 * 1024 * 4 and kernel.conflicts == 0, profile
    """

    name: str
    source: Source
    grid: Size
    block: Size
    shared: int
    lines: tuple[Line, ...]
    arrays: tuple[Array, ...]
    operations: Mapping[str, int]
    touched: Touched
    machine: Machine | str
    gpu: GPU

    @property
    def threads(self) -> int:
        """Return the threads of a block."""
        return prod(self.block)

    def total(self, kind: str) -> Access | None:
        """Return all accesses of a kind together, or None if there are none."""
        return _sum(access for line in self.lines for access in line.accesses if access.kind == kind)

    @property
    def active(self) -> float:
        """Return the share of the warps' lanes that were active, over all code, weighted by instructions."""
        runs = sum(line.runs for line in self.lines)
        return sum(line.lanes for line in self.lines) / (WARP * runs) if runs else 1.0

    @property
    def efficiency(self) -> float:
        """Return the share of the sectors that were needed, of all accesses of global memory."""
        totals = [t for kind in KINDS[:3] if (t := self.total(kind)) is not None]
        units = sum(t.units for t in totals)
        return sum(t.least for t in totals) / units if units else 1.0

    @property
    def conflicts(self) -> int:
        """Return the turns of shared memory's banks that conflicts took."""
        return sum(t.conflicts for kind in KINDS[3:] if (t := self.total(kind)) is not None)

    @property
    def tensor_operations(self) -> dict[str, int]:
        """Return the floating-point operations of the tensor cores, by instruction."""
        return {name: self.operations[name] * count for name, count in _TENSOR.items() if name in self.operations}

    @cached_property
    def bound(self) -> Bound:
        """Return what the kernel waits for on the GPU, by the model of `Bound`."""
        totals = {kind: self.total(kind) for kind in KINDS}
        turns = sum(t.units for kind, t in totals.items() if t is not None and t.is_shared)
        for kind in KINDS[:3]:  # the first-level cache gives four sectors in a turn of the same memory
            turns += max(t.requests, t.units / 4) if (t := totals[kind]) is not None else 0
        moved = [t.bytes for kind in KINDS[:3] if (t := totals[kind]) is not None]
        return bound(
            self.gpu, self.touched.moved, self.touched.bytes, turns, self.tensor_operations, self.machine,
            sum(moved), sum(self.operations.get(name, 0) for name in _TENSOR),
        )  # fmt: skip

    def by_line(self) -> dict[Place, Line]:
        """Return what each line did, with all that the functions it calls did for it."""
        found: dict[Place, list[Line]] = defaultdict(list)
        for line in self.lines:
            for place in dict.fromkeys(line.places):
                found[place].append(line)
        texts = _Texts(self.source)
        return {
            place: Line(
                (place,), texts[place], _merged(access for line in lines for access in line.accesses),
                sum(line.runs for line in lines), sum(line.lanes for line in lines),
            )
            for place, lines in sorted(found.items())
        }  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """Return everything as numbers, texts, lists and dicts, which `json` can write."""
        fields = {name: getattr(self, name) for name in ("name", "grid", "block", "shared", "operations")}
        figures = {name: getattr(self, name) for name in ("active", "efficiency", "conflicts", "tensor_operations")}
        code = self.machine if isinstance(self.machine, str) else asdict(self.machine)
        trees = {name: asdict(getattr(self, name)) for name in ("touched", "bound")}
        lines = [asdict(line) | {"places": [f"{file}:{at}" for file, at in line.places]} for line in self.lines]
        arrays = [asdict(array) for array in self.arrays]
        return {**fields, **figures, **trees, "machine": code, "arrays": arrays, "lines": lines}


# ---- from a recording


def profiled(recording: Recording, gpu: GPU, code: bool) -> KernelProfile:
    """Return what a launch counted, by line. code: whether to look at the machine code for the GPU as well."""
    function, counts = recording.function, recording.counts
    found = machine(function.source, function.name, gpu, prod(recording.block), recording.dynamic_shared, code)
    met = {name: met for name, (met, _) in counts["met"].items()}
    return KernelProfile(
        name=function.name,
        source=function.source,
        grid=recording.grid,
        block=recording.block,
        shared=recording.static_shared + recording.dynamic_shared,
        lines=_lines(recording),
        arrays=tuple(Array(number, size, _touched(*found)) for number, size, *found in counts["arrays"]),
        operations=met | ({"__syncthreads": counts["barriers"]} if counts["barriers"] else {}),
        touched=_touched(*counts["touched"]),
        machine=found,
        gpu=gpu,
    )


def _touched(read: int, written: int, sectors_read: int, sectors_written: int) -> Touched:
    return Touched(read, written, SECTOR * sectors_read, SECTOR * sectors_written)


def _lines(recording: Recording) -> tuple[Line, ...]:
    function, counts = recording.function, recording.counts
    places = [(chain[0], *_own(function.library, function.source, chain)) for chain in counts["places"]]
    texts, lengths = _Texts(function.source), stretches(function.library)
    accesses: dict[tuple[Place, ...], list[Access]] = defaultdict(list)
    runs: dict[tuple[Place, ...], list[int]] = defaultdict(lambda: [0, 0])
    for place, what, width, *numbers in counts["traffic"]:
        accesses[places[place][1]].append(Access(KINDS[what - 1], width, *numbers))
    for place, executions, lanes in counts["code"]:
        offset, lines, in_emulator = places[place]
        length = lengths.get(offset, _PREDICATED)
        if lines and not in_emulator and length >= _PREDICATED:
            runs[lines][0] += length * executions
            runs[lines][1] += length * lanes
    return tuple(
        Line(lines, texts[lines[0]] if lines else "", _merged(accesses[lines]), *runs[lines])
        for lines in sorted({*accesses, *runs}, key=lambda lines: tuple(reversed(lines)))
    )


def _own(library: Path, source: Source, chain: Iterable[int]) -> tuple[tuple[Place, ...], bool]:
    found = frames(library, chain) or []
    own = str(source.path or source.name)
    places = tuple(place._replace(file=place.file or own) for each in found for place in each.places)
    return places, bool(found) and found[0].in_emulator


def _merged(accesses: Iterable[Access]) -> tuple[Access, ...]:
    """Return the sums of the accesses of the same kind and width, in the order of the kinds."""
    found: dict[tuple[str, int], list[Access]] = defaultdict(list)
    for access in accesses:
        found[access.kind, access.width].append(access)
    sums = [total for group in found.values() if (total := _sum(group)) is not None]
    return tuple(sorted(sums, key=lambda a: (KINDS.index(a.kind), -a.width)))


def _sum(accesses: Iterable[Access]) -> Access | None:
    total = None
    for access in accesses:
        total = access if total is None else total + access
    return total


class _Texts:
    """The texts of source lines."""

    def __init__(self, source: Source):
        self.source = source
        self.files: dict[str, list[str]] = {}

    def __getitem__(self, place: Place) -> str:
        lines = self.files.get(place.file)
        if lines is None:
            lines = self.files[place.file] = file_lines(self.source, place.file)
        return lines[place.line - 1].strip() if place.line <= len(lines) else ""


def file_lines(source: Source, file: str) -> list[str]:
    """Return the lines of a file of this source: itself or a header; none if it cannot be read."""
    if file == str(source.path or source.name):
        return source.text.splitlines()
    try:
        return Path(file).read_text(errors="replace").splitlines()
    except OSError:
        return []
