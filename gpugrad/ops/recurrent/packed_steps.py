"""Variable-length sequences packed by time step, and the order in which a recurrent layer takes their steps.

All first elements come first, then all second ones, and so on. The longest sequence is the first of the batch, so the
sequences that still run at a step are the first ones of the batch, and their number at each step, `sizes`, says
everything. It never grows; sequences of one length are the case in which it stays the same.

Example: the sequences a (4 elements), b (3) and c (1) have sizes (3, 2, 2, 1) and these rows:

    row      0  1  2    3  4    5  6    7
            a0 b0 c0   a1 b1   a2 b2   a3

`last` picks the outputs after each sequence's last step: rows 7, 6 and 2, or, in reverse, 0 to 2. `before` puts
together the states before each step. They are the states at the start of a, b and c, then the outputs in rows 0, 1 (for
a1, b1), 3, 4 (for a2, b2) and 5 (for a3). In reverse, a0 and b0 follow the rows 3 and 4, while c0 has its start; a1 and
b1 follow 5 and 6; a2 follows 7, while b2 has its start; and so has a3.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any

from ...backend.namespace import xp

Piece = tuple[bool, int, int]  # whether rows are taken from the outputs (else from the start), the first, the end


class PackedSteps:
    """One direction over packed sequences. `rows[t]` is the slice of step t, `order` the order of the steps."""

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
        """Pick the output (N, H) after each sequence's last step from the outputs (S, H) of all steps."""
        return _gather(self._last, outputs, outputs)

    def before(self, start: Any, outputs: Any) -> Any:
        """Put together the states (S, H) before each step from those at the start (N, H) and after each step (S, H)."""
        return _gather(self._before, start, outputs)

    def split(self, array: Any) -> Sequence:
        """Split an array (S, ...) into the rows (n, ...) of each step."""
        return xp(array).split(array, self.cuts) if self.cuts else [array]

    def pieces(self, count: int, back: bool = False) -> list[tuple[slice, Sequence[int]]]:
        """Cut the steps, in their order, into at most `count` pieces. Returns the rows and the steps of each."""
        order = self.order[::-1] if back else self.order
        bounds = [len(order) * i // count for i in range(count + 1)]
        parts = [order[a:b] for a, b in pairwise(bounds) if a < b]
        return [(slice(self.rows[min(part)].start, self.rows[max(part)].stop), part) for part in parts]

    def run(self, step: Callable, state: Sequence, back: bool = False) -> tuple[list, list]:
        """Take every step: `step(t, *states of the running sequences)` returns (a result, the new states).

        Returns the results in the order of time, and the states at the end. back: take the steps in opposite order.
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
def packed_steps(sizes: tuple[int, ...], reverse: bool) -> PackedSteps:
    """Return the PackedSteps of these sizes, made once."""
    return PackedSteps(sizes, reverse)


def _merged(pieces: list[Piece]) -> list[Piece]:
    """Join neighbouring pieces, so that the same rows are in as few as possible."""
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
