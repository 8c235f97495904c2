"""Calls the libraries that a row is compared with, each a small contender. One that is not installed is skipped."""

import importlib
import os
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..measuring.clock import SETTLE, wall
from . import formulas
from .contender import Absent, Contender, several


class Peer(Contender):
    """Calls another library: `package` must be installed, and have the op in `table` or under its own name."""

    package, table, tolerance = "", {}, 3.0
    places = ("torch", "torch.nn.functional")

    def __init__(self, problem, device):
        super().__init__(problem, device)
        if not find_spec(self.package):
            raise Absent(f"{self.package} is not installed")
        if problem.dtype == "bfloat16" and not self.bfloat16:
            raise Absent(f"{self.package} has no bfloat16 from NumPy's")
        modules = [importlib.import_module(name) for name in self.places]
        self.lib, name = modules[0], self.op.name
        own: Any = next((f for f in (getattr(module, name, None) for module in modules) if f is not None), None)
        if name not in self.table and (own is None or problem.attributes):
            raise Absent(f"{self.package} has no {name}")
        self.function = self.table.get(name) or (lambda _, *inputs: own(*inputs))

    bfloat16 = False

    def call(self, inputs):
        return several(self.function(self.lib, *inputs, **self.problem.attributes))


class Torch(Peer):
    """Calls PyTorch, eager."""

    name, package, table, bfloat16 = "torch", "torch", formulas.TORCH, True
    settle = SETTLE

    def __init__(self, problem, device):
        super().__init__(problem, device)
        if device == "cuda" and not self.lib.cuda.is_available():
            raise Absent("this PyTorch has no CUDA")

    def place(self, array, differentiable=False):
        wide = array.dtype.kind == "V" or array.dtype.name == "bfloat16"
        tensor = self.lib.tensor(array.astype(np.float32) if wide else array, device=self.device)
        return (tensor.bfloat16() if wide else tensor).requires_grad_(differentiable)

    def forward(self, inputs):
        with self.lib.no_grad():
            return self.call(inputs)

    def both(self, inputs, upstream):
        outputs = self.call(inputs)
        leaves = [inputs[i] for i in self.problem.differentiable]
        chosen = [(o, g) for o, g in zip(outputs, upstream, strict=False) if o.requires_grad]
        return outputs, self.lib.autograd.grad([o for o, _ in chosen], leaves, [g for _, g in chosen])

    def wait(self, result):
        if self.device == "cuda":
            self.lib.cuda.synchronize()

    def host(self, value):
        array = value.detach().cpu()
        return array.double().numpy() if array.is_floating_point() else array.numpy()


class Compiled(Torch):
    """Calls PyTorch through torch.compile, which on a GPU writes Triton kernels."""

    name = "torch compiled"

    def __init__(self, problem, device):
        super().__init__(problem, device)
        self.lib._dynamo.reset()
        self.function = self.lib.compile(self.function)


class Triton(Torch):
    """Launches short Triton kernels on PyTorch's tensors; forward only."""

    name, package, backward = "triton", "triton", False

    def __init__(self, problem, device):
        if find_spec(self.package):
            from .triton_kernels import TRITON as own

            self.table = own
        super().__init__(problem, device)
        if self.op.name not in self.table:
            raise Absent(f"there is no Triton kernel of {self.op.name} here")
        if device == "cpu" and os.environ.get("TRITON_INTERPRET") != "1":
            raise Absent("Triton compiles for GPUs only; TRITON_INTERPRET=1 runs its kernels, slowly, on the CPU")


class Jax(Peer):
    """Calls JAX, compiled. It has no setting for its threads: they are as many as the process has cores."""

    name, package, table, bfloat16 = "jax", "jax", formulas.JAX, True
    places = ("jax.numpy", "jax.nn")
    clock = staticmethod(wall)

    def __init__(self, problem, device):
        super().__init__(problem, device)
        import jax

        self.clock, self.jax = wall, jax
        kinds = {"cpu": "cpu", "cuda": "gpu"}
        try:
            self.where = jax.devices(kinds[device])[0]
        except RuntimeError as error:
            raise Absent(f"this JAX has no {device}") from error
        self.compiled = jax.jit(lambda *inputs: self.call(inputs))
        self.compiled_both = jax.jit(self._traced_both)

    def place(self, array, differentiable=False):
        return self.jax.device_put(array, self.where)

    def forward(self, inputs):
        return self.compiled(*inputs)

    def _traced_both(self, inputs, upstream):
        free = self.problem.differentiable

        def function(*leaves):
            given = list(inputs)
            for i, leaf in zip(free, leaves, strict=True):
                given[i] = leaf
            return self.call(given)

        outputs, vjp = self.jax.vjp(function, *(inputs[i] for i in free))
        return outputs, vjp([*upstream, *(o * 0 for o in outputs[len(upstream) :])])

    def both(self, inputs, upstream):
        return self.compiled_both(inputs, upstream)

    def wait(self, result):
        self.jax.block_until_ready(result)

    def host(self, value):
        array = np.asarray(value)
        return array.astype(np.float64) if array.dtype.kind not in "iub" else array


class OnNumPy(Peer):
    """Calls a library whose arrays are NumPy's: on the CPU alone."""

    table, settle = formulas.NUMPY, 0.15  # OpenBLAS's threads spin for a tenth of a second

    def __init__(self, problem, device):
        super().__init__(problem, device)
        if device != "cpu":
            raise Absent(f"{self.package} runs on the CPU only")

    def place(self, array, differentiable=False):
        return array

    def forward(self, inputs):
        return self.call(inputs)

    def host(self, value):
        array = np.asarray(value)
        return array.astype(np.float64) if array.dtype.kind not in "iub" else array


class Autograd(OnNumPy):
    """Calls HIPS autograd."""

    name, package, places = "autograd", "autograd", ("autograd.numpy",)

    def both(self, inputs, upstream):
        import autograd

        make_vjp: Any = autograd.make_vjp  # its declared types are those before its decorator
        if len(upstream) > 1:
            raise Absent("autograd takes functions of one output")
        vjp, output = make_vjp(lambda *given: self.call(given)[0], tuple(self.problem.differentiable))(*inputs)
        return [output], vjp(upstream[0])


class MyGrad(OnNumPy):
    """Calls MyGrad."""

    name, package, places = "mygrad", "mygrad", ("mygrad",)

    def place(self, array, differentiable=False):
        return self.lib.tensor(array) if differentiable else array

    def forward(self, inputs):
        with self.lib.no_autodiff:
            return self.call(inputs)

    def both(self, inputs, upstream):
        if len(upstream) > 1:
            raise Absent("MyGrad's backward starts at one output")
        (output,) = self.call(inputs)
        output.backward(upstream[0])
        return [output], [inputs[i].grad for i in self.problem.differentiable]

    def host(self, value):
        return super().host(getattr(value, "data", value))


class Tinygrad(Peer):
    """Calls tinygrad, and realises every call; its CPU code is compiled C."""

    name, package, table = "tinygrad", "tinygrad", formulas.TINYGRAD
    places = ("tinygrad",)

    def __init__(self, problem, device):
        super().__init__(problem, device)
        self.clock = wall
        if self.op.name not in self.table:
            raise Absent(f"tinygrad has no {self.op.name} here")

    def place(self, array, differentiable=False):
        where = {"cpu": "CPU", "cuda": "CUDA"}[self.device]
        return self.lib.Tensor(array, device=where).realize()

    def forward(self, inputs):
        return [output.realize() for output in self.call(inputs)]

    def both(self, inputs, upstream):
        (output,) = self.call(inputs)
        found = output.gradient(*(inputs[i] for i in self.problem.differentiable), gradient=upstream[0])
        self.lib.Tensor.realize(output, *found)
        return [output], found

    def host(self, value):
        return np.asarray(value.numpy(), np.float64)


PEERS = {peer.name: peer for peer in (Torch, Compiled, Triton, Jax, MyGrad, Autograd, Tinygrad)}
CHOSEN = {"quick": ["torch"], "default": [n for n in PEERS if n != "torch compiled"], "full": list(PEERS)}
