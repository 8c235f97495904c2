"""Attention on tensor cores: launches of kernels/attention_mma*.cu, for 16-bit floats in rows of 16-byte chunks."""

from typing import Any

from ....backend.cuda.launch import Block, Kernels, aligned, ctype
from ....backend.devices import device_of
from .problem import AttentionProblem

_WIDTHS = (64, 128)
_TYPES = ("__half", "__nv_bfloat16")
_CAPABILITY = 80  # cp.async, mma.sync of bfloat16
_ROWS, _LONGEST = 128, 2**31 - 256  # of a block; that the kernels count with an int
# The other side's rows in shared memory at once, for each of _WIDTHS, and the bytes of numbers beside them.
_STEP = {"forward": (128, 128), "backward_q": (4 * 64, 4 * 32), "backward_kv": (4 * 32, 4 * 32)}
_BESIDE = {"forward": 0, "backward_q": _ROWS * 12, "backward_kv": 2 * 32 * 12}


def _block(name: str, width: int) -> Block:
    own = _ROWS * (1 if name == "forward" else 2)
    rows_of_warp = 16 if (name, width) == ("backward_kv", 128) else 32
    shared = 2 * width * (own + _STEP[name][_WIDTHS.index(width)]) + _BESIDE[name]
    return Block(_ROWS // rows_of_warp * 32, shared)


def _family(source: str, *names: str) -> Kernels:
    return Kernels(
        source,
        lambda: [f"attention_mma_{name}<{T}, {W}>" for name in names for T in _TYPES for W in _WIDTHS],
        capability=_CAPABILITY,
        spills={"attention_mma_backward_kv<*, 64>": "on sm_80, two numbers that are read again after the loop"},
        typical=lambda: {
            f"attention_mma_{name}<__nv_bfloat16, {W}>": _block(name, W) for name in names for W in _WIDTHS
        },
    )


_forward = _family("attention_mma.cu", "forward")
_backward = _family("attention_mma_backward.cu", "backward_q", "backward_kv")


def supports(q: Any, k: Any, v: Any) -> bool:
    """Return whether the kernels can read these arrays."""
    if q.itemsize != 2 or not k.size or device_of(q).capability < _CAPABILITY:
        return False
    narrow = all(0 < array.shape[3] <= _WIDTHS[-1] for array in (q, v))
    return narrow and max(q.shape[2], k.shape[2]) < _LONGEST and _chunked(q, k, v)


def _chunked(*arrays: Any) -> bool:
    """Return whether the rows of each consist of whole 16-byte chunks at multiples of 16 bytes."""
    for a in arrays:
        steps = [step for step, length in zip(a.strides[:3], a.shape[:3], strict=True) if length > 1]
        if a.shape[3] % 8 or a.strides[3] != 2 or any(step % 16 for step in steps):
            return False
    return aligned(*arrays)


def readable(g: Any) -> Any:
    """Return `g`, or a copy that the kernels can read."""
    return g if _chunked(g) else g.copy()


def launch(name: str, problem: AttentionProblem, *arrays: Any) -> None:
    """Run a kernel: "forward", "backward_q" or "backward_kv"."""
    width = next(width for width in _WIDTHS if problem.widest <= width)
    block = _block(name, width)
    pairs, length = (problem.key_pairs, problem.keys) if name == "backward_kv" else (problem.pairs, problem.queries)
    family = _forward if name == "forward" else _backward
    family.launch(
        f"attention_mma_{name}<{ctype(arrays[0])}, {width}>",
        grid=(pairs * -(-length // _ROWS),),
        block=(block.threads,),
        args=problem.args(*arrays),
        shared=block.shared,
    )
