"""The signature of an op: which parameters of its body are inputs or attributes, and how a call's arguments fill
them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any

from ..errors import DTypeError, ShapeError
from .attributes import CHECKED, checks_of
from .convert import constant
from .paths import parameters
from .tensor import Tensor

if TYPE_CHECKING:
    import inspect

# Annotates an input that is never differentiated nor promoted: indices, masks, targets.
Fixed = Annotated[Any, "fixed"]
# Annotates the one input that is a sequence of Tensors: its rule also gets `i`, the position.
Many = Annotated[Any, "many"]

# PyTorch's names of parameters, and ours that they may stand for in a call by keyword. A name that the op itself has
# keeps its own meaning.
_TORCH_WORDS = {
    "dim": ("axis", "axes"), "dims": ("axis", "axes"), "keepdim": ("keepdims",), "diagonal": ("k", "offset"),
    "dim1": ("axis1",), "dim2": ("axis2",), "weight": ("weights",), "steps": ("num",), "offset": ("k",),
    "shifts": ("shift",), "size": ("shape",), "input": ("x", "input"), "elements": ("x",), "tensors": ("arrays",),
    **dict.fromkeys("other exponent values mat2 vec2 vec tensor".split(), ("y",)), "test_elements": ("test",),
    "a": ("x",), "x1": ("x",), "x2": ("y",), "arr": ("x",), "a_min": ("min",), "a_max": ("max",),  # these are NumPy's
    "end": ("stop", "y"), "index": ("indices",), "src": ("source",),
}  # fmt: skip


def translated(name: str, known: Any) -> str:
    """Return the name among `known` that an argument's name means: itself, or what PyTorch calls so."""
    if name in known:
        return name
    return next((ours for ours in _TORCH_WORDS.get(name, ()) if ours in known), name)


def torch_words(function: Callable) -> Callable:
    """Let `function` take its arguments under PyTorch's names too."""
    code = function.__code__
    own = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        meant = {translated(name, own): value for name, value in kwargs.items()} if kwargs else kwargs
        if len(meant) < len(kwargs) or kwargs and not meant.keys().isdisjoint(own[: len(args)]):
            raise DTypeError(f"{function.__name__}: an argument is given twice, or under two names")
        return function(*args, **meant)

    return call


class Signature:
    """The inputs (positional parameters) and attributes (keyword-only ones) of an op's body.

    They are read off the code object, because the inspect module costs 50 us for each op at import.
    """

    def __init__(self, name: str, forward: Callable, module: str | None):
        code, annotations = forward.__code__, forward.__annotations__
        names, defaults = parameters(forward), forward.__defaults__ or ()
        self.name, self.forward, self.parameters = name, forward, names
        self.inputs = names[: code.co_argcount]
        self.attributes = names[code.co_argcount :]
        self.positions = {name: i for i, name in enumerate(self.inputs)}
        self.fixed = frozenset(i for i, name in enumerate(self.inputs) if annotations.get(name) in (Fixed, "Fixed"))
        self.many = any(annotations.get(name) in (Many, "Many") for name in self.inputs)
        self.optional = dict(zip(self.inputs[len(self.inputs) - len(defaults) :], defaults, strict=True))
        self.defaults = dict(forward.__kwdefaults__ or {})
        self.words = frozenset(self.attributes)
        self.checks = checks_of(name, module, self.attributes, CHECKED)
        self.required = frozenset(self.inputs) - frozenset(self.optional)

    def bind(self, args: tuple, kwargs: dict) -> tuple[list, dict]:
        """Return the flat inputs, and the attributes with their defaults.

        Attributes may be given by position, as NumPy's functions allow, and all under PyTorch's names. Raises
        DTypeError for arguments that do not fit, OptionError for attributes whose value is not allowed.
        """
        missing, attributes = len(self.inputs) - len(args), self.defaults
        plain = 0 <= missing <= len(self.optional) and self.words.issuperset(kwargs)
        if plain and kwargs:
            attributes, checks = attributes.copy(), self.checks
            for name, value in kwargs.items():
                attributes[name] = value = constant(value, self.name, name)
                if name in checks:
                    checks[name](self.name, name, value)
        if plain and len(attributes) == len(self.attributes):
            inputs = [*args, *list(self.optional.values())[-missing:]] if missing else list(args)
        else:
            inputs, attributes = self._fill(args, kwargs)
        return (self._sequence(inputs[0]) if self.many else inputs), attributes

    def _fill(self, args: tuple, kwargs: dict) -> tuple[list, dict]:
        count = len(self.inputs)
        given = dict(zip(self.inputs, args, strict=False))
        placed = {n: constant(v, self.name, n) for n, v in zip(self.attributes, args[count:], strict=False)}
        wrong = len(args) > count + len(self.attributes)
        for name, value in kwargs.items():
            name = translated(name, self.parameters)
            if name in self.words and name not in placed:
                placed[name] = constant(value, self.name, name)
            elif name in self.positions and name not in given:
                given[name] = value
            else:
                wrong = True
        given, attributes = {**self.optional, **given}, {**self.defaults, **placed}
        if wrong or len(given) < count or len(attributes) < len(self.attributes):
            raise self._misfit(args, kwargs)
        for name, check in self.checks.items():
            if attributes[name] is not self.defaults.get(name, self):
                check(self.name, name, attributes[name])
        return [given[name] for name in self.inputs], attributes

    def _misfit(self, args: tuple, kwargs: dict) -> DTypeError:
        return misfit(self.name, self.shown(), args, {translated(n, self.parameters): v for n, v in kwargs.items()})

    def _sequence(self, given: Any) -> list:
        if isinstance(given, Tensor) or not isinstance(given, Sequence):
            raise DTypeError(f"{self.name}: expected a sequence of tensors, got {type(given).__name__}")
        if not given:
            raise ShapeError(f"{self.name}: expected at least one tensor, got an empty sequence")
        return list(given)

    def shown(self) -> inspect.Signature:
        """Return the signature that `help` shows.

        In it attributes may be given by position too, unless a required one follows an optional input.
        """
        import inspect

        parameters = [p.replace(annotation=p.empty) for p in inspect.signature(self.forward).parameters.values()]
        try:
            return inspect.Signature([p.replace(kind=p.POSITIONAL_OR_KEYWORD) for p in parameters])
        except ValueError:
            return inspect.Signature(parameters)


def misfit(name: str, signature: inspect.Signature, args: tuple, kwargs: dict) -> DTypeError:
    """Return the error for a call whose arguments do not fit the signature."""
    plain = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    signature = signature.replace(parameters=plain, return_annotation=signature.empty)
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        return DTypeError(f"{name}{signature}: {error}")
    return DTypeError(f"{name}{signature}: an argument is given twice, or under two names")
