"""PyTorch's utilities: data, checkpoints of activations, files of weights."""

from . import checkpoint, data, hooks

__all__ = ["checkpoint", "data", "hooks"]
