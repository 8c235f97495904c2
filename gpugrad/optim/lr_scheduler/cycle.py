"""Schedules that raise the learning rate while they lower the momentum, and back (Smith 2017; Smith and Topin 2019)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ...errors import OptionError
from ..optimizer import Optimizer
from .base import (
    LRScheduler,
    add_momentum,
    check_optimizer,
    check_positive,
    common_value,
    copy_common,
    function_state,
    init_momentum,
    per_group,
    set_momentum,
)


class CyclicLR(LRScheduler):
    """The lr rises from base_lr to max_lr in step_size_up steps and falls back in step_size_down, again and again
    (Smith 2017, "Cyclical learning rates for training neural networks", section 3).

    mode sets the height of the cycles: it stays the same ("triangular"), is halved at every cycle ("triangular2"), or
    is multiplied by gamma^step ("exp_range"). scale_fn(cycle), or scale_fn(step) with scale_mode "iterations", replaces
    it. With cycle_momentum, the momentum meanwhile falls from max_momentum to base_momentum and rises back.

    >>> optimizer = gg.optim.SGD([gg.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = gg.optim.lr_scheduler.CyclicLR(
    ...     optimizer, base_lr=0.0, max_lr=1.0, step_size_up=2, cycle_momentum=False
    ... )
    >>> rates = []
    >>> for _ in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> [round(rate, 4) for rate in rates]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    _not_saved = ("_scale_fn_custom",)

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ):
        if scale_fn is None and mode not in ("triangular", "triangular2", "exp_range"):
            raise OptionError(f"CyclicLR: mode must be 'triangular', 'triangular2' or 'exp_range', got {mode!r}")
        down = step_size_up if step_size_down is None else step_size_down
        check_positive(self, step_size_up=step_size_up, step_size_down=down)
        base_lrs = per_group("base_lr", check_optimizer(self, optimizer), base_lr)
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, base_lrs, strict=True):
                group["lr"] = lr
        self.max_lrs = per_group("max_lr", optimizer, max_lr)
        self.total_size = float(step_size_up) + float(down)
        self.step_ratio = float(step_size_up) / self.total_size
        self.mode, self.gamma, self._scale_fn_custom = mode, gamma, scale_fn
        self.scale_mode = scale_mode if scale_fn else "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.base_momentums, self.max_momentums = init_momentum(
                self, optimizer, base_momentum, max_momentum, last_epoch
            )
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def _add_group(self, group: dict[str, Any]) -> None:
        base_lr, max_lr = (common_value(self, n, v) for n, v in (("base_lr", self.base_lrs), ("max_lr", self.max_lrs)))
        if self.cycle_momentum:
            add_momentum(self, group)
            self.base_momentums.append(group["base_momentum"])
            self.max_momentums.append(group["max_momentum"])
        group["lr"] = base_lr
        super()._add_group(group)
        self.base_lrs[-1] = base_lr
        self.max_lrs.append(max_lr)

    def scale_fn(self, x: float) -> float:
        """Return the height of cycle `x`, or at step `x`, as a share of the first."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        return self.gamma**x if self.mode == "exp_range" else 1 / 2.0 ** (x - 1) if self.mode == "triangular2" else 1.0

    def _position(self) -> tuple[float, float]:
        """Return how far up the cycle is, from 0 to 1, and the height of this cycle."""
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        up = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        return up, self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)

    def _group_lr(self, i: int, lr: float, base: float) -> float:
        up, height = self._position()
        if self.cycle_momentum:
            highest = self.max_momentums[i]
            set_momentum(self.optimizer.param_groups[i], highest - (highest - self.base_momentums[i]) * up * height)
        return base + (self.max_lrs[i] - base) * up * height

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "_scale_fn_custom": function_state(self._scale_fn_custom)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "_scale_fn_custom"})
        if state_dict["_scale_fn_custom"] is not None:
            vars(self._scale_fn_custom).update(state_dict["_scale_fn_custom"])


class OneCycleLR(LRScheduler):
    """The lr rises from max_lr / div_factor to max_lr in the share pct_start of all steps, and falls to its initial
    value / final_div_factor in the rest (Smith and Topin 2019, "Super-convergence: very fast training of neural
    networks using large learning rates", section 3).

    The number of steps is total_steps, or epochs times steps_per_epoch. anneal_strategy is "cos" or "linear". With
    three_phase, the lr first falls as it rose and then goes on falling. With cycle_momentum, the momentum meanwhile
    falls from max_momentum to base_momentum and rises back.

    >>> optimizer = gg.optim.SGD([gg.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = gg.optim.lr_scheduler.OneCycleLR(
    ...     optimizer, max_lr=1.0, total_steps=6, pct_start=0.5, cycle_momentum=False
    ... )
    >>> rates = []
    >>> for _ in range(6):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> [round(rate, 4) for rate in rates]
    [0.04, 0.52, 1.0, 0.75, 0.25, 0.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ):
        check_optimizer(self, optimizer)
        self.total_steps = _total_steps(total_steps, epochs, steps_per_epoch)
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise OptionError(f"OneCycleLR: pct_start must be a float between 0 and 1, got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise OptionError(f"OneCycleLR: anneal_strategy must be 'cos' or 'linear', got {anneal_strategy!r}")
        check_positive(self, div_factor=div_factor, final_div_factor=final_div_factor)
        self._schedule_phases = _phases(self.total_steps, pct_start, three_phase)
        self._anneal_func_type = anneal_strategy
        max_lrs = per_group("max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for group, highest in zip(optimizer.param_groups, max_lrs, strict=True):
                group["initial_lr"] = highest / div_factor
                group["max_lr"] = highest
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            init_momentum(self, optimizer, base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def _add_group(self, group: dict[str, Any]) -> None:
        copy_common(self, group, ("initial_lr", "max_lr", "min_lr"))
        if self.cycle_momentum:
            add_momentum(self, group)
        super()._add_group(group)

    def _anneal(self, start: float, end: float, share: float) -> float:
        """Return the value that is the share of the way from `start` to `end`."""
        if self._anneal_func_type == "linear":
            return (end - start) * share + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)

    def _group_lr(self, i: int, lr: float, base: float) -> float:
        step, start = self.last_epoch, 0.0
        if step > self.total_steps:
            raise OptionError(f"OneCycleLR: step {step} of a schedule of {self.total_steps}")
        group = self.optimizer.param_groups[i]
        for phase in self._schedule_phases[:-1]:
            if step <= phase["end_step"]:
                break
            start = phase["end_step"]
        else:
            phase = self._schedule_phases[-1]
        length = phase["end_step"] - start
        share = (step - start) / length if length else 1.0
        if self.cycle_momentum:
            set_momentum(group, self._anneal(group[phase["start_momentum"]], group[phase["end_momentum"]], share))
        return self._anneal(group[phase["start_lr"]], group[phase["end_lr"]], share)


def _total_steps(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    """Return the number of steps, which is given as such or as a product."""
    given = [epochs, steps_per_epoch] if total_steps is None else [total_steps]
    if None in given:
        raise OptionError("OneCycleLR: expected total_steps, or epochs and steps_per_epoch")
    if not all(isinstance(n, int) and n > 0 for n in given):
        raise OptionError(f"OneCycleLR: numbers of steps and epochs must be positive integers, got {given}")
    return math.prod(given)  # type: ignore[arg-type]


def _phases(total_steps: int, pct_start: float, three_phase: bool) -> list[dict[str, Any]]:
    """Return for each phase its last step, and the names of the rates and momenta at its start and end."""
    rates = ["initial_lr", "max_lr", "initial_lr", "min_lr"] if three_phase else ["initial_lr", "max_lr", "min_lr"]
    momenta = ["max_momentum", "base_momentum", "max_momentum", "max_momentum"]
    ends = [float(pct_start * total_steps) - 1, float(2 * pct_start * total_steps) - 2][: len(rates) - 2]
    return [
        {
            "end_step": end,
            "start_lr": rates[i],
            "end_lr": rates[i + 1],
            "start_momentum": momenta[i],
            "end_momentum": momenta[i + 1],
        }
        for i, end in enumerate([*ends, total_steps - 1])
    ]
