"""Vectors of words that predict the words beside them, from the standard library's docstrings."""

from collections.abc import Iterator, Mapping
from functools import cached_property

import numpy as np

from ..data import DataLoader, WordContexts, WordCorpus, docstrings, sentences_of
from ..models import Word2Vec, odd_one_out
from ..nn import Module, ModuleDict
from ..optim import Adam
from ..train import Goal, Recipe, WordVectors, falling, neighbours
from ..viz import curves, word_map

# Words that are of one kind wherever they occur in docstrings.
GROUPS = (
    ("string", "strings", "bytes", "str", "text"), ("integer", "int", "float", "number", "zero"),
    ("directory", "file", "path", "filename", "directories"), ("server", "socket", "connection", "client", "host"),
    ("class", "subclass", "instance", "method", "attribute"), ("list", "tuple", "dictionary", "dict", "sequence"),
    ("read", "write", "open", "close", "flush"), ("thread", "process", "lock", "threads", "semaphore"),
    ("raise", "raises", "raised", "exception", "valueerror"), ("minutes", "seconds", "hour", "day", "month"),
    ("widget", "window", "button", "frame", "canvas"), ("header", "headers", "message", "body", "mime"),
    ("first", "second", "last", "next", "third"), ("should", "must", "may", "can", "will"),
)  # fmt: skip
SHOWN = ("file", "string", "list", "thread", "server", "integer", "first", "method", "seconds", "widget")


class WordVectorsOfDocstrings(Recipe):
    """Learns vectors of words by skip-gram and CBOW, with negative sampling and the full softmax.

    Mikolov et al. 2013a and 2013b. Three words of one kind and one of another are shown; the odd one must be found,
    which chance does in 25 %. The goals are three times that.
    """

    reads = frozenset({"text"})
    minutes = 2
    goals = {
        "odd one out, skip-gram": Goal(0.75),
        "odd one out, CBOW": Goal(0.75),
        "time of a step, full softmax over negative sampling": Goal(1.0, form=".2f"),
    }
    quick = {"modules": "turtle datetime random socket", "epochs": 2, "softmax_epochs": 1, "cbow_times": 1, "width": 16}
    epochs = 3
    softmax_epochs = 1
    cbow_times = 2  # epochs of CBOW, which has fewer samples, for each of skip-gram
    modules = ""  # of the standard library; all
    least = 5  # occurrences of a word
    window = 4
    width = 64
    negatives = 5
    subsample = 1e-3
    batch_size = 1024
    lr = 4e-3

    @cached_property
    def corpus(self) -> WordCorpus:
        """The docstrings' words."""
        text = self.options.text
        sentences = docstrings(self.modules.split() or None) if text is None else sentences_of(text)
        return WordCorpus(sentences, self.least)

    def build(self) -> Module:
        names = ("skip-gram", "CBOW", "skip-gram, full softmax", "CBOW, full softmax")
        return ModuleDict({name: Word2Vec(self.corpus.counts, self.width) for name in names})

    def train(self) -> None:
        corpus, losses = self.corpus, {}
        kept = corpus.subsampled(np.random.default_rng(self.options.seed), self.subsample)
        for name, model in self.model.items():
            kind, full = name.split(",")[0].lower(), "softmax" in name
            contexts = WordContexts(corpus.tokens[kept], corpus.sentences[kept], self.window, kind, len(corpus.words))
            loader = DataLoader(contexts, self.batch_size, shuffle=True)
            epochs = (self.softmax_epochs if full else self.epochs) * (self.cbow_times if kind == "cbow" else 1)
            optimizer, steps = Adam(model.parameters(), lr=self.lr), epochs * len(loader)
            schedule = falling(optimizer, steps + 1)
            trainer = self.trainer(
                model, optimizer, kind=WordVectors, scheduler=schedule, scheduled="step", watch=False
            )
            trainer.negatives = None if full else self.negatives
            losses[name] = self.fit(trainer, loader, epochs, name=name.replace(", ", "-").replace(" ", "-")).losses
        self.record["seconds"] = dict(self.step_seconds)
        curves(losses, self.picture("loss"))

    @property
    def groups(self) -> list[list[str]]:
        """The groups' words that occur often enough."""
        return [[word for word in group if word in self.corpus] for group in GROUPS]

    def evaluate(self) -> dict[str, float]:
        numbers = [[self.corpus.number(word) for word in group] for group in self.groups]
        figures = {}
        for name, model in self.model.items():
            right, asked = odd_one_out(model.similarities(), numbers)
            figures[f"odd one out, {name}"] = right / asked if asked else float("nan")  # a text without the groups
        seconds = self.record["seconds"]
        ratio = seconds["skip-gram-full-softmax"] / seconds["skip-gram"]
        return {**figures, "time of a step, full softmax over negative sampling": ratio}

    def described(self, figures: Mapping[str, float]) -> Iterator[str]:
        yield from super().described(figures)
        yield from self.neighbourhoods()

    def neighbourhoods(self) -> list[str]:
        """Return a line for each of some words, with the words nearest to it."""
        similarities = self.model["skip-gram"].similarities()
        shown = [word for word in SHOWN if word in self.corpus] or self.corpus.words[: len(SHOWN)]
        return [f"near {word}: {', '.join(neighbours(similarities, self.corpus.words, word))}" for word in shown]

    def draw(self) -> None:
        groups = [group for group in self.groups if group] or [self.corpus.words[: len(SHOWN)]]
        numbers = [self.corpus.number(word) for group in groups for word in group]
        word_map(self.model["skip-gram"].vectors.weight.detach().cpu().numpy()[numbers], groups, self.picture("map"))
        self.picture("neighbours", ".txt").write_text("\n".join(self.neighbourhoods()) + "\n")
