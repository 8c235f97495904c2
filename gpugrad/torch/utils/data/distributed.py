"""The sampler of several processes, each of which reads its own part: `gpugrad.distributed`'s."""

from ....distributed import DistributedSampler

__all__ = ["DistributedSampler"]
