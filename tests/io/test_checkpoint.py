"""Checkpoints: what comes back, how files are replaced, and what broken ones say."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

import gpugrad as gg
from gpugrad import nn
from gpugrad.data import DataLoader, TensorDataset
from gpugrad.errors import CheckpointError, DTypeError, StateDictError
from gpugrad.io import load, load_training, save, save_training, tensor_names
from gpugrad.optim import SGD, AdamW

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_comes_back(tmp_path, dtype):
    values = gg.tensor([[0, 1], [1, 3]], dtype=dtype)
    save(tmp_path / "a.safetensors", {"x": values, "none": gg.zeros(0, 3, dtype=dtype), "scalar": values[1, 1]})
    tensors, metadata = load(tmp_path / "a.safetensors")
    assert metadata == {}
    for name, expected in {"x": values, "none": gg.zeros(0, 3, dtype=dtype), "scalar": values[1, 1]}.items():
        assert tensors[name].dtype == expected.dtype
        assert tensors[name].shape == expected.shape
        assert tensors[name].tolist() == expected.tolist()


def test_any_memory_layout(tmp_path):
    a = np.arange(24.0).reshape(2, 3, 4)
    given = {"transposed": gg.from_numpy(a.T), "strided": a[:, ::2, ::-1], "repeated": np.broadcast_to(a[0, 0], (5, 4)),
             "big-endian": a.astype(">f8")}  # fmt: skip
    save(tmp_path / "a", given)
    tensors, _ = load(tmp_path / "a")
    for name, value in given.items():
        np.testing.assert_array_equal(tensors[name].numpy(), np.asarray(value))
        tensors[name]._array[...] = 0  # writable
    with pytest.raises(DTypeError, match="'x' must be a Tensor"):
        save(tmp_path / "a", {"x": [1.0]})


def test_metadata_is_any_json(tmp_path):
    metadata = {"step": 3, "nested": {"lr": [0.1, None]}, "text": "ü", "gpugrad": "x"}
    save(tmp_path / "a", {}, metadata)
    assert load(tmp_path / "a") == ({}, metadata)
    save(tmp_path / "b", {}, dict(reversed(metadata.items())))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_network_comes_back(tmp_path):
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    net(gg.randn(4, 1, 5, 5))
    save(tmp_path / "net.safetensors", net.state_dict())
    other = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    other.load_state_dict(load(tmp_path / "net.safetensors")[0])
    x = gg.randn(4, 1, 5, 5)
    np.testing.assert_array_equal(net.eval()(x).detach().numpy(), other.eval()(x).detach().numpy())


def test_files_of_other_libraries(tmp_path):
    theirs = {"x": np.float32([1, 2])}
    safetensors.numpy.save_file(theirs, tmp_path / "theirs", {"format": "np"})
    tensors, metadata = load(tmp_path / "theirs")
    assert tensors["x"].tolist() == [1, 2]
    assert metadata == {"format": "np"}
    save(tmp_path / "ours", {"x": gg.tensor([3.0])})
    assert safetensors.numpy.load_file(tmp_path / "ours")["x"].tolist() == [3]


def test_an_interrupted_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a"
    save(path, {"x": gg.ones(2)})

    def full(*args):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        save(path, {"x": gg.zeros(2)})
    assert load(path)[0]["x"].tolist() == [1, 1]
    assert os.listdir(tmp_path) == ["a"]


def test_saved_files_have_the_usual_permissions(tmp_path):
    (tmp_path / "usual").touch()
    save(tmp_path / "a", {})
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_saving_keeps_what_the_file_was(tmp_path):
    """A file's permissions stay, and a link goes on to lead to the file; names may be as long as the system allows."""
    private, link, long = tmp_path / "private", tmp_path / "link", tmp_path / ("n" * 255)
    private.touch()
    private.chmod(0o600)
    link.symlink_to("private")
    save(link, {"x": gg.ones(2)})
    assert link.is_symlink() and load(private)[0]["x"].tolist() == [1, 1]
    assert private.stat().st_mode & 0o777 == 0o600
    (tmp_path / "dangling").symlink_to(tmp_path / "target")
    save(tmp_path / "dangling", {})
    save(long, {})
    assert sorted(os.listdir(tmp_path)) == sorted(["private", "link", "dangling", "target", long.name])


def test_nothing_but_files_is_replaced(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    for name, kind in {"fifo": "a pipe", "folder": "a directory"}.items():
        with pytest.raises(CheckpointError, match=f"{name}: cannot be replaced by a file, because it is {kind}"):
            save(tmp_path / name, {})
    with pytest.raises(CheckpointError, match="fifo: expected a regular file, but this is a pipe"):
        load(tmp_path / "fifo")
    with pytest.raises(CheckpointError, match="/dev/null: cannot be replaced"):
        save("/dev/null", {})


def test_the_folder_is_flushed_after_the_file(tmp_path, monkeypatch):
    flushed, fsync = [], os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda handle: (flushed.append(os.readlink(f"/proc/self/fd/{handle}")), fsync(handle))
    )
    save(tmp_path / "a", {})
    assert len(flushed) == 2 and flushed[0].endswith(".tmp") and flushed[1] == str(tmp_path)


def test_a_save_removes_what_killed_ones_left_and_no_others(tmp_path):
    """A temporary file without a process that writes it goes; that of a save under way stays."""
    code = (
        "import os, sys, time\n"
        "from gpugrad.io import save\n"
        "os.fsync = lambda handle: (print('writing', flush=True), sys.stdin.readline())\n"
        "save(sys.argv[1], {})\n"
    )

    def start(name):
        command = [sys.executable, "-c", code, str(tmp_path / name)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "writing\n"
        return process

    with start("killed") as killed, start("slow") as slow:
        killed.kill()
        killed.wait()
        assert len(os.listdir(tmp_path)) == 2
        save(tmp_path / "other", {})
        assert len(os.listdir(tmp_path)) == 2 and "other" in os.listdir(tmp_path)
        slow.communicate("\n\n")
    assert slow.returncode == 0 and sorted(os.listdir(tmp_path)) == ["other", "slow"]


@pytest.mark.parametrize(
    "tensors, metadata, error, message",
    [
        ({"__metadata__": gg.ones(1)}, None, CheckpointError, "cannot be called '__metadata__'"),
        ({"a\ud800": gg.ones(1)}, None, CheckpointError, "cannot be called"),
        ({3: gg.ones(1)}, None, DTypeError, r"name must be a string, got 3 \(int\)"),
        ({}, {"x": object()}, DTypeError, "metadata must be JSON values"),
        ({}, {"x": {1: 2, "a": 3}}, DTypeError, "metadata must be JSON values"),
        ({"n" * 6000: gg.ones(1)}, None, CheckpointError, "too much for one file: a header of"),
        ({str(i): gg.ones(1) for i in range(30)}, None, CheckpointError, "30 tensors .* lists, objects and items"),
    ],
    ids=["metadata", "no text", "no string", "no JSON", "mixed keys", "long", "many"],
)
def test_what_could_not_be_loaded_is_not_saved(tmp_path, monkeypatch, tensors, metadata, error, message):
    monkeypatch.setattr("gpugrad.io.format._LIMIT", 10_000)
    monkeypatch.setattr("gpugrad.io.format._MOST_MARKS", 200)
    with pytest.raises(error, match=message):
        save(tmp_path / "a", tensors, metadata)
    assert not os.listdir(tmp_path)


def test_metadata_nested_too_deep_is_not_saved(tmp_path):
    nested = []
    for _ in range(5000):
        nested = [nested]
    with pytest.raises(DTypeError, match="metadata must be JSON values"):
        save(tmp_path / "a", {}, {"x": nested})
    looped = {"a": []}
    looped["a"].append(looped)
    with pytest.raises(DTypeError, match="more than 100 lists or dicts inside each other"):
        save_training(tmp_path / "a", state=looped)
    assert not os.listdir(tmp_path)


def test_a_large_header_is_refused_before_it_takes_memory(tmp_path):
    path = tmp_path / "large"
    path.write_bytes(forged(b"[" + b'{"":0},' * 2_000_000 + b"0]"))
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match="lists, objects and items"):
            load(path)
        assert tracemalloc.get_traced_memory()[1] < 2 * path.stat().st_size
    finally:
        tracemalloc.stop()


def test_many_tensors_are_no_large_header(tmp_path):
    given = {f"layers.{i}.self_attention.projection.weight": np.zeros((1, 1, 1, 1), np.uint8) for i in range(20_000)}
    save(tmp_path / "many", given)
    assert tensor_names(tmp_path / "many").keys() == given.keys()


def test_broken_files_are_named(tmp_path):
    path = tmp_path / "broken.safetensors"
    save(path, {"x": gg.ones(100)}, {"a": 1})
    content = path.read_bytes()
    for broken in (b"", content[:5], content[:40], content[:-1], content + b"x", b"PK\x03\x04" * 30, b"{}" * 9):
        path.write_bytes(broken)
        with pytest.raises(CheckpointError, match=r"broken\.safetensors: not a complete safetensors file"):
            load(path)
    complex_header = json.dumps({"x": {"dtype": "C64", "shape": [1], "data_offsets": [0, 8]}}).encode()
    path.write_bytes(len(complex_header).to_bytes(8, "little") + complex_header + bytes(8))
    with pytest.raises(CheckpointError, match="unsupported dtype C64"):
        load(path)
    with pytest.raises(FileNotFoundError, match="absent"):
        load(tmp_path / "absent")


def forged(header, values=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + values


def entry(dtype="F32", shape=(1,), offsets=(0, 4), **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **more}


MALICIOUS = {
    "header longer than the file": (forged({}, length=1 << 40), "a header of"),
    "header longer than any": (forged(b" " * 99, length=(1 << 64) - 1), "a header of"),
    "header is no object": (forged(b"[1]"), "no JSON object"),
    "header is no text": (forged(b"\xff\xfe{}"), "utf-8"),
    "nested too deep": (forged(b"[" * 200_000), "nested too deep"),
    "a name twice": (forged(b'{"a": %s, "a": %s}' % ((json.dumps(entry()).encode(),) * 2), bytes(4)), "twice"),
    "overlap": (forged({"a": entry(), "b": entry()}, bytes(4)), "overlap"),
    "part overlap": (forged({"a": entry(shape=(2,), offsets=(0, 8)), "b": entry(offsets=(4, 8))}, bytes(8)), "overlap"),
    "a gap": (forged({"a": entry(offsets=(4, 8))}, bytes(8)), "gap"),
    "values left over": (forged({"a": entry()}, bytes(8)), "end at byte"),
    "beyond the end": (forged({"a": entry(shape=(9,), offsets=(0, 36))}, bytes(4)), "end at byte"),
    "wrong shape": (forged({"a": entry(shape=(2,))}, bytes(4)), "are not the values of"),
    "wrong dtype": (forged({"a": entry(dtype="F64")}, bytes(4)), "are not the values of"),
    "unknown dtype": (forged({"a": entry(dtype="C64")}, bytes(4)), "unsupported dtype C64"),
    "dtype is a list": (forged({"a": entry(dtype=["F32"])}, bytes(4)), "unsupported dtype"),
    "negative sizes": (forged({"a": entry(shape=(-1, -1))}, bytes(4)), "no list of sizes"),
    "sizes are fractions": (forged({"a": entry(shape=(1.0,))}, bytes(4)), "no list of sizes"),
    "sizes are booleans": (forged({"a": entry(shape=(True,))}, bytes(4)), "no list of sizes"),
    "huge sizes": (forged({"a": entry(shape=(1 << 62, 1 << 62, 0), offsets=(0, 0))}), "."),
    "too many axes": (forged({"a": entry(shape=(1,) * 70)}, bytes(4)), "no list of sizes"),
    "reversed": (forged({"a": entry(offsets=(4, 0))}, bytes(4)), "no range"),
    "three offsets": (forged({"a": entry(offsets=(0, 4, 4))}, bytes(4)), "no range"),
    "a field too many": (forged({"a": entry(more=1)}, bytes(4)), "not the fields"),
    "a number as a tensor": (forged({"a": 1}), "not the fields"),
    "metadata of numbers": (forged({"__metadata__": {"a": 1}}), "table of texts"),
    "metadata is no table": (forged({"__metadata__": [1]}), "table of texts"),
    "checksums of another kind": (forged({"__metadata__": {"gpugrad.sha256": "[]"}}), "table of texts"),
}  # fmt: skip


@pytest.mark.parametrize("name", MALICIOUS)
@pytest.mark.parametrize("mmap", [False, True])
def test_malicious_files_are_refused(tmp_path, name, mmap):
    content, why = MALICIOUS[name]
    (tmp_path / "evil.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"evil\.safetensors: not a complete safetensors file .*(" + why + ")"):
        load(tmp_path / "evil.safetensors", mmap=mmap)


def test_every_changed_bit_is_seen(tmp_path):
    path = tmp_path / "net"
    save(path, {"a": gg.arange(3.0), "b": gg.tensor([True, False])}, {"step": 7})
    content, seen = bytearray(path.read_bytes()), 0
    for i in range(len(content)):
        content[i] ^= 1 << i % 8
        path.write_bytes(content)
        with pytest.raises(CheckpointError) as info:
            load(path)
        assert str(info.value).startswith(f"{path}: ")
        seen += "checksum" in str(info.value)
        content[i] ^= 1 << i % 8
    assert seen > 100


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused(content):
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(len(content).to_bytes(8, "little") + content)
        file.flush()
        with pytest.raises(CheckpointError):
            load(file.name)


def test_some_tensors_only(tmp_path, device):
    path = tmp_path / "net"
    save(path, {"a": gg.arange(3.0), "b": gg.ones(2, 2), "c": gg.tensor(5)})
    tensors, _ = load(path, device, names=["c", "a"])
    assert list(tensors) == ["c", "a"] and tensors["a"].tolist() == [0, 1, 2] and tensors["a"].device == device
    with pytest.raises(CheckpointError, match=r"net: .*no tensor 'd', 'e'; it has a, b, c"):
        load(path, names=["a", "d", "e"])
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # in "b", the last
    path.write_bytes(content)
    assert load(path, names=["c"])[0]["c"].item() == 5
    with pytest.raises(CheckpointError, match="checksum of 'b'"):
        load(path)
    assert tensor_names(path) == {"a": ((3,), "float32"), "b": ((2, 2), "float32"), "c": ((), "int64")}


def test_memory_mapped(tmp_path):
    path = tmp_path / "net"
    given = {"a": gg.arange(6.0).reshape(2, 3), "b": gg.tensor([1, 2], dtype="int8"), "none": gg.zeros(0, 2)}
    save(path, given, {"x": 1})
    tensors, metadata = load(path, mmap=True)
    assert metadata == {"x": 1} and tensors["b"].tolist() == [1, 2] and tensors["none"].shape == (0, 2)
    tensors["a"]._array[...] = 9
    assert load(path)[0]["a"].tolist() == [[0, 1, 2], [3, 4, 5]]  # the file stays
    (tmp_path / "empty").write_bytes(forged({}))
    assert load(tmp_path / "empty", mmap=True) == ({}, {})


def test_weights_of_pytorch_and_for_it(tmp_path):
    layers = lambda m: [m.Conv2d(3, 4, 3), m.BatchNorm2d(4), m.Flatten(), m.Linear(64, 5)]  # noqa: E731
    theirs, ours = torch.nn.Sequential(*layers(torch.nn)), nn.Sequential(*layers(nn))
    theirs(torch.randn(8, 3, 6, 6))
    safetensors.torch.save_file(theirs.state_dict(), tmp_path / "theirs.safetensors")
    ours.load_state_dict(load(tmp_path / "theirs.safetensors")[0])
    x = np.random.default_rng(0).standard_normal((2, 3, 6, 6), np.float32)
    expected = theirs.eval()(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(ours.eval()(gg.tensor(x)).detach().numpy(), expected, rtol=1e-5, atol=1e-6)
    with gg.no_grad():
        for parameter in ours.parameters():
            parameter += 1
    save(tmp_path / "ours.safetensors", ours.state_dict())
    theirs.load_state_dict(safetensors.torch.load_file(tmp_path / "ours.safetensors"))
    expected = theirs(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(ours(gg.tensor(x)).detach().numpy(), expected, rtol=1e-5, atol=1e-5)


def test_every_dtype_of_pytorch_and_back(tmp_path):
    theirs = {
        "w": torch.randn(5).bfloat16(),
        "h": torch.randn(3, 2).half(),
        "i": torch.tensor(7),
        "b": torch.ones(2) > 0,
    }
    safetensors.torch.save_file(theirs, tmp_path / "theirs")
    save(tmp_path / "back", load(tmp_path / "theirs")[0])
    for name, value in safetensors.torch.load_file(tmp_path / "back").items():
        assert value.dtype == theirs[name].dtype and torch.equal(value, theirs[name])


WRITE = """
import itertools, os, signal, sys, gpugrad as gg, numpy as np
from gpugrad.io import save
def write(path, i):
    save(path, {f'w{j}': np.full(50_000, i, np.float32) for j in range(20)}, {'step': i})
"""


def whole_save(path):
    """The step of the save that is in the file, which must be complete."""
    tensors, metadata = load(path)
    assert len(tensors) == 20 and all((t.numpy() == metadata["step"]).all() for t in tensors.values())
    return metadata["step"]


def test_a_save_that_is_killed_loses_nothing(tmp_path):
    """Processes are killed in their fourth save, around a call; the file is that of one whole save."""
    code = WRITE + (
        "for moment in ('fsync', 'replace', 'replaced'):\n"
        "    if os.fork() == 0:\n"
        "        folder = os.path.join(sys.argv[1], moment)\n"
        "        os.mkdir(folder)\n"
        "        call = moment.removesuffix('d')\n"
        "        before = getattr(os, call)\n"
        "        def killed(*args):\n"
        "            if moment == 'replaced':\n"
        "                before(*args)\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "        for i in range(4):\n"
        "            if i == 3:\n"
        "                setattr(os, call, killed)\n"
        "            write(os.path.join(folder, 'run'), i)\n"
        "    assert os.waitstatus_to_exitcode(os.wait()[1]) == -signal.SIGKILL\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    for moment, step, left in (("fsync", 2, 1), ("replace", 2, 1), ("replaced", 3, 0)):
        folder = tmp_path / moment
        assert whole_save(folder / "run") == step
        assert len([name for name in os.listdir(folder) if name.endswith(".tmp")]) == left
        save(folder / "run", {"w": gg.ones(2)})
        assert os.listdir(folder) == ["run"]


def test_a_save_that_is_killed_at_any_moment_loses_nothing(tmp_path):
    code = WRITE + "for i in itertools.count():\n    write(sys.argv[1], i)\n    print(i, flush=True)\n"
    path = tmp_path / "run"
    for attempt in range(2):
        process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
        process.stdout.readline()
        time.sleep(0.01 * attempt)
        process.send_signal(signal.SIGKILL)
        reported = [0, *map(int, process.stdout.read().split())][-1]
        process.wait()
        process.stdout.close()
        assert whole_save(path) in (reported, reported + 1)  # the last that was reported, or one just finished


def test_save_names_what_it_was_given_instead_of_a_mapping(tmp_path):
    with pytest.raises(DTypeError, match="expected a path and a mapping of names to tensors, got dict and PosixPath"):
        save({"w": gg.ones(2)}, tmp_path / "w")


# Training runs


class Decay:
    """A scheduler by PyTorch's protocol."""

    def __init__(self, optimizer):
        self.optimizer, self.last_epoch = optimizer, 0

    def step(self):
        self.last_epoch += 1
        for group in self.optimizer.param_groups:
            group["lr"] *= 0.9

    def state_dict(self):
        return {"last_epoch": self.last_epoch, "_schedule": (0.1, [None, True])}

    def load_state_dict(self, state):
        assert state["_schedule"] == (0.1, [None, True])
        self.last_epoch = state["last_epoch"]


class Run:
    """All parts of a training run, new; its parameters start differently each time."""

    def __init__(self, data, device="cpu", optimizer=AdamW):
        self.model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3))
        self.model.to(device)
        self.optimizer = optimizer(self.model.parameters(), lr=0.05)
        self.scheduler = Decay(self.optimizer)
        self.loader = DataLoader(data, 4, shuffle=True, device=device)

    def train(self, steps, between=None):
        """The losses of the steps; `between` is called after the one it numbers."""
        losses = []
        while True:
            for x, y in self.loader:
                noise = random.random() + np.random.rand()
                loss = nn.functional.cross_entropy(self.model(x * noise), y)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                self.scheduler.step()
                losses.append(loss.item())
                if between and len(losses) == between[0]:
                    between[1]()
                if len(losses) == steps:
                    return losses


@pytest.fixture
def data():
    return TensorDataset(gg.randn(30, 4), gg.randint(0, 3, (30,)))


def test_a_run_goes_on_bit_for_bit(tmp_path, device, data):
    run = Run(data, device)
    more = {"epoch": 1, "best": {"loss": 0.5, "at": (1, 2)}, "w": gg.ones(2), "none": None}
    # In the middle of the second pass.
    expected = run.train(20, (11, lambda: save_training(tmp_path / "run", **vars(run), **more)))[11:]
    gg.manual_seed(123)
    random.seed(5)
    other = Run(data, device)
    assert other.train(2) != expected[:2]
    extra = load_training(tmp_path / "run", **vars(other))
    assert extra["epoch"] == 1 and extra["best"] == {"loss": 0.5, "at": (1, 2)} and extra["w"].tolist() == [1, 1]
    assert other.train(9) == expected
    assert other.scheduler.last_epoch == 20
    for a, b in zip(run.model.state_dict().values(), other.model.state_dict().values(), strict=True):
        assert a.cpu().numpy().tobytes() == b.cpu().numpy().tobytes()


def test_parts_of_a_run(tmp_path, data):
    run = Run(data)
    run.train(3)
    save_training(tmp_path / "run", run.model, run.optimizer)
    other = Run(data)
    load_training(tmp_path / "run", other.model)
    assert other.model[0].weight.tolist() == run.model[0].weight.tolist()
    assert not other.optimizer.state
    weights, _ = load(tmp_path / "run")
    assert weights["model/0.weight"].tolist() == run.model[0].weight.tolist()
    with pytest.raises(CheckpointError, match="run: has no state of loader; it has that of model, optimizer"):
        load_training(tmp_path / "run", run.model, loader=run.loader)
    save(tmp_path / "weights", run.model.state_dict())
    with pytest.raises(CheckpointError, match="weights: not written by save_training"):
        load_training(tmp_path / "weights", run.model)
    with pytest.raises(DTypeError, match="cannot save things/0, a object"):
        save_training(tmp_path / "x", things=[object()])
    assert not (tmp_path / "x").exists()


def test_a_run_that_does_not_fit_changes_nothing(tmp_path, data):
    run = Run(data, optimizer=lambda p, lr: SGD(p, lr=lr, momentum=0.9))
    run.train(3)
    save_training(tmp_path / "run", run.model, run.optimizer)
    other = Run(data)
    before = [p.tolist() for p in other.model.parameters()]
    groups = AdamW([{"params": [p]} for p in other.model.parameters()])
    state = gg.get_rng_state()
    with pytest.raises(StateDictError):
        load_training(tmp_path / "run", other.model, groups)  # the model would fit
    assert [p.tolist() for p in other.model.parameters()] == before
    assert gg.get_rng_state() == state
    content = bytearray((tmp_path / "run").read_bytes())
    content[-3] ^= 4
    (tmp_path / "run").write_bytes(content)
    with pytest.raises(CheckpointError, match="run: .*checksum"):
        load_training(tmp_path / "run", other.model)
    assert [p.tolist() for p in other.model.parameters()] == before


def odd_states(metadata):
    """Metadata of a training run with something odd in it, and a word of what is said of it."""
    deep = ["list"]
    for _ in range(300):
        deep = ["list", deep]
    state = metadata["state"]
    return [
        ({**metadata, "owners": 3}, "a list of owners"),
        ({**metadata, "owners": [[], {}]}, "a list of owners"),
        ({**metadata, "owners": None}, "a list of owners"),
        ({**metadata, "state": [1]}, "a table of states"),
        ({**metadata, "state": {**state, "model": 3}}, "model"),
        ({**metadata, "state": {**state, "model": ["dict", [[], 1]]}}, "put together"),
        ({**metadata, "state": {**state, "model": {"a": 1}}}, "put together"),
        ({**metadata, "state": {**state, "model": deep}}, "model"),
        ({**metadata, "state": {**state, "optimizer": ["dict"]}}, "optimizer"),
        ({**metadata, "state": {**state, "optimizer": "x"}}, "optimizer"),
        ({**metadata, "state": {**state, "loader": ["dict", ["generators", 3]]}}, "generators"),
        ({**metadata, "state": {**state, "random generators": ["dict", ["default", ["dict"]]]}}, "random generators"),
        ({**metadata, "state": {**state, "random generators": None}}, "random generators"),
    ]


def test_odd_metadata_of_a_run_is_refused_and_changes_nothing(tmp_path, data):
    run = Run(data)
    run.train(3)
    path = tmp_path / "run"
    save_training(path, run.model, run.optimizer, loader=run.loader)
    tensors, metadata = load(path)
    other = Run(data)
    before, state = [p.tolist() for p in other.model.parameters()], (gg.get_rng_state(), random.getstate())
    for odd, words in odd_states(metadata):
        save(path, tensors, odd)
        with pytest.raises((CheckpointError, StateDictError), match=words):
            load_training(path, other.model, other.optimizer, loader=other.loader)
        assert [p.tolist() for p in other.model.parameters()] == before and not other.optimizer.state
        assert (gg.get_rng_state(), random.getstate()) == state
