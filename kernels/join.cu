// Arrays one after the other along an axis, in one launch.
//
// Seen from that axis, array k is (outer, width_k) and the result (outer, sum of the widths), in words: the largest units
// that every width and address is a multiple of, up to 16 bytes. Block y has one array; a thread moves one word at a time.
// Bytes moved: each element is read and written once.

#include "common.cuh"

constexpr int kArrays = 32, kThreads = 256;

struct Parts {
    const void* from[kArrays];
    int64 width[kArrays], start[kArrays];  // in words: of a row of the array, and where it begins in a row of the result
};

template <typename Word>
__global__ void __launch_bounds__(kThreads) concatenate(void* __restrict__ out, Parts parts, int64 outer, int64 total) {
    const int k = blockIdx.y;
    const Word* const from = static_cast<const Word*>(parts.from[k]);
    const int64 width = parts.width[k], n = outer * width, start = parts.start[k];
#pragma unroll 4
    for (int64 i = thread_index(); i < n; i += thread_count()) {
        const int64 row = i / width;
        static_cast<Word*>(out)[row * total + start + (i - row * width)] = from[i];
    }
}
