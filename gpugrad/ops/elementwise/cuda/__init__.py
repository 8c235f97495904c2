"""The CUDA side of the elementwise ops: kernels/elementwise.cu read, launched, and bound to the ops as their paths."""

from . import bias_activation, paths

__all__ = ["bias_activation", "paths"]
