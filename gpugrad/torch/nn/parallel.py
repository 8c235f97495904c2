"""Networks on several devices: of one process, which has one device, and of several processes."""

from __future__ import annotations

from typing import Any

from ..modules import Module


class DataParallel(Module):
    """A network, under the name `module`, that is called as it is: there is one device.

    >>> import gpugrad.torch as torch
    >>> net = torch.nn.DataParallel(torch.nn.Linear(2, 1))
    >>> net(torch.ones(3, 2)).shape, list(net.state_dict())
    (torch.Size([3, 1]), ['module.weight', 'module.bias'])
    """

    def __init__(self, module: Any, device_ids: Any = None, output_device: Any = None, dim: int = 0):
        super().__init__()
        self.module, self.device_ids, self.output_device, self.dim = module, device_ids or [], output_device, dim

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """Return what the network returns."""
        return self.module(*inputs, **kwargs)


def __getattr__(name: str) -> Any:
    if name == "DistributedDataParallel":  # it brings all of `distributed` with it
        from ..distributed import DistributedDataParallel

        return DistributedDataParallel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
