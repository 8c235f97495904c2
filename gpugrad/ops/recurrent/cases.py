"""The inputs on which recurrent layers are checked and measured."""

from typing import Any


def samples(gates: int, cells: bool = False, projected: bool = False) -> Any:
    """Return cases for a layer with `gates` gates: one step, several, packed sequences, both directions, without
    biases.
    """

    def cases(s: Any) -> list:
        def case(sizes: tuple, inputs: int, hidden: int, bias: bool = True, out: int = 0, **attributes: Any) -> Any:
            out, rows = out or hidden, gates * hidden
            arrays = [0.5 * s(sum(sizes), inputs), s(sizes[0], out), *([s(sizes[0], hidden)] if cells else [])]
            arrays += [s(rows, inputs), 0.5 * s(rows, out), *(s(2, rows) if bias else (None, None))]
            arrays += [s(out, hidden)] if out != hidden else []
            return s.case(*arrays, sizes=sizes, **attributes)

        made = [case((2, 2, 2), 3, 2), case((3, 2, 2, 1), 2, 2), case((3, 2, 2, 1), 2, 2, reverse=True)]
        made += [case((2,), 2, 3, bias=False), case((1, 1), 1, 1, reverse=True)]
        return made + ([case((2, 2, 1), 2, 3, out=2), case((2, 1), 2, 2, out=1, reverse=True)] if projected else [])

    return cases


def measured(gates: int, cells: bool = False) -> Any:
    """Return a function that yields cases to time: 64 steps of a batch, all of one width."""

    def cases(s: Any) -> Any:
        for batch, width in ((32, 128), (8, 64), (64, 512)):
            weights = (width**-0.5 * s(gates * width, width) for _ in range(2))
            states = (s(batch, width) for _ in range(2 if cells else 1))
            biases = (s(gates * width) for _ in range(2))
            yield s.case(s(64 * batch, width), *states, *weights, *biases, sizes=(batch,) * 64)

    return cases


def products(x: Any, w_ih: Any, w_hh: Any) -> tuple[int, int]:
    """Return the arithmetic operations of forward and backward."""
    once = 2 * x.shape[0] * (w_ih.size + w_hh.size)
    return once, 2 * once
