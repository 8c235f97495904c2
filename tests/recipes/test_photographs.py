"""DeepDream and style transfer on the two photographs."""

import pytest
from recipes.runs import quick_run, said

import gpugrad as gg
from gpugrad import models, nn
from gpugrad.io import save
from gpugrad.recipes import find
from gpugrad.train import Options, layer_names


def test_style(tmp_path):
    run = quick_run("style", tmp_path)
    assert len(run.losses) == 1
    for optimizer in ("L-BFGS", "Adam"):
        assert run.figures[f"style loss fell by {optimizer}"] > 1
        assert run.figures[f"content loss fell by {optimizer}"] > 1


def test_deepdream(tmp_path, capsys):
    run = quick_run("deepdream", tmp_path)
    assert run.figures["activations grew, least of the layers"] > 1
    status, _ = said("train", "deepdream", "--quick", "--epochs", 0, "--out", tmp_path, "--set", "layers=relu9_9")
    assert status == 2
    assert "no layer ['relu9_9']; it has conv1_1, relu1_1" in capsys.readouterr().err


def test_vgg19s_weights(tmp_path, monkeypatch):
    small = [(4, 2), (4, 2), (4, 4), (4, 4), (4, 1)]
    monkeypatch.setattr("gpugrad.train.photographs.vgg19", lambda: models.VGG(small, num_classes=3, hidden=5))
    weights = models.VGG(small, num_classes=3, hidden=5).state_dict()
    save(tmp_path / "vgg19.safetensors", weights)
    run = quick_run("style", tmp_path, "--weights", tmp_path / "vgg19.safetensors")
    assert not run.losses and "patches told apart" not in run.figures
    recipe = find("style")(Options(quick=True, weights=tmp_path / "vgg19.safetensors", out=tmp_path, progress=False))
    model = recipe.model = recipe.build()
    super(type(recipe), recipe).train()
    assert model.features[5].weight.tolist() == weights["features.5.weight"].tolist()
    grey = gg.full((1, 3, 2, 2), 0.5)
    assert model.standardize(grey)[0, :, 0, 0].tolist() == pytest.approx([0.0655, 0.1964, 0.4178], abs=1e-3)


def test_layers_have_the_names_of_papers():
    with nn.init.skip_filling():
        names = layer_names(models.vgg19())
    assert names["conv1_1"] == "features.0" and names["relu4_2"] == "features.22" and names["pool5"] == "features.36"
