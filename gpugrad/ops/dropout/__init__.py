"""Dropout: by a mask that was drawn before, or by a counter-based random generator, which needs none."""

import math

from ...autograd.op import Fixed, op, xp
from ...backend.philox import words

__all__ = []  # ops that nn.functional calls


@op(
    samples=lambda s: [s.case(s(3, 4), s.bools(3, 4), scale=2.0), s.case(s(2, 3, 4), s.bools(2, 3, 1), scale=1.25)],
    complex=True,
)
def apply_mask(x, mask: Fixed, *, scale):
    """Return x * mask * scale, with the mask (bool) broadcast to x: dropout with a mask that was drawn before.

    >>> from gpugrad.ops.dropout import apply_mask
    >>> apply_mask(gg.tensor([1.0, 2.0, 3.0]), gg.tensor([True, False, True]), scale=2.0)
    tensor([2., 0., 6.])
    """
    return x * (mask * x.dtype.type(scale))


apply_mask.vjp(x=lambda g, mask, scale: g * (mask * g.dtype.type(scale)))


def drop_limit(p: float) -> int:
    """Return the number that the upper 24 bits of a random word must reach for an element to be kept: 2**24 p, rounded
    up.
    """
    return math.ceil(p * 2**24)


def drop_scale(p: float) -> float:
    """Return the factor for the elements that are kept, so that the mean stays: 1 / (1 - p)."""
    return 0.0 if p == 1 else 1 / (1 - p)


@op(
    samples=lambda s: [
        s.case(s(3, 5), p=0.5, seed=1), s.case(s(2, 3, 4), p=0.25, seed=2**62 + 3, share=4), s.case(s(), p=0.1, seed=0),
        s.case(s(0, 3), p=0.5, seed=1), s.case(s(4, 3).T, p=0.5, seed=5), s.case(s(3, 4), p=1.0, seed=1),
        s.case(s(70, 33), p=0.9, seed=7, smooth=False),
    ],
    bench=lambda s: (s.case(s(n, 1024), p=0.1, seed=1) for n in (1024, 64, 32768)),
)  # fmt: skip
def seeded_dropout(x, *, p, seed, share=1):
    """Return x with each element 0 with probability p, else divided by 1 - p: dropout (Srivastava et al. 2014).

    The decision on an element depends only on the seed (an int below 2**64) and the element's number i in C order,
    through the generator Philox4x32-10. So it is the same on every device, and nothing is kept for the gradient.
    `share` neighbouring elements have one decision, that of number i // share.

    >>> from gpugrad.ops.dropout import seeded_dropout
    >>> seeded_dropout(gg.tensor([1.0, 2.0, 3.0, 4.0]), p=0.5, seed=0)
    tensor([0., 4., 6., 8.])
    """
    ns = xp(x)
    keep = (words(ns, -(-x.size // share), seed) >> 8) >= drop_limit(p)
    mask = ns.repeat(keep, share)[: x.size].reshape(x.shape)
    return x * (mask * x.dtype.type(drop_scale(p)))


seeded_dropout.vjp(x=lambda g, p, seed, share: xp(g).seeded_dropout(g, p=p, seed=seed, share=share))
