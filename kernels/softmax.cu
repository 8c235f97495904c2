// Softmax, its logarithm, and the softmax of masked scores, along one axis.
//
//   softmax          out_i = exp(x_i - m) / s,      m = max x, s = sum exp(x - m)    gx_i = out_i (g_i - sum g out)
//   log_softmax      out_i = (x_i - m) - log s                                       gx_i = g_i - exp(out_i) sum g
//   masked_softmax   softmax of scale * x + mask; a row in which nothing is visible gives 0
//
// The formula as one kernel, a thread for each row; a test runs it, and it is right:
//
//   __global__ void softmax_by_thread(float* out, const float* x, int rows, int n) {
//       const int row = blockIdx.x * blockDim.x + threadIdx.x;
//       if (row >= rows) return;
//       x += row * n, out += row * n;
//       float peak = x[0], total = 0;
//       for (int i = 1; i < n; ++i) peak = fmaxf(peak, x[i]);
//       for (int i = 0; i < n; ++i) total += expf(x[i] - peak);
//       for (int i = 0; i < n; ++i) out[i] = expf(x[i] - peak) / total;
//   }
//
// A softmax has few operations for each byte that it moves, so memory decides, and the least that can be moved is the
// array twice: read once, written once. This kernel reads it three times. What the rest of the file wins, in steps:
//
//  1. Neighbouring threads take neighbouring elements, and share a row. Above, the 32 threads of a warp read 32 places
//     that are n elements apart: each costs a transfer of 32 bytes, of which 4 are used at once, and the others wait in
//     a cache that many rows compete for. Side by side the same 32 floats are 4 full transfers. There is also more to
//     do at once: a matrix of 4096 rows is 4096 threads above, too few to keep the memory of a large GPU busy.
//  2. Shuffles instead of shared memory (row_reduce, in rows.cuh). Now m and s have to be joined across threads. Within
//     a warp that is 5 exchanges from register to register, without a barrier; only several warps with one row need
//     shared memory, a number for each warp.
//  3. The row stays in registers between the passes (softmax_row). at[Items] is an array of constant size in unrolled
//     loops, hence registers: x is read once, exp is computed once for each element, and nothing but the result is
//     written. This reaches the least number of bytes; what is left is to move them well.
//  4. 16 bytes with each instruction (load_chunk): 4 floats or 8 halves for one address and one request, so that fewer
//     instructions keep more bytes on their way. Rows need not begin at multiples of 16 bytes. Chunks do, and only
//     those at a row's two ends go element by element.
//  5. Several rows in a block, and several in a warp (blockDim.y). A row of 60 elements has work for 8 threads; a block
//     for each would leave most lanes of a warp idle, and a multiprocessor holds only so many blocks. __launch_bounds__
//     tells the compiler how many are to fit, that is, how many registers a thread may fill with its loads.
//  6. Rows that do not fit into registers ("stream") take m and s in one pass (Online, Milakov and Gimelshein 2018):
//     when a larger m is met, the sum so far is scaled to it. They are read twice rather than three times.
//  7. One division for each row, and a product for each element.
//
// And what it mends: 64-bit offsets do not overflow, as row * n above does from 2^31 elements on; 16-bit floats are added
// up as float32. Sums are added in a fixed order, so reruns give the same bits.
//
// Rows (the axis is the last one) thus belong to a part of a warp, a warp or a block. Other axes ("strided"): x is
// (outer, n, inner), threads lie along inner, where memory is contiguous, and several share the axis.
//
// Bytes moved: forward 2, backward 3 times the array's; stream and strided read their inputs once more, from L2 if rows
// are small enough.

#include "rows.cuh"

// The most threads of a block, and the blocks of a multiprocessor that leave them the registers they need: where each
// keeps 32 bytes of a row several rows share a block, and where it keeps more one block may fill the multiprocessor.
template <typename T, int Items> constexpr bool kFew = Items * sizeof(acc_t<T>) == 32;
template <typename T, int Items> constexpr int kThreads = kFew<T, Items> ? 128 : 512;
template <typename T, int Items> constexpr int kBlocks = kFew<T, Items> ? 8 : Items == 0 ? 2 : 1;

// ---- one row

// The first column of a thread's chunk that begins at its item i.
template <int V> __device__ __forceinline__ int chunk_column(int i, int shift) {
    return (i / V * static_cast<int>(blockDim.x) + static_cast<int>(threadIdx.x)) * V - shift;
}

// `limit`: how many columns are visible. Empty: a row without anything visible gives 0 rather than NaN.
template <int V, int Items, bool Log, bool Empty, typename T, typename Score>
__device__ void softmax_row(T* __restrict__ out, const T* __restrict__ x, int n, int limit, int shift, Score score) {
    using A = acc_t<T>;
    __shared__ A scratch[kWarp];
    A at[Items];
#pragma unroll
    for (int i = 0; i < Items; i += V) load_chunk<V>(at + i, x, chunk_column<V>(i, shift), limit, lowest<A>(), score);
    A peak = lowest<A>(), total = 0;
#pragma unroll
    for (int i = 0; i < Items; ++i) peak = Max::join(peak, at[i]);
    peak = row_reduce<Max>(peak, scratch);
    if (Empty && peak == lowest<A>()) peak = 0;
#pragma unroll
    for (int i = 0; i < Items; ++i) {
        const A moved = at[i] - peak, e = exponential(moved);
        total += e;
        at[i] = Log ? moved : e;
    }
    total = row_reduce<Sum>(total, scratch);
    const A last = Log ? logarithm(total) : Empty && total == 0 ? A(0) : 1 / total;
#pragma unroll
    for (int i = 0; i < Items; ++i) at[i] = Log ? at[i] - last : at[i] * last;
#pragma unroll
    for (int i = 0; i < Items; i += V) store_chunk<V>(out, chunk_column<V>(i, shift), n, at + i);
}

// The same for a row of any length.
template <int V, bool Log, bool Empty, typename T, typename Score>
__device__ void softmax_stream(T* __restrict__ out, const T* __restrict__ x, int64 n, int64 limit, int shift,
                               Score score) {
    using A = acc_t<T>;
    __shared__ A scratch[kWarp];
    const int64 first = static_cast<int64>(threadIdx.x) * V - shift, step = static_cast<int64>(blockDim.x) * V;
    A at[V];
    Online<A> row = Online<A>::none();
#pragma unroll 2
    for (int64 column = first; column < limit; column += step) {
        load_chunk<V>(at, x, column, limit, lowest<A>(), score);
        row.template add<V>(at);
    }
    row.reduce(scratch);
    const A peak = Empty && row.peak == lowest<A>() ? A(0) : row.peak;
    const A last = Log ? logarithm(row.total) : Empty && row.total == 0 ? A(0) : 1 / row.total;
#pragma unroll 2
    for (int64 column = first; column < n; column += step) {
        load_chunk<V>(at, x, column, limit, lowest<A>(), score);
#pragma unroll
        for (int j = 0; j < V; ++j) at[j] = Log ? (at[j] - peak) - last : exponential(at[j] - peak) * last;
        store_chunk<V>(out, column, n, at);
    }
}

// Either of them, with vectors where the arrays allow. Items = 0: stream.
template <int Items, bool Log, bool Empty, typename T, typename Score>
__device__ __forceinline__ void softmax_of(T* out, const T* x, int64 n, int64 limit, Score score) {
    constexpr int V = kVector<T>;
    const bool vectors = aligned_alike<T>(out, x);
    const int shift = vectors ? past_boundary(x) : 0, columns = n, visible = limit;
    if constexpr (Items == 0) {
        if (vectors) softmax_stream<V, Log, Empty>(out, x, n, limit, shift, score);
        else softmax_stream<1, Log, Empty>(out, x, n, limit, shift, score);
    } else {
        if (vectors) softmax_row<V, Items, Log, Empty>(out, x, columns, visible, shift, score);
        else softmax_row<1, Items, Log, Empty>(out, x, columns, visible, shift, score);
    }
}

// ---- forward

template <typename T, int Items, bool Log>
__global__ void __launch_bounds__(kThreads<T, Items>, kBlocks<T, Items>)
    softmax_forward(T* __restrict__ out, const T* __restrict__ x, int64 rows, int64 columns) {
    const int64 row = row_index(), start = row * columns;
    const int64 n = row < rows ? columns : 0;
    softmax_of<Items, Log, false>(out + start, x + start, n, n, Same());
}

// Where a row of the mask is: x's leading axes (the query's last) as up to four, and strides in elements, 0 along axes
// that the mask does not have.
struct MaskLayout {
    uint32 sizes[4];
    int64 strides[4], column;
};

// M: bool (true: visible) or acc_t<T> (added; -inf: hidden). Hidden elements are not looked at: they may be NaN.
template <typename T, typename M> struct Masked {
    const M* mask;  // of this row; null without a mask
    int64 stride;
    acc_t<T> scale;

    __device__ __forceinline__ acc_t<T> operator()(acc_t<T> value, int64 column) const {
        const acc_t<T> scaled = value * scale;
        return mask == nullptr ? scaled : join(scaled, mask[column * stride]);
    }
    static __device__ __forceinline__ acc_t<T> join(acc_t<T> scaled, bool visible) {
        return visible ? scaled : lowest<acc_t<T>>();
    }
    static __device__ __forceinline__ acc_t<T> join(acc_t<T> scaled, acc_t<T> bias) {
        return bias == lowest<acc_t<T>>() ? bias : scaled + bias;
    }
};

__device__ __forceinline__ int64 mask_offset(const MaskLayout& layout, uint32 row) {
    int64 offset = 0;
#pragma unroll
    for (int i = 3; i >= 0; --i) {
        if (layout.sizes[i] == 1) continue;
        offset += row % layout.sizes[i] * layout.strides[i];
        row /= layout.sizes[i];
    }
    return offset;
}

// queries > 0: causal, and row i of that many sees columns 0..i. rows < 2^31.
template <typename T, typename M, int Items>
__global__ void __launch_bounds__(kThreads<T, Items>, kBlocks<T, Items>)
    masked_softmax_forward(T* __restrict__ out, const T* __restrict__ x, const M* __restrict__ mask, MaskLayout layout,
                           uint32 rows, int64 columns, uint32 queries, acc_t<T> scale) {
    const uint32 row = blockIdx.x * blockDim.y + threadIdx.y;  // 64-bit division would be a subroutine
    const int64 start = row * columns, n = row < rows ? columns : 0;
    const int64 limit = queries > 0 && row % queries + 1 < n ? row % queries + 1 : n;
    const M* own = mask == nullptr || n == 0 ? nullptr : mask + mask_offset(layout, row);
    softmax_of<Items, false, true>(out + start, x + start, n, limit, Masked<T, M>{own, layout.column, scale});
}

// ---- backward

// The gradient of one element, from the row's sum.
template <bool Log, typename A> __device__ __forceinline__ A gradient(A g, A out, A sum, A scale) {
    return Log ? g - exponential(out) * sum : out * (g - sum) * scale;
}

template <int V, int Items, bool Log, typename T>
__device__ void softmax_row_backward(T* __restrict__ gx, const T* __restrict__ g, const T* __restrict__ out, int n,
                                     int shift, acc_t<T> scale) {
    using A = acc_t<T>;
    __shared__ A scratch[kWarp];
    A up[Items], at[Items], sum = 0;
#pragma unroll
    for (int i = 0; i < Items; i += V) {
        load_chunk<V>(up + i, g, chunk_column<V>(i, shift), n, A(0));
        load_chunk<V>(at + i, out, chunk_column<V>(i, shift), n, A(0));
    }
#pragma unroll
    for (int i = 0; i < Items; ++i) sum += Log ? up[i] : up[i] * at[i];
    sum = row_reduce<Sum>(sum, scratch);
#pragma unroll
    for (int i = 0; i < Items; ++i) at[i] = gradient<Log>(up[i], at[i], sum, scale);
#pragma unroll
    for (int i = 0; i < Items; i += V) store_chunk<V>(gx, chunk_column<V>(i, shift), n, at + i);
}

template <int V, bool Log, typename T>
__device__ void softmax_stream_backward(T* __restrict__ gx, const T* __restrict__ g, const T* __restrict__ out, int64 n,
                                        int shift, acc_t<T> scale) {
    using A = acc_t<T>;
    __shared__ A scratch[kWarp];
    const int64 first = static_cast<int64>(threadIdx.x) * V - shift, step = static_cast<int64>(blockDim.x) * V;
    A up[V], at[V], sum = 0;
#pragma unroll 2
    for (int64 column = first; column < n; column += step) {
        load_chunk<V>(up, g, column, n, A(0));
        if (!Log) load_chunk<V>(at, out, column, n, A(0));
#pragma unroll
        for (int j = 0; j < V; ++j) sum += Log ? up[j] : up[j] * at[j];
    }
    sum = block_reduce<Sum>(sum, scratch);
#pragma unroll 2
    for (int64 column = first; column < n; column += step) {
        load_chunk<V>(up, g, column, n, A(0));
        load_chunk<V>(at, out, column, n, A(0));
#pragma unroll
        for (int j = 0; j < V; ++j) at[j] = gradient<Log>(up[j], at[j], sum, scale);
        store_chunk<V>(gx, column, n, at);
    }
}

template <typename T, int Items, bool Log>
__global__ void __launch_bounds__(kThreads<T, Items>, kBlocks<T, Items>)
    softmax_backward(T* __restrict__ gx, const T* __restrict__ g, const T* __restrict__ out, int64 rows, int64 columns,
                     acc_t<T> scale) {
    constexpr int V = kVector<T>;
    const int64 row = row_index(), start = row * columns;
    const int64 n = row < rows ? columns : 0;
    gx += start, g += start, out += start;
    const bool vectors = aligned_alike<T>(gx, g) && aligned_alike(g, out);
    const int shift = vectors ? past_boundary(g) : 0;
    if constexpr (Items == 0) {
        if (vectors) softmax_stream_backward<V, Log>(gx, g, out, n, shift, scale);
        else softmax_stream_backward<1, Log>(gx, g, out, n, shift, scale);
    } else {
        if (vectors) softmax_row_backward<V, Items, Log>(gx, g, out, int(n), shift, scale);
        else softmax_row_backward<1, Items, Log>(gx, g, out, int(n), shift, scale);
    }
}

// ---- other axes: x is (outer, n, inner)

// The column of this thread: blockDim.x threads lie along inner, blockDim.y share the axis and blockDim.z are further
// outer indices. Threads past the end have no elements, but take part in the barriers.
struct Column {
    int64 start;  // its first element
    bool exists;

    __device__ __forceinline__ Column(int64 outer, int64 n, int64 inner) {
        const int64 tiles = (inner + blockDim.x - 1) / blockDim.x;
        const int64 i = blockIdx.x / tiles * blockDim.z + threadIdx.z;
        const int64 j = blockIdx.x % tiles * blockDim.x + threadIdx.x;
        exists = i < outer && j < inner;
        start = i * n * inner + j;
    }
};

// Joins the values of the threads that share a column, halving their number (a power of two) each time; returns a
// reference to the result.
template <typename V, typename Join> __device__ const V& column_reduce(V* table, V value, Join join) {
    const int mine = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    table[mine] = value;
    __syncthreads();
    for (int half = blockDim.y / 2; half > 0; half /= 2) {
        if (threadIdx.y < half) join(table[mine], table[mine + half * blockDim.x]);
        __syncthreads();
    }
    return table[threadIdx.z * blockDim.y * blockDim.x + threadIdx.x];
}

constexpr int kTile = 256;  // threads of a block
constexpr int kBatch = 4;   // elements that a thread loads together

template <typename T, bool Log>
__global__ void __launch_bounds__(kTile)
    softmax_strided_forward(T* __restrict__ out, const T* __restrict__ x, int64 outer, int64 n, int64 inner) {
    using A = acc_t<T>;
    __shared__ Online<A> table[kTile];
    const Column column(outer, n, inner);
    Online<A> mine = Online<A>::none();
    for (int64 k = threadIdx.y; column.exists && k < n; k += kBatch * blockDim.y) {
        A at[kBatch];
#pragma unroll
        for (int j = 0; j < kBatch; ++j) {
            const int64 row = k + j * blockDim.y;
            at[j] = row < n ? load(x[column.start + row * inner]) : lowest<A>();
        }
        mine.template add<kBatch>(at);
    }
    const Online<A>& all = column_reduce(table, mine, [](Online<A>& a, const Online<A>& b) { a.join(b); });
    const A peak = all.peak, last = Log ? logarithm(all.total) : 1 / all.total;
    for (int64 k = threadIdx.y; column.exists && k < n; k += blockDim.y) {
        const int64 i = column.start + k * inner;
        const A moved = load(x[i]) - peak;
        out[i] = store<T>(Log ? moved - last : exponential(moved) * last);
    }
}

template <typename T, bool Log>
__global__ void __launch_bounds__(kTile)
    softmax_strided_backward(T* __restrict__ gx, const T* __restrict__ g, const T* __restrict__ out, int64 outer,
                             int64 n, int64 inner) {
    using A = acc_t<T>;
    __shared__ A table[kTile];
    const Column column(outer, n, inner);
    A mine = 0;
#pragma unroll kBatch
    for (int64 k = threadIdx.y; column.exists && k < n; k += blockDim.y) {
        const int64 i = column.start + k * inner;
        mine += Log ? load(g[i]) : load(g[i]) * load(out[i]);
    }
    const A sum = column_reduce(table, mine, [](A& a, A b) { a += b; });
#pragma unroll kBatch
    for (int64 k = threadIdx.y; column.exists && k < n; k += blockDim.y) {
        const int64 i = column.start + k * inner;
        gx[i] = store<T>(gradient<Log>(load(g[i]), load(out[i]), sum, A(1)));
    }
}
