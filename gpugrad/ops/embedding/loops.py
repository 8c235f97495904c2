"""A compiled loop for sums of rows that share an id."""

from ...backend.cpu.loops import Int, Ints, Rows, loop


@loop
def segment_sum(x: Rows, segments: Ints, first: Int, stop: Int, out: Rows):
    """Set the rows of `out` from `first` to `stop` to the sums of the rows of x that have their number, in order."""
    for s in range(first, stop):
        for k in range(x.shape[1]):
            out[s, k] = 0.0
    for i in range(x.shape[0]):
        s = segments[i]
        if first <= s < stop:
            for k in range(x.shape[1]):
                out[s, k] += x[i, k]
