"""Small tasks on the sentences of docstrings: which subject, which words were asked for, which stood before."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..autograd.tensor import Tensor
from .language import documents
from .pieces import PieceSamples

Encode = Callable[[str], Tensor]


def next_sentences(encode: Encode, texts: Sequence[Sequence[str]], length: int, seed: int = 0) -> PieceSamples:
    """Return each sentence with the one after it in its text (target 0), or with one of another text (1), half each.

    The sentences of texts of one are cut in two halves.

    >>> texts = [["the first sentence", "the second one"], ["a text of one sentence"]]
    >>> samples = gg.data.next_sentences(gg.data.ByteTokenizer().encode, texts, length=40)
    >>> len(samples), samples.targets.shape
    (2, (2,))
    """
    random, pairs = np.random.default_rng(seed), []
    for text in texts:
        parts = list(text)
        if len(parts) == 1:
            words = parts[0].split()
            parts = [" ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])]
        pairs += list(zip(parts[:-1], parts[1:], strict=True))
    other = (np.arange(len(pairs)) + random.integers(1, max(2, len(pairs)), len(pairs))) % max(1, len(pairs))
    wrong = random.random(len(pairs)) < 0.5
    numbers = [[encode(part).tolist() for part in pair] for pair in pairs]
    seconds = [numbers[other[i] if wrong[i] else i][1] for i in range(len(pairs))]
    return PieceSamples([first for first, _ in numbers], seconds, wrong, length)


def subjects(encode: Encode, modules: Sequence[str], length: int) -> PieceSamples:
    """Return sentences of docstrings; the target is the number of the module, or package, that a sentence is from.

    A sentence that several have is left out.

    >>> samples = gg.data.subjects(gg.data.ByteTokenizer().encode, ["random", "json"], length=40)
    >>> sorted(set(samples.targets.tolist()))
    [0, 1]
    """
    found = [{sentence for text in documents([name]) for sentence in text} for name in modules]
    rows = [
        (sentence, number) for number, own in enumerate(found) for sentence in sorted(own)
        if not any(sentence in other for other in found if other is not own)
    ]  # fmt: skip
    numbers = [encode(sentence).tolist() for sentence, _ in rows]
    return PieceSamples(numbers, [[]] * len(rows), [number for _, number in rows], length)


def asked_spans(encode: Encode, sentences: Sequence[str], length: int, seed: int = 0) -> PieceSamples:
    """Return questions of two words and a sentence with them; the target is where the words from one to the other are.

    The words are once in the sentence, up to four words apart, and the first asked is the first there. The target is
    the place of the span's first and of its last token.

    >>> encode = gg.data.CharTokenizer("abcdefgh ").encode
    >>> samples = gg.data.asked_spans(encode, ["a b c d e f"], length=40)
    >>> first, last = samples.targets[0].tolist()
    >>> bool(samples.tokens[0, first] == samples.tokens[0, 1])
    True
    """
    random, firsts, seconds, targets = np.random.default_rng(seed), [], [], []
    for sentence in sentences:
        words = sentence.split()
        once = [i for i, word in enumerate(words) if words.count(word) == 1]
        pairs = [(i, j) for i in once for j in once if 0 < j - i <= 4]
        if not pairs:
            continue
        i, j = pairs[random.integers(len(pairs))]
        pieces = [encode(word).tolist() for word in words]
        question = [*pieces[i], *pieces[j]]
        ends = np.cumsum([len(part) for part in pieces]) + len(question) + 2
        if ends[-1] < length:
            firsts.append(question)
            seconds.append([piece for part in pieces for piece in part])
            targets.append((ends[i] - len(pieces[i]), ends[j] - 1))
    return PieceSamples(firsts, seconds, targets, length)


def repeated_words(encode: Encode, sentences: Sequence[str], length: int) -> PieceSamples:
    """Return sentences; the target is 1 at a word that stood in the sentence before, 0 at others.

    Later pieces of a word and padding do not count (-100). Sentences without such a word are left out.

    >>> encode = gg.data.CharTokenizer("abc").encode
    >>> samples = gg.data.repeated_words(encode, ["a b a", "a c"], length=7)
    >>> samples.tokens.tolist(), samples.targets[0].tolist()
    ([[2, 0, 1, 0, 3, 0, 0]], [-100, 0, 0, 1, -100, -100, -100])
    """
    firsts, targets = [], []
    for words in map(str.split, sentences):
        pieces = [encode(word).tolist() for word in words]
        repeated = [int(word in words[:place]) for place, word in enumerate(words)]
        tags = [tag for one, part in zip(repeated, pieces, strict=True) for tag in (one, *[-100] * (len(part) - 1))]
        if any(repeated) and len(tags) + 2 <= length:
            firsts.append([piece for part in pieces for piece in part])
            targets.append([-100, *tags, *[-100] * (length - 1 - len(tags))])
    return PieceSamples(firsts, [[]] * len(firsts), targets, length)
