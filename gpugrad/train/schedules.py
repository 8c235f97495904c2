"""The learning rate that the recipes share: it rises for some steps, then falls in a line to zero."""

from typing import Any

from ..optim.lr_scheduler import LambdaLR


def falling(optimizer: Any, steps: int, warmup: int = 1) -> LambdaLR:
    """Return a schedule, to be stepped after each step, that multiplies the learning rate by min(1, (t + 1) / warmup)
    (1 - t / steps) in step t.

    >>> optimizer = gg.optim.SGD([nn.Parameter(gg.ones(1))], lr=1.0)
    >>> schedule, rates = gg.train.falling(optimizer, steps=4, warmup=2), []
    >>> for _ in range(4):
    ...     rates.append(optimizer.param_groups[0]["lr"])
    ...     optimizer.step()
    ...     schedule.step()
    >>> rates
    [0.5, 0.75, 0.5, 0.25]
    """
    return LambdaLR(optimizer, lambda step: min(1, (step + 1) / max(1, warmup)) * (1 - step / max(1, steps)))
