"""Shapes, axes, parts and repetitions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations as combinations_of
from itertools import combinations_with_replacement
from math import prod
from typing import Any

import numpy as np

from ...autograd.convert import asarray
from ...autograd.op import OPS
from ...autograd.tensor import Tensor
from ...backend.dtypes import as_dtype
from ...errors import DTypeError, ShapeError
from ...ops import torch_meanings
from ...ops.arrange import tile as numpy_tile
from ...ops.join import array_split
from ...ops.shape import broadcast_arrays
from ...ops.shape import meshgrid as numpy_meshgrid
from ..dtypes import dtype as dtype_class
from ..language import means, sizes_of


@means("it swaps two axes; a tuple of all axes, which PyTorch does not take, permutes as in NumPy")
def transpose(input: Any, dim0: Any = None, dim1: Any = None, *more: int) -> Tensor:
    """Return the Tensor with two axes swapped."""
    if dim1 is None or more:
        axes = dim0 if dim0 is None or isinstance(dim0, (tuple, list)) else (dim0, dim1, *more)
        return OPS["transpose"](input, axes=axes if axes is None else tuple(axes))
    return torch_meanings.transpose(input, dim0, dim1) if input.ndim else input


@means("axes are apart or in one sequence")
def permute(input: Any, *axes: Any, dims: Any = None) -> Tensor:
    """Return the Tensor with its axes in the order `dims`."""
    return OPS["transpose"](input, axes=sizes_of(axes if dims is None else (dims,), "permute"))


@means("sizes are apart or in one sequence; a dtype reads the same bytes anew", function=False)
def view(self: Any, *shape: Any, dtype: Any = None, size: Any = None) -> Tensor:
    """Return the Tensor under another shape, or the same bytes as another dtype."""
    kind = shape[0] if len(shape) == 1 and isinstance(shape[0], (dtype_class, np.dtype, type)) else dtype
    if kind is not None:
        return asarray(self.detach()._array.view(as_dtype(kind)), device=self.device)
    return OPS["reshape"](self, shape=sizes_of(shape if size is None else (size,), "view"))


@means("the shape is one argument of the function, and apart or in one sequence of the method")
def reshape(input: Any, *shape: Any) -> Tensor:
    """Return the Tensor under another shape."""
    return OPS["reshape"](input, shape=sizes_of(shape, "reshape"))


@means("sizes are apart or in one sequence; it repeats the whole, as NumPy's tile", function=False)
def repeat(self: Any, *repeats: Any) -> Tensor:
    """Return the Tensor repeated along its axes."""
    times = sizes_of(repeats, "repeat")
    if len(times) < self.ndim:
        raise ShapeError(f"repeat: expected at least {self.ndim} numbers, one per axis, got {times}")
    return numpy_tile(self, times)


@means("`dims` in one sequence; an axis that is not named is not repeated")
def tile(input: Any, *times: Any, dims: Any = None) -> Tensor:
    """Return the Tensor repeated along its last axes."""
    return numpy_tile(input, sizes_of(times if dims is None else (dims,), "tile"))


@means("without an axis it is flat")
def repeat_interleave(
    input: Any, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Return the Tensor with each element repeated; of one Tensor of counts, the indices repeated so often."""
    if repeats is None:
        return asarray(np.repeat(np.arange(len(input)), input.detach().cpu().numpy()), device=input.device)
    times = repeats.cpu().numpy() if isinstance(repeats, Tensor) else repeats
    x = input.reshape(-1) if dim is None else input
    axis = 0 if dim is None else dim
    index = np.repeat(np.arange(x.shape[axis]), times)
    return OPS["take"](x, asarray(index, device=x.device), axis=axis)


@means("sizes are apart or in one sequence, and -1 keeps a length", function=False)
def expand(self: Any, *sizes: Any, size: Any = None) -> Tensor:
    """Return the Tensor broadcast to `sizes`."""
    wanted = sizes_of(sizes if size is None else (size,), "expand")
    lead = len(wanted) - self.ndim
    shape = tuple(self.shape[i - lead] if n == -1 and i >= lead else n for i, n in enumerate(wanted))
    return OPS["broadcast_to"](self, shape=shape)


@means("sizes, not cuts: an int is the length of each part")
def split(tensor: Any, split_size_or_sections: Any = None, dim: int = 0, *, split_size: Any = None) -> tuple:
    """Return parts of so many slices along `dim`, or of the sizes given."""
    sizes = split_size if split_size_or_sections is None else split_size_or_sections
    sizes = int(sizes) if hasattr(sizes, "__index__") else [int(n) for n in sizes]
    return torch_meanings.split(tensor, sizes, dim)


@means()
def split_with_sizes(input: Any, split_sizes: Sequence[int], dim: int = 0) -> tuple:
    """Return parts of the sizes given along `dim`."""
    return torch_meanings.split(input, list(split_sizes), dim)


@means("cuts or a number of parts, which may be uneven")
def tensor_split(input: Any, indices_or_sections: Any, dim: int = 0) -> tuple:
    """Return parts along `dim`, cut before these indices, or so many of almost equal length."""
    cuts = indices_or_sections
    cuts = cuts.tolist() if isinstance(cuts, Tensor) else cuts
    return tuple(array_split(input, cuts if isinstance(cuts, int) else list(cuts), axis=dim))


def _along(name: str, axis: int) -> Any:
    def call(input: Any, indices_or_sections: Any) -> tuple:
        along = 0 if name == "hsplit" and input.ndim == 1 else axis
        return tensor_split(input, indices_or_sections, along)

    call.__name__, call.__doc__ = name, f"Return `tensor_split` along axis {axis}."
    return means()(call)


hsplit, vsplit, dsplit = _along("hsplit", 1), _along("vsplit", 0), _along("dsplit", 2)


@means("an axis that does not have length 1 stays")
def squeeze(input: Any, dim: Any = None) -> Tensor:
    """Return the Tensor without the axes `dim` of length 1, or without all such axes."""
    if dim is None:
        return OPS["squeeze"](input)
    return torch_meanings.squeeze(input, dim) if input.ndim else input


@means()
def select(input: Any, dim: int, index: int) -> Tensor:
    """Return the slice `index` along `dim`, without this axis."""
    return torch_meanings.select(input, dim, index)


@means()
def unfold(self: Any, dimension: int, size: int, step: int) -> Tensor:
    """Return all windows of `size` along `dimension`, each `step` after the last; a new last axis runs within them."""
    axis = dimension % self.ndim
    starts = np.arange(0, self.shape[axis] - size + 1, step)
    places = asarray((starts[:, None] + np.arange(size)).reshape(-1), device=self.device)
    windows = OPS["take"](self, places, axis=axis)
    shape = (*self.shape[:axis], len(starts), size, *self.shape[axis + 1 :])
    return OPS["moveaxis"](windows.reshape(shape), source=axis + 1, destination=-1)


@means("arguments are (input, shifts, dims)")
def roll(input: Any, shifts: Any, dims: Any = None) -> Tensor:
    """Return the elements moved along the axes `dims`, those that fall off coming in at the other end."""
    shift = tuple(shifts) if isinstance(shifts, (tuple, list)) else int(shifts)
    dims = tuple(dims) if isinstance(dims, (tuple, list)) else dims
    if isinstance(dims, tuple) and isinstance(shift, int):
        shift = (shift,) * len(dims)
    return OPS["roll"](input, shift=shift, axis=dims if dims != () else None)


@means("indexing is 'ij' unless told otherwise", method=False)
def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple:
    """Return the grids of coordinates that the vectors span."""
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors
    return tuple(numpy_meshgrid(*given, indexing=indexing))


@means("a tuple")
def unbind(input: Any, dim: int = 0) -> tuple:
    """Return the slices along `dim`, as a tuple."""
    return tuple(OPS["unstack"](input, axis=dim))


@means(method=False)
def broadcast_tensors(*tensors: Any) -> tuple:
    """Return the Tensors broadcast to one shape."""
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors
    return tuple(broadcast_arrays(*given))


@means("the sizes are one argument")
def broadcast_to(input: Any, *size: Any) -> Tensor:
    """Return the Tensor broadcast to `size`."""
    return expand(input, *size)


@means(method=False)
def cartesian_prod(*tensors: Any) -> Tensor:
    """Return all combinations of an element of each vector, one per row."""
    if len(tensors) == 1:
        return tensors[0]
    return OPS["stack"]([g.reshape(-1) for g in numpy_meshgrid(*tensors, indexing="ij")], axis=1)


@means(method=False)
def combinations(input: Any, r: int = 2, with_replacement: bool = False) -> Tensor:
    """Return all combinations of r elements of a vector, one per row."""
    pick = combinations_with_replacement if with_replacement else combinations_of
    index = np.array(list(pick(range(len(input)), r)), np.int64).reshape(-1, r)
    return input[asarray(index, device=input.device)]


@means(method=False)
def block_diag(*tensors: Any) -> Tensor:
    """Return a matrix with these matrices along its diagonal, zeros elsewhere."""
    blocks = [asarray(t).reshape((1,) * (2 - asarray(t).ndim) + tuple(asarray(t).shape)) for t in tensors]
    width, rows, left = sum(b.shape[1] for b in blocks), [], 0
    for block in blocks:
        right = width - left - block.shape[1]
        rows.append(OPS["pad"](block, pad_width=((0, 0), (left, right))))
        left += block.shape[1]
    return OPS["concatenate"](rows, axis=0)


@means()
def as_strided(input: Any, size: Sequence[int], stride: Sequence[int], storage_offset: int = 0) -> Tensor:
    """Return the elements of the flat Tensor that `size`, `stride` and `storage_offset` reach: a copy, not a view."""
    index = np.full((), storage_offset or 0)
    for n, step in zip(size, stride, strict=True):
        index = index[..., None] + np.arange(n) * step
    return OPS["take"](input.reshape(-1), asarray(index.reshape(-1), device=input.device), axis=0).reshape(tuple(size))


@means("arguments are (input, start_dim, end_dim)")
def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Return the Tensor with the axes from `start_dim` to `end_dim` joined."""
    first, last = (d % input.ndim if input.ndim else 0 for d in (start_dim, end_dim))
    if first > last:
        raise ShapeError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    shape = tuple(input.shape)
    return OPS["reshape"](input, shape=(*shape[:first], prod(shape[first : last + 1]), *shape[last + 1 :]))


@means("a list of sizes by position or name")
def unflatten(input: Any, dim: int, sizes: Any) -> Tensor:
    """Return the Tensor with axis `dim` divided into `sizes`."""
    axis, shape = dim % input.ndim, tuple(input.shape)
    return OPS["reshape"](input, shape=(*shape[:axis], *sizes, *shape[axis + 1 :]))


@means()
def sum_to_size(self: Any, *size: Any) -> Tensor:
    """Return the sum over the axes along which `size` would be broadcast to this Tensor's shape."""
    wanted = sizes_of(size, "sum_to_size")
    lead = self.ndim - len(wanted)
    axes = (*range(lead), *(i + lead for i, n in enumerate(wanted) if n == 1 != self.shape[i + lead]))
    return OPS["reshape"](OPS["sum"](self, axis=axes), shape=wanted) if axes else self


def _ends(name: str, length: Any) -> int:
    if not hasattr(length, "__index__"):
        raise DTypeError(f"{name}: expected an int, got {length!r}")
    return int(length)


@means("starts may be Tensors")
def narrow(input: Any, dim: int, start: Any, length: int) -> Tensor:
    """Return `length` slices along `dim`, from `start` on."""
    begin = _ends("narrow", start) % max(input.shape[dim], 1) if int(start) < 0 else _ends("narrow", start)
    if not 0 <= begin <= begin + length <= input.shape[dim]:
        raise ShapeError(f"narrow: {length} slices from {start} are outside axis {dim} of {tuple(input.shape)}")
    return input[(slice(None),) * (dim % input.ndim) + (slice(begin, begin + length),)]


@means("arguments are (input, k, dims)")
def rot90(input: Any, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """Return the Tensor turned k times by 90 degrees in the plane of two axes."""
    a, b = dims
    for _ in range(k % 4):
        input = OPS["flip"](OPS["swapaxes"](input, axis1=a, axis2=b), axis=a)
    return input
