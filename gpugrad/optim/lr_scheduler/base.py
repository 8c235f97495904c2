"""The base of schedules, which computes the learning rates of each step and sets them in the optimizer's groups."""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

from ...autograd.tensor import Tensor
from ...backend.capture import current
from ...errors import CaptureError, DTypeError, MissingOptionError, OptionError, StateDictError
from ..optimizer import Optimizer


def _by_replays(step: Callable) -> Callable:
    """Return `step` such that in a captured step of training, the replays do it."""

    @wraps(step)
    def call(self: Any, *args: Any, **kwargs: Any) -> None:
        captured = current()
        if captured is None:
            step(self, *args, **kwargs)
        elif any(isinstance(value, Tensor) for value in (*args, *kwargs.values())):
            raise CaptureError(f"{type(self).__name__}.step: it needs the value of a tensor; call it after the step")
        else:
            captured.before_replay(lambda: call(self, *args, **kwargs))

    return call


class LRScheduler:
    """The base of schedules, which set the learning rate of every group of `optimizer` with each `step()`.

    Making a schedule is its first step. last_epoch is the step to continue from; the groups must have an "initial_lr"
    then. A group that is added to the optimizer later takes part from the next step on, with its own lr as the initial
    one. A subclass defines `get_lr`, or `_group_lr` for one group alone, and `_closed_form_lr` if the rate of any epoch
    is known without the one before (PyTorch's torch.optim.lr_scheduler.LRScheduler).

    >>> class HalfLR(gg.optim.lr_scheduler.LRScheduler):
    ...     def get_lr(self):
    ...         return [base / 2**self.last_epoch for base in self.base_lrs]
    >>> optimizer = gg.optim.SGD([gg.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = HalfLR(optimizer)
    >>> for _ in range(3):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> optimizer.param_groups[0]["lr"]
    0.125
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
                raise MissingOptionError(
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
        """Return all attributes but the optimizer."""
        return {name: value for name, value in vars(self).items() if name not in ("optimizer", *self._not_saved)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` of a scheduler of the same class returned.

        Raises StateDictError if that scheduler's optimizer had more groups.
        """
        given, count = len(state_dict.get("base_lrs", ())), len(self.optimizer.param_groups)
        if given > count:
            raise StateDictError(f"{type(self).__name__}: the state is of {given} groups, the optimizer has {count}")
        vars(self).update(state_dict)

    def get_last_lr(self) -> list[float]:
        """Return the learning rates, one per group, that the last step has set."""
        return self._last_lr

    def get_lr(self) -> list[float]:
        """Compute the learning rates of this epoch, one per group; `get_last_lr` returns those in use."""
        if not self._get_lr_called_within_step:
            warnings.warn("get_lr() computes the next rate; get_last_lr() tells the one in use", stacklevel=2)
        given = zip(self.optimizer.param_groups, self.base_lrs, strict=True)
        return [self._group_lr(i, group["lr"], base) for i, (group, base) in enumerate(given)]

    def _group_lr(self, i: int, lr: float, base: float) -> float:
        """Return the rate of group `i`, from the present one and the initial one."""
        raise NotImplementedError(f"{type(self).__name__} does not define get_lr()")

    def _closed_form_lr(self, base: float) -> float | None:
        """Return the rate at `last_epoch` from the initial one alone; None if it depends on the rate before."""
        return None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in vars(cls):
            cls.step = _by_replays(cls.step)

    @_by_replays
    def step(self, epoch: int | None = None) -> None:
        """Go to the next epoch, or to `epoch`, and set its learning rates. In a captured step, each replay does so."""
        if self._step_count == 1 and not getattr(self.optimizer, "_opt_called", False):
            warnings.warn(
                "scheduler.step() was called before optimizer.step(), which leaves out the first learning rate; "
                "call optimizer.step() first",
                stacklevel=2,
            )
        self._step_count += 1
        self._update_lr(epoch)

    def _add_new_groups(self) -> None:
        """Let the groups that the optimizer has got since the last step take part."""
        for group in self.optimizer.param_groups[len(self.base_lrs) :]:
            self._add_group(group)

    def _add_group(self, group: dict[str, Any]) -> None:
        """Let one more group take part. A subclass that keeps other values for each group adds those."""
        group.setdefault("initial_lr", group["lr"])
        self.base_lrs.append(group["initial_lr"])

    def _update_lr(self, epoch: int | None = None) -> None:
        self._add_new_groups()
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self._get_lr_called_within_step = True
        try:
            closed = [None if epoch is None else self._closed_form_lr(base) for base in self.base_lrs]
            self._set_lrs(self.get_lr() if None in closed else closed)
        finally:
            self._get_lr_called_within_step = False

    def _set_lrs(self, lrs: Sequence[Any]) -> None:
        groups = self.optimizer.param_groups
        if len(lrs) != len(groups):
            raise OptionError(f"{type(self).__name__}: get_lr() returned {len(lrs)} rates for {len(groups)} groups")
        for group, lr in zip(groups, lrs, strict=True):
            group["lr"] = lr
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]


def check_optimizer(scheduler: Any, optimizer: Any) -> Optimizer:
    """Return `optimizer`. Raises DTypeError unless it is one."""
    if not isinstance(optimizer, Optimizer):
        raise DTypeError(f"{type(scheduler).__name__}: expected an Optimizer, got {type(optimizer).__name__}")
    return optimizer


def per_group(name: str, optimizer: Optimizer, value: Any) -> list:
    """Return a list of `value` for each group: it is given once for all, or as a list with one for each."""
    count = len(optimizer.param_groups)
    values = list(value) if isinstance(value, (list, tuple)) else [value] * count
    if len(values) != count:
        raise OptionError(f"{name}: expected one value or {count}, as there are groups, got {len(values)}")
    return values


def common_value(scheduler: LRScheduler, name: str, values: Sequence[Any]) -> Any:
    """Return the value that all groups share, which a new group gets too. Raises OptionError if they differ."""
    if any(value != values[0] for value in values[1:]):
        raise OptionError(
            f"{type(scheduler).__name__}: {name} differs among the {len(values)} groups, so a group that is added "
            "has none; make a new scheduler"
        )
    return values[0]


def copy_common(scheduler: LRScheduler, group: dict[str, Any], names: Sequence[str]) -> None:
    """Set options of a new group to those that all groups of `scheduler` share."""
    known = scheduler.optimizer.param_groups[: len(scheduler.base_lrs)]
    group.update({name: common_value(scheduler, name, [other[name] for other in known]) for name in names})


def check_positive(scheduler: LRScheduler, **values: Any) -> None:
    """Raise OptionError for a value that is not a number above 0."""
    for name, value in values.items():
        if not isinstance(value, (int, float)) or not value > 0:
            raise OptionError(f"{type(scheduler).__name__}: {name} must be a number above 0, got {value!r}")


def set_momentum(group: dict[str, Any], momentum: float) -> None:
    """Set the momentum of a group, which is the first of its betas if it has betas."""
    if "betas" in group:
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum


def init_momentum(scheduler: Any, optimizer: Optimizer, base: Any, maximum: Any, last_epoch: int) -> tuple[list, list]:
    """Set the bounds of a cycled momentum in each group and start it at the upper one; return both lists of bounds."""
    if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
        raise OptionError(
            f"{type(scheduler).__name__}: {type(optimizer).__name__} has no momentum and no betas to cycle; "
            "pass cycle_momentum=False"
        )
    scheduler.use_beta1 = "betas" in optimizer.defaults
    bases = per_group("base_momentum", optimizer, base)
    maxima = per_group("max_momentum", optimizer, maximum)
    if last_epoch == -1:
        for group, low, high in zip(optimizer.param_groups, bases, maxima, strict=True):
            set_momentum(group, high)
            group["max_momentum"], group["base_momentum"] = high, low
    return bases, maxima


def add_momentum(scheduler: LRScheduler, group: dict[str, Any]) -> None:
    """Set the bounds of a cycled momentum in a new group, and start it at the upper one."""
    copy_common(scheduler, group, ("max_momentum", "base_momentum"))
    set_momentum(group, group["max_momentum"])


def function_state(function: Callable | None) -> dict | None:
    """Return the attributes of a callable object, which a state dict keeps; None for a plain function."""
    return None if function is None or isinstance(function, types.FunctionType) else dict(vars(function))
