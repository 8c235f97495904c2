"""The samples of `module_db`: layers, with PyTorch's start values in both."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.testing._internal.common_modules import module_db

import gpugrad as gg

from .convert import NotComparable, difference, ours, results, shapes, theirs
from .outcome import Outcome

RTOL = 1e-7
# Gradients that PyTorch has no number for: 0 / 0 at a target of 0.
WITHOUT_NUMBERS = {"KLDivLoss"}


def entries() -> tuple[list, list[str]]:
    """The entries of `module_db` that gpugrad has a layer for, and the names of the others."""
    present = [entry for entry in module_db if hasattr(gg.nn, entry.module_cls.__name__)]
    return present, [entry.name for entry in module_db if entry not in present]


def outcomes(entry: Any, most: int | None = None) -> Iterator[Outcome]:
    """What becomes of the samples of an entry, in training and in evaluation."""
    number = -1
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for training in (False, True) if entry.train_and_eval_differ else (True,):
            torch.manual_seed(0)
            inputs = entry.module_inputs_func(
                entry, device="cpu", dtype=torch.float64, requires_grad=True, training=training
            )
            for sample in inputs:
                number += 1
                if most is None or number % 7 < most:
                    yield Outcome(f"nn.{entry.module_cls.__name__}", number, *_outcome(entry, sample, training))


def _outcome(entry: Any, sample: Any, training: bool) -> tuple[str, str]:
    made = sample.constructor_input
    text = f"{sample.desc} {made.args} {made.kwargs} training={training}"
    try:
        peer = entry.module_cls(*made.args, **made.kwargs).double().train(training)
        module = getattr(gg.nn, entry.module_cls.__name__)(*_converted(made.args), **_converted(made.kwargs))
        module = module.double().train(training)
        if entry.module_cls.__name__.startswith("Lazy"):  # a call gives it its shapes
            for layer, convert in ((peer, theirs), (module, ours)):
                args, kwargs = convert((sample.forward_input.args, sample.forward_input.kwargs), [])
                layer(*args, **kwargs)
        _load(module, peer)
        want = _answer(torch, copy.deepcopy(peer), theirs, sample.forward_input)
        got = _answer(gg, module, ours, sample.forward_input)
        if entry.module_cls.__name__ in WITHOUT_NUMBERS:
            for mine, peers in zip(got[1], want[1], strict=True):
                mine[np.isnan(peers)] = np.nan
        problem = difference(got, want, RTOL)
        if problem and shapes(got) == shapes(want) and training:
            torch.manual_seed(1)
            if difference(_answer(torch, copy.deepcopy(peer), theirs, sample.forward_input), want, RTOL):
                problem = None  # it draws random numbers
    except NotComparable as reason:
        return "not comparable", str(reason)
    except Exception as error:
        if any(isinstance(arg, torch.Tensor) and arg.numel() == 0 for arg in sample.forward_input.args):
            return "not comparable", f"an input without elements: {error}"
        return "crash", f"{type(error).__name__}: {error} :: {text}"
    return ("wrong", f"{problem} :: {text}") if problem else ("right", "")


def _converted(value: Any) -> Any:
    """Arguments of a constructor; layers and functions among them by their names."""
    if isinstance(value, dict):
        return {key: _converted(v) for key, v in value.items()}
    if isinstance(value, tuple):
        return tuple(_converted(v) for v in value)
    if isinstance(value, torch.nn.TransformerEncoderLayer):
        return _encoder_layer(value)
    name = getattr(value, "__name__", "")
    if callable(value) and not isinstance(value, (torch.nn.Module, torch.dtype)) and hasattr(gg.nn.functional, name):
        return getattr(gg.nn.functional, name)
    return ours(value, [])


def _encoder_layer(layer: Any) -> Any:
    """gpugrad's layer with the options that PyTorch's was made with."""
    attention = layer.self_attn
    return gg.nn.TransformerEncoderLayer(
        attention.embed_dim,
        attention.num_heads,
        layer.linear1.out_features,
        layer.dropout.p,
        _converted(layer.activation),
        layer.norm1.eps,
        attention.batch_first,
        layer.norm_first,
        layer.linear1.bias is not None,
    )


def _load(module: Any, peer: Any) -> None:
    """Give a layer the parameters and buffers of PyTorch's."""
    state = {name: value.detach().numpy().copy() for name, value in peer.state_dict().items()}
    module.load_state_dict({name: gg.asarray(value) for name, value in state.items()})


def _answer(library: Any, module: Any, convert: Any, given: Any) -> tuple[list, list]:
    """Values, then buffers; gradients of the inputs, then of the parameters."""
    leaves: list = []
    args, kwargs = convert((given.args, given.kwargs), leaves)
    leaves += list(module.parameters())
    if type(module).__name__ == "CTCLoss":  # see functions.BEHIND_LOG_SOFTMAX
        args = (library.nn.functional.log_softmax(args[0], -1), *args[1:])
    values, gradients = results(library, lambda: module(*args, **kwargs), leaves)
    return values + [buffer.detach().numpy() for buffer in module.buffers()], gradients
