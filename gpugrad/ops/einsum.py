"""Einstein summation. Two operands become one matrix product; the gradient of an operand is another einsum."""

from functools import lru_cache
from math import prod
from typing import Any

from ..autograd.convert import raw
from ..autograd.op import Many, op, xp
from ..autograd.tensor import Tensor
from .in_turn import InTurn

__all__ = ["einsum"]

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@lru_cache(maxsize=512)
def _parse(subscripts: str, ranks: tuple[int, ...]) -> tuple[list[str], str]:
    """Return the labels of each operand and of the result.

    "..." is replaced by letters that the subscripts do not use: "i...,...j" of two and three axes gives (["ib", "abj"],
    "abij").
    """
    inputs, arrow, out = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(ranks):
        raise ValueError(f"{subscripts!r} names {len(terms)} operands, {len(ranks)} were given")
    free = [c for c in _LETTERS if c not in subscripts]
    extra = [rank - len(term.replace("...", "")) for term, rank in zip(terms, ranks, strict=True)]
    for term, more in zip(terms, extra, strict=True):
        if more < 0 or more and "..." not in term:
            raise ValueError(f"{subscripts!r}: the labels {term!r} do not fit an operand with {len(term) + more} axes")
    dots = "".join(free[: max(more if "..." in term else 0 for term, more in zip(terms, extra, strict=True))])
    spelled = [term.replace("...", dots[len(dots) - more :]) for term, more in zip(terms, extra, strict=True)]
    labels = "".join(spelled)
    if not arrow:
        out = "..." + "".join(sorted(c for c in set(labels) - set(dots) if labels.count(c) == 1))
    out = out.replace("...", dots)
    if bad := [c for c in labels + out if c not in _LETTERS]:
        raise ValueError(f"{subscripts!r}: {bad[0]!r} is not a label")
    if len(set(out)) < len(out) or not set(out) <= set(labels):
        raise ValueError(f"{subscripts!r}: each label of the result must be an operand's, and stand there once")
    return spelled, out


def _is_sublist(axes: Any) -> bool:
    return isinstance(axes, (list, tuple)) and all(axis is Ellipsis or isinstance(axis, int) for axis in axes)


def _spelled(args: tuple) -> tuple:
    """Return `x, [0, 1], y, [1, 2], [0, 2]` as subscripts and operands."""
    count = len(args) // 2
    numbers = sorted(
        {axis for axes in (*args[1 : 2 * count : 2], *args[2 * count :]) for axis in axes if axis is not ...}
    )
    letters = dict(zip(numbers, _LETTERS[26:] + _LETTERS[:26], strict=False))  # in NumPy's order: A, B, ..., a, b, ...
    terms = ["".join("..." if axis is ... else letters[axis] for axis in axes) for axes in args[1 : 2 * count : 2]]
    out = ["".join("..." if axis is ... else letters[axis] for axis in axes) for axes in args[2 * count :]]
    return (",".join(terms) + "".join(f"->{term}" for term in out), *args[: 2 * count : 2])


class Einsum(InTurn):
    """An op that takes the subscripts first, or lists of axes behind the operands, as NumPy's function does."""

    def __call__(self, *args: Any, optimize: Any = None, **kwargs: Any) -> Any:
        if len(args) > 1 and not isinstance(args[0], str) and _is_sublist(args[1]):
            args = _spelled(args)
        if args and isinstance(args[0], str) and not kwargs:
            operands = args[1] if len(args) == 2 and isinstance(args[1], (list, tuple)) else args[1:]
            return super().__call__(operands, subscripts=args[0])
        return super().__call__(*args, **kwargs)

    @property
    def __signature__(self) -> Any:
        from inspect import Parameter, Signature

        subscripts = Parameter("subscripts", Parameter.POSITIONAL_ONLY)
        return Signature([subscripts, Parameter("operands", Parameter.VAR_POSITIONAL)])


@op(
    samples=lambda s: [
        s.case([s(3, 4), s(4, 2)], subscripts="ij,jk->ik"),
        s.case([s(3, 4), s(4, 2)], subscripts="ij, jk"),
        s.case([s(3, 3)], subscripts="ii->i"),
        s.case([s(3, 3)], subscripts="ii"),
        s.case([s(2, 3)], subscripts="ij->ji"),
        s.case([s(2, 3)], subscripts="ij->j"),
        s.case([s(2, 3, 4), s(2, 4, 3)], subscripts="bij,bji->b"),
        s.case([s(2, 3, 4), s(4, 2)], subscripts="...j,jk->...k"),
        s.case([s(2, 1, 3), s(2, 3)], subscripts="...i,...i->..."),
        s.case([s(3), s(2)], subscripts="i,j->ji"),
        s.case([s(2, 3), s(3, 2), s(2, 2)], subscripts="ij,jk,kl->il"),
        s.case([s(3, 3), s(3)], subscripts="ii,i->"),
        s.case([s(2, 3), s(2, 4)], subscripts="ij,ik->k"),
        s.case([s(3, 4), s(1)], subscripts="ij,j->i"),
        s.case([s(), s(2)], subscripts=",i->i"),
        s.case([s(2, 3, 4, 2), s(2, 3, 5)], subscripts="abcd,abe->dceb"),
        s.case([s(2, 2, 3)], subscripts="iij->"),
        s.case([s(0, 3), s(3, 2)], subscripts="ij,jk->ik"),
        s.case([s(2, 0), s(0, 3)], subscripts="ij,jk->ik"),
        s.case([s(4, 3).T, s(8, 2)[::2]], subscripts="ij,jk->ik"),
        s.case([s(2, 3), s(2, 3)], subscripts="...,..."),
    ],
    make=Einsum,
    broadcasts=True,
    autocast="low",
    complex="holomorphic",
)
def einsum(operands: Many, *, subscripts):
    """Return the sum of products of elements over every label that the result does not have.

    subscripts: one label per axis, operands separated by commas, then "->" and the labels of the result; without it,
    the labels that occur once, in alphabetical order. A label repeated in one operand takes its diagonal; "..." stands
    for axes that broadcast. "ij,jk->ik" is a matrix product: out[i, k] = sum_j x[i, j] y[j, k].

    Raises ShapeError if labels and axes do not match, or a label has two lengths.

    >>> gg.einsum("ij,jk->ik", gg.tensor([[1.0, 2.0]]), gg.tensor([[3.0], [4.0]]))
    tensor([[11.]])
    """
    terms, out = _parse(subscripts, tuple(x.ndim for x in operands))
    if len(operands) == 2:
        return _contract_pair(operands[0], operands[1], terms[0], terms[1], out)
    result = xp(operands[0]).einsum(f"{','.join(terms)}->{out}", *operands, optimize=len(operands) > 2)
    return result.copy() if len(operands) == 1 else result


def _contract_pair(x: Any, y: Any, left: str, right: str, out: str) -> Any:
    """Contract two operands, whose axes have the labels `left` and `right`, by one matrix product.

    A label plays one of four parts: batch (in both operands and in the result), summed (in both only), row (in x and in
    the result), column (in y and in the result). Labels of a single operand that the result lacks are summed before.
    Axes are then sorted by part, and those of one part merged, so that x is (batch, rows, summed) and y (batch, summed,
    columns).

    Example: "abcd,abe->dceb". b is batch, a is summed, d and c are rows, e is a column. x (a, b, c, d) becomes
    (b, d * c, a) and y (a, b, e) becomes (b, a, e). Their product (b, d * c, e) is (b, d, c, e) with the rows taken
    apart, and (d, c, e, b) transposed.
    """
    sizes, others = dict(zip(left, x.shape, strict=True)), dict(zip(right, y.shape, strict=True))
    for label in sizes:
        if label in others and sizes[label] != others[label] and 1 not in (sizes[label], others[label]):
            raise ValueError(f"label {label!r} has length {sizes[label]} in one operand, {others[label]} in the other")
    # An axis of length 1 that meets a longer one is dropped: the product broadcasts it.
    ours = {c for c, n in sizes.items() if n != 1 or others.get(c, 1) == 1}
    theirs = {c for c, n in others.items() if n != 1 or sizes.get(c, 1) == 1}
    x, left = _sum_other_labels(x, left, ours & (theirs | set(out)))
    y, right = _sum_other_labels(y, right, theirs & (ours | set(out)))
    batch = [c for c in out if c in left and c in right]
    summed = [c for c in left if c in right and c not in out]
    rows, columns = [c for c in out if c in left and c not in right], [c for c in out if c in right and c not in left]
    if not summed or batch and not rows and not columns:
        return xp(x).einsum(f"{left},{right}->{out}", x, y)
    sizes = {**others, **sizes, **dict(zip(right, y.shape, strict=True)), **dict(zip(left, x.shape, strict=True))}
    b, m, k, n = ([sizes[c] for c in part] for part in (batch, rows, summed, columns))
    x = x.transpose([left.index(c) for c in (*batch, *rows, *summed)]).reshape(*b, prod(m), prod(k))
    y = y.transpose([right.index(c) for c in (*batch, *summed, *columns)]).reshape(*b, prod(k), prod(n))
    made = [*batch, *rows, *columns]
    return xp(x).matmul(x, y).reshape((*b, *m, *n)).transpose([made.index(c) for c in out])


def _sum_other_labels(x: Any, labels: str, keep: set[str]) -> tuple[Any, str]:
    """Sum x over the labels outside `keep`, and take the diagonal of repeated ones. Returns it and its labels."""
    kept = "".join(c for c in dict.fromkeys(labels) if c in keep)
    return (x, labels) if len(kept) == len(labels) else (xp(x).einsum(f"{labels}->{kept}", x), kept)


def _rule(g: Any, operands: tuple, i: int, subscripts: str) -> Any:
    """Return the gradient of operand i: the einsum in which the result and operand i change places.

    For "ij,jk->ik", that of the first operand is "ik,jk->ij" of g and the second. A label that operand i repeats gets a
    letter of its own the second time, tied to the first by an identity matrix: for "ii->i", "i,ij->ij". A label that
    only operand i has was summed away, so the gradient is the same all along it: it is broadcast at the end.
    """
    terms, out = _parse(subscripts, tuple(x.ndim for x in operands))
    fresh = iter([c for c in _LETTERS if c not in "".join(terms)])
    wanted, sources, arrays = [], [out], [g]
    for j, (term, x) in enumerate(zip(terms, operands, strict=True)):
        if j != i:
            sources.append(term)
            arrays.append(x)
    shape = operands[i].shape
    for label, n in zip(terms[i], shape, strict=True):
        if label in wanted:
            link = next(fresh)
            sources.append(label + link)
            arrays.append(xp(raw(g)).eye(n, dtype=g.dtype))
            label = link
        wanted.append(label)
    found = set("".join(sources))
    gx = _contract(f"{','.join(sources)}->{''.join(c for c in wanted if c in found)}", *arrays)
    lengths = iter(gx.shape)
    have = tuple(next(lengths) if c in found else 1 for c in wanted)
    full = tuple(n if m == 1 else m for n, m in zip(shape, have, strict=True))
    gx = gx.reshape(have)
    return gx if have == full else xp(gx).broadcast_to(gx, full)


einsum.vjp(operands=_rule)


def _contract(subscripts: str, *operands: Any) -> Any:
    """Contract operands that are arrays or Tensors."""
    return (einsum if isinstance(operands[0], Tensor) else einsum.forward)(operands, subscripts=subscripts)
