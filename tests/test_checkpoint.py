"""Checkpoints: what comes back, how files are replaced, and what broken ones say."""

import json
import os
import sys

import numpy as np
import pytest
import safetensors.numpy

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import CheckpointError, DTypeError, MissingPackageError
from gpugrad.io import load, save

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


def test_without_safetensors(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'gpugrad\[demo\]'"):
        save(tmp_path / "a", {})
