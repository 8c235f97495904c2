"""Transforms of images: against PyTorch's and Pillow's functions, by hand, and on every device."""

import colorsys

import numpy as np
import pytest
import torch

import gpugrad as gg
from gpugrad.data import DataLoader, Dataset
from gpugrad.data.transforms import (
    CenterCrop,
    ColorJitter,
    Compose,
    CutMix,
    Cutout,
    MixUp,
    Normalize,
    RandomAffine,
    RandomCrop,
    RandomHorizontalFlip,
    RandomVerticalFlip,
    Resize,
    ToTensor,
)
from gpugrad.errors import DTypeError, OptionError, ShapeError


def pictures(n=5, c=3, h=6, w=8, dtype="float32", device="cpu"):
    values = np.random.default_rng(0).random((n, c, h, w))
    values = (values * 255).round() if dtype == "uint8" else values
    return gg.tensor(values.astype(dtype), device=device)


ALL = [
    RandomCrop((4, 3), padding=2, padding_mode="reflect"),
    RandomCrop(5, padding=(1, 2, 3, 0), fill=0.5),
    CenterCrop((3, 9)),
    RandomHorizontalFlip(),
    RandomVerticalFlip(0.3),
    Resize((3, 5)),
    Resize(3),
    Resize((9, 4), "bicubic", antialias=False),
    Resize(4, "nearest"),
    RandomAffine(20, 0.1, 0.1, 0.1),
    ColorJitter(0.4, 0.4, 0.4, 0.2),
]


@pytest.mark.parametrize("transform", ALL, ids=lambda t: type(t).__name__)
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_every_device_gives_the_same(transform, dtype, device):
    if device.type == "cpu":
        gg.manual_seed(1)
        single = transform(pictures(1, dtype=dtype)[0])
        gg.manual_seed(1)
        assert transform(pictures(1, dtype=dtype)).numpy()[0].tolist() == single.tolist()
        assert single.dtype == dtype and single.ndim == 3
    results = []
    for where in ("cpu", device):
        gg.manual_seed(1)
        results.append(transform(pictures(dtype=dtype, device=where)))
    assert results[1].device == device and results[1].shape[:2] == (5, 3)
    np.testing.assert_allclose(results[0].numpy(), results[1].cpu().numpy(), atol=1 if dtype == "uint8" else 1e-5)
    with pytest.raises(ShapeError, match=r"expected images \(C, H, W\) or \(N, C, H, W\), got \(2,\)"):
        transform(gg.ones(2, device=device))


def test_crops():
    x = pictures(200)
    array, seen = x.numpy(), set()
    for image, cut in zip(array, RandomCrop((4, 3))(x).numpy(), strict=True):
        places = [(i, j) for i in range(3) for j in range(6) if (image[:, i : i + 4, j : j + 3] == cut).all()]
        assert len(places) == 1
        seen.add(places[0])
    assert len(seen) == 18
    assert RandomCrop((6, 8))(x).tolist() == x.tolist()
    padded = np.pad(array, ((0, 0), (0, 0), (1, 3), (2, 0)), constant_values=0.5)
    assert (
        RandomCrop((10, 10), padding=(2, 1, 0, 3), fill=0.5)(x).numpy().tolist() == padded.astype(np.float32).tolist()
    )
    assert RandomCrop((9, 9), pad_if_needed=True)(x).shape == (200, 3, 9, 9)
    with pytest.raises(ShapeError, match=r"window of \(9, 9\) does not fit images of \(6, 8\)"):
        RandomCrop(9)(x)
    assert CenterCrop((2, 4))(x).numpy().tolist() == array[:, :, 2:4, 2:6].tolist()
    assert CenterCrop((8, 4))(x).numpy()[:, :, 1:7].tolist() == array[:, :, :, 2:6].tolist()


def test_padding_of_another_number_of_sides():
    for padding in ((), (1, 2, 3)):
        with pytest.raises(ShapeError, match="RandomCrop: padding must be an int, or 1, 2 or 4 ints"):
            RandomCrop(4, padding)


def test_flips():
    x = pictures(400)
    array, flipped = x.numpy(), RandomHorizontalFlip(0.3)(x).numpy()
    mirrored = (flipped == array[..., ::-1]).all((1, 2, 3))
    assert (mirrored | (flipped == array).all((1, 2, 3))).all() and 0.2 < mirrored.mean() < 0.4
    assert RandomVerticalFlip(1)(x).tolist() == array[:, :, ::-1].tolist()
    assert RandomVerticalFlip(0)(x).tolist() == x.tolist()


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "nearest", "nearest-exact"])
@pytest.mark.parametrize("size", [(3, 5), (12, 9)])
def test_resize_as_pytorch(mode, size):
    x = pictures()
    smooth = {} if mode.startswith("nearest") else {"antialias": True, "align_corners": False}
    expected = torch.nn.functional.interpolate(torch.from_numpy(x.numpy()), size, mode=mode, **smooth)
    np.testing.assert_allclose(Resize(size, mode)(x).numpy(), expected.numpy(), atol=1e-5)


def test_resize_of_an_edge():
    assert Resize(3)(pictures()).shape[2:] == (3, 4)
    assert Resize(12)(gg.transpose(pictures(), (0, 1, 3, 2))).shape[2:] == (16, 12)
    assert Resize(30, max_size=32)(pictures()).shape[2:] == (24, 32)
    with pytest.raises(ValueError, match="max_size"):
        Resize((3, 3), max_size=8)


def test_pillow_and_arrays():
    image = pytest.importorskip("PIL.Image")
    array = pictures(1, dtype="uint8").numpy()[0].transpose(1, 2, 0)
    picture = image.fromarray(array)
    assert ToTensor()(picture).tolist() == (array.transpose(2, 0, 1) / np.float32(255)).tolist()
    assert ToTensor()(array).tolist() == ToTensor()(picture).tolist()
    assert ToTensor()(picture.convert("L")).shape == (1, 6, 8)
    assert ToTensor()(array[..., 0] / 255.0).dtype == gg.float64
    theirs = np.asarray(picture.resize((5, 3), image.Resampling.BILINEAR)).transpose(2, 0, 1)
    ours = Resize((3, 5))(picture)
    assert ours.dtype == gg.uint8 and np.abs(ours.numpy().astype(int) - theirs).max() <= 1
    whole = Compose([Resize(4), CenterCrop(4), ToTensor(), Normalize([0.5] * 3, [0.5] * 3)])(picture)
    assert whole.shape == (3, 4, 4) and whole.dtype == gg.float32 and -1 <= whole.min().item() < 0
    with pytest.raises(DTypeError, match="picture of Pillow's, got list"):
        ToTensor()([1])


def test_normalize():
    x = pictures()
    expected = (x.numpy() - np.float32([[[0.1]], [[0.2]], [[0.3]]])) / np.float32([[[1]], [[2]], [[4]]])
    np.testing.assert_allclose(Normalize([0.1, 0.2, 0.3], [1, 2, 4])(x).numpy(), expected, rtol=1e-5)
    with pytest.raises(DTypeError, match="use ToTensor"):
        Normalize([0], [1])(pictures(dtype="uint8"))
    with pytest.raises(ValueError, match="std must not be 0"):
        Normalize([0], [0])


def test_colour():
    x = pictures()
    array = x.numpy()
    gray = (array * np.float32([[[0.2989]], [[0.587]], [[0.114]]])).sum(1, keepdims=True)
    mean = gray.mean((1, 2, 3), keepdims=True)
    fixed = [
        (ColorJitter(brightness=(0.5, 0.5)), array * 0.5),
        (ColorJitter(brightness=(3, 3)), np.minimum(array * 3, 1)),
        (ColorJitter(contrast=(0.25, 0.25)), array * 0.25 + mean * 0.75),
        (ColorJitter(saturation=(0, 0)), np.broadcast_to(gray, array.shape)),
        (ColorJitter(saturation=(2, 2)), np.clip(2 * array - gray, 0, 1)),
        (ColorJitter(), array),
    ]
    for transform, expected in fixed:
        np.testing.assert_allclose(transform(x).numpy(), expected, atol=1e-5)
    for shift in (0.1, -0.4, 0.5, 0.0):
        turned = ColorJitter(hue=(shift, shift))(x).numpy()
        for before, after in zip(array[0].reshape(3, -1).T, turned[0].reshape(3, -1).T, strict=True):
            h, s, v = colorsys.rgb_to_hsv(*map(float, before))
            np.testing.assert_allclose(after, colorsys.hsv_to_rgb((h + shift) % 1, s, v), atol=1e-5)
    alike = gg.ones(1, 3, 2, 2) * 0.3  # no hue
    np.testing.assert_allclose(ColorJitter(hue=0.5)(alike).numpy(), alike.numpy(), atol=1e-6)
    one = ColorJitter(saturation=0.5, hue=0.5)(pictures(c=1))
    assert one.tolist() == pictures(c=1).tolist()
    different = ColorJitter(0.5)(gg.ones(50, 3, 1, 1) * 0.5).numpy()[:, 0, 0, 0]
    assert len(set(different.tolist())) == 50 and 0.24 < different.min() < 0.3 and 0.7 < different.max() < 0.76
    with pytest.raises(ValueError, match=r"hue must be a range within \[-0.5, 0.5\]"):
        ColorJitter(hue=0.6)


@pytest.mark.parametrize("kind", [MixUp, CutMix])
def test_mixtures(kind, device):
    x, labels = pictures(6, device=device), gg.tensor([0, 1, 2, 0, 1, 2], device=device)
    before = np.roll(x.cpu().numpy(), 1, 0)
    shares = set()
    for _ in range(10):
        mixed, soft = kind(num_classes=4)(x, labels)
        assert mixed.device == soft.device == device
        mixed, soft, array = mixed.cpu().numpy(), soft.cpu().numpy(), x.cpu().numpy()
        share = float(soft[0, 0])
        shares.add(share)
        np.testing.assert_allclose(soft.sum(1), 1, rtol=1e-6)
        np.testing.assert_allclose(soft[1], [1 - share, share, 0, 0], atol=1e-6)
        if kind is MixUp:
            np.testing.assert_allclose(mixed, share * array + (1 - share) * before, atol=1e-6)
        else:
            own, other = mixed == array, mixed == before
            assert (own | other).all() and abs(own.mean() - share) < 1e-6
    assert len(shares) > 3
    again, softer = kind()(x, gg.tensor(soft, device=device))
    assert softer.shape == (6, 4)
    loss = gg.nn.functional.cross_entropy(gg.zeros(6, 4, device=device), softer)
    np.testing.assert_allclose(loss.item(), np.log(4), rtol=1e-5)
    with pytest.raises(ShapeError, match="need num_classes"):
        kind()(x, labels)
    with pytest.raises(DTypeError, match="use ToTensor"):
        kind(num_classes=4)(pictures(6, dtype="uint8"), labels.cpu())


def test_transforms_inside_a_loader_do_not_depend_on_the_workers():
    class Pictures(Dataset):
        change = Compose([RandomCrop(5, padding=1), RandomHorizontalFlip(), ColorJitter(0.2, 0.2, 0.2, 0.1)])

        def __len__(self):
            return 5

        def __getitem__(self, i):
            return self.change(pictures()[i])

    def run(workers):
        gg.manual_seed(3)
        return [b.tolist() for b in DataLoader(Pictures(), 2, shuffle=True, num_workers=workers)]

    assert run(0) == run(1) == run(2)


@pytest.mark.parametrize("size, at_most", [(1, 1), (3, 9), (4, 16), (99, 48)])
def test_cutout_sets_a_square_to_zero_whose_middle_is_in_the_image(size, at_most):
    images = gg.ones(300, 2, 6, 8)
    out = Cutout(size, gg.Generator().manual_seed(0))(images).numpy()
    assert set(np.unique(out).tolist()) <= {0.0, 1.0} and (out[:, 0] == out[:, 1]).all()
    cut = out[:, 0] == 0
    areas = cut.sum((1, 2))
    rows, columns = cut.any(2).sum(1), cut.any(1).sum(1)
    assert (areas == rows * columns).all() and areas.min() >= 1 and areas.max() == at_most
    if size < 6:  # each side is cut off where the middle is near the border, and the corners are reached
        assert rows.max() == columns.max() == size and areas.min() == ((size + 1) // 2) ** 2
        assert cut[:, 0, 0].any() and cut[:, -1, -1].any()


def test_cutout_needs_a_size():
    with pytest.raises(OptionError, match="Cutout: size must be positive, got 0"):
        Cutout(0)
