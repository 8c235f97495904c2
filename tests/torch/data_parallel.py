"""A program in PyTorch's style for any number of processes: prints, on rank 0, the losses over the whole batch.

As a test runs it: under PyTorch, and under gpugrad.torch with its imports changed. Each rank has a part of each batch.
"""

import json
import os

import numpy as np
import torch
import torch.distributed as dist
import torch.nn as nn
import torch.nn.functional as F
from torch.distributed.elastic.multiprocessing.errors import record
from torch.nn.parallel import DistributedDataParallel as DDP
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.norm = nn.GroupNorm(2, 4)
        self.head = nn.Linear(4 * 4 * 4, 3)

    def forward(self, x):
        return self.head(F.relu(self.norm(self.conv(x))).flatten(1))


def numbers(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape)).float()


def mean_over_ranks(value):
    total = value.detach().clone()
    dist.all_reduce(total, op=dist.ReduceOp.SUM)
    return (total / dist.get_world_size()).item()


@record
def main():
    dist.init_process_group("gloo", init_method="env://")
    rank, world_size = dist.get_rank(), dist.get_world_size()
    assert rank == int(os.environ.get("RANK", 0)) and dist.is_initialized()
    net = Net()
    with torch.no_grad():
        for i, p in enumerate(net.parameters()):
            p.copy_(numbers(*p.shape, seed=i + 100 * rank) * 0.3)  # DDP gives all ranks those of rank 0
    model = DDP(net)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    data = TensorDataset(numbers(24, 1, 6, 6), torch.arange(24) % 3)
    sampler = DistributedSampler(data, num_replicas=world_size, rank=rank, shuffle=False)
    loader = DataLoader(data, batch_size=8 // world_size, sampler=sampler)
    losses = []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        for images, labels in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(mean_over_ranks(loss))
    parts = [torch.zeros(2) for _ in range(world_size)]
    dist.all_gather(parts, torch.full((2,), float(rank)))
    assert [part[0].item() for part in parts] == list(range(world_size))
    own = torch.zeros(2)
    dist.scatter(own, [torch.full((2,), float(r)) for r in range(world_size)] if rank == 0 else None, src=0)
    dist.gather(own, parts if rank == 0 else None, dst=0)
    assert own[0].item() == rank and (rank or [part[1].item() for part in parts] == list(range(world_size)))
    total = torch.ones(1)
    dist.reduce(total, dst=0)
    assert rank or total.item() == world_size
    dist.broadcast(total, src=0)
    assert total.item() == world_size
    dist.barrier()
    if rank == 0:
        assert list(model.state_dict())[0] == "module.conv.weight"
        print("losses", json.dumps(losses))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
