"""Compiled loops of attention, over the rows of a block of scores."""

from ...backend.cpu.loops import Row, Rows, loop
from ...backend.cpu.loops.language import maximum
from ...backend.cpu.loops.mathematics import exp_weight

_NOTHING = -float("inf")  # the score of a key that may not be looked at


@loop
def exponentials(scores: Rows, totals: Row, peaks: Row):
    """Make exp(scores - peak) in place, and each row's sum and peak. A row of -inf becomes zeros, with a sum of 1."""
    for r in range(scores.shape[0]):
        peak = scores[r, 0]
        for k in range(scores.shape[1]):
            peak = maximum(peak, scores[r, k])
        shift = 0.0 if peak == _NOTHING else peak
        total = 0.0
        for k in range(scores.shape[1]):
            e = exp_weight(scores[r, k] - shift)
            scores[r, k] = e
            total += e
        totals[r] = 1.0 if total == 0.0 else total
        peaks[r] = peak


@loop
def probabilities(scores: Rows, shifts: Row):
    """Make exp(scores - shift) in place."""
    for r in range(scores.shape[0]):
        for k in range(scores.shape[1]):
            scores[r, k] = exp_weight(scores[r, k] - shifts[r])


@loop
def gradient(ds: Rows, p: Rows, deltas: Row):
    """Make the gradient of the scores, (ds - delta) p, of ds, that of the probabilities p."""
    for r in range(ds.shape[0]):
        for k in range(ds.shape[1]):
            ds[r, k] = (ds[r, k] - deltas[r]) * p[r, k]
