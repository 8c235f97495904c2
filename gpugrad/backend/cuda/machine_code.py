"""What a kernel's machine code does in its hottest part, read from NVIDIA's disassembler: no GPU is needed.

The part is a way through the code. Of all ways from a loop's head back to it (or, if no loop does the kernel's work,
from the first instruction to an exit) it is the one that does the most work with the fewest instructions: the way
that full tiles, whole vectors and numbers of usual size take. Work is the products of the tensor cores with their
asynchronous copies, else the multiply-adds on shared memory, else the bytes of the widest loads and stores.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

from ...errors import KernelError

BYTES_OF_INSTRUCTION = 16
WARP = 32
_TENSOR = {"HMMA", "IMMA", "DMMA", "HGMMA"}
_MULTIPLY_ADD = {"FFMA", "DFMA", "FFMA2"}
_ENDS = {"BRA", "EXIT", "RET", "BRX", "JMP"}
_GLOBAL_LOADS, _GLOBAL_STORES = {"LDG", "LD", "LDGSTS"}, {"STG", "ST"}
_SHARED = {"LDS", "STS", "LDSM", "STSM"}
_DENSE = 64  # multiply-adds in one pass of a loop on shared memory that is a matrix product


class Instruction(NamedTuple):
    """One instruction: its guard ("@!P0" or ""), its name with modifiers, its operands."""

    guard: str
    opcode: str
    operands: str

    @property
    def name(self) -> str:
        return self.opcode.partition(".")[0]

    @property
    def width(self) -> int:
        """The bytes that one lane moves, or of LDSM the bytes that the warp moves, by lane."""
        name = self.name
        if name in {"LDSM", "STSM"}:
            return 4 * int(self.opcode[-1]) if self.opcode[-1] in "24" else 4
        found = re.search(r"\.(?:U|S)?(8|16|64|128)(?:\.|$)", self.opcode)
        return int(found[1]) // 8 if found else 4


@dataclass(frozen=True)
class Profile:
    """Counts of the hottest part: `loads` and `stores` are of global memory, by bytes that a lane moves."""

    instructions: int
    tensor: int
    loads: dict[int, int]
    stores: dict[int, int]
    shared: int  # bytes of shared memory that a lane moves
    is_loop: bool

    @property
    def global_bytes(self) -> int:
        """Bytes of global memory that a lane moves."""
        return sum(width * count for moved in (self.loads, self.stores) for width, count in moved.items())


@cache
def disassembler() -> Path | None:
    """Return nvdisasm from NVIDIA's wheel (nvidia-cuda-nvdisasm) or the search path, or None."""
    import shutil

    try:
        from importlib.metadata import files
    except ImportError:  # pragma: no cover
        return None
    for name in ("nvidia-cuda-nvdisasm", "nvidia-cuda-nvdisasm-cu12"):
        try:
            found = [Path(str(f.locate())) for f in files(name) or () if f.name == "nvdisasm"]
        except ModuleNotFoundError:
            continue
        if found:
            return found[0]
    on_path = shutil.which("nvdisasm")
    return Path(on_path) if on_path else None


def disassemble(cubin: Path) -> dict[str, list[Instruction]]:
    """Return the instructions of each kernel in a file of machine code, under its mangled name.

    Raises KernelError if there is no disassembler.
    """
    tool = disassembler()
    if tool is None:
        raise KernelError("nvdisasm, NVIDIA's disassembler, is not found; pip install nvidia-cuda-nvdisasm")
    command = [str(tool), "-json", "-ndf", str(cubin)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise KernelError(f"nvdisasm fails: {done.stderr.strip()}")
    return {
        function["function-name"]: [
            Instruction(i.get("predicate", ""), i["opcode"], i.get("operands", ""))
            for i in function["sass-instructions"]
        ]
        for function in json.loads(done.stdout)[1]
    }


def profile(code: Sequence[Instruction]) -> Profile:
    """Return the counts of the code's hottest part."""
    graph = _Graph(code)
    work = _work(code)
    ways = [(graph.way(head, tail, work), True) for head, tail in graph.loops()]
    best = max(ways, key=lambda way: _value(way[0], code, work), default=None)
    if best is None or _value(best[0], code, work)[0] == 0:
        best = (graph.way(0, None, work), False)
    return _count([code[i] for i in best[0]], best[1])


def _value(way: list[int], code: Sequence[Instruction], work: Callable[[Instruction], int]) -> tuple[int, int]:
    return sum(work(code[i]) for i in way), -len(way)


def _count(part: list[Instruction], is_loop: bool) -> Profile:
    loads = Counter(i.width for i in part if i.name in _GLOBAL_LOADS)
    stores = Counter(i.width for i in part if i.name in _GLOBAL_STORES)
    return Profile(
        instructions=sum(i.name != "NOP" for i in part),
        tensor=sum(i.name in _TENSOR for i in part),
        loads=dict(sorted(loads.items(), reverse=True)),
        stores=dict(sorted(stores.items(), reverse=True)),
        shared=sum(i.width for i in part if i.name in _SHARED or i.name == "LDGSTS"),
        is_loop=is_loop,
    )


def _work(code: Sequence[Instruction]) -> Callable[[Instruction], int]:
    """Return what counts as the kernel's work."""
    if any(i.name in _TENSOR for i in code):
        return lambda i: 4 * (i.name in _TENSOR) + (i.name == "LDGSTS")  # the copies for later products belong to it
    graph = _Graph(code)
    if any(_is_product([code[i] for i in range(head, tail + 1)]) for head, tail in graph.loops()):
        return lambda i: int(i.name in _MULTIPLY_ADD)
    moving = _GLOBAL_LOADS | _GLOBAL_STORES
    widest = max((i.width for i in code if i.name in moving), default=4)
    return lambda i: i.width if i.name in moving and i.width == widest else 0


def _is_product(part: list[Instruction]) -> bool:
    names = Counter(i.name for i in part)
    return sum(names[n] for n in _MULTIPLY_ADD) >= _DENSE and names["LDS"] > 0 and not names["BAR"]


class _Graph:
    """The control flow of a function: blocks of instructions without branches between them."""

    def __init__(self, code: Sequence[Instruction]):
        self.code = code
        self.targets = dict(self._branches())
        starts = {0, *self.targets.values()} | {i + 1 for i, c in enumerate(code) if c.name in _ENDS}
        self.starts = sorted(i for i in starts if i < len(code))
        self.number = {start: k for k, start in enumerate(self.starts)}

    def _branches(self) -> Iterator[tuple[int, int]]:
        for i, instruction in enumerate(self.code):
            if instruction.name == "BRA":
                found = re.findall(r"0x([0-9a-f]+)", instruction.operands)
                if found and int(found[-1], 16) // BYTES_OF_INSTRUCTION < len(self.code):
                    yield i, int(found[-1], 16) // BYTES_OF_INSTRUCTION

    @cached_property
    def ends(self) -> list[int]:
        return [*self.starts[1:], len(self.code)]

    def loops(self) -> list[tuple[int, int]]:
        """Return (head, last instruction) of each loop: a branch backwards and where it goes."""
        return sorted({(target, i) for i, target in self.targets.items() if target < i})

    def _next(self, block: int) -> list[int]:
        """Return the blocks that may follow, but for those before."""
        last = self.ends[block] - 1
        instruction, after = self.code[last], []
        if last in self.targets and self.targets[last] > last:
            after.append(self.number[self.targets[last]])
        leaves = instruction.name in _ENDS and not instruction.guard and not self._is_conditional(instruction)
        if not leaves and self.ends[block] in self.number:
            after.append(self.number[self.ends[block]])
        return after

    @staticmethod
    def _is_conditional(instruction: Instruction) -> bool:
        if instruction.name != "BRA":
            return False
        divides = ".DIV" in instruction.opcode or ".CONV" in instruction.opcode
        return divides or re.match(r"\s*!?U?P\d", instruction.operands) is not None

    def way(self, head: int, tail: int | None, work: Callable[[Instruction], int]) -> list[int]:
        """Return the instructions of the way from `head` to `tail`, or to an exit, with most work and least else."""
        first = self.number[head]
        stop = len(self.starts) if tail is None else next(k for k, end in enumerate(self.ends) if end > tail) + 1
        best: dict[int, tuple[int, int]] = {first: (0, 0)}  # work and instructions (negative) before each block
        before: dict[int, int] = {}
        finish: tuple[tuple[int, int], int] | None = None
        for block in range(first, stop):
            if block not in best:
                continue
            start, end = self.starts[block], self.ends[block]
            done = best[block][0] + sum(work(self.code[i]) for i in range(start, end)), best[block][1] - (end - start)
            at_end = block == stop - 1 if tail is not None else self.code[end - 1].name == "EXIT"
            if at_end and (finish is None or done > finish[0]):
                finish = done, block
            for after in self._next(block):
                if after < stop and (after not in best or done > best[after]):
                    best[after], before[after] = done, block
        if finish is None:
            return []
        blocks = [finish[1]]
        while blocks[-1] != first:
            blocks.append(before[blocks[-1]])
        return [i for block in reversed(blocks) for i in range(self.starts[block], self.ends[block])]
