"""What architectures share: their names, checks of images and weights, start values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..autograd.tensor import Tensor
from ..errors import ShapeError, StateDictError
from ..nn import BatchNorm2d, Conv2d, Linear, Module, init
from ..nn.state_dict import Keys

Make = TypeVar("Make", bound=Callable[..., Module])
_CONSTRUCTORS: dict[str, Callable[..., Module]] = {}


def architecture(make: Make) -> Make:
    """Register a function that builds a network, so that errors can say which one some weights fit.

    >>> import gpugrad as gg
    >>> from gpugrad.models.architecture import architecture
    >>> architecture(gg.models.resnet18) is gg.models.resnet18
    True
    """
    _CONSTRUCTORS[make.__name__] = make
    return make


def fitting(state_dict: Mapping[str, Any]) -> list[str]:
    """Return the calls that build networks with the names and shapes of a state dict, such as "resnet18()".

    Another number of classes than the constructor's own is part of the call.

    >>> import gpugrad as gg
    >>> with gg.nn.init.skip_filling():
    ...     weights = gg.models.resnet18(num_classes=7).state_dict()
    >>> gg.models.fitting(weights)
    ['resnet18(num_classes=7)']
    """
    given = {name: tuple(getattr(value, "shape", ())) for name, value in state_dict.items()}
    matrices = [shape for shape in given.values() if len(shape) == 2]
    found = []
    with init.skip_filling():  # memory that nobody writes to costs nothing
        for name, make in _CONSTRUCTORS.items():
            own = _shapes(make())
            if own == given:
                found.append(f"{name}()")
            elif own.keys() == given.keys() and matrices:
                classes = matrices[-1][0]
                if _shapes(make(num_classes=classes)) == given:
                    found.append(f"{name}(num_classes={classes})")
    return found


def _shapes(module: Module) -> dict[str, tuple[int, ...]]:
    return {name: value.shape for name, value in module.state_dict().items()}


class Network(Module):
    """Is the base of networks for images: it checks their shape, and says what weights fit if those given do not.

    channels: of the images; None for any number. smallest: the least height and width.

    >>> import gpugrad as gg
    >>> class Mean(gg.models.Network):
    ...     smallest = 4
    ...     def forward(self, input):
    ...         self.check(input)
    ...         return input.mean((2, 3))
    >>> Mean()(gg.ones(1, 3, 4, 4)).tolist()
    [[1.0, 1.0, 1.0]]
    """

    channels: int | None = 3
    smallest: int = 1

    def check(self, images: Tensor) -> None:
        """Raise ShapeError unless `images` are (N, channels, H, W), H and W at least `smallest`."""
        shape, channels = images.shape, self.channels
        if len(shape) != 4 or channels not in (None, shape[1]) or min(shape[2:]) < self.smallest:
            raise ShapeError(
                f"{type(self).__name__}: expected images (N, {channels or 'C'}, H, W) with H and W at least "
                f"{self.smallest}, got {shape}"
            )

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Keys:
        """Copy values by name, as every Module does; the error for weights of another network names that one."""
        try:
            return super().load_state_dict(state_dict, strict, assign)
        except StateDictError as error:
            calls = fitting(state_dict)
            advice = f"\n  they fit {' or '.join('models.' + call for call in calls)}" if calls else ""
            raise StateDictError(f"{error}{advice}") from None


def check_sizes(network: str, **sizes: int) -> None:
    """Raise ShapeError for a size of a network that is not at least 1.

    >>> from gpugrad.models.architecture import check_sizes
    >>> check_sizes("GPT", n_embd=8, n_head=0)
    Traceback (most recent call last):
    ...
    gpugrad.errors.ShapeError: GPT: n_head must be at least 1, got 0
    """
    for name, value in sizes.items():
        if value < 1:
            raise ShapeError(f"{network}: {name} must be at least 1, got {value}")


def check_tokens(tokens: Tensor, name: str, positions: int | None = None, read: int = 0) -> None:
    """Raise ShapeError unless `tokens` are (N, T), T at least 1, and with the `read` ones before at most `positions`.

    >>> import gpugrad as gg
    >>> from gpugrad.models.architecture import check_tokens
    >>> check_tokens(gg.zeros(2, 9, dtype="int64"), "GPT", positions=8)
    Traceback (most recent call last):
    ...
    gpugrad.errors.ShapeError: GPT: a sequence may have at most 8 tokens, got 9
    """
    if tokens.ndim != 2 or not tokens.shape[1]:
        raise ShapeError(f"{name}: expected sequences (N, T) of at least one token, got shape {tokens.shape}")
    if positions is not None and read + tokens.shape[1] > positions:
        raise ShapeError(f"{name}: a sequence may have at most {positions} tokens, got {read + tokens.shape[1]}")


def he_start(model: Module) -> None:
    """Draw start values as He et al. did (2015, "Delving deep into rectifiers", equation 10).

    Weights of convolutions are normal with variance 2 / fan-out, biases are 0, and batch norm changes nothing.

    >>> import gpugrad as gg
    >>> from gpugrad.models.architecture import he_start
    >>> layer = gg.nn.Conv2d(200, 200, 1)
    >>> he_start(layer)
    >>> round(layer.weight.detach().std().item(), 2)
    0.1
    """
    for module in model.modules():
        if isinstance(module, Conv2d):
            init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, BatchNorm2d):
            module.reset_parameters()


def normal_linears(model: Module, std: float = 0.01) -> None:
    """Draw the weights of linear layers from a normal distribution, and set their biases to 0.

    >>> import gpugrad as gg
    >>> from gpugrad.models.architecture import normal_linears
    >>> layer = gg.nn.Linear(2, 3)
    >>> normal_linears(layer)
    >>> layer.bias.tolist()
    [0.0, 0.0, 0.0]
    """
    for module in model.modules():
        if isinstance(module, Linear):
            init.normal_(module.weight, std=std)
            if module.bias is not None:
                init.zeros_(module.bias)
