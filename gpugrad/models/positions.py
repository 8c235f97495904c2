"""Defines encodings of positions, which tell a set of vectors their order."""

import math

import numpy as np

from ..autograd.convert import asarray
from ..autograd.tensor import Tensor
from ..errors import OptionError, ShapeError
from ..nn import Embedding, Linear, Module
from ..ops.creation import arange
from ..ops.join import concatenate


def sinusoidal_positions(length: int, width: int) -> Tensor:
    """Return the vectors of positions 0 to length - 1: (length, width), float32.

    p(t)_{2k} = sin(w_k t), p(t)_{2k+1} = cos(w_k t), with w_k = 1 / 10000^(2k / width) (Vaswani et al. 2017, section
    3.5). Raises ShapeError for an odd width.

    >>> gg.models.sinusoidal_positions(2, 4).round(decimals=2).tolist()[0]
    [0.0, 1.0, 0.0, 1.0]
    """
    if width % 2:
        raise ShapeError(f"sinusoidal_positions: width must be even, got {width}")
    angles = np.arange(length)[:, None] / 10000.0 ** (np.arange(0, width, 2) / width)
    return asarray(np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(length, width).astype(np.float32))


class PositionalEncoding(Module):
    """Tells vectors (N, T, width) their positions; returns (N, T, width).

    - kind "sinusoidal": the function above, for any length; "learned": a table of `positions` vectors; "time": the
      number t / positions itself, appended as one more feature.
    - combine "add", or "concatenate", after which a linear layer brings the features back to `width`. "time" is always
      concatenated.

    Raises OptionError for another kind or combination, ShapeError for more vectors than a learned table has positions.

    >>> encode = gg.models.PositionalEncoding(8, kind="learned", positions=16)
    >>> encode(gg.zeros(2, 5, 8)).shape
    (2, 5, 8)
    """

    def __init__(self, width: int, kind: str = "sinusoidal", combine: str = "add", positions: int = 512):
        super().__init__()
        if kind not in ("sinusoidal", "learned", "time"):
            raise OptionError(f"PositionalEncoding: kind must be sinusoidal, learned or time, got {kind!r}")
        if combine not in ("add", "concatenate"):
            raise OptionError(f"PositionalEncoding: combine must be add or concatenate, got {combine!r}")
        self.kind, self.positions, self.width = kind, positions, width
        self.table = Embedding(positions, width) if kind == "learned" else None
        features = 1 if kind == "time" else width
        together = kind == "time" or combine == "concatenate"
        self.joined = Linear(width + features, width) if together else None

    def forward(self, input: Tensor) -> Tensor:
        count, length = input.shape[:2]
        encoded = self.encoding(length, input)
        if self.joined is None:
            return input + encoded
        return self.joined(concatenate([input, encoded.broadcast_to((count, *encoded.shape))], axis=2))

    def encoding(self, length: int, like: Tensor) -> Tensor:
        """Return the vectors of the first `length` positions, (length, features), on the device and of the dtype of
        `like`.
        """
        if self.table is not None:
            if length > self.positions:
                raise ShapeError(
                    f"PositionalEncoding: the table has {self.positions} positions, the sequence {length} vectors"
                )
            return self.table.weight[:length]
        if self.kind == "time":
            found = arange(length, dtype="float32").reshape(-1, 1) / self.positions
        else:
            found = sinusoidal_positions(length, self.width)
        return found.to(device=like.device, dtype=like.dtype)


def rotate_positions(x: Tensor, start: int = 0, base: float = 10000.0) -> Tensor:
    """Turn pairs of features of queries or keys (..., T, D) by angles that grow with the position: the same shape.

    Feature pairs (i, i + D/2) of position t are turned by t / base^(2i / D), so that the product of a query and a key
    depends on their distance only (Su et al. 2021, "RoFormer", section 3.2). start: the position of the first vector.
    Raises ShapeError for an odd D.

    >>> gg.models.rotate_positions(gg.ones(2, 2)).round(decimals=2)
    tensor([[ 1.  ,  1.  ],
            [-0.3 ,  1.38]])
    """
    length, width = x.shape[-2:]
    if width % 2:
        raise ShapeError(f"rotate_positions: the width must be even, got {width}")
    angles = (start + np.arange(length))[:, None] / base ** (np.arange(0, width, 2) / width)
    turned = [asarray(f(angles).astype(np.float32)).to(device=x.device, dtype=x.dtype) for f in (np.cos, np.sin)]
    first, second = x[..., : width // 2], x[..., width // 2 :]
    cosine, sine = turned
    return concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)


def scaled_embedding(table: Embedding, tokens: Tensor) -> Tensor:
    """Return tokens' vectors times sqrt(width), as the transformer takes them (Vaswani et al. 2017, section 3.4).

    >>> gg.models.scaled_embedding(gg.nn.Embedding(3, 4), gg.tensor([1])).shape
    (1, 4)
    """
    return table(tokens) * math.sqrt(table.embedding_dim)
