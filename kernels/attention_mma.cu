// Attention on tensor cores for float16 and bfloat16, widths up to 128: the mathematics and scheme of attention.cu.
//
// A block's 8 warps own 16 rows each of a tile of 128: queries in the forward kernel and for gq, keys for gk and gv. It
// walks over the other side in steps: one is copied (cp.async) into one of two stages while the other is multiplied.
// ldmatrix reads fragments from rows of 16-byte chunks. Chunk c of row r lies at c ^ (r % 8), so that eight rows use
// all banks: in row 0 chunks 0, 1, 2, ... lie in order, in row 1 they lie at 1, 0, 3, 2, ... A warp's scores stay in
// its registers: the accumulator fragments of two products are a left operand of the next one (so gk and gv form the
// transposed scores k q^T). Exponentials have base 2, scores are in units of log 2.
// Bytes: q, k, v and out once, k and v again for every 128 queries (from L2). Compute: 4 Tq Tk D forward, 14 backward.
// Source: Dao 2023 (FlashAttention-2), section 3.

#include "attention.cuh"
#include "ptx.cuh"

constexpr int kThreads = 256, kRows = kThreads / kWarp * 16;
template <int W> constexpr int kForward = 64;                      // keys of a step
template <int W> constexpr int kBackward = W == 64 ? 64 : 32;      // keys or queries of a step
constexpr float kLog2E = 1.4426950408889634f, kLargest = 3.4028235e38f;

template <int N> using Products = float[N / 8][4];     // of 16 rows and N columns: a warp's accumulator
template <int N> using Operand = uint32[N / 16][4];    // the same as a left operand of 16-bit numbers

// This thread has, of a fragment, rows group() and group() + 8, and columns 2 place() and 2 place() + 1 of every 8.
__device__ __forceinline__ int group() { return threadIdx.x % kWarp / 4; }
__device__ __forceinline__ int place() { return threadIdx.x % 4; }
__device__ __forceinline__ int warp_row() { return threadIdx.x / kWarp * 16; }

// ---- tiles of W columns in shared memory

template <int W> __device__ __forceinline__ int position(int row, int chunk) { return row * W + (chunk ^ row % 8) * 8; }

// Begins to copy the N rows from `row` on, with zeros outside of `m`.
template <int N, int W, typename T>
__device__ __forceinline__ void fetch(T* tile, const Matrix<const T>& m, int64 row) {
#pragma unroll
    for (int i = threadIdx.x; i < N * W / 8; i += kThreads) {
        const int y = i / (W / 8), chunk = i % (W / 8);
        const bool inside = row + y < m.rows && chunk * 8 < m.columns;
        cp_async<16>(tile + position<W>(y, chunk), inside ? &m.at(row + y, chunk * 8) : m.data, inside ? 16 : 0);
    }
}

// Returns whether the first `N` rows hold an infinity or NaN; all threads get the block's answer.
template <int N, int W, typename T> __device__ __forceinline__ bool is_wild(const T* tile) {
    bool wild = false;
    for (int i = threadIdx.x; i < N * W / 8; i += kThreads) {
        float values[8];
        read<8>(values, tile + i * 8);
        for (float value : values) wild |= value - value != 0;
    }
    return __syncthreads_or(wild);
}

// ---- products

// s = the warp's rows of `left` times the transpose of N rows of `right`.
template <int N, int W, typename T>
__device__ __forceinline__ void multiply(Products<N>& s, const T* left, const T* right) {
    const int lane = threadIdx.x % kWarp;
#pragma unroll
    for (int n = 0; n < N / 8; ++n)
        for (int r = 0; r < 4; ++r) s[n][r] = 0;
#pragma unroll
    for (int step = 0; step < W / 16; ++step) {
        uint32 a[4];
        ldmatrix_x4(a, left + position<W>(warp_row() + lane % 16, 2 * step + lane / 16));
#pragma unroll
        for (int pair = 0; pair < N / 16; ++pair) {
            uint32 b[2][2];
            const int row = pair * 16 + lane / 16 * 8 + lane % 8;
            ldmatrix_x4(b[0][0], b[0][1], b[1][0], b[1][1], right + position<W>(row, 2 * step + lane / 8 % 2));
            mma_m16n8k16<T>(s[2 * pair], a, b[0]);
            mma_m16n8k16<T>(s[2 * pair + 1], a, b[1]);
        }
    }
}

// sum += weights times N rows of `right`.
template <int N, int W, typename T>
__device__ __forceinline__ void accumulate(Products<W>& sum, const Operand<N>& weights, const T* right) {
    const int lane = threadIdx.x % kWarp;
#pragma unroll
    for (int step = 0; step < N / 16; ++step)
#pragma unroll
        for (int pair = 0; pair < W / 16; ++pair) {
            uint32 b[2][2];
            const T* at = right + position<W>(step * 16 + lane % 16, 2 * pair + lane / 16);
            ldmatrix_x4_trans(b[0][0], b[0][1], b[1][0], b[1][1], at);
            mma_m16n8k16<T>(sum[2 * pair], weights[step], b[0]);
            mma_m16n8k16<T>(sum[2 * pair + 1], weights[step], b[1]);
        }
}

// `accumulate` for a `right` that holds an infinity or NaN: it skips hidden weights, which are -0.
template <int N, int W, typename T>
__device__ __forceinline__ void accumulate_wild(Products<W>& sum, const Operand<N>& weights, const T* right) {
#pragma unroll
    for (int i = 0; i < N / 4; ++i)  // register i % 4 of step i / 4
#pragma unroll 1
        for (int k = 0; k < 8; ++k) {  // the lane of the row that has the weight, and which half of its register
            const uint32 word = __shfl_sync(kAllLanes, weights[i / 4][i % 4], k / 2, 4);
            const unsigned short bits = word >> k % 2 * 16;
            if (bits == 0x8000) continue;
            T weight;
            memcpy(&weight, &bits, 2);
            const int row = i / 4 * 16 + i % 4 / 2 * 8 + k;
#pragma unroll
            for (int n = 0; n < W / 8; ++n)
                for (int c = 0; c < 2; ++c)
                    sum[n][i % 2 * 2 + c] += load(weight) * load(right[position<W>(row, n) + 2 * place() + c]);
        }
}

template <int N, typename T> __device__ __forceinline__ void to_operand(Operand<N>& a, const Products<N>& s) {
#pragma unroll
    for (int i = 0; i < N / 4; ++i) {
        const float* from = &s[i / 2][i % 2 * 2];
        const Vec<T, 2> two = {{store<T>(from[0]), store<T>(from[1])}};
        memcpy(&a[i / 4][i % 4], &two, 4);
    }
}

// Writes sum * factor[0] (factor[1] for the rows 8 below) to the warp's rows of `m`.
template <int W, typename T>
__device__ __forceinline__ void write_rows(const Matrix<T>& m, int64 row, const Products<W>& sum,
                                           const float (&factor)[2]) {
#pragma unroll
    for (int r = 0; r < 2; ++r) {
        const int64 i = row + warp_row() + group() + 8 * r;
        if (i >= m.rows) continue;
#pragma unroll
        for (int n = 0; n < W / 8; ++n) {
            const float two[2] = {sum[n][2 * r] * factor[r], sum[n][2 * r + 1] * factor[r]};
            if (n * 8 < m.columns) write<2>(&m.at(i, n * 8 + 2 * place()), two);
        }
    }
}

// ---- scores

// A score in units of log 2. The bias is bounded below, so that a mask of finfo.min does not become -inf, which hides.
__device__ __forceinline__ float score(float product, float scale, float bias) {
    return bias == -infinity<float>() ? bias : product * scale + fmaxf(bias * kLog2E, -kLargest);
}

__device__ __forceinline__ bool is_hidden(float weight) { return __float_as_uint(weight) == 0x80000000u; }

// exp2(score - shift) / sum, and -0 for a hidden score.
__device__ __forceinline__ float probability(float score, float shift, float reciprocal) {
    return score == -infinity<float>() ? -0.0f : exp2f(score - shift) * reciprocal;
}

// p * (gp - delta). Only hidden scores may give -0; adding 0 turns any other -0 into +0.
__device__ __forceinline__ float score_gradient(float p, float gp, float delta) {
    return is_hidden(p) ? p : p * (gp - delta) + 0.0f;
}

__device__ __forceinline__ float dropped(float weight, bool kept, const Attention& a) {
    return is_hidden(weight) ? weight : kept ? weight * float(a.kept_scale) : 0.0f;
}

// Bit 4 n + r says whether dropout keeps the weight in register r of s[n]; rows are queries, the first is `row`. Four
// keys are drawn together and belong to two lanes: each lane draws for one of its two rows, and they exchange.
template <int N> __device__ __forceinline__ uint32 kept_by_rows(const Attention& a, int64 row, int64 key) {
    const int odd = place() % 2;
    uint32 kept = 0;
    for (int n = 0; n < N / 8; ++n) {
        const uint32 mine = kept_of_four(a, row + warp_row() + group() + 8 * odd, key / 4 + 2 * n + place() / 2);
        const uint32 other = __shfl_xor_sync(kAllLanes, mine, 1);
        const uint32 upper = odd ? other : mine, lower = odd ? mine : other;
        kept |= ((upper >> 2 * odd & 3) | (lower >> 2 * odd & 3) << 2) << 4 * n;
    }
    return kept;
}

// The same for rows of keys and columns of queries. The four keys that are drawn together belong to four lanes, which
// share four such draws (two queries, and two groups of rows): each lane makes one.
template <int N> __device__ __forceinline__ uint32 kept_by_columns(const Attention& a, int64 row, int64 key) {
    const int own = group() % 4, lane = threadIdx.x % kWarp;
    const int64 four = (key + warp_row()) / 4 + group() / 4 + own / 2 * 2;
    uint32 kept = 0;
    for (int n = 0; n < N / 8; ++n) {
        const uint32 mine = kept_of_four(a, row + n * 8 + 2 * place() + own % 2, four);
        for (int r = 0; r < 4; ++r) {
            const uint32 bits = __shfl_sync(kAllLanes, mine, lane / 16 * 16 + r * 4 + place());
            kept |= (bits >> own & 1) << (4 * n + r);
        }
    }
    return kept;
}

// ---- forward

template <typename T, int W> __global__ void __launch_bounds__(kThreads, W == 64 ? 2 : 1)
attention_mma_forward(T* out, float* lse, const T* q, const T* k, const T* v, const void* mask, Attention a) {
    constexpr int N = kForward<W>, stage = 2 * N * W;
    T* const queries = dynamic_shared<T>();
    T* const tiles = queries + kRows * W;  // two stages of keys and values
    const int64 blocks = (a.queries + kRows - 1) / kRows, pair = blockIdx.x / blocks;
    const int64 row = (blocks - 1 - blockIdx.x % blocks) * kRows;  // the longest causal rows first
    const int64 batch = pair / a.heads, head = pair % a.heads, key_head = head / (a.heads / a.key_heads);
    const Matrix<const T> keys(k, a.k, batch, key_head, a.keys, a.width);
    const Matrix<const T> values(v, a.v, batch, key_head, a.keys, a.value_width);
    const Bias<T> bias(mask, a, batch, head);
    const float scale = a.scale * kLog2E;

    fetch<kRows, W>(queries, Matrix<const T>(q, a.q, batch, head, a.queries, a.width), row);
    fetch<N, W>(tiles, keys, 0);
    fetch<N, W>(tiles + N * W, values, 0);
    cp_async_commit();
    float sum[W / 8][4] = {}, peak[2] = {-infinity<float>(), -infinity<float>()}, total[2] = {};
    const int64 stop = a.causal ? min(a.keys, row + kRows) : a.keys;
    for (int64 key = 0; key < stop; key += N) {
        T* const now = tiles + key / N % 2 * stage;
        if (key + N < stop) {
            T* const next = tiles + (key / N + 1) % 2 * stage;
            fetch<N, W>(next, keys, key + N);
            fetch<N, W>(next + N * W, values, key + N);
        }
        cp_async_commit();
        cp_async_wait<1>();
        __syncthreads();

        float s[N / 8][4];
        multiply<N, W>(s, queries, now);
        const bool partial = a.mask_kind != kNoMask || key + N > a.keys || (a.causal && key + N > row + 1);
        float top[2] = {peak[0], peak[1]}, shift[2], rescale[2];
#pragma unroll
        for (int n = 0; n < N / 8; ++n)
            for (int r = 0; r < 4; ++r) {
                const int64 i = row + warp_row() + group() + r / 2 * 8, j = key + n * 8 + 2 * place() + r % 2;
                s[n][r] = partial ? score(s[n][r], scale, bias(a, i, j)) : s[n][r] * scale;
                top[r / 2] = fmaxf(top[r / 2], s[n][r]);
            }
        for (int r = 0; r < 2; ++r) {
            top[r] = fmaxf(top[r], __shfl_xor_sync(kAllLanes, top[r], 1));
            top[r] = fmaxf(top[r], __shfl_xor_sync(kAllLanes, top[r], 2));
            shift[r] = top[r] == -infinity<float>() ? 0 : top[r];
            rescale[r] = exp2f(peak[r] - shift[r]);
            peak[r] = top[r];
            total[r] *= rescale[r];
        }
#pragma unroll
        for (int n = 0; n < W / 8; ++n)
            for (int r = 0; r < 4; ++r) sum[n][r] *= rescale[r / 2];
#pragma unroll
        for (int n = 0; n < N / 8; ++n)
            for (int r = 0; r < 4; ++r) {
                s[n][r] = probability(s[n][r], shift[r / 2], 1);
                total[r / 2] += s[n][r];
            }
        if (a.dropout > 0) {
            const uint32 kept = kept_by_rows<N>(a, pair * a.queries + row, key);
#pragma unroll
            for (int i = 0; i < N / 2; ++i) s[i / 4][i % 4] = dropped(s[i / 4][i % 4], kept >> i & 1, a);
        }
        uint32 weights[N / 16][4];
        to_operand<N, T>(weights, s);
        if (partial && is_wild<N, W>(now + N * W)) accumulate_wild<N, W>(sum, weights, now + N * W);
        else accumulate<N, W>(sum, weights, now + N * W);
        __syncthreads();  // the stage may be overwritten
    }
    cp_async_wait<0>();
    float factor[2];
    for (int r = 0; r < 2; ++r) {
        total[r] += __shfl_xor_sync(kAllLanes, total[r], 1);
        total[r] += __shfl_xor_sync(kAllLanes, total[r], 2);
        factor[r] = total[r] == 0 ? 0 : 1 / total[r];
        const int64 i = row + warp_row() + group() + 8 * r;
        if (place() == 0 && i < a.queries) {
            lse[(pair * a.queries + i) * 2] = peak[r] == -infinity<float>() ? 0 : peak[r];
            lse[(pair * a.queries + i) * 2 + 1] = factor[r];
        }
    }
    write_rows<W>(Matrix<T>(out, a.out, batch, head, a.queries, a.value_width), row, sum, factor);
}

// ---- backward (delta is made by attention.cu)

template <typename T, int W> __global__ void __launch_bounds__(kThreads, 1)
attention_mma_backward_q(T* gq, const T* g, const T* q, const T* k, const T* v, const void* mask, const float* lse,
                         const float* delta, Attention a) {
    constexpr int N = kBackward<W>, stage = 2 * N * W;
    T* const queries = dynamic_shared<T>();
    T* const upstream = queries + kRows * W;
    T* const tiles = upstream + kRows * W;  // two stages of keys and values
    const int64 blocks = (a.queries + kRows - 1) / kRows, pair = blockIdx.x / blocks;
    const int64 row = (blocks - 1 - blockIdx.x % blocks) * kRows;
    const int64 batch = pair / a.heads, head = pair % a.heads, key_head = head / (a.heads / a.key_heads);
    const Matrix<const T> keys(k, a.k, batch, key_head, a.keys, a.width);
    const Matrix<const T> values(v, a.v, batch, key_head, a.keys, a.value_width);
    const Bias<T> bias(mask, a, batch, head);
    const float scale = a.scale * kLog2E;

    fetch<kRows, W>(queries, Matrix<const T>(q, a.q, batch, head, a.queries, a.width), row);
    fetch<kRows, W>(upstream, Matrix<const T>(g, a.g, batch, head, a.queries, a.value_width), row);
    fetch<N, W>(tiles, keys, 0);
    fetch<N, W>(tiles + N * W, values, 0);
    cp_async_commit();
    float shift[2], reciprocal[2], mean[2];
    for (int r = 0; r < 2; ++r) {
        const int64 at = pair * a.queries + min(row + warp_row() + group() + 8 * r, a.queries - 1);
        shift[r] = lse[2 * at], reciprocal[r] = lse[2 * at + 1], mean[r] = delta[at];
    }
    float sum[W / 8][4] = {};
    const int64 stop = a.causal ? min(a.keys, row + kRows) : a.keys;
    for (int64 key = 0; key < stop; key += N) {
        T* const now = tiles + key / N % 2 * stage;
        if (key + N < stop) {
            T* const next = tiles + (key / N + 1) % 2 * stage;
            fetch<N, W>(next, keys, key + N);
            fetch<N, W>(next + N * W, values, key + N);
        }
        cp_async_commit();
        cp_async_wait<1>();
        __syncthreads();

        float p[N / 8][4], gp[N / 8][4];
        multiply<N, W>(p, queries, now);
        multiply<N, W>(gp, upstream, now + N * W);
        const bool partial = a.mask_kind != kNoMask || key + N > a.keys || (a.causal && key + N > row + 1);
        const uint32 kept = a.dropout > 0 ? kept_by_rows<N>(a, pair * a.queries + row, key) : 0;
#pragma unroll
        for (int n = 0; n < N / 8; ++n)
            for (int r = 0; r < 4; ++r) {
                const int64 i = row + warp_row() + group() + r / 2 * 8, j = key + n * 8 + 2 * place() + r % 2;
                const float s = partial ? score(p[n][r], scale, bias(a, i, j)) : p[n][r] * scale;
                if (a.dropout > 0) gp[n][r] = dropped(gp[n][r], kept >> (4 * n + r) & 1, a);
                p[n][r] = score_gradient(probability(s, shift[r / 2], reciprocal[r / 2]), gp[n][r], mean[r / 2]);
            }
        uint32 weights[N / 16][4];
        to_operand<N, T>(weights, p);
        if (partial && is_wild<N, W>(now)) accumulate_wild<N, W>(sum, weights, now);
        else accumulate<N, W>(sum, weights, now);
        __syncthreads();
    }
    cp_async_wait<0>();
    const float factor[2] = {float(a.scale), float(a.scale)};
    write_rows<W>(Matrix<T>(gq, a.gq, batch, head, a.queries, a.width), row, sum, factor);
}

template <typename T, int W> __global__ void __launch_bounds__(kThreads, 1)
attention_mma_backward_kv(T* gk, T* gv, const T* g, const T* q, const T* k, const T* v, const void* mask,
                          const float* lse, const float* delta, Attention a) {
    constexpr int N = kBackward<W>, stage = 2 * N * W;
    T* const keys = dynamic_shared<T>();
    T* const values = keys + kRows * W;
    T* const tiles = values + kRows * W;  // two stages of queries and upstream gradients
    const int64 blocks = (a.keys + kRows - 1) / kRows, pair = blockIdx.x / blocks;
    const int64 key = blockIdx.x % blocks * kRows;  // the first keys have the most causal queries
    const int64 batch = pair / a.key_heads, key_head = pair % a.key_heads, members = a.heads / a.key_heads;
    const float scale = a.scale * kLog2E;
    const int64 first = a.causal ? key : 0, steps = first < a.queries ? (a.queries - first + N - 1) / N : 0;

    const auto fetch_step = [&](int64 step) {  // the heads of the group one after the other
        T* const tile = tiles + step % 2 * stage;
        const int64 head = key_head * members + step / steps, row = first + step % steps * N;
        fetch<N, W>(tile, Matrix<const T>(q, a.q, batch, head, a.queries, a.width), row);
        fetch<N, W>(tile + N * W, Matrix<const T>(g, a.g, batch, head, a.queries, a.value_width), row);
    };
    fetch<kRows, W>(keys, Matrix<const T>(k, a.k, batch, key_head, a.keys, a.width), key);
    fetch<kRows, W>(values, Matrix<const T>(v, a.v, batch, key_head, a.keys, a.value_width), key);
    if (steps > 0) fetch_step(0);
    cp_async_commit();

    float key_sum[W / 8][4] = {}, value_sum[W / 8][4] = {};
    for (int64 step = 0; step < steps * members; ++step) {
        T* const now = tiles + step % 2 * stage;
        if (step + 1 < steps * members) fetch_step(step + 1);
        cp_async_commit();
        cp_async_wait<1>();
        __syncthreads();

        const int64 head = key_head * members + step / steps, row = first + step % steps * N;
        const int64 number = (batch * a.heads + head) * a.queries;
        const Bias<T> bias(mask, a, batch, head);
        float p[N / 8][4], gp[N / 8][4];
        multiply<N, W>(p, keys, now);
        multiply<N, W>(gp, values, now + N * W);
        const bool partial = a.mask_kind != kNoMask || key + kRows > a.keys || row + N > a.queries
                          || (a.causal && key + kRows > row + 1);
        const uint32 kept = a.dropout > 0 ? kept_by_columns<N>(a, number + row, key) : 0;
#pragma unroll
        for (int n = 0; n < N / 8; ++n)
            for (int r = 0; r < 4; ++r) {
                const int64 i = row + n * 8 + 2 * place() + r % 2, j = key + warp_row() + group() + r / 2 * 8;
                const int64 at = number + min(i, a.queries - 1);
                const float s = partial ? score(p[n][r], scale, bias(a, i, j)) : p[n][r] * scale;
                const float whole = probability(s, lse[2 * at], lse[2 * at + 1]);
                const bool keep = a.dropout == 0 || kept >> (4 * n + r) & 1;
                if (a.dropout > 0) gp[n][r] = dropped(gp[n][r], keep, a);
                gp[n][r] = score_gradient(whole, gp[n][r], delta[at]);
                p[n][r] = a.dropout > 0 ? dropped(whole, keep, a) : whole;
            }
        uint32 weights[N / 16][4];
        to_operand<N, T>(weights, p);
        accumulate<N, W>(value_sum, weights, now + N * W);
        to_operand<N, T>(weights, gp);
        accumulate<N, W>(key_sum, weights, now);
        __syncthreads();
    }
    cp_async_wait<0>();
    const float one[2] = {1, 1}, factor[2] = {float(a.scale), float(a.scale)};
    write_rows<W>(Matrix<T>(gv, a.gv, batch, key_head, a.keys, a.value_width), key, value_sum, one);
    write_rows<W>(Matrix<T>(gk, a.gk, batch, key_head, a.keys, a.width), key, key_sum, factor);
}
