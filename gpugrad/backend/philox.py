"""Philox4x32-10 on arrays: random words that are a function of a number (the counter) and a key.

The words are those of kernels/common.cuh on every device, so any device can draw again what a kernel drew.

Source: Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3".
"""

from typing import Any

import numpy as np

from .namespace import xp

_MASK = 0xFFFFFFFF
_BLOCK = 1 << 14  # counters per step on the CPU, few enough to stay in cache


def philox(counter: Any, stream: int, key: int) -> Any:
    """Return four random words for each counter, uint64 (...,) -> uint32 (..., 4); `stream` and `key` have 64 bits."""
    key, out = int(key), xp(counter).empty((*counter.shape, 4), np.uint32)
    flat, rows = counter.reshape(-1), out.reshape(-1, 4)
    step = _BLOCK if isinstance(out, np.ndarray) else max(1, flat.size)
    for start in range(0, flat.size, step):
        for i, word in enumerate(_rounds(flat[start : start + step], stream, key)):
            rows[start : start + step, i] = word
    return out


def _rounds(counter: Any, stream: int, key: int) -> tuple:
    """Run the ten rounds; return the four words, each uint32 in a uint64 array."""
    low, half = np.uint64(_MASK), np.uint64(32)
    a, b = counter & low, counter >> half
    c, d = xp(counter).full_like(counter, stream & _MASK), xp(counter).full_like(counter, stream >> 32)
    k0, k1 = key & _MASK, key >> 32
    for _ in range(10):
        p, q = a * np.uint64(0xD2511F53), c * np.uint64(0xCD9E8D57)
        a, b, c, d = (q >> half) ^ b ^ np.uint64(k0), q & low, (p >> half) ^ d ^ np.uint64(k1), p & low
        k0, k1 = (k0 + 0x9E3779B9) & _MASK, (k1 + 0xBB67AE85) & _MASK
    return a, b, c, d


def words(namespace: Any, count: int, key: int) -> Any:
    """Return `count` words of stream 0 (uint32): counter 0 gives the first four, counter 1 the next four, and so on."""
    return philox(namespace.arange(-(-count // 4), dtype=np.uint64), 0, key).reshape(-1)[:count]


def uniform(words: Any) -> Any:
    """Return float32 numbers in [0, 1), from the upper 24 bits of each word."""
    return (words >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)


def kept(counter: Any, p: float, key: int, stream: int = 0) -> Any:
    """Return where dropout with probability p keeps elements, four for each counter: (..., n) -> bool (..., 4 n)."""
    drawn = uniform(philox(counter, stream, key)) >= np.float32(p)
    return drawn.reshape(*counter.shape[:-1], 4 * counter.shape[-1])
