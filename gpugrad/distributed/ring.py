"""Ring attention: sequences that are longer than one device holds.

Each rank has a part of the queries, keys and values. The keys and values go around the ring of ranks; each rank adds up
what its queries see of them as flash attention does, by the largest score so far, the sum of exponentials and the
weighted sum of values. H. Liu et al. 2023, "Ring attention with blockwise transformers for near-infinite context",
section 3.
"""

from __future__ import annotations

import math
from typing import Any

from ..autograd.convert import asarray
from ..autograd.tensor import Tensor
from ..errors import ShapeError
from ..ops.creation import ones
from ..ops.elementwise import maximum, where
from ..ops.join import stack
from .functional import shift
from .group import ProcessGroup, of


def ring_attention(
    q: Any,
    k: Any,
    v: Any,
    *,
    causal: bool = False,
    scale: float | None = None,
    process_group: ProcessGroup | None = None,
) -> Tensor:
    """Return softmax(q k^T * scale) v for this rank's queries and the keys and values of all ranks.

    q, k and v are (B, H, T / size, D): rank r has the positions from r * T / size on. causal: a query sees the keys up
    to its own position. scale: 1 / sqrt(D) by default. Raises ShapeError for other shapes. Gradients go around the ring
    the other way.

    >>> q = gg.ones((1, 1, 2, 1))
    >>> gg.distributed.ring_attention(q, q, gg.tensor([[[[2.0], [4.0]]]]), causal=True)
    tensor([[[[2.],
              [3.]]]])
    """
    q, k, v, group = asarray(q), asarray(k), asarray(v), of(process_group)
    if q.ndim != 4 or not q.shape == k.shape == v.shape:
        raise ShapeError(
            f"ring_attention: q, k and v must all be (B, H, T / size, D), got {q.shape}, {k.shape}, {v.shape}"
        )
    q = q * (1 / math.sqrt(q.shape[3]) if scale is None else scale)
    pair = stack([k, v])
    own = ones(q.shape[2], q.shape[2], dtype="bool", device=q.device).tril()
    most: Any = None
    total: Any = None
    mixed: Any = None
    for step in range(group.size):
        if step:
            pair = shift(pair, group=group)
        source = (group.rank - step) % group.size
        k, v = pair[0], pair[1]
        if causal and source > group.rank:
            # Nothing of it is seen. It stays in the graph: in backward, all ranks must take part in the same shifts.
            mixed = mixed + (pair * 0).sum()
            continue
        scores = q @ k.transpose(2, 3)
        if causal and source == group.rank:
            scores = where(own, scores, -math.inf)
        top = scores.detach().max(axis=-1, keepdims=True)
        if step == 0:
            weights = (scores - top).exp()
            most, total, mixed = top, weights.sum(axis=-1, keepdims=True), weights @ v
            continue
        new = maximum(most, top)
        weights, shrink = (scores - new).exp(), (most - new).exp()
        total = total * shrink + weights.sum(axis=-1, keepdims=True)
        mixed = mixed * shrink + weights @ v
        most = new
    return mixed / total
