"""`torch.distributed`: the collectives, groups and wrappers of `gpugrad.distributed` with PyTorch's arguments.

Programs are started by `gpugrad launch -n 2 SCRIPT`, mpiexec, srun or, for GPUs, torchrun. A process that was started
alone is a group of one. The backend "gloo" is MPI here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from enum import Enum
from typing import Any

from .. import distributed as gpugrads
from ..backend import cuda
from ..distributed.environment import place
from ..errors import OptionError
from ..nn import Module as NumPyModule
from .language import passing
from .modules import in_torch

_find = passing(__name__, "gpugrad.distributed", adapt=in_torch)
default_pg_timeout = timedelta(minutes=30)


def __getattr__(name: str) -> Any:
    return _find(name)


def init_process_group(
    backend: str | None = None,
    init_method: str | None = None,
    timeout: float | timedelta | None = None,
    world_size: int = -1,
    rank: int = -1,
    store: Any = None,
    group_name: str = "",
    pg_options: Any = None,
    device_id: Any = None,
) -> None:
    """Join the ranks that were started together, which the environment tells: `gpugrad.distributed.init_process_group`.

    backend: "nccl" for a GPU per rank; "gloo" and "mpi" are MPI, and for a pair such as "cpu:gloo,cuda:nccl" it depends
    on whether there are GPUs. Raises OptionError for other backends. `init_method`, `store` and what follows are
    without effect.

    >>> import gpugrad.torch as torch
    >>> torch.distributed.init_process_group("gloo", rank=0, world_size=1)
    >>> torch.distributed.get_world_size()
    1
    >>> torch.distributed.destroy_process_group()
    """
    seconds = default_pg_timeout if timeout is None else timeout
    gpugrads.init_process_group(_backend(backend), timeout=seconds, world_size=world_size, rank=rank)


def _backend(name: str | None) -> str | None:
    if name is None:
        return None
    kinds = {part.rpartition(":")[2] for part in str(name).lower().split(",")}
    if not kinds <= {"gloo", "mpi", "nccl"}:
        raise OptionError(f'init_process_group: backend must be "gloo", "mpi" or "nccl", got {name!r}')
    return "nccl" if kinds == {"nccl"} or "nccl" in kinds and cuda.is_available() else "mpi"


def is_mpi_available() -> bool:
    """Return whether several processes can work together."""
    return gpugrads.is_available()


is_gloo_available = is_mpi_available


def is_nccl_available() -> bool:
    """Return whether there are GPUs, which NCCL connects."""
    return cuda.is_available()


def get_process_group_ranks(group: Any = None) -> list[int]:
    """Return the numbers, among all ranks, of the ranks of `group`."""
    return list(gpugrads.new_group().ranks if group is None else group.ranks)


def monitored_barrier(group: Any = None, timeout: Any = None, wait_all_ranks: bool = False) -> None:
    """Wait until all ranks have called this; the group's own timeout holds."""
    gpugrads.barrier(group)


def barrier(group: Any = None, async_op: bool = False, device_ids: Any = None) -> None:
    """Wait until all ranks have called this."""
    gpugrads.barrier(group)


class DistributedDataParallel(in_torch(gpugrads.DistributedDataParallel)):
    """Calls `module`, and averages the gradients over all ranks: `gpugrad.distributed.DistributedDataParallel`.

    As in PyTorch, names in the state dict begin with "module.". `device_ids`, `gradient_as_bucket_view` and
    `static_graph` are without effect.

    >>> import gpugrad.torch as torch
    >>> net = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 1))
    >>> list(net.state_dict())
    ['module.weight', 'module.bias']
    """

    def __init__(
        self,
        module: Any,
        device_ids: Any = None,
        output_device: Any = None,
        dim: int = 0,
        broadcast_buffers: bool = True,
        init_sync: bool = True,
        process_group: Any = None,
        bucket_cap_mb: float | None = None,
        find_unused_parameters: bool = False,
        check_reduction: bool = False,
        gradient_as_bucket_view: bool = False,
        static_graph: bool = False,
    ):
        super().__init__(
            module,
            process_group,
            broadcast_buffers=broadcast_buffers,
            bucket_cap_mb=25 if bucket_cap_mb is None else bucket_cap_mb,
            find_unused_parameters=find_unused_parameters or static_graph,
        )
        self.device_ids, self.output_device, self.dim = device_ids, output_device, dim

    state_dict, load_state_dict = NumPyModule.state_dict, NumPyModule.load_state_dict


class ShardingStrategy(Enum):
    """What `FullyShardedDataParallel` divides: everything, or all but the parameters between forward and backward."""

    FULL_SHARD = 1
    SHARD_GRAD_OP = 2
    HYBRID_SHARD = 4


class FullyShardedDataParallel(in_torch(gpugrads.FullyShardedDataParallel)):
    """Calls `module`; each rank keeps a part of its parameters: `gpugrad.distributed.FullyShardedDataParallel`.

    auto_wrap_policy: which modules are gathered one by one, as PyTorch's policies say it. The state dict is the whole
    one, on all ranks. Raises OptionError for `cpu_offload` and `mixed_precision`, which are not here: use `autocast`.

    >>> import gpugrad.torch as torch
    >>> from gpugrad.torch.distributed.fsdp.wrap import ModuleWrapPolicy
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
    >>> FSDP = torch.distributed.fsdp.FullyShardedDataParallel
    >>> [p.numel() for p in FSDP(net, auto_wrap_policy=ModuleWrapPolicy({torch.nn.Linear})).parameters()]
    [9, 4]
    """

    def __init__(
        self,
        module: Any,
        process_group: Any = None,
        sharding_strategy: ShardingStrategy | None = None,
        cpu_offload: Any = None,
        auto_wrap_policy: Callable | None = None,
        backward_prefetch: Any = None,
        mixed_precision: Any = None,
        **without_effect: Any,
    ):
        if cpu_offload or mixed_precision:
            raise OptionError("FullyShardedDataParallel: cpu_offload and mixed_precision are not here; see `autocast`")

        def chosen(inner: NumPyModule) -> bool:
            count = sum(p.numel() for p in inner.parameters())
            return bool(auto_wrap_policy and auto_wrap_policy(module=inner, recurse=False, nonwrapped_numel=count))

        again = sharding_strategy is not ShardingStrategy.SHARD_GRAD_OP
        super().__init__(module, process_group, unit=chosen, reshard_after_forward=again)


class ModuleWrapPolicy:
    """The policy that chooses modules of these classes."""

    def __init__(self, module_classes: Iterable[type]):
        self.module_classes = tuple(module_classes)

    def __call__(self, module: Any, recurse: bool = False, *args: Any, **kwargs: Any) -> bool:
        return recurse or isinstance(module, self.module_classes)


def transformer_auto_wrap_policy(
    module: Any, recurse: bool, nonwrapped_numel: int, transformer_layer_cls: Iterable[type]
) -> bool:
    """Return whether a module is of one of these classes; `partial` makes a policy of it."""
    return recurse or isinstance(module, tuple(transformer_layer_cls))


def size_based_auto_wrap_policy(
    module: Any, recurse: bool, nonwrapped_numel: int, min_num_params: int = int(1e8)
) -> bool:
    """Return whether a module has at least so many parameters; `partial` makes a policy of it."""
    return nonwrapped_numel >= min_num_params


def spawn(
    fn: Callable, args: Sequence = (), nprocs: int = 1, join: bool = True, daemon: bool = False, start_method: str = ""
) -> None:
    """Call `fn(rank, *args)` in this process, which is one of the `nprocs` ranks that a launcher has started already.

    Raises OptionError for another number of ranks: `gpugrad launch -n NPROCS SCRIPT` starts them.
    """
    here = place()
    if nprocs not in (-1, here.size):
        raise OptionError(
            f"spawn: {nprocs} processes are asked for, and this is one of {here.size}; start the program with "
            f"`gpugrad launch -n {nprocs} SCRIPT`, whose ranks each run the function"
        )
    fn(here.rank, *args)
