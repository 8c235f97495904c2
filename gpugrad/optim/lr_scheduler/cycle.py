"""Schedules that raise the learning rate while they lower the momentum, and back (Smith 2017; Smith and Topin 2019)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ..optimizer import Optimizer
from .base import LRScheduler, check_optimizer, function_state, init_momentum, per_group, set_momentum


class CyclicLR(LRScheduler):
    """lr goes from base_lr to max_lr in step_size_up steps and back in step_size_down, again and again (Smith 2017).

    mode: the height of a cycle is the same always ("triangular"), halved every cycle ("triangular2"), or gamma^step
    ("exp_range"); scale_fn(cycle), or of the step with scale_mode "iterations", is used instead of it if given.
    cycle_momentum: the momentum goes from max_momentum to base_momentum and back meanwhile.
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
            raise ValueError(f"CyclicLR: mode must be 'triangular', 'triangular2' or 'exp_range', got {mode!r}")
        base_lrs = per_group("base_lr", check_optimizer(self, optimizer), base_lr)
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, base_lrs, strict=True):
                group["lr"] = lr
        self.max_lrs = per_group("max_lr", optimizer, max_lr)
        up = float(step_size_up)
        self.total_size = up + (up if step_size_down is None else float(step_size_down))
        self.step_ratio = up / self.total_size
        self.mode, self.gamma, self._scale_fn_custom = mode, gamma, scale_fn
        self.scale_mode = scale_mode if scale_fn else "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.base_momentums, self.max_momentums = init_momentum(
                self, optimizer, base_momentum, max_momentum, last_epoch
            )
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """The height of cycle `x`, or of step `x`, as a share of the first."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        return self.gamma**x if self.mode == "exp_range" else 1 / 2.0 ** (x - 1) if self.mode == "triangular2" else 1.0

    def _share(self) -> tuple[float, float]:
        """How far up the cycle is, and how high this cycle goes."""
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        up = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        return up, self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)

    def _group_lr(self, i: int, lr: float, base: float) -> float:
        up, height = self._share()
        if self.cycle_momentum:
            most = self.max_momentums[i]
            set_momentum(self.optimizer.param_groups[i], most - (most - self.base_momentums[i]) * up * height)
        return base + (self.max_lrs[i] - base) * up * height

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "_scale_fn_custom": function_state(self._scale_fn_custom)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "_scale_fn_custom"})
        if state_dict["_scale_fn_custom"] is not None:
            vars(self._scale_fn_custom).update(state_dict["_scale_fn_custom"])


class OneCycleLR(LRScheduler):
    """lr rises from max_lr / div_factor to max_lr in the share pct_start of all steps, and falls to its initial value
    / final_div_factor in the rest (Smith and Topin 2019).

    total_steps, or epochs and steps_per_epoch: how many steps there are. anneal_strategy: "cos" or "linear".
    three_phase: it falls as it rose, then on. cycle_momentum: the momentum falls to base_momentum meanwhile and back.
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
            raise ValueError(f"OneCycleLR: pct_start must be a float between 0 and 1, got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"OneCycleLR: anneal_strategy must be 'cos' or 'linear', got {anneal_strategy!r}")
        self._schedule_phases = _phases(self.total_steps, pct_start, three_phase)
        self._anneal_func_type = anneal_strategy
        max_lrs = per_group("max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for group, most in zip(optimizer.param_groups, max_lrs, strict=True):
                group["initial_lr"] = most / div_factor
                group["max_lr"] = most
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            init_momentum(self, optimizer, base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def _anneal(self, start: float, end: float, share: float) -> float:
        if self._anneal_func_type == "linear":
            return (end - start) * share + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)

    def _group_lr(self, i: int, lr: float, base: float) -> float:
        step, start = self.last_epoch, 0.0
        if step > self.total_steps:
            raise ValueError(f"OneCycleLR: step {step} of a schedule of {self.total_steps}")
        group = self.optimizer.param_groups[i]
        for phase in self._schedule_phases[:-1]:
            if step <= phase["end_step"]:
                break
            start = phase["end_step"]
        else:
            phase = self._schedule_phases[-1]
        share = (step - start) / (phase["end_step"] - start)
        if self.cycle_momentum:
            set_momentum(group, self._anneal(group[phase["start_momentum"]], group[phase["end_momentum"]], share))
        return self._anneal(group[phase["start_lr"]], group[phase["end_lr"]], share)


def _total_steps(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    given = [epochs, steps_per_epoch] if total_steps is None else [total_steps]
    if None in given:
        raise ValueError("OneCycleLR: expected total_steps, or epochs and steps_per_epoch")
    if not all(isinstance(n, int) and n > 0 for n in given):
        raise ValueError(f"OneCycleLR: numbers of steps and epochs must be positive integers, got {given}")
    return math.prod(given)  # type: ignore[arg-type]


def _phases(total: int, share: float, three: bool) -> list[dict[str, Any]]:
    """The phases: their last steps, and the names of the rates and momenta that they go between."""
    rates = ["initial_lr", "max_lr", "initial_lr", "min_lr"] if three else ["initial_lr", "max_lr", "min_lr"]
    momenta = ["max_momentum", "base_momentum", "max_momentum", "max_momentum"]
    ends = [float(share * total) - 1, float(2 * share * total) - 2][: len(rates) - 2] + [total - 1]
    return [
        {
            "end_step": end,
            "start_lr": rates[i],
            "end_lr": rates[i + 1],
            "start_momentum": momenta[i],
            "end_momentum": momenta[i + 1],
        }
        for i, end in enumerate(ends)
    ]
