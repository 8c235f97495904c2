"""The table of gpugrad/cuda/ACCESSES.md: what our kernels do with memory, as counted on the emulated device."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..backend.cuda.profiles import KernelProfile

COLUMNS = ("call", "kernel", "loads", "stores", "turns", "conflicts", "lanes", "misses", "where")
STREAMS = 0.95  # of the sectors that a kernel which only moves data asks for must be needed
TOLERANCE = 0.005
_TILES = re.compile(r"attention|convolution|depthwise|channels_last")  # kernels that work on tiles of shared memory
_FEW = 64  # sectors: an access of fewer is of a row's ends or of single numbers, and says nothing


@dataclass(frozen=True)
class Row:
    """A kernel of a call. loads, stores: the share of the sectors of global memory that were needed; "-" for none.

    turns, conflicts: of shared memory's banks. lanes: the share that was active. misses: the rule that it breaks.
    where: the line that wastes most sectors, or turns if a tile has conflicts.
    """

    call: str
    kernel: str
    loads: str
    stores: str
    turns: int
    conflicts: int
    lanes: float
    misses: str
    where: str

    def cells(self) -> list[str]:
        """Return the cells of the table's row."""
        numbers = [str(self.turns), str(self.conflicts), f"{self.lanes:.2f}"]
        where = f"`{self.where}`" if self.where else "-"
        return [self.call, f"`{self.kernel}`", self.loads, self.stores, *numbers, self.misses or "-", where]


# ---- the calls


def calls() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield calls that together run a kernel of every family, with full tiles and with rows as networks have them."""
    import gpugrad as gg

    random = np.random.default_rng(0)

    def normal(*shape: int, dtype: str = "bfloat16") -> Any:
        return gg.tensor(random.standard_normal(shape), dtype=dtype, device="cuda").requires_grad_()

    def whole(below: int, *shape: int) -> Any:
        return gg.tensor(random.integers(0, below, shape), device="cuda")

    f, bf16 = gg.nn.functional, "bfloat16"

    def both(make: Callable[..., Any], *inputs: Any) -> Callable[[], Any]:
        def call() -> None:
            out = make(*inputs)
            out.backward(gg.ones_like(out))

        return call

    for heads, width, dtype in ((1, 64, bf16), (1, 128, bf16), (1, 64, "float32")):
        qkv = [normal(1, heads, 128, width, dtype=dtype) for _ in range(3)]
        yield f"attention 128 x {width}, {dtype}", both(lambda q, k, v: f.scaled_dot_product_attention(q, k, v), *qkv)
    for channels, size, dtype in ((64, 3, bf16), (64, 3, "float32"), (64, 1, bf16)):
        images, weight = normal(1, channels, 16, 16, dtype=dtype), normal(channels, channels, size, size, dtype=dtype)
        convolve = both(lambda x, w: f.conv2d(x, w, padding=w.shape[-1] // 2), images, weight)
        yield f"conv2d {channels} channels {size} x {size}, {dtype}", convolve
    depthwise = normal(2, 32, 16, 16), normal(32, 1, 3, 3)
    yield "conv2d depthwise 3 x 3", both(lambda x, w: f.conv2d(x, w, padding=1, groups=32), *depthwise)
    for rows, columns, dtype in ((16, 1024, bf16), (16, 1024, "float32"), (16, 1000, bf16)):
        x = normal(rows, columns, dtype=dtype)
        yield f"softmax {rows} x {columns}, {dtype}", both(lambda x: f.softmax(x, -1), x)
    scales = normal(768), normal(768)
    yield "layer_norm 64 x 768", both(lambda x, w, b: f.layer_norm(x, (768,), w, b), normal(64, 768), *scales)
    yield "rms_norm 64 x 768", both(lambda x, w: f.rms_norm(x, (768,), w), normal(64, 768), scales[0])
    normalised = both(lambda x: f.batch_norm(x, None, None, training=True), normal(8, 32, 14, 14))
    yield "batch_norm 8 x 32 x 14 x 14", normalised
    yield "cross_entropy 16 x 8192", both(f.cross_entropy, normal(16, 8192), whole(8192, 16))
    yield "gelu 64 x 768", both(f.gelu, normal(64, 768))
    yield "add 64 x 768", both(lambda x, y: x + y, normal(64, 768), normal(64, 768))
    yield "dropout 64 x 768", both(lambda x: f.dropout(x, 0.1), normal(64, 768))
    yield "sum of rows 64 x 1024", both(lambda x: x.sum(1), normal(64, 1024, dtype="float32"))
    yield "sum of columns 256 x 512", both(lambda x: x.sum(0), normal(256, 512, dtype="float32"))
    yield "embedding 64 of 512 x 768", both(f.embedding, whole(512, 64), normal(512, 768))
    yield "max_pool2d 2 x 32 x 28 x 28", both(lambda x: f.max_pool2d(x, 2), normal(2, 32, 28, 28))
    yield "transpose 256 x 384", lambda: gg.ascontiguousarray(normal(256, 384).T)

    def new() -> Any:  # memory of the device itself, whose addresses the optimizer's kernel reads from a table
        return gg.zeros(64, 768, device="cuda")

    weight = new().requires_grad_()
    weight.grad = new()
    optimizer = gg.optim.AdamW([weight], lr=1e-3)
    optimizer.step()
    state = optimizer.state[weight]
    state.update({name: new() for name, value in state.items() if getattr(value, "shape", ()) == weight.shape})
    yield "AdamW 64 x 768", optimizer.step


def measured() -> list[Row]:
    """Return the rows: of each call, each kernel that it launches, its launches together."""
    from ..cuda import profile

    rows = []
    for name, call in calls():
        with profile() as found:
            call()
        by_kernel: dict[str, list[KernelProfile]] = {}
        for kernel in found:
            by_kernel.setdefault(kernel.name, []).append(kernel)
        rows += [_row(name, launches) for launches in by_kernel.values()]
    return rows


def _row(call: str, launches: list[KernelProfile]) -> Row:
    totals = {kind: [t for k in launches if (t := k.total(kind)) is not None] for kind in _KINDS}
    turns = sum(t.units for kind in _KINDS[3:] for t in totals[kind])
    conflicts = sum(k.conflicts for k in launches)
    name = launches[0].name
    tile = _TILES.match(name) is not None
    moved = [t for kind in _KINDS[:2] for t in totals[kind]]
    needed = sum(t.least for t in moved) / max(1, sum(t.units for t in moved))
    misses = ""
    if tile and conflicts:
        misses = "bank conflicts"
    elif not tile and needed < STREAMS and sum(t.units for t in moved) >= _FEW:
        misses = "sectors"
    lanes = sum(k.active for k in launches) / len(launches)
    where = _worst(launches, shared=misses == "bank conflicts") if misses or needed < STREAMS else ""
    return Row(
        call, name, _share(totals["load"]), _share(totals["store"]), turns, conflicts, round(lanes, 2), misses, where
    )


_KINDS = ("load", "store", "atomic", "shared load", "shared store", "shared atomic")


def _share(found: list) -> str:
    units = sum(t.units for t in found)
    return f"{sum(t.least for t in found) / units:.3f}" if units else "-"


def _worst(launches: list[KernelProfile], shared: bool) -> str:
    waste = [
        (access.conflicts, str(line))
        for kernel in launches
        for line in kernel.lines
        for access in line.accesses
        if access.is_shared is shared
    ]
    return max(waste)[1] if waste else ""


# ---- the file


def path() -> Path:
    """Return where the table lies."""
    return Path(__file__).parents[1] / "cuda" / "ACCESSES.md"


def read(text: str) -> dict[tuple[str, str], Row]:
    """Return the rows of a file, by call and kernel."""
    rows = {}
    for line in text.splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip("|").split(" | ")]
        if len(cells) == len(COLUMNS) and line.startswith("| ") and "`" in line:
            call, kernel, loads, stores, turns, conflicts, lanes = cells[:7]
            misses, where = ("" if cell == "-" else cell for cell in cells[7:])
            counts = int(turns), int(conflicts), float(lanes)
            rows[call, kernel] = Row(call, kernel, loads, stores, *counts, misses, where)
    return rows


def write() -> int:
    """Write the table anew, below the text that stands before it; returns 0."""
    path().write_text(written(path().read_text(), measured()))
    return 0


def written(text: str, rows: list[Row]) -> str:
    """Return the text of a file with these rows after what stands before its table."""
    kept = text.split("| call |")[0].rstrip()
    lines = [COLUMNS, ["-" * len(name) for name in COLUMNS], *(row.cells() for row in rows)]
    return kept + "\n\n" + "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def compare() -> int:
    """Print the kernels that became worse than in the table; returns 1 if there are any, else 0."""
    table = read(path().read_text())
    rows = measured()
    problems = []
    for row in rows:
        before = table.pop((row.call, row.kernel), None)
        if before is None:
            problems.append(f"{row.call}: {row.kernel} is not in {path().name}: gpugrad profile --write")
        elif change := worse(row, before):
            problems.append(f"{row.call}: {row.kernel} became worse: {', '.join(change)}; worst at {row.where or '-'}")
    problems += [f"{call}: {kernel} ran no more, but is in {path().name}" for call, kernel in table]
    print("\n".join([*problems, f"{len(rows)} kernels, {len(problems)} problems"]))
    return 1 if problems else 0


def worse(row: Row, before: Row) -> list[str]:
    """Return in which respects a kernel became worse: fewer of its sectors needed, more conflicts, idle lanes."""
    found = []
    for name in ("loads", "stores"):
        new, old = (float("nan" if (share := getattr(r, name)) == "-" else share) for r in (row, before))
        if new < old - TOLERANCE:
            found.append(f"{name} {old} -> {new} of the sectors needed")
    if row.conflicts > before.conflicts:
        found.append(f"bank conflicts {before.conflicts} -> {row.conflicts} turns")
    if row.lanes < before.lanes - 0.02:
        found.append(f"lanes {before.lanes} -> {row.lanes}")
    if row.misses and row.misses != before.misses:
        found.append(f"misses the rule on {row.misses}")
    return found
