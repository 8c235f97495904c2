// Casts between float types: one array, or many in one launch.
//
// Parallel scheme: a block has 8192 elements of one array, which move 16 bytes at a time on the wider side if both
// addresses allow it. Bytes moved: each element is read and written once.

#include "tensors.cuh"

template <int N, typename To, typename From>
__device__ __forceinline__ void cast_vector(To* __restrict__ to, const From* __restrict__ from) {
    const Vec<From, N> read = *reinterpret_cast<const Vec<From, N>*>(from);
    Vec<To, N> made;
#pragma unroll
    for (int j = 0; j < N; ++j) made.at[j] = store<To>(static_cast<acc_t<To>>(load(read.at[j])));
    *reinterpret_cast<Vec<To, N>*>(to) = made;
}

// Casts elements [begin, end), of which begin is a multiple of kChunk.
template <typename To, typename From>
__device__ __forceinline__ void cast_piece(To* __restrict__ to, const From* __restrict__ from, int64 begin, int64 end) {
    constexpr int N = 16 / (sizeof(To) > sizeof(From) ? sizeof(To) : sizeof(From));
    const int64 middle = in_vectors<N>(to) && in_vectors<N>(from) ? end - (end - begin) % N : begin;
#pragma unroll 4
    for (int64 i = begin + threadIdx.x * N; i < middle; i += kThreads * N) cast_vector<N>(to + i, from + i);
    for (int64 i = middle + threadIdx.x; i < end; i += kThreads) cast_vector<1>(to + i, from + i);
}

template <typename To, typename From>
__global__ void __launch_bounds__(kThreads) cast(To* __restrict__ to, const From* __restrict__ from, int64 n) {
    const int64 begin = static_cast<int64>(blockIdx.x) * kChunk;
    cast_piece(to, from, begin, begin + kChunk < n ? begin + kChunk : n);
}

template <typename To, typename From>
__global__ void __launch_bounds__(kThreads) cast_all(Tensors all) {
    const Piece piece(all);
    cast_piece(static_cast<To*>(all.to[piece.tensor]), static_cast<const From*>(all.from[piece.tensor]), piece.begin,
               piece.end);
}
