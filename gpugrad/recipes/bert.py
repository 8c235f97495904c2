"""A small BERT: learns docstrings with hidden words, then three tasks of its own heads."""

from functools import cached_property
from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..data import (
    DataLoader,
    HuggingFaceTokenizer,
    Subset,
    asked_spans,
    documents,
    mask_tokens,
    next_sentences,
    repeated_words,
    subjects,
    train_wordpiece,
)
from ..models import (
    BertForPreTraining,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)
from ..nn import Module, ModuleDict
from ..optim import AdamW
from ..train import BertPretraining, FineTuning, Goal, Recipe, falling
from ..viz import curves

SUBJECTS = ("email", "turtle", "asyncio", "logging", "tkinter", "unittest", "datetime", "tarfile")


class SmallBERT(Recipe):
    """Learns the docstrings of the standard library as BERT does, then to classify, to find spans and to tag.

    Devlin et al. 2019. Hidden words (15 %) and next sentences; then, each from the same network: which module a
    sentence is from, which words stand between two that are asked for, and which words stood before. A fifth of the
    texts is in no training.
    """

    minutes = 10
    goals = {
        "hidden tokens found, over always the commonest": Goal(2.0, form=".2f"),
        "next sentence": Goal(0.6), "classify: subject": Goal(0.75),
        "span: both ends": Goal(0.8), "tag: F1 of repeated words": Goal(0.7),
    }  # fmt: skip
    quick = {
        "modules": "email turtle asyncio", "vocabulary": 400, "width": 24, "layers": 1, "epochs": 1,
        "task_epochs": 3, "most": 128, "batch_size": 32, "warmup": 2, "task_lr": 3e-3,
    }  # fmt: skip
    modules = ""  # of the standard library; all
    epochs = 10
    task_epochs = 6
    most = 100_000  # samples of a training
    vocabulary = 2000
    width = 96
    layers = 3
    heads = 4
    length = 48
    batch_size = 64
    lr = 1e-3
    task_lr = 1e-3
    warmup = 50  # steps in which the learning rate rises

    @cached_property
    def texts(self) -> list[list[str]]:
        """The docstrings, mixed."""
        texts = documents(self.modules.split() or None)
        return [texts[i] for i in np.random.default_rng(0).permutation(len(texts))]

    @cached_property
    def tokenizer(self) -> HuggingFaceTokenizer:
        """The word pieces of the texts to learn from."""
        cut = len(self.texts) // 5
        return train_wordpiece([sentence for text in self.texts[cut:] for sentence in text], self.vocabulary)

    @cached_property
    def samples(self) -> dict[str, tuple[Any, Any]]:
        """By name of the training: the samples to learn from, and those of the test."""
        encode, length, cut = self.tokenizer.encode, self.length, len(self.texts) // 5
        made = {}
        for part, texts in (("test", self.texts[:cut]), ("train", self.texts[cut:])):
            sentences = [sentence for text in texts for sentence in text]
            made[part] = {
                "pretraining": next_sentences(encode, texts, length),
                "span": asked_spans(encode, sentences, length),
                "tag": repeated_words(encode, sentences, length),
            }
        names = SUBJECTS if not self.modules else tuple(self.modules.split())
        whole = subjects(encode, names, length)
        order = np.random.default_rng(0).permutation(len(whole))
        made["test"]["classify"], made["train"]["classify"] = (
            Subset(whole, part.tolist()) for part in np.split(order, [len(order) // 5])
        )
        return {name: (made["train"][name], made["test"][name]) for name in made["train"]}

    def build(self) -> Module:
        sizes = (self.tokenizer.vocab_size, self.width, self.layers, self.heads)
        options = {"max_position_embeddings": self.length}
        labels = len(SUBJECTS if not self.modules else self.modules.split())
        return ModuleDict({
            "pretraining": BertForPreTraining(*sizes, **options),
            "classify": BertForSequenceClassification(*sizes, **options, num_labels=labels),
            "span": BertForQuestionAnswering(*sizes, **options),
            "tag": BertForTokenClassification(*sizes, **options),
        })  # fmt: skip

    def train(self) -> None:
        losses = {}
        for name, model in self.model.items():
            first = name == "pretraining"
            if not first:
                learned = self.model["pretraining"].bert.state_dict()
                model.bert.load_state_dict({key: learned[key] for key in model.bert.state_dict()})
            data = self.samples[name][0]
            used = Subset(data, range(min(self.most, len(data))))
            loader = DataLoader(used, self.batch_size, shuffle=True)
            epochs = self.epochs if first else self.task_epochs
            steps, lr = epochs * len(loader), self.lr if first else self.task_lr
            optimizer = AdamW(model.parameters(), lr=lr, weight_decay=0.01)
            schedule = falling(optimizer, steps + 1, self.warmup)
            kind = BertPretraining if first else FineTuning
            trainer = self.trainer(
                model, optimizer, kind=kind, scheduler=schedule, scheduled="step", clip=1.0, watch=False
            )
            losses[name] = self.fit(trainer, loader, epochs, name=name).losses
        curves(losses, self.picture("loss"))

    def evaluate(self) -> dict[str, float]:
        found = self.outputs("pretraining", masked=True)
        tokens, wanted = np.concatenate(found["outputs"][0]), np.concatenate(found["wanted"])
        hidden = wanted != -100
        commonest = np.bincount(wanted[hidden]).max() / hidden.sum()
        share = (tokens == wanted)[hidden].mean()
        figures = {
            "hidden tokens found": share,
            "hidden tokens found, over always the commonest": share / commonest,
            "next sentence": (np.concatenate(found["outputs"][1]) == np.concatenate(found["targets"])).mean(),
        }
        for name in ("classify", "span", "tag"):
            found = self.outputs(name)
            outputs = [np.concatenate(part) for part in found["outputs"]]
            figures |= _scores(name, outputs, np.concatenate(found["targets"]))
        return figures

    def outputs(self, name: str, masked: bool = False) -> dict[str, Any]:
        """Return the likeliest of each output of a network for its test, the targets, and the hidden tokens."""
        model, found = self.model[name], {"outputs": ([], []), "targets": [], "wanted": []}
        random = np.random.default_rng(5)
        with no_grad():
            for tokens, segments, target in DataLoader(self.samples[name][1], 128):
                given = tokens.numpy()
                if masked:
                    given, wanted = mask_tokens(given, self.tokenizer.vocab_size, random)
                    found["wanted"].append(wanted)
                inputs = (asarray(part, device=self.device) for part in (given, tokens.numpy() != 0, segments.numpy()))
                output = model(*inputs)
                for kept, logits in zip(
                    found["outputs"], output if isinstance(output, tuple) else (output,), strict=False
                ):
                    kept.append(logits.cpu().numpy().argmax(axis=-1))
                found["targets"].append(target.numpy())
        found["outputs"] = [part for part in found["outputs"] if part]
        return found


def _scores(name: str, outputs: list[np.ndarray], target: np.ndarray) -> dict[str, float]:
    """Return the figures of a task from the likeliest classes, tags, or places."""
    if name == "classify":
        share = np.bincount(target).max() / len(target)
        return {"classify: subject": (outputs[0] == target).mean(), "classify: always the commonest": share}
    if name == "span":
        return {"span: both ends": (np.stack(outputs, axis=1) == target).all(axis=1).mean()}
    both = ((outputs[0] == 1) & (target == 1)).sum()
    said, true = ((outputs[0] == 1) & (target >= 0)).sum(), (target == 1).sum()
    return {"tag: F1 of repeated words": 2 * both / max(1, said + true)}
