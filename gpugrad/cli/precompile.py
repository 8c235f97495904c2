"""`gpugrad precompile` compiles every kernel before its first launch, and lists the registers and memory each needs."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING

from ..backend.cpu.threads import get_num_threads
from ..errors import KernelError
from .usage import number

if TYPE_CHECKING:
    from ..backend.cuda.launch import Kernels
    from ..backend.cuda.resources import Resources
    from .code_table import Row

CHUNK = 8  # instances in one compilation, which parses the headers once for all of them
EMULATOR = "emulator"  # the target beside the architectures
COLUMNS = ("family", "target", "kernels", "compiled", "seconds", "registers", "shared", "spilling")


@dataclass
class Outcome:
    """The result of compiling some instances of a family."""

    compiled: int = 0
    seconds: float = 0.0
    resources: dict[str, Resources] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        """Add the instances of another outcome to this one."""
        self.compiled += other.compiled
        self.seconds += other.seconds
        self.resources |= other.resources
        self.errors += [error for error in other.errors if error not in self.errors]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    target = parser.add_mutually_exclusive_group()
    target.add_argument(
        "--arch", nargs="+", action="extend", type=_arch, metavar="SM", help="sm_80, sm_90a (default: this GPU's)"
    )
    target.add_argument("--cpu", action="store_true", help="compile the CPU's loops instead, which needs Numba")
    target.add_argument("--emulator", action="store_true", help="build them to run on the CPU instead")
    parser.add_argument("--family", nargs="+", action="extend", metavar="NAME", help="only these .cu files")
    parser.add_argument(
        "--jobs", type=number(int, 1), default=get_num_threads(), metavar="N", help="threads (default: %(default)s)"
    )
    parser.add_argument(
        "--check", action="store_true",
        help="fail if a kernel spills, has over 48 KiB static shared memory, or is over 5%% worse than in the table of "
        "gpugrad/cuda/MACHINE_CODE.md",
    )  # fmt: skip
    parser.add_argument("--typical", action="store_true", help="only the kernels of that table")
    parser.add_argument("--write", action="store_true", help="write that table anew")
    parser.add_argument(
        "--carry", action="store_true", help="make GPUGRAD_CACHE one for other machines, whichever NVRTC they have"
    )


def _arch(text: str) -> str:
    if not re.fullmatch(r"sm_\d+[a-z]?", text):
        raise argparse.ArgumentTypeError(f"expected architectures such as sm_80 or sm_90a, got {text!r}")
    return text


def run(args: argparse.Namespace) -> int:
    """Compile and print the table. Return 1 if a kernel does not compile or, with --check, needs too much; else 0."""
    if args.cpu:
        return _compile_loops()
    start = time.perf_counter()
    families = _families(args.family)
    targets = [EMULATOR] if args.emulator else list(dict.fromkeys(args.arch or [_present()]))
    if args.carry:
        from ..backend.cuda.nvrtc import carry

        carry()
    width = max(len(name) for name in (COLUMNS[0], *(family.source.name for family in families)))
    total, problems, notes = Outcome(), [], []
    print(_line(COLUMNS, width))
    for family, target, outcome in _outcomes(families, targets, args.jobs, args.typical or args.write):
        print(_line(_row(family, target, outcome), width), flush=True)
        total.add(outcome)
        excessive, allowed = _findings(family, target, outcome.resources)
        problems += [f"{target}: {error}" for error in outcome.errors] + (excessive if args.check else [])
        notes += allowed + ([] if args.check else excessive)
    if (args.check or args.write) and not args.emulator and not problems:
        rows, said = _machine_code(families, targets, args.jobs)
        notes += said
        if args.write:
            _write(rows)
        else:
            changes, said = _compared(rows)
            problems, notes = problems + changes, notes + said
    for line in [*notes, *problems]:
        print(line)
    print(f"{total.compiled} kernels compiled in {time.perf_counter() - start:.1f} s, {len(problems)} problems")
    return 1 if problems else 0


def _compile_loops() -> int:
    """Compile the loops of the CPU's paths in both precisions, or load them if they are in the cache."""
    from ..backend.cpu import loops
    from ..ops import ops_with_path
    from ..optim import loops as _optim  # noqa: F401

    ops_with_path("cpu")  # imports the modules that declare them
    start, count = time.perf_counter(), 0
    for name, loop in sorted(loops.LOOPS.items()):
        for dtype in loop.precisions:
            _progress(f"{name} {dtype}")
            began = time.perf_counter()
            if loop.sized(loops.choice.NEVER, dtype) is None:
                _progress("")
                print(loops.problem())
                return 1
            _progress("")
            print(f"{name:40}  {dtype.name}  {time.perf_counter() - began:6.2f} s", flush=True)
            count += 1
    print(f"{count} loops in {time.perf_counter() - start:.1f} s")
    return 0


def _families(names: Sequence[str] | None) -> list[Kernels]:
    """Return the declared families, or those with the given names."""
    from ..amp import cuda as _amp  # noqa: F401
    from ..backend.cuda.launch import Kernels
    from ..ops import ops_with_path
    from ..optim import cuda as _optim  # noqa: F401

    ops_with_path("cuda")  # imports the modules that declare them
    families = sorted(Kernels.families, key=lambda family: family.source.name)
    known = {family.source.name.removesuffix(".cu") for family in families}
    missing = set(names or ()) - known
    if not known:
        raise KernelError("no CUDA kernels are declared")
    if missing:
        raise KernelError(f"there is no {', '.join(sorted(missing))} among the families {', '.join(sorted(known))}")
    return [family for family in families if not names or family.source.name.removesuffix(".cu") in names]


def _present() -> str:
    from ..backend.cuda.device import connect

    return connect(0).arch  # type: ignore[attr-defined]


# ---- compile


def _outcomes(
    families: list[Kernels], targets: list[str], jobs: int, typical: bool
) -> Iterator[tuple[Kernels, str, Outcome]]:
    """Yield each family on each target, in order, as soon as it is done. Several compilations run at the same time."""
    with ThreadPoolExecutor(jobs) as pool:
        waiting: list[tuple[Kernels, str, Outcome, list[Future[Outcome]]]] = []
        for family in families:
            for target in [t for t in targets if t == EMULATOR or family.is_for(t)]:
                outcome, tasks = _plan(family, target, typical)
                waiting.append((family, target, outcome, [pool.submit(task) for task in tasks]))
        try:
            for family, target, outcome, futures in waiting:
                for i, future in enumerate(futures):
                    _progress(f"{family.source.name} {target}: {i} of {len(futures)}")
                    outcome.add(future.result())
                _progress("")
                yield family, target, outcome
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _plan(family: Kernels, target: str, typical: bool) -> tuple[Outcome, list[Callable[[], Outcome]]]:
    """Return the outcome of the instances that are in the cache, and tasks that compile the others."""
    first = list(family.typical())
    others = [] if typical else [instance for instance in family.instances() if instance not in first]
    done, missing, size = Outcome(), first + others, 1
    if target != EMULATOR:
        from ..backend.cuda.nvrtc import lookup
        from ..backend.cuda.resources import resources

        cached = {instance: lookup(family.source, [instance], target) for instance in missing}
        for cubin in filter(None, cached.values()):
            done.resources |= resources(cubin)
        missing, size = [instance for instance, cubin in cached.items() if cubin is None], CHUNK
    kinds = [i for i in missing if i in first], [i for i in missing if i not in first]  # never in one file of code
    chunks = [kind[i : i + size] for kind in kinds for i in range(0, len(kind), size)]
    return done, [partial(_compile, family, target, chunk) for chunk in chunks]


def _compile(family: Kernels, target: str, instances: list[str]) -> Outcome:
    start = time.perf_counter()
    outcome = Outcome(compiled=len(instances))
    try:
        if target == EMULATOR:
            from ..backend.cuda.emulator import build, current

            build(family.source, instances, check=current().check)
        else:
            from ..backend.cuda.nvrtc import compile
            from ..backend.cuda.resources import resources

            outcome.resources = resources(compile(family.source, instances, target))
    except KernelError as error:
        outcome.compiled, outcome.errors = 0, [str(error)]
    outcome.seconds = time.perf_counter() - start
    return outcome


# ---- machine code


def _machine_code(families: list[Kernels], targets: list[str], jobs: int) -> tuple[dict[str, list[Row]], list[str]]:
    """Return the rows of the families' typical kernels on each target, and lines that say why there are none."""
    from ..backend.cuda.machine_code import disassembler
    from ..backend.cuda.occupancy import MULTIPROCESSORS

    if disassembler() is None:
        return {}, ["nvdisasm is not found, so the machine code is not looked at; pip install nvidia-cuda-nvdisasm"]
    known = [target for target in targets if target in MULTIPROCESSORS]
    with ThreadPoolExecutor(jobs) as pool:
        found = {target: list(pool.map(partial(_rows, target=target), families)) for target in known}
    return {target: [row for rows in parts for row in rows] for target, parts in found.items()}, []


def _rows(family: Kernels, target: str) -> list[Row]:
    from ..backend.cuda.machine_code import disassemble, profile
    from ..backend.cuda.nvrtc import lookup
    from ..backend.cuda.resources import resources
    from .code_table import measure

    rows, files = [], {}
    for instance, block in family.typical().items():
        cubin = lookup(family.source, [instance], target)
        assert cubin is not None, f"{instance} has just been compiled"
        if cubin.path not in files:
            files[cubin.path] = disassemble(cubin.path)
        code = files[cubin.path][cubin.names[instance]]
        rows.append(measure(instance, block, resources(cubin)[instance], profile(code), target))
    return rows


def _version() -> str:
    from ..backend.cuda.nvrtc import toolchain

    return ".".join(map(str, toolchain().version))


def _write(rows: dict[str, list[Row]]) -> None:
    """Replace these rows in the table, in the order of the families; rows of kernels that there are no more go."""
    from . import code_table

    known = [kernel for family in _families(None) for kernel in family.typical()]
    text = code_table.path().read_text()
    tables = {arch: (version, list(old.values())) for arch, (version, old) in code_table.read(text).items()}
    for target, new in rows.items():
        table = {row.kernel: row for row in (*tables.get(target, ("", []))[1], *new)}
        tables[target] = _version(), [table[kernel] for kernel in known if kernel in table]
    code_table.path().write_text(code_table.written(text, tables))


def _compared(rows: dict[str, list[Row]]) -> tuple[list[str], list[str]]:
    """Return lines on the kernels that became worse than in the table, and on those that cannot be compared."""
    from . import code_table

    tables, problems, notes = code_table.read(code_table.path().read_text()), [], []
    for target, found in rows.items():
        version, table = tables.get(target, (_version(), {}))
        if version != _version():
            notes.append(f"{target}: the table is of NVRTC {version}, this is {_version()}: not compared")
            continue
        for row in found:
            if row.kernel not in table:
                problems.append(f"{target}: {row.kernel} is not in {code_table.path().name}: precompile --write")
            elif change := code_table.worse(row, table[row.kernel]):
                problems.append(f"{target}: {row.kernel} became worse: {', '.join(change)}")
    return problems, notes


# ---- report


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def _row(family: Kernels, target: str, outcome: Outcome) -> list[str]:
    found = outcome.resources.values()
    known = str(len(family.instances()))
    row = [family.source.name, target, known, str(outcome.compiled), f"{outcome.seconds:.1f}"]
    if target == EMULATOR:
        return row + ["-"] * 3
    return row + [
        str(max((r.registers for r in found), default=0)),
        str(max((r.shared_bytes for r in found), default=0)),
        str(sum(r.spill_bytes > 0 for r in found)),
    ]


def _line(cells: Sequence[str], width: int) -> str:
    return f"{cells[0]:{width}}  {cells[1]:8}" + "".join(f"  {cell:>9}" for cell in cells[2:])


def _findings(family: Kernels, target: str, found: dict[str, Resources]) -> tuple[list[str], list[str]]:
    """Return lines on the kernels that need too much, and on those that the family allows to spill."""
    from ..backend.cuda.resources import STATIC_SHARED

    excessive, allowed = [], []
    for name, taken in found.items():
        kernel = f"{target}: {family.source.name}: {name}"
        reason = next((why for pattern, why in family.spills.items() if fnmatchcase(name, pattern)), None)
        if taken.spill_bytes and reason is None:
            excessive.append(f"{kernel} spills {taken.spill_bytes} bytes of registers")
        elif taken.spill_bytes:
            allowed.append(f"{kernel} spills {taken.spill_bytes} bytes of registers, as allowed: {reason}")
        if taken.shared_bytes > STATIC_SHARED:
            excessive.append(f"{kernel} has {taken.shared_bytes} bytes of static shared memory, over {STATIC_SHARED}")
    return excessive, allowed
