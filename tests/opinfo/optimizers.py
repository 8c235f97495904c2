"""The samples of `optim_db`: the parameters after some steps with the same gradients, or closures."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch.testing._internal.common_optimizers import optim_db

import gpugrad as gg

from .convert import NotComparable, difference, ours
from .outcome import Outcome

RTOL, STEPS = 1e-9, 5
# PyTorch keeps ASGD's step sizes in float32, and Muon orthogonalises in bfloat16; gpugrad has the parameters' dtype.
COARSER = {"ASGD": 1e-6, "Muon": 2e-3}
SHAPES = ((4, 3), (2, 5))  # matrices, since Muon takes nothing else


def entries() -> tuple[list, list[str]]:
    """The entries of `optim_db` that gpugrad has an optimizer for, and the names of the others."""
    present = [entry for entry in optim_db if hasattr(gg.optim, entry.name)]
    return present, [entry.name for entry in optim_db if entry not in present]


def outcomes(entry: Any, most: int | None = None) -> Iterator[Outcome]:
    """What becomes of the options of an entry."""
    samples = list(enumerate(entry.optim_inputs_func(device="cpu")))
    if most is not None and len(samples) > most:
        samples = sorted(random.Random(entry.name).sample(samples, most), key=lambda pair: pair[0])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for number, sample in samples:
            yield Outcome(f"optim.{entry.name}", number, *_outcome(entry, sample))


def _outcome(entry: Any, sample: Any) -> tuple[str, str]:
    text = f"{sample.desc} {sample.kwargs}"
    try:
        want = _steps(torch, torch.tensor, entry.optim_cls, sample.kwargs)
        got = _steps(gg, gg.tensor, getattr(gg.optim, entry.name), ours(sample.kwargs, []))
        problem = difference((got, []), (want, []), COARSER.get(entry.name, RTOL))
    except NotComparable as reason:
        return "not comparable", str(reason)
    except Exception as error:
        return "crash", f"{type(error).__name__}: {error} :: {text}"
    return ("wrong", f"{problem} :: {text}") if problem else ("right", "")


def _steps(library: Any, tensor: Callable, cls: Any, options: dict) -> list:
    """The parameters after STEPS steps downhill on a smooth function, whose minimum is not at zero."""
    draw = np.random.default_rng(3).standard_normal
    params = [tensor(draw(shape), requires_grad=True) for shape in SHAPES]
    targets = [tensor(draw(shape)) for shape in SHAPES]
    optimizer = cls(params, **options)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = sum((((p - t) ** 2).sum() + ((p - t) ** 4).sum() for p, t in zip(params, targets, strict=True)))
        loss.backward()
        return loss

    for _ in range(STEPS):
        optimizer.step(closure)
    return [p.detach().numpy() for p in params]
