"""What PyTorch means by each name of the table: one module per family; importing this package fills `TABLE`."""

from . import arithmetic, borrowed, creation, indexing, matrices, members, order, randomness, reductions, shapes

__all__ = [
    "arithmetic", "borrowed", "creation", "indexing", "matrices", "members", "order", "randomness", "reductions",
    "shapes",
]  # fmt: skip
