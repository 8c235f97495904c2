// The vocabulary that every kernel shares: accumulation types, vector loads, warp and block reductions, Philox.
//
// Kernels are templates on the storage type T (float, double, __half, __nv_bfloat16) and compute in acc_t<T>: double
// for double, float for everything else. Reductions add in a fixed order, so that a rerun gives the same bits.

#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

using int64 = long long;
using uint32 = unsigned int;
using uint64 = unsigned long long;

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;

// ---- types

template <typename T> struct Accumulate { using type = float; };
template <> struct Accumulate<double> { using type = double; };
template <typename T> using acc_t = typename Accumulate<T>::type;

template <typename T> __device__ __forceinline__ acc_t<T> load(T value) { return static_cast<acc_t<T>>(value); }
template <> __device__ __forceinline__ float load(__half value) { return __half2float(value); }
template <> __device__ __forceinline__ float load(__nv_bfloat16 value) { return __bfloat162float(value); }

template <typename T> __device__ __forceinline__ T store(acc_t<T> value) { return static_cast<T>(value); }
template <> __device__ __forceinline__ __half store<__half>(float value) { return __float2half_rn(value); }
template <> __device__ __forceinline__ __nv_bfloat16 store<__nv_bfloat16>(float value) { return __float2bfloat16_rn(value); }

// N neighbouring elements that one instruction moves; the address must be a multiple of the size.
template <typename T, int N> struct alignas(sizeof(T) * N) Vec { T at[N]; };

// N elements at an aligned address into registers of the accumulation type, and back.
template <int N, typename T> __device__ __forceinline__ void read(acc_t<T> (&to)[N], const T* from) {
    const Vec<T, N> loaded = *reinterpret_cast<const Vec<T, N>*>(from);
    for (int i = 0; i < N; ++i) to[i] = load(loaded.at[i]);
}

template <int N, typename T> __device__ __forceinline__ void write(T* to, const acc_t<T> (&from)[N]) {
    Vec<T, N> stored;
    for (int i = 0; i < N; ++i) stored.at[i] = store<T>(from[i]);
    *reinterpret_cast<Vec<T, N>*>(to) = stored;
}

// The launch's dynamic shared memory. Each call gives its beginning: a kernel divides it up itself.
template <typename T> __device__ __forceinline__ T* dynamic_shared() {
#ifdef GPUGRAD_EMULATOR
    return emulator::dynamic_shared<T>();
#else
    extern __shared__ __align__(128) unsigned char dynamic_shared_bytes[];
    return reinterpret_cast<T*>(dynamic_shared_bytes);
#endif
}

// ---- positions: 64-bit, because rows x columns passes 2^31 before memory is full

__device__ __forceinline__ int64 thread_index() { return static_cast<int64>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ __forceinline__ int64 thread_count() { return static_cast<int64>(gridDim.x) * blockDim.x; }

// ---- functions of one number

template <typename A> __device__ __forceinline__ A infinity() { return A(__int_as_float(0x7f800000)); }
// -1, 0 or 1; NaN stays NaN, as in NumPy.
template <typename A> __device__ __forceinline__ A sign(A x) { return x > A(0) ? A(1) : x < A(0) ? A(-1) : x; }
__device__ __forceinline__ float exponential(float x) { return expf(x); }
__device__ __forceinline__ double exponential(double x) { return exp(x); }
__device__ __forceinline__ float logarithm(float x) { return logf(x); }
__device__ __forceinline__ double logarithm(double x) { return log(x); }

// ---- reductions: every lane of the warp, or every thread of the block, receives the result

struct Sum {
    template <typename A> static __device__ __forceinline__ A zero() { return A(0); }
    template <typename A> static __device__ __forceinline__ A join(A a, A b) { return a + b; }
};

struct Max {  // NaN wins, as in NumPy and PyTorch
    template <typename A> static __device__ __forceinline__ A zero() { return -infinity<A>(); }
    template <typename A> static __device__ __forceinline__ A join(A a, A b) { return a > b || a != a ? a : b; }
};

template <typename Op, typename A> __device__ __forceinline__ A warp_reduce(A value) {
    for (int lane = kWarp / 2; lane > 0; lane /= 2) value = Op::join(value, __shfl_xor_sync(kAllLanes, value, lane));
    return value;
}

// `scratch` holds one A per warp. It may be used again right after the call: the last barrier is inside.
template <typename Op, typename A> __device__ A block_reduce(A value, A* scratch) {
    const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, warps = (blockDim.x + kWarp - 1) / kWarp;
    value = warp_reduce<Op>(value);
    if (lane == 0) scratch[warp] = value;
    __syncthreads();
    value = warp_reduce<Op>(lane < warps ? scratch[lane] : Op::template zero<A>());
    __syncthreads();
    return value;
}

// ---- Philox4x32-10 (Salmon et al. 2011): four random words from a counter and a key, the same on every device

struct Random4 { uint32 at[4]; };

__device__ __forceinline__ Random4 philox(uint64 counter, uint64 stream, uint64 key) {
    Random4 r = {{uint32(counter), uint32(counter >> 32), uint32(stream), uint32(stream >> 32)}};
    uint32 k0 = uint32(key), k1 = uint32(key >> 32);
    for (int round = 0; round < 10; ++round) {
        const uint64 p0 = uint64(0xD2511F53u) * r.at[0], p1 = uint64(0xCD9E8D57u) * r.at[2];
        r = {{uint32(p1 >> 32) ^ r.at[1] ^ k0, uint32(p1), uint32(p0 >> 32) ^ r.at[3] ^ k1, uint32(p0)}};
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return r;
}

// Uniform in [0, 1) from 24 random bits.
__device__ __forceinline__ float uniform(uint32 word) { return (word >> 8) * 0x1p-24f; }
