"""Evaluation mode for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..module import Module


@contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """Keep a model in evaluation mode inside the block; then each of its modules has the mode that it had.

    >>> model = nn.Sequential(nn.BatchNorm1d(2).eval(), nn.Dropout())  # the statistics are frozen
    >>> with nn.utils.evaluating(model):
    ...     model[1].training
    False
    >>> [module.training for module in model]
    [False, True]
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
