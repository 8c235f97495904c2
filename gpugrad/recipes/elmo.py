"""Features of words in context: two language models, one in each direction, and a learned mix of their layers."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..data import DataLoader, PseudoWords, TensorDataset, TokenDataset, WordCorpus, docstrings
from ..models import ELMo, ScalarMix, cosines
from ..nn import Linear, Module, ModuleDict
from ..nn.functional import cross_entropy
from ..optim import Adam
from ..train import Goal, Recipe, Trainer, falling, token_cross_entropy
from ..viz import curves

PAIRS = (
    ("server", "tuple"), ("directory", "exception"), ("method", "message"), ("integer", "widget"),
    ("thread", "filename"), ("class", "line"),
)  # fmt: skip


class BothDirections(Trainer):
    """Minimises the mean of -log p(x_t | x_1 ... x_{t-1}) and -log p(x_t | x_{t+1} ... x_T)."""

    def loss_of(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        tokens, _ = batch
        after, before = self.model(tokens)
        pairs = (after[:, :-1], tokens[:, 1:]), (before[:, 1:], tokens[:, :-1])
        losses = [token_cross_entropy(logits, words) for logits, words in pairs]
        return (losses[0] + losses[1]) / 2


class Meaning(Module):
    """Finds which word of its pair a pseudo-word was: features of its layers (N, layers, D), pair (N,) -> (N, 2)."""

    def __init__(self, layers: int, width: int, pairs: int):
        super().__init__()
        self.mix, self.head, self.pairs = ScalarMix(layers), Linear(width, 2 * pairs), pairs

    def forward(self, features: Tensor, pair: Tensor) -> Tensor:
        scores = self.head(self.mix(features.unbind(1))).reshape(-1, self.pairs, 2)
        chosen = (pair.expand_dims(1) == asarray(np.arange(self.pairs), device=pair.device)).expand_dims(2)
        return (scores * chosen.to(dtype=scores.dtype)).sum(axis=1)


class Disambiguation(Trainer):
    """Minimises -log p(meaning | features, pair)."""

    def loss_of(self, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        features, pair, meaning = batch
        return cross_entropy(self.model(features, pair), meaning)


class ContextualFeatures(Recipe):
    """Learns ELMo on docstrings, and finds with a learned mix of its layers which of two words was meant.

    Peters et al. 2018. The task: all "tuple" became "server", which was it? (Pseudo-words, Gale et al. 1992; the
    sentences of the test are in neither training.) The same with the words' vectors alone knows nothing of the context.
    """

    minutes = 6
    goals = {"told apart, learned mix": Goal(0.8), "more than by word vectors alone": Goal(0.1)}
    quick = {"modules": "email socket tkinter threading tarfile", "width": 24, "epochs": 1, "task_epochs": 3}
    modules = ""  # of the standard library; all
    epochs = 8
    task_epochs = 25
    least = 5
    width = 128
    layers = 2
    length = 32  # words of a window
    reach = 10  # words on each side of one that is to be told apart
    batch_size = 16
    lr = 3e-3

    @cached_property
    def corpus(self) -> WordCorpus:
        """The docstrings' words."""
        sentences = docstrings(self.modules.split() or None)
        mixed = np.random.default_rng(0).permutation(len(sentences))  # so that the test is of all modules
        return WordCorpus([sentences[i] for i in mixed], self.least)

    @cached_property
    def pseudo(self) -> PseudoWords:
        """The text with pseudo-words."""
        return PseudoWords(self.corpus, [pair for pair in PAIRS if all(word in self.corpus for word in pair)])

    @property
    def cut(self) -> int:
        """The number of tokens to learn from; those after it are for the test."""
        return int(0.85 * len(self.pseudo.tokens))

    def build(self) -> Module:
        pairs = len(self.pseudo.pairs)
        return ModuleDict({
            "elmo": ELMo(len(self.corpus.words), self.width, self.layers),
            "learned mix": Meaning(self.layers + 1, 2 * self.width, pairs),
            "word vectors alone": Meaning(1, 2 * self.width, pairs),
        })  # fmt: skip

    def train(self) -> None:
        elmo = self.model["elmo"]
        loader = DataLoader(
            TokenDataset(self.pseudo.tokens[: self.cut], self.length), self.batch_size, shuffle=True, drop_last=True
        )
        optimizer, steps = Adam(elmo.parameters(), lr=self.lr), self.epochs * len(loader)
        schedule = falling(optimizer, steps + 1)
        trainer: Any = self.trainer(
            elmo, optimizer, kind=BothDirections, scheduler=schedule, scheduled="step", clip=1.0, watch=False
        )
        losses = {"two directions": self.fit(trainer, loader).losses}
        data = self.features(0, self.cut)
        for name in ("learned mix", "word vectors alone"):
            task = self.model[name]
            used = TensorDataset(data[0] if "mix" in name else data[0][:, :1], *data[1:])
            trainer = self.trainer(task, Adam(task.parameters(), lr=self.lr), kind=Disambiguation, watch=False)
            batches = DataLoader(used, self.batch_size, shuffle=True)
            losses[name] = self.fit(trainer, batches, self.task_epochs, name=name.replace(" ", "-")).losses
        curves(losses, self.picture("loss"))

    def features(self, start: int, stop: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return the features (N, layers + 1, D) of the pseudo-words between two places, their pairs and meanings."""
        found, parts = self.pseudo.occurrences(self.reach, start, stop), []
        self.model["elmo"].eval()
        with no_grad():
            for windows in np.array_split(found.windows, -(-len(found.windows) // 256)):
                states = self.model["elmo"].states(asarray(windows, device=self.device))
                parts.append(np.stack([state[:, self.reach].cpu().numpy() for state in states], axis=1))
        return tuple(asarray(part, device="cpu") for part in (np.concatenate(parts), *found[1:]))  # type: ignore[return-value]

    def evaluate(self) -> dict[str, float]:
        features, pair, meaning = (
            part.to(device=self.device) for part in self.features(self.cut, len(self.pseudo.tokens))
        )
        right = {}
        with no_grad():
            for name in ("learned mix", "word vectors alone"):
                used = features if "mix" in name else features[:, :1]
                right[name] = (self.model[name](used, pair).argmax(axis=1) == meaning).numpy().mean()
            shares = self.model["learned mix"].mix.scores.softmax(axis=0).tolist()
        difference = right["learned mix"] - right["word vectors alone"]
        return {
            **{f"told apart, {name}": value for name, value in right.items()},
            "more than by word vectors alone": difference,
            **{f"share of layer {layer}": share for layer, share in enumerate(shares)},
        }

    def described(self, figures: Mapping[str, float]) -> Iterator[str]:
        yield from super().described(figures)
        yield from self.neighbourhoods()

    def neighbourhoods(self, count: int = 6) -> list[str]:
        """Return a line for each of some occurrences of the test with the one nearest to it, by the top layer."""
        stop = len(self.pseudo.tokens)
        found = self.pseudo.occurrences(self.reach, self.cut, stop)
        features = self.features(self.cut, stop)[0].numpy()[:, -1]
        near = cosines(features) - 2 * np.eye(len(features))
        words, lines = self.corpus.words, []
        for i in np.linspace(0, len(features) - 1, count).astype(int):
            j = int(near[i].argmax())
            texts = [
                " ".join(words[number] for number in found.windows[place, self.reach - 4 : self.reach + 5])
                for place in (i, j)
            ]
            lines.append(f"near '{texts[0]}': '{texts[1]}'")
        return lines

    def draw(self) -> None:
        self.picture("neighbours", ".txt").write_text("\n".join(self.neighbourhoods()) + "\n")
