"""Batches of sequences of different lengths: padded to one length, or packed step by step for recurrent layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from ...autograd.convert import asarray
from ...autograd.tensor import Tensor
from ...errors import OptionError, ShapeError
from ...ops.elementwise import where
from ...ops.join import concatenate

__all__ = [
    "PackedSequence", "invert_permutation", "pack_padded_sequence", "pad_packed_sequence", "pad_sequence",
    "unpad_sequence", "pack_sequence", "unpack_sequence",
]  # fmt: skip


class PackedSequence(NamedTuple):
    """Holds sequences step by step: all first elements, then all second ones, and so on, the longest sequence first.

    data is (S, ...). batch_sizes (T,), on the CPU, says how many sequences run at each step. sorted_indices and
    unsorted_indices (N,) are the order that the sequences were brought into and the way back, or None.
    """

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None = None
    unsorted_indices: Tensor | None = None

    @property
    def is_cuda(self) -> bool:
        """Return whether the data is in a GPU's memory."""
        return self.data.device.type == "cuda"

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Return the sequence on another device or of another dtype, with the arguments of Tensor.to."""
        data = self.data.to(*args, **kwargs)
        moved = [None if i is None else i.to(device=data.device) for i in (self.sorted_indices, self.unsorted_indices)]
        return type(self)(data, self.batch_sizes, *moved)

    def cpu(self) -> Self:
        """Return the sequence in the host's memory."""
        return self.to("cpu")

    def cuda(self) -> Self:
        """Return the sequence in a GPU's memory."""
        return self.to("cuda")

    def float(self) -> Self:
        """Return the sequence in float32."""
        return self.to(np.float32)

    def double(self) -> Self:
        """Return the sequence in float64."""
        return self.to(np.float64)


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """Return the permutation that undoes another one; None for None.

    >>> nn.utils.rnn.invert_permutation(gg.tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    return None if permutation is None else permutation.argsort()


def _checked_lengths(lengths: Any, count: int) -> np.ndarray:
    """Return lengths as NumPy integers. Raises ShapeError unless they are positive and one for each sequence."""
    found = np.asarray(lengths.cpu().numpy() if isinstance(lengths, Tensor) else lengths).astype(np.int64)
    if found.shape != (count,):
        raise ShapeError(f"expected {count} lengths, one for each sequence, got shape {found.shape}")
    if found.size and found.min() <= 0:
        raise ShapeError(f"every sequence needs at least one element, got lengths {found.tolist()}")
    return found


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack (T, N, ...), or (N, T, ...) with batch_first, of which `lengths` (N,) elements count.

    With enforce_sorted the sequences come longest first; otherwise they are sorted. Raises ShapeError for lengths that
    do not fit, or are not sorted though they should be.

    >>> packed = nn.utils.rnn.pack_padded_sequence(gg.tensor([[1, 2], [3, 0]]), [2, 1])
    >>> packed.data, packed.batch_sizes
    (tensor([1, 2, 3]), tensor([2, 1]))
    """
    padded = input.swapaxes(0, 1) if batch_first else input
    counts = _checked_lengths(lengths, padded.shape[1])
    if counts.size == 0 or counts.max() > padded.shape[0]:
        raise ShapeError(f"pack_padded_sequence: lengths {counts.tolist()} do not fit the input {input.shape}")
    order = np.argsort(-counts, kind="stable")
    if enforce_sorted and (counts[1:] > counts[:-1]).any():
        raise ShapeError(
            f"pack_padded_sequence: lengths {counts.tolist()} are not in decreasing order; enforce_sorted=False sorts"
        )
    runs = np.arange(counts.max())[:, None] < counts[order]  # (T, N)
    step, place = np.nonzero(runs)
    rows = asarray(step * padded.shape[1] + order[place], device=input.device)
    data = padded.reshape((padded.shape[0] * padded.shape[1], *padded.shape[2:]))[rows]
    sizes = asarray(runs.sum(axis=1), device="cpu")
    if enforce_sorted:
        return PackedSequence(data, sizes)
    back = np.argsort(order, kind="stable")
    return PackedSequence(data, sizes, *(asarray(i, device=input.device) for i in (order, back)))


def _gather_rows(data: Tensor, rows: np.ndarray, inside: np.ndarray, value: float) -> Tensor:
    """Return data[rows] where `inside` is True, and `value` elsewhere."""
    found = data[asarray(np.where(inside, rows, 0), device=data.device)]
    if inside.all():
        return found
    mask = asarray(inside.reshape(inside.shape + (1,) * (data.ndim - 1)), device=data.device)
    return where(mask, found, asarray(value, dtype=data.dtype, device=data.device))


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """Return the padded (T, N, ...), or (N, T, ...) with batch_first, and the lengths (N,) on the CPU.

    total_length is T, if that shall be more than the longest length. Raises ShapeError if it is less.

    >>> packed = nn.utils.rnn.pack_sequence([gg.tensor([1, 2, 3]), gg.tensor([4])])
    >>> nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
    (tensor([[1, 2, 3],
            [4, 0, 0]]), tensor([3, 1]))
    """
    sizes = np.array(sequence.batch_sizes.tolist(), np.int64)
    length = len(sizes) if total_length is None else total_length
    if length < len(sizes):
        raise ShapeError(f"pad_packed_sequence: total_length {length} is less than the longest sequence, {len(sizes)}")
    sizes = np.concatenate([sizes, np.zeros(length - len(sizes), np.int64)])
    places = np.arange(sizes[0])
    rows, inside = (np.cumsum(sizes) - sizes)[:, None] + places, places < sizes[:, None]
    padded, lengths = (
        _gather_rows(sequence.data, rows, inside, padding_value),
        asarray(inside.sum(axis=0), device="cpu"),
    )
    if sequence.unsorted_indices is not None:
        padded, lengths = padded[:, sequence.unsorted_indices], lengths[sequence.unsorted_indices.cpu()]
    return padded.swapaxes(0, 1) if batch_first else padded, lengths


def pad_sequence(
    sequences: Sequence[Tensor], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Return sequences (T_i, ...) as one (T, N, ...), or (N, T, ...) with batch_first, with padding_value at one side.

    >>> nn.utils.rnn.pad_sequence([gg.tensor([1, 2, 3]), gg.tensor([4])], batch_first=True)
    tensor([[1, 2, 3],
            [4, 0, 0]])
    """
    if padding_side not in ("left", "right"):
        raise OptionError(f"pad_sequence: padding_side must be 'left' or 'right', got {padding_side!r}")
    sequences = list(sequences)
    lengths = np.array([len(s) for s in sequences], np.int64)
    if len({s.shape[1:] for s in sequences}) != 1:
        raise ShapeError(f"pad_sequence: sequences must differ in length only, got {[s.shape for s in sequences]}")
    if not lengths.any():
        return sequences[0].reshape((0, 1, *sequences[0].shape[1:]))[:, [0] * len(sequences)]
    step = np.arange(lengths.max())[:, None] - (lengths.max() - lengths if padding_side == "left" else 0)
    inside = (0 <= step) & (step < lengths)
    padded = _gather_rows(concatenate(sequences), step + np.cumsum(lengths) - lengths, inside, padding_value)
    return padded.swapaxes(0, 1) if batch_first else padded


def unpad_sequence(padded_sequences: Tensor, lengths: Any, batch_first: bool = False) -> list[Tensor]:
    """Return the sequences (T_i, ...) that `pad_sequence` padded at the right.

    >>> nn.utils.rnn.unpad_sequence(gg.tensor([[1, 2, 3], [4, 0, 0]]), [3, 1], batch_first=True)
    [tensor([1, 2, 3]), tensor([4])]
    """
    rows = padded_sequences if batch_first else padded_sequences.swapaxes(0, 1)
    return [row[:n] for row, n in zip(rows, lengths.tolist() if hasattr(lengths, "tolist") else lengths, strict=True)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences (T_i, ...) of different lengths.

    >>> nn.utils.rnn.pack_sequence([gg.tensor([1, 2, 3]), gg.tensor([4])]).data
    tensor([1, 4, 2, 3])
    """
    return pack_padded_sequence(pad_sequence(sequences), [len(s) for s in sequences], enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Return the sequences (T_i, ...) that `pack_sequence` packed.

    >>> nn.utils.rnn.unpack_sequence(nn.utils.rnn.pack_sequence([gg.tensor([1, 2]), gg.tensor([4])]))
    [tensor([1, 2]), tensor([4])]
    """
    return unpad_sequence(*pad_packed_sequence(packed_sequences))
