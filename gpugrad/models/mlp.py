"""Defines the multilayer perceptron: linear layers with ReLU between them."""

from itertools import pairwise

from ..autograd.tensor import Tensor
from ..errors import ShapeError
from ..nn import Linear, Module, ReLU, Sequential


class MLP(Module):
    """Computes linear layers from one size to the next, with ReLU between them: (..., sizes[0]) -> (..., sizes[-1]).

    `sizes` are those of the input, of each hidden layer, and of the output. The module raises ShapeError if there are
    fewer than two.

    >>> import gpugrad as gg
    >>> model = gg.models.MLP(784, 512, 256, 10)
    >>> model(gg.zeros(32, 784)).shape
    (32, 10)
    >>> list(model.state_dict())[:2]
    ['layers.0.weight', 'layers.0.bias']
    """

    def __init__(self, *sizes: int):
        super().__init__()
        if len(sizes) < 2:
            raise ShapeError(f"MLP: sizes must be at least two, those of input and output, got {sizes}")
        layers = [layer for inside, outside in pairwise(sizes) for layer in (Linear(inside, outside), ReLU())]
        self.layers = Sequential(*layers[:-1])

    def forward(self, input: Tensor) -> Tensor:
        return self.layers(input)
