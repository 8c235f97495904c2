"""Layers that find out the number of their input's features or channels in the first call.

A lazy layer has no parameters before that call, and asking for them is an error: call the network once, on an input of
the right shape, before its parameters are given to an optimizer. A state dict that is loaded also tells the shapes.
Where the layer was moved to, and its dtype, are kept for the parameters. Afterwards it is an ordinary layer.
"""

import inspect
from collections.abc import Iterator
from typing import Any

from ..autograd.tensor import Tensor, wrap
from ..backend.devices import Device, default_device
from ..backend.devices import device as find_device
from ..backend.dtypes import as_dtype, default_dtype
from ..errors import OptionError, ShapeError
from .batch_norm import BatchNorm1d, BatchNorm2d, BatchNorm3d, InstanceNorm1d, InstanceNorm2d, InstanceNorm3d
from .conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from .hooks import Hook
from .linear import Linear
from .module import Module


class LazyModuleMixin(Module):
    """Is the base of lazy layers: a subclass also inherits from `layer`, whose first argument is left out.

    >>> layer = nn.LazyLinear(3)
    >>> isinstance(layer, nn.LazyModuleMixin), layer.has_uninitialized_params()
    (True, True)
    >>> layer(gg.ones((2, 4))).shape, isinstance(layer, nn.LazyModuleMixin)
    ((2, 3), False)
    """

    layer: Any  # the class
    axis: int  # of the input, whose length the first argument is
    stored: int = 0  # the axis of the weight that tells that length in a state dict

    def __init__(self, *args: Any, **kwargs: Any):
        Module.__init__(self)
        self.arguments = args, kwargs
        given = self._bound(0).arguments
        where, dtype = find_device(given.get("device")), given.get("dtype")
        dtype = default_dtype() if dtype is None else as_dtype(dtype)
        self._buffers["like"] = wrap(where.xp.empty(0, dtype), where, None)  # goes where the parameters are to be

    def _bound(self, size: int) -> inspect.BoundArguments:
        """Return the arguments of the layer for inputs of this length."""
        given, options = self.arguments
        return inspect.signature(self.layer.__init__).bind(self, size, *given, **options)

    def has_uninitialized_params(self) -> bool:
        """Return True: the layer was not called yet."""
        return True

    def _become_layer(self, size: int, device: Device | None = None) -> None:
        """Make this an ordinary layer for inputs of this length, where it was moved to, or else on `device`."""
        bound, like = self._bound(size), self._buffers["like"]
        training, hooks = self.training, self._hooks
        assert like is not None
        moved = device is None or like.device is not default_device()
        bound.arguments.update(device=like.device if moved else device, dtype=like.dtype)
        self.layer.__init__(*bound.args, **bound.kwargs)
        del self.arguments
        object.__setattr__(self, "__class__", self.layer)
        self.training, self._hooks = training, hooks

    def __call__(self, input: Tensor, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(input, Tensor) or not -input.ndim <= self.axis < input.ndim:
            got = f"shape {input.shape}" if isinstance(input, Tensor) else type(input).__name__
            raise ShapeError(f"{type(self).__name__}: expected a Tensor with an axis {self.axis}, got {got}")
        self._become_layer(input.shape[self.axis], input.device)
        return self(input, *args, **kwargs)

    def _hooks_of(self, kind: str) -> list[Hook]:
        return [*super()._hooks_of(kind), *([(_read_size, {})] if kind == "load_pre" else [])]

    def _unknown(self) -> OptionError:
        return OptionError(f"{type(self).__name__} has no parameters yet: call it, or the network it is in, once")

    def _members(self, kind: str) -> dict[str, Any]:
        raise self._unknown()

    def _state(self) -> Iterator[tuple[str, Any]]:
        raise self._unknown()

    def extra_repr(self) -> str:
        given, options = self.arguments
        return ", ".join(
            [*map(str, given), *(f"{name}={value}" for name, value in options.items() if value is not None)]
        )


def _read_size(module: LazyModuleMixin, state: dict, prefix: str, *_: Any) -> None:
    """Make `module` a layer whose parameters have the shapes in a state dict."""
    groups = module._bound(0).arguments.get("groups", 1) if module.stored else 1
    for name in ("weight", "running_mean"):
        shape = getattr(state.get(prefix + name), "shape", ())
        if len(shape) > module.stored:
            module._become_layer(shape[module.stored] * groups)
            return


class _LazyInstanceNorm(LazyModuleMixin):
    """Has weights and running statistics by default, unlike the layer itself, as in PyTorch."""

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        super().__init__(eps, momentum, affine, track_running_stats, device=device, dtype=dtype, bias=bias)


class LazyLinear(LazyModuleMixin, Linear):
    """Is `Linear` without `in_features`.

    >>> nn.LazyLinear(3)(gg.ones((2, 4))).shape
    (2, 3)
    """

    layer, axis, stored = Linear, -1, 1


class LazyConv1d(LazyModuleMixin, Conv1d):
    """Is `Conv1d` without `in_channels`.

    >>> nn.LazyConv1d(4, 3)(gg.ones((1, 2, 8))).shape
    (1, 4, 6)
    """

    layer, axis, stored = Conv1d, -2, 1


class LazyConv2d(LazyModuleMixin, Conv2d):
    """Is `Conv2d` without `in_channels`.

    >>> nn.LazyConv2d(4, 3)(gg.ones((1, 2, 8, 8))).shape
    (1, 4, 6, 6)
    """

    layer, axis, stored = Conv2d, -3, 1


class LazyConv3d(LazyModuleMixin, Conv3d):
    """Is `Conv3d` without `in_channels`.

    >>> nn.LazyConv3d(4, 3)(gg.ones((1, 2, 5, 5, 5))).shape
    (1, 4, 3, 3, 3)
    """

    layer, axis, stored = Conv3d, -4, 1


class LazyConvTranspose1d(LazyModuleMixin, ConvTranspose1d):
    """Is `ConvTranspose1d` without `in_channels`.

    >>> nn.LazyConvTranspose1d(4, 2, stride=2)(gg.ones((1, 2, 8))).shape
    (1, 4, 16)
    """

    layer, axis = ConvTranspose1d, -2


class LazyConvTranspose2d(LazyModuleMixin, ConvTranspose2d):
    """Is `ConvTranspose2d` without `in_channels`.

    >>> nn.LazyConvTranspose2d(4, 2, stride=2)(gg.ones((1, 2, 4, 4))).shape
    (1, 4, 8, 8)
    """

    layer, axis = ConvTranspose2d, -3


class LazyConvTranspose3d(LazyModuleMixin, ConvTranspose3d):
    """Is `ConvTranspose3d` without `in_channels`.

    >>> nn.LazyConvTranspose3d(4, 2, stride=2)(gg.ones((1, 2, 3, 3, 3))).shape
    (1, 4, 6, 6, 6)
    """

    layer, axis = ConvTranspose3d, -4


class LazyBatchNorm1d(LazyModuleMixin, BatchNorm1d):
    """Is `BatchNorm1d` without `num_features`.

    >>> nn.LazyBatchNorm1d()(gg.ones((4, 3))).shape
    (4, 3)
    """

    layer, axis = BatchNorm1d, 1


class LazyBatchNorm2d(LazyModuleMixin, BatchNorm2d):
    """Is `BatchNorm2d` without `num_features`.

    >>> nn.LazyBatchNorm2d()(gg.ones((4, 3, 2, 2))).shape
    (4, 3, 2, 2)
    """

    layer, axis = BatchNorm2d, 1


class LazyBatchNorm3d(LazyModuleMixin, BatchNorm3d):
    """Is `BatchNorm3d` without `num_features`.

    >>> nn.LazyBatchNorm3d()(gg.ones((4, 3, 2, 2, 2))).shape
    (4, 3, 2, 2, 2)
    """

    layer, axis = BatchNorm3d, 1


class LazyInstanceNorm1d(_LazyInstanceNorm, InstanceNorm1d):
    """Is `InstanceNorm1d` without `num_features`.

    >>> nn.LazyInstanceNorm1d()(gg.ones((4, 3, 5))).shape
    (4, 3, 5)
    """

    layer, axis = InstanceNorm1d, -2


class LazyInstanceNorm2d(_LazyInstanceNorm, InstanceNorm2d):
    """Is `InstanceNorm2d` without `num_features`.

    >>> nn.LazyInstanceNorm2d()(gg.ones((4, 3, 2, 2))).shape
    (4, 3, 2, 2)
    """

    layer, axis = InstanceNorm2d, -3


class LazyInstanceNorm3d(_LazyInstanceNorm, InstanceNorm3d):
    """Is `InstanceNorm3d` without `num_features`.

    >>> nn.LazyInstanceNorm3d()(gg.ones((4, 3, 2, 2, 2))).shape
    (4, 3, 2, 2, 2)
    """

    layer, axis = InstanceNorm3d, -4
