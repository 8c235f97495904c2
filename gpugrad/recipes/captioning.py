"""Pictures become sentences: a transformer describes what a convolutional network sees."""

from functools import cached_property
from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.tensor import Tensor
from ..data import DataLoader, RandomAffine, SceneCaptions
from ..models import Captioner, translate
from ..nn import Module
from ..optim import Adam
from ..train import Goal, Recipe, Translation, falling
from ..viz import attention_of, words_on_image


class Describing(Translation):
    """Changes the pictures a little at random while it trains: left stays left, and no digit is seen twice alike."""

    change = RandomAffine(degrees=10, translate=0.05, scale=0.15, shear=0.2)

    def loss_of(self, batch: Any) -> Tensor:
        image, sentence = batch
        return super().loss_of((self.change(image) if self.model.training else image, sentence))


class Captioning(Recipe):
    """Describes scenes ("a red seven left of a blue two") with a transformer over the features of a convolutional net.

    Xu et al. 2015; the words' attention over the picture is shown. The digits of test scenes are in no other.
    """

    minutes = 10
    goals = {"exact": Goal(0.95)}
    quick = {"scenes": 200, "test_scenes": 20, "width": 16, "layers": 1, "epochs": 2, "warmup": 1, "batch_size": 50}
    epochs = 24
    scenes = 10_000
    test_scenes = 1000
    size = 40
    width = 64
    heads = 4
    layers = 2
    batch_size = 128
    lr = 1.5e-3
    warmup = 100

    @cached_property
    def test(self) -> SceneCaptions:
        """The scenes to describe."""
        return SceneCaptions(self.test_scenes, self.size, "test", self.options.seed)

    def build(self) -> Module:
        return Captioner(len(SceneCaptions.vocabulary), self.size, self.width, self.heads, self.layers)

    def train(self) -> None:
        captions = SceneCaptions(self.scenes, self.size, "train", self.options.seed)
        loader = DataLoader(captions, self.batch_size, shuffle=True)
        optimizer, steps = Adam(self.model.parameters(), lr=self.lr), self.epochs * len(loader)
        schedule = falling(optimizer, steps + 1, self.warmup)
        trainer = self.trainer(
            self.model, optimizer, kind=Describing, scheduler=schedule, scheduled="step", clip=1.0, watch=False
        )
        self.fit(trainer, loader)
        trainer.draw(self.picture("loss"))

    def sentences(self, images: Tensor) -> list[str]:
        """Describe images (N, 3, S, S)."""
        words = SceneCaptions.vocabulary
        written = translate(self.model, images.to(device=self.device), words.start, words.end, SceneCaptions.length)
        return [" ".join(words.decode(row)) for row in written]

    def evaluate(self) -> dict[str, float]:
        parts = np.array_split(np.arange(len(self.test)), -(-len(self.test) // 250))
        found = [text for part in parts for text in self.sentences(self.test.batch(part).image)]
        right = [text == true for text, true in zip(found, self.test.texts, strict=True)]
        words = [
            a == b for text, true in zip(found, self.test.texts, strict=True)
            for a, b in zip(text.split(), true.split(), strict=False)
        ]  # fmt: skip
        return {"exact": float(np.mean(right)), "words right": float(np.mean(words))}

    def draw(self) -> None:
        words = SceneCaptions.vocabulary
        for i in range(2):
            image = self.test[i].image.expand_dims(0).to(device=self.device)
            written = self.sentences(image)[0].split()
            beginning = np.array([[words.start, *words.encode(written)[:-1]]])
            found = attention_of(self.model, image, asarray(beginning, device=self.device))
            weights = next(w for name, w in reversed(found.items()) if name.endswith("multihead_attn"))
            side = self.model.grid
            maps = weights[0].cpu().numpy().mean(axis=0)[: len(written)].reshape(-1, side, side)
            words_on_image(image[0].cpu(), maps, written, self.picture(f"attention-{i}"))
