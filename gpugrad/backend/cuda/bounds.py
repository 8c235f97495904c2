"""What bounds a kernel on a GPU: a model over what the emulator counted and what the machine code says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...errors import KernelError
from .gpus import GPU
from .machine_code import Instruction, disassemble
from .machine_code import Profile as Part
from .machine_code import profile as hottest
from .occupancy import Blocks, occupancy
from .sources import Source

WARP, SCHEDULERS = 32, 4
_CLASSES = {
    "tensor": ("HMMA", "IMMA", "DMMA", "HGMMA", "BMMA"),
    "float32": ("FFMA", "FADD", "FMUL", "FMNMX", "FSEL", "FSET", "FCHK", "FSWZ", "FFMA2"),
    "float16": ("HADD", "HMUL", "HFMA", "HSET", "HMNMX"),
    "float64": ("DFMA", "DADD", "DMUL", "DSET", "DMNMX"),
    "special": ("MUFU", "RRO"),
    "global": ("LDG", "STG", "LD.", "ST.", "LDGSTS", "ATOM", "RED", "LDGDEPBAR"),
    "shared": ("LDS", "STS", "LDSM", "STSM", "ATOMS"),
    "spills": ("LDL", "STL"),
    "shuffle": ("SHFL", "VOTE", "MATCH", "REDUX"),
    "conversion": ("F2", "I2", "FRND"),
    "branch": ("BRA", "BRX", "EXIT", "CALL", "RET", "BSSY", "BSYNC", "WARPSYNC", "BREAK", "JMP", "YIELD"),
    "barrier": ("BAR", "MEMBAR", "DEPBAR", "ERRBAR", "CCTL"),
}


@dataclass(frozen=True)
class Machine:
    """What a kernel takes of a multiprocessor, and what its machine code consists of.

    spilled: bytes of registers that go to memory. blocks: that registers, shared memory and threads leave room for.
    occupancy: warps on a multiprocessor, of those it can hold. mix: instructions in the code, by class. hottest: the
    part that does the work (machine_code.py).
    """

    registers: int
    spilled: int
    blocks: Blocks
    occupancy: float
    mix: Mapping[str, int]
    hottest: Part

    @property
    def tensor_share(self) -> float:
        """Return the share of the hottest part's instructions that are products of the tensor cores."""
        return self.hottest.tensor / self.hottest.instructions if self.hottest.instructions else 0.0


@dataclass(frozen=True)
class Bound:
    """Seconds that a kernel would take at least, by each limit, on a GPU that is full of its blocks.

    limit: what it waits for, the largest of `seconds`. of_peak: the share of the GPU's speed that is left: the time of
    the bytes and products that the work needs, at the GPU's peaks, in that of the limit.

    It is a model. Memory moves each sector once: caches forget nothing. Shared memory and the first-level cache move
    128 bytes a cycle. Instructions, if the machine code is known, are those of its hottest part as often as its
    accesses or products were counted. Latency, launches and the last wave of blocks cost nothing.
    """

    seconds: Mapping[str, float]
    limit: str
    of_peak: float


def machine(source: Source, instance: str, gpu: GPU, threads: int, shared: int, code: bool) -> Machine | str:
    """Return what the machine code of an instance says, or why that is not known."""
    from .nvrtc import compile
    from .resources import resources

    if not code:
        return "the machine code was not asked for"
    try:
        cubin = compile(source, [instance], gpu.arch)
        taken = resources(cubin)[instance]
        instructions = disassemble(cubin.path)[cubin.names[instance]]
    except KernelError as error:
        return f"the machine code is not known: {str(error).splitlines()[0]}"
    has = gpu.multiprocessor
    blocks = occupancy(taken, threads, shared, has)
    warps = min(min(blocks) * -(-threads // WARP), has.warps)
    return Machine(
        taken.registers, taken.spill_bytes, blocks, warps / has.warps, _mix(instructions), hottest(instructions)
    )


def _mix(instructions: Sequence[Instruction]) -> dict[str, int]:
    found = Counter(_class(i.name) for i in instructions if i.name != "NOP")
    return dict(found.most_common())


def _class(name: str) -> str:
    best = max(
        ((len(start), kind) for kind, starts in _CLASSES.items() for start in starts if name.startswith(start)),
        default=(0, "integer and moves"),
    )
    return best[1]


def bound(
    gpu: GPU,
    moved: int,
    needed: int,
    turns: float,
    tensor: Mapping[str, int],
    code: Machine | str,
    asked: int,
    products: int,
) -> Bound:
    """Return what bounds a kernel.

    moved, needed: bytes of memory, those of whole sectors and those that were touched. turns: of shared memory and the
    first-level cache. tensor: floating-point operations, by instruction. asked: bytes that the requests asked for, also
    again. products: instructions of the tensor cores.
    """
    has = gpu.multiprocessor
    cycles = has.count * has.clock
    seconds = {"memory": moved / gpu.bandwidth, "shared memory and L1": turns / cycles}
    least = [needed / gpu.bandwidth]
    if tensor:
        wide = sum(n for name, n in tensor.items() if "tf32" not in name)
        narrow = sum(n for name, n in tensor.items() if "tf32" in name)
        seconds["tensor cores"] = wide / gpu.tensor + (narrow / gpu.tf32 if gpu.tf32 else 0.0)
        least.append(seconds["tensor cores"])
    if isinstance(code, Machine):
        part = code.hottest
        times = 0.0
        if part.tensor:
            times = products / part.tensor
        elif part.global_bytes:
            times = asked / (WARP * part.global_bytes)
        seconds["instructions"] = times * part.instructions / (SCHEDULERS * cycles)
    limit = max(seconds, key=lambda name: seconds[name])
    return Bound(seconds, limit, max(least) / seconds[limit] if seconds[limit] else 1.0)
