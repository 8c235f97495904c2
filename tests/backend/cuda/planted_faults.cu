// Kernels with one mistake each, for test_emulator.py: the line that an error has to name ends in "// here".
//
// All have the same parameters: y and x have one element a thread of a block of 64, n is 64.

#include "common.cuh"
#include "ptx.cuh"

// ---- races

__global__ void missing_barrier(float* y, const float* x, int n) {
    __shared__ float tile[64];
    tile[threadIdx.x] = x[threadIdx.x];
    y[threadIdx.x] = tile[n - 1 - threadIdx.x];  // here
}

__global__ void broadcast_without_barrier(float* y, const float* x, int n) {
    __shared__ float first;
    if (threadIdx.x == 0) first = x[0];
    y[threadIdx.x] = first + x[threadIdx.x];  // here
}

__global__ void buffer_used_again(float* y, const float* x, int n) {
    __shared__ float tile[64];
    tile[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    const float other = tile[n - 1 - threadIdx.x];
    tile[threadIdx.x] = other;  // here
    y[threadIdx.x] = other;
}

__global__ void missing_syncwarp(float* y, const float* x, int n) {
    __shared__ float tile[64];
    tile[threadIdx.x] = x[threadIdx.x];
    y[threadIdx.x] = tile[threadIdx.x ^ 1];  // here
}

__global__ void half_of_a_warp_is_not_ordered(float* y, const float* x, int n) {
    __shared__ float tile[64];
    const int lane = threadIdx.x % 32;
    tile[threadIdx.x] = x[threadIdx.x];
    if (lane < 16) __syncwarp(0x0000ffffu);
    else __syncwarp(0xffff0000u);
    y[threadIdx.x] = tile[threadIdx.x ^ 16];  // here
}

__global__ void threads_add_without_atomic(float* y, const float* x, int n) {
    y[0] += x[threadIdx.x];  // here
}

__global__ void blocks_add_without_atomic(float* y, const float* x, int n) {
    if (threadIdx.x == 0) y[0] += x[0];  // here
}

__global__ void atomic_and_plain(int* y, const float* x, int n) {
    if (threadIdx.x == 0) y[0] = 0;
    atomicAdd(y, 1);  // here
}

__device__ float total;
__global__ void race_on_a_device_variable(float* y, const float* x, int n) {
    total += x[threadIdx.x];  // here
    y[threadIdx.x] = 1;
}

__global__ void neighbours_write_bytes(unsigned char* y, const float* x, int n) {
    y[threadIdx.x / 2] = 1;  // here
}

__global__ void last_block_without_fence(float* y, const float* x, int n) {
    unsigned* done = reinterpret_cast<unsigned*>(y);
    if (threadIdx.x != 0) return;
    y[1 + blockIdx.x] = x[blockIdx.x];
    if (atomicAdd(done, 1u) != gridDim.x - 1) return;
    float sum = 0;
    for (int i = 0; i < gridDim.x; ++i) sum += y[1 + i];  // here
    y[8] = sum;
}

// ---- bounds and alignment

__global__ void write_past_the_end(float* y, const float* x, int n) {
    y[threadIdx.x + 1] = x[threadIdx.x];  // here
}

__global__ void read_before_the_start(float* y, const float* x, int n) {
    y[threadIdx.x] = x[static_cast<int>(threadIdx.x) - 1];  // here
}

__global__ void vector_past_the_end(float* y, const float* x, int n) {
    reinterpret_cast<float4*>(y)[threadIdx.x] = make_float4(1, 2, 3, 4);  // here
}

__global__ void dynamic_shared_past_the_end(float* y, const float* x, int n) {
    extern __shared__ float tile[];
    tile[threadIdx.x + 1] = x[threadIdx.x];  // here
    __syncthreads();
    y[threadIdx.x] = tile[threadIdx.x];
}

__global__ void static_shared_index(float* y, const float* x, int n) {
    __shared__ float tile[64], other[64];
    tile[threadIdx.x + n - 63] = x[threadIdx.x];  // here
    other[threadIdx.x] = 0;
    __syncthreads();
    y[threadIdx.x] = tile[threadIdx.x] + other[threadIdx.x];
}

__global__ void misaligned_vector(float* y, const float* x, int n) {
    y[threadIdx.x] = reinterpret_cast<const float4*>(x + 1)->x;  // here
}

__global__ void misaligned_copy(float* y, const float* x, int n) {
    __shared__ alignas(16) float tile[128];
    cp_async<16>(tile + threadIdx.x, x + 4 * (threadIdx.x % 16));  // here
    cp_async_commit();
    cp_async_wait<0>();
}

__global__ void local_array_through_a_pointer(float* y, const float* x, int n) {
    float window[4] = {0, 0, 0, 0};
    float* to = window;
    for (int i = 0; i <= n / 16; ++i) to[i] = x[threadIdx.x];  // here
    y[threadIdx.x] = window[threadIdx.x % 4];
}

__global__ void shared_array_through_a_pointer(float* y, const float* x, int n) {
    __shared__ float tile[64], other[64];
    float* to = tile;
    other[threadIdx.x] = 0;
    __syncthreads();
    to[threadIdx.x + n / 64] = x[threadIdx.x];  // here
    __syncthreads();
    y[threadIdx.x] = tile[threadIdx.x] + other[threadIdx.x];
}

__global__ void ldmatrix_past_the_tile(float* y, const float* x, int n) {
    __shared__ alignas(16) __half tile[8 * 16], other[8 * 16];
    for (int i = threadIdx.x; i < 8 * 16; i += 64) tile[i] = other[i] = __half(1.0f);
    __syncthreads();
    uint32 fragment[4];
    ldmatrix_x4(fragment, tile + threadIdx.x % 32 * 8);  // here
    y[threadIdx.x] = fragment[0] + fragment[2];
}

__global__ void copy_past_the_tile(float* y, const float* x, int n) {
    __shared__ alignas(16) float tile[64], other[64];
    other[threadIdx.x] = 0;
    __syncthreads();
    cp_async<4>(tile + threadIdx.x + n / 64, x + threadIdx.x);  // here
    cp_async_commit();
    cp_async_wait<0>();
    __syncthreads();
    y[threadIdx.x] = tile[threadIdx.x] + other[threadIdx.x];
}

__global__ void write_through_const_cast(float* y, const float* x, int n) {
    y[threadIdx.x] = x[threadIdx.x];
    const_cast<float*>(x)[threadIdx.x] = 0;  // here
}

__global__ void atomic_through_const_cast(float* y, const float* x, int n) {
    y[threadIdx.x] = atomicAdd(const_cast<float*>(x + threadIdx.x), 1.0f);  // here
}

__global__ void null_pointer(float* y, const float* x, int n) {
    float* nowhere = n == 64 ? nullptr : y;
    nowhere[threadIdx.x] = 1;  // here
}

// ---- divergence

__global__ void barrier_in_a_branch(float* y, const float* x, int n) {
    if (threadIdx.x < 32) __syncthreads();  // here
    y[threadIdx.x] = 1;
}

__global__ void return_after_a_missed_barrier(float* y, const float* x, int n) {
    y[threadIdx.x] = 1;
    if (threadIdx.x < 32) __syncthreads();  // here
    if (n == 64) return;
    y[threadIdx.x] = 2;
}

__global__ void two_barriers(float* y, const float* x, int n) {
    if (threadIdx.x < 32) __syncthreads();
    else __syncthreads();  // here
    y[threadIdx.x] = 1;
}

__global__ void shuffle_in_a_branch(float* y, const float* x, int n) {
    float value = x[threadIdx.x];
    if (threadIdx.x & 1) value = __shfl_xor_sync(kAllLanes, value, 2);  // here
    y[threadIdx.x] = value;
}

__global__ void shuffle_from_an_absent_lane(float* y, const float* x, int n) {
    float value = x[threadIdx.x];
    if (threadIdx.x % 32 < 16) value = __shfl_sync(0xffffu, value, 20);  // here
    y[threadIdx.x] = value;
}

// ---- what was never written

__global__ void unwritten_output(float* y, const float* x, int n) {  // no error: the values are NaN
    if (threadIdx.x != 7) y[threadIdx.x] = x[threadIdx.x];
}

__global__ void uninitialised_shared(float* y, const float* x, int n) {
    __shared__ float tile[64];
    if (threadIdx.x != 7) tile[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = tile[threadIdx.x];  // here
}

__global__ void uninitialised_shared_int(float* y, const float* x, int n) {
    __shared__ int count;
    if (x[threadIdx.x] == 0) count = 0;
    __syncthreads();
    y[threadIdx.x] = count;  // here
}

__global__ void uninitialised_shared_counter(float* y, const float* x, int n) {
    __shared__ int count;
    atomicAdd(&count, 1);  // here
    __syncthreads();
    y[threadIdx.x] = count;
}

__global__ void uninitialised_dynamic(float* y, const float* x, int n) {
    extern __shared__ float tile[];
    if (threadIdx.x != 7) tile[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = tile[threadIdx.x];  // here
}

__global__ void uninitialised_float(float* y, const float* x, int n) {
    float sum;
    for (int i = 0; i < n; ++i) sum += x[i];
    y[threadIdx.x] = sum;  // here
}

__global__ void uninitialised_int(float* y, const float* x, int n) {
    int i;
    if (x[0] < 0) i = 1;
    y[threadIdx.x] = x[i];  // here
}

__global__ void uninitialised_local_array(float* y, const float* x, int n) {  // no error: the values are -1.7e38
    float last[8];
    for (int i = threadIdx.x % 8; i < 7; ++i) last[i] = x[threadIdx.x];
    y[threadIdx.x] = threadIdx.x % 8 < 7 || threadIdx.x == 7 ? last[(threadIdx.x + n) % 8] : 0;
}

__global__ void missing_wait(float* y, const float* x, int n) {
    __shared__ float tile[64];
    cp_async<4>(tile + threadIdx.x, x + threadIdx.x);
    cp_async_commit();
    const float early = tile[threadIdx.x];  // here
    cp_async_wait<0>();
    y[threadIdx.x] = threadIdx.x == 7 ? early : tile[threadIdx.x];
}

__global__ void waits_for_one_group_too_few(float* y, const float* x, int n) {
    __shared__ float stages[2][64];
    float sum = 0;
    auto begin = [&](int step) {
        cp_async<4>(&stages[step % 2][threadIdx.x], x + threadIdx.x);
        cp_async_commit();
    };
    begin(0);
    for (int step = 0; step < 4; ++step) {
        begin(step + 1);
        cp_async_wait<2>();
        sum += stages[step % 2][threadIdx.x];  // here
    }
    cp_async_wait<0>();
    y[threadIdx.x] = sum;
}

// ---- asynchronous copies

__global__ void write_under_a_copy(float* y, const float* x, int n) {
    __shared__ float tile[64];
    cp_async<4>(tile + threadIdx.x, x + threadIdx.x);
    cp_async_commit();
    tile[threadIdx.x] = 0;  // here
    cp_async_wait<0>();
    y[threadIdx.x] = tile[threadIdx.x];
}

__global__ void write_to_the_source_of_a_copy(float* y, const float* x, int n) {
    __shared__ float tile[64];
    y[threadIdx.x] = 0;
    cp_async<4>(tile + threadIdx.x, y + threadIdx.x);
    cp_async_commit();
    y[threadIdx.x] = 1;  // here
    cp_async_wait<0>();
}

__global__ void two_copies_at_once(float* y, const float* x, int n) {
    __shared__ float tile[64];
    cp_async<4>(tile + threadIdx.x, x + threadIdx.x);
    cp_async<4>(tile + threadIdx.x, x);  // here
    cp_async_commit();
    cp_async_wait<0>();
    y[threadIdx.x] = tile[threadIdx.x];
}

// ---- the rest

__global__ void copy_never_waited_for(float* y, const float* x, int n) {
    __shared__ float tile[64];
    cp_async<4>(tile + threadIdx.x, x + threadIdx.x);  // here
    cp_async_commit();
    y[threadIdx.x] = 1;
}

__global__ void another_reads_the_copy(float* y, const float* x, int n) {
    __shared__ float tile[64];
    cp_async<4>(tile + threadIdx.x, x + threadIdx.x);
    cp_async_commit();
    cp_async_wait<0>();
    y[threadIdx.x] = tile[n - 1 - threadIdx.x];  // here
}

__global__ void endless_loop(float* y, const float* x, int n) {
    while (*const_cast<volatile int*>(&n) == 64) {}  // here
    y[threadIdx.x] = 1;
}

__global__ void waits_for_another_block(int* y, const float* x, int n) {
    while (atomicAdd(y, 0) == 0) {}
}

__global__ void too_many_locals(float* y, const float* x, int n) {  // here
    volatile float all[1 << 17];
    for (int i = 0; i < n; ++i) all[i * 2000] = x[i];
    y[threadIdx.x] = all[threadIdx.x * 2000];
}

__device__ __noinline__ int deep(int n, volatile char* below) {
    volatile char here[4096];
    here[0] = below[0];
    return n > 100000 ? here[0] : deep(n + 1, here) + here[0];  // here
}
__global__ void stack_overflow(float* y, const float* x, int n) {
    volatile char top[1] = {1};
    y[threadIdx.x] = deep(n, top);
}

__global__ void division_by_zero(float* y, const float* x, int n) {
    y[threadIdx.x] = 5 / (n - 64);  // here
}

__global__ void offset_overflow(float* y, const float* x, int n) {
    const int rows = n << 20, offset = rows * n;  // here
    y[threadIdx.x] = offset ? 1 : 0;
}

__global__ void failed_assert(float* y, const float* x, int n) {
    assert(n == 3);  // here
    y[threadIdx.x] = 1;
}

__device__ void store_at(float* y, int i) {
    y[i] = 1;  // the call is what matters to the reader: both lines are named
}
__global__ void fault_in_a_function(float* y, const float* x, int n) {
    store_at(y, threadIdx.x + 1);  // here
}
