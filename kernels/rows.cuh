// Rows: how the threads of a block share the rows of a matrix.
//
// blockDim.x threads own one row: a power of two up to a warp, with blockDim.y rows in the block, or several warps with
// one row. They walk over it in chunks of V neighbours. Chunks begin at multiples of 16 bytes in memory, whatever the
// row's own address: the first and the last may reach outside of the row, and only these go element by element.

#pragma once

#include "ptx.cuh"

template <typename T> constexpr int kVector = 16 / sizeof(T);  // elements that one instruction moves

template <typename A> __device__ __forceinline__ A lowest() { return Max::zero<A>(); }
template <typename A> __device__ __forceinline__ A nan_of() { return A(__int_as_float(0x7fffffff)); }

// The row of this thread; threads of rows past the end take part in the reductions, with no columns.
__device__ __forceinline__ int64 row_index() { return static_cast<int64>(blockIdx.x) * blockDim.y + threadIdx.y; }

// Elements from the last multiple of 16 bytes up to `row`.
template <typename T> __device__ __forceinline__ int past_boundary(const T* row) {
    return static_cast<int>(reinterpret_cast<uint64>(row) % 16 / sizeof(T));
}

// Returns whether chunks of both arrays begin at the same elements, so that one loop can use vectors of both.
template <typename T> __device__ __forceinline__ bool aligned_alike(const T* a, const T* b) {
    return past_boundary(a) == past_boundary(b);
}

struct Same {
    template <typename A, typename I> __device__ __forceinline__ A operator()(A value, I) const { return value; }
};

// at[j] = change(row[column + j], column + j) for columns in [0, n), `outside` for the others.
// I: int where a row is known to be short, which saves registers, or int64.
template <int V, typename T, typename I, typename Change = Same>
__device__ __forceinline__ void load_chunk(acc_t<T>* at, const T* __restrict__ row, I column, I n, acc_t<T> outside,
                                           Change change = Change()) {
    if (column >= 0 && column + V <= n) {
        const Vec<T, V> chunk = *reinterpret_cast<const Vec<T, V>*>(row + column);
#pragma unroll
        for (int j = 0; j < V; ++j) at[j] = change(load(chunk.at[j]), column + j);
    } else {
#pragma unroll
        for (int j = 0; j < V; ++j) {
            const bool inside = column + j >= 0 && column + j < n;
            at[j] = inside ? change(load(row[column + j]), column + j) : outside;
        }
    }
}

// row[column + j] = at[j] for columns in [0, n).
template <int V, typename T, typename I>
__device__ __forceinline__ void store_chunk(T* __restrict__ row, I column, I n, const acc_t<T>* at) {
    if (column >= 0 && column + V <= n) {
        write_whole<V>(row + column, at);
    } else {
#pragma unroll
        for (int j = 0; j < V; ++j) {
            if (column + j >= 0 && column + j < n) row[column + j] = store<T>(at[j]);
        }
    }
}

// A reduction over the threads of a row; `scratch` holds one A per warp.
template <typename Op, typename A> __device__ __forceinline__ A row_reduce(A value, A* scratch) {
    if (blockDim.x > kWarp) return block_reduce<Op>(value, scratch);
    for (int lane = blockDim.x / 2; lane > 0; lane /= 2) {
        value = Op::join(value, __shfl_xor_sync(kAllLanes, value, lane));
    }
    return value;
}

// The largest of some numbers, and the sum of exp(number - largest), from one pass (Milakov and Gimelshein 2018,
// arXiv:1805.02867). NaN and +inf make the sum NaN; while all are -inf it is 0.
template <typename A> struct Online {
    A peak, total;

    static __device__ __forceinline__ Online none() { return {lowest<A>(), A(0)}; }

    // The sum relative to a new peak.
    __device__ __forceinline__ A under(A other) const {
        return other == lowest<A>() ? A(0) : total * exponential(peak - other);
    }

    template <int N> __device__ __forceinline__ void add(const A* numbers) {
        A higher = peak;
#pragma unroll
        for (int j = 0; j < N; ++j) higher = Max::join(higher, numbers[j]);
        if (higher == lowest<A>()) return;
        total = under(higher);
#pragma unroll
        for (int j = 0; j < N; ++j) total += exponential(numbers[j] - higher);
        peak = higher;
    }

    __device__ __forceinline__ void join(const Online& other) {
        const A higher = Max::join(peak, other.peak);
        total = under(higher) + other.under(higher);
        peak = higher;
    }

    // Over all threads of the row.
    __device__ __forceinline__ void reduce(A* scratch) {
        const A higher = row_reduce<Max>(peak, scratch);
        total = row_reduce<Sum>(under(higher), scratch);
        peak = higher;
    }
};
