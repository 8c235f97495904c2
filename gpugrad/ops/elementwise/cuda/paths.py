"""The CUDA paths of the elementwise ops: every functor of kernels/elementwise.cu becomes its op's path for floats."""

from __future__ import annotations

import inspect
from typing import Any

from ....autograd.op import OPS, Op
from .functors import Functor, functors

# An op's attribute that chooses the functor: op -> attribute and the value that takes the functor `<op>_<value>`.
_VARIANTS = {"gelu": ("approximate", "tanh")}


class Forward:
    """Is the forward of an op's CUDA path."""

    def __init__(self, op: Op):
        self.op = op
        self.functor = None if op.name in _VARIANTS else functors()[f"{op.name}_forward"]

    def __call__(self, *arrays: Any, **attributes: Any) -> Any:
        functor = self.functor or functors()[f"{_chosen(self.op.name, attributes)}_forward"]
        out = functor(arrays, [attributes[name] for name in functor.parameters])
        return out if out is NotImplemented else (out, {})


class Backward:
    """Is the backward of an op's CUDA path: it has a functor for each input that needs a gradient."""

    def __init__(self, op: Op, functors: dict[str, list[Functor]]):
        self.op, self.functors = op, functors
        names = {name: None for found in functors.values() for f in found for name in [*f.arrays[1:], *f.parameters]}
        extra = [_VARIANTS[op.name][0]] if op.name in _VARIANTS else []
        self.names = ["g", *names, *extra, "needs"]
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        self.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in self.names])

    def needed(self, mask: tuple[bool, ...]) -> set[str]:
        """Return the names of what the functors of the inputs in `mask` take."""
        wanted = [
            f for name, need in zip(self.op.inputs, mask, strict=True) if need for f in self.functors.get(name, [])
        ]
        names = {name for f in wanted for name in (*f.arrays[1:], *f.parameters)}
        return {*names, *({_VARIANTS[self.op.name][0]} if self.op.name in _VARIANTS else ()), "needs"}

    def __call__(self, *values: Any) -> Any:
        given = dict(zip(self.names, values, strict=True))
        grads = []
        for name, needed in zip(self.op.inputs, given["needs"], strict=True):
            wanted = f"{_chosen(self.op.name, given)}_backward"
            functor = next((f for f in self.functors.get(name, []) if f.name in (wanted, f"{wanted}_{name}")), None)
            gx = None
            if needed and functor is not None:
                gx = functor([given[n] for n in functor.arrays], [given[n] for n in functor.parameters])
            elif needed:
                gx = NotImplemented
            if gx is NotImplemented:
                return gx
            grads.append(gx)
        return tuple(grads)


def _chosen(op: str, attributes: dict) -> str:
    """Return the functor of `op` for these attributes, without its ending."""
    attribute, value = _VARIANTS.get(op, (None, None))
    return f"{op}_{value}" if attribute and attributes[attribute] == value else op


def _bind() -> None:
    """Bind a path to every op that has functors."""
    owners: dict[str, dict[str, list[Functor]]] = {}
    for functor in functors().values():
        variant = next((op for op, (_, value) in _VARIANTS.items() if functor.op == f"{op}_{value}"), functor.op)
        backwards = owners.setdefault(variant, {})
        if functor.which == "backward":
            backwards.setdefault(functor.of or OPS[variant].inputs[0], []).append(functor)
    for name, backwards in owners.items():
        path = OPS[name].path("cuda")(Forward(OPS[name]))
        path.numbers = True
        if backwards:
            path.backward(Backward(OPS[name], backwards))


_bind()
