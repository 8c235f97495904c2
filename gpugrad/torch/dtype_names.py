"""Names of dtypes and of the classes by which old programs make and convert Tensors: `FloatTensor`, `LongTensor`."""

from __future__ import annotations

from typing import Any

_NAMES = {
    "float32": "Float", "float64": "Double", "float16": "Half", "bfloat16": "BFloat16", "uint8": "Byte",
    "int8": "Char", "int16": "Short", "int32": "Int", "int64": "Long", "bool": "Bool",
}  # fmt: skip
TENSOR_TYPES = {f"{short}Tensor": name for name, short in _NAMES.items()}


def type_name(dtype: Any, kind: str) -> str:
    """Return the name that PyTorch gives the type of a Tensor: "torch.FloatTensor"."""
    return f"torch.{'' if kind == 'cpu' else kind + '.'}{_NAMES[dtype.name]}Tensor"
