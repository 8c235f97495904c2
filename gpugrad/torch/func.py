"""`torch.func`: derivatives of functions, functions over batches, and networks as functions of their parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any

from ..autograd import batching, transforms
from ..autograd.op import OPS
from ..errors import DTypeError, StateDictError
from ..nn import Module
from ..nn.members import join
from .language import speaking

__all__ = [
    "functional_call", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "stack_module_state", "vjp",
    "vmap",
]  # fmt: skip

jvp, vjp = speaking(transforms.jvp), speaking(transforms.vjp)


def _speaking(transform: Callable) -> Callable:
    """Return `transform` with results of what it returns that speak PyTorch."""

    @wraps(transform)
    def of(*args: Any, **kwargs: Any) -> Callable:
        return speaking(transform(*args, **kwargs))

    return of


hessian, jacfwd, jacrev = map(_speaking, (transforms.hessian, transforms.jacfwd, transforms.jacobian))


@_speaking
def grad(func: Callable, argnums: Any = 0, has_aux: bool = False) -> Callable:
    """Return the function that returns the gradient of `func`; with has_aux (gradient, aux).

    >>> import gpugrad.torch as torch
    >>> torch.func.grad(torch.sin)(torch.tensor(0.0))
    tensor(1.)
    """
    return transforms.grad(func, argnums, has_aux)


@_speaking
def grad_and_value(func: Callable, argnums: Any = 0, has_aux: bool = False) -> Callable:
    """Return the function that returns (gradient, value) of `func`; with has_aux (gradient, (value, aux))."""
    both = transforms.value_and_grad(func, argnums, has_aux)

    def call(*args: Any, **kwargs: Any) -> tuple:
        value, gradient = both(*args, **kwargs)
        return gradient, value

    return call


@_speaking
def vmap(
    func: Callable, in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error", *, chunk_size: int | None = None
) -> Callable:
    """Return the function that does for each slice along `in_dims` what `func` does for one: `gpugrad.vmap`.

    >>> import gpugrad.torch as torch
    >>> torch.func.vmap(torch.dot)(torch.ones(3, 2), torch.ones(3, 2))
    tensor([2., 2., 2.])
    """
    return batching.vmap(func, in_dims, out_dims, chunk_size=chunk_size)


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Any,
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call `module` with other values of its parameters and buffers, by name; what is not named keeps its own.

    args: a tuple, or the one argument. A value stands in all places of a parameter that is shared, unless
    tie_weights=False. strict: all must be named. Raises StateDictError for names that the module does not have.

    >>> import gpugrad.torch as torch
    >>> net = torch.nn.Linear(2, 1)
    >>> torch.func.functional_call(net, {"weight": torch.ones(1, 2), "bias": torch.zeros(1)}, torch.ones(2))
    tensor([2.])
    """
    dicts = parameter_and_buffer_dicts
    values: dict[str, Any] = {}
    for given in (dicts,) if isinstance(dicts, Mapping) else dicts:
        values.update(given)
    with _holding(module, values, tie_weights, strict):
        return module(*(() if args is None else args if isinstance(args, tuple) else (args,)), **(kwargs or {}))


@contextmanager
def _holding(module: Module, values: Mapping[str, Any], tied: bool, strict: bool) -> Iterator[None]:
    """Put values in the places of parameters and buffers while the block runs."""
    places: dict[str, tuple[dict, str]] = {}
    for path, inner in module.named_modules(remove_duplicate=False):
        for table in (inner._parameters, inner._buffers):
            places.update({join(path, name): (table, name) for name, held in table.items() if held is not None})
    unknown, missing = values.keys() - places.keys(), places.keys() - values.keys()
    if unknown or strict and missing:
        what = f"has no {sorted(unknown)}" if unknown else f"also has {sorted(missing)}"
        raise StateDictError(f"functional_call: {type(module).__name__} {what}")
    before = {name: table[key] for name, (table, key) in places.items()}
    of_shared = {id(before[name]): value for name, value in values.items()} if tied else {}
    try:
        for name, (table, key) in places.items():
            table[key] = values.get(name, of_shared.get(id(before[name]), before[name]))
        yield
    finally:
        for name, (table, key) in places.items():
            table[key] = before[name]


def stack_module_state(models: Sequence[Module]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parameters and the buffers of networks of one kind, each stacked along a new first axis.

    Raises DTypeError for networks of different classes.

    >>> import gpugrad.torch as torch
    >>> parameters, buffers = torch.func.stack_module_state([torch.nn.Linear(2, 1) for _ in range(3)])
    >>> parameters["weight"].shape
    torch.Size([3, 1, 2])
    """
    if not models or any(type(model) is not type(models[0]) for model in models):
        raise DTypeError("stack_module_state: expected networks of one class")
    return _stacked([m.named_parameters() for m in models]), _stacked([m.named_buffers() for m in models])


def _stacked(members: Sequence[Any]) -> dict[str, Any]:
    tables = [dict(named) for named in members]
    made = {name: OPS["stack"]([table[name] for table in tables], axis=0) for name in tables[0]}
    return {
        name: value.detach().requires_grad_(tables[0][name].requires_grad) if value.dtype.kind in "fcV" else value
        for name, value in made.items()
    }
