"""Compiled loops of pooling. Rows are (pixels * channels) of inputs, (windows * channels) of outputs."""

from typing import Annotated, Any

from ...backend.cpu.loops import Int, Ints, Kind, Rows, loop

Offsets = Annotated[Any, Kind(2, "uint8")]
Numbers = Annotated[Any, Kind(1, "uint8")]
Places = Annotated[Any, Kind(2, "int64")]
_INFINITY = float("inf")


@loop(scalar=1)  # the offset of the first input is filled in by the C library
def max_pool(x: Rows, places: Places, numbers: Numbers, start: Int, stop: Int, width: Int, out: Rows, offsets: Offsets):
    """Set `out` to the maxima of the windows from `start` to `stop` (of all rows), and `offsets` to where they are.

    places: (windows, offsets in a window), where in a row of x the channels of that input begin; -1 is padding.
    numbers: those of the offsets.
    """
    for window in range(start, stop):
        m, p = window // places.shape[0], window % places.shape[0]
        most, code = out[m, p * width : (p + 1) * width], offsets[m, p * width : (p + 1) * width]
        inside = 0
        while inside < places.shape[1] - 1 and places[p, inside] < 0:
            inside += 1
        for k in range(width):
            most[k] = -_INFINITY
        for k in range(width):
            code[k] = numbers[inside]
        for i in range(inside, places.shape[1]):
            if places[p, i] >= 0:
                source = x[m, places[p, i] : places[p, i] + width]
                number = numbers[i]
                for k in range(width):
                    best, value, old = most[k], source[k], code[k]  # the first NaN wins
                    most[k] = best if best != best else best if value <= best else value
                    code[k] = old if best != best else old if value <= best else number


@loop(scalar=2)  # zeros are the C library's
def max_pool_gradient(g: Rows, offsets: Offsets, starts: Ints, jumps: Ints, width: Int, out: Rows):
    """Set `out` to the gradient of the input.

    starts: for each window, the place in a row of its first input, before 0 if that is padding. jumps: for each offset
    in a window, the places from there to its input.
    """
    for m in range(out.shape[0]):
        row = out[m]
        for k in range(out.shape[1]):
            row[k] = 0.0
        for p in range(starts.shape[0]):
            for k in range(width):
                row[starts[p] + jumps[offsets[m, p * width + k]] + k] += g[m, p * width + k]
