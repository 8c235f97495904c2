"""The architectures: torchvision's names and shapes, a PyTorch twin's outputs and gradients, what does not fit."""

import gzip
import json
from pathlib import Path

import model_twins
import numpy as np
import pytest
import torch
from layer_twins import agree

import gpugrad as gg
from gpugrad import models, nn
from gpugrad.errors import CheckpointError, ShapeError, StateDictError
from gpugrad.models.googlenet import rescaled

SHAPES = json.loads(gzip.decompress((Path(__file__).parent / "torchvision_shapes.json.gz").read_bytes()))
STAGES = [(6, 1), (4, 2), (8, 1)]  # of VGG
BLOCKS = [(1, 4, 1, 1), (6, 6, 2, 2)]  # of MobileNetV2

# Ours, PyTorch's, and the shape of the images.
TWINS = {
    "alexnet": (lambda: models.AlexNet(10, 0, hidden=16), lambda: model_twins.alexnet(16), (2, 3, 67, 71)),
    "alexnet_2012": (lambda: models.AlexNet2012(10, 0, 16), lambda: model_twins.alexnet_2012(16), (2, 3, 67, 75)),
    "vgg": (
        lambda: models.VGG(STAGES, 10, 0, hidden=16),
        lambda: model_twins.vgg(STAGES, False, 16),
        (2, 3, 24, 19),
    ),
    "vgg_bn": (
        lambda: models.VGG(STAGES, 10, 0, batch_norm=True, hidden=16),
        lambda: model_twins.vgg(STAGES, True, 16),
        (3, 3, 16, 17),
    ),
    "googlenet": (
        lambda: models.GoogLeNet(10, dropout=0, dropout_aux=0), model_twins.GoogLeNet, (4, 3, 20, 23),
    ),
    "inception": (
        lambda: models.Inception(5, 2, (3, 4), (2, 6), 3), lambda: model_twins.Inception(5, 2, (3, 4), (2, 6), 3),
        (2, 5, 6, 7),
    ),
    "resnet_basic": (
        lambda: models.ResNet(models.BasicBlock, [1, 2, 1, 1], 10), lambda: model_twins.resnet([1, 2, 1, 1], "basic"),
        (4, 3, 33, 36),
    ),
    "resnet_bottleneck": (
        lambda: models.ResNet(models.Bottleneck, [1, 1, 2, 1], 10),
        lambda: model_twins.resnet([1, 1, 2, 1], "bottleneck"), (4, 3, 33, 36),
    ),
    "resnet20": (
        lambda: models.CIFARResNet(20, width=4), lambda: model_twins.cifar_resnet(20, 4, "basic"), (4, 3, 10, 12),
    ),
    "plain20": (
        lambda: models.CIFARResNet(20, width=4, plain=True), lambda: model_twins.cifar_resnet(20, 4, "plain"),
        (4, 3, 10, 12),
    ),
    "mobilenet_v2": (
        lambda: models.MobileNetV2(10, 0, BLOCKS), lambda: model_twins.mobilenet_v2(BLOCKS), (4, 3, 12, 13),
    ),
    "inverted_residual": (
        lambda: models.mobilenet.InvertedResidual(4, 4, 1, 6), lambda: model_twins.InvertedResidual(4, 4, 1, 6),
        (2, 4, 6, 7),
    ),
    "vit": (
        lambda: models.VisionTransformer(12, 4, 2, 2, 8, 20, num_classes=10),
        lambda: model_twins.VisionTransformer(12, 4, 2, 2, 8, 20), (3, 3, 12, 12),
    ),
}  # fmt: skip


def called(model, images):
    """The scores, with those of auxiliary heads beside them."""
    out = model(images)
    return gg.concatenate(list(out), 1) if isinstance(out, tuple) else out


@pytest.mark.parametrize("name", TWINS)
def test_a_twin_has_the_same_names_outputs_and_gradients(name):
    make, make_twin, shape = TWINS[name]
    torch.manual_seed(0)
    ours, twin = make().double(), make_twin().double()
    with torch.no_grad():  # batch norm, class tokens and heads that start at 0 or 1 would hide what they multiply
        for parameter in twin.parameters():
            if parameter.ndim == 1 or not parameter.any():
                parameter.add_(0.1 * torch.randn_like(parameter))
    assert list(ours.state_dict()) == list(twin.state_dict())
    ours.load_state_dict(twin.state_dict())
    images = np.random.default_rng(0).standard_normal(shape)
    agree(ours, twin, images, call=called, rtol=1e-6)
    if name != "googlenet":  # whose twin shows the heads in every mode
        with torch.no_grad(), gg.no_grad():
            expected = twin.eval()(torch.tensor(images)).numpy()
            np.testing.assert_allclose(ours.eval()(gg.tensor(images)).numpy(), expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", SHAPES)
def test_names_shapes_and_their_order_are_torchvisions(name):
    with nn.init.skip_filling():
        state = getattr(models, name)().state_dict()
    assert [[key, list(value.shape)] for key, value in state.items()] == SHAPES[name]


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110])
def test_a_plain_twin_has_all_but_the_shortcuts(depth):
    with nn.init.skip_filling():
        without, whole = (getattr(models, f"{kind}{depth}")(num_classes=7).state_dict() for kind in ("plain", "resnet"))
    assert {k: v.shape for k, v in whole.items() if "downsample" not in k} == {k: v.shape for k, v in without.items()}
    matrices = [name for name, value in without.items() if value.ndim > 1]
    assert len(matrices) == depth


def test_vgg16_has_the_parameters_that_the_notes_name():
    with nn.init.skip_filling():
        assert sum(parameter.numel() for parameter in models.vgg16().parameters()) == 138_357_544


def test_googlenet_shows_its_heads_in_training_only_and_rescales_images():
    model = models.GoogLeNet(10)
    images = gg.tensor(np.random.default_rng(0).standard_normal((2, 3, 15, 15)).astype(np.float32))
    out = model(images)
    assert isinstance(out, models.GoogLeNetOutputs) and [scores.shape for scores in out] == [(2, 10)] * 3
    assert isinstance(model.eval()(images), gg.Tensor)
    # A pixel of torchvision's (x - mean) / deviation becomes (x - 0.5) / 0.5.
    means, deviations = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    pixel = np.array([0.1, 0.5, 0.9])
    given = gg.tensor(((pixel - means) / deviations).reshape(1, 3, 1, 1))
    found = rescaled(given).numpy().reshape(3)
    np.testing.assert_allclose(found, (pixel - 0.5) / 0.5, atol=1e-12)


def test_start_values_are_he_s():
    model = models.CIFARResNet(20)
    for name, value in model.named_parameters():
        if value.ndim == 4:
            expected = (2 / (value.shape[0] * value.shape[2] * value.shape[3])) ** 0.5
            assert float(value.detach().std()) == pytest.approx(expected, rel=0.2), name
    linear = models.VGG(STAGES, hidden=64).classifier[3]
    assert float(linear.weight.detach().std()) == pytest.approx(0.01, rel=0.1) and not linear.bias.detach().any()


def test_stochastic_depth_rises_with_the_depth_and_acts_in_training_only():
    model = models.CIFARResNet(20, width=4, in_channels=1, drop=0.5)
    drops = [module.drop for module in model.modules() if isinstance(module, models.BasicBlock)]
    np.testing.assert_allclose(drops, 0.5 * np.arange(1, 10) / 9)
    images = gg.rand(4, 1, 8, 8)
    block = model.layer1[1].eval()
    kept = block(images.broadcast_to((4, 4, 8, 8))).detach().numpy()
    block.drop = 1.0
    np.testing.assert_array_equal(block(images.broadcast_to((4, 4, 8, 8))).detach().numpy(), kept)
    dropped = block.train()(images.broadcast_to((4, 4, 8, 8))).detach().numpy()
    np.testing.assert_allclose(dropped, np.broadcast_to(images.numpy(), (4, 4, 8, 8)))  # the shortcut is left


# Weights from elsewhere


def saved(tmp_path, name, content):
    torch.save(content, tmp_path / name)
    return tmp_path / name


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_a_file_of_pytorch_loads(tmp_path, wrapper):
    twin = model_twins.cifar_resnet(20, 4, "basic")
    content = twin.state_dict() if wrapper is None else {wrapper: twin.state_dict(), "epoch": 3}
    model = models.CIFARResNet(20, width=4)
    model.load_state_dict(gg.io.load_weights(saved(tmp_path, "model.pth", content)))
    for name, value in twin.state_dict().items():
        np.testing.assert_array_equal(model.state_dict()[name].numpy(), value.numpy(), err_msg=name)


def test_a_file_of_safetensors_loads(tmp_path):
    source, model = (models.CIFARResNet(20, width=4) for _ in range(2))
    gg.io.save(tmp_path / "model.safetensors", source.state_dict())
    model.load_state_dict(gg.io.load_weights(tmp_path / "model.safetensors"))
    np.testing.assert_array_equal(model.fc.weight.detach().numpy(), source.fc.weight.detach().numpy())


class Unsafe:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("model.txt", {}, "expected .safetensors, .pth, .pt or .bin as the ending"),
        ("model.pth", [1, 2], "holds no state dict, but a list"),
        ("model.pt", {"epoch": 3}, "holds no state dict, but a table of epoch"),
        ("model.bin", Unsafe(), "PyTorch cannot read it as weights"),
    ],
)
def test_other_files_are_refused(tmp_path, capsys, name, content, words):
    with pytest.raises(CheckpointError, match=words):
        gg.io.load_weights(saved(tmp_path, name, content))
    assert "executed" not in capsys.readouterr().out


def test_weights_of_another_architecture_are_named():
    with nn.init.skip_filling():
        model, other, few = models.resnet18(), models.resnet34(), models.vgg11(num_classes=7)
    with pytest.raises(StateDictError) as error:
        model.load_state_dict(other.state_dict())
    told = str(error.value)
    assert "unexpected: layer1.2.conv1.weight" in told and told.endswith("they fit models.resnet34()")
    with pytest.raises(StateDictError, match=r"missing: conv1.weight[^$]*they fit models.vgg11\(num_classes=7\)$"):
        model.load_state_dict(few.state_dict())
    with pytest.raises(StateDictError, match=r"fc.weight: shape \(3, 512\) given, \(1000, 512\) expected") as error:
        model.load_state_dict({**model.state_dict(), "fc.weight": gg.zeros(3, 512)})
    assert "they fit" not in str(error.value)


@pytest.mark.parametrize(
    ("make", "shape", "words"),
    [
        (models.alexnet, (1, 3, 62, 64), r"AlexNet: expected images \(N, 3, H, W\) with H and W at least 63, got"),
        (models.alexnet_2012, (1, 3, 66, 90), "AlexNet2012: expected images .* at least 67"),
        (models.vgg11, (1, 3, 31, 40), r"VGG: expected images .* at least 32, got \(1, 3, 31, 40\)"),
        (models.googlenet, (1, 3, 14, 14), "GoogLeNet: expected images .* at least 15"),
        (models.resnet18, (1, 4, 32, 32), r"ResNet: expected images \(N, 3, H, W\)"),
        (models.resnet20, (3, 32, 32), r"CIFARResNet: expected images \(N, 3, H, W\)"),
        (models.mobilenet_v2, (1, 1, 32, 32), r"MobileNetV2: expected images \(N, 3, H, W\)"),
        (models.vit_b_16, (1, 3, 256, 256), r"VisionTransformer: expected images \(N, 3, 224, 224\), got"),
    ],
)
def test_images_that_do_not_fit_are_refused(make, shape, words):
    with nn.init.skip_filling():
        model = make()
    with pytest.raises(ShapeError, match=words):
        model(gg.zeros(*shape))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of weights that nobody filled
@pytest.mark.parametrize(
    ("make", "size"), [(models.alexnet, 63), (models.alexnet_2012, 67), (models.vgg11, 32), (models.googlenet, 15)]
)
def test_the_smallest_images_are_scored(make, size):
    with nn.init.skip_filling(), gg.no_grad():
        assert make(num_classes=3).eval()(gg.zeros(1, 3, size, size)).shape == (1, 3)


def test_patches_must_fill_the_image():
    with pytest.raises(ShapeError, match="image_size must be a multiple of patch_size, got 30 and 8"):
        models.VisionTransformer(30, 8, 1, 1, 4, 4)
