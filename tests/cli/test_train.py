"""Data sets and loaders, and the train and eval commands."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.cli import main
from gpugrad.cli.report import write_report
from gpugrad.data import DataLoader, Dataset, RandomAffine, Subset, TensorDataset, load_digits, random_split
from gpugrad.errors import CheckpointError, MissingPackageError, OptionError, ShapeError
from gpugrad.io import load, save
from gpugrad.recipes import names
from gpugrad.train import Goal, Options, Recipe


class Squares(Dataset):
    def __getitem__(self, index):
        return {"x": np.float32([index, index]), "y": (index**2, gg.tensor(float(index)))}

    def __len__(self):
        return 5


def numbers(n=10):
    return TensorDataset(gg.arange(n), gg.arange(n) * 10)


def test_loader_in_order():
    batches = list(DataLoader(numbers(), batch_size=4))
    assert [x.tolist() for x, _ in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert [y.tolist() for _, y in batches] == [[0, 10, 20, 30], [40, 50, 60, 70], [80, 90]]
    short = DataLoader(numbers(), batch_size=4, drop_last=True)
    assert len(short) == len(list(short)) == 2
    with pytest.raises(ValueError, match="batch_size must be positive"):
        DataLoader(numbers(), batch_size=0)


def test_loader_shuffles_from_its_seed():
    def passes(generator=None):
        loader = DataLoader(numbers(), batch_size=4, shuffle=True, generator=generator)
        return [[i for x, _ in loader for i in x.tolist()] for _ in range(2)]

    gg.manual_seed(1)
    first = passes()
    assert first[0] != first[1] != sorted(first[1]) == list(range(10))
    gg.manual_seed(1)
    assert passes() == first
    gg.manual_seed(2)
    assert passes() != first
    assert passes(gg.Generator().manual_seed(1)) == first


def test_loader_collates():
    (first, _) = DataLoader(Squares(), batch_size=3)
    assert first["x"].tolist() == [[0, 0], [1, 1], [2, 2]]
    assert first["x"].dtype == gg.float32
    assert first["y"][0].tolist() == [0, 1, 4]
    assert first["y"][1].tolist() == [0, 1, 2]
    assert next(iter(DataLoader(Squares(), 2, collate_fn=lambda s: [i["y"][0] for i in s]))) == [0, 1]
    assert next(iter(DataLoader(["a", "b"], 2))) == ["a", "b"]


def test_subsets():
    part = Subset(numbers(), [7, 2])
    assert [x.tolist() for x, _ in DataLoader(part, 2)] == [[7, 2]]
    assert part[1][1].item() == 20
    parts = random_split(numbers(), [0.7, 0.3])
    assert [len(p) for p in parts] == [7, 3]
    assert sorted(int(p[i][0]) for p in parts for i in range(len(p))) == list(range(10))
    assert [len(p) for p in random_split(Squares(), [3, 2])] == [3, 2]
    with pytest.raises(ValueError, match="do not add up"):
        random_split(numbers(), [5, 4])
    with pytest.raises(ShapeError, match="one length"):
        TensorDataset(gg.ones(2), gg.ones(3))


def test_digits():
    train, test = load_digits(8)
    images, labels = (np.concatenate([a.numpy(), b.numpy()]) for a, b in zip(train.tensors, test.tensors, strict=True))
    assert images.shape == (1797, 1, 8, 8)
    assert images.dtype == np.float32
    assert (images.min(), images.max()) == (0, 1)
    assert labels.dtype == np.int64
    from sklearn.datasets import load_digits as original

    real = original()
    assert sorted(map(bytes, images)) == sorted(map(bytes, (real.images / 16).astype(np.float32)[:, None]))
    shares = np.bincount(test.tensors[1].numpy()) / np.bincount(labels)
    assert np.abs(shares - 0.2).max() < 0.01
    again, other = load_digits(8).test.tensors[1], load_digits(8, seed=1).test.tensors[1]
    assert again.tolist() == test.tensors[1].tolist()
    assert load_digits(8, seed=1).test.tensors[0].tolist() != test.tensors[0].tolist()
    assert len(other) == len(again)


def test_digits_are_interpolated():
    small, large = load_digits(8).train.tensors[0].numpy(), load_digits(16).train.tensors[0].numpy()
    # Doubled: a new pixel is 3/4 and 1/4 of the two it lies between, along each axis.
    a = small[:, 0, 3:5, 2:4]
    expected = (9 * a[:, 0, 0] + 3 * (a[:, 0, 1] + a[:, 1, 0]) + a[:, 1, 1]) / 16
    np.testing.assert_allclose(large[:, 0, 7, 5], expected, atol=1e-6)
    np.testing.assert_allclose(large[:, 0, 0, 0], small[:, 0, 0, 0])


def test_digits_need_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'gpugrad\[demo\]'"):
        load_digits()


def test_random_affine():
    images = gg.zeros(3, 2, 5, 5)
    images._array[:, :, 2, 2] = 1
    np.testing.assert_allclose(RandomAffine()(images).numpy(), images.numpy())
    quarter = RandomAffine(degrees=45)
    turned = quarter(images).numpy()
    np.testing.assert_allclose(turned[:, :, 2, 2], 1)  # about the middle
    moved = RandomAffine(translate=0.4)(images).numpy()
    np.testing.assert_allclose(moved.sum((2, 3)), 1, atol=1e-6)
    assert (moved[:, 0] == moved[:, 1]).all()
    assert (moved[0] != moved[1]).any()
    assert RandomAffine(translate=5)(gg.ones(9, 1, 4, 4)).numpy().min() == 0  # nothing beyond the border
    with pytest.raises(ShapeError, match=r"\(N, C, H, W\)"):
        RandomAffine()(gg.ones(2, 2))


def train(folder, *options):
    return main(["train", "digits", "--epochs", "1", "--batch-size", "16", "--out", str(folder), *options])


def test_train_then_eval(tmp_path, capsys):
    assert train(tmp_path / "new" / "folder") == 0
    trained = capsys.readouterr().out
    files = tmp_path / "new" / "folder"
    assert (files / "digits-loss.png").read_bytes().startswith(b"\x89PNG")
    accuracy = trained.split()[2]
    assert float(accuracy.rstrip("%")) > 60
    assert main(["eval", str(files / "digits.safetensors")]) == 0
    assert capsys.readouterr().out.split()[2] == accuracy
    assert load(files / "digits.safetensors")[1]["recipe"] == "digits"


def test_a_seed_gives_the_same_checkpoint(tmp_path):
    for folder, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        train(tmp_path / folder, "--seed", seed, "--batch-size", "200", "--lr", "0.01")
    a, b, c = ((tmp_path / folder / "digits.safetensors").read_bytes() for folder in "abc")
    assert a == b
    assert a != c


def test_eval_of_a_foreign_file(tmp_path, capsys):
    save(tmp_path / "other.safetensors", {"x": gg.ones(1)}, {"recipe": "unknown"})
    assert main(["eval", str(tmp_path / "other.safetensors")]) == 2
    assert re.search(r"other\.safetensors.*not written by", capsys.readouterr().err)


@pytest.mark.parametrize("recipe", [["digits"], {"a": 1}, 3, None])
def test_eval_of_an_odd_recipe(tmp_path, capsys, recipe):
    save(tmp_path / "other.safetensors", {"x": gg.ones(1)}, {"recipe": recipe})
    assert main(["eval", str(tmp_path / "other.safetensors")]) == 2
    assert re.search(r"other\.safetensors.*not written by", capsys.readouterr().err)


@pytest.mark.parametrize(
    "option, value",
    [("lr", "-1"), ("lr", "nan"), ("lr", "inf"), ("lr", "x"), ("batch-size", "-5"), ("batch-size", "0"),
     ("batch-size", "2.5"), ("epochs", "-1"), ("seed", "-1")],
)  # fmt: skip
def test_numbers_out_of_range_are_refused(tmp_path, capsys, option, value):
    with pytest.raises(SystemExit) as end:
        train(tmp_path, f"--{option}", value)
    err = capsys.readouterr().err
    assert end.value.code == 2 and err.count("\n") == 1
    assert f"--{option}: expected a" in err and f"got {value!r}" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", [["train", "digits"], ["eval", "x"]])
def test_an_unknown_device_is_named(capsys, command):
    assert main([*command, "--device", "foo"]) == 2
    assert "unknown device 'foo': expected" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_told_before_training(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr("gpugrad.train.Trainer.fit", lambda *args: pytest.fail("it trains"))
    assert train(tmp_path / "file") == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_unknown_recipe(capsys):
    assert main(["train", "nothing"]) == 2
    assert re.search(r"no recipe 'nothing'; there are .*digits", capsys.readouterr().err)


def test_recipes_are_listed(capsys):
    assert main(["train"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split()[0] for line in lines] == names()
    assert any("0.5  Reads handwritten digits" in line for line in lines)


def test_a_setting_that_there_is_not(tmp_path, capsys):
    assert main(["train", "digits", "--set", "depth=3", "--out", str(tmp_path)]) == 2
    assert re.search("digits: has no setting 'depth'; it has batch_size, epochs, lr", capsys.readouterr().err)
    assert main(["train", "digits", "--set", "momentum=x", "--out", str(tmp_path)]) == 2
    assert "expected a value like 0.9, got 'x'" in capsys.readouterr().err
    assert main(["train", "digits", "--set", "momentum", "--out", str(tmp_path)]) == 2
    assert "expected NAME=VALUE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["xor", "--weights", "x.pth"], "xor: does not read a file of weights, got x.pth"),
        (["elmo", "--text", "x.txt"], "elmo: does not read a file of text, got x.txt"),
        (["xor", "--set", "epochs=-1"], "xor: epochs must be a finite number, at least 0, such as 400, got -1"),
        (["xor", "--set", "lr=nan"], "xor: lr must be a finite number.*got nan"),
        (["unet", "--set", "width=0"], "unet: width must be a finite number, at least 1.*got 0"),
        (["style", "--set", "keep_colors=no"], "--set keep_colors: expected a value like True, got 'no'"),
        (["--report", "x.md"], "--report is for a recipe: give its name, or all"),
        (["--quick"], "--quick is for a recipe"),
    ],
)
def test_options_that_mean_nothing_are_refused(tmp_path, capsys, command, words):
    assert main(["train", *command, "--out", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and re.search(words, err)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("text", "value"), [("False", False), ("true", True)])
def test_settings_that_are_true_or_false(text, value):
    assert gg.cli.train._of_their_types(gg.recipes.find("style"), {"keep_colors": text}) == {"keep_colors": value}


def test_settings_have_the_type_of_the_recipes_own():
    with pytest.raises(OptionError, match="xor: epochs must be a finite number.*got '3'"):
        gg.recipes.find("xor")(Options(settings={"epochs": "3"}))
    assert gg.recipes.find("style")(Options(settings={"epochs": 0, "keep_colors": False})).keep_colors is False
    assert gg.recipes.find("qlearning")(Options(settings={"step_reward": -0.5})).step_reward == -0.5


def test_a_report_that_cannot_be_written_is_told_before_training(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr("gpugrad.train.Trainer.fit", lambda *args: pytest.fail("it trains"))
    assert train(tmp_path / "runs", "--report", str(tmp_path / "file" / "page.md")) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("change", [{"record": "{"}, {"record": 3}, {"settings": [1]}, {"settings": 3}])
def test_eval_of_a_changed_checkpoint(tmp_path, capsys, change):
    about = {"recipe": "xor", "seed": 0, "quick": True, "settings": {}, "text": None, "record": "{}"}
    save(tmp_path / "a.safetensors", {"x": gg.ones(1)}, {**about, **change})
    assert main(["eval", str(tmp_path / "a.safetensors")]) == 2
    assert "whose record or settings cannot be read" in capsys.readouterr().err


def test_report(tmp_path, capsys):
    """A page with the figures and the pictures; `all --resume` takes the outcomes that are there."""
    page = tmp_path / "page.md"
    assert train(tmp_path / "runs", "--quick", "--report", str(page)) == 0
    figure = re.search(r"test accuracy: ([\d.]+%)", capsys.readouterr().out)[1]
    text = page.read_text()
    assert f"test accuracy {figure} | at least 98.50%: of a full run" in text
    assert "(page/digits-loss.png)" in text and (tmp_path / "page" / "digits-loss.png").exists()
    row = json.loads((tmp_path / "page" / "digits.json").read_text())
    assert row["figures"]["test accuracy"]["met"] is False and row["step_seconds"]["main"] > 0


def test_a_report_has_pytorch_s_steps_where_they_were_measured(tmp_path):
    names, twin = ("digits", "xor"), {"time": {"median": 0.02}, "ratio": {"median": 0.75}}
    about = {
        "gpu": None,
        "cpu": "a CPU",
        "simd": {"widest": "AVX2"},
        "threads": 1,
        "python": "3.11",
        "date": "2026-01-02",
    }
    about["versions"] = {"numpy": "2.4", "torch": "2.13", "jax": "0.9"}
    for name in names:
        row = {"recipe": name, "description": "", "full": True, "figures": {}, "pictures": [], "step_seconds": {}}
        (tmp_path / f"{name}.json").write_text(json.dumps({**row, "seconds": 1.0, "environment": about}))
    step = {"workload": "train digits", "pass": "step", "ours": {"median": 0.015}, "peers": {"torch": twin}, **about}
    (tmp_path / "steps.jsonl").write_text(json.dumps(step) + "\n")
    write_report(tmp_path / "page" / "all.md", tmp_path, names)
    text = (tmp_path / "page" / "all.md").read_text()
    assert "|  | 15 ms / 20 ms = 0.75 |" in text and "numpy 2.4, torch 2.13, Python" in text
    assert text.count("0.75") == 1 and (tmp_path / "page" / "all" / "steps.jsonl").exists()


class Broken(Recipe):
    """Stops twice: in its second training, then after it."""

    epochs = 4
    stops = 0

    def build(self):
        return gg.nn.ModuleDict({"a": gg.nn.Linear(1, 1), "b": gg.nn.Linear(1, 1)})

    def train(self):
        for name, model in self.model.items():
            trainer = self.trainer(model, gg.optim.SGD(model.parameters(), lr=0.1), gg.nn.functional.mse_loss)
            loader = DataLoader(TensorDataset(gg.ones(6, 1), gg.rand(6, 1)), 2, shuffle=True)
            if name == "b" and self.options.seed == 1 and not self.options.resume:
                trainer.train_step = self.stopping(trainer.train_step)
            self.fit(trainer, loader, name=name)

    @staticmethod
    def stopping(step):
        calls = iter(range(100))

        def stopped(batch):
            if next(calls) == 7:
                raise KeyboardInterrupt
            return step(batch)

        return stopped

    def evaluate(self):
        return {"sum": sum(p.sum().item() for p in self.model.parameters())}


def test_a_run_that_was_broken_off_goes_on(tmp_path, capsys, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        Broken(Options(seed=1, out=tmp_path / "a", progress=False)).run()
    assert "--resume goes on: gpugrad train broken" in capsys.readouterr().out
    assert {file.name for file in (tmp_path / "a").iterdir()} == {"broken-a.run", "broken-b.run"}
    with pytest.raises(CheckpointError, match="broken-a.run: of a run with .*'seed': 1.* this one has .*'seed': 2"):
        Broken(Options(seed=2, out=tmp_path / "a", resume=True, progress=False)).run()
    monkeypatch.setattr(Broken, "reads", {"text"})
    monkeypatch.setattr(Broken, "build", lambda self: gg.nn.ModuleDict({"a": gg.nn.Linear(2, 1)}))
    with pytest.raises(CheckpointError, match=r"broken-a.run: of a run with \{'seed': 1\}, this one .*'text': 'x.txt'"):
        Broken(Options(seed=1, out=tmp_path / "a", text=Path("x.txt"), resume=True, progress=False)).run()
    monkeypatch.undo()
    whole = Broken(Options(seed=1, out=tmp_path / "b", resume=True, progress=False)).run()  # nothing to go on from
    parts = Broken(Options(seed=1, out=tmp_path / "a", resume=True, progress=False)).run()
    assert parts.figures == whole.figures
    assert not list(tmp_path.rglob("*.run"))


class Missed(Broken):
    """Reaches nothing."""

    goals = {"sum": Goal(1e9)}


def test_a_missed_goal_is_the_exit_status(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("gpugrad.cli.train.find", lambda name: Missed)
    command = ["train", "missed", "--out", str(tmp_path)]
    assert main(command) == 1
    assert "missed)" in capsys.readouterr().out
    assert main([*command, "--quick"]) == main([*command, "--epochs", "1"]) == 0
