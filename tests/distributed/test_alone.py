"""What needs no second rank: one process, the environment, the store, the sampler, the launcher's parts, the plan."""

import re
import socket
import sys
import threading

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import distributed as dist
from gpugrad import nn
from gpugrad.autograd import after_backward
from gpugrad.cli import main
from gpugrad.distributed import launcher, mpi, store
from gpugrad.distributed.environment import NAMES, Place, place
from gpugrad.distributed.layouts import Cut
from gpugrad.distributed.planning import KNOWN, Machine, plan, plans, shape_of
from gpugrad.errors import (
    CheckpointError,
    DeviceError,
    DistributedError,
    DTypeError,
    MissingPackageError,
    OptionError,
    ShapeError,
    StateDictError,
    UsageError,
)  # fmt: skip

from . import on_ranks


@pytest.fixture(autouse=True)
def no_ranks(monkeypatch):
    """A process that nobody started with others; no group is left."""
    for names in NAMES:
        for name in names:
            monkeypatch.delenv(name, raising=False)
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize(
    "name", [name for name in vars(on_ranks) if name.startswith("check_") and "reruns" not in name]
)
def test_one_process_without_mpi(name, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    monkeypatch.setattr(on_ranks, "FOLDER", tmp_path)
    vars(on_ranks)[name]()


def test_places():
    assert place({"PMI_RANK": "1", "PMI_SIZE": "3", "SLURM_PROCID": "0", "SLURM_NTASKS": "1"})[:2] == (1, 3)
    assert place({"OMPI_COMM_WORLD_RANK": "5", "OMPI_COMM_WORLD_SIZE": "8", "OMPI_COMM_WORLD_LOCAL_RANK": "1"}) == (
        5,
        8,
        1,
    )
    assert place({"SLURM_PROCID": "2", "SLURM_NTASKS": "4", "SLURM_LOCALID": "0"}) == (2, 4, 0)
    assert place({"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "x"}) == place({"RANK": "1", "WORLD_SIZE": "2"})[:2] + (
        0,
    )
    assert place({"RANK": "-1"}) == (0, 1, 0)


def test_addresses():
    assert store.address({"MASTER_ADDR": "here", "MASTER_PORT": "29500"}) == ("here", 29501)
    slurm = {"SLURM_NODELIST": "node[012-015,20]", "SLURM_JOB_ID": "123456"}
    assert store.address(slurm) == ("node012", 15000 + 123456 % 15000 + 1)
    assert store.address({**slurm, "SLURM_NODELIST": "a1,a2"})[0] == "a1"
    with pytest.raises(DistributedError, match="mpiexec, srun or torchrun, or set MASTER_ADDR and MASTER_PORT"):
        store.address({})


def test_the_store_gives_all_ranks_the_value_of_rank_0():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    found = {}

    def rank(number):
        found[number] = store.share(b"value" if number == 0 else b"", Place(number, 3, 0), 60, ("127.0.0.1", port))

    threads = [threading.Thread(target=rank, args=(i,)) for i in (2, 1, 0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == dict.fromkeys(range(3), b"value")
    with pytest.raises(DistributedError, match="found no rank 0 at 127.0.0.1"):
        store.share(b"", Place(1, 2, 0), 0.01, ("127.0.0.1", port))
    with pytest.raises(DistributedError, match="ranks 1 did not come"):
        store.share(b"x", Place(0, 2, 0), 0.01, ("127.0.0.1", port))


def test_bad_starts_say_what_to_do(monkeypatch):
    with pytest.raises(OptionError, match='"mpi" or "nccl", got \'gloo\''):
        dist.init_process_group("gloo")
    with pytest.raises(DistributedError, match="world_size=4, but the environment says 1; .*gpugrad launch -n 4"):
        dist.init_process_group(world_size=4)
    with pytest.raises(OptionError, match="timeout must be above 0"):
        dist.init_process_group(timeout=0)
    with pytest.raises(DeviceError, match='NCCL cannot be used|device "cuda|init_process_group'):
        dist.init_process_group("nccl")
    dist.init_process_group()
    with pytest.raises(OptionError, match="there is a process group already"):
        dist.init_process_group()
    dist.destroy_process_group()
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(
        DistributedError, match=r"one of 2 ranks: call gpugrad.distributed.init_process_group\(\) first"
    ):
        dist.all_reduce(gg.ones(2))
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(MissingPackageError, match=r"needs mpi4py: pip install 'gpugrad\[mpi\]'"):
        dist.init_process_group()

    class OneProcess:
        COMM_WORLD = type("Comm", (), {"size": 1})

    monkeypatch.setattr("gpugrad.distributed.group.load_mpi", lambda: OneProcess)
    with pytest.raises(DistributedError, match="the environment says 2 ranks, MPI sees 1.*not the one whose mpiexec"):
        dist.init_process_group("mpi")


def test_bad_calls_are_refused():
    with pytest.raises(DTypeError, match="all_reduce: expected a Tensor, got list"):
        dist.all_reduce([1.0])
    with pytest.raises(OptionError, match="op must be 'sum'"):
        dist.all_reduce(gg.ones(2), "mean")
    with pytest.raises(DTypeError, match="op='avg' is not for int64"):
        dist.all_reduce(gg.arange(2), "avg")
    with pytest.raises(ShapeError, match=r"tensor_list must hold 1 Tensors of shape \(2,\)"):
        dist.all_gather([gg.zeros(3)], gg.ones(2))
    with pytest.raises(DTypeError, match="tensor_list has dtype float64, expected float32"):
        dist.all_gather([gg.zeros(2, dtype="float64")], gg.ones(2))
    with pytest.raises(ShapeError, match="output_tensor must have 1 times as many rows"):
        dist.all_gather_into_tensor(gg.zeros(3), gg.ones(2))
    with pytest.raises(OptionError, match="expected different ranks from 0 to 0"):
        dist.new_group([0, 1])
    with pytest.raises(OptionError, match="expected a rank of the group of ranks 0, got 3"):
        dist.broadcast(gg.ones(2), 3)
    with pytest.raises(OptionError, match="expected a ProcessGroup that this rank is in, got None|got 5"):
        dist.get_rank(5)
    with pytest.raises(OptionError, match="no parameter that requires a gradient"):
        dist.DistributedDataParallel(nn.ReLU())
    shared = nn.Linear(2, 2)
    pair = nn.Sequential(shared, nn.Sequential(nn.Linear(2, 2)))
    pair[1][0].weight = shared.weight
    with pytest.raises(OptionError, match="0.weight belongs to two units"):
        dist.FullyShardedDataParallel(pair, unit=nn.Sequential)
    with pytest.raises(OptionError, match="tie_weights=False"):
        dist.GPTStage(gg.models.GPT(8, n_positions=4, n_embd=4, n_layer=2, n_head=2), 0, 2)


def test_hooks_of_leaves_are_called_when_the_gradient_is_complete():
    heard = []
    first, shared, last = (gg.ones(2, requires_grad=True) for _ in range(3))
    x = first * shared
    x.register_hook(lambda g: heard.append("between"))
    y = x.exp() * last * shared
    for name, leaf in (("first", first), ("shared", shared), ("last", last)):
        leaf.register_hook(lambda g, name=name: heard.append(name))
    y.sum().backward()
    assert heard[:2] == ["last", "between"] and sorted(heard[2:]) == ["first", "shared"]
    assert not after_backward(lambda: None)
    done = []
    first.register_hook(lambda g: done.append(after_backward(lambda: done.append(first.grad.tolist()))))
    first.grad = None
    gg.grad((first * 2).sum(), first)
    assert done == [False]
    (first * 2).sum().backward()
    assert done == [False, True, [2.0, 2.0]]


def test_a_failed_backward_does_not_spoil_the_next():
    model = dist.DistributedDataParallel(nn.Linear(2, 1))
    x = gg.ones(1, 2, requires_grad=True)

    def refuse(g):
        raise ValueError("no")

    y = x * 1
    y.register_hook(refuse)
    with pytest.raises(ValueError, match="no"):
        model(y).sum().backward()
    model(gg.ones(3, 2)).sum().backward()
    assert model.module.bias.grad.tolist() == [3.0]
    gg.grad(model(gg.ones(3, 2)).sum(), model.module.bias)
    assert model.module.bias.grad.tolist() == [3.0]


# The sampler


def test_the_samplers_parts_are_the_whole():
    for count, ranks, drop in ((12, 3, False), (10, 4, False), (10, 4, True), (3, 4, False), (0, 2, False)):
        parts = [list(dist.DistributedSampler(range(count), ranks, r, seed=5, drop_last=drop)) for r in range(ranks)]
        lengths = {len(p) for p in parts}
        assert lengths == {count // ranks if drop else -(-count // ranks)}
        everything = [i for row in zip(*parts, strict=True) for i in row]
        assert sorted(set(everything)) == list(range(count)) or drop and len(set(everything)) == len(everything)
        assert len(dist.DistributedSampler(range(count), ranks, 0, drop_last=drop)) == len(parts[0])
    sampler = dist.DistributedSampler(range(20), 2, 0, seed=1)
    first = list(sampler)
    assert first == list(sampler)
    sampler.set_epoch(1)
    assert first != list(sampler)


def test_the_sampler_goes_on_on_another_number_of_ranks():
    whole = list(dist.DistributedSampler(range(24), 1, 0, seed=2))
    samplers = [dist.DistributedSampler(range(24), 3, r, seed=2) for r in range(3)]
    passes = [iter(s) for s in samplers]
    done = [next(p) for _ in range(4) for p in passes]
    assert done == whole[:12]
    state = samplers[0].state_dict()
    rest = []
    for r in range(2):
        other = dist.DistributedSampler(range(24), 2, r)
        other.load_state_dict(state)
        assert len(other) == 6
        rest.append(list(other))
    assert [i for row in zip(*rest, strict=True) for i in row] == whole[12:]
    with pytest.raises(StateDictError, match="the state is of 24 samples, the dataset has 5"):
        dist.DistributedSampler(range(5), 2, 0).load_state_dict(state)
    with pytest.raises(OptionError, match="rank must be from 0"):
        dist.DistributedSampler(range(5), 2, 2)


# Parts


def test_a_cut_takes_parts_of_each_block():
    class Two:
        size, rank = 2, 1

    whole = np.arange(24).reshape(2, 12)
    assert Cut(1, Two, 3).part(whole)[0].tolist() == [2, 3, 6, 7, 10, 11]  # type: ignore[arg-type]
    assert Cut(0, Two).part(whole).tolist() == [whole[1].tolist()]  # type: ignore[arg-type]


def test_mpi_reads_memory_by_the_protocol_of_cuda_arrays(monkeypatch):
    """A CUDA-aware MPI is given the array itself; the others get copies on the host."""

    class Aware(mpi.MPITransport):
        def __init__(self, aware):
            self._aware = aware

    if not gg.cuda.is_available():
        pytest.skip("no cuda device")
    array = gg.ones(3, device="cuda")._array
    staged = mpi.Staged()
    assert Aware(True)._host(array, staged, True) is array and not staged.outs
    assert isinstance(Aware(False)._host(array, staged, True), np.ndarray) and len(staged.outs) == 1


def test_a_folder_without_a_whole_checkpoint(tmp_path):
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        dist.load_sharded(tmp_path, nn.Linear(2, 1))
    for text in ("{", '{"weight_map": {"weight": "../other.safetensors"}}', '{"weight_map": 3}', "[]"):
        (tmp_path / "model.safetensors.index.json").write_text(text)
        with pytest.raises(CheckpointError, match="not an index of shards"):
            dist.load_sharded(tmp_path, nn.Linear(2, 1))


def test_hugging_faces_reader_reads_a_sharded_checkpoint(tmp_path):
    import json

    safetensors = pytest.importorskip("safetensors.numpy")
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    optimizer = gg.optim.Adam(model.parameters())
    model(gg.ones(1, 3)).sum().backward()
    optimizer.step()
    dist.save_sharded(tmp_path, model, optimizer)
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == sum(p.nbytes for p in model.parameters())
    for name, file in index["weight_map"].items():
        assert safetensors.load_file(tmp_path / file)[name].tolist() == model.state_dict()[name].tolist()
    first = sorted(f.name for f in tmp_path.iterdir())
    dist.save_sharded(tmp_path, model)
    second = sorted(f.name for f in tmp_path.iterdir())
    assert len(first) == 3 and len(second) == 2 and not set(first) & set(second) - {"model.safetensors.index.json"}
    with pytest.raises(CheckpointError, match="no state of an optimizer"):
        dist.load_sharded(tmp_path, model, gg.optim.Adam(model.parameters()))


def test_the_launcher_says_what_is_missing(monkeypatch, tmp_path, capsys):
    assert main(["launch", "-n", "2", str(tmp_path / "none.py"), "--argument"]) == 2
    assert capsys.readouterr().err == f"gpugrad launch: there is no script {tmp_path / 'none.py'}\n"
    with pytest.raises(UsageError, match="there is no script"):
        launcher.launch(2, [str(tmp_path / "none.py")])
    monkeypatch.setattr(launcher.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(launcher, "which", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'gpugrad\[mpi\]'"):
        launcher.mpiexec()
    monkeypatch.setattr(launcher.cuda, "diagnose", lambda: "there is none")
    script = tmp_path / "script.py"
    script.write_text("")
    with pytest.raises(DeviceError, match="--gpus: there is none"):
        launcher.launch(2, [str(script)], gpus=True)
    monkeypatch.setattr(launcher.cuda, "diagnose", lambda: None)
    monkeypatch.setattr(launcher.cuda, "count", lambda: 1)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(DeviceError, match="2 ranks need 2 GPUs, this machine shows 1"):
        launcher.launch(2, [str(script)], gpus=True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5,6")
    assert launcher._devices(2) == ["3", "5"]


# The plan


def test_a_plan_counts_what_is_known():
    machine = Machine()
    for size, layers, width in KNOWN:
        shape = shape_of(size)
        assert (shape.layers, shape.width) == (layers, width) and abs(shape.parameters / size - 1) < 0.25
    shape = shape_of(70e9)
    one = plan(shape, machine, 1, 1, 1, 0, batch=8)
    assert one.memory > 16 * shape.parameters and one.communication == one.bubble == 0
    sharded = plan(shape, machine, 64, 1, 1, 3, batch=64)
    assert sharded.memory < one.memory / 8 and sharded.communication > 0
    piped = plan(shape, machine, 1, 1, 8, 0, batch=8)
    assert piped.bubble == pytest.approx(piped.compute * 7 / 8)  # GPipe's (ranks - 1) / pieces
    assert machine.ring(8e9, 8, False) == pytest.approx(2 * (7 / 8 * 8e9 / machine.inside + 3 * machine.latency))
    for best in plans(7e9, 64, 1024):
        assert best.memory <= machine.memory and best.data * best.tensor * best.pipeline == 64
    assert not plans(70e9, 1, 8)
    with pytest.raises(OptionError, match="parameters must be above 0"):
        shape_of(0)


def test_the_plan_command(capsys):
    assert main(["plan", "--params", "7e9", "--gpus", "64"]) == 0
    out = capsys.readouterr().out
    assert (
        out.startswith("6.65 billion parameters (32 layers of width 4096), 1024 sequences") and "data parallel" in out
    )
    assert main(["plan", "--params", "70e9", "--gpus", "1"]) == 1
    assert "nothing fits" in capsys.readouterr().out
    assert main(["plan", "--curves"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == len(KNOWN) + 2 and all(re.match(r"\| [\d.]+ billion", row) for row in rows[2:])
