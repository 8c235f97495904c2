"""The table of gpugrad/cuda/MACHINE_CODE.md: what typical kernels take and do, and what that allows at most."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..backend.cuda.launch import Block
from ..backend.cuda.machine_code import WARP, Profile
from ..backend.cuda.occupancy import Blocks, multiprocessor, occupancy
from ..backend.cuda.resources import Resources

COLUMNS = (
    "kernel", "threads", "shared", "registers", "spilled", "blocks", "warps", "loads", "stores", "LDS", "tensor",
    "instructions", "bound", "of peak",
)  # fmt: skip
TOLERANCE = 1.05
_HEAD = re.compile(r"^### (sm_\w+), NVRTC ([\d.]+)$")


@dataclass(frozen=True)
class Row:
    """One kernel on one architecture. `bound` names what the hottest part waits for, `peak` is the share of the GPU's
    speed that this leaves: of its tensor cores, or of its memory."""

    kernel: str
    threads: int
    shared: int
    registers: int
    spilled: int
    blocks: str
    warps: int
    loads: str
    stores: str
    lds: int
    tensor: int
    instructions: int
    bound: str
    peak: str

    def cells(self) -> list[str]:
        """Return the cells of the table's row."""
        return [f"`{self.kernel}`", *(str(getattr(self, name)) for name in list(self.__dataclass_fields__)[1:])]


def measure(kernel: str, block: Block, taken: Resources, found: Profile, arch: str) -> Row:
    """Return the row of a kernel."""
    room = occupancy(taken, *block, multiprocessor(arch))
    warps = min(room) * -(-block.threads // WARP)
    bound, peak = _roofline(found, warps, arch)
    return Row(
        kernel, block.threads, taken.shared_bytes + block.shared, taken.registers, taken.spill_bytes, _blocks(room),
        warps, _widths(found.loads), _widths(found.stores), found.shared, found.tensor, found.instructions, bound, peak,
    )  # fmt: skip


def _blocks(room: Blocks) -> str:
    return " / ".join(map(str, room))


def _widths(moved: Mapping[int, int]) -> str:
    return " + ".join(f"{count} x {width}" for width, count in moved.items()) or "-"


def _roofline(found: Profile, warps: int, arch: str) -> tuple[str, str]:
    """Return what bounds the hottest part, and the share of the peak that is left.

    Cycles are those of one of a multiprocessor's four schedulers for one warp. Shared memory moves 128 bytes a cycle
    for all four: a lane's bytes take as many cycles. Memory: 25 KiB under way on a multiprocessor keep it busy.
    """
    has = multiprocessor(arch)
    if found.tensor:
        cycles = {
            "tensor cores": found.tensor * has.tensor_cycles,
            "shared memory": float(found.shared),
            "instructions": float(found.instructions),
        }
        bound = max(cycles, key=lambda name: cycles[name])
        return bound, f"{cycles['tensor cores'] / cycles[bound]:.2f}"
    if not found.global_bytes or not warps:
        return "-", "-"
    rates = {"memory": 1.0}
    rates["instructions"] = found.global_bytes * WARP / found.instructions * 4 * has.count * has.clock / has.bandwidth
    under_way = warps * WARP * sum(width * count for width, count in found.loads.items())
    rates["bytes under way"] = under_way / (25 << 10) if found.loads else 1.0
    bound = min(rates, key=lambda name: rates[name])
    return bound, f"{rates[bound]:.2f}"


# ---- the file


def path() -> Path:
    """Return where the table lies."""
    return Path(__file__).parents[1] / "cuda" / "MACHINE_CODE.md"


def read(text: str) -> dict[str, tuple[str, dict[str, Row]]]:
    """Return the tables of a file: architecture -> (NVRTC's version, kernel -> row)."""
    tables: dict[str, tuple[str, dict[str, Row]]] = {}
    rows: dict[str, Row] = {}
    for line in text.splitlines():
        if head := _HEAD.match(line):
            rows = {}
            tables[head[1]] = head[2], rows
        elif line.startswith("| `"):
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            values = [int(c) if re.fullmatch(r"\d+", c) else c for c in cells]
            row = Row(str(values[0]).strip("` "), *values[1:])  # type: ignore[arg-type]
            rows[row.kernel] = row
    return tables


def written(text: str, tables: Mapping[str, tuple[str, Iterable[Row]]]) -> str:
    """Return the text of a file with these tables after what stands before its first table."""
    kept = re.split(r"^### sm_", text, maxsplit=1, flags=re.MULTILINE)[0].rstrip()
    parts = [kept]
    for arch, (version, rows) in tables.items():
        lines = [f"### {arch}, NVRTC {version}", "", _line(COLUMNS), _line("-" * len(c) for c in COLUMNS)]
        parts.append("\n".join([*lines, *(_line(row.cells()) for row in rows)]))
    return "\n\n".join(parts) + "\n"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


# ---- the comparison


def worse(row: Row, before: Row) -> list[str]:
    """Return in which respects a kernel became worse by more than 5 %; any more spilling is worse."""
    found = []
    for name, rises in (("shared", True), ("instructions", True), ("lds", True), ("warps", False), ("tensor", False)):
        new, old = getattr(row, name), getattr(before, name)
        if new > old * TOLERANCE if rises else new * TOLERANCE < old:
            found.append(f"{name} {old} -> {new}")
    if row.spilled > before.spilled:
        found.append(f"spilled {before.spilled} -> {row.spilled}")
    for name in ("loads", "stores"):
        new, old = (_narrowness(getattr(r, name)) for r in (row, before))
        if new > old * TOLERANCE:
            found.append(f"{name} {getattr(before, name)} -> {getattr(row, name)} (count x bytes)")
    return found


def _narrowness(moved: str) -> float:
    """Return how many instructions move 16 bytes of what is loaded or stored."""
    pairs = [tuple(map(int, found)) for found in re.findall(r"(\d+) x (\d+)", moved)]
    return sum(n for n, _ in pairs) * 16 / sum(n * width for n, width in pairs) if pairs else 0.0
