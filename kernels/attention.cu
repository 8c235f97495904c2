// Attention out = softmax(q k^T * scale + mask) v, forward and backward, for any type, width up to 256 and strides.
//
// Forward: a block owns 64 queries (32 in double) of one head and walks over the keys; softmax is made online (Milakov
// and Gimelshein 2018), so that no (Tq, Tk) array exists. For each row it stores two numbers: the shift (the largest
// score) and 1 / sum(exp(score - shift)). A logsumexp would be one number, but if a mask of finfo.min makes the shift
// huge, adding log(sum) to it loses the sum.
// Backward, with p the probabilities, gp = g v^T and delta = sum(g * out): gs = p * (gp - delta), gv = p^T g, gk =
// scale * gs^T q, gq = scale * gs k. p is computed again. In one kernel a block owns 64 keys, for gk and gv, and adds
// up the query heads that share them; in another a block owns 64 queries, for gq. There are no atomics: the order of
// every sum is fixed. Blocks in which causality hides every score are skipped.
//
// 256 threads are a 16 x 16 grid over the tile of scores, each computes R x R of them. Products run over chunks of 64
// columns: two tiles of shared memory hold the chunks of both factors, then the weights and a chunk of their factor.
// Bytes: q, k, v and out once, k and v again for every 64 queries (from L2). Compute: 4 Tq Tk D forward, 14 backward.
// Source: Dao et al. 2022 (FlashAttention), algorithms 1 and 4; Dao 2023, section 3.2.

#include "attention.cuh"

constexpr int kThreads = 256, kSide = 16, kChunk = 64;
constexpr int kPitch = kChunk + 4;  // 16-byte rows, and eight of them in different banks

template <typename A> constexpr int kEach = sizeof(A) == 8 ? 2 : 4;  // rows and columns of scores of a thread
template <typename A> constexpr int kTile = kSide * kEach<A>;

template <typename A> struct Tiles {
    alignas(16) A left[kTile<A>][kPitch];
    alignas(16) A right[kTile<A>][kPitch];
};

__device__ __forceinline__ int across() { return threadIdx.x % kSide; }
__device__ __forceinline__ int down() { return threadIdx.x / kSide; }

// ---- tiles

// Loads the chunk that begins at (row, column), zero outside; returns whether this thread read an infinity or NaN.
template <typename T, typename A>
__device__ __forceinline__ bool load_tile(A (*tile)[kPitch], const Matrix<const T>& m, int64 row, int column) {
    constexpr int step = kThreads / kChunk;
    const int x = threadIdx.x % kChunk, y = threadIdx.x / kChunk;
    const int rows = column + x < m.columns ? int(min(int64(kTile<A>), m.rows - row)) : 0;
    const T* from = &m.at(row + y, column + x);
    bool wild = false;
#pragma unroll 2
    for (int i = y; i < kTile<A>; i += step, from += step * m.row) {
        const A value = i < rows ? load(*from) : A(0);
        wild |= value - value != A(0);
        tile[i][x] = value;
    }
    return wild;
}

// s[r][c] = the product of row left_row + down() * R + r of `left` and row right_row + across() + 16 c of `right`.
template <typename T, typename A, int R>
__device__ __forceinline__ void products(A (&s)[R][R], Tiles<A>& tiles, const Matrix<const T>& left, int64 left_row,
                                         const Matrix<const T>& right, int64 right_row) {
    constexpr int N = 16 / sizeof(A);
    using Piece = Vec<A, N>;
    for (int r = 0; r < R; ++r)
        for (int c = 0; c < R; ++c) s[r][c] = 0;
    for (int column = 0; column < left.columns; column += kChunk) {
        __syncthreads();  // the step before has read the tiles
        load_tile<T>(tiles.left, left, left_row, column);
        load_tile<T>(tiles.right, right, right_row, column);
        __syncthreads();
        const int width = min(kChunk, left.columns - column);
        A part[R][R] = {};  // a sum of sums rounds less
#pragma unroll 1
        for (int d = 0; d < width; d += N) {
            Piece x[R], y[R];
            for (int r = 0; r < R; ++r) x[r] = *reinterpret_cast<const Piece*>(&tiles.left[down() * R + r][d]);
            for (int c = 0; c < R; ++c) y[c] = *reinterpret_cast<const Piece*>(&tiles.right[across() + kSide * c][d]);
            for (int n = 0; n < N; ++n)
                for (int r = 0; r < R; ++r)
                    for (int c = 0; c < R; ++c) part[r][c] += x[r].at[n] * y[c].at[n];
        }
        for (int r = 0; r < R; ++r)
            for (int c = 0; c < R; ++c) s[r][c] += part[r][c];
    }
}

// The weight of a hidden score is -0, as a mark: `accumulate` skips it, so a key's or value's NaN does not get through.
template <typename A> __device__ __forceinline__ bool is_hidden(A weight) {
    return weight == 0 && copysign(A(1), weight) < 0;
}

// Writes the weights to tiles.left, for `accumulate`.
template <typename A, int R> __device__ __forceinline__ void put(Tiles<A>& tiles, const A (&weights)[R][R]) {
    __syncthreads();  // the products have read it
    for (int r = 0; r < R; ++r)
        for (int c = 0; c < R; ++c) tiles.left[down() * R + r][across() + kSide * c] = weights[r][c];
}

// sum[r][4 n + c] += row down() * R + r of the weights times column 64 n + 4 across() + c of `right`, from `row` on.
template <typename T, typename A, int R, int C>
__device__ __forceinline__ void accumulate(A (&sum)[R][C], Tiles<A>& tiles, const Matrix<const T>& right, int64 row) {
    constexpr int N = 16 / sizeof(A);
    using Piece = Vec<A, N>;
    const int first = down() * R, column = across() * 4;
#pragma unroll
    for (int chunk = 0; chunk < C / 4; ++chunk) {
        if (chunk * kChunk >= right.columns) break;
        __syncthreads();
        const bool wild = load_tile<T>(tiles.right, right, row, chunk * kChunk);
        const bool guarded = __syncthreads_or(wild);
        A part[R][4] = {};
#pragma unroll 1
        for (int j = 0; guarded && j < kTile<A>; ++j)
            for (int r = 0; r < R; ++r)
                for (int c = 0; c < 4; ++c)
                    if (const A weight = tiles.left[first + r][j]; !is_hidden(weight))
                        part[r][c] += weight * tiles.right[j][column + c];
#pragma unroll 1
        for (int j = 0; !guarded && j < kTile<A>; j += N) {
            Piece x[R], y[N][4 / N];
            for (int r = 0; r < R; ++r) x[r] = *reinterpret_cast<const Piece*>(&tiles.left[first + r][j]);
            for (int n = 0; n < N; ++n)
                for (int c = 0; c < 4 / N; ++c)
                    y[n][c] = *reinterpret_cast<const Piece*>(&tiles.right[j + n][column + c * N]);
            for (int n = 0; n < N; ++n)
                for (int r = 0; r < R; ++r)
                    for (int c = 0; c < 4; ++c) part[r][c] += x[r].at[n] * y[n][c / N].at[c % N];
        }
        for (int r = 0; r < R; ++r)
            for (int c = 0; c < 4; ++c) sum[r][chunk * 4 + c] += part[r][c];
    }
}

// Writes sum * factor[r] to the rows of `m` that begin at `row`.
template <typename T, typename A, int R, int C>
__device__ __forceinline__ void write_rows(const Matrix<T>& m, int64 row, const A (&sum)[R][C], const A (&factor)[R]) {
    for (int r = 0; r < R; ++r) {
        const int64 i = row + down() * R + r;
        if (i >= m.rows) continue;
#pragma unroll
        for (int n = 0; n < C; ++n) {
            const int column = n / 4 * kChunk + across() * 4 + n % 4;
            if (column < m.columns) m.at(i, column) = store<T>(sum[r][n] * factor[r]);
        }
    }
}

// ---- rows

// Not just score + added: the score of a hidden key may be NaN.
template <typename A> __device__ __forceinline__ A score(A product, const Attention& a, A bias) {
    return bias == -infinity<A>() ? bias : product * A(a.scale) + bias;
}

// Reduces over the 16 threads that share rows.
template <typename Op, typename A> __device__ __forceinline__ A row_reduce(A value) {
    for (int lane = kSide / 2; lane > 0; lane /= 2) value = Op::join(value, __shfl_xor_sync(kAllLanes, value, lane));
    return value;
}

// Bit r * R + c says whether dropout keeps the weight of query down() * R + r for key across() + 16 c. Each of the 16
// threads of a row draws for four neighbouring keys, and they exchange the bits.
template <int R> __device__ __forceinline__ uint32 kept_by_rows(const Attention& a, int64 row, int64 key) {
    uint32 kept = 0;
    for (int r = 0; r < R; ++r) {
        const uint32 mine = kept_of_four(a, row + down() * R + r, key / 4 + across());
        for (int c = 0; c < R; ++c) {
            const int lane = threadIdx.x % kWarp / kSide * kSide + across() / 4 + c * (kSide / 4);
            kept |= (__shfl_sync(kAllLanes, mine, lane) >> across() % 4 & 1) << (r * R + c);
        }
    }
    return kept;
}

// The same with key down() * R + r and query across() + 16 c.
template <int R> __device__ __forceinline__ uint32 kept_by_columns(const Attention& a, int64 row, int64 key) {
    uint32 kept = 0;
    for (int c = 0; c < R; ++c) {
        const int first = down() * R;
        const uint32 four = kept_of_four(a, row + across() + kSide * c, (key + first) / 4);
        for (int r = 0; r < R; ++r) kept |= (four >> (first % 4 + r) & 1) << (r * R + c);
    }
    return kept;
}

template <typename A, int R> __device__ __forceinline__ void drop(A (&x)[R][R], uint32 kept, const Attention& a) {
    for (int r = 0; r < R; ++r)
        for (int c = 0; c < R; ++c)
            if (!is_hidden(x[r][c])) x[r][c] = kept >> (r * R + c) & 1 ? x[r][c] * A(a.kept_scale) : A(0);
}

// ---- forward

template <typename T, int W> __global__ void __launch_bounds__(kThreads, W == 64 ? 2 : 1)
attention_forward(T* out, acc_t<T>* lse, const T* q, const T* k, const T* v, const void* mask, Attention a) {
    using A = acc_t<T>;
    constexpr int R = kEach<A>;
    __shared__ Tiles<A> tiles;
    const int64 blocks = (a.queries + kTile<A> - 1) / kTile<A>, pair = blockIdx.x / blocks;
    const int64 row = (blocks - 1 - blockIdx.x % blocks) * kTile<A>;  // the longest causal rows first
    const int64 batch = pair / a.heads, head = pair % a.heads, key_head = head / (a.heads / a.key_heads);
    const Matrix<const T> queries(q, a.q, batch, head, a.queries, a.width);
    const Matrix<const T> keys(k, a.k, batch, key_head, a.keys, a.width);
    const Matrix<const T> values(v, a.v, batch, key_head, a.keys, a.value_width);
    const Bias<T> bias(mask, a, batch, head);

    A sum[R][W / kSide] = {}, peak[R], total[R] = {}, s[R][R];
    for (int r = 0; r < R; ++r) peak[r] = -infinity<A>();
    const int64 stop = a.causal ? min(a.keys, row + kTile<A>) : a.keys;
    for (int64 key = 0; key < stop; key += kTile<A>) {
        products<T>(s, tiles, queries, row, keys, key);
        for (int r = 0; r < R; ++r) {
            A top = peak[r];
            for (int c = 0; c < R; ++c) {
                s[r][c] = score(s[r][c], a, bias(a, row + down() * R + r, key + across() + kSide * c));
                top = max(top, s[r][c]);
            }
            top = row_reduce<Max>(top);
            const A shift = top == -infinity<A>() ? A(0) : top, rescale = exponential(peak[r] - shift);
            peak[r] = top;
            total[r] *= rescale;
            for (int c = 0; c < R; ++c) {
                s[r][c] = s[r][c] == -infinity<A>() ? -A(0) : exponential(s[r][c] - shift);
                total[r] += s[r][c];
            }
            for (int n = 0; n < W / kSide; ++n) sum[r][n] *= rescale;
        }
        if (a.dropout > 0) drop(s, kept_by_rows<R>(a, pair * a.queries + row, key), a);
        put(tiles, s);
        accumulate<T>(sum, tiles, values, key);
    }
    A factor[R];
    for (int r = 0; r < R; ++r) {
        total[r] = row_reduce<Sum>(total[r]);
        factor[r] = total[r] == 0 ? A(0) : 1 / total[r];
        const int64 i = row + down() * R + r;
        if (across() == 0 && i < a.queries) {
            lse[(pair * a.queries + i) * 2] = peak[r] == -infinity<A>() ? A(0) : peak[r];
            lse[(pair * a.queries + i) * 2 + 1] = factor[r];
        }
    }
    write_rows(Matrix<T>(out, a.out, batch, head, a.queries, a.value_width), row, sum, factor);
}

// ---- backward

// delta = sum(g * out) of every row, added in the order of `products`: so if one key has all the weight, gp - delta is
// exactly 0.
template <typename T> __global__ void __launch_bounds__(kThreads)
attention_delta(acc_t<T>* delta, const T* g, const T* out, Attention a) {
    using A = acc_t<T>;
    constexpr int N = 16 / sizeof(A);
    using Piece = Vec<A, N>;
    __shared__ Tiles<A> tiles;
    const int64 blocks = (a.queries + kTile<A> - 1) / kTile<A>, pair = blockIdx.x / blocks;
    const int64 row = blockIdx.x % blocks * kTile<A>, batch = pair / a.heads, head = pair % a.heads;
    const Matrix<const T> upstream(g, a.g, batch, head, a.queries, a.value_width);
    const Matrix<const T> outputs(out, a.out, batch, head, a.queries, a.value_width);
    const int i = min(int(threadIdx.x), kTile<A> - 1);
    A sum = 0;
    for (int column = 0; column < a.value_width; column += kChunk) {
        __syncthreads();
        load_tile<T>(tiles.left, upstream, row, column);
        load_tile<T>(tiles.right, outputs, row, column);
        __syncthreads();
        A part = 0;
#pragma unroll 4
        for (int d = 0; d < min(kChunk, a.value_width - column); d += N) {
            const Piece x = *reinterpret_cast<const Piece*>(&tiles.left[i][d]);
            const Piece y = *reinterpret_cast<const Piece*>(&tiles.right[i][d]);
            for (int n = 0; n < N; ++n) part += x.at[n] * y.at[n];
        }
        sum += part;
    }
    if (threadIdx.x < kTile<A> && row + i < a.queries) delta[pair * a.queries + row + i] = sum;
}

// exp(score - shift) / sum, and -0 for a hidden score.
template <typename A> __device__ __forceinline__ A probability(A score, const A* lse) {
    return score == -infinity<A>() ? -A(0) : exponential(score - lse[0]) * lse[1];
}

// gs = p * (gp - delta). Only hidden scores may give -0; adding 0 turns any other -0 into +0.
template <typename A> __device__ __forceinline__ A score_gradient(A p, A gp, A delta) {
    return is_hidden(p) ? p : p * (gp - delta) + A(0);
}

template <typename T, int W> __global__ void __launch_bounds__(kThreads, W == 64 ? 2 : 1)
attention_backward_q(T* gq, const T* g, const T* q, const T* k, const T* v, const void* mask, const acc_t<T>* lse,
                     const acc_t<T>* delta, Attention a) {
    using A = acc_t<T>;
    constexpr int R = kEach<A>;
    __shared__ Tiles<A> tiles;
    const int64 blocks = (a.queries + kTile<A> - 1) / kTile<A>, pair = blockIdx.x / blocks;
    const int64 row = (blocks - 1 - blockIdx.x % blocks) * kTile<A>;
    const int64 batch = pair / a.heads, head = pair % a.heads, key_head = head / (a.heads / a.key_heads);
    const Matrix<const T> queries(q, a.q, batch, head, a.queries, a.width);
    const Matrix<const T> keys(k, a.k, batch, key_head, a.keys, a.width);
    const Matrix<const T> values(v, a.v, batch, key_head, a.keys, a.value_width);
    const Matrix<const T> upstream(g, a.g, batch, head, a.queries, a.value_width);
    const Bias<T> bias(mask, a, batch, head);

    A sum[R][W / kSide] = {}, p[R][R], gp[R][R], factor[R];
    const int64 stop = a.causal ? min(a.keys, row + kTile<A>) : a.keys;
    for (int64 key = 0; key < stop; key += kTile<A>) {
        products<T>(p, tiles, queries, row, keys, key);
        products<T>(gp, tiles, upstream, row, values, key);
        if (a.dropout > 0) drop(gp, kept_by_rows<R>(a, pair * a.queries + row, key), a);
        for (int r = 0; r < R; ++r) {
            const int64 i = row + down() * R + r, at = pair * a.queries + min(i, a.queries - 1);
            for (int c = 0; c < R; ++c) {
                p[r][c] = probability(score(p[r][c], a, bias(a, i, key + across() + kSide * c)), lse + 2 * at);
                p[r][c] = score_gradient(p[r][c], gp[r][c], delta[at]);
            }
        }
        put(tiles, p);
        accumulate<T>(sum, tiles, keys, key);
    }
    for (int r = 0; r < R; ++r) factor[r] = A(a.scale);
    write_rows(Matrix<T>(gq, a.gq, batch, head, a.queries, a.width), row, sum, factor);
}

template <typename T, int W> __global__ void __launch_bounds__(kThreads, W == 64 ? 2 : 1)
attention_backward_kv(T* gk, T* gv, const T* g, const T* q, const T* k, const T* v, const void* mask,
                      const acc_t<T>* lse, const acc_t<T>* delta, Attention a) {
    using A = acc_t<T>;
    constexpr int R = kEach<A>;
    __shared__ Tiles<A> tiles;
    const int64 blocks = (a.keys + kTile<A> - 1) / kTile<A>, pair = blockIdx.x / blocks;
    const int64 key = blockIdx.x % blocks * kTile<A>;  // the first keys have the most causal queries
    const int64 batch = pair / a.key_heads, key_head = pair % a.key_heads, group = a.heads / a.key_heads;
    const Matrix<const T> keys(k, a.k, batch, key_head, a.keys, a.width);
    const Matrix<const T> values(v, a.v, batch, key_head, a.keys, a.value_width);

    A key_sum[R][W / kSide] = {}, value_sum[R][W / kSide] = {}, p[R][R], gp[R][R], factor[R];
    for (int64 head = key_head * group; head < (key_head + 1) * group; ++head) {
        const Matrix<const T> queries(q, a.q, batch, head, a.queries, a.width);
        const Matrix<const T> upstream(g, a.g, batch, head, a.queries, a.value_width);
        const Bias<T> bias(mask, a, batch, head);
        const int64 rows = (batch * a.heads + head) * a.queries;
        for (int64 row = a.causal ? key : 0; row < a.queries; row += kTile<A>) {
            products<T>(p, tiles, keys, key, queries, row);
            products<T>(gp, tiles, values, key, upstream, row);
            const uint32 kept = a.dropout > 0 ? kept_by_columns<R>(a, rows + row, key) : 0;
            if (a.dropout > 0) drop(gp, kept, a);
            for (int c = 0; c < R; ++c) {
                const int64 i = row + across() + kSide * c, at = rows + min(i, a.queries - 1);
                for (int r = 0; r < R; ++r) {
                    p[r][c] = probability(score(p[r][c], a, bias(a, i, key + down() * R + r)), lse + 2 * at);
                    gp[r][c] = score_gradient(p[r][c], gp[r][c], delta[at]);
                }
            }
            if (a.dropout > 0) drop(p, kept, a);
            put(tiles, p);
            accumulate<T>(value_sum, tiles, upstream, row);
            put(tiles, gp);
            accumulate<T>(key_sum, tiles, queries, row);
        }
    }
    for (int r = 0; r < R; ++r) factor[r] = 1;
    write_rows(Matrix<T>(gv, a.gv, batch, key_head, a.keys, a.value_width), key, value_sum, factor);
    for (int r = 0; r < R; ++r) factor[r] = A(a.scale);
    write_rows(Matrix<T>(gk, a.gk, batch, key_head, a.keys, a.width), key, key_sum, factor);
}
