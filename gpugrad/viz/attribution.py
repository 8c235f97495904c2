"""Which pixels a score or a neuron depends on: saliency by the gradient, guided backpropagation, Grad-CAM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.functional import grad
from ..autograd.graph import reachable
from ..autograd.mode import enable_grad
from ..autograd.tensor import Tensor
from ..errors import OutOfRangeError, ShapeError
from ..nn import Module
from ..nn.functional import interpolate
from .layers import activations, scores_and_activations

Target = int | Tensor | None
_RECTIFIERS = ("relu", "relu6", "leaky_relu")


def input_gradient(model: Module, images: Tensor, target: Target = None, layer: str | Module | None = None) -> Tensor:
    """Return the gradient of scores, or of neurons, with respect to the images (N, C, H, W), in their shape.

    target: a class, one for each image as a Tensor (N,), or None for the class that the model chooses. layer: makes
    `target` a neuron of that layer, a channel of its output (N, K, h, w), at the place where it is most active (None:
    the most active neuron). Raises OutOfRangeError for targets that there are not.

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False))
    >>> _ = model[1].weight.data.copy_(gg.tensor([[1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 1.0]]))
    >>> gg.viz.input_gradient(model, gg.ones(1, 1, 2, 2), target=1).tolist()
    [[[[0.0, 0.0], [0.0, 1.0]]]]
    """
    return _input_gradient(model, images, target, layer)


def _input_gradient(
    model: Module, images: Tensor, target: Target, layer: Any, prepare: Callable[[Tensor], None] | None = None
) -> Tensor:
    """Return the gradient; `prepare` may change how nodes pass it on, given the sum that it is of."""
    with enable_grad():
        x = images.detach().requires_grad_()
        values = model(x) if layer is None else activations(model, layer, x)
        total = chosen(values, target).sum()
        if prepare is not None:
            prepare(total)
        return grad(total, [x])[0]


def chosen(values: Tensor, target: Target) -> Tensor:
    """Return the targets' scores (N,) of scores (N, K), or their largest responses of responses (N, K, h, w)."""
    if values.ndim > 2:
        values = values.reshape(*values.shape[:2], -1).max(2)
    if values.ndim != 2:
        raise ShapeError(f"expected scores (N, K) or responses (N, K, h, w), got {tuple(values.shape)}")
    if target is None:
        numbers = values.detach().cpu().numpy().argmax(1)
    else:
        numbers = np.broadcast_to(target.cpu().numpy() if isinstance(target, Tensor) else target, len(values))
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < values.shape[1]:
        raise OutOfRangeError(f"targets must be from 0 to {values.shape[1] - 1}, got {numbers.tolist()}")
    return values[tuple(asarray(i, device=values.device) for i in (np.arange(len(values)), numbers.astype(np.int64)))]


def saliency(model: Module, images: Tensor, target: Target = None, layer: str | Module | None = None) -> Tensor:
    """Return how much each pixel matters, the largest |gradient| of its channels: (N, 1, H, W) (Simonyan et al. 2013).

    The arguments are those of `input_gradient`.

    >>> gg.viz.saliency(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), gg.ones(1, 3, 2, 2)).shape
    (1, 1, 2, 2)
    """
    return input_gradient(model, images, target, layer).abs().max(1, keepdims=True)


def guided_backprop(model: Module, images: Tensor, target: Target = None, layer: str | Module | None = None) -> Tensor:
    """Return the gradient of which every ReLU passes on the positive part only: (N, C, H, W) (Springenberg et al.
    2014).

    A ReLU is any that the model's forward calls, as a layer or a function. The arguments are those of
    `input_gradient`.

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> gg.viz.guided_backprop(model, gg.ones(1, 1, 2, 2), target=0).shape
    (1, 1, 2, 2)
    """
    return _input_gradient(model, images, target, layer, _guide)


def _guide(output: Tensor) -> None:
    """Let the recorded ReLUs that lead to `output` receive no negative gradients."""
    for node in reachable([output._edge()]):
        if not isinstance(node, Tensor) and node.name in _RECTIFIERS:
            node.hooks = {"guided": lambda gradient: gradient.clip(0, None)}


def grad_cam(model: Module, images: Tensor, layer: str | Module, target: Target = None) -> Tensor:
    """Return where a layer sees the class: heat (N, 1, H, W) from 0 to 1 (Selvaraju et al. 2016).

    The channels of the layer's output (N, K, h, w) are summed with weights, their score's mean gradients, of the sum
    the positive part is kept, enlarged to the images' size, and divided by its maximum. target: as in
    `input_gradient`. Raises ShapeError for a layer whose output has no places.

    >>> model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 5))
    >>> gg.viz.grad_cam(model, gg.rand(2, 1, 8, 8), layer="1").shape
    (2, 1, 8, 8)
    """
    with enable_grad():
        scores, maps = scores_and_activations(model, layer, images.detach().requires_grad_())
        if maps.ndim != 4:
            raise ShapeError(f"grad_cam: the layer must give (N, K, h, w), it gives {tuple(maps.shape)}")
        (slope,) = grad(chosen(scores, target).sum(), [maps])
    heat = (slope.mean((2, 3), keepdims=True) * maps.detach()).sum(1, keepdims=True).clip(0, None)
    heat = interpolate(heat, images.shape[2:], mode="bilinear")
    peak = heat.cpu().numpy().max((1, 2, 3), keepdims=True)
    return heat / asarray(np.where(peak > 0, peak, np.float32(1)), device=heat.device)
