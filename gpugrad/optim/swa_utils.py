"""Averages of the weights at several points of a training, with equal (Izmailov et al. 2018) or exponential weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from functools import partial
from itertools import chain
from typing import Any

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..backend.dtypes import int64
from ..errors import OptionError
from ..nn.batch_norm import _BatchNorm
from ..nn.module import Module
from ..nn.state_dict import copy_into
from .lr_scheduler.base import LRScheduler, copy_common, per_group
from .optimizer import Optimizer

__all__ = [
    "SWALR", "AveragedModel", "get_ema_avg_fn", "get_ema_multi_avg_fn", "get_swa_avg_fn", "get_swa_multi_avg_fn",
    "update_bn",
]  # fmt: skip

Average = Callable[[Tensor, Tensor, Any], Tensor]


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """Return the function (average, current, number) -> decay average + (1 - decay) current.

    >>> gg.optim.swa_utils.get_ema_avg_fn(0.75)(gg.tensor(4.0), gg.tensor(8.0), 1).item()
    5.0
    """
    if not 0 <= decay <= 1:
        raise OptionError(f"get_ema_avg_fn: decay must be between 0 and 1, got {decay}")
    return partial(_ema, decay)


@no_grad()
def _ema(decay: float, average: Tensor, current: Tensor, number: Any) -> Tensor:
    return decay * average + (1 - decay) * current


def get_swa_avg_fn() -> Average:
    """Return the function (average of `number` values, current, number) -> the average of all of them.

    >>> gg.optim.swa_utils.get_swa_avg_fn()(gg.tensor(4.0), gg.tensor(8.0), 3).item()
    5.0
    """
    return _running_mean


@no_grad()
def _running_mean(average: Tensor, current: Tensor, number: Any) -> Tensor:
    return average + (current - average) / (number + 1)


def _average_lists(average: Average, averages: Sequence[Tensor], currents: Sequence[Tensor], number: Any) -> None:
    """Apply `average` to lists of tensors, in place."""
    for mean, current in zip(averages, currents, strict=True):
        copy_into(mean, average(mean, current, number), "AveragedModel.update_parameters")


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable[[Sequence[Tensor], Sequence[Tensor], Any], None]:
    """Return `get_ema_avg_fn` for lists of tensors, which changes the averages in place.

    >>> averages = [gg.tensor(4.0), gg.tensor([0.0, 1.0])]
    >>> gg.optim.swa_utils.get_ema_multi_avg_fn(0.75)(averages, [gg.tensor(8.0), gg.ones(2)], 1)
    >>> [average.tolist() for average in averages]
    [5.0, [0.25, 1.0]]
    """
    return partial(_average_lists, get_ema_avg_fn(decay))


def get_swa_multi_avg_fn() -> Callable[[Sequence[Tensor], Sequence[Tensor], Any], None]:
    """Return `get_swa_avg_fn` for lists of tensors, which changes the averages in place.

    >>> averages = [gg.tensor(4.0), gg.tensor([0.0, 1.0])]
    >>> gg.optim.swa_utils.get_swa_multi_avg_fn()(averages, [gg.tensor(8.0), gg.ones(2)], 3)
    >>> [average.tolist() for average in averages]
    [5.0, [0.25, 1.0]]
    """
    return partial(_average_lists, get_swa_avg_fn())


class AveragedModel(Module):
    """A copy of `model`, in `module`, whose parameters are averages of those at every `update_parameters(model)`.

    avg_fn returns the next average from (average, current, number of models in the average); by default the average is
    the mean (stochastic weight averaging, Izmailov et al. 2018, "Averaging weights leads to wider optima and better
    generalization", algorithm 1). multi_avg_fn does the same for lists, in place. use_buffers averages the buffers as
    well; otherwise they are copied. device is the place of the averages.

    >>> model = gg.nn.Linear(1, 1, bias=False)
    >>> averaged = gg.optim.swa_utils.AveragedModel(model)
    >>> for value in (1.0, 2.0, 6.0):
    ...     _ = gg.nn.init.constant_(model.weight, value)
    ...     averaged.update_parameters(model)
    >>> averaged(gg.ones(1, 1)).item()
    3.0
    """

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Average | None = None,
        multi_avg_fn: Callable[[Sequence[Tensor], Sequence[Tensor], Any], None] | None = None,
        use_buffers: bool = False,
    ):
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise OptionError("AveragedModel: expected avg_fn or multi_avg_fn, got both")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.n_averaged: Tensor
        self.register_buffer("n_averaged", asarray(0, dtype=int64, device="cpu" if device is None else device))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    @no_grad()
    def update_parameters(self, model: Module) -> None:
        """Include the present parameters of `model` in the averages; the first ones are copied."""
        both = zip(self._averaged(self.module), self._averaged(model), strict=True)
        pairs = [(average.detach(), current.detach().to(average.device)) for average, current in both]
        number = int(self.n_averaged.item())
        if number == 0:
            self._copy(pairs)
        elif pairs:
            averages, currents = zip(*pairs, strict=True)
            if self.multi_avg_fn is None:
                _average_lists(self.avg_fn or get_swa_avg_fn(), averages, currents, number)
            else:
                self.multi_avg_fn(averages, currents, number)
        if not self.use_buffers:
            self._copy(zip(self.module.buffers(), model.buffers(), strict=True))
        self.n_averaged += 1

    def _averaged(self, model: Module) -> Iterable[Tensor]:
        return chain(model.parameters(), model.buffers()) if self.use_buffers else model.parameters()

    def _copy(self, pairs: Iterable[tuple[Tensor, Tensor]]) -> None:
        for mean, current in pairs:
            copy_into(mean, current, "AveragedModel.update_parameters")


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Set the running statistics of the batch norms in `model` to the means over one pass through `loader`.

    A batch is the model's input, or a list or tuple that begins with it. It is moved to `device` first, if that is
    given (Izmailov et al. 2018, algorithm 1, last line).

    >>> model = gg.nn.BatchNorm1d(1)
    >>> gg.optim.swa_utils.update_bn([gg.tensor([[1.0], [3.0]]), gg.tensor([[5.0], [7.0]])], model)
    >>> model.running_mean.tolist()
    [4.0]
    """
    norms = {module: module.momentum for module in model.modules() if isinstance(module, _BatchNorm)}
    if not norms:
        return
    was_training = model.training
    model.train()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    for batch in loader:
        batch = batch[0] if isinstance(batch, (list, tuple)) else batch
        model(batch if device is None else batch.to(device))
    for norm, momentum in norms.items():
        norm.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """A schedule that moves lr to swa_lr in anneal_epochs steps and keeps it there (Izmailov et al. 2018, section 3).

    anneal_strategy is "cos" or "linear".

    >>> optimizer = gg.optim.SGD([gg.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = gg.optim.swa_utils.SWALR(optimizer, swa_lr=0.5, anneal_epochs=2, anneal_strategy="linear")
    >>> for _ in range(4):
    ...     print(scheduler.get_last_lr())
    ...     optimizer.step()
    ...     scheduler.step()
    [1.0]
    [0.75]
    [0.5]
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | list[float],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ):
        if anneal_strategy not in ("cos", "linear"):
            raise OptionError(f"SWALR: anneal_strategy must be 'cos' or 'linear', got {anneal_strategy!r}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise OptionError(f"SWALR: anneal_epochs must be an integer of at least 0, got {anneal_epochs}")
        for group, lr in zip(optimizer.param_groups, per_group("swa_lr", optimizer, swa_lr), strict=True):
            group["swa_lr"] = lr
        self._anneal_strategy, self.anneal_epochs = anneal_strategy, anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _add_group(self, group: dict[str, Any]) -> None:
        copy_common(self, group, ("swa_lr",))
        super()._add_group(group)

    def _annealed(self, step: int) -> float:
        """Return the weight of swa_lr at `step`, from 0 to 1."""
        t = max(0, min(1, step / max(1, self.anneal_epochs)))
        return (1 - math.cos(math.pi * t)) / 2 if self._anneal_strategy == "cos" else t

    def _group_lr(self, i: int, lr: float, base: float) -> float:
        end = self.optimizer.param_groups[i]["swa_lr"]
        step = self._step_count - 1 if self.anneal_epochs else max(1, self._step_count - 1)
        before, now = self._annealed(step - 1), self._annealed(step)
        start = end if before == 1 else (lr - before * end) / (1 - before)
        return end * now + start * (1 - now)
