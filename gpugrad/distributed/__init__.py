"""Training on several GPUs and machines, on MPI and NCCL, with the names of torch.distributed.

    gpugrad launch -n 4 train.py

starts four processes; each calls `init_process_group()` and knows itself by `get_rank()`. A process that was started
alone is a group of one, for which all of this leaves arrays as they are. README.md beside this file shows what there
is.
"""

from . import functional
from .checkpoint import load_sharded, save_sharded
from .collectives import (
    ReduceOp,
    all_gather,
    all_gather_into_tensor,
    all_gather_object,
    all_reduce,
    all_to_all,
    all_to_all_single,
    barrier,
    broadcast,
    broadcast_object_list,
    irecv,
    isend,
    recv,
    reduce_scatter,
    reduce_scatter_tensor,
    send,
)
from .data_parallel import DistributedDataParallel
from .group import (
    ProcessGroup,
    destroy_process_group,
    get_backend,
    get_rank,
    get_world_size,
    init_process_group,
    is_available,
    is_initialized,
    new_group,
)
from .pipeline import GPTStage, ScheduleGPipe
from .ring import ring_attention
from .rooted import gather, reduce, scatter
from .sampler import DistributedSampler
from .sharded import FullyShardedDataParallel
from .sync_batch_norm import SyncBatchNorm
from .tensor_parallel import (
    ColumnParallelLinear,
    RowParallelLinear,
    VocabParallelEmbedding,
    parallelize_gpt,
    vocab_parallel_cross_entropy,
)
from .transport import Work
from .zero import ZeroRedundancyOptimizer

__all__ = [
    "ColumnParallelLinear", "DistributedDataParallel", "DistributedSampler", "FullyShardedDataParallel", "GPTStage",
    "ProcessGroup", "ReduceOp", "RowParallelLinear", "ScheduleGPipe", "SyncBatchNorm", "VocabParallelEmbedding",
    "Work", "ZeroRedundancyOptimizer", "all_gather", "all_gather_into_tensor", "all_gather_object", "all_reduce",
    "all_to_all", "all_to_all_single", "barrier", "broadcast", "broadcast_object_list", "destroy_process_group",
    "functional", "gather", "get_backend", "get_rank", "get_world_size", "init_process_group", "irecv", "is_available",
    "is_initialized", "isend", "load_sharded", "new_group", "parallelize_gpt", "recv", "reduce", "reduce_scatter",
    "reduce_scatter_tensor", "ring_attention", "save_sharded", "scatter", "send", "vocab_parallel_cross_entropy",
]  # fmt: skip
