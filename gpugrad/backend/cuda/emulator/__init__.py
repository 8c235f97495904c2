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
- cp.async copies when it is waited for, the last moment that PTX allows; until then its target is NaN.
- Blocks run one after the other. One whose threads only poll (with atomics or __nanosleep) waits for another: the next
  block begins beside it. So grid barriers work as long as there is room, for 24,576 threads on each core.
- Conversions to int and long long saturate, and give 0 for NaN (`include/emulator/conversions.h`).
- Inline PTX cannot run: the functions of kernels/ptx.cuh have twins in `include/emulator/tensor_cores.h`.
- Dynamic shared memory is `dynamic_shared<T>()` of kernels/common.cuh, or `extern __shared__ T name[];` in a kernel.

What it finds
- Always: arrays of another type than the kernel's, sizes that no device allows, threads that wait for ever or meet in
  different places, lanes outside their mask, division by zero, null pointers, stack overflow, failed assertions, blocks
  that do not end, cp.async misaligned or never waited for, accesses past the end of dynamic shared memory (its size
  rounded up to 128 bytes).
- In check mode: races within a block and between blocks, on `__device__` variables and with copies under way
  (__syncthreads, __syncwarp, and __threadfence with an atomic order accesses; atomics do not race with each other);
  every access out of the bounds of its array, also of a local or shared one through a pointer whose origin g++ can
  see; writes through a pointer to const; reads of shared memory that nobody has written (but for what may be a
  structure's padding); misaligned vectors, array indices, signed overflow. For that, g++'s sanitizers mark every
  access; `runtime/hooks.cpp` is what they call, and `runtime/checker.h` keeps the last accesses to each granule of
  memory.
- A check build refuses variables that may be used uninitialised, as far as g++ sees it. With g++ 12 or newer, what
  remains (an array that is filled in part) begins as -1.7e38.
- An error names kernel, file, line, block and thread; the process goes on, and can launch the next kernel.
- A graph (`graphs.py`) notes work instead of doing it, refuses what a stream refuses while it captures, and replays
  the work on the same memory.
- `options(schedule="random", seed=3)` changes who runs first: results must not change with it.

What it counts: `options(record=take)` runs kernels of a third build, whose accesses `runtime/recorder.h` groups by warp
and instruction: sectors of global memory, turns of shared memory's banks, active lanes (`gpugrad.cuda.profile`).

Where it is stricter than a GPU: a thread that ends without a barrier that others reach must have left the kernel by a
`return` before it (not in a kernel that a header defines), no lane may read one that does not exist, a cp.async must be
waited for. Conversions to unsigned wrap between -2^63 and 2^63 instead of saturating. What it does not model: PTX, the
error of fast functions (they are exact here), the flush of denormals, weak memory order between blocks, the limits of
registers and `__launch_bounds__`, clusters, cooperative groups, streams, time. One core does some tens of millions of
thread-barriers a second.
"""

from .build import available, build
from .memory import allocate
from .options import current, options
from .run import Function

__all__ = ["Function", "allocate", "available", "build", "current", "options"]
