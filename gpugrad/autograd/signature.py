"""What an op's parameters mean, read off its body, and how the arguments of a call fill them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from ..errors import DTypeError, ShapeError
from .convert import constant
from .paths import parameters
from .tensor import Tensor

if TYPE_CHECKING:
    import inspect

# Annotates an input that is never differentiated nor promoted: indices, masks, targets.
Fixed = Annotated[Any, "fixed"]
# Annotates the one input that is a sequence of Tensors: its rule also gets `i`, the position.
Many = Annotated[Any, "many"]

_TORCH_WORDS = {"dim": "axis", "keepdim": "keepdims"}


class Signature:
    """The inputs (positional parameters) and attributes (keyword-only ones) of an op's body.

    Read off the code object, because the inspect module costs 50 us for each op at import.
    """

    def __init__(self, name: str, forward: Callable):
        code, annotations = forward.__code__, forward.__annotations__
        names, defaults = parameters(forward), forward.__defaults__ or ()
        self.name, self.forward = name, forward
        self.inputs = names[: code.co_argcount]
        self.attributes = names[code.co_argcount :]
        self.positions = {name: i for i, name in enumerate(self.inputs)}
        self.fixed = frozenset(i for i, name in enumerate(self.inputs) if annotations.get(name) in (Fixed, "Fixed"))
        self.many = any(annotations.get(name) in (Many, "Many") for name in self.inputs)
        self.optional = dict(zip(self.inputs[len(self.inputs) - len(defaults) :], defaults, strict=True))
        self.defaults = dict(forward.__kwdefaults__ or {})
        self.words = frozenset(self.attributes)

    def bind(self, args: tuple, kwargs: dict) -> tuple[list, dict]:
        """Flat inputs, and attributes with their defaults. Attributes may be given by position, as NumPy's functions
        allow, and under PyTorch's words for axes. Raises DTypeError for arguments that do not fit."""
        missing, attributes = len(self.inputs) - len(args), self.defaults
        plain = 0 <= missing <= len(self.optional) and self.words.issuperset(kwargs)
        if plain and kwargs:
            attributes = attributes.copy()
            for name, value in kwargs.items():
                attributes[name] = constant(value, self.name, name)
        if plain and len(attributes) == len(self.attributes):
            inputs = [*args, *list(self.optional.values())[-missing:]] if missing else list(args)
        else:
            inputs, attributes = self._fill(args, kwargs)
        return (self._sequence(inputs[0]) if self.many else inputs), attributes

    def _fill(self, args: tuple, kwargs: dict) -> tuple[list, dict]:
        count = len(self.inputs)
        given = dict(zip(self.inputs, args, strict=False))
        placed = {n: constant(v, self.name, n) for n, v in zip(self.attributes, args[count:], strict=False)}
        attributes = {**self.defaults, **placed}
        wrong = len(args) > count + len(self.attributes)
        for name, value in kwargs.items():
            name = name if name not in _TORCH_WORDS or name in self.attributes else _TORCH_WORDS[name]
            if name in self.attributes and name not in self.attributes[: max(len(args) - count, 0)]:
                attributes[name] = constant(value, self.name, name)
            elif name in self.positions and name not in given:
                given[name] = value
            else:
                wrong = True
        given = {**self.optional, **given}
        if wrong or len(given) < count or len(attributes) < len(self.attributes):
            raise self._misfit(args, kwargs)
        return [given[name] for name in self.inputs], attributes

    def _misfit(self, args: tuple, kwargs: dict) -> DTypeError:
        shown = self.shown()
        try:
            shown.bind(*args, **kwargs)
        except TypeError as error:
            return DTypeError(f"{self.name}{shown}: {error}")
        return DTypeError(f"{self.name}{shown}: arguments missing")

    def _sequence(self, given: Any) -> list:
        if isinstance(given, Tensor) or not isinstance(given, Sequence):
            raise DTypeError(f"{self.name}: expected a sequence of tensors, got {type(given).__name__}")
        if not given:
            raise ShapeError(f"{self.name}: expected at least one tensor, got an empty sequence")
        return list(given)

    def shown(self) -> inspect.Signature:
        """For `help`: attributes may be given by position too, unless a required one follows an optional input."""
        import inspect

        parameters = [p.replace(annotation=p.empty) for p in inspect.signature(self.forward).parameters.values()]
        try:
            return inspect.Signature([p.replace(kind=p.POSITIONAL_OR_KEYWORD) for p in parameters])
        except ValueError:
            return inspect.Signature(parameters)
