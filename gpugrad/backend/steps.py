"""The rows of a batch of sequences, step by step: how recurrent layers walk over time.

Sequences of different lengths are packed: all first elements, then all second ones, and so on. With the longest
sequence first, those that are still running at a step are the first ones of the batch, so `sizes`, how many those are,
says everything. `sizes` never grows; sequences of one length are the case in which it stays the same.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any

from .namespace import xp

Piece = tuple[bool, int, int]  # from the outputs (or else from the start), rows from, rows to


class Steps:
    """One direction over packed sequences. `rows[t]` is the slice of step t, `order` the steps as they are taken."""

    def __init__(self, sizes: tuple[int, ...], reverse: bool):
        if not sizes or sizes[-1] < 0 or any(a < b for a, b in pairwise(sizes)):
            raise ValueError(f"sizes must be one number for each step that never grows, got {sizes}")
        ends = list(accumulate(sizes, initial=0))
        self.sizes, self.count, self.total = sizes, sizes[0], ends[-1]
        self.rows = [slice(a, b) for a, b in pairwise(ends)]
        self.order = range(len(sizes))[:: -1 if reverse else 1]
        self.cuts = ends[1:-1]
        nexts = [*sizes[1:], 0]
        if reverse:
            self._last = [(True, 0, self.count)]
            pieces = [
                piece
                for start, size, later in zip(ends[1:], sizes, nexts, strict=True)
                for piece in ((True, start, start + later), (False, later, size))
            ]
        else:
            ending = zip(ends[:-1], sizes, nexts, strict=True)
            self._last = [(True, start + later, start + size) for start, size, later in ending][::-1]
            pieces = [(False, 0, self.count), *((True, a, a + n) for a, n in zip(ends[:-2], sizes[1:], strict=True))]
        self._last, self._before = _merged(self._last), _merged(pieces)

    def last(self, outputs: Any) -> Any:
        """The output (N, H) after each sequence's last step, of the outputs (S, H) of all steps."""
        return _gather(self._last, outputs, outputs)

    def before(self, start: Any, outputs: Any) -> Any:
        """The states (S, H) before each step, of those at the start (N, H) and after each step (S, H)."""
        return _gather(self._before, start, outputs)

    def split(self, array: Any) -> Sequence:
        """The rows (n, ...) of each step of (S, ...)."""
        return xp(array).split(array, self.cuts) if self.cuts else [array]

    def pieces(self, count: int, back: bool = False) -> list[tuple[slice, Sequence[int]]]:
        """The walk in at most `count` pieces: the rows of each, and its steps as they are taken."""
        order = self.order[::-1] if back else self.order
        bounds = [len(order) * i // count for i in range(count + 1)]
        parts = [order[a:b] for a, b in pairwise(bounds) if a < b]
        return [(slice(self.rows[min(part)].start, self.rows[max(part)].stop), part) for part in parts]

    def run(self, step: Callable, state: Sequence, back: bool = False) -> tuple[list, list]:
        """Take every step: `step(t, *states of the running sequences)` gives (a result, the new states).

        Returns the results in the order of time, and the states at the end. back: the other way round.
        """
        results: list = [None] * len(self.sizes)
        for t in self.order[::-1] if back else self.order:
            n = self.sizes[t]
            if n == self.count:
                results[t], state = step(t, *state)
            else:
                results[t], new = step(t, *[s[:n] for s in state])
                state = [xp(s).concatenate([made, s[n:]]) for made, s in zip(new, state, strict=True)]
        return results, list(state)


@lru_cache(maxsize=256)
def steps(sizes: tuple[int, ...], reverse: bool) -> Steps:
    """The Steps of these sizes, made once."""
    return Steps(sizes, reverse)


def _merged(pieces: list[Piece]) -> list[Piece]:
    """The same rows in as few pieces as possible."""
    merged: list[Piece] = []
    for source, start, stop in pieces:
        if start == stop:
            continue
        if merged and merged[-1][0] == source and merged[-1][2] == start:
            merged[-1] = (source, merged[-1][1], stop)
        else:
            merged.append((source, start, stop))
    return merged or [(True, 0, 0)]


def _gather(pieces: list[Piece], start: Any, outputs: Any) -> Any:
    found = [(outputs if from_outputs else start)[a:b] for from_outputs, a, b in pieces]
    return found[0] if len(found) == 1 else xp(outputs).concatenate(found)
