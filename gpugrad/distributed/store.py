"""A few bytes that rank 0 gives to all ranks over TCP, where no MPI is there to do it: NCCL's identifier.

Rank 0 listens on the port above MASTER_PORT (torchrun itself may listen there) of the machine MASTER_ADDR. Under Slurm,
both follow from the job where they are not set.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Mapping

from ..errors import DistributedError
from .environment import Place

_HELLO = b"gpugrad 1"


def address(environment: Mapping[str, str] | None = None) -> tuple[str, int]:
    """Return (host, port) where rank 0 listens. Raises DistributedError, which names what to set, if none is known."""
    found = os.environ if environment is None else environment
    host, port = found.get("MASTER_ADDR"), found.get("MASTER_PORT")
    if host is None and "SLURM_NODELIST" in found:
        first = re.match(r"([^,\[]+)(?:\[(\d+))?", found["SLURM_NODELIST"])
        host = None if first is None else first[1] + (first[2] or "")
    if port is None and found.get("SLURM_JOB_ID", "").isdigit():
        port = str(15000 + int(found["SLURM_JOB_ID"]) % 15000)
    if host is None or port is None or not port.isdigit():
        raise DistributedError(
            "the ranks do not know where rank 0 is: start them with mpiexec, srun or torchrun, or set MASTER_ADDR and "
            "MASTER_PORT"
        )
    return host, int(port) + 1


def share(value: bytes, place: Place, timeout: float, where: tuple[str, int] | None = None) -> bytes:
    """Return on every rank the value that rank 0 gave. Raises DistributedError after `timeout` seconds."""
    where = address() if where is None else where
    end = time.monotonic() + timeout
    if place.rank == 0:
        _serve(value, place, where, end)
        return value
    while True:
        try:
            with socket.create_connection(where, timeout=max(0.1, end - time.monotonic())) as connection:
                connection.sendall(_HELLO + place.rank.to_bytes(4, "big"))
                size = int.from_bytes(_read(connection, 4), "big")
                return _read(connection, size)
        except OSError as error:
            if time.monotonic() > end:
                what = f"rank {place.rank} found no rank 0 at {where[0]}:{where[1]} within {timeout:g} s ({error})"
                raise DistributedError(what) from None
            time.sleep(0.05)


def _serve(value: bytes, place: Place, where: tuple[str, int], end: float) -> None:
    """Give `value` to all other ranks."""
    missing = set(range(1, place.size))
    with socket.create_server(("", where[1]), backlog=place.size) as server:
        while missing:
            server.settimeout(max(0.01, end - time.monotonic()))
            try:
                connection, _ = server.accept()
                with connection:
                    connection.settimeout(5)
                    hello = _read(connection, len(_HELLO) + 4)
                    if hello.startswith(_HELLO):
                        connection.sendall(len(value).to_bytes(4, "big") + value)
                        missing.discard(int.from_bytes(hello[len(_HELLO) :], "big"))
            except OSError:
                if time.monotonic() > end:
                    ranks = ", ".join(map(str, sorted(missing)))
                    raise DistributedError(f"ranks {ranks} did not come to rank 0, port {where[1]}, in time") from None


def _read(connection: socket.socket, count: int) -> bytes:
    parts = b""
    while len(parts) < count:
        part = connection.recv(count - len(parts))
        if not part:
            raise ConnectionError("the connection ended")
        parts += part
    return parts
