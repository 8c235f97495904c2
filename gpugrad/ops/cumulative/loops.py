"""Compiled loops of running sums and products, in the order of the places.

Cubes are (lines, places, lanes); a loop does the lanes from `start` to `stop`. Rows are (lines, places).
"""

from ...backend.cpu.loops import Cube, Int, Rows, loop


@loop
def sums_of_lanes(x: Cube, start: Int, stop: Int, out: Cube):
    for i in range(x.shape[0]):
        first, into = x[i, 0, start:stop], out[i, 0, start:stop]
        for k in range(stop - start):
            into[k] = first[k]
        for j in range(1, x.shape[1]):
            value, before, into = x[i, j, start:stop], out[i, j - 1, start:stop], out[i, j, start:stop]
            for k in range(stop - start):
                into[k] = before[k] + value[k]


@loop
def products_of_lanes(x: Cube, start: Int, stop: Int, out: Cube):
    for i in range(x.shape[0]):
        first, into = x[i, 0, start:stop], out[i, 0, start:stop]
        for k in range(stop - start):
            into[k] = first[k]
        for j in range(1, x.shape[1]):
            value, before, into = x[i, j, start:stop], out[i, j - 1, start:stop], out[i, j, start:stop]
            for k in range(stop - start):
                into[k] = before[k] * value[k]


@loop(scalar=1)
def sums(x: Rows, out: Rows):
    for i in range(x.shape[0]):
        total = 0.0
        for j in range(x.shape[1]):
            total += x[i, j]
            out[i, j] = total


@loop(scalar=1)
def products(x: Rows, out: Rows):
    for i in range(x.shape[0]):
        total = 1.0
        for j in range(x.shape[1]):
            total *= x[i, j]
            out[i, j] = total
