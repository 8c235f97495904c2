"""The op: it is declared once, and everything else follows from the declaration.

    @op(samples=lambda s: [s.case(s(3, 4)), s.case(s(2, 3, 4), axis=1)])
    def softmax(x, *, axis=-1):
        "Normalised exponentials along `axis`: (..., C) -> (..., C)."
        e = xp(x).exp(x - x.max(axis=axis, keepdims=True))
        return e / e.sum(axis=axis, keepdims=True)

    softmax.vjp(x=lambda g, out, axis: out * (g - (g * out).sum(axis=axis, keepdims=True)))

The body works on raw arrays and is written against `xp`: it runs on the CPU and on GPUs without a kernel, and every
kernel is tested against it. Positional parameters are Tensors, keyword-only ones attributes.

A gradient rule names what it needs as parameters: `g` (the upstream gradient), an input, an attribute, `out`,
`<input>_shape`, `<input>_dtype`, a residual of the device path, or `needs` (which inputs need a gradient). Only what is
named is kept until backward. Rules run on raw arrays, and on Tensors when the gradient itself is to be differentiated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import MethodType
from typing import Any

import numpy as np

from ..backend.cpu.loops.conversions import converted
from ..backend.devices import CPU, Device, device_of
from ..backend.dtypes import INEXACT_KINDS, is_inexact, is_low
from ..backend.namespace import Namespace, xp
from ..errors import DeviceError, DTypeError
from .autocast import by_device
from .explain import TOLD, explain
from .graph import EMPTY, ComplexNode, OpNode, OutputNode
from .mode import mode
from .paths import DevicePath, Paths, rule_names
from .place import place
from .plan import PARTS, Plan, raised
from .signature import Fixed, Many, Signature
from .table import OPS
from .tensor import Tensor, language_of, wrap
from .views import View

__all__ = ["OPS", "Fixed", "Many", "Op", "op", "xp"]


class Op:
    """A differentiable function of arrays. Call it with Tensors or anything that `asarray` takes."""

    numpy_words: frozenset[str] = frozenset()  # NumPy's words for calls of ops, such as `out`, and who takes them:
    numpy_form: Callable = staticmethod(lambda *call: None)  # `gpugrad.ops.numpy_calls`

    def __init__(
        self,
        forward: Callable,
        *,
        samples: Callable | None,
        dtypes: str,
        exact: bool,
        exact_gradient: bool | None,
        view: bool,
        broadcasts: bool,
        scalar_axis: bool,
        inplace: bool,
        complex: bool | str,
        autocast: str | dict[str, str],
        bench: Callable | None,
        flops: Callable | None,
    ):
        self.name = forward.__name__
        self.__name__, self.__doc__, self.__module__ = self.name, forward.__doc__, forward.__module__
        self.forward, self.samples, self.bench, self.flops = forward, samples, bench, flops
        self.dtypes, self.exact, self.view, self.broadcasts = dtypes, exact, view, broadcasts
        self.exact_gradient = exact if exact_gradient is None else exact_gradient
        self.inplace, self.complex, self.autocast = inplace, complex, by_device(autocast)
        self.rules: dict[str, Callable] = {}
        self._bound_paths = Paths(self.__module__, self)
        self.paths: Mapping[str, DevicePath | None] = self._bound_paths
        self._plans: dict[tuple, Plan] = {}
        self.signature = Signature(self.name, forward, self.__module__)
        self.inputs, self.attributes = self.signature.inputs, self.signature.attributes
        self.positions, self.fixed, self.many = self.signature.positions, self.signature.fixed, self.signature.many
        self.scalar_axis = scalar_axis and "axis" in self.attributes and not self.many
        self.other_form: tuple[frozenset[str], Callable] | None = None  # words that another function takes, and it
        self._flows = [False] * len(self.inputs)  # whether a gradient flows to each; `vjp` says so

    @property
    def __signature__(self) -> Any:
        return self.signature.shown()

    def __repr__(self) -> str:
        return f"<op {self.name}{self.__signature__}>"

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Bind the op as a method of a Tensor, which becomes its first input."""
        return self if instance is None else MethodType(self, instance)

    def __reduce__(self) -> str:
        return self.name  # copied and pickled as functions are: by where it is found

    def input_name(self, i: int) -> str:
        """Return the declared name of flat input `i`."""
        return self.inputs[0 if self.many else i]

    # Declaring

    def vjp(self, **rules: Callable) -> Op:
        """Declare gradient rules, one per input: `vjp(x=lambda g, y: g * y)`."""
        for name, rule in rules.items():
            if name not in self.positions:
                raise DTypeError(f"{self.name}.vjp: no input is called {name!r}; inputs: {', '.join(self.inputs)}")
            known = {*self.inputs, *self.attributes, "out", "i", "needs"}
            known |= {f"{n}_{part}" for n in self.inputs for part in PARTS}
            unknown = set(rule_names(rule)) - known
            if unknown:
                raise DTypeError(f"{self.name}.vjp({name}=): unknown names {sorted(unknown)}; known: {sorted(known)}")
            self.rules[name] = rule
        self._flows = [name in self.rules and i not in self.fixed for i, name in enumerate(self.inputs)]
        self._plans.clear()
        return self

    def path(self, kind: str) -> Callable[[Callable], DevicePath]:
        """Declare this op's own path on devices of `kind` ("cpu", "cuda"); it may return NotImplemented to decline."""
        if kind not in ("cpu", "cuda"):
            raise DeviceError(f'{self.name}.path: unknown kind of device {kind!r}: expected "cpu" or "cuda"')

        def declare(forward: Callable) -> DevicePath:
            made = DevicePath(forward, low=kind != "cpu")
            self._bound_paths.declare(kind, made)
            self._plans.clear()
            return made

        return declare

    def otherwise(self, words: frozenset[str], function: Callable) -> Op:
        """Give the calls that do not fit the op, and have one of these words among their keywords, to `function`."""
        self.other_form = words, function
        return self

    # Elsewhere

    def as_torch(self) -> Callable:
        """Return this op as a function of torch.Tensors, with its gradients: `gpugrad.export.as_torch(op)`."""
        return import_module("gpugrad.export").as_torch(self)

    def as_jax(self) -> Callable:
        """Return this op as a function of JAX arrays, with its gradients: `gpugrad.export.as_jax(op)`."""
        return import_module("gpugrad.export").as_jax(self)

    # Calling

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            inputs, attributes = self.signature.bind(args, kwargs)
        except DTypeError as error:
            if self.other_form is not None and not self.other_form[0].isdisjoint(kwargs):
                return self.other_form[1](*args, **kwargs)
            if self.numpy_words.isdisjoint(kwargs):
                raise
            return self.numpy_form(self, args, kwargs, error)
        device, tensors, arrays = place(self, inputs)
        if self.scalar_axis and not arrays[0].shape and (axis := attributes["axis"]) is not None and axis != ():
            return self._along_scalar(tensors, attributes)
        out: Any
        try:
            if device.is_only:
                out, residuals, path = self._run(device, arrays, attributes)
            else:
                with device.selected():
                    out, residuals, path = self._run(device, arrays, attributes)
        except TOLD as error:
            told = explain(self, error, arrays, attributes)
            if told is error:
                raise
            raise told from error
        several = out.__class__ is tuple
        if several:
            out = tuple([device.asarray(o) for o in out])
        elif out.__class__ is not np.ndarray:
            out = device.asarray(out)
        node = self.record(device, tensors, arrays, attributes, out, residuals, path) if mode.grad else None
        if several:
            return _outputs(out, device, node, language_of(tensors))
        made = wrap(out, device, node, language_of(tensors))
        if self.view and out.base is not None:
            made._view = View.of(self, tensors[0], attributes, out)
        return made

    def _along_scalar(self, tensors: Sequence, attributes: dict) -> Any:
        """Call with an axis of one element for each 0-d input, and without it again in what all of them give.

        So a 0-d input has the axes 0 and -1, as in PyTorch, in this order of derivative and all others."""
        scalar = [t is not None and not t.shape for t in tensors]
        vectors = [OPS["reshape"](t, shape=(1,)) if one else t for t, one in zip(tensors, scalar, strict=True)]
        out = self(*vectors, **attributes)
        if not all(one or t is None for t, one in zip(tensors, scalar, strict=True)):
            return out
        outs = [OPS["reshape"](o, shape=()) if o.shape == (1,) else o for o in (out if type(out) is tuple else (out,))]
        return tuple(outs) if type(out) is tuple else outs[0]

    def _run(self, device: Device, arrays: list, attributes: dict) -> tuple[Any, dict, DevicePath | None]:
        """Compute and return the outputs, the residuals of the device path, and that path (None if it did not run).

        16-bit floats are converted to float32 and rounded once at the end, unless the path takes them or the op is
        exact.
        """
        path, low = self.paths[device.type], None
        for array in () if path is None and self.exact and self.complex else arrays:
            if array is None or array.itemsize == 4:
                continue
            if array.dtype.kind == "c":
                if not self.complex:
                    raise DTypeError(f"{self.name}: complex numbers have no {self.name}, got {array.dtype}")
                path = path if path is not None and path.complex else None
                break
            if array.itemsize == 2 and low is None and is_low(array.dtype):
                low = array.dtype
        if path is not None and path.low:
            result = path.run(arrays, attributes, self.many)
            if result is not NotImplemented:
                return *result, path
            if path.numbers:
                arrays = [device.full((), a, a.dtype) if isinstance(a, np.generic) else a for a in arrays]
            path = None
        if low is not None:
            low, arrays = (None, arrays) if self.exact else (low, [None if a is None else raised(a) for a in arrays])
        result = NotImplemented if path is None else path.run(arrays, attributes, self.many)
        if result is NotImplemented:
            path, residuals = None, EMPTY
            out = self.forward(arrays, **attributes) if self.many else self.forward(*arrays, **attributes)
        else:
            out, residuals = result
        return out if low is None else _rounded(out, low), residuals, path

    def record(
        self,
        device: Device,
        tensors: Sequence,
        arrays: Sequence,
        attributes: dict,
        out: Any,
        residuals: dict = EMPTY,
        path: DevicePath | None = None,
    ) -> OpNode | None:
        """Return the graph node of a call that gave `out`; None if no gradient can flow through it."""
        flows = self._flows * len(tensors) if self.many else self._flows
        edges: list = []
        shapes: list = []
        first = None  # the first array that needs a gradient
        for t, array, flow in zip(tensors, arrays, flows, strict=True):
            edge = t._edge() if flow and t is not None else None
            if edge is not None and first is None:
                first = array
            edges.append(edge)
            shapes.append(None if array is None else array.shape)
        if first is None:
            return None
        several = out.__class__ is tuple
        kind = ("c" if "c" in [o.dtype.kind for o in out] else "f") if several else out.dtype.kind
        if kind not in INEXACT_KINDS:
            return None
        plan = self.plan(tuple([edge is not None for edge in edges]), path)
        saved = plan.saved(arrays, attributes, out, residuals) if plan.names else EMPTY
        if kind != "c" and (first.itemsize < 8 or first.dtype.kind != "c"):
            node = OpNode(plan, tuple(edges), saved, tuple(shapes), device)
        else:
            node = ComplexNode(plan, tuple(edges), saved, tuple(shapes), device)
            node.dtypes = [None if array is None else array.dtype for array in arrays]
        if first.itemsize == 2 and not self.exact_gradient:
            node.low = first.dtype
        if several:
            node.outputs = [(o.shape, o.dtype) for o in out]
        return node

    def plan(self, mask: tuple[bool, ...], path: DevicePath | None) -> Plan:
        """Return the plan for inputs that need gradients as `mask` says; it is made once."""
        key = (mask, path)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = Plan(self, mask, path)
        return plan

    def raw(self, kind: str) -> Callable:
        """Return this op as a function of raw arrays on devices of `kind`, for the array namespaces."""

        def call(*args: Any, **kwargs: Any) -> Any:
            inputs, attributes = self.signature.bind(args, kwargs)
            device = CPU if kind == "cpu" else device_of(next(a for a in inputs if a is not None))
            return self._run(device, list(inputs), attributes)[0]

        call.__name__ = self.name
        return call


def op(
    forward: Callable | None = None,
    *,
    samples: Callable | None = None,
    dtypes: str = "common",
    exact: bool = False,
    exact_gradient: bool | None = None,
    view: bool = False,
    broadcasts: bool = False,
    scalar_axis: bool = True,
    inplace: bool = False,
    complex: bool | str = False,
    autocast: str | dict[str, str] = "",
    bench: Callable | None = None,
    flops: Callable | None = None,
    make: type[Op] = Op,
) -> Any:
    """Declare an op; the docstring of this module shows how.

    samples: a function of a Sampler that returns the cases for the checks.
    dtypes: "common" promotes the inputs to one dtype; "float" converts integers to the default float as well; "own"
    leaves them alone.
    exact: the op moves values without arithmetic, so 16-bit floats need no conversion to float32.
    exact_gradient: its gradient rules move values too, or call ops, which round once by themselves, so they take 16-bit
    gradients as they are; by default as `exact`. Other rules compute in float32.
    broadcasts: some axes of an input are broadcast and others not (matmul, linear), and gradients may keep them.
    scalar_axis: with an attribute `axis`, a 0-d first input has the axes 0 and -1; False where it needs a real one.
    view: the result shares the first input's memory, and in-place changes go through it.
    inplace: the op is also a Tensor method that overwrites the tensor, under its name and an underscore: `x.relu_()`.
    complex: whether the op takes complex numbers, always by its body. True: its rules are right for them as they are,
    because they only move or add values, or conjugate what they have to. "holomorphic": they multiply by the derivative
    of a holomorphic function, and the engine sees to the conjugates (see `graph.ComplexNode`).
    autocast: the policy inside of `autocast` ("low", "float32", "first", "refused": see `autocast.py`), for all devices
    or by kind of device; an op without one takes its inputs as they are.
    bench: like samples, but cases to measure, the one for a quick look first; a generator, since they are large.
    flops: returns the arithmetic operations of a call, or (of forward, of backward); its parameters name inputs,
    attributes, `out`.

    >>> @gg.op
    ... def cube(x):
    ...     "The third power."
    ...     return x * x * x
    >>> _ = cube.vjp(x=lambda g, x: 3 * g * x * x)
    >>> x = gg.tensor([1.0, 2.0], requires_grad=True)
    >>> cube(x).sum().backward()
    >>> x.grad
    tensor([ 3., 12.])
    """

    def declare(body: Callable) -> Op:
        made = make(
            body,
            samples=samples,
            dtypes=dtypes,
            exact=exact,
            exact_gradient=exact_gradient,
            view=view,
            broadcasts=broadcasts,
            scalar_axis=scalar_axis,
            inplace=inplace,
            complex=complex,
            autocast=autocast,
            bench=bench,
            flops=flops,
        )
        if made.name in OPS and OPS[made.name].__module__ != made.__module__:
            raise DTypeError(f"op {made.name!r} is declared already, in {OPS[made.name].__module__}")
        OPS[made.name] = made
        return made

    return declare if forward is None else declare(forward)


def _outputs(arrays: tuple, device: Device, node: OpNode | None, cls: type[Tensor]) -> tuple[Tensor, ...]:
    """Wrap the outputs of an op that has several; integer outputs get no place in the graph."""
    return tuple(
        [
            wrap(o, device, OutputNode(node, i) if node is not None and is_inexact(o.dtype) else None, cls)
            for i, o in enumerate(arrays)
        ]
    )


def _rounded(out: Any, low: np.dtype) -> Any:
    """Return `out`, an array or several, with float32 rounded to the 16-bit dtype `low`."""
    if out.__class__ is tuple:
        return tuple(_rounded(o, low) for o in out)
    return converted(out, low) if getattr(out, "dtype", None) == np.float32 else out


def _provided(name: str, kind: str) -> Callable | None:
    """Return what the array namespace of `kind` ("cpu", "cuda", "tensor") has under the name of an op, if anything."""
    found = OPS.get(name)
    return found if found is None or kind == "tensor" else found.raw(kind)


Namespace.provider = staticmethod(_provided)
