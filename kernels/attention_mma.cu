// The forward kernel of attention on tensor cores: see attention_mma.cuh.

#include "attention_mma.cuh"

constexpr int kForward = 64;  // keys of a step

// The running maximum and sum of a fragment's two rows.
struct Running { float peak[2], total[2]; };

// Turns products into weights exp2(score - peak), and scales the sums of the steps before to the new peak.
template <int N, int W, typename T>
__device__ __forceinline__ void weigh(Products<N>& s, Products<W>& sum, Running& now, bool partial, const Attention& a,
                                      const Bias<T>& bias, int row, int key, float scale) {
    float top[2] = {-infinity<float>(), -infinity<float>()}, shift[2];
    if (partial) score_rows<N>(s, a, bias, row, key, scale);
#pragma unroll
    for (int n = 0; n < N / 8; ++n)
        for (int r = 0; r < 4; ++r) top[r / 2] = fmaxf(top[r / 2], s[n][r]);
    const float factor = partial ? 1 : scale;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
        top[r] = fmaxf(now.peak[r], top[r] * factor);
        top[r] = fmaxf(top[r], __shfl_xor_sync(kAllLanes, top[r], 1));
        top[r] = fmaxf(top[r], __shfl_xor_sync(kAllLanes, top[r], 2));
        shift[r] = top[r] == -infinity<float>() ? 0 : top[r];
        const float rescale = fast_exp2(now.peak[r] - shift[r]);
        now.peak[r] = top[r];
        now.total[r] *= rescale;
#pragma unroll
        for (int n = 0; n < W / 8; ++n)
            for (int c = 0; c < 2; ++c) sum[n][2 * r + c] *= rescale;
    }
    if (partial) {
#pragma unroll
        for (int n = 0; n < N / 8; ++n)
            for (int r = 0; r < 4; ++r) s[n][r] = probability(s[n][r], shift[r / 2]);
    } else {
#pragma unroll
        for (int n = 0; n < N / 8; ++n)
            for (int r = 0; r < 4; ++r) s[n][r] = fast_exp2(s[n][r] * scale - shift[r / 2]);
    }
#pragma unroll
    for (int n = 0; n < N / 8; ++n)
        for (int r = 0; r < 4; ++r) now.total[r / 2] += s[n][r];
}

template <typename T, int W> __global__ void __launch_bounds__(kThreads<2>, 2)
attention_mma_forward(T* out, float* lse, const T* q, const T* k, const T* v, const void* mask, Attention a) {
    constexpr int N = kForward, M = 2, threads = kThreads<M>;
    T* const queries = dynamic_shared<T>();
    T* const key_tile = queries + kRows * W;
    T* const value_tile = key_tile + N * W;
    const uint32 blocks = (a.queries + kRows - 1) / kRows, pair = blockIdx.x / blocks;
    const int row = (blocks - 1 - blockIdx.x % blocks) * kRows;  // the longest causal rows first
    const int64 batch = pair / uint32(a.heads), head = pair % uint32(a.heads);
    const int64 key_head = uint32(head) / uint32(a.heads / a.key_heads);
    const Matrix<const T> keys(k, a.k, batch, key_head, a.keys, a.width);
    const Matrix<const T> values(v, a.v, batch, key_head, a.keys, a.value_width);
    const Bias<T> bias(mask, a, batch, head);
    const float scale = a.scale * kLog2E;

    fetch<kRows, W, threads>(queries, Matrix<const T>(q, a.q, batch, head, a.queries, a.width), row);
    fetch<N, W, threads>(key_tile, keys, 0);
    cp_async_commit();
    float sum[M][W / 8][4] = {};
    Running now[M];
#pragma unroll
    for (int m = 0; m < M; ++m) now[m] = {{-infinity<float>(), -infinity<float>()}, {0, 0}};
    const int stop = a.causal ? min(int(a.keys), row + kRows) : int(a.keys);
    // Up to here nothing is hidden. A negative scale would make the largest product the least score.
    const int open = a.mask_kind != kNoMask || scale < 0 ? 0 : a.causal ? min(stop, row + 1) : stop;
    for (int key = 0; key < stop; key += N) {
        const bool partial = key + N > open;
        cp_async_wait<0>();
        __syncthreads();  // the keys are there, and the values of the step before are done with
        fetch<N, W, threads>(value_tile, values, key);
        cp_async_commit();
        float s[M][N / 8][4];
        multiply<N, W, M>(s, queries, key_tile);
        cp_async_wait<0>();
        __syncthreads();  // the values are there, and the keys are done with
        if (key + N < stop) fetch<N, W, threads>(key_tile, keys, key + N);
        cp_async_commit();
#pragma unroll
        for (int m = 0; m < M; ++m) {
            const int first = row + fragment_row<M>(m);
            weigh<N, W>(s[m], sum[m], now[m], partial, a, bias, first, key, scale);
            if (a.dropout > 0) drop<N>(s[m], kept_by_rows<N>(a, pair * a.queries + first, key), a);
        }
        if (partial && is_wild<N, W, threads>(value_tile)) accumulate_wild<N, W, M>(sum, s, value_tile);
        else accumulate<N, W, M>(sum, s, value_tile);
    }
    cp_async_wait<0>();
#pragma unroll
    for (int m = 0; m < M; ++m) {
        const int first = row + fragment_row<M>(m);
        float factor[2];
        for (int r = 0; r < 2; ++r) {
            float total = now[m].total[r], peak = now[m].peak[r];
            total += __shfl_xor_sync(kAllLanes, total, 1);
            total += __shfl_xor_sync(kAllLanes, total, 2);
            factor[r] = total == 0 ? 0 : 1 / total;
            const int i = first + group() + 8 * r;
            if (place() == 0 && i < int(a.queries)) {
                lse[(pair * a.queries + i) * 2] = peak == -infinity<float>() ? 0 : peak;
                lse[(pair * a.queries + i) * 2 + 1] = factor[r];
            }
        }
        write_rows<W>(Matrix<T>(out, a.out, batch, head, a.queries, a.value_width), first, sum[m], factor);
    }
}
