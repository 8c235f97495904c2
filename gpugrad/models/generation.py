"""Writing with a language model: sampling, a cache of keys and values, beam search."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..errors import OptionError, ShapeError
from ..nn.utils import evaluating
from ..ops.creation import zeros


class KeyValueCache:
    """Keeps the keys and values of the tokens that a causal transformer has read, layer by layer.

    `append(layer, k, v)` adds those of new tokens, (N, H, T, D), and returns all so far; `length` counts the tokens
    that every layer has read. The arrays are made once, for `positions` tokens. Raises ShapeError when they are full.

    >>> cache = gg.models.KeyValueCache(positions=8)
    >>> k, v = cache.append(0, gg.ones(1, 2, 3, 4), gg.ones(1, 2, 3, 4))
    >>> cache.advance(3)
    >>> k, v = cache.append(0, gg.ones(1, 2, 1, 4), gg.ones(1, 2, 1, 4))
    >>> k.shape
    (1, 2, 4, 4)
    """

    def __init__(self, positions: int):
        self.positions, self.length = positions, 0
        self._layers: list[tuple[Tensor, Tensor]] = []

    def append(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Add keys and values of the tokens at `length` and on; returns those of all tokens (N, H, length + T, D)."""
        end = self.length + k.shape[2]
        if end > self.positions:
            raise ShapeError(f"KeyValueCache: there is room for {self.positions} tokens, {end} are given")
        if layer == len(self._layers):
            shape = (*k.shape[:2], self.positions, k.shape[3])
            empty = [zeros(*shape, dtype=new.dtype, device=new.device) for new in (k, v)]
            self._layers.append((empty[0], empty[1]))
        kept = self._layers[layer]
        with no_grad():
            for whole, new in zip(kept, (k, v), strict=True):
                whole[:, :, self.length : end] = new
        return kept[0][:, :, :end], kept[1][:, :, :end]

    def advance(self, count: int) -> None:
        """Count `count` tokens as read by every layer."""
        self.length += count

    def reorder(self, rows: Any) -> None:
        """Keep the sequences `rows` (N',), in their order; one may be kept several times."""
        self._layers = [(k[rows], v[rows]) for k, v in self._layers]


def sample(
    logits: Any,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    random: np.random.Generator | None = None,
) -> np.ndarray:
    """Draw a token from each row of logits (N, V): int64 (N,).

    temperature: divides the logits; 0 takes the likeliest. top_k: only the k likeliest (Fan et al. 2018). top_p: only
    the likeliest whose probabilities together reach p (Holtzman et al. 2020). random: by default a new generator from
    NumPy. Raises OptionError for values out of range, ShapeError for logits of another shape.

    >>> gg.models.sample(gg.tensor([[0.0, 2.0, 1.0]]), temperature=0).tolist()
    [1]
    >>> gg.models.sample(gg.tensor([[0.0, 2.0, 1.0]]), top_k=1).tolist()
    [1]
    """
    limits = top_k is None or (isinstance(top_k, (int, np.integer)) and top_k >= 1), top_p is None or 0 < top_p <= 1
    if not (temperature >= 0 and all(limits)):
        raise OptionError(
            "sample: temperature must be at least 0, top_k a whole number of at least 1, top_p in (0, 1], got "
            f"{temperature}, {top_k}, {top_p}"
        )
    scores = np.asarray(logits.detach().cpu().numpy() if isinstance(logits, Tensor) else logits, np.float64)
    if scores.ndim != 2 or not scores.shape[1]:
        raise ShapeError(f"sample: expected logits (N, V) of at least one token, got shape {scores.shape}")
    if temperature == 0:
        return scores.argmax(axis=1)
    scores = scores / temperature
    order = np.argsort(-scores, axis=1, kind="stable")
    ranked = np.take_along_axis(scores, order, axis=1)
    probabilities = np.exp(ranked - ranked[:, :1])
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    if top_k is not None:
        probabilities[:, top_k:] = 0
    if top_p is not None:
        before = np.cumsum(probabilities, axis=1) - probabilities
        probabilities[before >= top_p] = 0  # the first reaches p with what comes before it, and stays
    totals = np.cumsum(probabilities, axis=1)
    drawn = (np.random.default_rng() if random is None else random).random((len(scores), 1)) * totals[:, -1:]
    return np.take_along_axis(order, (totals <= drawn).sum(axis=1, keepdims=True), axis=1)[:, 0]


def generate(
    model: Any,
    tokens: Any,
    count: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int | None = None,
    cache: bool = True,
    end: int | None = None,
) -> Tensor:
    """Continue token sequences (N, T) by `count` tokens, drawn one after the other (see `sample`): (N, T + count).

    model: a causal one with `n_positions`, called as `model(tokens, cache=...)`, such as `GPT`. cache: keep keys and
    values, so that a step costs one token's work and not all tokens'; what is written is the same. end: a token after
    which nothing but it follows in a row. Raises ShapeError where T + count is beyond the model's positions, or T is 0.

    >>> model = gg.models.GPT(vocab_size=11, n_positions=16, n_embd=8, n_layer=1, n_head=2)
    >>> gg.models.generate(model, gg.tensor([[1, 2]]), 3, temperature=0).shape
    (1, 5)
    """
    tokens = asarray(tokens, device=next(model.parameters()).device)
    if tokens.ndim != 2 or not tokens.shape[1]:
        raise ShapeError(f"generate: expected sequences (N, T) of at least one token, got shape {tokens.shape}")
    if count < 0:
        raise OptionError(f"generate: count must be at least 0, got {count}")
    if tokens.shape[1] + count > model.n_positions:
        raise ShapeError(
            f"generate: {tokens.shape[1]} tokens and {count} more are beyond the model's {model.n_positions} positions"
        )
    random, written = np.random.default_rng(seed), tokens.cpu().numpy().astype(np.int64)
    kept, read = KeyValueCache(model.n_positions) if cache else None, 0
    with evaluating(model), no_grad():
        for _ in range(count):
            given = asarray(written[:, read:], device=tokens.device)
            logits = model(given) if kept is None else model(given, cache=kept)
            read = 0 if kept is None else written.shape[1]
            new = sample(logits[:, -1], temperature, top_k, top_p, random)
            if end is not None:
                new = np.where((written[:, tokens.shape[1] :] == end).any(axis=1), end, new)
            written = np.concatenate([written, new[:, None]], axis=1)
    return asarray(written, device=tokens.device)


class Hypothesis(NamedTuple):
    """A sequence found by beam search: its tokens without the start and the end, and the logarithm of its probability.

    >>> gg.models.Hypothesis([3, 4], -0.5).tokens
    [3, 4]
    """

    tokens: list[int]
    log_probability: float


def beam_search(
    score: Callable[[np.ndarray], np.ndarray],
    start: int,
    end: int,
    width: int = 4,
    max_length: int = 50,
    length_penalty: float = 0.0,
) -> list[Hypothesis]:
    """Return the best sequences found by keeping the `width` best beginnings, the best first.

    score: beginnings (n, T), which all begin with `start`, -> the logarithms of the next token's probabilities (n, V).
    A sequence is over with `end`, or after `max_length` tokens. They are ranked by log p / L^length_penalty, where L
    counts the tokens with the end (Wu et al. 2016, section 7, with L itself instead of (5 + L) / 6); the search goes on
    until no beginning can overtake what is found. The greedy beginning is always kept, so the result is never ranked
    below the greedy sequence, which it is for width 1.

    Raises OptionError for a width below 1 or beyond the vocabulary, a length below 0, a penalty that is no number.

    >>> def score(beginnings):  # 0 is likelier at first, but 1 leads to certainty
    ...     after = {0: [0.4, 0.3, 0.3], 1: [0.01, 0.01, 0.98], 9: [0.6, 0.4, 0.0001]}
    ...     return np.log([after[row[-1]] for row in beginnings])
    >>> [gg.models.beam_search(score, 9, 2, width, max_length=2)[0].tokens for width in (1, 2)]
    [[0, 0], [1]]
    """
    if not isinstance(width, (int, np.integer)) or width < 1:
        raise OptionError(f"beam_search: width must be a whole number of at least 1, got {width}")
    if max_length < 0 or not math.isfinite(length_penalty):
        raise OptionError(
            f"beam_search: max_length must be at least 0, length_penalty finite, got {max_length}, {length_penalty}"
        )
    beams, logs, found = np.array([[start]]), np.zeros(1), []
    greedy: int | None = 0  # the row of the greedy beginning, until it is over

    def ranked(hypothesis: tuple[list[int], float, int]) -> float:
        return hypothesis[1] / hypothesis[2] ** length_penalty

    for step in range(1, max_length + 1):
        scores = np.asarray(score(beams), np.float64)
        if width > scores.shape[1]:
            raise OptionError(f"beam_search: width {width} is beyond the vocabulary of {scores.shape[1]} tokens")
        totals = logs[:, None] + scores
        best = np.argsort(-totals, axis=None, kind="stable")[: 2 * width].tolist()  # ends do not crowd out others
        if greedy is not None:
            followed = greedy * scores.shape[1] + int(scores[greedy].argmax())
            best = best if followed in best[:width] else [*best[: width - 1], followed, *best[width - 1 :]]
        places = [divmod(place, scores.shape[1]) for place in best]
        found += [(beams[r, 1:].tolist(), float(totals[r, t]), step) for r, t in places[:width] if t == end]
        going = [place for place in places if place[1] != end][:width]
        if greedy is not None:
            next_greedy = divmod(followed, scores.shape[1])
            greedy = going.index(next_greedy) if next_greedy[1] != end else None
        if not going or (width == 1 and greedy is None):
            break
        rows, tokens = (np.array(column) for column in zip(*going, strict=True))
        beams, logs = np.concatenate([beams[rows], tokens[:, None]], axis=1), totals[rows, tokens]
        longest = max_length if length_penalty > 0 else step + 1
        if found and greedy is None and max(map(ranked, found)) >= logs.max() / longest**length_penalty:
            break
    else:
        found += [(row[1:].tolist(), float(log), max_length) for row, log in zip(beams, logs, strict=True)]
    found.sort(key=ranked, reverse=True)
    return [Hypothesis(tokens, log) for tokens, log, _ in found[:width]]
