// Loss scaling (Micikevicius et al. 2018, section 3.2): gradients times 1 / scale, and whether one is not finite.
//
// All gradients of an optimizer go through one launch. `found` becomes `number` if an element is infinite or NaN: the
// number of this call, which no earlier one had, so that nothing has to be set to zero before. Bytes moved: each element
// is read and written once.

#include "tensors.cuh"

// Multiplies N elements; returns whether all were finite.
template <int N, typename T> __device__ __forceinline__ bool unscale_vector(T* at, acc_t<T> inverse) {
    acc_t<T> values[N];
    bool finite = true;
    read<N>(values, at);
#pragma unroll
    for (int j = 0; j < N; ++j) {
        finite = finite && fabs(values[j]) < infinity<acc_t<T>>();
        values[j] *= inverse;
    }
    write<N>(at, values);
    return finite;
}

// stored_factor: where a captured step has its factor, else null.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    unscale(Tensors all, int* __restrict__ found, int number, double factor, const double* __restrict__ stored_factor) {
    constexpr int N = 16 / sizeof(T);
    const Piece piece(all);
    T* const at = static_cast<T*>(all.to[piece.tensor]);
    const acc_t<T> inverse = static_cast<acc_t<T>>(stored_factor != nullptr ? *stored_factor : factor);
    const int64 middle = in_vectors<N>(at) ? piece.end - (piece.end - piece.begin) % N : piece.begin;
    bool finite = true;
    for (int64 i = piece.begin + threadIdx.x * N; i < middle; i += kThreads * N)
        finite = unscale_vector<N>(at + i, inverse) && finite;
    for (int64 i = middle + threadIdx.x; i < piece.end; i += kThreads)
        finite = unscale_vector<1>(at + i, inverse) && finite;
    if (!finite) atomicMax(found, number);
}
