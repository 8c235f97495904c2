"""Adaptive softmax: a last layer with its loss, for very many classes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..autograd.op import OPS
from ..autograd.tensor import Tensor, wrap
from ..errors import OptionError, OutOfRangeError, ShapeError
from . import functional as F
from .container import ModuleList, Sequential
from .linear import Linear
from .module import Module


class ASMoutput(NamedTuple):
    """Holds what AdaptiveLogSoftmaxWithLoss returns: the targets' log-probabilities (N,), and minus their mean."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """Computes the softmax over classes sorted by frequency, with the rare ones in clusters that have fewer features.

    `cutoffs` says where the clusters begin; classes before the first one are in the head, which also has one class for
    each cluster. Cluster i has in_features // div_value**(i + 1) features. The input is (N, in_features) and the target
    (N,), or both come without N. The host finds out which rows a cluster needs, so a GPU is waited for. See E. Grave et
    al. 2017, section 4.

    >>> layer = nn.AdaptiveLogSoftmaxWithLoss(8, 20, cutoffs=[4, 10])
    >>> output, loss = layer(gg.ones((3, 8)), gg.tensor([0, 5, 19]))
    >>> output.shape, loss.shape, layer.log_prob(gg.ones((3, 8))).shape
    ((3,), (), (3, 20))
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        cutoffs = list(cutoffs)
        if not cutoffs or cutoffs != sorted(set(cutoffs)) or cutoffs[0] < 1 or cutoffs[-1] >= n_classes:
            raise OptionError(
                f"AdaptiveLogSoftmaxWithLoss: cutoffs must rise and be from 1 to {n_classes - 1}, got {cutoffs}"
            )
        self.in_features, self.n_classes, self.cutoffs = in_features, n_classes, [*cutoffs, n_classes]
        self.div_value, self.head_bias = div_value, head_bias
        self.shortlist_size, self.n_clusters = cutoffs[0], len(cutoffs)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, head_bias, device, dtype)
        self.tail = ModuleList()
        for i, (low, high) in enumerate(self._clusters()):
            width = int(in_features // div_value ** (i + 1))
            first = Linear(in_features, width, False, device, dtype)
            self.tail.append(Sequential(first, Linear(width, high - low, False, device, dtype)))

    def _clusters(self) -> list[tuple[int, int]]:
        return list(zip(self.cutoffs[:-1], self.cutoffs[1:], strict=True))

    def reset_parameters(self) -> None:
        """Draw new start values for all layers."""
        for layer in self.modules():
            if isinstance(layer, Linear):
                layer.reset_parameters()

    def forward(self, input: Tensor, target: Tensor) -> ASMoutput:
        if input.ndim not in (1, 2) or target.shape != input.shape[:-1]:
            raise ShapeError(
                f"AdaptiveLogSoftmaxWithLoss: expected input (N, {self.in_features}) and target (N,), or without N, "
                f"got {input.shape} and {target.shape}"
            )
        rows, classes = input.reshape((-1, input.shape[-1])), target.reshape((-1,))
        labels, xp = classes._array, rows.device.xp
        if labels.size and not (0 <= int(labels.min()) and int(labels.max()) < self.n_classes):
            raise OutOfRangeError(
                f"AdaptiveLogSoftmaxWithLoss: targets from {int(labels.min())} to {int(labels.max())} among "
                f"{self.n_classes} classes"
            )
        in_head, found = labels, []
        for i, (low, high) in enumerate(self._clusters()):
            inside = (labels >= low) & (labels < high)
            in_head = xp.where(inside, self.shortlist_size + i, in_head)
            which = wrap(xp.flatnonzero(inside), rows.device, None)
            if which.shape[0]:
                hidden = self.tail[i](OPS["take"](rows, which, axis=0))
                local = _log_probability_of(hidden, OPS["take"](classes, which, axis=0) - low)
                found.append(OPS["put_add"](local, index=(which._array,), shape=labels.shape))
        output = sum(found, _log_probability_of(self.head(rows), wrap(in_head, rows.device, None)))
        return ASMoutput(output if input.ndim == 2 else output.squeeze(0), -output.mean())

    def log_prob(self, input: Tensor) -> Tensor:
        """Return the log-probabilities of all classes: (N, in_features) gives (N, n_classes)."""
        head = F.log_softmax(self.head(input), dim=1)
        parts = [head[:, : self.shortlist_size]]
        for i, layers in enumerate(self.tail):
            at = self.shortlist_size + i
            parts.append(F.log_softmax(layers(input), dim=1) + head[:, at : at + 1])
        return OPS["concatenate"](parts, axis=1)

    def predict(self, input: Tensor) -> Tensor:
        """Return the most probable class of each row: (N, in_features) gives (N,)."""
        return self.log_prob(input).argmax(axis=1)


def _log_probability_of(logits: Tensor, classes: Tensor) -> Tensor:
    """Return log softmax(logits)[class] of each row."""
    return OPS["take_along_axis"](F.log_softmax(logits, dim=1), classes.reshape((-1, 1)), axis=1).squeeze(1)
