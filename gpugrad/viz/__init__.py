"""Pictures: graphs of computations, curves, images, and what is inside a network.

Each function returns what it drew or found; those that draw return matplotlib's Figure and write it to `path`.
"""

from .boxes import boxes
from .charts import bars, curves, histograms, lines
from .graphs import Dot, graph

__all__ = [
    "Dot", "bars", "boxes", "curves", "graph", "histograms", "lines",
]  # fmt: skip
