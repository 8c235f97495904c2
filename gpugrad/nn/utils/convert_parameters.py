"""Functions that make one vector of parameters, and parameters of a vector."""

from collections.abc import Iterable

from ...autograd.tensor import Tensor
from ...autograd.versions import changed
from ...errors import ShapeError
from ...ops.join import concatenate


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Return all parameters flattened, one after the other; gradients flow back to them.

    >>> nn.utils.parameters_to_vector(nn.Linear(4, 3).parameters()).shape
    (15,)
    """
    return concatenate([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Overwrite the parameters with consecutive pieces of a vector. Raises ShapeError if the sizes do not add up.

    >>> layer = nn.Linear(2, 1)
    >>> nn.utils.vector_to_parameters(gg.tensor([1.0, 2.0, 3.0]), layer.parameters())
    >>> layer.bias.tolist()
    [3.0]
    """
    given = list(parameters)
    sizes = [p._array.size for p in given]
    if vec.shape != (sum(sizes),):
        raise ShapeError(f"vector_to_parameters: {sum(sizes)} values expected, got shape {vec.shape}")
    start = 0
    for parameter, size in zip(given, sizes, strict=True):
        parameter._array[...] = vec._array[start : start + size].reshape(parameter.shape)
        changed(parameter._array, "vector_to_parameters")
        start += size
