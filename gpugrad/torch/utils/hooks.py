"""Handles of hooks."""

from ...autograd.tensor import Handle as RemovableHandle

__all__ = ["RemovableHandle"]
