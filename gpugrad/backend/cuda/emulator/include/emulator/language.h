// CUDA's keywords and built-in variables.

#pragma once

#include "runtime.h"

#define GPUGRAD_EMULATOR 1
#define __CUDACC__ 1
#define __CUDA_ARCH__ 800

#define __global__ inline  // an instance that nobody asked for is not compiled
#define __device__
#define __host__
#define __managed__
#define __constant__
#define __grid_constant__
#define __launch_bounds__(...)
#define __cluster_dims__(...)
#define __maxnreg__(...)
#define __noinline__ __attribute__((noinline))
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(n) __attribute__((aligned(n)))
#define alignas(...) __attribute__((aligned(__VA_ARGS__)))  // also after __shared__, where C++ has no alignas
#define __builtin_assume(condition) ((void)0)

// One block runs on one OS thread at a time, so a block's shared variables are that OS thread's. The runtime fills them
// with 0xff (NaN) before each block, and g++'s guard variables with them: none is ever constructed.
#define __shared__ static __thread

// Code of the emulator itself, which the builds that check and record must not watch.
#if __has_attribute(no_sanitize_coverage)
#define EMULATOR_UNCHECKED __attribute__((no_sanitize("thread"), no_sanitize("undefined"), no_sanitize_coverage))
#else
#define EMULATOR_UNCHECKED __attribute__((no_sanitize("thread"), no_sanitize("undefined")))
#endif

#define threadIdx (::emulator::self->index)
#define blockIdx (::emulator::self->block->index)
#define blockDim (::emulator::self->block->size)
#define gridDim (::emulator::self->block->grid)
#define warpSize 32

namespace emulator {

// Dynamic shared memory; outside of a kernel there is none.
template <typename T> inline T* dynamic_shared() { return reinterpret_cast<T*>(self->block->dynamic_shared); }

}  // namespace emulator

#undef assert
#define assert(condition) ((condition) ? (void)0 : ::emulator::fail("assert(%s) failed", #condition))

// Copies that the check build must see: it has no hooks in the C library.
#ifdef __SANITIZE_THREAD__
extern "C" void __tsan_read_range(void*, long);
extern "C" void __tsan_write_range(void*, long);
#define EMULATOR_SEE(kind, address, bytes) __tsan_##kind##_range(const_cast<void*>(address), static_cast<long>(bytes))
#else
#define EMULATOR_SEE(kind, address, bytes) ((void)0)
#endif
namespace emulator {
__forceinline__ void* copy_bytes(void* to, const void* from, size_t bytes) {
    EMULATOR_SEE(read, from, bytes);
    EMULATOR_SEE(write, static_cast<const void*>(to), bytes);
    return __builtin_memmove(to, from, bytes);
}
__forceinline__ void* fill_bytes(void* to, int value, size_t bytes) {
    EMULATOR_SEE(write, static_cast<const void*>(to), bytes);
    return __builtin_memset(to, value, bytes);
}
}  // namespace emulator
#undef EMULATOR_SEE
#define memcpy(to, from, bytes) ::emulator::copy_bytes(to, from, bytes)
#define memmove(to, from, bytes) ::emulator::copy_bytes(to, from, bytes)
#define memset(to, value, bytes) ::emulator::fill_bytes(to, value, bytes)

inline void __trap() { emulator::fail("__trap()"); }
inline void __brkpt() { emulator::fail("__brkpt()"); }
inline void __nanosleep(unsigned) { emulator::yield(); }
inline long long clock64() { return static_cast<long long>(__builtin_ia32_rdtsc()); }
