"""NCCL's calls through the real CuPy: `python -m tests.real_cupy.nccl`.

CuPy's bindings are the wheel's; libnccl.so.2 is that of `runtime_nccl.c`, for which the other ranks hold the same
values as this one. What is compared: the calls, their counts, types, operations, peers, order and stream; what waits
for what; the values.
"""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

LIBRARY: Any = None
SIZE, RANK = 3, 1
TYPES = {"float32": 7, "float64": 8, "float16": 6, "bfloat16": 9, "int64": 4, "int32": 2, "uint8": 1}


def load() -> None:
    """Build the library and load it, so that CuPy's module finds it loaded already."""
    global LIBRARY
    folder = tempfile.mkdtemp(prefix="gpugrad-nccl-")
    target = Path(folder) / "libnccl.so.2"
    source = Path(__file__).with_name("runtime_nccl.c")
    command = ["gcc", "-shared", "-fPIC", "-O1", "-w", "-Wl,-soname,libnccl.so.2", str(source), "-o", str(target)]
    subprocess.run(command, check=True)
    LIBRARY = ctypes.CDLL(str(target), mode=ctypes.RTLD_GLOBAL)
    LIBRARY.fake_log.restype = ctypes.c_char_p


def calls(function: Callable[[], Any]) -> list[str]:
    """What NCCL and the events were told while `function` runs."""
    LIBRARY.fake_clear()
    function()
    return LIBRARY.fake_log().decode().splitlines()


def watch_events(cupy: Any) -> None:
    """Write what events and streams do into NCCL's log."""
    plain = cupy.cuda.Event

    class Event(plain):
        def record(self, stream: Any = None) -> None:
            stream = cupy.cuda.get_current_stream() if stream is None else stream
            LIBRARY.fake_note(f"record {id(self)} on {stream.ptr}".encode())
            super().record(stream)

    cupy.cuda.Event = Event
    waits = cupy.cuda.Stream.wait_event

    class Stream(cupy.cuda.Stream):
        def wait_event(self, event: Any) -> None:
            LIBRARY.fake_note(f"wait {self.ptr} for {id(event)}".encode())
            waits(self, event)

    cupy.cuda.Stream = Stream


def check_collectives(transport: Any, gg: Any) -> None:
    """Each collective is one call with the right count and type, on the transport's stream, after its data is made."""
    stream = transport.communicator._stream.ptr
    assert stream != 0
    hexadecimal = f"{stream:#x}"
    for dtype, code in TYPES.items():
        x = gg.ones(2, 3, dtype=dtype, device="cuda")
        row, rows = gg.ones(2, 2, dtype=dtype, device="cuda"), gg.ones(SIZE, 2, 2, dtype=dtype, device="cuda")
        expected = {
            f"AllReduce count=6 type={code} op=0": lambda x=x: transport.all_reduce(x._array, "sum"),
            f"AllReduce count=6 type={code} op=2": lambda x=x: transport.all_reduce(x._array, "max"),
            f"Broadcast count=6 type={code} root=2": lambda x=x: transport.broadcast(x._array, 2),
            f"AllGather count=4 type={code}": lambda r=rows, p=row: transport.all_gather(r._array, p._array),
            f"ReduceScatter count=4 type={code} op=0": lambda r=rows, p=row: transport.reduce_scatter(
                p._array, r._array, "sum"
            ),
        }
        for line, call in expected.items():
            log = calls(call)
            made, waited, called, done = log
            event = re.fullmatch(r"record (\d+) on (\d+)", made)
            assert event and int(event[2]) != stream, log
            assert waited == f"wait {stream} for {event[1]}", log
            assert called == f"{line} stream={hexadecimal}", (line, log)
            assert re.fullmatch(rf"record \d+ on {stream}", done), log
        assert x.tolist() == [[SIZE] * 3] * 2, (dtype, x)
        assert row.tolist() == [[SIZE] * 2] * 2 and rows.tolist() == [[[1, 1], [1, 1]]] * SIZE, dtype
    flags = gg.asarray(np.array([True, False]), device="cuda")
    assert "Broadcast count=2 type=1 root=0" in "\n".join(calls(lambda: transport.broadcast(flags._array, 0)))


def check_waiting(transport: Any, gg: Any) -> None:
    """`wait` lets the stream in use wait for the call's event; the host waits for nothing."""
    import cupy

    from .training import Counts

    x = gg.ones(4, device="cuda")
    with cupy.cuda.Stream(non_blocking=True) as own:
        before = Counts.now()
        log = calls(lambda: transport.all_reduce(x._array, "sum").wait())
    event = log[-2].split()[1]
    assert log[0].endswith(f" on {own.ptr}") and log[-1] == f"wait {own.ptr} for {event}", log
    assert Counts.now() == before, "the host waited"


def check_transfers(transport: Any, gg: Any) -> None:
    """Sends and receives that go together are one group."""
    rows = gg.asarray(np.arange(6, dtype=np.float32).reshape(SIZE, 2), device="cuda")
    out = gg.zeros(SIZE, 2, device="cuda")
    log = [line.split(" stream")[0] for line in calls(lambda: transport.all_to_all(out._array, rows._array))]
    peers = range(SIZE)
    assert log[2:-1] == [
        "GroupStart", *(f"Send count=2 type=7 peer={i}" for i in peers),
        *(f"Recv count=2 type=7 peer={i}" for i in peers), "GroupEnd",
    ], log  # fmt: skip
    assert out.tolist() == [rows.tolist()[RANK]] * SIZE
    log = [line.split(" stream")[0] for line in calls(lambda: transport.exchange(out._array, 0, rows._array, 2))]
    assert log[2:-1] == ["GroupStart", "Send count=6 type=7 peer=2", "Recv count=6 type=7 peer=0", "GroupEnd"], log
    assert out.tolist() == rows.tolist()
    log = [line.split(" stream")[0] for line in calls(lambda: transport.send(rows._array, 2, 0))]
    assert log[2:-1] == ["GroupStart", "Send count=6 type=7 peer=2", "GroupEnd"], log


def check_data_parallel(group: Any, gg: Any) -> None:
    """Buckets go in their order, while backward goes on, and give the gradients of one process."""
    from gpugrad import distributed as dist
    from gpugrad import nn

    gg.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)).to("cuda")
    x = gg.randn(6, 4, device="cuda")
    (model(x) ** 2).mean().backward()
    expected = [p.grad.cpu().numpy() for p in model.parameters()]
    model.zero_grad()
    ddp = dist.DistributedDataParallel(model, group, bucket_cap_mb=1e-4, broadcast_buffers=False)
    loss = (ddp(x) ** 2).mean()
    order: list[str] = []
    hidden = model[0].weight
    hidden.register_hook(lambda g: order.append(LIBRARY.fake_log().decode()))
    log = calls(loss.backward)
    counts = [int(c) for line in log for c in re.findall(r"AllReduce count=(\d+)", line)]
    assert counts == [bucket.size for bucket in ddp.buckets] and len(counts) > 1, (counts, log)
    assert "AllReduce" in order[0], "the first buckets are reduced before the last gradient is there"
    for p, wanted in zip(model.parameters(), expected, strict=True):
        assert np.allclose(p.grad.cpu().numpy(), wanted, rtol=1e-6), p


def check_failures(transport: Any, gg: Any) -> None:
    """An error that NCCL reports later is noticed, and ends the rank with a message."""
    ended: list[bool] = []
    transport.abort = lambda: ended.append(True)
    transport.label = "all_reduce of float32 (3,)"

    class Pending:
        done = False

    from gpugrad.distributed.nccl import NCCLWork

    work = NCCLWork(transport, Pending(), (), 100.0)
    assert not work.advance() and not ended
    LIBRARY.fake_fail(3)
    assert work.advance() and ended == [True]
    LIBRARY.fake_fail(0)
    late = NCCLWork(transport, Pending(), (), 0.0)
    assert late.advance() and ended == [True, True]
    del transport.abort


def main() -> int:
    """Run all checks."""
    load()
    from .install import install

    install()
    import cupy

    watch_events(cupy)
    import gpugrad as gg
    from gpugrad.distributed.environment import Place
    from gpugrad.distributed.group import ProcessGroup
    from gpugrad.distributed.nccl import NCCLTransport

    device = gg.device("cuda")
    shared: list[bytes] = []

    def share(value: bytes) -> bytes:
        shared.append(value)
        return value if value else bytes([7]) * 128

    made: list[Any] = []
    log = calls(lambda: made.append(NCCLTransport(device, Place(RANK, SIZE, 0), 60, share)))
    transport = made[0]
    assert log == [f"CommInitRank size={SIZE} rank={RANK} id=7"] and shared == [b""], (log, shared)
    check_collectives(transport, gg)
    check_waiting(transport, gg)
    check_transfers(transport, gg)
    group = ProcessGroup(transport, range(SIZE), False)
    check_data_parallel(group, gg)
    sub = transport.subset([0, 1])
    assert sub.size == 2 and sub.rank == 1
    transport.barrier().wait()
    check_failures(transport, gg)
    assert calls(transport.close)[-1] == "CommDestroy"
    print("every call of NCCL is as expected")
    return 0


if __name__ == "__main__":
    sys.exit(main())
