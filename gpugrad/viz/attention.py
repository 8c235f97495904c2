"""Pictures of attention: what each step looks at, head by head."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..errors import ShapeError
from ..nn import Module, MultiheadAttention
from ..nn.functional import interpolate
from ..nn.utils import evaluating
from .figures import new_figure, saved
from .images import image_grid, overlay


def attention(
    weights: Any,
    path: str | os.PathLike | None = None,
    *,
    queries: Sequence[str] = (),
    keys: Sequence[str] = (),
    titles: Sequence[str] = (),
    columns: int = 4,
) -> Any:
    """Return a picture of attention weights (T, S), or of several heads' (heads, T, S) as a grid: a Figure.

    Rows are the steps that look, named by `queries`, columns what they look at, named by `keys`. Raises ShapeError for
    weights of another number of axes.

    >>> figure = gg.viz.attention(gg.eye(3), queries="abc", keys="xyz")
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['a', 'b', 'c']
    """
    array = np.asarray(weights.detach().cpu().numpy() if isinstance(weights, Tensor) else weights, np.float32)
    if array.ndim not in (2, 3):
        raise ShapeError(f"attention: expected weights (T, S) or (heads, T, S), got shape {array.shape}")
    array = array.reshape(-1, *array.shape[-2:])
    columns = min(columns, len(array))
    rows = -(-len(array) // columns)
    high, wide = (max(2.0, 0.22 * size + 0.8) for size in array.shape[1:])
    figure, axes = new_figure((wide * columns, high * rows), rows, columns)
    for i, place in enumerate(axes.flat):
        if i >= len(array):
            place.set_axis_off()
            continue
        place.imshow(array[i], vmin=0, cmap="viridis", aspect="auto")
        place.set_xticks(range(len(keys)), list(keys), fontsize=8)
        place.set_yticks(range(len(queries)), list(queries), fontsize=8)
        place.set_title(titles[i] if i < len(titles) else f"head {i}" if len(array) > 1 else "", fontsize=9)
    return saved(figure, path)


def attention_of(model: Module, *inputs: Any) -> dict[str, Tensor]:
    """Run `model` on the inputs; returns by name the weights (N, heads, T, S) of each `MultiheadAttention` in it.

    >>> layer = nn.TransformerEncoderLayer(d_model=8, nhead=2, dim_feedforward=16, batch_first=True)
    >>> {name: weights.shape for name, weights in gg.viz.attention_of(layer, gg.ones(1, 5, 8)).items()}
    {'self_attn': (1, 2, 5, 5)}
    """
    found: dict[str, Tensor] = {}

    def watch(name: str, layer: MultiheadAttention) -> Any:
        def look(module: Module, args: Any, kwargs: Any) -> None:
            if name not in found:
                found[name] = found.setdefault(name, Tensor([0.0]))  # the call below comes by here again
                asked = {**kwargs, "need_weights": True, "average_attn_weights": False}
                weights = layer(*args[:4], **asked)[1]
                assert weights is not None  # they are asked for
                found[name] = weights

        return layer.register_forward_pre_hook(look, with_kwargs=True)

    handles = [watch(name, m) for name, m in model.named_modules() if isinstance(m, MultiheadAttention)]
    try:
        with evaluating(model), no_grad():
            model(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    return found


def words_on_image(image: Tensor, weights: Any, words: Sequence[str], path: str | os.PathLike | None = None) -> Any:
    """Return a picture of an image (1 or 3, H, W), and of where each word looks: weights (words, h, w).

    The weights are spread over the image; the brightest place of each word has the same color.

    >>> figure = gg.viz.words_on_image(gg.zeros(3, 8, 8), np.ones((2, 4, 4)), ["a", "dot"])
    >>> [axes.get_title() for axes in figure.axes]
    ['', 'a', 'dot']
    """
    array = np.asarray(weights, np.float32)
    if array.ndim != 3 or len(array) != len(words):
        raise ShapeError(f"words_on_image: expected weights ({len(words)}, h, w), got shape {array.shape}")
    array = array / np.maximum(array.max(axis=(1, 2), keepdims=True), 1e-12)
    wide = asarray(array[:, None], device="cpu")
    heat = interpolate(wide, size=image.shape[1:], mode="bilinear").clip(0, 1)
    shown = overlay(image.expand_dims(0).broadcast_to((len(words), *image.shape)), heat, 0.6)
    first = image if image.shape[0] == 3 else image.broadcast_to((3, *image.shape[1:]))
    return image_grid([first, *shown], path, titles=["", *words], columns=5)
