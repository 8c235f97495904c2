"""Defines the perceptron: a threshold of a weighted sum, with the learning rule of its inventor."""

from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..nn import Module, Parameter
from ..ops.creation import zeros
from ..ops.elementwise import heaviside


class Perceptron(Module):
    """Computes heaviside(x w + b): (n, features) -> (n,) of zeros and ones (Rosenblatt 1958, "The perceptron").

    A threshold has no slope to follow; `learn` changes the weights at each mistake instead.

    >>> import gpugrad as gg
    >>> model = gg.models.Perceptron(2)
    >>> points, labels = gg.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), gg.tensor([0.0, 0.0, 0.0, 1.0])
    >>> sum(model.learn(points, labels) for _ in range(20)) > 0
    True
    >>> model(points).tolist()
    [0.0, 0.0, 0.0, 1.0]
    """

    def __init__(self, features: int):
        super().__init__()
        self.weight = Parameter(zeros(features), requires_grad=False)
        self.bias = Parameter(zeros(1), requires_grad=False)

    def forward(self, input: Tensor) -> Tensor:
        return heaviside(input @ self.weight + self.bias, zeros(1, device=input.device))

    @no_grad()
    def learn(self, inputs: Tensor, labels: Tensor) -> int:
        """Go through the samples once, with w += (y - output) x and b += y - output; returns the number of mistakes.

        If some plane has every sample (x, 1) at a distance of at least g on its side and none is longer than R, all
        passes together make at most (R / g)^2 mistakes (Novikoff 1962, "On convergence proofs on perceptrons").
        """
        mistakes = 0
        for x, y in zip(inputs, labels, strict=True):
            error = y - self(x.reshape(1, -1))[0]
            if error.item():
                self.weight += error * x
                self.bias += error
                mistakes += 1
        return mistakes
