"""The networks that give each pixel a class: PyTorch twins, sizes that do not fit, the start of FCN's enlargement."""

import numpy as np
import pytest
import segmentation_twins as twins
import torch
from layer_twins import agree

import gpugrad as gg
from gpugrad import models
from gpugrad.errors import ShapeError

NETWORKS = {
    "segnet": (lambda: models.SegNet(1, 5, width=3, depth=2), lambda: twins.SegNet(5, 3)),
    "fcn": (lambda: models.FCN(1, 5, width=3, depth=3, skips=1), lambda: twins.FCN(5, 3)),
    "unet": (lambda: models.UNet(1, 5, width=3, depth=2), lambda: twins.UNet(5, 3)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_twin_has_the_same_names_outputs_and_gradients(name):
    make, make_twin = NETWORKS[name]
    torch.manual_seed(0)
    ours, twin = make().double(), make_twin().double()
    assert list(ours.state_dict()) == list(twin.state_dict())
    ours.load_state_dict(twin.state_dict())
    images = np.random.default_rng(0).standard_normal((3, 1, 16, 24))
    agree(ours, twin, images, rtol=1e-6)
    with torch.no_grad(), gg.no_grad():
        expected = twin.eval()(torch.tensor(images)).numpy()
        np.testing.assert_allclose(ours.eval()(gg.tensor(images)).numpy(), expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("shape", [(1, 1, 16, 18), (1, 1, 0, 16), (1, 16, 16)])
def test_images_that_cannot_be_halved_are_refused(name, shape):
    model = NETWORKS[name][0]()
    with pytest.raises(ShapeError, match=r"multiples of (4|8), got \("):
        model(gg.zeros(shape))


def test_an_fcn_starts_by_interpolating_its_scores():
    with pytest.raises(ShapeError, match="skips must be from 0 to depth - 1 = 1, got 2"):
        models.FCN(depth=2, skips=2)
    enlarge = models.FCN(1, 2, width=2, depth=3, skips=1).final
    scores = np.random.default_rng(0).standard_normal((1, 2, 3, 5)).astype(np.float32)
    expected = torch.nn.functional.interpolate(torch.tensor(scores), scale_factor=4, mode="bilinear").numpy()
    inner = np.s_[:, :, 2:-2, 2:-2]  # at the border the transposed convolution sees zeros outside
    np.testing.assert_allclose(
        enlarge(gg.tensor(scores)).detach().numpy()[inner], expected[inner], rtol=1e-5, atol=1e-6
    )
