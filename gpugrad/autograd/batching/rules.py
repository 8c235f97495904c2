"""The batching rules: how an op is called once for all examples of a batch.

A rule gets the op, its inputs as pairs (Tensor, mapped: whether the batch's axis is in front) and its attributes, and
returns results with the batch's axis in front; NotImplemented leaves the call to a loop over the examples. Rules follow
from the declaration where it says enough: elementwise ops broadcast, an attribute `axis` moves by one. The table at
the end of the file names the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...errors import ShapeError
from ..graph import EMPTY
from ..paths import FOLLOWING, DevicePath
from ..table import OPS
from ..tensor import Tensor
from ..ufunc import Elementwise
from .batched import Batched

Pair = tuple[Tensor, bool]


class Batching(DevicePath):
    """The path of an op on the arrays of vmap."""

    def __init__(self, op: Any):
        super().__init__(op.forward, low=True)
        self.op, self.complex = op, True

    def run(self, arrays: list, attributes: dict, many: bool) -> Any:
        self.runs += 1
        level = next(a.device for a in arrays if a.__class__ is Batched)
        with level.left():
            pairs = [None if a is None else _pair(level.asarray(a)) for a in arrays]
            inside = _holds_batched(attributes)
            if not inside and not any(pair[1] for pair in pairs if pair is not None):
                given = [None if pair is None else pair[0] for pair in pairs]
                return _results(
                    level, self.op(given, **attributes) if many else self.op(*given, **attributes), False
                ), EMPTY
            rule = _rule_of(self.op)
            out = NotImplemented
            if rule is not None and (not inside or self.op.name in BY_INDEX):
                out = rule(self.op, pairs, attributes, level.length)
            if out is NotImplemented:
                out = _loop(self.op, pairs, attributes, level.length)
        return _results(level, out, True), EMPTY


def _pair(array: Batched) -> Pair:
    return array.tensor, array.mapped


def _results(level: Any, out: Any, mapped: bool) -> Any:
    return tuple(Batched(o, mapped, level) for o in out) if isinstance(out, tuple) else Batched(out, mapped, level)


def _holds_batched(value: Any) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        return any([_holds_batched(v) for v in value])
    return value.__class__ is Batched


def _rule_of(op: Any) -> Callable | None:
    if op.name in RULES:
        return RULES[op.name]
    if isinstance(op, Elementwise):
        return _broadcasting
    return _along_axis if "axis" in op.attributes and (len(op.inputs) == 1 and not op.many) else None


def _call(op: Any, given: Sequence, attributes: dict) -> Any:
    return op(list(given), **attributes) if op.many else op(*given, **attributes)


def _example(value: Any, i: int) -> Any:
    """Return example i of attributes that hold Batched arrays."""
    if value.__class__ is Batched:
        return value.tensor._array[i] if value.mapped else value.tensor._array
    return type(value)([_example(v, i) for v in value]) if value.__class__ in (tuple, list) else value


def _loop(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    """Call the op for each example, and stack what it returns."""
    if not length:
        raise ShapeError(f"vmap: {op.name} has no rule for batches and would be called for each example, of 0")
    outs = []
    for i in range(length):
        given = [None if p is None else p[0][i] if p[1] else p[0] for p in pairs]
        outs.append(_call(op, given, {name: _example(value, i) for name, value in attributes.items()}))
    if isinstance(outs[0], tuple):
        return tuple(OPS["stack"](list(column), axis=0) for column in zip(*outs, strict=True))
    return OPS["stack"](outs, axis=0)


# Parts of rules


def front(pair: Pair, length: int) -> Tensor:
    """Return the Tensor with the batch's axis in front, repeated if it is the same for all examples."""
    tensor, mapped = pair
    return tensor if mapped else OPS["broadcast_to"](tensor, shape=(length, *tensor.shape))


def _rank(pair: Pair) -> int:
    return pair[0].ndim - pair[1]


def _shape(pair: Pair) -> tuple[int, ...]:
    return pair[0].shape[1:] if pair[1] else pair[0].shape


def _aligned(pair: Pair | None, rank: int) -> Any:
    """Return the Tensor with axes of length 1 behind the batch's, so that an example has `rank` axes."""
    if pair is None or not pair[1] or _rank(pair) == rank:
        return None if pair is None else pair[0]
    shape = pair[0].shape
    return OPS["reshape"](pair[0], shape=(shape[0], *(1,) * (rank - _rank(pair)), *shape[1:]))


def _merged(pair: Pair, length: int) -> Tensor:
    """Return the Tensor with the batch's axis merged into the first."""
    tensor = front(pair, length)
    return OPS["reshape"](tensor, shape=(tensor.shape[0] * tensor.shape[1], *tensor.shape[2:]))


def _split(tensor: Tensor, length: int) -> Tensor:
    return OPS["reshape"](tensor, shape=(length, tensor.shape[0] // length, *tensor.shape[1:]))


def _moved(axis: Any, rank: int) -> Any:
    """Return an axis, or several, of an example of `rank` axes as those of the batch."""
    if isinstance(axis, (tuple, list)):
        return tuple(_moved(one, rank) for one in axis)
    if not -rank <= axis < max(rank, 1):
        raise ShapeError(f"axis {axis} is outside of {rank} axes")
    return axis % max(rank, 1) + 1


# Rules


def _broadcasting(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    """Elementwise ops, and all others whose leading axes broadcast."""
    rank = max(_rank(pair) for pair in pairs if pair is not None)
    return _call(op, [_aligned(pair, rank) for pair in pairs], attributes)


def _leading(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    """Ops that take stacks: all inputs get the batch's axis in front."""
    return _call(op, [None if pair is None else front(pair, length) for pair in pairs], attributes)


_REDUCING = frozenset(
    "all any count_nonzero logsumexp max mean median min prod quantile std sum var vector_norm".split()
)


def _along_axis(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    """Ops of one array along an axis, or several."""
    (x, _), rank = pairs[0], _rank(pairs[0])
    axis = attributes["axis"]
    if axis is not None:
        return _behind(op, op(x, **{**attributes, "axis": _moved(axis, rank)}), attributes)
    if op.name in _REDUCING:
        return _behind(op, op(x, **{**attributes, "axis": tuple(range(1, rank + 1))}), attributes)
    if op.name == "flip":
        return op(x, axis=tuple(range(1, rank + 1)))
    if op.name == "squeeze":
        return op(x, axis=tuple(i for i, n in enumerate(x.shape) if n == 1 and i))
    flat = OPS["reshape"](x, shape=(length, -1) if x._array.size else (length, 0))
    out = op(flat, **{**attributes, "axis": 1})
    if attributes.get("keepdims"):
        out = OPS["reshape"](out, shape=(length, *(1,) * rank))
    return OPS["reshape"](out, shape=x.shape) if op.name == "roll" else out


def _behind(op: Any, out: Any, attributes: dict) -> Any:
    """Return the result with the batch's axis in front of those that quantiles and unstacking put there."""
    ahead = np.ndim(attributes["q"]) if op.name == "quantile" else 0
    return OPS["moveaxis"](out, source=ahead, destination=0) if ahead else out


def _expand_dims(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    x, axis = pairs[0][0], attributes["axis"]
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    return op(x, axis=_moved(tuple(axes), _rank(pairs[0]) + len(axes)))


def _same_axis(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    """Ops along one axis of several arrays with as many axes."""
    given = [None if pair is None else front(pair, length) for pair in pairs]
    if op.name == "concatenate" and attributes["axis"] is None:
        return op([OPS["reshape"](x, shape=(length, x._array.size // length)) for x in given], axis=1)
    ranks = {_rank(pair) for pair in pairs if pair is not None}
    if len(ranks) != 1 or attributes["axis"] is None:
        return NotImplemented
    changed = {**attributes, "axis": _moved(attributes["axis"], ranks.pop() + (op.name == "stack"))}
    if "shape" in changed:
        changed["shape"] = (length, *changed["shape"])
    return _call(op, given, changed)


def _broadcasting_axis(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    """Ops along one axis of arrays that broadcast."""
    rank = max(_rank(pair) for pair in pairs)
    axis = attributes["axis"]
    if axis >= 0:
        if len({_rank(pair) for pair in pairs}) != 1:
            return NotImplemented
        axis -= rank
    return _call(op, [_aligned(pair, rank) for pair in pairs], {**attributes, "axis": axis})


def _reshape(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    shape = attributes["shape"]
    shape = [shape] if isinstance(shape, int) else list(shape)
    if -1 in shape:
        known = int(np.prod([n for n in shape if n != -1]))
        size = int(np.prod(_shape(pairs[0])))
        if not known or size % known:
            raise ShapeError(f"reshape: {_shape(pairs[0])} has no shape {tuple(shape)}")
        shape[shape.index(-1)] = size // known
    return op(pairs[0][0], shape=(length, *shape))


def _shaped(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    """Ops with an attribute `shape` of an example, and perhaps axes."""
    shape = attributes["shape"]
    rank = len(shape) if op.name != "broadcast_to" else len(shape if isinstance(shape, tuple) else (shape,))
    changed = {**attributes, "shape": (length, *(shape if isinstance(shape, (tuple, list)) else (shape,)))}
    for name in ("axis1", "axis2"):
        if name in changed:
            changed[name] = _moved(changed[name], rank)
    return op(_aligned(pairs[0], rank) if op.name == "broadcast_to" else pairs[0][0], **changed)


def _transpose(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    rank, axes = _rank(pairs[0]), attributes["axes"]
    return op(pairs[0][0], axes=(0, *(_moved(axes, rank) if axes is not None else range(rank, 0, -1))))


def _two_axes(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    rank = _rank(pairs[0])
    names = ("axis1", "axis2", "source", "destination")
    return op(pairs[0][0], **{n: _moved(v, rank) if n in names else v for n, v in attributes.items()})


def _axes(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    return op(pairs[0][0], **{**attributes, "axes": _moved(attributes["axes"], _rank(pairs[0]))})


def _pad(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    rank, width = _rank(pairs[0]), attributes["pad_width"]
    if isinstance(width, dict) or np.ndim(attributes.get("constant_values", 0)):
        return NotImplemented
    widths = np.broadcast_to(np.asarray(width, np.int64), (rank, 2)).tolist() if rank else []
    return op(pairs[0][0], **{**attributes, "pad_width": [(0, 0), *map(tuple, widths)]})


def _matmul(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    (x, y), (m, n) = pairs, (_rank(pairs[0]), _rank(pairs[1]))
    first = (OPS["expand_dims"](x[0], axis=-2), x[1]) if m == 1 else x
    second = (OPS["expand_dims"](y[0], axis=-1), y[1]) if n == 1 else y
    rank = max(_rank(first), _rank(second))
    out = op(_aligned(first, rank), _aligned(second, rank))
    return OPS["squeeze"](out, axis=tuple(i for i, one in ((-2, m == 1), (-1, n == 1)) if one)) if 1 in (m, n) else out


def _solve(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    a, b = pairs
    if _rank(b) == 1:
        rank = _rank(a)
        out = op(_aligned(a, rank), _aligned((OPS["expand_dims"](b[0], axis=-1), b[1]), rank))
        return OPS["squeeze"](out, axis=-1)
    return _broadcasting(op, pairs, attributes, length)


def _linear(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    """x (..., I) by weight (O, I), which may differ between examples."""
    x, weight, bias = pairs
    if not weight[1] and (bias is None or not bias[1]):
        return op(*[None if p is None else p[0] for p in pairs])
    x, weight, bias = (None if p is None else front(p, length) for p in pairs)
    matrix = OPS["swapaxes"](weight, axis1=-1, axis2=-2)
    out = OPS["matmul"](x if x.ndim > 2 else OPS["expand_dims"](x, axis=1), _between(matrix, max(x.ndim - 3, 0)))
    out = out if bias is None else OPS["add"](out, _between(bias, out.ndim - 2))
    out = out if x.ndim > 2 else OPS["squeeze"](out, axis=1)
    return {"linear_relu": OPS["relu"], "linear_gelu": _gelu}.get(op.name, lambda y: y)(out)


def _gelu(x: Tensor) -> Tensor:
    return OPS["gelu"](x, approximate="tanh")


def _between(tensor: Tensor, count: int) -> Tensor:
    """Return the Tensor with `count` axes of length 1 behind the first."""
    return OPS["reshape"](tensor, shape=(tensor.shape[0], *(1,) * count, *tensor.shape[1:])) if count else tensor


def _normalised(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    """Layer norm and RMS norm, whose weight and bias may differ between examples."""
    count = len(pairs) - (3 if "bias" in op.inputs else 2) + 1
    arrays, parameters = pairs[:count], pairs[count:]
    if not any(p is not None and p[1] for p in parameters):
        return op(*[front(p, length) for p in arrays], *[None if p is None else p[0] for p in parameters], **attributes)
    return NotImplemented


def _merging(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    """Ops over images (N, C, ...), which take those of all examples as one long row."""
    changed = dict(attributes)
    if "shape" in changed:
        changed["shape"] = (changed["shape"][0] * length, *changed["shape"][1:])
    out = op(*[_merged(pair, length) for pair in pairs], **changed)
    return tuple(_split(o, length) for o in out) if isinstance(out, tuple) else _split(out, length)


def _grouped(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    """Convolutions: a batch of images is one long row of them if weights are shared, else groups of channels."""
    weight = pairs[1]
    if (
        op.name != "convolution_weight_gradient"
        and not weight[1]
        and (len(pairs) < 3 or not (pairs[2] and pairs[2][1]))
    ):
        shape = attributes.get("shape")
        changed = {**attributes, "shape": (shape[0] * length, *shape[1:])} if shape else attributes
        rest = [None if p is None else p[0] for p in pairs[1:]]
        return _split(op(_merged(pairs[0], length), *rest, **changed), length)

    def channels(tensor: Tensor) -> Tensor:
        moved = OPS["moveaxis"](tensor, source=0, destination=1)
        return OPS["reshape"](moved, shape=(moved.shape[0], moved.shape[1] * moved.shape[2], *moved.shape[3:]))

    def apart(tensor: Tensor) -> Tensor:
        shape = tensor.shape
        cut = OPS["reshape"](tensor, shape=(shape[0], length, shape[1] // length, *shape[2:]))
        return OPS["moveaxis"](cut, source=1, destination=0)

    first = channels(front(pairs[0], length))
    changed = {**attributes, "groups": attributes["groups"] * length}
    if op.name == "convolution_weight_gradient":
        shape = attributes["shape"]
        changed["shape"] = (shape[0] * length, *shape[1:])
        return _split(op(first, channels(front(weight, length)), **changed), length)
    if "shape" in changed:
        shape = attributes["shape"]
        changed["shape"] = (shape[0], shape[1] * length, *shape[2:])
    rest = [None if p is None else _merged(p, length) for p in pairs[1:]]
    return apart(op(first, *rest, **changed))


def _masked_fill(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    x, mask, value = pairs  # the op's own value is one number
    return _broadcasting(op if not value[1] else OPS["where"], pairs if not value[1] else [mask, value, x], {}, length)


def _masked_softmax(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    x, mask = pairs
    return _broadcasting(op, [(front(x, length), True), mask], attributes, length)


def _attention(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    *heads, mask = pairs
    if mask is not None and (mask[1] or _shape(mask)[:-3] not in ((), (1,))):
        shape = _shape(mask)
        whole = (length, _shape(heads[0])[0], *(1,) * (3 - len(shape)), *shape[-3:])
        mask = (OPS["broadcast_to"](_aligned((front(mask, length), True), 4), shape=whole), True)
    mask = mask if mask is None else _merged(mask, length) if mask[1] else mask[0]
    return _split(op(*[_merged(pair, length) for pair in heads], mask, **attributes), length)


def _embedding(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    ids, weight = pairs
    return NotImplemented if weight[1] else op(ids[0], weight[0], **attributes)


def _einsum(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    from string import ascii_letters

    inputs, arrow, out = attributes["subscripts"].replace(" ", "").partition("->")
    letter = next(c for c in reversed(ascii_letters) if c not in inputs)
    if not arrow:
        labels = inputs.replace(",", "").replace("...", "")
        out = ("..." if "..." in inputs else "") + "".join(sorted(c for c in set(labels) if labels.count(c) == 1))
    terms = [letter + term if pair[1] else term for term, pair in zip(inputs.split(","), pairs, strict=True)]
    return op([pair[0] for pair in pairs], subscripts=f"{','.join(terms)}->{letter}{out}")


# Indices


def _index_parts(index: Any, rank: int) -> list | None:
    """Return an index of an example of `rank` axes as a list of parts, without "..."; None for one with masks."""
    parts = list(index) if isinstance(index, tuple) else [index]
    if any(getattr(part, "dtype", None) == np.bool_ or isinstance(part, (bool, np.bool_)) for part in parts):
        return None
    parts = [np.asarray(part) if isinstance(part, list) else part for part in parts]
    if any(getattr(part, "dtype", None) == np.bool_ for part in parts):
        return None
    if any(part is Ellipsis for part in parts):
        at = next(i for i, part in enumerate(parts) if part is Ellipsis)
        used = sum(part is not None and part is not Ellipsis for part in parts)
        parts[at : at + 1] = [slice(None)] * (rank - used)
    return parts


def _batch_index(parts: list, length: int) -> tuple[tuple, int, int]:
    """Return the index of the batch, the count of axes that index arrays make, and how many axes stand before them in
    an example's result but behind them in the batch's (-1: as many in both)."""
    arrays = [i for i, part in enumerate(parts) if hasattr(part, "shape") or isinstance(part, (int, np.integer))]
    advanced = [i for i in arrays if hasattr(parts[i], "shape")]
    if not advanced:
        return (slice(None), *parts), 0, 0
    count = max(len(parts[i].shape) for i in advanced)
    together = arrays == list(range(arrays[0], arrays[-1] + 1))
    before = arrays[0] if together else 0
    if not any(parts[i].__class__ is Batched and parts[i].mapped for i in advanced):
        plain = [part.tensor._array if part.__class__ is Batched else part for part in parts]
        return (slice(None), *plain), count, -1 if together else 0

    def aligned(part: Any) -> Any:
        if part.__class__ is not Batched:
            return part
        return _aligned((part.tensor, part.mapped), count)._array

    rows = np.arange(length).reshape(length, *(1,) * count)
    return (rows, *[aligned(part) for part in parts]), count, before


def _getitem(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    parts = _index_parts(attributes["index"], _rank(pairs[0]))
    if parts is None:
        return NotImplemented
    index, count, before = _batch_index(parts, length)
    out = op(front(pairs[0], length), index=index)
    if count and before == 0 and not isinstance(index[0], np.ndarray):  # index arrays apart: their axes come first
        return OPS["moveaxis"](out, source=count, destination=0)
    if count and before > 0:
        source = tuple(range(1, count + 1))
        return OPS["moveaxis"](out, source=source, destination=tuple(i + before for i in source))
    return out


def _put(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    """What is written at an index: the adjoint of `getitem`."""
    shape = attributes["shape"] if "shape" in attributes else _shape(pairs[0])
    parts = _index_parts(attributes["index"], len(shape))
    if parts is None:
        return NotImplemented
    index, count, before = _batch_index(parts, length)
    apart = count and before == 0 and not isinstance(index[0], np.ndarray)
    if apart or count and before > 0 and op.name != "clear":
        return NotImplemented
    changed = {**attributes, "index": index}
    if op.name == "clear":
        return op(front(pairs[0], length), **changed)
    if op.name == "put_add":
        result = np.empty(shape, np.bool_)[
            tuple(np.zeros(p.shape, np.int64) if hasattr(p, "shape") else p for p in parts)
        ]
        changed["shape"] = (length, *shape)
        return op(_aligned((front(pairs[0], length), True), result.ndim), **changed)
    result = np.empty(shape, np.bool_)[tuple(np.zeros(p.shape, np.int64) if hasattr(p, "shape") else p for p in parts)]
    return op(front(pairs[0], length), _aligned((front(pairs[1], length), True), result.ndim), **changed)


def _take(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    (x, indices), axis = pairs, attributes["axis"]
    if indices[1]:
        return NotImplemented
    if axis is None:
        return op(OPS["reshape"](x[0], shape=(length, -1)), indices[0], axis=1)
    return op(x[0], indices[0], axis=_moved(axis, _rank(x)))


def _index_add(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    x, indices, source = pairs
    if indices[1]:
        return NotImplemented
    return op(front(x, length), indices[0], front(source, length), axis=_moved(attributes["axis"], _rank(x)))


def _searchsorted(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    x, v = pairs
    if not x[1] and _rank(x) == 1:
        return op(x[0], v[0], **attributes)
    if attributes["sorter"] is not None:
        return NotImplemented
    values = front(v, length)
    rows = values if _rank(x) > 1 else OPS["reshape"](values, shape=(length, values._array.size // length))
    return OPS["reshape"](op(front(x, length), rows, **attributes), shape=values.shape)


def _digitize(op: Any, pairs: list, attributes: dict, length: int) -> Any:
    return NotImplemented if pairs[1][1] else op(pairs[0][0], pairs[1][0], **attributes)


BY_INDEX = frozenset("getitem put_add setitem clear".split())
_TABLE: dict[Callable, str] = {
    _broadcasting: "complex_angle complex_conjugate complex_of_parts complex_pairs imaginary_part logit polygamma_of "
    "real_pairs real_part sgn "
    "apply_mask astype binary_cross_entropy_elements clip copy isclose keep_where lerp threshold where",
    _leading: "cast_all cholesky cofactor det eigh eigvalsh expm inv pinv put_last qr slogdet svd svdvals tril triu",
    _expand_dims: "expand_dims",
    _same_axis: "concatenate stack put_along scatter_add take_along_axis",
    _broadcasting_axis: "cross linear_scan",
    _reshape: "reshape",
    _shaped: "broadcast_to diagonal_adjoint",
    _transpose: "transpose",
    _two_axes: "diagonal moveaxis swapaxes",
    _axes: "fourier",
    _pad: "pad pad_adjoint",
    _matmul: "matmul",
    _solve: "solve",
    _linear: "linear linear_gelu linear_relu",
    _normalised: "add_layer_norm add_rms_norm layer_norm rms_norm",
    _merging: "fold_windows max_pool max_pool_gather max_pool_indices max_pool_scatter sum_pool sum_pool_adjoint "
    "unfold_windows",
    _grouped: "convolution convolution_input_gradient convolution_weight_gradient",
    _attention: "attention",
    _masked_fill: "masked_fill",
    _masked_softmax: "masked_softmax",
    _embedding: "embedding",
    _einsum: "einsum",
    _getitem: "getitem",
    _put: "put_add setitem clear",
    _take: "take",
    _index_add: "index_add",
    _searchsorted: "searchsorted",
    _digitize: "digitize",
}
RULES: dict[str, Callable] = {name: rule for rule, names in _TABLE.items() for name in names.split()}
FOLLOWING["vmap"] = Batching
