"""Trainer: the loop that most training needs, with a progress bar, logs, checks and checkpoints."""

from __future__ import annotations

import copy
import inspect
import math
import operator
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import numpy as np

from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..backend.devices import device as find_device
from ..data.fetch import on_tensors
from ..errors import OptionError, StateDictError, TrainingError
from ..io import load_training, save_training
from ..nn import Module
from ..nn.utils import clip_grad_norm_, evaluating
from ..optional import need
from .interrupts import HeldInterrupts
from .watch import check_gradients, find_nan, gradient_norms


class Trainer:
    """Trains `model` with `optimizer` on batches (input, target), for which `loss(model(input), target)` is computed.

    For other batches a subclass defines `loss_of(batch)`. scheduler: stepped after each `scheduled`, an "epoch" or a
    "step". scaler: a GradScaler. device: where batches go. clip: the largest norm of all gradients together. watch:
    look at the loss and the gradients of each step; if they are not finite, raise TrainingError that names the layer,
    before the parameters are changed (the program waits for a GPU at each step). progress: a bar with rate and loss
    (tqdm, in a notebook its widget). log_dir: a folder for TensorBoard (tensorboardX), complete when `fit` ends.
    checkpoint: a file that `save` writes after each epoch.

    losses: those of all steps; validation: those of all epochs; epoch and step: the numbers of those done.

    >>> model = nn.Linear(1, 1)
    >>> optimizer = gg.optim.SGD(model.parameters(), lr=0.1)
    >>> trainer = gg.train.Trainer(model, optimizer, F.mse_loss, progress=False)
    >>> losses = trainer.fit([(gg.ones(4, 1), gg.zeros(4, 1))], epochs=5)
    >>> len(losses), losses[-1] < losses[0]
    (5, True)
    """

    def __init__(
        self,
        model: Module,
        optimizer: Any,
        loss: Callable[[Any, Any], Tensor] | None = None,
        *,
        scheduler: Any = None,
        scheduled: str = "epoch",
        scaler: Any = None,
        device: Any = None,
        clip: float | None = None,
        watch: bool = True,
        progress: bool = True,
        log_dir: str | os.PathLike | None = None,
        checkpoint: str | os.PathLike | None = None,
    ):
        if scheduled not in ("epoch", "step"):
            raise OptionError(f'Trainer: scheduled must be "epoch" or "step", got {scheduled!r}')
        self.model, self.optimizer, self.loss = model, optimizer, loss
        self.scheduler, self.scheduled, self.scaler, self.clip = scheduler, scheduled, scaler, clip
        self.device = None if device is None else find_device(device)
        self.watch, self.progress, self.checkpoint = watch, progress, checkpoint
        self._new_writer = self._writer = None
        if log_dir is not None:
            board = need("tensorboardX", "logging for TensorBoard", "train")
            self._new_writer = partial(board.SummaryWriter, os.fspath(log_dir))
        self.epoch = self.step = 0
        self.losses: list[float] = []
        self.validation: list[float] = []
        self._epoch_start, self._pass_done = 0, False  # losses before this epoch; whether only its end is left to do
        self._loader: Any = None
        self._bar: Any = None
        self._waiting: list[Tensor] = []  # losses that are not fetched yet

    def loss_of(self, batch: Any) -> Tensor:
        """Return the loss of a batch, a Tensor of one element."""
        if self.loss is None:
            raise TrainingError(f"{type(self).__name__}: give a loss, or define loss_of(batch)")
        inputs, target = batch
        return self.loss(self.model(inputs), target)

    def fit(self, loader: Iterable[Any], epochs: int, validation: Iterable[Any] | None = None) -> list[float]:
        """Train until `epochs` passes over `loader` are done in all; returns the losses of all steps.

        validation: batches whose mean loss is computed after each epoch. After `load` it continues where the run was
        saved. Ctrl-C takes effect between two steps, pressed again at once; `save` and `fit` then continue with the
        first batch whose step is not done. Raises OptionError for a number of epochs below 0.
        """
        if epochs < 0:
            raise OptionError(f"{type(self).__name__}.fit: epochs must be at least 0, got {epochs}")
        self._loader = loader
        with self._open_bar(loader, epochs) as self._bar, self._open_log():
            while self.epoch < epochs:
                self.model.train()
                if not self._pass_done:
                    self._pass(loader)
                self._end_epoch(None if validation is None else self.evaluate(validation))
        return self.losses

    def _pass(self, loader: Any) -> None:
        """Make a step on each batch of the loader. A step that is broken off gives its batch back."""
        if not (keeps_place := hasattr(loader, "state_dict") and hasattr(loader, "load_state_dict")):
            self._epoch_start = len(self.losses)
        batches, end, place = iter(loader), object(), None
        with HeldInterrupts() as held:
            try:
                while not self._pass_done:
                    place = loader.state_dict() if keeps_place else None
                    batch = next(batches, end)
                    held.hold()
                    if batch is end:
                        self._pass_done = True
                    else:
                        self._count(self.train_step(batch))
                    place = None
                    if self.watch or self._pass_done or len(self._waiting) == 20:
                        self._fetch()
                    held.release()
            except BaseException:
                if place is not None:
                    loader.load_state_dict(place)
                raise

    def _count(self, loss: Tensor) -> None:
        """Note that a step is done."""
        self._waiting.append(loss)
        self.step += 1
        if self.scheduler is not None and self.scheduled == "step":
            self.scheduler.step()

    def train_step(self, batch: Any) -> Tensor:
        """Make one step on a batch: gradients, checks, update; returns the loss. Raises TrainingError (see `watch`)."""
        batch = self._moved(batch)
        self.optimizer.zero_grad()
        loss = self.loss_of(batch)
        if self.watch and not math.isfinite(loss.item()):
            find_nan(self.model, lambda: self.loss_of(batch), f"step {self.step + 1}: the loss is {loss.item()}")
        scaler = self.scaler
        (loss if scaler is None else scaler.scale(loss)).backward()
        if scaler is not None and self.clip is not None:
            scaler.unscale_(self.optimizer)
        if self.watch and scaler is None:  # a scaler expects gradients to overflow now and then
            norms = check_gradients(self.model, f"step {self.step + 1}")
            if self._writer is not None:
                self._writer.add_scalar("gradient norm", math.hypot(*norms.values()), self.step + 1)
        if self.clip is not None:
            clip_grad_norm_(self.model.parameters(), self.clip)
        if scaler is None:
            self.optimizer.step()
        else:
            scaler.step(self.optimizer)
            scaler.update()
        return loss.detach()

    def evaluate(self, loader: Iterable[Any]) -> float:
        """Return the mean loss of the batches, each weighted by its samples, in evaluation mode."""
        total, count = 0.0, 0
        with evaluating(self.model), no_grad():
            for batch in loader:
                batch = self._moved(batch)
                size = len(batch[0]) if isinstance(batch, (tuple, list)) else len(batch)
                total, count = total + self.loss_of(batch).item() * size, count + size
        return total / max(1, count)

    def overfit(self, batch: Any, steps: int = 100, to: float = 0.1) -> list[float]:
        """Check that the network can learn one batch by heart; returns the losses. Afterwards everything is as it was.

        Raises TrainingError if the loss does not fall to the fraction `to` of the first: then something is wrong with
        the loss, the learning rate or the path of the gradients, and more data will not help.
        """
        parts = [p for p in (self.model, self.optimizer, self.scaler) if p is not None]
        before = [copy.deepcopy(part.state_dict()) for part in parts]
        try:
            losses = [self.train_step(batch).item() for _ in range(steps)]
            still = [name for name, norm in self._norms().items() if norm == 0]
        finally:
            self.optimizer.zero_grad()
            for part, state in zip(parts, before, strict=True):
                part.load_state_dict(state)
        if not losses[-1] <= to * losses[0]:
            hint = f"; no gradient reaches {', '.join(still)}" if still else ""
            raise TrainingError(
                f"after {steps} steps on one batch the loss is {losses[-1]:.4g}, at first it was {losses[0]:.4g}{hint}"
            )
        return losses

    # Checks

    def _norms(self) -> dict[str, float]:
        """Return the norms of all parameters' gradients; 0 for those without one."""
        trained = [name for name, p in self.model.named_parameters() if p.requires_grad]
        return dict.fromkeys(trained, 0.0) | gradient_norms(self.model)

    # Around the steps

    def _moved(self, batch: Any) -> Any:
        return batch if self.device is None else on_tensors(lambda tensor: tensor.to(device=self.device), batch)

    def _open_bar(self, loader: Any, epochs: int) -> Any:
        if not self.progress:
            return nullcontext()
        total = epochs * operator.length_hint(loader) or None
        return need("tqdm.auto", "the progress bar", "demo").tqdm(total=total, initial=self.step, unit="step")

    @contextmanager
    def _open_log(self) -> Iterator[None]:
        # A thread of the writer's own writes; only closing waits for it. A file for each `fit`, named by its first
        # step: TensorBoard shows the files of a folder as one.
        if self._new_writer is None:
            yield
            return
        with self._new_writer(filename_suffix=f".{self.step}") as self._writer:
            try:
                yield
            finally:
                self._writer = None

    def _fetch(self) -> None:
        """Bring the losses that are still on the device to the host."""
        bar = self._bar
        if not self._waiting:
            return
        stacked = self._waiting[0].device.xp.stack([loss._array.reshape(()) for loss in self._waiting])
        values = self._waiting[0].device.to_host(stacked).tolist()
        self._waiting.clear()
        self.losses += values
        if bar is not None:
            bar.update(len(values))
            bar.set_postfix(epoch=self.epoch + 1, loss=f"{values[-1]:.4f}", refresh=False)
        if self._writer is not None:
            for step, value in enumerate(values, self.step - len(values) + 1):
                self._writer.add_scalar("loss", value, step)

    def _end_epoch(self, validation: float | None) -> None:
        losses = self.losses[self._epoch_start :]
        with HeldInterrupts(holding=True):
            if validation is not None:
                self.validation.append(validation)
            if self.scheduler is not None and self.scheduled == "epoch":
                asks = "metrics" in inspect.signature(self.scheduler.step).parameters
                mean = self.validation[-1] if self.validation else sum(losses) / max(1, len(losses))
                self.scheduler.step(*([mean] if asks else []))
            self.epoch, self._epoch_start, self._pass_done = self.epoch + 1, len(self.losses), False
        if self._writer is not None:
            self._log_epoch(self._writer)
        if self.checkpoint is not None:
            self.save(self.checkpoint)

    def _log_epoch(self, writer: Any) -> None:
        if self.validation:
            writer.add_scalar("validation loss", self.validation[-1], self.step)
        writer.add_scalar("learning rate", self.optimizer.param_groups[0]["lr"], self.step)
        for name, parameter in self.model.named_parameters():
            values = parameter.detach().cpu().numpy()
            writer.add_histogram(name, values.astype("float32").reshape(-1), self.step)
        writer.flush()

    def draw(self, path: str | os.PathLike) -> None:
        """Write the curves of the losses as a picture."""
        from ..viz import curves

        named = {"training loss": self.losses, "validation loss": self.validation}
        curves({n: v for n, v in named.items() if v}, path, per_epoch=len(self.losses) / max(1, self.epoch))

    # State

    def save(self, path: str | os.PathLike, **extra: Any) -> None:
        """Save the training run (`io.save_training`), with the place in the loader of `fit`."""
        self._fetch()
        loader = self._loader if hasattr(self._loader, "state_dict") else None
        save_training(path, self.model, self.optimizer, self.scheduler, self.scaler, loader, trainer=self, **extra)

    def load(self, path: str | os.PathLike, loader: Any = None) -> dict[str, Any]:
        """Go back to the run that `save` wrote, `loader` to its place in the data; returns the extra values."""
        return load_training(path, self.model, self.optimizer, self.scheduler, self.scaler, loader, trainer=self)

    def state_dict(self) -> dict[str, Any]:
        """Return the progress so far; the losses are arrays, of which a file can hold any number."""
        self._fetch()
        losses = {name: np.array(getattr(self, name), np.float64) for name in ("losses", "validation")}
        under_way = {"epoch_start": self._epoch_start, "pass_done": self._pass_done}
        return {"epoch": self.epoch, "step": self.step, **losses, **under_way}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go back to the progress that `state_dict` returned. Raises StateDictError for anything else; then nothing has
        changed.
        """
        try:
            losses, validation = (np.asarray(state_dict[name], np.float64) for name in ("losses", "validation"))
            given = {"epoch_start": losses.size, "pass_done": False, **state_dict}  # files of earlier versions
            counts = [operator.index(given[name]) for name in ("epoch", "step", "epoch_start", "pass_done")]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise StateDictError(f"Trainer: not the state of a training ({type(error).__name__}: {error})") from None
        if min(counts) < 0 or losses.ndim != 1 or validation.ndim != 1:
            raise StateDictError(f"Trainer: expected counts and lists of losses, got {counts} and shape {losses.shape}")
        self._waiting.clear()
        self.epoch, self.step, self._epoch_start, self._pass_done = *counts[:3], bool(counts[3])
        self.losses, self.validation = losses.tolist(), validation.tolist()
