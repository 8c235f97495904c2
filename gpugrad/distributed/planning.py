"""A small model of training on many GPUs: what fits into memory, and how long a step takes.

Everything is counted from the sizes of a GPT; the constants of the machine are those of `Machine`, all of them here.
What is assumed:

- Memory: parameters and gradients in 16 bits, Adam's two moments and a copy of the parameters in 32 (16 bytes per
  parameter, S. Rajbhandari et al. 2020, section 3.1). Stage 1 divides the 12 bytes of the optimizer over the ranks,
  stage 3 all 16. Activations are one input per block and one block's inner ones, computed again in backward.
- Time: 8 operations per parameter and token (2 forward, 4 backward, 2 for computing again), and attention's, at a part
  of the GPU's peak that `efficiency` names.
- Rings: an all-reduce of B bytes on n ranks takes 2 (n - 1) / n B / bandwidth, a gathering or scattering half of it,
  and a latency that grows with log2 n. Ranks of a node talk over NVLink, others over the network.
- Overlap: the reduction of gradients runs during backward, but for the last bucket. Gathering for stage 3, the sums of
  tensor parallelism and the pipeline's waits are not hidden.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import OptionError


@dataclass(frozen=True)
class Machine:
    """What a rank and its links can do. The defaults are an H200 in nodes of eight, with one 400 Gb/s link for each."""

    name: str = "H200"
    memory: float = 141e9 * 0.94  # bytes; the rest is CUDA's, NCCL's buffers and what the allocator cannot use
    flops: float = 989e12  # dense bfloat16, of the data sheet
    efficiency: float = 0.45  # of that, in a Transformer's layers
    node: int = 8  # ranks that NVLink connects
    inside: float = 370e9  # bytes per second and direction over NVLink 4 (450 by the data sheet)
    outside: float = 45e9  # bytes per second and GPU between nodes (50 by the data sheet)
    latency: float = 8e-6  # seconds for one step of a collective
    bucket: float = 25e6  # bytes
    value: int = 2  # bytes of a parameter, gradient or activation

    def ring(self, size: float, ranks: int, spread: bool, passes: int = 2) -> float:
        """Return the seconds of a collective: 2 passes for an all-reduce, 1 for gathering or scattering."""
        if ranks == 1:
            return 0.0
        bandwidth = self.outside if spread else self.inside
        return passes * ((ranks - 1) / ranks * size / bandwidth + math.ceil(math.log2(ranks)) * self.latency)


class Shape(NamedTuple):
    """The sizes of a GPT."""

    layers: int
    width: int
    vocabulary: int = 50304
    sequence: int = 4096

    @property
    def parameters(self) -> float:
        """The number of parameters."""
        return 12 * self.layers * self.width**2 + self.vocabulary * self.width


# (parameters of the name, layers, width): A. Radford et al. 2019, T. Brown et al. 2020, H. Touvron et al. 2023
KNOWN = (
    (124e6, 12, 768), (350e6, 24, 1024), (774e6, 36, 1280), (1.5e9, 48, 1600), (2.7e9, 32, 2560), (7e9, 32, 4096),
    (13e9, 40, 5120), (30e9, 48, 7168), (70e9, 80, 8192),
)  # fmt: skip


def shape_of(parameters: float, sequence: int = 4096) -> Shape:
    """Return the sizes of a GPT of about so many parameters: a known one within 10 %, else about 100 times as wide as
    deep.

    >>> from gpugrad.distributed.planning import shape_of
    >>> shape_of(7e9)
    Shape(layers=32, width=4096, vocabulary=50304, sequence=4096)
    """
    if not parameters > 0:
        raise OptionError(f"plan: the number of parameters must be above 0, got {parameters}")
    for size, layers, width in KNOWN:
        if abs(size / parameters - 1) < 0.1:
            return Shape(layers, width, sequence=sequence)
    layers = max(1, round((parameters / 12 / 1e4) ** (1 / 3)))
    width = max(64, round(math.sqrt(parameters / 12 / layers) / 64) * 64)
    return Shape(layers, width, sequence=sequence)


class Plan(NamedTuple):
    """A way to divide the work, what a rank then holds (bytes) and how long a step takes (seconds)."""

    data: int
    tensor: int
    pipeline: int
    stage: int  # of ZeRO: 0, 1 or 3
    micro: int  # sequences of a microbatch
    pieces: int  # microbatches of a rank and step
    memory: float
    compute: float
    communication: float  # what is not hidden
    bubble: float

    @property
    def step(self) -> float:
        """Seconds of a step."""
        return self.compute + self.communication + self.bubble

    @property
    def name(self) -> str:
        """What is divided how."""
        kind = {0: "data parallel", 1: "ZeRO-1", 3: "fully sharded"}[self.stage]
        parts = [f"{kind} {self.data}"]
        parts += [f"tensor {self.tensor}"] * (self.tensor > 1) + [f"pipeline {self.pipeline}"] * (self.pipeline > 1)
        return ", ".join(parts)


def plan(
    shape: Shape, machine: Machine, data: int, tensor: int, pipeline: int, stage: int, batch: int, micro: int = 1
) -> Plan:
    """Return what a division costs, for a global batch of `batch` sequences.

    >>> from gpugrad.distributed.planning import Machine, plan, shape_of
    >>> made = plan(shape_of(7e9), Machine(), data=64, tensor=1, pipeline=1, stage=3, batch=1024)
    >>> made.name, round(made.memory / 1e9)
    ('fully sharded 64', 5)
    """
    pieces = max(1, round(batch / data / micro))
    tokens, own = micro * shape.sequence, shape.parameters / tensor / pipeline
    layers = shape.layers / pipeline
    stored = layers * (pieces if pipeline > 1 else 1)  # inputs of blocks: GPipe keeps those of all pieces
    memory = _state(machine, own, stage, data, layers) + _activations(machine, shape, tokens, tensor, stored)
    attention = 12 * shape.layers * shape.sequence * shape.width / 2
    flops = pieces * tokens * (8 * shape.parameters + attention * 4 / 3) / tensor / pipeline
    compute = flops / (machine.flops * machine.efficiency)
    spread = data * tensor * pipeline > machine.node
    message = tokens * shape.width * machine.value
    sums = pieces * layers * 6 * machine.ring(message, tensor, tensor > machine.node)  # 4, and 2 when computed again
    sends = pieces * 2 * message / (machine.outside if spread else machine.inside) if pipeline > 1 else 0.0
    shared = sums + sends + _gradients(machine, own, stage, data, spread, compute * 3 / 4 / pieces, pieces)
    return Plan(
        data, tensor, pipeline, stage, micro, pieces, memory, compute, shared,
        bubble=(compute + sums) * (pipeline - 1) / pieces,
    )  # fmt: skip


def _state(machine: Machine, own: float, stage: int, data: int, layers: float) -> float:
    """Return the bytes of parameters, gradients and Adam's state of `own` parameters."""
    plain, kept = 2 * machine.value, 12
    if stage == 0:
        return (plain + kept) * own
    if stage == 1:
        return plain * own + kept * own / data
    return (plain + kept) * own / data + 2 * plain * own / layers / 2  # and two gathered blocks with their gradients


def _activations(machine: Machine, shape: Shape, tokens: float, tensor: int, stored: float) -> float:
    """Return the bytes of the stored inputs of blocks, of one block's inner activations, and of the logits."""
    inputs = stored * tokens * shape.width * machine.value
    inner = 17 * tokens * shape.width * machine.value / tensor  # V. Korthikanti et al. 2022, equation 2, without scores
    return inputs + inner + tokens * shape.vocabulary / tensor * (machine.value + 4)


def _gradients(
    machine: Machine, own: float, stage: int, data: int, spread: bool, backward: float, pieces: int
) -> float:
    """Return the seconds that a step waits for parameters and gradients. `backward`: seconds of one piece's."""
    size = own * machine.value
    if stage == 3:  # gathered for forward and for backward of each piece, and the gradients scattered
        gathering = pieces * 2 * machine.ring(size, data, spread, passes=1)
        scattering = pieces * max(0.0, machine.ring(size, data, spread, passes=1) - backward)
        return gathering + scattering
    reducing = machine.ring(size, data, spread)
    last = machine.ring(min(size, machine.bucket), data, spread)
    exposed = max(last, reducing - backward) if data > 1 else 0.0
    return exposed + (machine.ring(size, data, spread, passes=1) if stage == 1 else 0.0)


def divisions(gpus: int, machine: Machine, shape: Shape) -> Iterator[tuple[int, int, int, int]]:
    """Yield (data, tensor, pipeline, stage) of all ways to divide the work over the GPUs."""
    for tensor in (1, 2, 4, 8):
        for pipeline in (1, 2, 4, 8, 16, 32):
            if gpus % (tensor * pipeline) or pipeline > shape.layers or tensor > machine.node:
                continue
            data = gpus // tensor // pipeline
            yield from ((data, tensor, pipeline, stage) for stage in ((0, 1, 3) if data > 1 else (0,)))


def plans(parameters: float, gpus: int, batch: int, sequence: int = 4096, machine: Machine | None = None) -> list[Plan]:
    """Return the ways that fit into memory, the fastest first; the largest microbatch up to 8 that fits is taken.

    >>> from gpugrad.distributed.planning import plans
    >>> best = plans(124e6, gpus=8, batch=512)[0]
    >>> best.data, best.tensor, best.pipeline
    (8, 1, 1)
    """
    if gpus < 1 or batch < 1:
        raise OptionError(f"plan: the numbers of GPUs and sequences must be at least 1, got {gpus} and {batch}")
    machine, shape = machine or Machine(), shape_of(parameters, sequence)
    found = []
    for data, tensor, pipeline, stage in divisions(gpus, machine, shape):
        if batch < data:
            continue
        sizes = [m for m in (8, 4, 2, 1) if batch >= data * m]
        made = [plan(shape, machine, data, tensor, pipeline, stage, batch, micro) for micro in sizes]
        found += [p for p in made if p.memory <= machine.memory][:3]
    best: dict[tuple, Plan] = {}
    for p in found:
        key = p[:4]
        if key not in best or p.step < best[key].step:
            best[key] = p
    return sorted(best.values(), key=lambda p: p.step)
