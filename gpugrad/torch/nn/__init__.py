"""`gpugrad.nn` in PyTorch's language: its classes, whose parameters, buffers and layers speak PyTorch."""

from importlib import import_module
from typing import Any

from ..language import passing
from ..modules import Buffer, Module, Parameter, in_torch
from . import attention, functional, init, parallel, utils
from .parallel import DataParallel
from .uninitialized import UninitializedBuffer, UninitializedParameter

__all__ = [
    "Buffer", "DataParallel", "Module", "Parameter", "UninitializedBuffer", "UninitializedParameter", "attention",
    "functional", "init", "parallel", "utils",
]  # fmt: skip

_find = passing(__name__, "gpugrad.nn", "gpugrad.nn.batch_norm", "gpugrad.nn.conv", "gpugrad.nn.pool",
                "gpugrad.nn.dropout", "gpugrad.nn.loss", "gpugrad.torch.private", adapt=in_torch)  # fmt: skip
# Base classes under PyTorch's names, and layers that are others on one device.
_OTHER_NAMES = {
    "_ConvNd": "_Convolution", "_MaxPoolNd": "_MaxPool", "_AvgPoolNd": "_AvgPool",
    "_DropoutNd": "_Dropout", "_NormBase": "_RunningStatistics", "NLLLoss2d": "NLLLoss", "Container": "Module",
    "_ConvTransposeNd": "_ConvTranspose",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "SyncBatchNorm":
        return import_module("gpugrad.torch.distributed").SyncBatchNorm
    return globals()[name] if name in globals() else _find(_OTHER_NAMES.get(name, name))
