"""A small GPT: a transformer reads source code and writes some, with a cache of keys and values."""

import time

from ..models import GPT, generate
from ..nn import Module
from ..train import Goal, LanguageModeling


class SmallGPT(LanguageModeling):
    """Learns Python's source code character by character with a small GPT, and writes some.

    Radford et al. 2019. The cache is measured on a text of as many characters as the network was trained on at once;
    `gpugrad.models.GPT().load_hugging_face` reads GPT-2's published weights.
    """

    minutes = 10
    goals = {
        "fewer than gzip": Goal(0, form=".3f"),
        "fewer than n-grams": Goal(0, form=".3f"),
        "speed-up by the cache": Goal(3, form=".1f"),
    }
    quick = {
        "characters": 8000,
        "test_characters": 2000,
        "width": 48,
        "layers": 2,
        "heads": 3,
        "length": 32,
        "written": 24,
        "batch_size": 32,
        "epochs": 2,
    }
    epochs = 3
    length = 128
    batch_size = 8
    lr = 2e-3
    width = 160
    layers = 4
    heads = 5
    written = 256  # characters, with the cache and without

    def build(self) -> Module:
        positions = self.length + self.written
        return GPT(self.tokenizer.vocab_size, positions, self.width, self.layers, self.heads)

    def evaluate(self) -> dict[str, float]:
        figures, start = super().evaluate(), self.tokenizer.encode(self.beginning).reshape(1, -1)
        seconds, texts = {}, {}
        for cache in (True, False):
            before = time.perf_counter()
            texts[cache] = generate(self.model, start, self.written, temperature=0, cache=cache).tolist()
            seconds[cache] = time.perf_counter() - before
        name = "speed-up by the cache"
        self.record.setdefault(name, seconds[False] / seconds[True])
        self.record.setdefault("characters a second", self.written / seconds[True])
        same = float(texts[True] == texts[False])
        more = {name: self.record[name], "characters a second, with the cache": self.record["characters a second"]}
        return {**figures, **more, "the same text without the cache": same}

    def draw(self) -> None:
        start = self.tokenizer.encode(self.beginning).reshape(1, -1)
        tokens = generate(self.model, start, self.length, temperature=0.8, top_k=20, seed=self.options.seed)
        self.picture("sample", ".txt").write_text(self.tokenizer.decode(tokens[0]))
