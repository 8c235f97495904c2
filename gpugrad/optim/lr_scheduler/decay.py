"""Schedules that multiply the learning rate: by a function, at milestones, or towards an end."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ...errors import DTypeError, OptionError
from ..optimizer import Optimizer
from .base import LRScheduler, check_optimizer, check_positive, common_value, function_state, per_group

Factor = Callable[[int], float]


class _LambdaScheduler(LRScheduler):
    """The base of schedules that call a function of the epoch, or one for each group.

    A state dict holds the attributes of callable objects; it holds nothing of plain functions.
    """

    _not_saved = ("lr_lambdas",)

    def __init__(self, optimizer: Optimizer, lr_lambda: Factor | Sequence[Factor], last_epoch: int = -1):
        self.lr_lambdas = per_group("lr_lambda", check_optimizer(self, optimizer), lr_lambda)
        for function in self.lr_lambdas:
            if not callable(function):
                raise DTypeError(f"{type(self).__name__}: lr_lambda must be a function, got {type(function).__name__}")
        super().__init__(optimizer, last_epoch)

    def _add_group(self, group: dict[str, Any]) -> None:
        function = common_value(self, "lr_lambda", self.lr_lambdas)
        super()._add_group(group)
        self.lr_lambdas.append(function)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "lr_lambdas": [function_state(f) for f in self.lr_lambdas]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "lr_lambdas"})
        for function, state in zip(self.lr_lambdas, state_dict["lr_lambdas"], strict=True):
            if state is not None:
                vars(function).update(state)


class LambdaLR(_LambdaScheduler):
    """The lr is the initial one times lr_lambda(epoch), a function or one for each group (PyTorch's LambdaLR).

    >>> optimizer = gg.optim.SGD([gg.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = gg.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    >>> rates = []
    >>> for _ in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> [round(rate, 4) for rate in rates]
    [1.0, 0.5, 0.3333, 0.25, 0.2]
    """

    def _group_lr(self, i: int, lr: float, base: float) -> float:
        return base * self.lr_lambdas[i](self.last_epoch)


class MultiplicativeLR(_LambdaScheduler):
    """The lr is multiplied by lr_lambda(epoch) at every epoch after the first (PyTorch's MultiplicativeLR).

    >>> optimizer = gg.optim.SGD([gg.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = gg.optim.lr_scheduler.MultiplicativeLR(optimizer, lambda epoch: 0.5)
    >>> rates = []
    >>> for _ in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [1.0, 0.5, 0.25, 0.125, 0.0625]
    """

    def _group_lr(self, i: int, lr: float, base: float) -> float:
        return lr if self._is_initial else lr * self.lr_lambdas[i](self.last_epoch)


class StepLR(LRScheduler):
    """The lr is multiplied by gamma every step_size epochs (PyTorch's StepLR).

    >>> optimizer = gg.optim.SGD([gg.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = gg.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> rates = []
    >>> for _ in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1):
        check_positive(self, step_size=step_size)
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def _group_lr(self, i: int, lr: float, base: float) -> float:
        return lr if self.last_epoch == 0 or self.last_epoch % self.step_size else lr * self.gamma

    def _closed_form_lr(self, base: float) -> float:
        return base * self.gamma ** (self.last_epoch // self.step_size)


class MultiStepLR(LRScheduler):
    """The lr is multiplied by gamma at each of the milestones (PyTorch's MultiStepLR).

    >>> optimizer = gg.optim.SGD([gg.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = gg.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[1, 4], gamma=0.5)
    >>> rates = []
    >>> for _ in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [1.0, 0.5, 0.5, 0.5, 0.25]
    """

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1):
        self.milestones, self.gamma = Counter(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def _group_lr(self, i: int, lr: float, base: float) -> float:
        return lr * self.gamma ** self.milestones[self.last_epoch] if self.last_epoch in self.milestones else lr

    def _closed_form_lr(self, base: float) -> float:
        return base * self.gamma ** bisect_right(sorted(self.milestones.elements()), self.last_epoch)


class ConstantLR(LRScheduler):
    """The lr is factor times the initial one until epoch total_iters, and the initial one from then on (PyTorch's
    ConstantLR).

    >>> optimizer = gg.optim.SGD([gg.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = gg.optim.lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=3)
    >>> rates = []
    >>> for _ in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [0.5, 0.5, 0.5, 1.0, 1.0]
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1):
        if not 0 <= factor <= 1:
            raise OptionError(f"ConstantLR: factor must be between 0 and 1, got {factor}")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def _group_lr(self, i: int, lr: float, base: float) -> float:
        if self.last_epoch == 0:
            return lr * self.factor
        if self.last_epoch != self.total_iters:
            return lr
        return lr * (1.0 / self.factor) if self.factor else base

    def _closed_form_lr(self, base: float) -> float:
        return base * (self.factor + (self.last_epoch >= self.total_iters) * (1 - self.factor))


class LinearLR(LRScheduler):
    """The lr goes from start_factor to end_factor times the initial one in total_iters equal steps (PyTorch's
    LinearLR). As a warm-up, see Goyal et al. 2017, "Accurate, large minibatch SGD", section 2.2.

    >>> optimizer = gg.optim.SGD([gg.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = gg.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.25, total_iters=3)
    >>> rates = []
    >>> for _ in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> [round(rate, 4) for rate in rates]
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ):
        if not 0 < start_factor <= 1 or not 0 <= end_factor <= 1:
            raise OptionError(
                f"LinearLR: start_factor must be in (0, 1] and end_factor in [0, 1], got {start_factor}, {end_factor}"
            )
        check_positive(self, total_iters=total_iters)
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def _group_lr(self, i: int, lr: float, base: float) -> float:
        if self.last_epoch == 0:
            return lr * self.start_factor
        if self._is_initial or self.last_epoch > self.total_iters:
            return lr
        rise = self.end_factor - self.start_factor
        return lr * (1.0 + rise / (self.total_iters * self.start_factor + (self.last_epoch - 1) * rise))

    def _closed_form_lr(self, base: float) -> float:
        rise = (self.end_factor - self.start_factor) * min(self.total_iters, self.last_epoch)
        return base * (self.start_factor + rise / self.total_iters)


class ExponentialLR(LRScheduler):
    """The lr is multiplied by gamma at every epoch (PyTorch's ExponentialLR).

    >>> optimizer = gg.optim.SGD([gg.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = gg.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> rates = []
    >>> for _ in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [1.0, 0.5, 0.25, 0.125, 0.0625]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1):
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _group_lr(self, i: int, lr: float, base: float) -> float:
        return lr if self._is_initial else lr * self.gamma

    def _closed_form_lr(self, base: float) -> float:
        return base * self.gamma**self.last_epoch


class PolynomialLR(LRScheduler):
    """The lr is the initial one times (1 - epoch / total_iters)^power, and 0 after total_iters (PyTorch's
    PolynomialLR).

    >>> optimizer = gg.optim.SGD([gg.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = gg.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=4, power=2.0)
    >>> rates = []
    >>> for _ in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> [round(rate, 4) for rate in rates]
    [1.0, 0.5625, 0.25, 0.0625, 0.0]
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1):
        check_positive(self, total_iters=total_iters)
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def _group_lr(self, i: int, lr: float, base: float) -> float:
        if self._is_initial or self.last_epoch > self.total_iters:
            return lr
        left, before = 1.0 - self.last_epoch / self.total_iters, 1.0 - (self.last_epoch - 1) / self.total_iters
        return lr * (left / before) ** self.power

    def _closed_form_lr(self, base: float) -> float:
        return base * (1.0 - min(self.total_iters, self.last_epoch) / self.total_iters) ** self.power
