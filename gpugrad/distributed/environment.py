"""What the environment of a process says of its place among others: set by mpiexec, by Slurm, or by torchrun."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

# (rank, number of ranks, rank on this machine) as MPICH, Open MPI, Slurm and torchrun call them. Slurm's come last: a
# job that starts mpiexec has them too.
NAMES = (
    ("PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
    ("RANK", "WORLD_SIZE", "LOCAL_RANK"),
    ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
)


class Place(NamedTuple):
    """The place of a process: its number, how many there are, its number among those of its machine."""

    rank: int
    size: int
    local_rank: int


def place(environment: Mapping[str, str] | None = None) -> Place:
    """Return the place that the environment gives this process; (0, 1, 0) if it gives none.

    >>> from gpugrad.distributed.environment import place
    >>> place({"RANK": "2", "WORLD_SIZE": "4"})
    Place(rank=2, size=4, local_rank=2)
    """
    found = os.environ if environment is None else environment
    for rank, size, local in NAMES:
        if found.get(rank, "").isdigit() and found.get(size, "").isdigit():
            local_rank = found.get(local, found[rank])
            return Place(int(found[rank]), int(found[size]), int(local_rank) if local_rank.isdigit() else 0)
    return Place(0, 1, 0)
