// The backward kernels of attention on tensor cores: see attention_mma.cuh. `delta` is made by attention.cu.
//
// gq takes three products of each tile of scores, gk and gv four. One pass with five would have blocks add up gq or gk in
// memory, in an order that changes from run to run; two passes give the same bits each time.

#include "attention_mma.cuh"

template <int W> constexpr int kBackward = W == 64 ? 64 : 32;  // keys of a step for gq
constexpr int kQueries = 32;                                   // of a step for gk and gv
template <int W> constexpr int kParts = W == 64 ? 2 : 1;       // fragments of a warp for gk and gv, of 16 rows

// ---- scores whose rows are keys

// `score_rows` for rows of keys and columns of queries.
template <int N, typename T>
__device__ __forceinline__ void score_columns(Products<N>& s, const Attention& a, const Bias<T>& bias, int row,
                                              int key, float scale) {
    const int first = 2 * place(), end = int(a.queries) - row;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
        const int j = key + group() + 8 * r;
        const int begin = j >= int(a.keys) ? N : a.causal ? j - row : 0;
        if (a.mask_kind == kNoMask) {
#pragma unroll
            for (int n = 0; n < N / 8; ++n)
                for (int c = 0; c < 2; ++c) {
                    float& x = s[n][2 * r + c];
                    const int column = n * 8 + first + c;
                    x = column >= begin && column < end ? x * scale : -infinity<float>();
                }
        } else {
#pragma unroll
            for (int n = 0; n < N / 8; ++n)
                for (int c = 0; c < 2; ++c) {
                    float& x = s[n][2 * r + c];
                    const int column = n * 8 + first + c;
                    const bool open = column >= begin && column < end;
                    x = open ? score(x, scale, bias.of_mask(a, row + column, j)) : -infinity<float>();
                }
        }
    }
}

// `kept_by_rows` for rows of keys (the first is `key`) and columns of queries. The four keys that are drawn together belong
// to four lanes, which share four such draws (two queries, and two groups of rows): each lane makes one.
template <int N> __device__ __forceinline__ uint32 kept_by_columns(const Attention& a, int64 row, int key) {
    const int own = group() % 4, lane = threadIdx.x % kWarp;
    const int four = key / 4 + group() / 4 + own / 2 * 2;
    uint32 kept = 0;
#pragma unroll 1
    for (int n = 0; n < N / 8; ++n) {
        const uint32 mine = kept_of_four(a, row + n * 8 + 2 * place() + own % 2, four);
        for (int r = 0; r < 4; ++r) {
            const uint32 bits = __shfl_sync(kAllLanes, mine, lane / 16 * 16 + r * 4 + place());
            kept |= (bits >> own & 1) << (4 * n + r);
        }
    }
    return kept;
}

// ---- the kernels

template <typename T, int W> __global__ void __launch_bounds__(kThreads<2>, 2)
attention_mma_backward_q(T* gq, const T* g, const T* q, const T* k, const T* v, const void* mask, const float* lse,
                         const float* delta, Attention a) {
    constexpr int N = kBackward<W>, M = 2, threads = kThreads<M>, stage = 2 * N * W;
    T* const queries = dynamic_shared<T>();
    T* const upstream = queries + kRows * W;
    T* const tiles = upstream + kRows * W;  // two stages of keys and values
    float* const levels = reinterpret_cast<float*>(tiles + 2 * stage);  // of each row, as below
    const uint32 blocks = (a.queries + kRows - 1) / kRows, pair = blockIdx.x / blocks;
    const int row = (blocks - 1 - blockIdx.x % blocks) * kRows;
    const int64 batch = pair / uint32(a.heads), head = pair % uint32(a.heads);
    const int64 key_head = uint32(head) / uint32(a.heads / a.key_heads);
    const Matrix<const T> keys(k, a.k, batch, key_head, a.keys, a.width);
    const Matrix<const T> values(v, a.v, batch, key_head, a.keys, a.value_width);
    const Bias<T> bias(mask, a, batch, head);
    const float scale = a.scale * kLog2E;

    fetch<kRows, W, threads>(queries, Matrix<const T>(q, a.q, batch, head, a.queries, a.width), row);
    fetch<kRows, W, threads>(upstream, Matrix<const T>(g, a.g, batch, head, a.queries, a.value_width), row);
    fetch<N, W, threads>(tiles, keys, 0);
    fetch<N, W, threads>(tiles + N * W, values, 0);
    cp_async_commit();
    for (int i = threadIdx.x; i < kRows; i += threads) {  // shift, reciprocal, delta times the reciprocal
        const int64 at = pair * a.queries + min(row + i, int(a.queries) - 1);
        levels[i] = lse[2 * at], levels[kRows + i] = lse[2 * at + 1];
        levels[2 * kRows + i] = delta[at] * levels[kRows + i];
    }
    float sum[M][W / 8][4] = {};
    const int stop = a.causal ? min(int(a.keys), row + kRows) : int(a.keys);
    const int open = a.mask_kind != kNoMask ? 0 : a.causal ? min(stop, row + 1) : stop;
    int at = 0;  // the stage
    for (int key = 0; key < stop; key += N, at ^= 1) {
        const T* const now = tiles + at * stage;
        cp_async_wait<0>();
        __syncthreads();
        if (key + N < stop) {
            T* const next = tiles + (at ^ 1) * stage;
            fetch<N, W, threads>(next, keys, key + N);
            fetch<N, W, threads>(next + N * W, values, key + N);
        }
        cp_async_commit();

        const bool partial = key + N > open;
        float p[M][N / 8][4], gp[M][N / 8][4];
        multiply<N, W, M>(p, queries, now);
        multiply<N, W, M>(gp, upstream, now + N * W);
#pragma unroll
        for (int m = 0; m < M; ++m) {
            const int first = row + fragment_row<M>(m);
            float shift[2], reciprocal[2], mean[2];
            for (int r = 0; r < 2; ++r) {
                const float* const its = levels + fragment_row<M>(m) + group() + 8 * r;
                shift[r] = its[0], reciprocal[r] = its[kRows], mean[r] = its[2 * kRows];
            }
            if (a.dropout > 0) drop<N>(gp[m], kept_by_rows<N>(a, pair * a.queries + first, key), a);
            if (partial) {
                score_rows<N>(p[m], a, bias, first, key, scale);
#pragma unroll
                for (int n = 0; n < N / 8; ++n)
                    for (int r = 0; r < 4; ++r) {  // only hidden scores may give -0; adding 0 turns any other into +0
                        const float whole = probability(p[m][n][r], shift[r / 2]);
                        const float slope = gp[m][n][r] * reciprocal[r / 2] - mean[r / 2];
                        p[m][n][r] = is_hidden(whole) ? whole : whole * slope + 0.0f;
                    }
            } else {
#pragma unroll
                for (int n = 0; n < N / 8; ++n)
                    for (int r = 0; r < 4; ++r)
                        p[m][n][r] = fast_exp2(p[m][n][r] * scale - shift[r / 2])
                            * (gp[m][n][r] * reciprocal[r / 2] - mean[r / 2]);
            }
        }
        if (partial && is_wild<N, W, threads>(now)) accumulate_wild<N, W, M>(sum, p, now);
        else accumulate<N, W, M>(sum, p, now);
    }
    cp_async_wait<0>();
    const float factor[2] = {float(a.scale), float(a.scale)};
#pragma unroll
    for (int m = 0; m < M; ++m)
        write_rows<W>(Matrix<T>(gq, a.gq, batch, head, a.queries, a.width), row + fragment_row<M>(m), sum[m], factor);
}

// Turns columns 2 place() and 2 place() + 1 of every 8 of the scores (products, unless `partial`) into weights, and of
// the weights' gradients into those of the scores. `levels` has shift and reciprocal of each column, `deltas` its delta.
template <bool partial, int N>
__device__ __forceinline__ void differentiate(
    Products<N>& p, Products<N>& gp, const float* levels, const float* deltas, float scale
) {
#pragma unroll
    for (int n = 0; n < N / 8; ++n) {
        const int column = n * 8 + 2 * place();
        float level[4], delta[2];
        read<4>(level, levels + 2 * column);
        read<2>(delta, deltas + column);
#pragma unroll
        for (int r = 0; r < 4; ++r) {
            const float shift = level[r % 2 * 2], reciprocal = level[r % 2 * 2 + 1];
            const bool hidden = partial && p[n][r] == -infinity<float>();
            const float weight = fast_exp2(p[n][r] * (partial ? 1 : scale) - shift) * reciprocal;
            p[n][r] = hidden ? 0.0f : weight;
            gp[n][r] = hidden ? 0.0f : weight * (gp[n][r] - delta[r % 2]);
        }
    }
}

template <typename T, int W> __global__ void __launch_bounds__(kThreads<kParts<W>>, kParts<W>)
attention_mma_backward_kv(T* gk, T* gv, const T* g, const T* q, const T* k, const T* v, const void* mask,
                          const float* lse, const float* delta, Attention a) {
    constexpr int N = kQueries, M = kParts<W>, threads = kThreads<M>, stage = 2 * N * W;
    T* const keys = dynamic_shared<T>();
    T* const values = keys + kRows * W;
    T* const tiles = values + kRows * W;  // two stages of queries and upstream gradients
    float* const levels = reinterpret_cast<float*>(tiles + 2 * stage);  // two stages of N pairs, and of N deltas
    const uint32 blocks = (a.keys + kRows - 1) / kRows, pair = blockIdx.x / blocks;
    const int key = blockIdx.x % blocks * kRows;  // the first keys have the most causal queries
    const int batch = pair / uint32(a.key_heads), key_head = pair % uint32(a.key_heads);
    const int members = uint32(a.heads) / uint32(a.key_heads);
    const float scale = a.scale * kLog2E;
    const int first = a.causal ? key : 0, queries = a.queries;

    const auto fetch_step = [&](int at, int head, int row) {
        T* const tile = tiles + at * stage;
        fetch<N, W, threads>(tile, Matrix<const T>(q, a.q, batch, head, a.queries, a.width), row);
        fetch<N, W, threads>(tile + N * W, Matrix<const T>(g, a.g, batch, head, a.queries, a.value_width), row);
        const int t = threadIdx.x;
        const bool exists = row + t % N < queries;
        const int64 from = exists ? (batch * a.heads + head) * a.queries + row + t % N : 0;
        if (t < N) cp_async<8>(levels + (at * N + t) * 2, lse + 2 * from, exists ? 8 : 0);
        else if (t < 2 * N) cp_async<4>(levels + 4 * N + at * N + t - N, delta + from, exists ? 4 : 0);
    };
    fetch<kRows, W, threads>(keys, Matrix<const T>(k, a.k, batch, key_head, a.keys, a.width), key);
    fetch<kRows, W, threads>(values, Matrix<const T>(v, a.v, batch, key_head, a.keys, a.value_width), key);
    // The heads of the group come one after the other.
    int head = key_head * members, row = first;
    const int last_head = first < queries ? head + members : head;
    if (head < last_head) fetch_step(0, head, row);
    cp_async_commit();

    float key_sum[M][W / 8][4] = {}, value_sum[M][W / 8][4] = {};
    for (int at = 0; head < last_head; at ^= 1) {
        const T* const now = tiles + at * stage;
        const bool same = row + N < queries;
        const int next_head = same ? head : head + 1, next_row = same ? row + N : first;
        cp_async_wait<0>();
        __syncthreads();
        if (next_head < last_head) fetch_step(at ^ 1, next_head, next_row);
        cp_async_commit();

        float p[M][N / 8][4], gp[M][N / 8][4];
        multiply<N, W, M>(p, keys, now);
        multiply<N, W, M>(gp, values, now + N * W);
        const bool partial = a.mask_kind != kNoMask || key + kRows > int(a.keys) || row + N > queries
                          || (a.causal && key + kRows > row + 1);
        const float* const level = levels + 2 * at * N;
        const float* const deltas = levels + (4 + at) * N;
#pragma unroll
        for (int m = 0; m < M; ++m) {
            const int j = key + fragment_row<M>(m);
            const int64 number = (batch * a.heads + head) * a.queries + row;
            const uint32 kept = a.dropout > 0 ? kept_by_columns<N>(a, number, j) : 0;
            if (a.dropout > 0) drop<N>(gp[m], kept, a);
            if (partial) {
                score_columns<N>(p[m], a, Bias<T>(mask, a, batch, head), row, j, scale);
                differentiate<true, N>(p[m], gp[m], level, deltas, scale);
            } else {
                differentiate<false, N>(p[m], gp[m], level, deltas, scale);
            }
            if (a.dropout > 0) drop<N>(p[m], kept, a);
        }
        accumulate<N, W, M>(value_sum, p, now + N * W);
        accumulate<N, W, M>(key_sum, gp, now);
        head = next_head, row = next_row;
    }
    cp_async_wait<0>();
    const float one[2] = {1, 1}, factor[2] = {float(a.scale), float(a.scale)};
#pragma unroll
    for (int m = 0; m < M; ++m) {
        const int i = key + fragment_row<M>(m);
        write_rows<W>(Matrix<T>(gv, a.gv, batch, key_head, a.keys, a.value_width), i, value_sum[m], one);
        write_rows<W>(Matrix<T>(gk, a.gk, batch, key_head, a.keys, a.width), i, key_sum[m], factor);
    }
}
