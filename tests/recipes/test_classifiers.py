"""The classifiers' recipes: LeNet, AlexNet, VGG, ResNet-20, plain against residual, regularisers."""

import numpy as np
import pytest
from recipes.runs import quick_run, said

import gpugrad as gg
from gpugrad import models, nn
from gpugrad.errors import StateDictError
from gpugrad.recipes import find
from gpugrad.train import Options


@pytest.mark.parametrize("name", ["lenet", "alexnet", "vgg", "resnet20"])
def test_a_classifier_learns(name, tmp_path):
    run = quick_run(name, tmp_path)
    assert run.losses_fall
    assert 0.1 < run.figures["test accuracy"] < 1


def test_the_small_networks_have_the_notes_layers():
    small, whole = find("alexnet")(Options()).build(), models.AlexNet2012(hidden=1)
    kinds = [type(layer).__name__ for layer in whole.features]
    assert [type(layer).__name__ for layer in small][: len(kinds)] == kinds
    assert small(gg.zeros(2, 1, 32, 32)).shape == (2, 10)
    lenet = find("lenet")(Options()).build()
    assert sum(parameter.numel() for parameter in lenet.parameters()) == 156 + 2416 + 48120 + 10164 + 850


def test_start_values_come_from_a_file(tmp_path):
    recipe = find("lenet")
    source = recipe(Options()).build()
    gg.io.save(tmp_path / "lenet.safetensors", source.state_dict())
    options = ["--quick", "--epochs", "0", "--out", tmp_path, "--weights", tmp_path / "lenet.safetensors"]
    assert said("train", "lenet", *options)[0] == 0
    trained, _ = gg.io.load(tmp_path / "lenet.safetensors")
    for name, value in source.state_dict().items():
        np.testing.assert_array_equal(trained[name].numpy(), value.numpy())
    other = recipe(Options(weights=tmp_path / "lenet.safetensors", quick=True, progress=False, out=tmp_path))
    other.model = nn.Linear(2, 2)
    with pytest.raises(StateDictError, match="missing: weight, bias"):
        other.train()


def test_residual(tmp_path):
    run = quick_run("residual", tmp_path)
    assert run.losses_fall
    assert list(run.losses) == ["plain8", "residual8", "plain14", "residual14"]
    assert all(0 <= run.figures[f"{kind} {depth}"] < 0.9 for kind in ("plain", "residual") for depth in (8, 14))
    for kind in ("plain", "residual"):
        difference = run.figures[f"{kind} 14"] - run.figures[f"{kind} 8"]
        assert run.figures[f"{kind}: error of the deepest less that of the shallowest"] == pytest.approx(difference)


def test_residual_s_training_error_is_one_on_images_that_are_always_read_wrongly():
    recipe = find("residual")(Options(quick=True, progress=False))
    recipe.depths = "8"
    recipe.model = recipe.build()
    for model in recipe.model.values():
        nn.init.zeros_(model.fc.weight)
        nn.init.zeros_(model.fc.bias)  # every digit is a 0
    zeros = (recipe.split.train.tensors[1] == 0).mean().item()
    assert recipe.evaluate()["plain 8"] == pytest.approx(1 - zeros)


def test_regularised(tmp_path):
    run = quick_run("regularised", tmp_path)
    assert run.losses_fall
    for kind in ("fractional max-pooling", "stochastic depth", "spatial dropout", "mixup", "cutout"):
        without, reached = run.figures[f"{kind}: without"], run.figures[f"{kind}: with"]
        assert run.figures[f"{kind}: gain"] == pytest.approx(reached - without)
        assert 0 <= without <= 1 and 0 <= reached <= 1
    assert run.figures["mixup: without"] == run.figures["cutout: without"] != run.figures["stochastic depth: without"]


def test_each_regulariser_is_in_its_network_and_in_no_other():
    networks = find("regularised")(Options(quick=True)).build()
    dropping = {name for name, network in networks.items() for m in network.modules() if getattr(m, "p", 0)}
    fractional = {
        n for n, network in networks.items() for m in network.modules() if isinstance(m, nn.FractionalMaxPool2d)
    }
    stochastic = {name for name, network in networks.items() for m in network.modules() if getattr(m, "drop", 0)}
    assert dropping == {"spatial dropout-0"} and fractional == {"fractional max-pooling-0"}
    assert stochastic == {"stochastic depth-0"}
