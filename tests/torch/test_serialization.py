"""`save` and `load`, and PyTorch's own files, which are read without running anything that they say."""

import io
import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch as pytorch

import gpugrad.torch as torch
from gpugrad.errors import CheckpointError, DTypeError

STATE = {"a": [1, (2.5, "text")], "lr": 0.1, "none": None}


def test_nests_come_back(tmp_path):
    for target in (tmp_path / "state.pt", io.BytesIO()):
        torch.save({**STATE, "w": torch.arange(6).view(2, 3)}, target)
        if isinstance(target, io.BytesIO):
            target.seek(0)
        found = torch.load(target, map_location="cpu")
        assert type(found["w"]) is torch.Tensor and found.pop("w").tolist() == [[0, 1, 2], [3, 4, 5]]
        assert found == STATE


def test_networks_are_refused_with_advice(tmp_path):
    with pytest.raises(DTypeError, match="state_dict"):
        torch.save(torch.nn.Linear(1, 1), tmp_path / "net.pt")


def test_files_of_pytorch_are_read(tmp_path):
    net = pytorch.nn.Sequential(pytorch.nn.Linear(3, 2), pytorch.nn.BatchNorm1d(2))
    base = pytorch.arange(12.0).view(3, 4)
    whole = {"net": net.state_dict(), "view": base.t()[1:], "half": base.half(), "bf": base.bfloat16(),
             "ids": pytorch.tensor([1, 2]), "p": pytorch.nn.Parameter(base), "o": OrderedDict(a=1),
             **STATE}  # fmt: skip
    pytorch.save(whole, tmp_path / "x.pth")
    found = torch.load(tmp_path / "x.pth")
    for name in ("view", "half", "ids", "p"):
        np.testing.assert_array_equal(found[name].detach().numpy(), whole[name].detach().numpy())
    assert found["bf"].float().tolist() == base.tolist() and found["p"].requires_grad
    assert {name: found[name] for name in STATE} == STATE
    mine = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    assert not any(mine.load_state_dict(found["net"]))


class Evil:
    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize("thing", [Evil(), pytorch.nn.Linear(1, 1), {"x": Evil()}, np.float64(1), complex(1)])
def test_files_that_name_anything_else_are_refused(thing, tmp_path, capsys):
    pytorch.save(thing, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match="the file names"):
        torch.load(tmp_path / "x.pth")
    assert capsys.readouterr().out == ""


def test_damaged_files_are_refused(tmp_path):
    pytorch.save({"w": pytorch.ones(4)}, tmp_path / "x.pth")
    whole = (tmp_path / "x.pth").read_bytes()
    with zipfile.ZipFile(tmp_path / "x.pth") as archive:
        data = {name: archive.read(name) for name in archive.namelist()}
    far = b"".join([b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n",
                    b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQK\x00K\x63\x85K\x01\x85\x89ccollections\n",
                    b"OrderedDict\n)RtR."])  # fmt: skip
    with zipfile.ZipFile(tmp_path / "far.pth", "w") as archive:
        for name, content in data.items():
            archive.writestr(name, far if name.endswith("data.pkl") else content)
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps({"w": 1}))
    (tmp_path / "old.pth").write_bytes(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.rest")
    (tmp_path / "cut.pth").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.pth").write_text("nothing")
    expected = {
        "far": "outside its storage",
        "plain.pkl": "pickle",
        "old": "1.6",
        "cut": "complete",
        "text": "complete",
    }
    for name, words in expected.items():
        with pytest.raises(CheckpointError, match=words):
            torch.load(tmp_path / (name if "." in name else f"{name}.pth"))
