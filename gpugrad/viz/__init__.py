"""Pictures: graphs of computations, curves, images, and what is inside a network.

Those that draw return matplotlib's Figure and write it to `path`; those that find or make images return Tensors, which
`image_grid` draws.
"""

from .attention import attention, attention_of, words_on_image
from .attribution import grad_cam, guided_backprop, input_gradient, saliency
from .boxes import boxes
from .charts import bars, curves, histograms, lines
from .dreams import deep_dream, maximize
from .functions import Surface, panels, surfaces
from .graphs import Dot, graph
from .images import color_classes, edges, image_grid, overlay, stretched
from .layers import TopPatches, activations, filters, top_patches
from .learning import grid_world, spread
from .style import StyleLosses, StyleTransfer, gram_matrix, total_variation, with_colors_of
from .words import word_map

__all__ = [
    "Dot", "StyleLosses", "StyleTransfer", "Surface", "TopPatches", "activations", "attention", "attention_of",
    "bars", "boxes", "color_classes", "curves", "deep_dream", "edges", "filters", "grad_cam", "gram_matrix",
    "graph", "grid_world", "guided_backprop", "histograms", "image_grid", "input_gradient", "lines", "maximize",
    "overlay", "panels", "saliency", "spread", "stretched", "surfaces", "top_patches", "total_variation",
    "with_colors_of", "word_map", "words_on_image",
]  # fmt: skip
