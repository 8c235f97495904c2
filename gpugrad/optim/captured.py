"""The updates of an optimizer in a captured step: their numbers are computed anew before each replay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..autograd.tensor import Tensor
from ..backend.capture import Capture
from ..errors import CaptureError

if TYPE_CHECKING:
    from .optimizer import Optimizer


class CapturedUpdate:
    """One launch that updates `parameters` of a group, in every replay of a captured step.

    The learning rate is read from the group and the counts from the state at each replay, so schedules go on, and the
    state is what the same steps without capture leave.
    """

    def __init__(self, optimizer: Optimizer, group: dict[str, Any], parameters: list[Tensor], captured: Capture):
        self.optimizer, self.group, self.parameters = optimizer, group, parameters
        self.states = [optimizer.state[parameter] for parameter in parameters]
        self._arrays = self._now()
        self._next: list[dict[str, Any]] = []
        captured.check(self.is_current)

    def _now(self) -> list:
        names = self.optimizer._state_names(self.group)
        kept = [state[name]._array for state in self.states for name in names]
        return [*(parameter._array for parameter in self.parameters), *kept]

    def is_current(self) -> bool:
        """Return whether parameters and state are still the arrays that the launch was given."""
        optimizer = self.optimizer
        same = all([optimizer.state[p] is state for p, state in zip(self.parameters, self.states, strict=True)])
        return same and all([a is b for a, b in zip(self._arrays, self._now(), strict=True)])

    def fields(self) -> tuple[float, ...]:
        """Return the functor's fields of the next step, which `commit` will count."""
        self._next = [dict(state) for state in self.states]
        scalars = {self.optimizer._step_scalars(state, self.group) for state in self._next}
        if len(scalars) > 1:
            raise CaptureError(
                f"{type(self.optimizer).__name__}.step: the step counts of parameters that were equal when the step "
                "was captured differ now; capture it anew"
            )
        return self.optimizer._functor_fields(self.group, scalars.pop())

    def commit(self) -> None:
        """Count the step of which `fields` returned the numbers."""
        for state, new in zip(self.states, self._next, strict=True):
            state.update(new)


def refuse(optimizer: Optimizer, why: str) -> CaptureError:
    """Return the error for an update that is not one launch with its numbers in device memory."""
    return CaptureError(
        f"{type(optimizer).__name__}.step: {why}, and its learning rate and counts would stay those of the capture"
    )


def first_step(optimizer: Optimizer) -> CaptureError:
    """Return the error for state that would be made anew by each replay."""
    return CaptureError(
        f"{type(optimizer).__name__}.step: a parameter has its first gradient here; its state must be made by a step "
        "that is not captured"
    )
