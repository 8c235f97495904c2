"""Images made by a network: those that excite a neuron or a class most, and DeepDream."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.functional import grad
from ..autograd.mode import enable_grad, no_grad
from ..autograd.tensor import Tensor
from ..backend.random import Generator, default_generator
from ..errors import OptionError
from ..nn import Module
from ..nn.functional import interpolate
from .attribution import chosen
from .layers import activations


def maximize(
    model: Module,
    target: int | Sequence[int],
    shape: tuple[int, int, int],
    *,
    layer: str | Module | None = None,
    start: Tensor | None = None,
    steps: int = 200,
    lr: float = 0.5,
    l2: float = 0.01,
    blur: float = 0.5,
    blur_every: int = 4,
    clip_below: float = 0.0,
    jitter: int = 0,
    limits: tuple[float, float] | None = (0.0, 1.0),
    generator: Generator | None = None,
) -> Tensor:
    """Return an image (C, H, W) = `shape` for each target that makes its score large: (targets, C, H, W).

    Gradient ascent x += lr d(S - l2 |x - x0|^2) / dx, with the gradient divided by its root mean square, from `start`
    x0 (targets, C, H, W), by default grey with a little noise (Simonyan et al. 2013; Yosinski et al. 2015). S is the
    score of a class before the softmax or, with `layer`, the largest response of a neuron, a channel of the layer's
    output. Every `blur_every` steps the image is blurred by a Gaussian of `blur` pixels, and at the end of each step
    pixels that differ from x0 by less than `clip_below` of the largest difference go back to it. jitter: the image is
    moved by up to so many pixels at random for each step. limits: values are cut off there. generator: of the random
    numbers, by default the one that `manual_seed` sets.

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    >>> images = gg.viz.maximize(model, [0, 2], (1, 4, 4), steps=20)
    >>> scores = model(images)
    >>> images.shape, bool((scores[0, 0] > model(gg.full((1, 1, 4, 4), 0.5))[0, 0]).item())
    ((2, 1, 4, 4), True)
    """
    targets = np.atleast_1d(np.asarray(target, np.int64))
    device = next(model.parameters()).device
    random = (default_generator() if generator is None else generator).numpy
    if start is None:
        noise = 0.5 + 0.01 * random.standard_normal((len(targets), *shape))
        start = asarray(noise.astype(np.float32), device=device)
    numbers, origin = asarray(targets, device="cpu"), start.detach()
    smooth = [_gaussian(n, blur, device) for n in shape[1:]] if blur and blur_every else None
    images = origin
    for step in range(steps):
        moves = random.integers(-jitter, jitter + 1, 2).tolist()
        slope = _slope(model, layer, images.roll(moves, (2, 3)), lambda values: chosen(values, numbers).sum())
        slope = slope.roll([-move for move in moves], (2, 3))
        with no_grad():
            images = images + lr * (_scaled(slope) - 2 * l2 * (images - origin))
            if smooth is not None and step % blur_every == blur_every - 1:
                images = smooth[0] @ images @ smooth[1].T
            if limits is not None:
                images = images.clip(*limits)
            if clip_below:
                images = _clipped(images, origin, clip_below)
    return images


def _slope(model: Module, layer: Any, images: Tensor, objective: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the gradient of the objective of the layer's output with respect to the images."""
    with enable_grad():
        x = images.detach().requires_grad_()
        return grad(objective(model(x) if layer is None else activations(model, layer, x)), [x])[0]


def _scaled(slope: Tensor) -> Tensor:
    """Return gradients of images divided by their root mean squares, times a hundredth: a step is about that much."""
    return slope * (0.01 / ((slope * slope).mean((1, 2, 3), keepdims=True).sqrt() + 1e-12))


def _gaussian(n: int, sigma: float, device: Any) -> Tensor:
    """Return the matrix (n, n) that blurs an axis; the ends are continued by their own values."""
    at = np.arange(n)
    reach = np.arange(-math.ceil(3 * sigma), math.ceil(3 * sigma) + 1)
    weights = np.exp(-(reach**2) / (2 * sigma**2))
    matrix = np.zeros((n, n))
    for offset, weight in zip(reach, weights / weights.sum(), strict=True):
        np.add.at(matrix, (at, np.clip(at + offset, 0, n - 1)), weight)
    return asarray(matrix.astype(np.float32), device=device)


def _clipped(images: Tensor, origin: Tensor, fraction: float) -> Tensor:
    """Return the images with the pixels that hardly changed as they were at first."""
    change = (images - origin).abs().max(1, keepdims=True)
    return origin + (images - origin) * (change >= fraction * change.max((1, 2, 3), keepdims=True))


def deep_dream(
    model: Module,
    image: Tensor,
    layer: str | Module,
    *,
    channels: Sequence[int] | None = None,
    octaves: int = 4,
    scale: float = 1.4,
    steps: int = 10,
    lr: float = 1.5,
    jitter: int = 8,
    limits: tuple[float, float] | None = (0.0, 1.0),
    generator: Generator | None = None,
) -> Tensor:
    """Return image (C, H, W) with what a layer sees in it made stronger (Mordvintsev et al. 2015, "DeepDream").

    For each of `octaves` sizes, the smallest first and each `scale` times the one before, `steps` times: move the image
    by up to `jitter` pixels at random, compute the layer's activations a, take them as their own gradient (that is, go
    uphill on |a|^2 / 2), move back, and add lr times the gradient divided by its mean size. What was added at one size
    is enlarged for the next. channels: of the layer's output, by default all. limits: values are cut off there.
    generator: of the moves, by default the one that `manual_seed` sets. Raises OptionError for octaves or a scale below
    1.

    >>> model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    >>> gg.viz.deep_dream(model, gg.rand(3, 24, 32), "1", octaves=2, steps=2).shape
    (3, 24, 32)
    """
    if octaves < 1 or scale < 1:
        raise OptionError(f"deep_dream: octaves and scale must be at least 1, got {octaves} and {scale}")
    random = (default_generator() if generator is None else generator).numpy
    device = next(model.parameters()).device
    original = image.detach().to(device=device)[None]
    height, width = original.shape[2:]
    sizes = [(max(1, round(height / scale**i)), max(1, round(width / scale**i))) for i in reversed(range(octaves))]
    numbers = None if channels is None else asarray(np.asarray(channels, np.int64), device=device)

    def strength(a: Tensor) -> Tensor:
        picked = a if numbers is None else a[:, numbers]
        return (picked * picked).sum() / 2

    dream = original
    detail: Tensor | None = None
    for size in sizes:
        base = original if size == (height, width) else interpolate(original, size, mode="bilinear", antialias=True)
        dream = base if detail is None else base + interpolate(detail, size, mode="bilinear")
        for _ in range(steps):
            moves = random.integers(-jitter, jitter + 1, 2).tolist()
            slope = _slope(model, layer, dream.roll(moves, (2, 3)), strength)
            slope = slope.roll([-move for move in moves], (2, 3))
            with no_grad():
                dream = dream + slope * (0.01 * lr / (slope.abs().mean() + 1e-12))
                if limits is not None:
                    dream = dream.clip(*limits)
        detail = dream - base
    return dream[0]
