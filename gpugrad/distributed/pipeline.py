"""GPipe: each rank has some of the layers, and the batch goes through them in pieces.

Y. Huang et al. 2019, "GPipe: efficient training of giant neural networks using pipeline parallelism", section 2.2: all
pieces go forward, then all go backward, so that a rank waits for (ranks - 1) / (pieces + ranks - 1) of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.tensor import Tensor, wrap
from ..backend.devices import device as find_device
from ..backend.dtypes import as_dtype
from ..errors import OptionError, ShapeError
from ..models.gpt import GPT
from ..nn import Module, ModuleList
from ..ops.join import array_split, stack
from .group import ProcessGroup, of
from .transport import Work

_DTYPES = ("float32", "float64", "float16", "bfloat16", "bool", "uint8", "int8", "int16", "int32", "int64")
_AXES = 8


class ScheduleGPipe:
    """Runs training steps of a network whose layers are divided among the ranks of a group.

    stage: this rank's layers, a module from one Tensor to one. loss_fn: of (output, target), on the last rank. A batch
    is cut into `n_microbatches` pieces, whose losses are averaged; with a loss that is a mean over the batch, and
    pieces of one size, the gradients are those of the whole batch. Parameters that two ranks share are not kept alike.

    >>> schedule = gg.distributed.ScheduleGPipe(nn.Linear(2, 1), 2, F.mse_loss)
    >>> loss = schedule.step(gg.ones(4, 2), gg.ones(4, 1))
    >>> loss.shape
    ()
    """

    def __init__(
        self,
        stage: Module,
        n_microbatches: int,
        loss_fn: Callable[[Any, Any], Tensor] | None = None,
        process_group: ProcessGroup | None = None,
        device: Any = None,
    ):
        if not isinstance(n_microbatches, int) or n_microbatches < 1:
            raise OptionError(f"ScheduleGPipe: n_microbatches must be a positive int, got {n_microbatches!r}")
        self.stage, self.count, self.loss_fn = stage, n_microbatches, loss_fn
        self.group, self.device = of(process_group), find_device(device)
        self.first, self.last = self.group.rank == 0, self.group.rank == self.group.size - 1
        if self.last and loss_fn is None:
            raise OptionError("ScheduleGPipe: the last rank needs a loss_fn")
        self._sending: list[Work] = []

    def step(self, input: Any = None, target: Any = None) -> Tensor | None:
        """Add the gradients of one batch to those of the stage's parameters; return the mean loss on the last rank.

        input: the batch, which the first rank uses. target: what the last rank compares with; both may be given on all
        ranks. Raises ShapeError for a batch of fewer samples than pieces, OptionError for one that is missing.
        """
        inputs = self._pieces("input", input, self.first)
        targets = self._pieces("target", target, self.last)
        given, made = [], []
        for i in range(self.count):
            piece = inputs[i] if self.first else self._receive(self.group.rank - 1).requires_grad_()
            given.append(piece)
            out = self.stage(piece)
            if self.last:
                assert self.loss_fn is not None
                out = self.loss_fn(out, targets[i]) / self.count
            else:
                self._send(out, self.group.rank + 1)
            made.append(out)
        for piece, out in zip(given, made, strict=True):
            out.backward(None if self.last else self._receive(self.group.rank + 1))
            if not self.first:
                assert piece.grad is not None
                self._send(piece.grad, self.group.rank - 1)
        for work in self._sending:
            work.wait()
        self._sending.clear()
        return stack([loss.detach() for loss in made]).sum() if self.last else None

    def _pieces(self, name: str, batch: Any, needed: bool) -> list[Tensor]:
        if not needed:
            return []
        if batch is None:
            raise OptionError(f"ScheduleGPipe.step: rank {self.group.ranks[self.group.rank]} needs the {name}")
        batch = asarray(batch)
        if not batch.ndim or batch.shape[0] < self.count:
            raise ShapeError(f"ScheduleGPipe.step: {self.count} pieces cannot be cut from {name} {batch.shape}")
        return list(array_split(batch, self.count))

    def _send(self, tensor: Tensor, target: int) -> None:
        """Start to send a tensor's shape, dtype and values to rank `target` of the group."""
        array = tensor.detach()._array
        if array.ndim > _AXES:
            raise ShapeError(f"ScheduleGPipe: at most {_AXES} axes go from rank to rank, got shape {array.shape}")
        about = np.zeros(_AXES + 2, np.int64)
        about[: array.ndim + 2] = (_DTYPES.index(array.dtype.name), array.ndim, *array.shape)
        for values in (about, array):
            transport = self.group.begin_pair(f"the pipeline's send to rank {target}", values)
            self._sending.append(transport.send(values, target, 0))

    def _receive(self, source: int) -> Tensor:
        """Return the next tensor from rank `source` of the group: an activation, or the gradient of one."""
        about = np.zeros(_AXES + 2, np.int64)
        self.group.begin_pair("the pipeline's receive", about).receive(about, source, 0).wait()
        array = self.device.xp.empty(tuple(about[2 : 2 + about[1]].tolist()), as_dtype(_DTYPES[about[0]]))
        self.group.begin_pair("the pipeline's receive", array).receive(array, source, 0).wait()
        return wrap(array, self.device, None)


class GPTStage(Module):
    """Is one of `count` parts of a GPT: some blocks, before the first the embeddings, after the last the output layer.

    The parameters are those of `model`, under its names. Raises OptionError for more parts than blocks and for a model
    whose output layer is the token embedding: they would be on two ranks.

    >>> model = gg.models.GPT(11, n_positions=4, n_embd=6, n_layer=2, n_head=2, tie_weights=False)
    >>> gg.distributed.GPTStage(model, 0, 2)(gg.zeros(1, 3, dtype="int64")).shape
    (1, 3, 6)
    """

    def __init__(self, model: GPT, index: int, count: int):
        super().__init__()
        blocks = list(model.transformer.h)
        if not 0 <= index < count <= len(blocks):
            raise OptionError(f"GPTStage: part {index} of {count} of a model with {len(blocks)} blocks")
        if count > 1 and model.lm_head.weight is model.transformer.wte.weight:
            raise OptionError("GPTStage: the model's output layer is its embedding; build it with tie_weights=False")
        first, last = len(blocks) * index // count, len(blocks) * (index + 1) // count
        self.blocks = ModuleList(blocks[first:last])
        self.wte, self.wpe = (model.transformer.wte, model.transformer.wpe) if index == 0 else (None, None)
        self.ln_f, self.lm_head = (model.transformer.ln_f, model.lm_head) if index == count - 1 else (None, None)

    def forward(self, input: Tensor) -> Tensor:
        if self.wte is not None and self.wpe is not None:
            input = self.wte(input) + self.wpe.weight[: input.shape[1]]
        for block in self.blocks:
            input = block(input)
        if self.ln_f is not None and self.lm_head is not None:
            input = self.lm_head(self.ln_f(input))
        return input
