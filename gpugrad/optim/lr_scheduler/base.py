"""The base of schedules: when a new learning rate is due, and where it goes."""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..optimizer import Optimizer


class LRScheduler:
    """Sets the learning rate of every group of `optimizer` with each `step()`; making one is its first step.

    last_epoch: the step to continue from; the groups must then have an "initial_lr". A subclass defines `get_lr`, or
    `_group_lr` for one group alone, and `_closed_form_lr` if the rate of any epoch is known without the one before.
    """

    _get_lr_called_within_step = False
    _is_initial = False
    _not_saved: tuple[str, ...] = ()  # attributes besides the optimizer that a state dict leaves out

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1):
        self.optimizer = check_optimizer(self, optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"{type(self).__name__}: param_groups[{i}] has no 'initial_lr', which last_epoch={last_epoch} "
                    "needs; load the optimizer's state first"
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def state_dict(self) -> dict[str, Any]:
        """All attributes but the optimizer."""
        return {name: value for name, value in vars(self).items() if name not in ("optimizer", *self._not_saved)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` of a scheduler of the same class returned."""
        vars(self).update(state_dict)

    def get_last_lr(self) -> list[float]:
        """The learning rates, one per group, that the last step has set."""
        return self._last_lr

    def get_lr(self) -> list[float]:
        """The learning rates that are due, one per group; `get_last_lr` tells those in use."""
        if not self._get_lr_called_within_step:
            warnings.warn("get_lr() computes the next rate; get_last_lr() tells the one in use", stacklevel=2)
        given = zip(self.optimizer.param_groups, self.base_lrs, strict=True)
        return [self._group_lr(i, group["lr"], base) for i, (group, base) in enumerate(given)]

    def _group_lr(self, i: int, lr: float, base: float) -> float:
        """The rate of group `i`, from the present one and the initial one."""
        raise NotImplementedError(f"{type(self).__name__} does not define get_lr()")

    def _closed_form_lr(self, base: float) -> float | None:
        """The rate at `last_epoch` from the initial one alone; None if only the rate before leads to it."""
        return None

    def step(self, epoch: int | None = None) -> None:
        """Go on to the next epoch, or to `epoch`, and set its learning rates."""
        if self._step_count == 1 and not getattr(self.optimizer, "_opt_called", False):
            warnings.warn(
                "scheduler.step() was called before optimizer.step(), which leaves out the first learning rate; "
                "call optimizer.step() first",
                stacklevel=2,
            )
        self._step_count += 1
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self._get_lr_called_within_step = True
        try:
            closed = [None if epoch is None else self._closed_form_lr(base) for base in self.base_lrs]
            self._set_lrs(self.get_lr() if None in closed else closed)
        finally:
            self._get_lr_called_within_step = False

    def _set_lrs(self, lrs: Sequence[Any]) -> None:
        for group, lr in zip(self.optimizer.param_groups, lrs, strict=True):
            group["lr"] = lr
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]


def check_optimizer(scheduler: Any, optimizer: Any) -> Optimizer:
    """`optimizer`, if it is one."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(scheduler).__name__}: expected an Optimizer, got {type(optimizer).__name__}")
    return optimizer


def per_group(name: str, optimizer: Optimizer, value: Any) -> list:
    """`value` for each group: one for all, or a list of as many as there are groups."""
    count = len(optimizer.param_groups)
    values = list(value) if isinstance(value, (list, tuple)) else [value] * count
    if len(values) != count:
        raise ValueError(f"{name}: expected one value or {count}, as there are groups, got {len(values)}")
    return values


def set_momentum(group: dict[str, Any], momentum: float) -> None:
    """Set the momentum of a group, which for Adam and its kin is the first of its betas."""
    if "betas" in group:
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum


def init_momentum(scheduler: Any, optimizer: Optimizer, base: Any, most: Any, last_epoch: int) -> tuple[list, list]:
    """The bounds of a cycled momentum for each group, kept in the groups and started at the upper one."""
    if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
        raise ValueError(
            f"{type(scheduler).__name__}: {type(optimizer).__name__} has no momentum and no betas to cycle; "
            "pass cycle_momentum=False"
        )
    scheduler.use_beta1 = "betas" in optimizer.defaults
    bases, mosts = per_group("base_momentum", optimizer, base), per_group("max_momentum", optimizer, most)
    if last_epoch == -1:
        for group, low, high in zip(optimizer.param_groups, bases, mosts, strict=True):
            set_momentum(group, high)
            group["max_momentum"], group["base_momentum"] = high, low
    return bases, mosts


def function_state(function: Callable | None) -> dict | None:
    """What a state dict holds of a function: the attributes of a callable object, nothing of a plain function."""
    return None if function is None or isinstance(function, types.FunctionType) else dict(vars(function))
