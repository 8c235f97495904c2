// Dropout: out_i = x_i * scale where the random number of decision i / share is large enough, else x_i * 0.
//
// Decision d is word d % 4 of Philox4x32-10 (Salmon et al. 2011) at counter d / 4: so nothing is stored, and the
// backward is the same kernel on g. Bytes moved: x once, the result once. A thread moves 16 bytes at a time, for which
// it computes 4 words (8 for 16-bit types).

#include "common.cuh"

constexpr int kThreads = 256, kEach = 8;

__device__ __forceinline__ uint32 word(const Random4& random, int64 i) {  // no index that the compiler does not know
    const uint32 low = i & 1 ? random.at[1] : random.at[0], high = i & 1 ? random.at[3] : random.at[2];
    return i & 2 ? high : low;
}

template <typename T> __device__ __forceinline__ T kept(T x, uint32 word, uint32 least, acc_t<T> scale) {
    return store<T>(load(x) * (word >> 8 >= least ? scale : acc_t<T>(0)));
}

// least: 2^24 p, rounded up. n: elements. share: neighbouring elements that have one decision. stored_key: where a
// captured step has its key, else null.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    dropout(T* __restrict__ out, const T* __restrict__ x, int64 n, int64 share, uint32 least, acc_t<T> scale,
            uint64 key, const uint64* __restrict__ stored_key) {
    if (stored_key != nullptr) key = *stored_key;
    constexpr int N = 16 / sizeof(T), kWords = N < 4 ? N : 4;
    const int64 first = static_cast<int64>(blockIdx.x) * (kThreads * kEach);
    const int64 last = n - first < kThreads * kEach ? n : first + kThreads * kEach;
    const bool vectors = share == 1 && reinterpret_cast<uint64>(x) % 16 == 0 && reinterpret_cast<uint64>(out) % 16 == 0;
    const int64 middle = vectors ? last - (last - first) % N : first;
    for (int64 i = first + threadIdx.x * N; i < middle; i += kThreads * N) {
        Vec<T, N> found = *reinterpret_cast<const Vec<T, N>*>(x + i);
#pragma unroll
        for (int k = 0; k < N; k += kWords) {
            const Random4 random = philox((i + k) / 4, 0, key);
#pragma unroll
            for (int w = 0; w < kWords; ++w)
                found.at[k + w] = kept(found.at[k + w], word(random, i + k + w), least, scale);
        }
        *reinterpret_cast<Vec<T, N>*>(out + i) = found;
    }
    for (int64 i = middle + threadIdx.x; i < last; i += kThreads) {
        const int64 decision = i / share;
        out[i] = kept(x[i], word(philox(decision / 4, 0, key), decision), least, scale);
    }
}
