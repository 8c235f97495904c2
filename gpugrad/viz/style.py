"""Style transfer: an image with the content of one picture and the style of another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..autograd.functional import grad
from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..errors import OptionError, ShapeError
from ..linalg import eigh
from ..nn import Module
from ..nn.functional import interpolate
from ..optim import LBFGS, Adam
from .layers import find_layer


def gram_matrix(features: Tensor) -> Tensor:
    """Return how often features occur together, G_km = E[f_k f_m] over all places: (N, K, h, w) -> (N, K, K).

    >>> gg.viz.gram_matrix(gg.tensor([[[[1.0, 3.0]], [[0.0, 2.0]]]])).tolist()
    [[[5.0, 3.0], [3.0, 2.0]]]
    """
    if features.ndim != 4:
        raise ShapeError(f"gram_matrix: expected features (N, K, h, w), got {tuple(features.shape)}")
    flat = features.reshape(*features.shape[:2], -1)
    return flat @ flat.transpose(0, 2, 1) / flat.shape[2]


def total_variation(images: Tensor) -> Tensor:
    """Return the mean squared difference of pixels (N, C, H, W) that are neighbours, above and below plus beside.

    >>> gg.viz.total_variation(gg.tensor([[[[0.0, 1.0], [0.0, 3.0]]]])).item()
    7.0
    """
    down, right = images[:, :, 1:] - images[:, :, :-1], images[:, :, :, 1:] - images[:, :, :, :-1]
    return (down * down).mean() + (right * right).mean()


def with_colors_of(image: Tensor, other: Tensor) -> Tensor:
    """Return an image (3, H, W) recolored: its colors have the mean and the covariance of another's, of any size.

    x becomes D^(1/2) C^(-1/2) (x - mean of x) + mean of the other, C and D their covariances, cut to [0, 1]. A style
    picture changed so keeps the content's colors (Gatys et al. 2016, "Preserving color in neural artistic style
    transfer"). Raises ShapeError for what is not an image.

    >>> day, night = gg.rand(3, 8, 8), gg.rand(3, 4, 4) * gg.tensor([0.1, 0.2, 0.3]).reshape(3, 1, 1)
    >>> gg.viz.with_colors_of(day, night).mean(axis=(1, 2)).allclose(night.mean(axis=(1, 2)), atol=0.03)
    True
    """
    for given in (image, other):
        if given.ndim != 3:
            raise ShapeError(f"with_colors_of: expected images (3, H, W), got {tuple(given.shape)}")
    colors, wanted = (given.reshape(given.shape[0], -1) for given in (image, other))
    middle, target = colors.mean(axis=1, keepdims=True), wanted.mean(axis=1, keepdims=True)
    map_ = _covariance_power(wanted - target, 0.5) @ _covariance_power(colors - middle, -0.5)
    return (map_ @ (colors - middle) + target).clip(0, 1).reshape(image.shape)


def _covariance_power(centered: Tensor, power: float) -> Tensor:
    """Return a power of the covariance (C, C) of the rows (C, n), whose means are zero; no variance is below 1e-6."""
    values, vectors = eigh(centered @ centered.T / centered.shape[1])
    return (vectors * values.clip(1e-6, None) ** power) @ vectors.T


class StyleLosses(NamedTuple):
    """The three losses of style transfer, without their weights.

    >>> gg.viz.StyleLosses._fields
    ('content', 'style', 'variation')
    """

    content: Tensor
    style: Tensor
    variation: Tensor


class StyleTransfer:
    """Compares images with the content of one picture and the style of another (Gatys et al. 2015).

    content, style: pictures (C, H, W), of any sizes. content_layer: the name of a layer of `model`, whose features f at
    each place are to be those of the content picture: the content loss is mean((f(content) - f(x))**2). style_layers:
    names with weights w_l, whose Gram matrices A^l(x) are to be G^l of the style picture: the style loss is the sum
    over l of w_l mean((G^l - A^l(x))**2). Both are divided by what a picture would have whose features and Gram
    matrices are zero, so that layers of any scale count by their weights. weights: of content, style and total
    variation in the sum. `model` may be cut off after the last of the layers.

    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
    >>> transfer = gg.viz.StyleTransfer(model, gg.rand(3, 16, 16), gg.rand(3, 20, 12), "1", {"1": 1.0})
    >>> start = gg.rand(3, 16, 16)
    >>> image, history = transfer.run(start, steps=20)
    >>> image.shape, history["style"][-1] < history["style"][0]
    ((3, 16, 16), True)
    """

    def __init__(
        self,
        model: Module,
        content: Tensor,
        style: Tensor,
        content_layer: str,
        style_layers: Mapping[str, float],
        weights: tuple[float, ...] = (1.0, 1.0, 1.0),
    ):
        self.model, self.content_layer, self.weights = model, content_layer, weights
        self.style_layers = dict(style_layers)
        self.pictures = (content.detach(), style.detach())
        with no_grad():
            self._content = self.features(content[None])[content_layer]
            of_style = self.features(style[None])
            self._grams = {name: gram_matrix(of_style[name]) for name in self.style_layers}
            self._content_size = (self._content**2).mean()
            self._gram_sizes = {name: (gram**2).mean() for name, gram in self._grams.items()}

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """Return what the layers give for images (N, C, H, W), by name."""
        found: dict[str, Tensor] = {}
        handles = [
            find_layer(self.model, name).register_forward_hook(lambda m, a, out, name=name: found.update({name: out}))
            for name in {self.content_layer, *self.style_layers}
        ]
        try:
            self.model(images)
        finally:
            for handle in handles:
                handle.remove()
        return found

    def losses(self, image: Tensor) -> StyleLosses:
        """Return the losses of an image (C, H, W), whose size is the content picture's."""
        features = self.features(image[None])
        content = ((features[self.content_layer] - self._content) ** 2).mean() / self._content_size
        style = sum(
            weight * ((gram_matrix(features[name]) - self._grams[name]) ** 2).mean() / self._gram_sizes[name]
            for name, weight in self.style_layers.items()
        )
        return StyleLosses(content, style, total_variation(image[None]))  # type: ignore[arg-type]

    def run(
        self, start: Tensor, steps: int = 100, optimizer: str = "lbfgs", lr: float | None = None, scales: int = 1
    ) -> tuple[Tensor, dict[str, list[float]]]:
        """Return x = argmin of the weighted losses, searched from `start` (C, H, W), and each loss at each evaluation.

        optimizer: "lbfgs", which makes up to `steps` iterations with a line search, or "adam", which makes `steps`. lr:
        by default 1 and 0.1. Values stay in [0, 1]: the search is for z, x = 1 / (1 + exp(-z)). scales: with more than
        one the search begins with pictures and `start` made smaller, by 2 for each, and goes on from what it found,
        enlarged (Gatys et al. 2016, "Controlling perceptual factors in neural style transfer"); the losses are then
        those of the largest pictures. Raises OptionError for another optimizer or no scale.
        """
        if optimizer not in ("lbfgs", "adam"):
            raise OptionError(f'StyleTransfer: optimizer must be "lbfgs" or "adam", got {optimizer!r}')
        if scales < 1:
            raise OptionError(f"StyleTransfer: scales must be at least 1, got {scales}")
        if scales > 1:
            content, style = map(_halved, self.pictures)
            smaller = StyleTransfer(self.model, content, style, self.content_layer, self.style_layers, self.weights)
            found, _ = smaller.run(_halved(start), steps, optimizer, lr, scales - 1)
            start = interpolate(found[None], start.shape[1:], mode="bilinear")[0]
        inside = start.detach().clip(0.01, 0.99)
        z = (inside / (1 - inside)).log().requires_grad_()
        history: dict[str, list[float]] = {name: [] for name in StyleLosses._fields}

        def closure() -> Any:
            losses = self.losses(z.sigmoid())
            for name, value in losses._asdict().items():
                history[name].append(value.item())
            total: Any = sum(weight * loss for weight, loss in zip(self.weights, losses, strict=True))
            (z.grad,) = grad(total, [z])  # the network's parameters get none
            return total

        if optimizer == "lbfgs":
            options = {"max_iter": steps, "max_eval": 2 * steps, "line_search_fn": "strong_wolfe", "history_size": 20}
            LBFGS([z], lr=lr or 1, tolerance_change=0, **options).step(closure)
        else:
            search = Adam([z], lr=lr or 0.1)
            for _ in range(steps):
                closure()
                search.step()
        return z.detach().sigmoid(), history


def _halved(image: Tensor) -> Tensor:
    """Return an image (C, H, W) at half its height and width."""
    size = tuple(max(1, n // 2) for n in image.shape[1:])
    return interpolate(image[None], size, mode="bilinear", antialias=True)[0]
