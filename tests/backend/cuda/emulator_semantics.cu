// Kernels without mistakes, for test_emulator.py: what they compute is known from CUDA's manual.

#include <cuda/std/cstdint>

#include "common.cuh"
#include "ptx.cuh"

__constant__ float table[4] = {1.0f, 10.0f, 100.0f, 1000.0f};

// ---- the grid, memory

__device__ int counts[4];
__global__ void device_variables(int* y) {
    if (threadIdx.x < 4) counts[threadIdx.x] = 0;
    __syncthreads();
    atomicAdd(counts + threadIdx.x % 4, 1);
    __syncthreads();
    y[threadIdx.x] = counts[threadIdx.x % 4];
}

__global__ void copies(float* y, const float* x) {
    __shared__ float tile[64];
    if (threadIdx.x == 0) memset(tile, 0, sizeof tile);
    __syncthreads();
    float4 own;
    memcpy(&own, x + 4 * threadIdx.x, sizeof own);
    memcpy(tile + 4 * threadIdx.x, &own, sizeof own);
    __syncthreads();
    memcpy(y + 4 * threadIdx.x, tile + 60 - 4 * threadIdx.x, 16);
}

__global__ void positions(int* y) {
    const dim3 size = blockDim;
    const int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    const int thread = (threadIdx.z * size.y + threadIdx.y) * size.x + threadIdx.x;
    y[block * (size.x * size.y * size.z) + thread] = 1000 * block + thread;
}

struct Scale {
    float factor;
    cuda::std::int32_t shift;
    const float* more;
};
__global__ void by_value(float* y, const float* x, Scale scale, const void* nothing) {
    const int i = threadIdx.x;
    y[i] = x[i] * scale.factor + scale.shift + scale.more[i] + table[i % 4] + (nothing == nullptr);
}

extern "C" __global__ void __launch_bounds__(64) reversed(float* y, const float* __restrict__ x) {
    extern __shared__ float tile[];
    tile[threadIdx.x] = __ldg(x + threadIdx.x);
    __syncthreads();
    y[threadIdx.x] = tile[blockDim.x - 1 - threadIdx.x];
}

template <typename T> __global__ void row_sums(T* y, const T* x, int n) {
    __shared__ acc_t<T> scratch[32];
    acc_t<T> sum = 0, most = Max::zero<acc_t<T>>();
#pragma unroll 4
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
        sum += load(x[int64(blockIdx.x) * n + i]);
        most = Max::join(most, load(x[int64(blockIdx.x) * n + i]));
    }
    sum = block_reduce<Sum>(sum, scratch);
    most = block_reduce<Max>(most, scratch);
    if (threadIdx.x == 0) y[2 * blockIdx.x] = store<T>(sum);
    if (threadIdx.x == 0) y[2 * blockIdx.x + 1] = store<T>(most);
}

// ---- warps: one row of 32 results for each operation

__global__ void warp_operations(int* y, int width, int by) {
    const int lane = threadIdx.x, value = 10 * lane;
    int *row = y + lane, all;
    row[0] = __shfl_sync(kAllLanes, value, by, width);
    row[32] = __shfl_up_sync(kAllLanes, value, by, width);
    row[64] = __shfl_down_sync(kAllLanes, value, by, width);
    row[96] = __shfl_xor_sync(kAllLanes, value, by, width);
    row[128] = static_cast<int>(__ballot_sync(kAllLanes, lane % 3 == 0));
    row[160] = __any_sync(kAllLanes, lane == 40) + 2 * __all_sync(kAllLanes, lane < 32);
    row[192] = static_cast<int>(__match_any_sync(kAllLanes, lane % 4));
    row[224] = static_cast<int>(__match_all_sync(kAllLanes, 7, &all)) + all;
    row[256] = __reduce_add_sync(kAllLanes, lane) + __reduce_max_sync(kAllLanes, -lane);
    row[288] = lane % 2 ? static_cast<int>(__shfl_xor_sync(0xaaaaaaaau, 1.5 * lane, 2)) : -1;
}

__global__ void warps_without_barriers(float* y, const float* x) {
    __shared__ float tile[64];
    const int i = threadIdx.x;
    for (int step = 1; step < 32; step *= 2) {
        tile[i] = step == 1 ? x[i] : y[i];
        __syncwarp();
        const float other = tile[i ^ step];
        __syncwarp();
        y[i] = other;
    }
}

__global__ void barrier_votes(int* y) {
    const int odd = threadIdx.x % 2;
    y[threadIdx.x] = __syncthreads_count(odd) + 1000 * __syncthreads_and(odd) + 2000 * __syncthreads_or(odd);
}

// y[i] is the sum of its warp's x, of the warps that x has. The others return early, before the barriers.
__global__ void early_return(float* y, const float* x, int n) {
    __shared__ float tile[128];
    const int i = threadIdx.x;
    if (i >= n) return;
    for (int step = 0;; ++step) {
        tile[i] = x[i] + step;
        __syncthreads();
        const float other = tile[i ^ 1];
        __syncthreads();
        y[i] = other;
        if (step == i / 32) return;  // warp after warp leaves the loop
    }
}

// ---- blocks that wait for one another: all of them run at once, as on a GPU that has room for them

// y[b] is the sum of x up to block b, which waits for the one before it. A block draws its number when it begins.
__global__ void look_back(float* y, const float* x, unsigned* drawn, int* ready) {
    __shared__ unsigned number;
    __shared__ float before;
    if (threadIdx.x == 0) {
        number = blockIdx.x;
        before = 0;
        if (number > 0) {
            while (atomicAdd(ready + number - 1, 0) == 0) {}
            before = y[number - 1];
        }
        y[number] = before + x[number];
        __threadfence();
        atomicExch(ready + number, 1);
        atomicAdd(drawn, 1u);
    }
    __syncthreads();
    if (threadIdx.x == 1) assert(number == blockIdx.x && before == y[number] - x[number]);
}

// Every block reads what all others wrote: a barrier of the whole grid.
__global__ void grid_barrier(float* y, float* partial, const float* x, unsigned* arrived) {
    __shared__ float own;
    if (threadIdx.x == 0) {
        own = x[blockIdx.x];
        partial[blockIdx.x] = own;
        __threadfence();
        atomicAdd(arrived, 1u);
        while (atomicAdd(arrived, 0u) < gridDim.x) __nanosleep(100);
    }
    __syncthreads();
    float sum = 0;
    if (threadIdx.x == 0) {
        for (int i = 0; i < gridDim.x; ++i) sum += partial[i];
        y[blockIdx.x] = sum + 1000 * own;
    }
}

// ---- atomics

__global__ void histogram(int* y, const int* x, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) atomicAdd(y + x[i], 1);
}

__global__ void more_atomics(int* y, float* f, unsigned long long* large, __half* h) {
    atomicMax(y, int(threadIdx.x));
    atomicMin(y + 1, -int(threadIdx.x));
    atomicOr(y + 2, 1 << threadIdx.x);
    atomicSub(y + 3, 2);
    atomicCAS(y + 4, 0, 5);
    atomicAdd(f, 0.5f);
    atomicAdd(large, 1ull << 32);
    atomicAdd(h, __half(1.0f));
}

__global__ void lock_within_a_block(int* y, int* lock) {
    for (bool done = false; !done;) {
        if (atomicCAS(lock, 0, 1) != 0) continue;
        atomicExch(y, atomicAdd(y, 0) + 1);
        __threadfence();
        atomicExch(lock, 0);
        done = true;
    }
}

__global__ void last_block(float* y, const float* x, float* partial, unsigned* done) {
    __shared__ bool last;
    __shared__ float scratch[32];
    const float sum = block_reduce<Sum>(x[thread_index()], scratch);
    if (threadIdx.x == 0) {
        partial[blockIdx.x] = sum;
        __threadfence();
        last = atomicAdd(done, 1u) == gridDim.x - 1;
    }
    __syncthreads();
    if (!last || threadIdx.x != 0) return;
    float total = 0;
    for (int i = 0; i < gridDim.x; ++i) total += partial[i];
    *y = total;
}

// ---- numbers

__global__ void mathematics(double* y, double x) {
    const float single = float(x), nan = __int_as_float(0x7fc00000);
    const double results[] = {
        __expf(single), rsqrtf(single), __frcp_rn(single), erff(single), erfcf(single), log1pf(single), expm1f(single),
        lgamma(x), normcdf(x), erfinv(x), erfcinv(x), erfcx(x), normcdfinv(x), cospi(x), exp10(x), cbrt(x), rsqrt(x),
        double(max(1, 2u)), double(min(-1ll, 3ll)), fmaxf(nan, single),
        double(isnan(nan) && !isnan(x)), double(isinf(-1 / (x - x)) && !isinf(x)),
        __fdividef(single, 2), double(__float2int_rn(2.5f)),
        double(__float2int_rz(-1e20f)), double(__float2uint_rn(-3.0f)), fma(x, x, 1.0),
    };
    for (int i = 0; i < sizeof(results) / sizeof(double); ++i) y[i] = results[i];
}

__global__ void integers(long long* y) {
    const long long results[] = {
        __popc(0xf0f0u), __clz(1), __clz(0), __ffs(8), __brev(1u), __umulhi(1u << 31, 6u), __mulhi(-1, 5),
        static_cast<long long>(__umul64hi(1ull << 63, 6ull)), __float_as_int(1.0f),
        __byte_perm(0x33221100, 0x77665544, 0x7410), __funnelshift_l(0x80000000u, 1u, 4),
        __dp4a(0x01020304, 0x01010101, 5), __popcll(~0ull), __clzll(1),
    };
    for (int i = 0; i < sizeof(results) / sizeof(long long); ++i) y[i] = results[i];
}

__global__ void to_integers(int* narrow, long long* wide, unsigned* positive, const float* x, int n) {
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
        narrow[i] = (int)x[i];
        narrow[n + i] = static_cast<int>(double(x[i]));
        wide[i] = x[i];
        wide[n + i] = double(x[i]);
        positive[i] = x[i] >= 0 ? unsigned(x[i]) : 0;
    }
}

template <typename T> __global__ void to_storage(T* y, const float* x, const double* wide, int n) {
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
        y[i] = T(x[i]);
        y[n + i] = T(wide[i]);
    }
}

template <typename T> __global__ void storage_operators(T* y, const T* x, int n) {
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
        const T a = x[i], b = x[(i + 1) % n];
        const T results[] = {a + b, a - b, a * b, a / b, -a, __hfma(a, b, a), __hmax(a, b), __habs(a),
                             T(float(a < b)), T(float(a == b)), hexp(__hmin(a, T(2.0f))), __hadd(a, b)};
        for (int k = 0; k < 12; ++k) y[k * n + i] = results[k];
    }
}

__global__ void pairs(__half2* y, const __half2* x, float2* f) {
    const __half2 a = x[0], b = x[1];
    y[0] = __hadd2(a, b);
    y[1] = __hfma2(a, b, __float2half2_rn(1.0f));
    y[2] = __halves2half2(__high2half(a), __low2half(b));
    y[3] = a * b - __floats2half2_rn(0.5f, 0.25f);
    f[0] = __half22float2(a);
    f[1] = make_float2(__low2float(b), __high2float(b));
}

// ---- tensor cores and asynchronous copies

// y (16 x 8) = a (16 x 16) b (16 x 8), row-major, through shared memory.
template <typename T> __global__ void product_16bit(float* y, const T* a, const T* b) {
    __shared__ alignas(16) T tile_a[16 * 16], tile_b[16 * 8];
    const int lane = threadIdx.x;
    cp_async<16>(tile_a + lane * 8, a + lane * 8);
    if (lane < 16) cp_async<16>(tile_b + lane * 8, b + lane * 8);
    cp_async_commit();
    cp_async_wait<0>();
    __syncthreads();
    uint32 fragment_a[4], fragment_b[2], same[2];
    ldmatrix_x4(fragment_a, tile_a + (lane % 16) * 16 + lane / 16 * 8);
    ldmatrix_x2_trans(fragment_b, tile_b + (lane % 16) * 8);
    for (int r = 0; r < 2; ++r) {
        const T low = tile_b[(2 * (lane % 4) + 8 * r) * 8 + lane / 4];
        const T high = tile_b[(2 * (lane % 4) + 8 * r + 1) * 8 + lane / 4];
        const T both[2] = {low, high};
        same[r] = *reinterpret_cast<const uint32*>(both);
        assert(same[r] == fragment_b[r]);
    }
    float sum[4] = {1, 1, 1, 1};
    mma_m16n8k16<T>(sum, fragment_a, fragment_b);
    for (int r = 0; r < 4; ++r) y[(lane / 4 + 8 * (r / 2)) * 8 + 2 * (lane % 4) + r % 2] = sum[r];
}

__global__ void product_tf32(float* y, const float* a, const float* b) {  // 16 x 8 = (16 x 8) (8 x 8)
    const int group = threadIdx.x / 4, place = threadIdx.x % 4;
    uint32 fragment_a[4], fragment_b[2];
    for (int r = 0; r < 4; ++r) fragment_a[r] = to_tf32(a[(group + 8 * (r % 2)) * 8 + place + 4 * (r / 2)]);
    for (int r = 0; r < 2; ++r) fragment_b[r] = to_tf32(b[(place + 4 * r) * 8 + group]);
    float sum[4] = {};
    mma_m16n8k8_tf32(sum, fragment_a, fragment_b);
    for (int r = 0; r < 4; ++r) y[(group + 8 * (r / 2)) * 8 + 2 * place + r % 2] = sum[r];
}

// Two stages: while one tile is used, the next is on its way. y[i] = sum over tiles of x[tile][63 - i].
__global__ void pipeline(float* y, const float* x, int tiles) {
    float* stages = dynamic_shared<float>();
    const int i = threadIdx.x;
    auto begin = [&](int tile) {
        const bool exists = tile < tiles;
        cp_async<4>(stages + tile % 2 * 64 + i, x + (exists ? tile * 64 + i : 0), exists ? 4 : 0);
        cp_async_commit();
    };
    begin(0);
    float sum = 0;
    for (int tile = 0; tile < tiles; ++tile) {
        begin(tile + 1);
        cp_async_wait<1>();
        __syncthreads();
        sum += stages[tile % 2 * 64 + 63 - i];
        __syncthreads();
    }
    cp_async_wait<0>();
    y[i] = sum;
}

__global__ void says_hello(int n) { printf("hello %d from %d\n", n, threadIdx.x); }
