"""Other libraries that must be told of gpugrad: each gets its module here, imported when that library is.

einops (einops.py) learns that Tensors are arrays. opt_einsum needs nothing: it finds `einsum`, `tensordot` and
`transpose` in the package that a Tensor's class is from. Neither do metrics in the style of torchmetrics, which add up
states of batches and compute from them at the end:

>>> class Accuracy:
...     def __init__(self):
...         self.correct, self.total = gg.tensor(0), 0
...     def update(self, logits, target):
...         self.correct += (logits.argmax(dim=-1) == target).sum()
...         self.total += target.numel()
...     def compute(self):
...         return self.correct / self.total
>>> metric = Accuracy()
>>> metric.update(gg.tensor([[0.1, 0.9], [0.8, 0.2]]), gg.tensor([1, 1]))
>>> metric.compute()
tensor(0.5)
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

AFTER = {"einops._backends": "gpugrad.interop.einops"}  # a module of another library -> what to import after it


class Watcher:
    """A finder of modules that looks only for those in AFTER, and imports ours when they have been."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return the spec of a module in AFTER; None for others, which Python's own finders then find."""
        if name not in AFTER:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            execute = loader.exec_module

            def exec_module(module: Any) -> None:
                execute(module)
                import_module(AFTER[name])

            loader.exec_module = exec_module
        return spec


def watch() -> None:
    """Import our modules for the libraries that are imported already, and for the others when they are."""
    for name in AFTER:
        if name in sys.modules:
            import_module(AFTER[name])
    sys.meta_path.insert(0, Watcher())  # type: ignore[arg-type]
