"""Scenes of two digits with a sentence that describes each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..autograd.convert import asarray
from ..autograd.tensor import Tensor
from .dataset import Dataset
from .language import Vocabulary, padded
from .scenes import COLORS, DigitScenes, Scene

_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


class Caption(NamedTuple):
    """A picture, float32 (3, S, S), and its sentence as numbers, int64 (T,).

    >>> caption = gg.data.SceneCaptions(1)[0]
    >>> caption.image.shape, caption.tokens.dtype
    ((3, 40, 40), dtype('int64'))
    """

    image: Tensor
    tokens: Tensor


class SceneCaptions(Dataset):
    """Holds pictures of two colored digits with sentences such as "a red seven left of a blue two".

    Of two digits that are farther apart across than down, the left one comes first, "left of" the other; else the upper
    one, "above" the other. Scenes in which the two distances differ by less than a tenth of the picture are left out.
    The pictures are those of `DigitScenes`; the sentences are numbered by `vocabulary`, and end with its end.
    part: "train" or "test", which have no digit in common.

    >>> captions = gg.data.SceneCaptions(3, seed=2)
    >>> captions.texts[0]
    'a red three left of a green four'
    >>> captions.vocabulary.decode(captions[0].tokens) == captions.texts[0].split()
    True
    """

    vocabulary = Vocabulary(["a", "left", "of", "above", *COLORS, *_NUMBERS])
    length = 9  # tokens of the longest sentence, with the end

    def __init__(self, count: int, size: int = 40, part: str = "train", seed: int = 0):
        scenes = DigitScenes(
            4 * count, size, digits=(2, 2), heights=(14, 20), overlap=0.0, colors=list(COLORS), part=part, seed=seed
        )
        self.texts, images = [], []
        for scene in scenes:
            text = described(scene)
            if text is not None:
                self.texts.append(text)
                images.append(scene.image.numpy())
            if len(images) == count:
                break
        self.images = np.stack(images)
        self.tokens = padded([self.vocabulary.encode(text.split()) for text in self.texts], self.length)

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> Caption:
        return Caption(asarray(self.images[index], device="cpu"), asarray(self.tokens[index], device="cpu"))

    def batch(self, indices: np.ndarray) -> Caption:
        """Return the samples `indices`: (N, 3, S, S) and (N, T)."""
        return Caption(asarray(self.images[indices], device="cpu"), asarray(self.tokens[indices], device="cpu"))


def described(scene: Scene) -> str | None:
    """Return the sentence of a scene of two digits; None where they are not clearly beside or above each other.

    The colors are numbered as `COLORS` is.
    """
    if len(scene.labels) != 2:
        return None
    boxes, names = scene.boxes.numpy(), list(COLORS)
    across, down = np.abs((boxes[0, :2] + boxes[0, 2:] - boxes[1, :2] - boxes[1, 2:]) / 2)
    if abs(across - down) < 0.1 * scene.image.shape[-1]:
        return None
    words = [
        f"a {names[int(color)]} {_NUMBERS[int(label)]}" for color, label in zip(scene.colors, scene.labels, strict=True)
    ]
    first = int(boxes[:, 0 if across > down else 1].argmin())
    return f"{words[first]} {'left of' if across > down else 'above'} {words[1 - first]}"
