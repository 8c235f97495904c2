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

#include "attention.cuh"
#include "ptx.cuh"

constexpr int kRows = 128;                                      // of a block
constexpr int kForward = 64;                                    // keys of a step
template <int W> constexpr int kBackward = W == 64 ? 64 : 32;   // keys of a step
constexpr int kQueries = 32;                                    // of a step for gk and gv
template <int W> constexpr int kParts = W == 64 ? 2 : 1;        // fragments of a warp for gk and gv, of 16 rows
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

// The same for rows of keys and columns of queries.
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

// The same for rows of keys (the first is `key`) and columns of queries. The four keys that are drawn together belong
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

// ---- forward

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

// ---- backward (delta is made by attention.cu)

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
        const Bias<T> bias(mask, a, batch, head);
        const float* const level = levels + 2 * at * N;
        const float* const deltas = levels + (4 + at) * N;
#pragma unroll
        for (int m = 0; m < M; ++m) {
            const int j = key + fragment_row<M>(m);
            const int64 number = (batch * a.heads + head) * a.queries + row;
            const uint32 kept = a.dropout > 0 ? kept_by_columns<N>(a, number, j) : 0;
            if (a.dropout > 0) drop<N>(gp[m], kept, a);
            if (partial) {
                score_columns<N>(p[m], a, bias, row, j, scale);
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
