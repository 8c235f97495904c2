"""Parameters as one vector."""

from collections.abc import Iterable

from ...autograd.tensor import Tensor
from ...autograd.versions import changed
from ...errors import ShapeError
from ...ops.join import concatenate


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters flattened, one after the other; gradients flow back to them."""
    return concatenate([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Overwrite the parameters with consecutive pieces of a vector. Raises ShapeError if the sizes do not add up."""
    given = list(parameters)
    sizes = [p._array.size for p in given]
    if vec.shape != (sum(sizes),):
        raise ShapeError(f"vector_to_parameters: {sum(sizes)} values expected, got shape {vec.shape}")
    start = 0
    for parameter, size in zip(given, sizes, strict=True):
        parameter._array[...] = vec._array[start : start + size].reshape(parameter.shape)
        changed(parameter._array, "vector_to_parameters")
        start += size
