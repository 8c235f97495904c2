"""The graph of a computation as a picture."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from ..autograd.graph import reachable
from ..autograd.tensor import Tensor
from ..autograd.versions import describe
from ..errors import GradientError, MissingPackageError


class Dot(str):
    """Holds a graph in the DOT language; a notebook shows it as a picture if graphviz is installed.

    >>> dot = gg.viz.Dot("digraph { a -> b; }")
    >>> dot.save("graph.dot")
    """

    def svg(self) -> str:
        """Return the picture as SVG. Raises MissingPackageError without graphviz's program `dot`."""
        program = shutil.which("dot")
        if program is None:
            raise MissingPackageError("drawing a graph needs the program dot of graphviz: apt install graphviz")
        return subprocess.run([program, "-Tsvg"], input=self, capture_output=True, text=True, check=True).stdout

    def save(self, path: str | os.PathLike) -> None:
        """Write the picture if the name ends in ".svg", else the text."""
        Path(path).write_text(self.svg() if Path(path).suffix == ".svg" else self)

    def _repr_svg_(self) -> str | None:
        return self.svg() if shutil.which("dot") else None


def graph(*outputs: Tensor, params: Any = None) -> Dot:
    """Return a drawing of the recorded ops that lead to the outputs: leaves are boxes with shape and dtype, ops are
    ovals.

    params: a Module, or a mapping of names to Tensors, to name leaves by. An op's tooltip is the line that called it.
    Raises GradientError for an output that no recorded op made.

    >>> x = gg.ones(2, requires_grad=True)
    >>> dot = gg.viz.graph((x * 2).sum(), params={"x": x})
    >>> [name for name in ("multiply", "sum", "x") if f'label="{name}' in dot]
    ['multiply', 'sum', 'x']
    """
    names = dict(params.named_parameters() if hasattr(params, "named_parameters") else params or {})
    of_leaf = {tensor: name for name, tensor in names.items()}
    roots = [output._edge() for output in outputs]
    if None in roots:
        shape = outputs[roots.index(None)].shape
        raise GradientError(f"graph: the tensor of shape {shape} was not made by recorded ops")
    nodes = reachable(dict.fromkeys(roots))
    numbers = {node: f"n{i}" for i, node in enumerate(nodes)}
    lines = ["digraph gpugrad {", '  node [fontname="sans-serif", fontsize=10];']
    for node, number in numbers.items():
        if isinstance(node, Tensor):
            label = "\n".join([*([of_leaf[node]] if node in of_leaf else []), f"{tuple(node.shape)} {node.dtype.name}"])
            style = 'shape=box, style=filled, fillcolor="#cfe3f7"'
        else:
            label, style = node.name, f"tooltip={_quoted(describe(node.site))}"
        lines.append(f"  {number} [label={_quoted(label)}, {style}];")
    for node, number in numbers.items():
        lines += [f"  {numbers[edge]} -> {number};" for edge in node.edges if edge is not None]
    for i, (output, root) in enumerate(zip(outputs, roots, strict=True)):
        label = _quoted(f"{tuple(output.shape)} {output.dtype.name}")
        lines.append(f'  out{i} [label={label}, shape=box, style=filled, fillcolor="#f7e0cf"];')
        lines.append(f"  {numbers[root]} -> out{i};")
    return Dot("\n".join([*lines, "}"]) + "\n")


def _quoted(text: str) -> str:
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{text}"'
