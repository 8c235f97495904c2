"""Loss scaling for training in float16 (Micikevicius et al. 2018, "Mixed precision training", section 3.2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ..autograd.tensor import Tensor, wrap
from ..autograd.versions import all_changed
from ..backend.capture import Capture, current
from ..backend.devices import Device
from ..backend.dtypes import float16, float32, float64, is_low
from ..errors import DTypeError, GradientError, OptionError

_READY, _UNSCALED, _STEPPED = range(3)


class _OptimizerProgress:
    """The calls that were made for one optimizer since the last update(), and their findings."""

    def __init__(self) -> None:
        self.stage = _READY
        # Of each device, an array, and the value that it has if a gradient there was infinite or NaN.
        self.flags: list[tuple[Tensor, int]] = []
        self._found: bool | None = None

    @property
    def found_inf(self) -> bool:
        """Whether a gradient was infinite or NaN. The first reading waits for the devices."""
        if self._found is None:
            self._found = any([flag.item() == bad for flag, bad in self.flags])
        return self._found


class GradScaler:
    """Multiplies the loss so that float16 gradients do not vanish, and divides the gradients before the step
    (Micikevicius et al. 2018, "Mixed precision training", section 3.2).

        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)      # only to look at the gradients before the step, for example to clip them
        scaler.step(optimizer)          # does nothing if a gradient is infinite or NaN
        scaler.update()

    After a step that did nothing, the scale is multiplied by backoff_factor; after growth_interval other steps in a
    row, by growth_factor.

    >>> x = gg.tensor([3.0], requires_grad=True)
    >>> optimizer = gg.optim.SGD([x], lr=0.5)
    >>> scaler = gg.amp.GradScaler("cpu", init_scale=8.0, growth_interval=1)
    >>> scaler.scale((x * x).sum()).backward()
    >>> x.grad.tolist()
    [48.0]
    >>> scaler.step(optimizer)
    >>> scaler.update()
    >>> x.tolist(), scaler.get_scale()
    ([0.0], 16.0)
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ):
        if enabled and (growth_factor <= 1.0 or backoff_factor >= 1.0):
            raise OptionError(
                f"GradScaler: growth_factor must be above 1 and backoff_factor below, got {growth_factor}, "
                f"{backoff_factor}"
            )
        self._device, self._enabled = device, enabled
        self._scale, self._growth_tracker = float(init_scale), 0
        self._growth_factor, self._backoff_factor = growth_factor, backoff_factor
        self._growth_interval = growth_interval
        self._used = False
        self._progress: dict[int, _OptimizerProgress] = {}
        self._calls = 0  # of unscale_
        self._found: WeakKeyDictionary[Any, dict[Device, Tensor]] = WeakKeyDictionary()  # flags on cuda devices

    def scale(self, outputs: Any) -> Any:
        """Return `outputs` times the scale: a Tensor, or an iterable of them, which may be nested."""
        if not self._enabled:
            return outputs
        self._used = True
        if isinstance(outputs, Tensor):
            outputs = outputs.to(dtype=float32) if is_low(outputs.dtype) else outputs
            return outputs * self._number(outputs.device, lambda: self._scale)
        if not isinstance(outputs, Iterable):
            raise DTypeError(
                f"GradScaler.scale: expected a Tensor or an iterable of them, got a {type(outputs).__name__}"
            )
        scaled = map(self.scale, outputs)
        return type(outputs)(scaled) if isinstance(outputs, (list, tuple)) else scaled

    def _number(self, device: Device, value: Callable[[], float]) -> Any:
        """Return value(); in a captured step, a 0-d float32 Tensor that holds it before each replay."""
        captured = current()
        if captured is None:
            return value()
        return wrap(captured.numbers(1, float32, value).reshape(()), device, None)

    def _progress_of(self, optimizer: Any, call: str) -> _OptimizerProgress:
        if not self._used:
            raise GradientError(f"GradScaler.{call}: nothing has been scaled yet; call scaler.scale(loss) first")
        return self._progress.setdefault(id(optimizer), _OptimizerProgress())

    def unscale_(self, optimizer: Any) -> None:
        """Divide the gradients of the optimizer's parameters by the scale, in place, once between updates.

        Raises GradientError for a second call, and OptionError for float16 gradients, which need float32 parameters.
        """
        if not self._enabled:
            return
        progress = self._progress_of(optimizer, "unscale_")
        if progress.stage != _READY:
            done = "unscale_()" if progress.stage == _UNSCALED else "step()"
            raise GradientError(
                f"GradScaler.unscale_: {done} has been called on this optimizer since the last update()"
            )
        by_device: dict[tuple[Device, np.dtype], list] = {}
        for group in optimizer.param_groups:
            for gradient in (p.grad for p in group["params"] if p.grad is not None):
                if gradient.dtype == float16:
                    raise OptionError("GradScaler.unscale_: float16 gradients; keep parameters in float32")
                by_device.setdefault((gradient.device, gradient.dtype), []).append(gradient._array)
        self._calls += 1
        for (device, _), arrays in by_device.items():
            progress.flags.append(self._unscale(optimizer, device, arrays))
            all_changed(arrays, "GradScaler.unscale_")
        progress.stage = _UNSCALED

    def _unscale(self, optimizer: Any, device: Device, arrays: list) -> tuple[Tensor, int]:
        """Divide gradients of one device and dtype by the scale. Returns a flag, and its value if one is not finite."""
        captured = current()
        if device.type == "cuda" and all(array.flags.c_contiguous for array in arrays):
            from .cuda import unscale

            flag, number = self._flag(optimizer, device, captured)
            place = None if captured is None else captured.numbers(1, float64, self._inverse)
            unscale(device, arrays, self._inverse(), flag._array, number, place)
            return flag, number
        xp, bad = device.xp, False
        with device.selected():
            for array in arrays:
                inverse = self._inverse() if captured is None else captured.numbers(1, array.dtype, self._inverse)
                bad = ~xp.isfinite(array).all() | bad
                xp.multiply(array, inverse, out=array)
        return wrap(device.asarray(bad), device, None), 1

    def _inverse(self) -> float:
        return float(np.float32(1.0 / self._scale))

    def _flag(self, optimizer: Any, device: Device, captured: Capture | None) -> tuple[Tensor, int]:
        """Return a flag on a cuda device, and the value that tells that a gradient is not finite."""
        if captured is not None:  # each replay sets it to zero
            return wrap(device.xp.zeros((1,), np.int32), device, None), 1
        flags = self._found.setdefault(optimizer, {})
        if device not in flags:
            flags[device] = wrap(device.full((1,), 0, np.dtype(np.int32)), device, None)
        return flags[device], self._calls

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """Unscale the gradients if that has not been done, and call optimizer.step(...) if all of them are finite."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise GradientError("GradScaler.step: closures are not supported while scaling")
        progress = self._progress_of(optimizer, "step")
        if progress.stage == _STEPPED:
            raise GradientError("GradScaler.step: step() has been called on this optimizer since the last update()")
        if progress.stage == _READY:
            self.unscale_(optimizer)
        if not progress.flags:
            raise GradientError("GradScaler.step: the optimizer's parameters have no gradients")
        progress.stage = _STEPPED
        if (captured := current()) is not None:
            return self._captured_step(captured, progress, optimizer, args, kwargs)
        return None if progress.found_inf else optimizer.step(*args, **kwargs)

    def _captured_step(
        self, captured: Capture, progress: _OptimizerProgress, optimizer: Any, args: tuple, kwargs: dict
    ) -> Any:
        """Record optimizer.step(...) such that a replay in which a gradient is not finite changes nothing.

        The host learns it after the replay, because the counts and the scale of the next one depend on it.
        """
        first, *others = [flag._array.astype(np.int32).reshape((1,)) for flag, _ in progress.flags]
        for other in others:
            first = first | other
        captured.skip = captured.flag(first)
        try:
            return optimizer.step(*args, **kwargs)
        finally:
            captured.skip = None

    def update(self, new_scale: Any = None) -> None:
        """Make the scale smaller or larger by the steps since the last update, or set it to `new_scale`."""
        if not self._enabled:
            return
        every, self._progress = list(self._progress.values()), {}
        if new_scale is None and not any(progress.flags for progress in every):
            raise GradientError("GradScaler.update: no gradients were checked; call step() or unscale_() first")
        if (captured := current()) is None:
            self._update(new_scale, lambda: any(progress.found_inf for progress in every))
        else:
            captured.once(
                self, "GradScaler.update: the scale after it is known when the replay is done; capture one step"
            )
            flags = [captured.flag(flag._array) for progress in every for flag, _ in progress.flags]
            captured.after_replay(lambda: self._update(new_scale, lambda: any([flag.read() for flag in flags])))

    def _update(self, new_scale: Any, found_inf: Callable[[], bool]) -> None:
        if new_scale is not None:
            self._scale = float(new_scale)
        elif found_inf():
            self._scale, self._growth_tracker = self._scale * self._backoff_factor, 0
        else:
            self._growth_tracker += 1
            if self._growth_tracker == self._growth_interval:
                grown = self._scale * self._growth_factor
                self._scale, self._growth_tracker = grown if math.isfinite(grown) else self._scale, 0

    # Settings and state

    def get_scale(self) -> float:
        """Return the scale, which is 1 if scaling is disabled."""
        return self._scale if self._enabled else 1.0

    def get_growth_factor(self) -> float:
        """Return the factor by which the scale grows."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Set the factor by which the scale grows."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """Return the factor of the scale after a gradient that is not finite."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Set the factor of the scale after a gradient that is not finite."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """Return the number of good steps in a row after which the scale grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Set the number of good steps in a row after which the scale grows."""
        self._growth_interval = new_interval

    def is_enabled(self) -> bool:
        """Return whether scaling is enabled."""
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """Return the scale, the settings and the count of good steps under PyTorch's names; {} if disabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._growth_tracker,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned. Raises GradientError for the empty one of a disabled scaler."""
        if not self._enabled:
            return
        if not state_dict:
            raise GradientError("GradScaler.load_state_dict: the state is empty; was it saved from a disabled scaler?")
        for name, value in state_dict.items():
            setattr(self, "_" + name.removeprefix("_"), value)
