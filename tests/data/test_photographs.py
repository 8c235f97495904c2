"""scikit-learn's photographs and patches of them."""

import numpy as np
import pytest
from sklearn.datasets import load_sample_image

import gpugrad as gg
from gpugrad.data import PhotoPatches, load_photograph
from gpugrad.data.photographs import _shrinking
from gpugrad.errors import DataError


def test_photographs_are_scikit_learns():
    image = load_photograph("china").numpy()
    assert np.array_equal(np.rint(image * 255).astype(np.uint8).transpose(1, 2, 0), load_sample_image("china.jpg"))
    small = load_photograph("flower", 61)
    assert small.shape == (3, 61, 91) and small.dtype == gg.float32
    whole = load_photograph("flower").numpy()
    np.testing.assert_allclose(small.numpy().mean((1, 2)), whole.mean((1, 2)), atol=0.01)
    with pytest.raises(DataError, match="no photograph 'cat'; there are china, flower"):
        load_photograph("cat")
    with pytest.raises(DataError, match="height must be from 1 to 427, got 428"):
        load_photograph("china", 428)


def test_shrinking_averages():
    np.testing.assert_allclose(_shrinking(4, 2), [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])
    np.testing.assert_allclose(_shrinking(7, 3).sum(1), 1)
    np.testing.assert_allclose(_shrinking(5, 5), np.eye(5))


def test_patches():
    patches = PhotoPatches(40, size=16, rows=2, columns=3)
    assert patches.num_classes == 12 and len(patches) == 40
    labels = [int(patches[i][1]) for i in range(40)]
    assert set(labels) <= set(range(12)) and len(set(labels)) > 6
    assert np.array_equal(patches[3][0].numpy(), patches[-37][0].numpy())
    assert not np.array_equal(patches[3][0].numpy(), PhotoPatches(40, size=16, part="test")[3][0].numpy())
    with pytest.raises(DataError, match="'train' or 'test', got 'all'"):
        PhotoPatches(1, part="all")
    with pytest.raises(IndexError, match="no patch 40 of 40"):
        patches[40]
    # China's sky is at the top and bright, the flower's leaves are dark.
    bright = {label: [] for label in range(12)}
    for i, label in enumerate(labels):
        bright[label].append(float(patches[i][0].numpy().mean()))
    sky, leaves = (np.mean(sum((bright[k] for k in kinds), [])) for kinds in ((0, 1, 2), (6, 8, 9, 11)))
    assert sky > 0.6 > 0.4 > leaves
