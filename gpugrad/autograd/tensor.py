"""The Tensor: an array, its device, and its place in the graph.

A Tensor that an op made refers to the op's node; a leaf that requires a gradient is itself a node without edges.
Methods that need more than this module are attached by the modules above it (see `method`): each op is one, under its
own name.
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable, Iterable
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend.devices import Device
from ..backend.dtypes import is_inexact
from ..errors import DeviceError, DTypeError, GradientError, ShapeError
from .protocols import Protocols

if TYPE_CHECKING:
    from .views import View

_hook_keys = count()
_new = object.__new__


class Tensor(Protocols):
    """An n-dimensional array that remembers how it was computed; `gpugrad.tensor`, `zeros` and every op make one.

    >>> x = gg.tensor([1.0, 2.0], requires_grad=True)
    >>> y = (x * x).sum()
    >>> y.backward()
    >>> y.item(), x.grad
    (5.0, tensor([2., 4.]))
    """

    # `wrap` sets all of them. Attributes of the user's own go into the __dict__, which is made when the first is set.
    __slots__ = (
        "_array", "device", "_node", "_requires_grad", "_grad", "hooks", "_view", "_changed", "__dict__", "__weakref__",
    )  # fmt: skip

    if TYPE_CHECKING:
        _grad: Tensor | None
        hooks: dict[int, Callable] | None
        _view: View | None
        _changed: int
        _language: type[Tensor]  # the class of what ops make of this Tensor: see `language_of`

    # A leaf as a node of the graph (see graph.py).
    edges: tuple = ()
    number = 0
    site = None
    name = "leaf"

    # Properties

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the sizes of the axes."""
        return self._array.shape

    @property
    def dtype(self) -> np.dtype:
        """Return the type of the elements."""
        return self._array.dtype

    @property
    def ndim(self) -> int:
        """Return the number of axes."""
        return self._array.ndim

    @property
    def itemsize(self) -> int:
        """Return the number of bytes of one element."""
        return self._array.itemsize

    @property
    def nbytes(self) -> int:
        """Return the number of bytes of all elements."""
        return self._array.nbytes

    @property
    def data(self) -> Tensor:
        """Return a Tensor on the same memory, outside the graph."""
        return wrap(self._array, self.device, None, self._language)

    @data.setter
    def data(self, value: Any) -> None:
        self._array = value._array if isinstance(value, Tensor) else self.device.asarray(value)

    @property
    def is_leaf(self) -> bool:
        """Return whether no recorded op made this Tensor."""
        return self._node is None

    @property
    def grad_fn(self) -> Any:
        """Return the node of the op that made this Tensor; None for a leaf."""
        self._edge()
        return self._node

    @property
    def requires_grad(self) -> bool:
        """Return whether ops on this Tensor are recorded."""
        if self._view is not None:
            self._edge()
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    @property
    def grad(self) -> Tensor | None:
        """Return the gradient that backward has added up for this Tensor; None before.

        Setting it raises DTypeError, ShapeError or DeviceError unless it is a Tensor like this one, or None.
        """
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            _check_gradient(self, value)
        self._grad = value

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Start (or stop) recording ops on this leaf; returns it. Raises DTypeError unless floating-point or complex.

        >>> gg.ones(2).requires_grad_().requires_grad
        True
        """
        if requires_grad and not is_inexact(self.dtype):
            raise DTypeError(
                f"requires_grad: only floating-point and complex tensors can require gradients, got {self.dtype}"
            )
        if not requires_grad and self._node is not None:
            raise GradientError("requires_grad=False: this tensor was made by a recorded op; use detach()")
        self._requires_grad = bool(requires_grad)
        return self

    # The graph

    def detach(self) -> Tensor:
        """Return a Tensor on the same memory, outside the graph.

        >>> gg.ones(2, requires_grad=True).exp().detach().requires_grad
        False
        """
        return wrap(self._array, self.device, None, self._language)

    def detach_(self) -> Tensor:
        """Take this Tensor out of the graph, and return it.

        >>> x = gg.ones(2, requires_grad=True) * 2
        >>> x.detach_().requires_grad
        False
        """
        self._node, self._requires_grad, self._view = None, False, None
        return self

    def register_hook(self, hook: Callable) -> Handle:
        """Call `hook(gradient)` when this Tensor's gradient is known; a Tensor that it returns replaces the gradient.

        >>> x = gg.ones(2, requires_grad=True)
        >>> handle = x.register_hook(lambda gradient: gradient * 10)
        >>> x.sum().backward()
        >>> x.grad
        tensor([10., 10.])
        """
        edge = self._edge()
        if edge is None:
            raise GradientError("register_hook: this tensor does not require a gradient")
        if edge.hooks is None:
            edge.hooks = {}
        key = next(_hook_keys)
        edge.hooks[key] = hook
        return Handle(edge, key)

    def retain_grad(self) -> None:
        """Let backward also keep the gradient of this Tensor, which is no leaf, in `.grad`.

        >>> y = gg.ones(2, requires_grad=True) * 2
        >>> y.retain_grad()
        >>> (y * y).sum().backward()
        >>> y.grad
        tensor([4., 4.])
        """
        if self._node is None:
            return
        me = weakref.ref(self)

        def keep(gradient: Tensor) -> None:
            tensor = me()
            if tensor is not None:
                tensor.grad = gradient if tensor.grad is None else tensor.grad + gradient

        self.register_hook(keep)

    def _edge(self) -> Any:
        """Return the node that users of this Tensor point to: its op's node, a leaf itself, or None for a constant."""
        view = self._view
        if view is not None and view.number < view.base._changed:
            view.refresh(self)
        return self._node if self._node is not None else self if self._requires_grad else None

    # Values

    def numpy(self) -> np.ndarray:
        """Return the values as a NumPy array; on the CPU it shares this Tensor's memory.

        Raises GradientError if the Tensor requires a gradient, since the array would leave the graph.

        >>> gg.ones(2).numpy()
        array([1., 1.], dtype=float32)
        """
        if self.requires_grad:
            raise GradientError("numpy(): this tensor requires a gradient, which NumPy cannot hold; use detach()")
        return self.device.to_host(self._array)

    def item(self) -> Any:
        """Return the only element as a Python number.

        >>> gg.tensor([2.5]).item()
        2.5
        """
        if self._array.size != 1:
            raise ShapeError(f"item(): expected one element, got shape {self.shape}")
        return self.device.to_host(self._array).item()

    def tolist(self) -> Any:
        """Return the values as nested lists.

        >>> gg.ones(2, 1).tolist()
        [[1.0], [1.0]]
        """
        return self.device.to_host(self._array).tolist()

    __hash__ = object.__hash__  # type: ignore[assignment]

    def __copy__(self) -> Tensor:
        made = self.detach().requires_grad_(self._requires_grad) if self.is_leaf else self.clone()
        vars(made).update(vars(self))
        return made

    def __deepcopy__(self, memo: dict) -> Tensor:
        if not self.is_leaf:
            raise GradientError("only leaf tensors can be deep-copied; use clone()")
        made = wrap(self._array.copy(), self.device, None, type(self))
        made._requires_grad = self._requires_grad
        memo[id(self)] = made
        vars(made).update(copy.deepcopy(vars(self), memo))
        if self.grad is not None:
            made.grad = self.grad.detach().clone()
        return made

    def __reduce_ex__(self, protocol: Any) -> tuple:
        # Pickle the values, as PyTorch does, and not how they were computed: no node, view base or hook.
        return _unpickled, (type(self), self._array, self.device, self.requires_grad), (self.grad, vars(self))

    def __setstate__(self, state: tuple) -> None:
        self.grad, attributes = state
        vars(self).update(attributes)


Tensor._language = Tensor


def language_of(tensors: Iterable) -> type[Tensor]:
    """Return the class of what is made of these Tensors (or None): that of the first which is not plain `Tensor`.

    A subclass that sets `_language` to itself gives the same operations other method names and meanings, and its
    results inherit them; Parameters leave it as it is, so that results are no Parameters.
    """
    for tensor in tensors:
        if tensor is not None and tensor._language is not Tensor:
            return tensor._language
    return Tensor


def method(name: str) -> Callable[[Callable], Callable]:
    """Make the decorated function the method of Tensor called `name`.

    The class itself holds what needs nothing but an array and a node. The modules above it bring conversion
    (`convert`), backward (`functional`) and the ops (`gpugrad.ops.methods`), so that imports go one way.
    """

    def attach(function: Callable) -> Callable:
        function.__name__, function.__qualname__ = name, f"Tensor.{name}"
        setattr(Tensor, name, staticmethod(function) if name == "__new__" else function)
        return function

    return attach


class Handle:
    """A handle that removes the hook for which it was returned."""

    def __init__(self, owner: Any, key: int):
        self._owner, self._key = owner, key

    def remove(self) -> None:
        """Stop calling the hook."""
        if self._owner.hooks:
            self._owner.hooks.pop(self._key, None)


def _unpickled(cls: type, array: Any, device: Device, requires_grad: bool) -> Tensor:
    made = wrap(array, device, None, cls)
    made._requires_grad = requires_grad
    return made


def _check_gradient(tensor: Tensor, gradient: Any) -> None:
    """Raise an error unless `gradient` is a Tensor of the shape and dtype of `tensor`, on its device."""
    expected = f"expected a Tensor of shape {tensor.shape} and dtype {tensor.dtype} on {tensor.device}, or None"
    if not isinstance(gradient, Tensor):
        raise DTypeError(f"grad: {expected}, got a {type(gradient).__name__}")
    if gradient.shape != tensor.shape:
        raise ShapeError(f"grad: {expected}, got shape {gradient.shape}")
    if gradient.dtype != tensor.dtype:
        raise DTypeError(f"grad: {expected}, got dtype {gradient.dtype}")
    if gradient.device is not tensor.device:
        raise DeviceError(f"grad: {expected}, got one on {gradient.device}")


def wrap(array: Any, device: Device, node: Any, cls: type = Tensor) -> Tensor:
    """Return a Tensor of an array that is on `device` already; `node` made it (None: it is a constant)."""
    made = _new(cls)
    made._array = array
    made.device = device
    made._node = node
    made._requires_grad = node is not None
    made._grad = made.hooks = made._view = None
    made._changed = 0
    return made
