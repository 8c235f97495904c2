"""The updates of an optimizer in a captured step: their numbers are computed anew before each replay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..autograd.tensor import Tensor
from ..backend.capture import Capture
from ..errors import CaptureError

if TYPE_CHECKING:
    from .optimizer import Optimizer


class CapturedUpdate:
    """One launch that updates parameters of a group, in every replay of a captured step.

    The learning rate is read from the group and the counts from the state at each replay, so schedules go on, and the
    state is what the same steps without capture leave. members: the (parameter, state, arrays) of the launch, in which
    `state` has the arrays of a parameter that has not been updated yet, too.
    """

    def __init__(self, optimizer: Optimizer, group: dict[str, Any], members: list, captured: Capture):
        self.optimizer, self.group = optimizer, group
        self.parameters: list[Tensor] = [parameter for parameter, *_ in members]
        self.states = [optimizer.state[parameter] for parameter in self.parameters]
        names = optimizer._state_names(group)
        self._tensors = [{name: state[name] for name in names} for _, state, _ in members]
        self._arrays = self._now()
        self._next: list[dict[str, Any]] = []
        captured.check(self.is_current)

    def _now(self) -> list:
        kept = zip(self.states, self._tensors, strict=True)
        moments = [state.get(name, made)._array for state, tensors in kept for name, made in tensors.items()]
        return [*(parameter._array for parameter in self.parameters), *moments]

    def is_current(self) -> bool:
        """Return whether parameters and state are still the arrays that the launch was given."""
        state = self.optimizer.state
        same = all([state[p] is known for p, known in zip(self.parameters, self.states, strict=True)])
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
        for state, new, tensors in zip(self.states, self._next, self._tensors, strict=True):
            state.update(new)
            state.update(tensors)


def refuse(optimizer: Optimizer, why: str) -> CaptureError:
    """Return the error for an update that is not one launch with its numbers in device memory."""
    return CaptureError(
        f"{type(optimizer).__name__}.step: {why}, and its learning rate and counts would stay those of the capture"
    )
