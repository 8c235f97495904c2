"""What a layer holds: its filters, its responses to images, the patches of images that excite its neurons most."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from ..autograd.convert import asarray
from ..autograd.functional import grad
from ..autograd.mode import enable_grad, no_grad
from ..autograd.tensor import Tensor
from ..errors import OptionError, OutOfRangeError, ShapeError
from ..nn import AvgPool2d, Conv2d, MaxPool2d, Module
from .images import stretched


def find_layer(model: Module, layer: str | Module) -> Module:
    """Return the layer of that dotted name, or the layer itself. Raises OptionError that lists the names there are."""
    if isinstance(layer, Module):
        return layer
    named = dict(model.named_modules())
    if layer not in named:
        raise OptionError(f"{type(model).__name__} has no layer {layer!r}; it has {', '.join(filter(None, named))}")
    return named[layer]


def activations(model: Module, layer: str | Module, images: Tensor) -> Tensor:
    """Return what `layer` gives when `model` sees the images, in the graph if gradients are on.

    layer: a Module of the model, or its dotted name. Raises OptionError for an unknown name and for a layer that the
    model does not call.

    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())
    >>> gg.viz.activations(model, "0", gg.zeros(2, 1, 8, 8)).shape
    (2, 4, 6, 6)
    """
    return scores_and_activations(model, layer, images)[1]


def scores_and_activations(model: Module, layer: str | Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return what the model gives, and what the layer gave on the way."""
    found: list[Tensor] = []
    handle = find_layer(model, layer).register_forward_hook(lambda module, args, output: found.append(output))
    try:
        scores = model(images)
    finally:
        handle.remove()
    if not found:
        raise OptionError(f"{type(model).__name__}: its layer {layer!r} is not called")
    return scores, found[-1]


def filters(model: Module) -> Tensor:
    """Return the filters of the first convolution as images (K, C, H, W), each stretched to [0, 1] with 0 at 0.5.

    Filters of other than one or three channels become K C images of one channel. Raises OptionError for a model
    without a convolution.

    >>> gg.viz.filters(nn.Sequential(nn.Conv2d(3, 8, 5), nn.ReLU())).shape
    (8, 3, 5, 5)
    """
    first = next((module for module in model.modules() if isinstance(module, Conv2d)), None)
    if first is None:
        raise OptionError(f"{type(model).__name__} has no convolution whose filters could be shown")
    weight = first.weight.detach()
    if weight.shape[1] not in (1, 3):
        weight = weight.reshape(-1, 1, *weight.shape[2:])
    return stretched(weight, symmetric=True)


class TopPatches(NamedTuple):
    """The patches that excite each of K neurons most, the strongest first.

    patches: (K, count, C, P, P), black where the receptive field goes beyond the image. values: (K, count), the
    activations. images: int64 (K, count), whose patch it is. boxes: int64 (K, count, 4), its corners (x1, y1, x2, y2),
    x2 and y2 outside.

    >>> gg.viz.TopPatches._fields
    ('patches', 'values', 'images', 'boxes')
    """

    patches: Tensor
    values: Tensor
    images: Tensor
    boxes: Tensor


def top_patches(
    model: Module, layer: str | Module, images: Tensor, neurons: Iterable[int] | None = None, count: int = 9
) -> TopPatches:
    """Return the patches of images (N, C, H, W) that excite neurons of a layer most (Girshick et al. 2013, figure 4).

    A neuron is a channel of the layer's output (N, K, h, w); of each image only the place that excites it most counts.
    neurons: their numbers, by default all. A patch is the receptive field of that place. Raises ShapeError for a layer
    without places, OptionError where there are fewer images than `count`.

    >>> model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2))
    >>> top = gg.viz.top_patches(model, "2", gg.rand(5, 1, 8, 8), count=3)
    >>> top.patches.shape, top.boxes.shape
    ((2, 3, 1, 4, 4), (2, 3, 4))
    """
    values = _strongest_of_batches(model, layer, images)
    if count > len(images):
        raise OptionError(f"top_patches: {count} patches of different images were asked for, there are {len(images)}")
    strength, place = values
    chosen = np.arange(strength.shape[1]) if neurons is None else np.array(list(neurons), np.int64)
    if chosen.size and not 0 <= chosen.min() <= chosen.max() < strength.shape[1]:
        raise OutOfRangeError(f"top_patches: neurons are numbered from 0 to {strength.shape[1] - 1}, got {chosen}")
    order = np.argsort(-strength[:, chosen], axis=0, kind="stable")[:count].T  # (K, count)
    at = place[order, chosen[:, None]]  # (K, count, 2)
    places, which = np.unique(at.reshape(-1, 2), axis=0, return_inverse=True)
    boxes = receptive_fields(model, layer, images.shape, places)[which.reshape(-1)].reshape(*order.shape, 4)
    side = int(np.max(boxes[..., 2:] - boxes[..., :2], initial=1))
    pixels = images.detach().cpu().numpy()
    patches = np.zeros((*order.shape, images.shape[1], side, side), np.float32)
    for k, i in np.ndindex(order.shape):
        x1, y1, x2, y2 = boxes[k, i]
        top, left = (side - (y2 - y1)) * (y1 == 0), (side - (x2 - x1)) * (x1 == 0)  # what is cut off is black
        patches[k, i, :, top : top + y2 - y1, left : left + x2 - x1] = pixels[order[k, i], :, y1:y2, x1:x2]
    found = (patches, np.take_along_axis(strength[:, chosen].T, order, 1), order, boxes)
    return TopPatches(*(asarray(np.ascontiguousarray(part), device="cpu") for part in found))


def _strongest_of_batches(model: Module, layer: str | Module, images: Tensor, size: int = 64) -> tuple[Any, Any]:
    """Return each neuron's largest activation in each image (N, K), and the place (N, K, 2) of it."""
    strengths, places = [], []
    with no_grad():
        for start in range(0, len(images), size):
            values = activations(model, layer, images[start : start + size]).cpu().numpy()
            if values.ndim != 4:
                raise ShapeError(
                    f"top_patches: expected a layer that gives (N, K, h, w), {layer!r} gives {values.shape}"
                )
            flat = values.reshape(*values.shape[:2], -1)
            best = flat.argmax(2)
            strengths.append(np.take_along_axis(flat, best[..., None], 2)[..., 0])
            places.append(np.stack(np.unravel_index(best, values.shape[2:]), 2))
    return np.concatenate(strengths), np.concatenate(places)


def receptive_fields(model: Module, layer: str | Module, shape: tuple, places: np.ndarray) -> np.ndarray:
    """Return the boxes (n, 4) of the pixels that the layer's outputs at places (n, 2) depend on.

    They are measured: a copy of the model whose weights are all positive, which averages where the model takes maxima,
    has a gradient of zero nowhere but outside of the field.
    """
    probe = copy.deepcopy(model)
    names = {id(module): name for name, module in model.named_modules()}
    found = find_layer(model, layer)
    twin = find_layer(probe, names[id(found)])
    with no_grad():
        for name, tensor in [*probe.named_parameters(), *probe.named_buffers()]:
            if tensor.dtype.kind == "f":
                centre = name.endswith(("bias", "running_mean"))
                tensor.fill_(0 if centre else 1 if tensor.ndim < 2 else 1 / tensor[0].numel())
    for module in list(probe.modules()):
        if isinstance(module, MaxPool2d):
            module.register_forward_hook(_average)
    probe.eval()
    with enable_grad():
        images = asarray(np.ones((len(places), *shape[1:]), np.float32), device=next(probe.parameters()).device)
        images.requires_grad_()
        output = activations(probe, twin, images)
        rows, i, j = (asarray(n, device=output.device) for n in (np.arange(len(places)), *places.T.astype(np.int64)))
        picked = output[rows, :, i, j]
        (slope,) = grad(picked.sum(), [images])
    seen = slope.cpu().numpy().sum(1) != 0  # (n, H, W)
    corners = []
    for axis in (1, 2):  # over rows: columns that are seen; over columns: rows
        line = seen.any(axis)
        corners.append((line.argmax(1), line.shape[1] - line[:, ::-1].argmax(1)))
    (x1, x2), (y1, y2) = corners
    return np.stack([x1, y1, x2, y2], 1)


def _average(pool: MaxPool2d, args: tuple, output: Tensor) -> Tensor:
    return AvgPool2d(pool.kernel_size, pool.stride, pool.padding, ceil_mode=pool.ceil_mode)(args[0])
