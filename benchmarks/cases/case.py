"""Defines a workload and the case of it: one library's side, which does one step at a time.

One step of a `Case` is the whole unit of work: gradients cleared, forward, backward, the optimizer's step. This module
imports neither gpugrad nor PyTorch: a process that measures one of them must not have the other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np


class Inputs:
    """Draws random tensors of a library on a device, the same numbers for each, in float32 or wider."""

    def __init__(self, lib, device, dtype="float32"):
        self.lib, self.device, self.dtype = lib, device, dtype
        self.random = np.random.default_rng(0)

    def normal(self, *shape):
        """Returns standard normal numbers."""
        numbers = self.random.standard_normal(shape, dtype=np.float32)
        return self.lib.tensor(numbers.astype(self.dtype, copy=False), device=self.device)

    def integers(self, high, *shape):
        """Returns whole numbers (int64) from 0 to high - 1."""
        return self.lib.tensor(self.random.integers(0, high, shape), device=self.device)


@dataclass
class Case:
    """Does one library's side of a workload."""

    model: Any
    forward: Callable[[], Any]
    upstream: Any = None
    optimizer: Any = None
    synchronize: Callable[[], None] | None = None

    def step(self):
        """Does the work once, and returns the output of forward."""
        self.model.zero_grad()
        output = self.forward()
        if output.requires_grad:
            output.backward(self.upstream)
        if self.optimizer is not None:
            self.optimizer.step()
        return output

    def run(self, steps):
        """Does the work `steps` times, and waits until it is done."""
        for _ in range(steps):
            self.step()
        if self.synchronize is not None:
            self.synchronize()


@dataclass
class Inference:
    """Does the forward half of a case, without gradients."""

    case: Case
    no_grad: Callable[[], Any]

    def run(self, steps):
        """Computes the output `steps` times, and waits."""
        with self.no_grad():
            for _ in range(steps):
                self.case.forward()
        if self.case.synchronize is not None:
            self.case.synchronize()


@dataclass(frozen=True)
class Workload:
    """Names a piece of work, and builds it for a library.

    `goal` is our time divided by PyTorch's (or None), `operations` how many of them one step repeats. With `items`
    images or tokens (`unit`) in a step, forward is a row as well. `level`: the first that measures it. `device`: the
    only one where it is run.
    """

    name: str
    title: str
    goal: float | None
    build: Callable[[Any, Inputs], Case]
    operations: int = 1
    items: int = 0
    unit: str = ""
    level: str = "default"
    device: str = ""

    def prepare(self, lib, device, dtype="float32"):
        """Returns the `Case` of this workload for one library, on one device."""
        lib.manual_seed(0)
        case = self.build(lib, Inputs(lib, device, dtype))
        case.model.to(getattr(lib, dtype))
        if device != "cpu":
            case.synchronize = lib.cuda.synchronize
        return case


def operation(lib, function, upstream, *leaves):
    """Returns a case that applies `function` to leaves, and sends the gradient `upstream` back to each of them."""

    class Operation(lib.nn.Module):
        def __init__(self):
            super().__init__()
            for index, leaf in enumerate(leaves):
                setattr(self, f"input{index}", lib.nn.Parameter(leaf))

    model = Operation()
    return Case(model, partial(function, *model.parameters()), upstream)


def network(lib, name, *sizes, **options):
    """Builds the network `name` of `gpugrad.models` in `lib`: that one itself, or its twin in PyTorch."""
    home = "gpugrad.models" if lib.__name__ == "gpugrad" else f"{__package__}.torch_networks"
    return getattr(import_module(home), name)(*sizes, **options)


def training(lib, model, inputs, targets, optimizer, logits_of=lambda outputs: outputs, **options):
    """Returns a case that makes a full training step of a classifier; `logits_of` takes them from what it returns."""
    model = model.to(targets.device)

    def loss():
        logits = logits_of(model(inputs))
        return lib.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets)

    return Case(model, loss, optimizer=getattr(lib.optim, optimizer)(model.parameters(), **options))
