"""Process groups: the ranks that take part in a collective, and the one of all ranks, which `init_process_group` makes.

The names are those of torch.distributed.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Sequence
from datetime import timedelta
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..autograd.versions import describe, user_site
from ..backend.devices import device as find_device
from ..errors import DistributedError, OptionError
from . import faults, store
from .environment import Place, place
from .mpi import MPITransport, load_mpi
from .transport import Transport

BACKENDS = ("mpi", "nccl")
_TEXT = 384  # bytes with which a rank describes its call


class ProcessGroup:
    """Ranks that do collectives together. `ranks` are their numbers among all ranks.

    >>> group = gg.distributed.new_group([0])
    >>> group.rank, group.size, group.ranks
    (0, 1, [0])
    """

    def __init__(self, transport: Transport, ranks: Sequence[int], checked: bool):
        self.transport, self.ranks, self.checked = transport, list(ranks), checked
        self.calls = 0

    @property
    def rank(self) -> int:
        """This process's number within the group."""
        return self.transport.rank

    @property
    def size(self) -> int:
        """The number of ranks."""
        return self.transport.size

    def begin(self, call: str, array: Any = None) -> Transport:
        """Return the transport for a collective, which `call` names.

        In a checked group, all ranks first compare names, dtypes and shapes; raises DistributedError on all of them if
        they differ.
        """
        self.calls += 1
        what = call if array is None else f"{call} of {array.dtype} {tuple(array.shape)}"
        self.transport.label = f"{what} (collective {self.calls} of {self!r}, made at {describe(user_site())})"
        if self.checked and self.size > 1:
            self._compare(what)
        return self.transport

    def begin_pair(self, call: str, array: Any) -> Transport:
        """Return the transport for a transfer between two ranks."""
        what = f"{call} of {array.dtype} {tuple(array.shape)}"
        self.transport.label = f"{what} (on {self!r}, made at {describe(user_site())})"
        return self.transport

    def _compare(self, what: str) -> None:
        row = np.zeros(_TEXT, np.uint8)
        text = f"{what}\n{describe(user_site())}".encode()[:_TEXT]
        row[: len(text)] = np.frombuffer(text, np.uint8)
        rows = np.zeros((self.size, _TEXT), np.uint8)
        self.transport.all_gather(rows, row).wait()
        texts = [bytes(r).rstrip(b"\0").decode(errors="replace") for r in rows]
        calls = [text.partition("\n")[0] for text in texts]
        if len(set(calls)) == 1:
            return
        lines = []
        for call in dict.fromkeys(calls):
            ranks = [self.ranks[i] for i, other in enumerate(calls) if other == call]
            site = texts[calls.index(call)].partition("\n")[2]
            lines.append(f"rank{'s' * (len(ranks) > 1)} {', '.join(map(str, ranks))}: {call}, at {site}")
        raise DistributedError(
            f"collective {self.calls} of {self!r} is another one on each of these ranks:\n  " + "\n  ".join(lines)
        )

    def __repr__(self) -> str:
        return f"the group of ranks {_spans(self.ranks)}"


def _spans(ranks: list[int]) -> str:
    """Return "0 to 3" for ranks that follow each other, else a list."""
    if len(ranks) > 2 and ranks == list(range(ranks[0], ranks[-1] + 1)):
        return f"{ranks[0]} to {ranks[-1]}"
    return ", ".join(map(str, ranks))


class _World:
    group: ProcessGroup | None = None
    made: list[ProcessGroup] = []  # by new_group


def init_process_group(
    backend: str | None = None,
    *,
    timeout: float | timedelta = 1800,
    world_size: int = -1,
    rank: int = -1,
    checked: bool = False,
) -> None:
    """Join the ranks that mpiexec, srun, torchrun or `gpugrad launch` started with this one.

    backend: "mpi" (the default; arrays of cuda devices too) or "nccl" (one GPU for each rank). One process that was
    started alone needs neither; all collectives leave its arrays as they are.
    timeout: seconds after which a collective that does not end raises DistributedError.
    world_size, rank: what is expected; they are compared with what is found.
    checked: before each collective, all ranks compare its name, dtype and shape, and where they differ raise an error
    that says what each rank does. It costs a small transfer for each.

    From now on, a rank that ends by an exception ends all ranks, with one message that names it and the exception.
    Raises DistributedError for ranks that do not find each other, DeviceError for "nccl" without a GPU,
    MissingPackageError for "mpi" without mpi4py, OptionError for other backends and a second call.

    >>> gg.distributed.init_process_group()
    >>> gg.distributed.get_rank(), gg.distributed.get_world_size()
    (0, 1)
    >>> gg.distributed.destroy_process_group()
    """
    if backend is not None and backend not in BACKENDS:
        raise OptionError(f'init_process_group: backend must be "mpi" or "nccl", got {backend!r}')
    if _World.group is not None:
        raise OptionError("init_process_group: there is a process group already; destroy_process_group() ends it")
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else float(timeout)
    if not seconds > 0:
        raise OptionError(f"init_process_group: timeout must be above 0, got {timeout!r}")
    here = place()
    for name, given, found in (("world_size", world_size, here.size), ("rank", rank, here.rank)):
        if given not in (-1, found):
            raise DistributedError(
                f"init_process_group: {name}={given}, but the environment says {found}; start the program with "
                f"`gpugrad launch -n {max(world_size, 1)} SCRIPT`, mpiexec, srun or torchrun"
            )
    transport = _transport(backend, here, seconds)
    _World.group = ProcessGroup(transport, range(transport.size), checked)
    faults.watch(transport)
    atexit.register(_leave)


def _transport(backend: str | None, here: Place, timeout: float) -> Transport:
    if backend == "nccl":
        return _nccl(here, timeout)
    if here.size == 1:
        return Transport()
    found = load_mpi().COMM_WORLD
    if found.size != here.size:
        raise DistributedError(
            f"init_process_group: the environment says {here.size} ranks, MPI sees {found.size}: this MPI library is "
            "not the one whose mpiexec (or srun) started the ranks. Use `gpugrad launch`, or the mpiexec of the "
            'environment that mpi4py is in; ranks that torchrun started need backend="nccl"'
        )
    return MPITransport(found, timeout)


def _nccl(here: Place, timeout: float) -> Transport:
    device = find_device("cuda")
    from .nccl import NCCLTransport

    by_mpi = not {"PMI_RANK", "OMPI_COMM_WORLD_RANK"}.isdisjoint(os.environ) and find_spec("mpi4py") is not None

    def share(value: bytes) -> bytes:
        if here.size == 1:
            return value
        return load_mpi().COMM_WORLD.bcast(value) if by_mpi else store.share(value, here, timeout)

    return NCCLTransport(device, here, timeout, share)


def destroy_process_group() -> None:
    """Leave the group of all ranks, and those made of it; waits until all ranks do so.

    >>> gg.distributed.init_process_group()
    >>> gg.distributed.destroy_process_group()
    >>> gg.distributed.is_initialized()
    False
    """
    world, made = _World.group, _World.made
    _World.group, _World.made = None, []
    if world is not None:
        for group in made:
            group.transport.close()
        world.transport.close()
        faults.unwatch()
        atexit.unregister(_leave)


def _leave() -> None:
    """End the groups of a program that ends without `destroy_process_group`, or by an exception."""
    if faults.failed():
        return
    try:
        destroy_process_group()
    except DistributedError as error:
        faults.fail(f"the program ended, and other ranks did not: {error}")


def is_initialized() -> bool:
    """Return whether `init_process_group` was called.

    >>> gg.distributed.is_initialized()
    False
    """
    return _World.group is not None


def is_available() -> bool:
    """Return whether several processes can work together here: mpi4py is installed, or GPUs.

    >>> gg.distributed.is_available() in (True, False)
    True
    """
    from ..backend import cuda

    return find_spec("mpi4py") is not None or cuda.is_available()


def world() -> ProcessGroup:
    """Return the group of all ranks. A process that was started alone is a group by itself, without
    `init_process_group`. Raises DistributedError if it was started with others and has not called that."""
    if _World.group is None:
        if place().size > 1:
            raise DistributedError(
                f"this is one of {place().size} ranks: call gpugrad.distributed.init_process_group() first"
            )
        return _ALONE
    return _World.group


_ALONE = ProcessGroup(Transport(), [0], False)


def of(group: ProcessGroup | None) -> ProcessGroup:
    """Return `group`, the group of all ranks for None."""
    if group is None:
        return world()
    if not isinstance(group, ProcessGroup):
        raise OptionError(f"group: expected a ProcessGroup that this rank is in, got {group!r}")
    return group


def new_group(ranks: Sequence[int] | None = None) -> Any:
    """Return a group of some ranks, by default all; all ranks call it, in the same order of calls.

    A rank that is not among them gets None. Raises OptionError for ranks that do not exist or come twice.

    >>> gg.distributed.new_group([0]).size
    1
    """
    whole = world()
    chosen = list(range(whole.size)) if ranks is None else [int(r) for r in ranks]
    if not chosen or len(set(chosen)) < len(chosen) or not all(0 <= r < whole.size for r in chosen):
        raise OptionError(f"new_group: expected different ranks from 0 to {whole.size - 1}, got {chosen}")
    transport = whole.begin(f"new_group({chosen})").subset(chosen)
    if transport is None:
        return None
    made = ProcessGroup(transport, chosen, whole.checked)
    _World.made.append(made)
    return made


def get_rank(group: ProcessGroup | None = None) -> int:
    """Return this process's number within `group` (default: all ranks), from 0.

    >>> gg.distributed.get_rank()
    0
    """
    return of(group).rank


def get_world_size(group: ProcessGroup | None = None) -> int:
    """Return the number of ranks of `group` (default: of all).

    >>> gg.distributed.get_world_size()
    1
    """
    return of(group).size


def get_backend(group: ProcessGroup | None = None) -> str:
    """Return "mpi", "nccl" or "one process".

    >>> gg.distributed.get_backend()
    'one process'
    """
    return of(group).transport.name
