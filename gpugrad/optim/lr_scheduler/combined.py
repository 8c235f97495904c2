"""Schedules that are made of other schedules."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import DTypeError, OptionError
from ..optimizer import Optimizer
from .base import LRScheduler
from .plateau import ReduceLROnPlateau


class _CombinedScheduler(LRScheduler):
    """The base of schedules that hold schedulers of one optimizer; their state dicts are part of its own."""

    _not_saved = ("_schedulers",)

    def _set_schedulers(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None) -> None:
        name = type(self).__name__
        if not schedulers:
            raise OptionError(f"{name}: expected at least one scheduler, got none")
        for i, scheduler in enumerate(schedulers):
            if not hasattr(scheduler, "optimizer"):
                raise DTypeError(f"{name}: schedulers[{i}] has no optimizer: it is a {type(scheduler).__name__}")
            if isinstance(scheduler, ReduceLROnPlateau):
                raise OptionError(f"{name}: schedulers[{i}] is a ReduceLROnPlateau, whose step() needs a metric")
            optimizer = scheduler.optimizer if optimizer is None else optimizer
            if scheduler.optimizer is not optimizer:
                raise OptionError(f"{name}: schedulers[{i}], a {type(scheduler).__name__}, has another optimizer")
        self._schedulers, self.optimizer = schedulers, schedulers[0].optimizer

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "_schedulers": [s.state_dict() for s in self._schedulers]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "_schedulers"})
        for scheduler, state in zip(self._schedulers, state_dict["_schedulers"], strict=True):
            scheduler.load_state_dict(state)


class SequentialLR(_CombinedScheduler):
    """One scheduler follows the other: at each of the milestones the next begins, from its own epoch 0 (PyTorch's
    SequentialLR).

    >>> optimizer = gg.optim.SGD([gg.ones(1, requires_grad=True)], lr=1.0)
    >>> warm_up = gg.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> decay = gg.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> scheduler = gg.optim.lr_scheduler.SequentialLR(optimizer, [warm_up, decay], milestones=[2])
    >>> rates = []
    >>> for _ in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [0.5, 0.75, 1.0, 0.5, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: list[LRScheduler], milestones: list[int], last_epoch: int = -1
    ):
        self._set_schedulers(schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise OptionError(
                f"SequentialLR: {len(schedulers)} schedulers need {len(schedulers) - 1} milestones, got "
                f"{len(milestones)}"
            )
        for i, scheduler in enumerate(schedulers[1:], 1):
            if isinstance(scheduler, _CombinedScheduler):
                raise OptionError(
                    f"SequentialLR: schedulers[{i}] is a {type(scheduler).__name__}, which can only be first"
                )
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        # Each scheduler has done its first step when it was made. All are set back, and the first alone starts again.
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        self.recursive_undo()
        first = self._schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def recursive_undo(self, sched: Any = None) -> None:
        """Take back the step that was done when the schedulers, and those inside them, were made."""
        scheduler = self if sched is None else sched
        if hasattr(scheduler, "_schedulers"):
            for inner in scheduler._schedulers:
                self.recursive_undo(inner)
        elif hasattr(scheduler, "last_epoch"):
            scheduler.last_epoch -= 1

    def step(self) -> None:  # type: ignore[override]
        self.last_epoch += 1
        i = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[i]
        if i > 0 and self._milestones[i - 1] == self.last_epoch:
            scheduler._update_lr(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


class ChainedScheduler(_CombinedScheduler):
    """All schedulers step together; each changes the lr that the one before has set (PyTorch's ChainedScheduler).

    >>> optimizer = gg.optim.SGD([gg.ones(1, requires_grad=True)], lr=1.0)
    >>> constant = gg.optim.lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=2)
    >>> decay = gg.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> scheduler = gg.optim.lr_scheduler.ChainedScheduler([constant, decay])
    >>> rates = []
    >>> for _ in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [0.5, 0.25, 0.25, 0.125, 0.0625]
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None):
        self._set_schedulers(schedulers, optimizer)
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def step(self) -> None:  # type: ignore[override]
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]
