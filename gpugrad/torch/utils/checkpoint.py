"""Checkpointing: activations are computed again in backward instead of being kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...autograd.checkpoint import checkpoint as gpugrads

__all__ = ["checkpoint", "checkpoint_sequential"]


def checkpoint(function: Callable, *args: Any, use_reentrant: bool | None = None, **kwargs: Any) -> Any:
    """Return function(*args) and keep only the arguments; `gpugrad.checkpoint`, whatever way PyTorch would take."""
    for name in ("context_fn", "determinism_check", "debug", "early_stop"):
        kwargs.pop(name, None)
    return gpugrads(function, *args, use_reentrant=use_reentrant, **kwargs)


def checkpoint_sequential(functions: Any, segments: int, input: Any, use_reentrant: bool | None = None) -> Any:
    """Return the functions applied one after the other, in `segments` stretches that are computed again."""
    layers: Sequence = list(functions)
    length = -(-len(layers) // segments)
    for start in range(0, len(layers), length):
        input = checkpoint(_chain(layers[start : start + length]), input)
    return input


def _chain(layers: Sequence) -> Callable:
    def run(x: Any) -> Any:
        for layer in layers:
            x = layer(x)
        return x

    return run
