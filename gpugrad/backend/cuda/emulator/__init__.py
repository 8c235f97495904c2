"""CUDA kernels on the CPU, with the meaning they have on a GPU and with checks that a GPU does not make.

    functions = build(Source(Path("scale.cu")), ["scale<float>"])
    functions["scale<float>"].launch((blocks,), (256,), [out, x, np.float32(2)])

It needs x86-64 Linux and g++ 11 or newer (`available()` says what is missing). GPUGRAD_CUDA=emulate makes device="cuda"
run everything this way, GPUGRAD_EMULATOR=check turns check mode on, GPUGRAD_CACHE names the folder that keeps builds.

How it works
- `build` puts `include/emulator.h` in front of the unchanged source and compiles it with g++: CUDA's keywords, built-in
  variables, vector and 16-bit types, intrinsics. Each instance gets an entry, described by its parameters' types.
- `runtime/` runs a block's threads as fibers of one OS thread: a switch saves seven registers. A barrier, a shuffle or
  a tensor-core operation parks its threads until the last one comes, which does the work for all. Blocks are shared
  out to the cores. `__shared__` variables belong to the OS thread, and are NaN when a block begins.
- cp.async copies when it is waited for, the last moment that PTX allows: without the wait, NaN shows.
- Inline PTX cannot run: the functions of kernels/ptx.cuh have twins in `include/emulator/tensor_cores.h`.
- Dynamic shared memory is `dynamic_shared<T>()` of kernels/common.cuh, or `extern __shared__ T name[];` in a kernel.

What it finds
- Always: threads that wait for ever or meet in different places, lanes outside their mask, division by zero, null
  pointers, stack overflow, failed assertions, blocks that do not end, cp.async misaligned or never waited for, accesses
  past the end of dynamic shared memory (its size rounded up to 128 bytes).
- In check mode: races within a block and between blocks (__syncthreads, __syncwarp, and __threadfence with an atomic
  order accesses; atomics do not race with each other), every access out of the bounds of its array, misaligned vectors,
  array indices, signed overflow. For that, g++'s sanitizers mark every access; `runtime/hooks.cpp` is what they call,
  and `runtime/checker.h` keeps the last accesses to each granule of memory.
- An error names kernel, file, line, block and thread; the process goes on, and can launch the next kernel.
- `options(schedule="random", seed=3)` changes who runs first: results must not change with it.

Where it is stricter than a GPU: no thread may end before a barrier that others reach, no lane may read one that does
not exist, a cp.async must be waited for. What it does not model: PTX, the error of fast functions (they are exact
here), the flush of denormals, weak memory order between blocks, bank conflicts, coalescing, occupancy, the limits of
registers and `__launch_bounds__`, clusters, cooperative groups, streams, time. One core does some tens of millions of
thread-barriers a second.
"""

from .build import available, build
from .memory import allocate
from .options import current, options
from .run import Function

__all__ = ["Function", "allocate", "available", "build", "current", "options"]
