"""Modules of PyTorch that choose how it computes, and say nothing to gpugrad: their settings are kept and change
nothing.

Also what makes PyTorch's programs faster without changing them (`compile`, `jit.script`, `fx.wrap`) gives back what it
is given, with one warning for the first.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any, Final, Optional

_said: set[str] = set()


def _unchanged(name: str) -> Callable:
    """Return a function or decorator that gives back the function or module it is given, whatever its options."""

    def call(function: Any = None, *args: Any, **kwargs: Any) -> Any:
        if name not in _said:
            _said.add(name)
            warnings.warn(f"gpugrad.torch.{name} changes nothing: gpugrad runs the function as it is", stacklevel=2)
        return function if callable(function) else lambda given: given

    call.__name__ = call.__qualname__ = name.rpartition(".")[2]
    call.__doc__ = "Return what is given, unchanged."
    return call


def _quietly(function: Any = None, *args: Any, **kwargs: Any) -> Any:
    return function if callable(function) else lambda given: given


def _nothing(*args: Any, **kwargs: Any) -> None:
    """Do nothing."""


def _no(*args: Any, **kwargs: Any) -> bool:
    """Return False."""
    return False


@contextmanager
def _block(*args: Any, **kwargs: Any) -> Iterator[None]:
    """Run the block as it is."""
    yield


compile = _unchanged("compile")
_BACKEND = {"is_available": _no, "is_built": _no, "enabled": True, "flags": _block, "version": lambda: None}
_MATMUL = ModuleType("matmul")
vars(_MATMUL).update(allow_tf32=False, allow_fp16_reduced_precision_reduction=True, fp32_precision="ieee")

NAMES: dict[str, dict[str, Any]] = {
    "backends": {},
    "backends.cudnn": {**_BACKEND, "benchmark": False, "deterministic": False, "allow_tf32": True, "fastest": False},
    "backends.cuda": {
        **_BACKEND, "matmul": _MATMUL, "sdp_kernel": _block, "enable_flash_sdp": _nothing, "enable_math_sdp": _nothing,
        "enable_mem_efficient_sdp": _nothing, "flash_sdp_enabled": _no, "math_sdp_enabled": lambda: True,
        "mem_efficient_sdp_enabled": _no,
    },
    **{f"backends.{name}": {**_BACKEND} for name in ("mps", "mkl", "mkldnn", "openmp", "xnnpack", "opt_einsum")},
    "accelerator": {
        "is_available": _no, "current_accelerator": _nothing, "device_count": lambda: 0, "synchronize": _nothing,
    },
    "mps": {"is_available": _no, "empty_cache": _nothing, "synchronize": _nothing, "manual_seed": _nothing},
    "xpu": {"is_available": _no, "device_count": lambda: 0},
    "jit": {
        "script": _unchanged("jit.script"), "trace": _unchanged("jit.trace"), "ignore": _quietly, "export": _quietly,
        "unused": _quietly, "interface": _quietly, "is_scripting": _no, "is_tracing": _no,
        "annotate": lambda kind, value: value,
        "script_if_tracing": _quietly, "Final": Final, "Attribute": lambda value, kind: value, "freeze": _quietly,
        "script_method": _quietly, "ScriptModule": object, "isinstance": isinstance, "_overload_method": _quietly,
        "_script_if_tracing": _quietly, "ScriptFunction": object, "optimize_for_inference": _quietly,
    },
    "jit.annotations": {f"BroadcastingList{n}": list for n in range(1, 7)} | {"List": list, "Optional": Optional},
    "_jit_internal": {
        "_overload_method": _quietly, "_overload": _quietly, "Final": Final, "boolean_dispatch": _nothing,
        "_copy_to_script_wrapper": _quietly,
    },
    "fx": {"wrap": _quietly, "GraphModule": object, "Proxy": type("Proxy", (), {}), "symbolic_trace": _quietly},
    "_dynamo": {"disable": _quietly, "allow_in_graph": _quietly, "reset": _nothing, "config": ModuleType("config")},
    "_dynamo.utils": {"is_compile_supported": _no},
    "compiler": {"disable": _quietly, "is_compiling": _no, "reset": _nothing, "allow_in_graph": _quietly},
    "distributed.elastic.multiprocessing.errors": {"record": _quietly},
    "version": {"__version__": "2.13.0", "cuda": None, "hip": None, "git_version": "", "debug": False},
    "_C": {"_log_api_usage_once": _nothing, "_get_tracing_state": _nothing, "_jit_set_profiling_executor": _nothing},
    "profiler": {"record_function": _block, "profile": _block, "ProfilerActivity": type("ProfilerActivity", (), {})},
    "autograd.profiler": {"record_function": _block, "profile": _block},
    "overrides": {
        "has_torch_function": _no, "has_torch_function_unary": _no, "has_torch_function_variadic": _no,
        "handle_torch_function": _nothing, "is_tensor_like": lambda value: hasattr(value, "__array_namespace__"),
    },
    "onnx": {"is_in_onnx_export": _no},
}  # fmt: skip

# Modules of PyTorch's whose names are all in another one.
_MODULES_OF_NN = (
    "activation adaptive batchnorm channelshuffle container conv distance dropout flatten fold instancenorm lazy "
    "linear loss module normalization padding pixelshuffle pooling rnn sparse transformer upsampling"
)
SAME: dict[str, str] = {
    **{f"nn.modules.{name}": "nn" for name in _MODULES_OF_NN.split()},
    **dict.fromkeys(("nn.modules", "nn.parameter", "nn.grad"), "nn"),
    "nn.parallel.distributed": "nn.parallel", "nn.parallel.data_parallel": "nn.parallel",
    "nn.utils.stateless": "func", "nn.backends": "nn", "nn._reduction": "nn.functional",
    **{
        f"nn.utils.{name}": f"gpugrad.nn.utils.{name}"
        for name in ("rnn", "clip_grad", "parametrize", "parametrizations", "convert_parameters", "weight_norm",
                     "spectral_norm", "fusion")
    },
    **{
        f"optim.{name}": "optim"
        for name in ("optimizer", "sgd", "adam", "adamw", "rmsprop", "adagrad", "lbfgs", "adadelta", "adamax", "nadam",
                     "radam", "asgd", "rprop")
    },
    "optim.lr_scheduler": "gpugrad.optim.lr_scheduler", "optim.swa_utils": "gpugrad.optim.swa_utils",
    "utils.data.dataset": "utils.data", "utils.data.dataloader": "utils.data", "utils.data.sampler": "utils.data",
    **{
        f"distributed.{name}": "distributed"
        for name in ("algorithms.join", "distributed_c10d", "fsdp", "fsdp.wrap", "fsdp.fully_sharded_data_parallel",
                     "optim")
    },
    "utils.data._utils": "utils.data", "utils.data._utils.collate": "utils.data",
    "autograd.function": "autograd", "autograd.variable": "autograd", "autograd.functional": "autograd",
    "autograd.grad_mode": "autograd", "autograd.gradcheck": "autograd", "autograd.anomaly_mode": "autograd",
    "cuda.amp": "amp", "cuda.amp.autocast_mode": "amp", "cuda.amp.grad_scaler": "amp", "amp.autocast_mode": "amp",
    "amp.grad_scaler": "amp",
    "nn.modules.utils": "private", "nn.common_types": "private", "utils._pytree": "private", "types": "private",
    "utils.model_zoo": "hub", "jit._script": "jit", "fx.node": "fx",
    **{
        f"distributions.{name}": "distributions"
        for name in ("normal", "categorical", "bernoulli", "uniform", "beta", "dirichlet", "gamma", "multinomial",
                     "multivariate_normal", "kl", "distribution", "independent")
    },
    "tensor": "", "_tensor": "", "functional": "", "storage": "", "random": "", "return_types": "",
}  # fmt: skip


class Alias(ModuleType):
    """A module of PyTorch's under another path: its names are looked up in `target` when they are used."""

    def __init__(self, name: str, target: str):
        super().__init__(name, f"The names of `{target}` under PyTorch's path.")
        self.__dict__["_target"] = target

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(import_module(self._target), name)


def publish(package: str) -> None:
    """Make all modules of `NAMES` and `SAME` importable below `package`."""
    for path, names in NAMES.items():
        module = ModuleType(f"{package}.{path}", "PyTorch's settings, which change nothing here.")
        vars(module).update(names)
        sys.modules[module.__name__] = module
    for path, target in SAME.items():
        name = f"{package}.{path}"
        full = target if target.startswith("gpugrad.") else f"{package}.{target}".rstrip(".")
        sys.modules[name] = Alias(name, full)
    for path in (*NAMES, *SAME):  # a.b is also an attribute of a, if that is one of ours
        parent, _, last = f"{package}.{path}".rpartition(".")
        if parent in sys.modules and isinstance(sys.modules[parent], ModuleType) and parent != package:
            vars(sys.modules[parent]).setdefault(last, sys.modules[f"{package}.{path}"])


def submodule(package: str, path: str) -> ModuleType | None:
    """Return the module `path` below `package` if there is one."""
    name = f"{package}.{path}"
    return sys.modules.get(name)
