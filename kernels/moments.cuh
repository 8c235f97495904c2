// Mean and sum of squared deviations, computed for parts and then merged.
//
// T. F. Chan, G. H. Golub and R. J. LeVeque, "Updating formulae and a pairwise algorithm for computing sample
// variances" (1979). Parts are merged in a fixed order. Subtract a number near the mean first (a "pivot", such as the
// first element): for values near 1e4 with a spread of 1e-3, a float32 mean alone cannot represent the spread.

#pragma once

#include "common.cuh"

template <typename A> struct Moments {
    A count, mean, squares;  // squares: sum of (x - mean)^2

    static __device__ __forceinline__ Moments zero() { return {A(0), A(0), A(0)}; }

    // The moments of a few values: first their mean, then their deviations from it.
    template <int N> static __device__ __forceinline__ Moments of(const A (&value)[N]) {
        Moments made = {A(N), A(0), A(0)};
        for (int i = 0; i < N; ++i) made.mean += value[i];
        made.mean /= N;
        for (int i = 0; i < N; ++i) made.squares += (value[i] - made.mean) * (value[i] - made.mean);
        return made;
    }

    // The moments of a few values about 0, as if that were their mean.
    template <int N> static __device__ __forceinline__ Moments about_zero(const A (&value)[N]) {
        Moments made = {A(N), A(0), A(0)};
        for (int i = 0; i < N; ++i) made.squares += value[i] * value[i];
        return made;
    }

    static __device__ __forceinline__ Moments join(Moments a, Moments b) {
        if (a.count == A(0)) return b;
        if (b.count == A(0)) return a;
        const A count = a.count + b.count, share = b.count / count, apart = b.mean - a.mean;
        return {count, a.mean + apart * share, a.squares + b.squares + apart * apart * (a.count * share)};
    }
};

// Joins the values of `rows` threads (a power of two), each of which has N neighbouring ones of `width` side by side,
// as a tree: all of them receive the result for their columns. `shared` holds rows * width values.
template <int N, typename J>
__device__ __forceinline__ void join_rows(J (&value)[N], J* shared, int row, int rows, int column, int width) {
    J* const mine = shared + row * width + column;
    for (int j = 0; j < N; ++j) mine[j] = value[j];
    for (int half = rows / 2; half > 0; half /= 2) {
        __syncthreads();
        if (row < half)
            for (int j = 0; j < N; ++j) mine[j] = J::join(mine[j], mine[half * width + j]);
    }
    __syncthreads();
    for (int j = 0; j < N; ++j) value[j] = shared[column + j];
    __syncthreads();
}
