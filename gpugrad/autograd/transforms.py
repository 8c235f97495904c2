"""Derivatives of functions as functions: `grad(f)`, `value_and_grad(f)`, `vjp(f, ...)`, ..., as JAX and HIPS have them.

They compose to any order, also over what a function closes over: a derivative is recorded itself if the graph that the
function made leads to something besides its inputs. `argnums` (HIPS: `argnum`) names the positional arguments to
differentiate by, which may be Tensors, arrays, numbers, and tuples, lists and dicts of these.

Source: Baydin et al. 2018, "Automatic Differentiation in Machine Learning: a Survey", section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from ..backend.dtypes import default_dtype
from ..errors import DTypeError, ShapeError
from . import functional
from .convert import asarray
from .graph import reachable
from .mode import enable_grad, mode
from .nests import map_leaves, map_tensors, tensors_in
from .table import OPS
from .tensor import Tensor, wrap

_MISSING: Any = object()


def _started(name: str, leaf: Any) -> Tensor:
    """Return a Tensor of `leaf` that starts a graph, or continues its own if that is recorded now."""
    tensor = functional.here(asarray(leaf, default_dtype() if type(leaf) is int else None))
    if mode.grad and tensor.requires_grad:
        return tensor + 0
    try:
        return tensor.detach().requires_grad_()
    except DTypeError:
        raise DTypeError(f"{name}: an argument has dtype {tensor.dtype}, by which nothing is differentiated") from None


class _Call:
    """A call of a function on inputs that start a graph: what it returned, and the derivatives of that."""

    def __init__(self, name: str, function: Callable, args: tuple, kwargs: dict, argnums: Any, has_aux: bool):
        self.name, self.recorded = name, mode.grad
        chosen = _chosen(name, args, argnums)
        self.inputs = map_leaves(lambda leaf: _started(name, leaf), chosen)
        self.leaves = tensors_in(self.inputs)
        given = list(args)
        for i, value in (
            [(argnums, self.inputs)] if isinstance(argnums, int) else zip(argnums, self.inputs, strict=True)
        ):
            given[i] = value
        with enable_grad():
            out = function(*given, **kwargs)
        if has_aux and not (isinstance(out, (tuple, list)) and len(out) == 2):
            raise DTypeError(f"{name}: with has_aux=True the function returns (output, aux), got {type(out).__name__}")
        out, self.aux = out if has_aux else (out, None)
        self.out = map_leaves(asarray, out)
        self.outs = tensors_in(self.out)
        edges = [edge for t in self.outs if (edge := t._edge()) is not None]
        own = {t._edge() for t in self.leaves}
        self.outside = self.recorded and any(not node.edges and node not in own for node in reachable(edges))

    def gradients(self, vectors: Sequence, retain: bool = False) -> Any:
        """Return the gradients of the inputs, in their nest, for these upstream gradients of the outputs."""
        record = self.outside or self.recorded and any(v.requires_grad for v in vectors)
        live = [(o, v) for o, v in zip(self.outs, vectors, strict=True) if o.requires_grad]
        found: Sequence = [None] * len(self.leaves)
        if live and self.leaves:
            outs, given = zip(*live, strict=True)
            found = functional.grad(outs, self.leaves, given, record or retain, record, allow_unused=True)
        parts = iter(functional.zeros_for_none(found, self.leaves))
        return map_tensors(lambda _: next(parts), self.inputs)

    def ones(self) -> list[Tensor]:
        """Return ones for upstream gradients."""
        return [wrap(o.device.xp.ones(o.shape, o.dtype), o.device, None) for o in self.outs]

    def one_number(self) -> list[Tensor]:
        """Return `ones`. Raises ShapeError unless the function returned a Tensor of one element."""
        if not isinstance(self.out, Tensor) or self.out._array.size != 1:
            shapes = ", ".join(str(o.shape) for o in self.outs)
            raise ShapeError(
                f"{self.name}: the function must return one tensor with one element, got shape {shapes}; see "
                "jacobian, elementwise_grad and vjp"
            )
        return self.ones()

    def value(self) -> Any:
        """Return what the function returned, outside of the graph unless that leads further."""
        return self.out if self.outside else map_tensors(Tensor.detach, self.out)

    def extra(self) -> Any:
        """Return the auxiliary output, likewise."""
        return self.aux if self.outside else map_tensors(Tensor.detach, self.aux)


def _chosen(name: str, args: tuple, argnums: Any) -> Any:
    try:
        return args[argnums] if isinstance(argnums, int) else tuple(args[i] for i in argnums)
    except (IndexError, TypeError):
        raise DTypeError(
            f"{name}: argnums is an int or a tuple of ints below {len(args)}, the number of positional arguments; got "
            f"{argnums!r}"
        ) from None


def _transform(name: str, function: Callable, argnums: Any, argnum: Any, has_aux: bool, result: Callable) -> Callable:
    """Return the function that calls `function` and gives `result(call)` of it."""
    if not callable(function):
        raise DTypeError(f"{name}: expected a function, got a {type(function).__name__}")
    argnums = argnums if argnum is None else argnum

    @wraps(function)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        return result(_Call(name, function, args, kwargs, argnums, has_aux))

    return transformed


def grad(outputs: Any, inputs: Any = _MISSING, *args: Any, **kwargs: Any) -> Any:
    """Return the gradient function of a function, or the gradients of Tensors.

    `grad(f, argnums=0, has_aux=False)` returns a function with f's parameters that returns the gradient of f's one
    element by the arguments that argnums names (JAX's form; HIPS autograd says `argnum`); with has_aux f returns
    (output, aux), and the function (gradient, aux). `grad(outputs, inputs, ...)` is PyTorch's `autograd.grad`.
    Raises ShapeError if f's result has more than one element, DTypeError if an argument cannot have a gradient.

    >>> gg.grad(lambda x: (x**3).sum())(gg.tensor([1.0, 2.0]))
    tensor([ 3., 12.])
    >>> gg.grad(gg.grad(lambda x: x**3))(2.0)
    tensor(12.)
    >>> x = gg.tensor([1.0, 2.0], requires_grad=True)
    >>> gg.grad((x**3).sum(), x)
    (tensor([ 3., 12.]),)
    """
    if callable(outputs) and not isinstance(outputs, Tensor):
        given = {} if inputs is _MISSING else {"argnums": inputs}
        return _grad_function(outputs, *given.values(), *args, **kwargs)
    return functional.grad(outputs, *(() if inputs is _MISSING else (inputs,)), *args, **kwargs)


def _grad_function(function: Callable, argnums: Any = 0, has_aux: bool = False, *, argnum: Any = None) -> Callable:
    def result(call: _Call) -> Any:
        found = call.gradients(call.one_number())
        return (found, call.extra()) if has_aux else found

    return _transform("grad", function, argnums, argnum, has_aux, result)


def value_and_grad(function: Callable, argnums: Any = 0, has_aux: bool = False, *, argnum: Any = None) -> Callable:
    """Return a function that returns (value, gradient) of `function`; with has_aux ((value, aux), gradient).

    argnums: the positional arguments to differentiate by, an int or a tuple of ints; `argnum` is its other name.

    >>> gg.value_and_grad(lambda w, x: (w * x).sum(), argnums=(0, 1))(gg.tensor([1.0]), gg.tensor([3.0]))
    (tensor(3.), (tensor([3.]), tensor([1.])))
    """

    def result(call: _Call) -> Any:
        found = call.gradients(call.one_number())
        return ((call.value(), call.extra()), found) if has_aux else (call.value(), found)

    return _transform("value_and_grad", function, argnums, argnum, has_aux, result)


def elementwise_grad(function: Callable, argnums: Any = 0, *, argnum: Any = None) -> Callable:
    """Return a function that returns the sum of the columns of the Jacobian, the derivative of an elementwise function.

    >>> gg.elementwise_grad(gg.tanh)(gg.zeros(2))
    tensor([1., 1.])
    """
    return _transform("elementwise_grad", function, argnums, argnum, False, lambda call: call.gradients(call.ones()))


def vjp(function: Callable, *primals: Any, has_aux: bool = False) -> tuple:
    """Return (function(*primals), pull), with has_aux (output, pull, aux).

    pull(cotangents), of the output's shape or nest, returns a tuple of v^T J, one for each of `primals`; it can be
    called any number of times.

    >>> out, pull = gg.vjp(lambda x: x**2, gg.tensor([1.0, 2.0]))
    >>> out, pull(gg.tensor([1.0, 10.0]))
    (tensor([1., 4.]), (tensor([ 2., 40.]),))
    """
    call = _Call("vjp", function, primals, {}, tuple(range(len(primals))), has_aux)

    def pull(cotangents: Any) -> tuple:
        return call.gradients(_vectors("vjp", cotangents, call.out), retain=True)

    return (call.value(), pull, call.extra()) if has_aux else (call.value(), pull)


def _vectors(name: str, given: Any, like: Any) -> list[Tensor]:
    """Return the Tensors of the nest `given`, checked to be as those of `like`."""
    made, wanted = tensors_in(map_leaves(asarray, given)), tensors_in(like)
    if [t.shape for t in made] != [t.shape for t in wanted]:
        raise ShapeError(
            f"{name}: the vectors have shapes {', '.join(str(t.shape) for t in made)}, expected "
            f"{', '.join(str(t.shape) for t in wanted)}"
        )
    return [t if t.dtype == w.dtype else t.to(dtype=w.dtype) for t, w in zip(made, wanted, strict=True)]


def jvp(function: Callable, primals: Sequence, tangents: Sequence, *, has_aux: bool = False) -> tuple:
    """Return (function(*primals), J v) for the tangents v, one for each of `primals`; with has_aux (output, J v, aux).

    It is computed as two vector-Jacobian products (J. Townsend 2017, "A new trick for calculating Jacobian vector
    products").

    >>> gg.jvp(lambda x: x**2, (gg.tensor([1.0, 2.0]),), (gg.tensor([1.0, 10.0]),))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    call = _Call("jvp", function, tuple(primals), {}, tuple(range(len(primals))), has_aux)
    product = _pushed(call, _vectors("jvp", tuple(tangents), call.inputs))
    return (call.value(), product, call.extra()) if has_aux else (call.value(), product)


def _pushed(call: _Call, vectors: list[Tensor]) -> Any:
    """Return J v. u^T J is linear in u; its derivative with respect to u, applied to v, is J v."""
    record = call.outside or call.recorded and any(v.requires_grad for v in vectors)
    zeros = [wrap(o.device.xp.zeros(o.shape, o.dtype), o.device, None).requires_grad_() for o in call.outs]
    with enable_grad():
        pulled = tensors_in(call.gradients(zeros, retain=True))
        live = [(p, v) for p, v in zip(pulled, vectors, strict=True) if p.requires_grad]
        found: Sequence = [None] * len(zeros)
        if live:
            outs, given = zip(*live, strict=True)
            found = functional.grad(outs, zeros, given, True, record, allow_unused=True)
    parts = iter(functional.zeros_for_none(found, zeros))
    return map_tensors(lambda _: next(parts), call.out)


def jacobian(function: Callable, argnums: Any = 0, has_aux: bool = False, *, argnum: Any = None) -> Callable:
    """Return a function that returns the derivative of every output element with respect to every input element.

    For an output of shape O and an input of shape I it is a Tensor of shape O + I; nests of outputs hold nests of
    inputs. It is computed row by row (JAX and PyTorch: `jacrev`).

    >>> gg.jacobian(lambda x: x[0] * x)(gg.tensor([2.0, 3.0]))
    tensor([[4., 0.],
            [3., 2.]])
    """

    def result(call: _Call) -> Any:
        rows = iter([_rows(call, i) for i in range(len(call.outs))])
        found = map_tensors(lambda _: next(rows), call.out)
        return (found, call.extra()) if has_aux else found

    return _transform("jacobian", function, argnums, argnum, has_aux, result)


def _rows(call: _Call, chosen: int) -> Any:
    """Return the derivatives of output number `chosen`, in the nest of the inputs."""
    out = call.outs[chosen]
    vectors = [wrap(o.device.xp.zeros(o.shape, o.dtype), o.device, None) for o in call.outs]
    rows = []
    for basis in out.device.xp.eye(out._array.size, dtype=out.dtype):
        vectors[chosen] = wrap(basis.reshape(out.shape), out.device, None)
        rows.append(tensors_in(call.gradients(vectors, retain=True)))
    parts = iter([functional.stacked([row[i] for row in rows], out, leaf) for i, leaf in enumerate(call.leaves)])
    return map_tensors(lambda _: next(parts), call.inputs)


def jacfwd(function: Callable, argnums: Any = 0, has_aux: bool = False, *, argnum: Any = None) -> Callable:
    """Return what `jacobian` returns, computed column by column, of one array by one array.

    >>> gg.jacfwd(lambda x: x[0] * x)(gg.tensor([2.0, 3.0]))
    tensor([[4., 0.],
            [3., 2.]])
    """

    def result(call: _Call) -> Any:
        if not isinstance(call.out, Tensor) or not isinstance(call.inputs, Tensor):
            raise DTypeError("jacfwd: takes one array and a function that returns one; see jacobian")
        x, columns = call.inputs, []
        for basis in x.device.xp.eye(x._array.size, dtype=x.dtype):
            columns.append(_pushed(call, [wrap(basis.reshape(x.shape), x.device, None)]))
        shape = call.out.shape + x.shape
        if not columns:
            found = wrap(x.device.xp.zeros(shape, x.dtype), x.device, None)
        else:
            found = OPS["stack"](columns, axis=-1).reshape(shape)
        return (found, call.extra()) if has_aux else found

    return _transform("jacfwd", function, argnums, argnum, has_aux, result)


def hessian(function: Callable, argnums: Any = 0, *, argnum: Any = None) -> Callable:
    """Return a function that returns the second derivatives of a function with one output element.

    For an input of shape I it is a Tensor of shape I + I. A function with more elements has the Jacobian of its
    Jacobian.

    >>> gg.hessian(lambda x: (x**3).sum())(gg.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    argnums = argnums if argnum is None else argnum
    return jacobian(jacobian(function, argnums), argnums)


jacrev = jacobian
