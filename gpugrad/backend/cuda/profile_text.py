"""A profile as tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from .bounds import Machine
from .profiles import Access, KernelProfile, Line
from .sizes import Size

_HEAD = ("line", "access", "bytes", "requests", "per request", "worst", "needed", "lanes")
_SHOWN = 20  # lines of a kernel
_IDLE = 0.01  # of a kernel's lanes: a line at which more wait is shown


def written(kernels: Sequence[KernelProfile]) -> str:
    """Return tables as text: for each kernel its sums, its bound, and its lines, the most wasteful first."""
    return "\n\n".join(map(_kernel, kernels)) or "no kernel ran"


def _kernel(kernel: KernelProfile) -> str:
    lines = [f"{kernel.name}  {sizes(kernel)}"]
    lines += [f"  {name}: {text}" for name, text in summary(kernel)]
    rows = [(line, access) for line in kernel.lines for access in line.accesses]
    rows.sort(key=lambda row: (-row[1].conflicts, -row[1].units))
    cells = [_HEAD, *(_cells(line, access) for line, access in rows[:_SHOWN])]
    widths = [max(len(row[i]) for row in cells) for i in range(len(_HEAD))]
    lines += ["  " + "  ".join(_padded(i, cell, w) for i, (cell, w) in enumerate(zip(row, widths, strict=True)))
              for row in cells]  # fmt: skip
    if len(rows) > _SHOWN:
        lines.append(f"  ... and {len(rows) - _SHOWN} more, none with more to win")
    runs = sum(line.runs for line in kernel.lines)
    idle = {line: line.runs * (1 - line.active) / runs for line in kernel.lines if line.active is not None}
    for line in sorted((line for line in idle if idle[line] > _IDLE), key=lambda line: -idle[line]):
        lines.append(f"  {percent(line.active)} of the lanes are active at {line}: {line.text}")
    return "\n".join(line.rstrip() for line in lines)


def summary(kernel: KernelProfile) -> list[tuple[str, str]]:
    """Return the figures of a whole kernel, as names and texts."""
    shared = [t for kind in ("shared load", "shared store", "shared atomic") if (t := kernel.total(kind)) is not None]
    turns, touched = sum(t.units for t in shared), kernel.touched
    found = [
        ("global memory", f"{_bytes(touched.read)} read, {_bytes(touched.written)} written; of the sectors that the "
                          f"requests moved, {percent(kernel.efficiency)} were needed"),
        ("lanes", f"{percent(kernel.active)} active"),
    ]  # fmt: skip
    if turns:
        found.insert(1, ("shared memory", f"{turns} turns, {kernel.conflicts} of them by bank conflicts"))
    if kernel.operations:
        found.append(("together", ", ".join(f"{count} {name}" for name, count in kernel.operations.items())))
    found.append((f"{kernel.gpu.name}, a model", _bound(kernel)))
    if isinstance(kernel.machine, str):
        return [*found, ("machine code", kernel.machine)]
    return [*found, *_machine(kernel.machine)]


def _bound(kernel: KernelProfile) -> str:
    bound = kernel.bound
    times = ", ".join(
        f"{name} {1e6 * s:.3g} us" for name, s in sorted(bound.seconds.items(), key=lambda item: -item[1])
    )
    return f"bound by {bound.limit}, at {percent(bound.of_peak)} of the GPU's peak ({times})"


def _machine(code: Machine) -> list[tuple[str, str]]:
    room = code.blocks
    mix = ", ".join(f"{count} {kind}" for kind, count in code.mix.items())
    found = [
        ("occupancy", f"{percent(code.occupancy)}: {code.registers} registers, {code.spilled} bytes spilled; room "
                      f"for {room.registers} blocks by registers, {room.shared} by shared memory, {room.threads} by "
                      "threads"),
        ("instructions", mix),
    ]  # fmt: skip
    if code.hottest.tensor:
        found.append(("tensor cores", f"{percent(code.tensor_share)} of the instructions of the hottest part"))
    return found


def _cells(line: Line, access: Access) -> tuple[str, ...]:
    return (
        str(line), access.kind, str(access.width), str(access.requests), f"{access.per_request:.4g}",
        str(access.worst), percent(access.efficiency), percent(access.active),
    )  # fmt: skip


def _padded(column: int, cell: str, width: int) -> str:
    return cell.ljust(width) if column < 2 else cell.rjust(width)


def percent(share: float | None) -> str:
    """Return a share as "93 %"; what is not quite all is not written as all."""
    if share is None:
        return "-"
    return f"{min(round(100 * share), 99) if share < 1 else 100} %"


def _bytes(count: int) -> str:
    return (
        f"{count} B" if count < 10_000 else f"{count / 1000:.1f} kB" if count < 10_000_000 else f"{count / 1e6:.1f} MB"
    )


def sizes(kernel: KernelProfile) -> str:
    """Return a launch's sizes as text."""
    blocks, threads = _size(kernel.grid), _size(kernel.block)
    return f"{blocks} block{'' if blocks == '1' else 's'} of {threads} threads, {kernel.shared} bytes of shared memory"


def _size(sizes: Size) -> str:
    x, y, z = sizes
    return f"{x} x {y} x {z}" if z > 1 else f"{x} x {y}" if y > 1 else str(x)


def counted(number: int, what: str) -> str:
    """Return "1 kernel" or "2 kernels"."""
    return f"{number} {what}{'' if number == 1 else 's'}"
