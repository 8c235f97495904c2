"""Computes our side of a row: the op as users call it, its body alone, and NumPy or CuPy without an engine.

A contender places arrays in its own memory, computes forward, and forward with gradients. One that cannot take part
raises `Absent` and says why; the row goes on without it.
"""

import contextlib

import numpy as np

import gpugrad
from gpugrad.autograd.check.sample_call import without_paths
from gpugrad.autograd.op import Op

from ..measuring.clock import events, wall


class Absent(Exception):
    """Says why a contender does not take part in a row."""


def several(outputs):
    """Returns the outputs of a call as a list."""
    return list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]


class Contender:
    """Calls gpugrad's op as users do, and is the interface of all others. `problem` is an `ops.Problem`."""

    name = "gpugrad"
    clock = staticmethod(wall)
    tolerance = 1.0  # times that of our own results
    settle = 0.0  # seconds for which its threads spin after the last step
    backward = True

    def __init__(self, problem, device):
        self.problem, self.device, self.op = problem, device, problem.op
        if device == "cuda" and not gpugrad.cuda.is_emulated():
            self.clock = events

    def place(self, array, differentiable=False):
        """Copies a NumPy array to this library's memory."""
        return gpugrad.tensor(array, device=self.device, requires_grad=differentiable)

    def call(self, inputs):
        """Returns the outputs, with the graph for gradients."""
        return several(self.op(*inputs, **self.problem.attributes))

    def forward(self, inputs):
        """Returns the outputs alone."""
        with gpugrad.no_grad():
            return self.call(inputs)

    def both(self, inputs, upstream):
        """Returns the outputs, and the gradients of the differentiable inputs."""
        outputs = self.call(inputs)
        leaves = [inputs[i] for i in self.problem.differentiable]
        chosen = [(o, g) for o, g in zip(outputs, upstream, strict=False) if o.requires_grad]
        return outputs, gpugrad.grad([o for o, _ in chosen], leaves, [g for _, g in chosen])

    def around(self):
        """Returns a context for all calls."""
        return contextlib.nullcontext()

    def wait(self, result):
        """Waits until `result`, and all before it, is there."""
        if self.device == "cuda":
            gpugrad.cuda.synchronize()

    def host(self, value):
        """Returns a result as a float64 or integer NumPy array."""
        array = np.asarray(value.detach().cpu().numpy())
        return array.astype(np.float64) if array.dtype.kind not in "iub" else array


class Generic(Contender):
    """Computes our op by its body and gradient rules, without the device path, which tells what a kernel buys."""

    name = "generic"

    def __init__(self, problem, device):
        super().__init__(problem, device)
        if self.op.paths[device] is None:
            raise Absent(f"{self.op.name} has no device path on {device}: ours is the generic one")

    def call(self, inputs):
        return several(Op.__call__(self.op, *inputs, **self.problem.attributes))

    def around(self):
        return without_paths(self.op)


class Raw(Contender):
    """Runs the op's body on NumPy's or CuPy's arrays, without an engine; forward only."""

    name = "numpy/cupy"
    backward = False

    def place(self, array, differentiable=False):
        return gpugrad.device(self.device).asarray(array)

    def forward(self, inputs):
        return several(self.op.forward(*inputs, **self.problem.attributes))

    def host(self, value):
        array = np.asarray(gpugrad.device(self.device).to_host(value))
        return array.astype(np.float64) if array.dtype.kind not in "iub" else array


OWN = (Contender, Generic, Raw)
