"""Products of matrices and vectors, diagonals and triangles."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from ...autograd.op import OPS
from ...autograd.tensor import Tensor
from ...errors import OptionError
from ...ops import arranging, sampled, torch_meanings
from ...ops.einsum import einsum as numpy_einsum
from ..language import means


def _scaled(input: Any, product: Any, beta: Any, alpha: Any) -> Tensor:
    product = product if alpha == 1 else alpha * product
    return product if beta == 0 else product + (input if beta == 1 else beta * input)


@means(in_place=True)
def addmm(input: Any, mat1: Any, mat2: Any, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """Return beta * input + alpha * mat1 @ mat2."""
    return _scaled(input, OPS["matmul"](mat1, mat2), beta, alpha)


@means(in_place=True)
def addmv(input: Any, mat: Any, vec: Any, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """Return beta * input + alpha * mat @ vec."""
    return _scaled(input, OPS["matmul"](mat, vec), beta, alpha)


@means(in_place=True)
def addr(input: Any, vec1: Any, vec2: Any, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """Return beta * input + alpha * the outer product of two vectors."""
    return _scaled(input, vec1[:, None] * vec2, beta, alpha)


@means(in_place=True)
def baddbmm(input: Any, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """Return beta * input + alpha * batch1 @ batch2, for each pair of matrices."""
    return _scaled(input, OPS["matmul"](batch1, batch2), beta, alpha)


@means(in_place=True)
def addbmm(input: Any, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """Return beta * input + alpha * the sum of the products of all pairs of matrices."""
    return _scaled(input, OPS["sum"](OPS["matmul"](batch1, batch2), axis=0), beta, alpha)


def _product(name: str) -> Any:
    def call(input: Any, other: Any) -> Tensor:
        return OPS["matmul"](input, other)

    call.__name__, call.__doc__ = name, "Return the product of two matrices, a matrix and a vector, or stacks of them."
    return means()(call)


matmul = _product("matmul")


@means()
def mm(input: Any, mat2: Any) -> Tensor:
    """Return the product of two matrices."""
    return OPS["matmul"](input, mat2)


@means()
def bmm(input: Any, mat2: Any) -> Tensor:
    """Return the products of the matrices of two stacks."""
    return OPS["matmul"](input, mat2)


@means()
def mv(input: Any, vec: Any) -> Tensor:
    """Return the product of a matrix and a vector."""
    return OPS["matmul"](input, vec)


@means("vectors only")
def dot(input: Any, tensor: Any) -> Tensor:
    """Return the inner product of two vectors."""
    return OPS["matmul"](input, tensor)


@means()
def ger(input: Any, vec2: Any) -> Tensor:
    """Return the outer product of two vectors."""
    return input[:, None] * vec2


@means(method=False)
def chain_matmul(*matrices: Any) -> Tensor:
    """Return the product of all matrices."""
    return reduce(OPS["matmul"], matrices)


@means("`dims`, a number or two lists", method=False)
def tensordot(a: Any, b: Any, dims: Any = 2) -> Tensor:
    """Return the sum of products over `dims`."""
    dims = dims if isinstance(dims, int) else tuple(tuple(d) if isinstance(d, (list, tuple)) else d for d in dims)
    return torch_meanings.product_over(a, b, dims)


@means("operands may be one list", method=False)
def einsum(equation: str, *operands: Any) -> Tensor:
    """Return the sum of products that `equation` describes."""
    given = operands[0] if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else operands
    return numpy_einsum(equation, *given)


@means("V comes as it is, not transposed, and U and V are thin")
def svd(input: Any, some: bool = True, compute_uv: bool = True) -> Any:
    """Return (U, S, V) with input = U diag(S) V^T."""
    return torch_meanings.svd(input, some, compute_uv)


@means(method=False)
def cdist(x1: Any, x2: Any, p: float = 2.0, compute_mode: str | None = None) -> Tensor:
    """Return the p-norm of the difference of each row of x1 and each of x2: (..., P, M), (..., R, M) -> (..., P, R)."""
    return OPS["vector_norm"](x1[..., :, None, :] - x2[..., None, :, :], ord=float(p), axis=-1)


@means("arguments are (input, diagonal)", in_place=True)
def tril(input: Any, diagonal: int = 0) -> Tensor:
    """Return the elements on and below a diagonal, zeros above."""
    return OPS["tril"](input, k=diagonal)


@means("arguments are (input, diagonal)", in_place=True)
def triu(input: Any, diagonal: int = 0) -> Tensor:
    """Return the elements on and above a diagonal, zeros below."""
    return OPS["triu"](input, k=diagonal)


@means("arguments are (input, diagonal)")
def diag(input: Any, diagonal: int = 0) -> Tensor:
    """Return the diagonal of a matrix, or the matrix with this diagonal."""
    if input.ndim == 1:
        return diag_embed(input, diagonal)
    return OPS["diagonal"](input, offset=diagonal)


@means("arguments are (input, offset, dim1, dim2)")
def diagonal(input: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """Return the diagonals of the matrices in the axes dim1 and dim2."""
    return OPS["diagonal"](input, offset=offset, axis1=dim1, axis2=dim2)


@means()
def diag_embed(input: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Return matrices, in the axes dim1 and dim2, with the last axis of `input` on their diagonals."""
    n = input.shape[-1] + abs(offset)
    out = OPS["diagonal_adjoint"](
        input, shape=(*tuple(input.shape)[:-1], n, n), offset=offset, axis1=input.ndim - 1, axis2=input.ndim
    )
    return OPS["moveaxis"](out, source=(-2, -1), destination=(dim1, dim2))


@means("arguments are (input, offset)")
def diagflat(input: Any, offset: int = 0) -> Tensor:
    """Return the matrix with all elements on a diagonal."""
    return diag_embed(input.reshape(-1), offset)


@means()
def trace(input: Any) -> Tensor:
    """Return the sum of the diagonal of a matrix."""
    return OPS["sum"](OPS["diagonal"](input))


def _indices(name: str, where: Any) -> Any:
    call = torch_meanings.places_of(where)
    call.__name__ = name
    call.__doc__ = f"Return the positions of a matrix's {name[:4]} part, a row of rows and one of columns."
    return means("two rows", method=False)(call)


tril_indices, triu_indices = _indices("tril_indices", np.tril_indices), _indices("triu_indices", np.triu_indices)


@means()
def cov(input: Any, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Tensor:
    """Return the covariances of variables, the rows, over observations, the columns."""
    return arranging.cov(input, correction=correction, fweights=fweights, aweights=aweights)


@means()
def corrcoef(input: Any) -> Tensor:
    """Return the correlations of variables, the rows, over observations, the columns."""
    return OPS["clip"](arranging.corrcoef(input), -1, 1)


@means()
def cross(input: Any, other: Any, dim: int | None = None) -> Tensor:
    """Return the vector products along `dim`, by default the first axis of length 3."""
    axis = next((i for i, n in enumerate(input.shape) if n == 3), None) if dim is None else dim
    if axis is None:
        raise OptionError(f"cross: no axis of {tuple(input.shape)} has length 3")
    shape = np.broadcast_shapes(tuple(input.shape), tuple(other.shape))
    x, y = (OPS["broadcast_to"](t, shape=shape) for t in (input, other))
    return OPS["cross"](x, y, axis=axis)


@means()
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Tensor:
    """Return the matrix of powers of x."""
    return sampled.vander(x, N, increasing)


@means()
def pinverse(input: Any, rcond: float = 1e-15) -> Tensor:
    """Return the pseudo-inverse."""
    return OPS["pinv"](input, rcond=rcond)


@means()
def adjoint(input: Any) -> Tensor:
    """Return the matrices with rows and columns exchanged, and conjugated."""
    return OPS["swapaxes"](input, axis1=-2, axis2=-1)


@means()
def cholesky_solve(input: Any, L: Any, upper: bool = False) -> Tensor:
    """Return the solution of A x = input, where L is the Cholesky factor of A."""
    factor = OPS["swapaxes"](L, axis1=-2, axis2=-1) if upper else L
    return OPS["solve"](OPS["matmul"](factor, OPS["swapaxes"](factor, axis1=-2, axis2=-1)), input)


@means()
def cholesky_inverse(input: Any, upper: bool = False) -> Tensor:
    """Return the inverse of A, of which `input` is the Cholesky factor."""
    factor = OPS["swapaxes"](input, axis1=-2, axis2=-1) if upper else input
    return OPS["inv"](OPS["matmul"](factor, OPS["swapaxes"](factor, axis1=-2, axis2=-1)))
