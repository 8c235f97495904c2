"""Views: Tensors that share another Tensor's memory, and follow it when it changes in place."""

from __future__ import annotations

from typing import Any

from .mode import mode
from .tensor import Tensor, wrap
from .versions import owner


class View:
    """A record of how a Tensor became a view of another one's memory: the ops that lead there from `base`."""

    __slots__ = ("base", "chain", "number")

    def __init__(self, base: Tensor, chain: tuple, number: int):
        self.base, self.chain, self.number = base, chain, number

    @classmethod
    def of(cls, op: Any, tensor: Tensor, attributes: dict, array: Any) -> View | None:
        """Return the view that `op` made of `tensor`; None if `array` is a copy or no gradient is recorded now."""
        if not mode.grad or array.base is not tensor._array and owner(array) is not owner(tensor._array):
            return None
        before = tensor._view
        base, chain = (tensor, ()) if before is None else (before.base, before.chain)
        return cls(base, (*chain, (op, attributes)), base._changed)

    def refresh(self, tensor: Tensor) -> None:
        """Give `tensor` a new node after its base was changed in place."""
        self.number = self.base._changed
        view, saved = self.base, mode.grad
        mode.grad = True
        try:
            for op, attributes in self.chain:
                view = op(view, **attributes)
        finally:
            mode.grad = saved
        tensor._node, tensor._requires_grad = view._edge(), view._requires_grad


def spoken(tensor: Tensor, language: type[Tensor]) -> Tensor:
    """Return a Tensor of another language on the same memory, at the same place in the graph."""
    made = wrap(tensor._array, tensor.device, tensor._edge(), language)
    before = tensor._view
    base, chain = (tensor, ()) if before is None else (before.base, before.chain)
    made._view = View(base, chain, base._changed)
    return made
