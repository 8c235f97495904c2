"""What PyTorch means by each name of the table: one module per family; importing this package fills `TABLE`."""

from . import arithmetic, creation, indexing, matrices, members, order, randomness, reductions, shapes

from . import borrowed  # isort: skip - of the others

__all__ = [
    "arithmetic", "borrowed", "creation", "indexing", "matrices", "members", "order", "randomness", "reductions", "shapes",
]  # fmt: skip
