"""`summary`, which shows the layers of a network with their output shapes and parameters."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor, wrap
from ..backend.devices import default_device
from ..backend.dtypes import as_dtype, default_dtype
from ..backend.random import get_rng_state, set_rng_state
from ..errors import ShapeError
from .module import Module
from .utils.mode import evaluating


class Row(NamedTuple):
    """Describes one module: its dotted name, its class, the shapes of its output ("" if it was not called), and how
    many parameters are its own."""

    name: str
    type: str
    output: str
    parameters: int


class Summary:
    """Holds the result of `summary`: `rows`, `total_params`, `trainable_params`, `buffers` and `bytes`; its text is a
    table.

    Parameters that several modules share are counted once.
    """

    def __init__(self, model: Module, outputs: dict[str, str]):
        self.rows: list[Row] = []
        seen: set = set()
        for path, module in model.named_modules():
            own = [p for p in module.parameters(recurse=False) if p not in seen]
            seen.update(own)
            self.rows.append(Row(path, type(module).__name__, outputs.get(path, ""), sum(map(_size, own))))
        parameters, buffers = list(model.parameters()), list(model.buffers())
        self.total_params = sum(map(_size, parameters))
        self.trainable_params = sum(_size(p) for p in parameters if p.requires_grad)
        self.buffers = sum(map(_size, buffers))
        self.bytes = sum(t.nbytes for t in (*parameters, *buffers))

    def __repr__(self) -> str:
        lines = [("Layer", "Output shape", "Parameters")]
        for row in self.rows:
            path = row.name.split(".") if row.name else []
            label = f"{'  ' * len(path)}{path[-1]}: {row.type}" if path else row.type
            lines.append((label, row.output, f"{row.parameters:,}" if row.parameters else ""))
        label, shape, count = (max(len(line[i]) for line in lines) for i in range(3))
        table = [f"{a:<{label}}  {b:<{shape}}  {c:>{count}}" for a, b, c in lines]
        rule = "-" * len(table[0])
        frozen = self.total_params - self.trainable_params
        totals = f"{self.total_params:,} parameters ({self.trainable_params:,} trained, {frozen:,} frozen), "
        totals += f"{self.buffers:,} numbers in buffers, {self.bytes / 2**20:.1f} MiB"
        return "\n".join([table[0], rule, *(line.rstrip() for line in table[1:]), rule, totals])


def _size(tensor: Tensor) -> int:
    """Return the number of elements."""
    return tensor._array.size


def _shapes(output: Any) -> str:
    """Return the shapes in a module's output as text."""
    if isinstance(output, Tensor):
        return str(output.shape)
    if isinstance(output, dict):
        return ", ".join(f"{name}: {_shapes(value)}" for name, value in output.items())
    if isinstance(output, (tuple, list)):
        return ", ".join(filter(None, map(_shapes, output)))
    return ""


def _inputs(model: Module, given: Any, dtypes: Any) -> tuple:
    """Return the arguments of forward: those given, or ones of the sizes given."""
    if isinstance(given, Tensor):
        return (given,)
    if isinstance(given, (tuple, list)) and given and all(isinstance(n, int) for n in given):
        given = [given]
    if not isinstance(given, (tuple, list)) or not given:
        raise ShapeError(f"summary: expected a Tensor, a size, or a sequence of either, got {given!r}")
    first = next(model.parameters(), None)
    device = default_device() if first is None else first.device
    dtype = default_dtype() if first is None else first.dtype
    kinds = dtypes if isinstance(dtypes, (tuple, list)) else [dtypes] * len(given)
    made = []
    for value, kind in zip(given, kinds, strict=True):
        if not isinstance(value, Tensor):
            value = wrap(device.xp.ones(tuple(value), dtype if kind is None else as_dtype(kind)), device, None)
        made.append(value)
    return tuple(made)


def summary(model: Module, input: Any, dtypes: Any = None, **kwargs: Any) -> Summary:
    """Run `model` once and return a table of its modules with the shapes of their outputs and their parameters (see
    Summary).

    input: a Tensor, a size such as (1, 3, 32, 32), or a sequence of either, one for each argument of forward. dtypes:
    of the inputs made for sizes, one or a sequence (by default the parameters'). kwargs: further arguments of forward.
    The model runs in evaluation mode and outside the graph; afterwards modes, hooks and random numbers are as they
    were. Raises ShapeError if `input` is none of these.

    >>> nn.summary(nn.Sequential(nn.Linear(4, 8), nn.ReLU()), (1, 4))
    Layer        Output shape  Parameters
    -------------------------------------
    Sequential   (1, 8)
      0: Linear  (1, 8)                40
      1: ReLU    (1, 8)
    -------------------------------------
    40 parameters (40 trained, 0 frozen), 0 numbers in buffers, 0.0 MiB
    """
    args, outputs = _inputs(model, input, dtypes), {}
    before = [(module, module._hooks) for module in model.modules()]
    random, handles = get_rng_state(), []

    def noting(path: str) -> Any:
        return lambda module, args, output: outputs.setdefault(path, _shapes(output)) and None

    try:
        for path, module in model.named_modules():
            handles.append(module.register_forward_hook(noting(path)))
        with evaluating(model), no_grad():
            model(*args, **kwargs)
    finally:
        for handle in handles:
            handle.remove()
        for module, hooks in before:
            module._hooks = hooks
        set_rng_state(random)
    return Summary(model, outputs)
