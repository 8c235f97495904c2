// Kernels whose sectors, bank turns and active lanes are known by hand (test_profile.py).

#include "ptx.cuh"

__device__ __forceinline__ int thread() { return blockIdx.x * blockDim.x + threadIdx.x; }

__global__ void strided(float* out, const float* x, int stride) { out[thread()] = x[thread() * stride]; }

__global__ void offset(float* out, const float* x, int start) { out[thread() + start] = x[thread() + start]; }

// Pointers to `T` where the kernel is given floats.
template <typename T> __device__ __forceinline__ T* as(float* p) { return reinterpret_cast<T*>(p); }
template <typename T> __device__ __forceinline__ const T* as(const float* p) { return reinterpret_cast<const T*>(p); }

template <typename T> __global__ void vectors(float* out, const float* x) { as<T>(out)[thread()] = as<T>(x)[thread()]; }

struct Four { float at[4]; };  // aligned to 4 bytes: a GPU loads it in four instructions
__global__ void taken_apart(float* out, const float* x) {
    const Four four = as<Four>(x)[thread()];
    out[thread()] = four.at[0] + four.at[3];
}

__global__ void doubles(double* out, const double* x) { out[thread()] = x[thread()] + x[0]; }

__global__ void bytes(signed char* out, const signed char* x) { out[thread()] = x[thread()]; }

__global__ void banks(float* out, int stride) {
    __shared__ float tile[1024];
    for (int i = threadIdx.x; i < 1024; i += blockDim.x) tile[i] = i;
    __syncthreads();
    out[thread()] = tile[threadIdx.x * stride % 1024];  // the read
}

__global__ void wide_banks(float* out, int stride) {
    __shared__ float4 tile[256];
    for (int i = threadIdx.x; i < 256; i += blockDim.x) tile[i] = make_float4(i, i, i, i);
    __syncthreads();
    as<float4>(out)[thread()] = tile[threadIdx.x * stride];  // the read
}

__global__ void pair_banks(float* out) {
    __shared__ float2 tile[64];
    tile[threadIdx.x * 2] = make_float2(1, 2);  // the write
    __syncthreads();
    as<float2>(out)[thread()] = tile[threadIdx.x * 2];
}

template <int padding> __global__ void transposed(float* out, const float* x) {
    __shared__ float tile[32][32 + padding];
    tile[threadIdx.y][threadIdx.x] = x[threadIdx.y * 32 + threadIdx.x];
    __syncthreads();
    out[threadIdx.y * 32 + threadIdx.x] = tile[threadIdx.x][threadIdx.y];  // the read
}

__global__ void counters(int* out, int* total) {
    __shared__ int count;
    if (threadIdx.x == 0) count = 0;
    __syncthreads();
    atomicAdd(&count, 1);  // the same word
    __syncthreads();
    atomicAdd(total + thread() % 8, count);  // the same sector
    out[thread()] = count;
}

__device__ __noinline__ float work(float x, int times) {
    for (int i = 0; i < times; ++i) x = x * 1.5f + (x > 10 ? -9.0f : 1.0f) * x + i;  // the work
    return x;
}

__global__ void halves(float* out, const float* x, int times) {
    const float y = x[thread()];
    if (threadIdx.x % 32 < 16) out[thread()] = work(y, times);  // the half
    else out[thread()] = y;
}

__global__ void uneven(float* out, const float* x) {
    float sum = 0;
    for (int i = 0; i <= int(threadIdx.x); ++i) sum += x[i];  // one more in each lane
    out[threadIdx.x] = sum;
}

__global__ void alternating(float* out, const float* x, int n) {
    for (int i = 0; i < n; ++i)
        if (i % 2 == int(threadIdx.x) % 2) out[i * 32 + threadIdx.x] = x[i];  // every other lane
}

__global__ void long_loop(float* out, const float* x, int n) {
    float sum = 0;
    for (int i = 0; i < n; ++i) sum += x[(i % 8) * 32 + threadIdx.x];  // the load
    out[threadIdx.x] = sum;
}

__global__ void copied(float* out, const float* x) {
    __shared__ float4 tile[64];
    cp_async<16>(tile + threadIdx.x, x + 4 * threadIdx.x);  // the copy
    cp_async_commit();
    cp_async_wait<0>();
    as<float4>(out)[threadIdx.x] = tile[threadIdx.x];
}

__global__ void fragments(float* out, int row) {
    __shared__ __align__(128) unsigned tile[32 * 32];
    for (int i = threadIdx.x; i < 32 * 32; i += 32) tile[i] = 0;
    __syncwarp();
    uint32 a[4], b[2] = {};
    float sum[4] = {};
    ldmatrix_x4(a, tile + threadIdx.x * row);  // the rows
    mma_m16n8k16<__half>(sum, a, b);
    out[threadIdx.x] = sum[0];
}
