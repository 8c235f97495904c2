// Attention on tensor cores for float16 and bfloat16, widths up to 128: the mathematics and scheme of attention.cu.
//
// A block owns 128 rows: queries in the forward kernel and for gq, keys for gk and gv. A warp has 32 of them (16 for gk
// and gv of wide heads, whose sums fill the registers), so that each fragment of the other side serves twice. The block
// walks over the other side in steps, of which the next is copied (cp.async) while one is multiplied.
// ldmatrix reads fragments from rows of 16-byte chunks. Chunk c of row r lies at c ^ (r % 8), so that eight rows use
// all banks: in row 0 chunks 0, 1, 2, ... lie in order, in row 1 they lie at 1, 0, 3, 2, ... A warp's scores stay in
// its registers: the accumulator fragments of two products are a left operand of the next one (so gk and gv form the
// transposed scores k q^T). Exponentials have base 2, scores are in units of log 2. Steps in which nothing is hidden
// scale a score, subtract its row's shift and take the exponential in two instructions.
// Bytes: q, k, v and out once, k and v again for every 128 queries (from L2). Compute: 4 Tq Tk D forward, 14 backward.
// Source: Dao 2023 (FlashAttention-2), section 3.

#pragma once

#include "attention.cuh"
#include "ptx.cuh"

constexpr int kRows = 128;                                      // of a block
template <int M> constexpr int kThreads = kRows / (16 * M) * kWarp;
constexpr float kLog2E = 1.4426950408889634f, kLargest = 3.4028235e38f;

template <int N> using Products = float[N / 8][4];  // of 16 rows and N columns: an accumulator

// This thread has, of a fragment, rows group() and group() + 8, and columns 2 place() and 2 place() + 1 of every 8.
__device__ __forceinline__ int group() { return threadIdx.x % kWarp / 4; }
__device__ __forceinline__ int place() { return threadIdx.x % 4; }
// The first row of fragment m of the M that this warp has.
template <int M> __device__ __forceinline__ int fragment_row(int m) { return (threadIdx.x / kWarp * M + m) * 16; }

// ---- tiles of W columns in shared memory

template <int W> __device__ __forceinline__ int position(int row, int chunk) { return row * W + (chunk ^ row % 8) * 8; }

// The chunk 2 n places after chunk 0 or 1 of the same row: `chunk` is where that lies, in a tile that begins at a multiple
// of 128 bytes.
__device__ __forceinline__ Shared further(Shared chunk, int n, int bytes) {
    return chunk.moved(n % 4 * 32, n / 4 * 128 + bytes);
}

// Begins to copy the N rows from `row` on, with zeros outside of `m`.
template <int N, int W, int threads, typename T>
__device__ __forceinline__ void fetch(T* tile, const Matrix<const T>& m, int row) {
    constexpr int kAcross = W / 8, kApart = threads / kAcross;  // rows between the chunks of a thread
    static_assert(kApart % 8 == 0 && N % kApart == 0, "all of a thread's chunks are swizzled alike");
    const int y = threadIdx.x / kAcross, chunk = threadIdx.x % kAcross;
    T* to = tile + position<W>(y, chunk);
    const T* from = m.data + int64(row + y) * m.row + chunk * 8;
    const int64 step = kApart * m.row;
    if (row + N <= m.rows && m.columns == W) {
#pragma unroll
        for (int j = 0; j < N / kApart; ++j, from += step) cp_async<16>(to + j * kApart * W, from);
    } else {
#pragma unroll 1
        for (int j = 0; j < N / kApart; ++j, from += step) {
            const bool inside = row + y + j * kApart < m.rows && chunk * 8 < m.columns;
            cp_async<16>(to + j * kApart * W, inside ? from : m.data, inside ? 16 : 0);
        }
    }
}

// Returns whether the first `N` rows hold an infinity or NaN; all threads get the block's answer.
template <int N, int W, int threads, typename T> __device__ __forceinline__ bool is_wild(const T* tile) {
    bool wild = false;
#pragma unroll 1
    for (int i = threadIdx.x; i < N * W / 8; i += threads) {
        float values[8];
        read<8>(values, tile + i * 8);
        for (float value : values) wild |= value - value != 0;
    }
    return __syncthreads_or(wild);
}

// ---- products

// s = the warp's rows of `left` times the transpose of N rows of `right`.
template <int N, int W, int M, typename T>
__device__ __forceinline__ void multiply(Products<N> (&s)[M], const T* left, const T* right) {
    const int lane = threadIdx.x % kWarp;
#pragma unroll
    for (int m = 0; m < M; ++m)
#pragma unroll
        for (int n = 0; n < N / 8; ++n)
            for (int r = 0; r < 4; ++r) s[m][n][r] = 0;
    constexpr int kBytes = 16 * W * sizeof(T);  // of 16 rows
    const Shared own = left + position<W>(fragment_row<M>(0) + lane % 16, lane / 16);
    const Shared other = right + position<W>(lane / 16 * 8 + lane % 8, lane / 8 % 2);
#pragma unroll
    for (int step = 0; step < W / 16; ++step) {
        uint32 a[M][4];
#pragma unroll
        for (int m = 0; m < M; ++m) ldmatrix_x4(a[m], further(own, step, m * kBytes));
#pragma unroll
        for (int pair = 0; pair < N / 16; ++pair) {
            uint32 b[2][2];
            ldmatrix_x4(b[0][0], b[0][1], b[1][0], b[1][1], further(other, step, pair * kBytes));
#pragma unroll
            for (int m = 0; m < M; ++m) {
                mma_m16n8k16<T>(s[m][2 * pair], a[m], b[0]);
                mma_m16n8k16<T>(s[m][2 * pair + 1], a[m], b[1]);
            }
        }
    }
}

// The 16 columns from 16 * step on of an accumulator, as a left operand of 16-bit numbers.
template <typename T, int N>
__device__ __forceinline__ void to_operand(uint32 (&a)[4], const float (&s)[N][4], int step) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const float* from = &s[2 * step + i / 2][i % 2 * 2];
        const Vec<T, 2> two = {{store<T>(from[0]), store<T>(from[1])}};
        memcpy(&a[i], &two, 4);
    }
}

// sum += weights times N rows of `right`.
template <int N, int W, int M, typename T>
__device__ __forceinline__ void accumulate(Products<W> (&sum)[M], const Products<N> (&weights)[M], const T* right) {
    const int lane = threadIdx.x % kWarp;
    const Shared other = right + position<W>(lane % 16, lane / 16);
#pragma unroll
    for (int step = 0; step < N / 16; ++step) {
        uint32 a[M][4];
#pragma unroll
        for (int m = 0; m < M; ++m) to_operand<T>(a[m], weights[m], step);
#pragma unroll
        for (int pair = 0; pair < W / 16; ++pair) {
            uint32 b[2][2];
            const Shared at = further(other, pair, step * 16 * W * int(sizeof(T)));
            ldmatrix_x4_trans(b[0][0], b[0][1], b[1][0], b[1][1], at);
#pragma unroll
            for (int m = 0; m < M; ++m) {
                mma_m16n8k16<T>(sum[m][2 * pair], a[m], b[0]);
                mma_m16n8k16<T>(sum[m][2 * pair + 1], a[m], b[1]);
            }
        }
    }
}

// `accumulate` for a `right` that holds an infinity or NaN: it skips hidden weights, which are -0.
template <int N, int W, int M, typename T>
__device__ __forceinline__ void accumulate_wild(
    Products<W> (&sum)[M], const Products<N> (&weights)[M], const T* right
) {
#pragma unroll
    for (int m = 0; m < M; ++m)
#pragma unroll
        for (int step = 0; step < N / 16; ++step) {
            uint32 a[4];
            to_operand<T>(a, weights[m], step);
#pragma unroll
            for (int i = 0; i < 4; ++i)
#pragma unroll 1
                for (int k = 0; k < 8; ++k) {  // the lane of the row that has the weight, and the half of its register
                    const uint32 word = __shfl_sync(kAllLanes, a[i], k / 2, 4);
                    const unsigned short bits = word >> k % 2 * 16;
                    if (bits == 0x8000) continue;
                    T weight;
                    memcpy(&weight, &bits, 2);
                    const int row = step * 16 + i / 2 * 8 + k;
#pragma unroll
                    for (int n = 0; n < W / 8; ++n)
                        for (int c = 0; c < 2; ++c)
                            sum[m][n][i % 2 * 2 + c] +=
                                load(weight) * load(right[position<W>(row, n) + 2 * place() + c]);
                }
        }
}

// Writes sum * factor[0] (factor[1] for the rows 8 below) to the 16 rows of `m` from `row` on.
template <int W, typename T>
__device__ __forceinline__ void write_rows(const Matrix<T>& m, int row, const Products<W>& sum,
                                           const float (&factor)[2]) {
#pragma unroll
    for (int r = 0; r < 2; ++r) {
        const int i = row + group() + 8 * r;
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

// exp2(score - shift), and -0 for a hidden score.
__device__ __forceinline__ float probability(float score, float shift) {
    return score == -infinity<float>() ? -0.0f : fast_exp2(score - shift);
}

// Scales what dropout keeps and clears the rest, but for hidden weights. Bit 4 n + r of `kept` belongs to s[n][r].
template <int N> __device__ __forceinline__ void drop(Products<N>& s, uint32 kept, const Attention& a) {
    const float scale = a.kept_scale;
#pragma unroll
    for (int i = 0; i < N / 2; ++i) {
        float& x = s[i / 4][i % 4];
        x = is_hidden(x) ? x : kept >> i & 1 ? x * scale : 0.0f;
    }
}

// Turns products into scores, -inf where hidden: rows are queries from `row` on, columns are keys from `key` on.
template <int N, typename T>
__device__ __forceinline__ void score_rows(Products<N>& s, const Attention& a, const Bias<T>& bias, int row,
                                           int key, float scale) {
    const int first = 2 * place(), queries = a.queries, keys = a.keys;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
        const int i = row + group() + 8 * r, end = (a.causal ? min(keys, i + 1) : keys) - key;
        const int open = i < queries ? end : 0;  // columns that are not hidden
        if (a.mask_kind == kNoMask) {
#pragma unroll
            for (int n = 0; n < N / 8; ++n)
                for (int c = 0; c < 2; ++c) {
                    float& x = s[n][2 * r + c];
                    x = n * 8 + first + c < open ? x * scale : -infinity<float>();
                }
        } else {
#pragma unroll
            for (int n = 0; n < N / 8; ++n)
                for (int c = 0; c < 2; ++c) {
                    float& x = s[n][2 * r + c];
                    const int column = n * 8 + first + c;
                    x = column < open ? score(x, scale, bias.of_mask(a, i, key + column)) : -infinity<float>();
                }
        }
    }
}

// Bit 4 n + r says whether dropout keeps the weight in register r of s[n]; rows are queries, the first of the fragment
// is `row`. Four keys are drawn together and belong to two lanes: each lane draws for one of its two rows, and they
// exchange.
template <int N> __device__ __forceinline__ uint32 kept_by_rows(const Attention& a, int64 row, int key) {
    const int odd = place() % 2;
    uint32 kept = 0;
#pragma unroll 1
    for (int n = 0; n < N / 8; ++n) {
        const uint32 mine = kept_of_four(a, row + group() + 8 * odd, key / 4 + 2 * n + place() / 2);
        const uint32 other = __shfl_xor_sync(kAllLanes, mine, 1);
        const uint32 upper = odd ? other : mine, lower = odd ? mine : other;
        kept |= ((upper >> 2 * odd & 3) | (lower >> 2 * odd & 3) << 2) << 4 * n;
    }
    return kept;
}
