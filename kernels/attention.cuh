// The parts that the attention kernels share: sizes and strides, one head's matrices, hidden scores, dropout.

#pragma once

#include "common.cuh"

struct Strides { int64 batch, head, row, column; };  // in elements; 0 along an axis that is broadcast

enum MaskKind { kNoMask, kBoolMask, kOwnMask, kWideMask };  // bool: true may attend; T or acc_t<T>: added to the score

// Launches pass it by value; gpugrad/ops/attention/cuda/problem.py has its twin.
struct Attention {
    int64 heads, key_heads, queries, keys;  // of one batch entry; query head h reads key head h / (heads / key_heads)
    Strides q, k, v, out, mask, g, gq, gk, gv;
    uint64 seed;
    const uint64* stored_seed;  // where a captured step has its seed, else null
    double scale, kept_scale;  // of scores; of the weights that dropout keeps
    int width, value_width;    // of a row of q and k, of v and out
    int causal, mask_kind;
    float dropout;             // probability that a weight is zeroed
};

// One head of a (B, H, T, D) array: a matrix of any strides.
template <typename T> struct Matrix {
    T* data;
    int64 row, column, rows;
    int columns;

    __device__ Matrix(T* array, const Strides& s, int64 batch, int64 head, int64 rows, int columns)
        : data(array + batch * s.batch + head * s.head), row(s.row), column(s.column), rows(rows), columns(columns) {}

    __device__ __forceinline__ T& at(int64 i, int64 j) const { return data[i * row + j * column]; }
};

// The number added to each score of one head: -inf if query i may not attend to key j, which makes the score hidden.
template <typename T> struct Bias {
    using A = acc_t<T>;
    const void* mask;
    int64 start;  // of this head in the mask

    __device__ Bias(const void* mask, const Attention& a, int64 batch, int64 head)
        : mask(mask), start(batch * a.mask.batch + head * a.mask.head) {}

    __device__ __forceinline__ A operator()(const Attention& a, int64 i, int64 j) const {
        if (i >= a.queries || j >= a.keys || (a.causal && j > i)) return -infinity<A>();
        return a.mask_kind == kNoMask ? A(0) : of_mask(a, i, j);
    }

    // The mask's part alone, where there is a mask and it has the position.
    __device__ __forceinline__ A of_mask(const Attention& a, int64 i, int64 j) const {
        const int64 at = start + i * a.mask.row + j * a.mask.column;
        if (a.mask_kind == kBoolMask) return static_cast<const unsigned char*>(mask)[at] ? A(0) : -infinity<A>();
        return a.mask_kind == kOwnMask ? load(static_cast<const T*>(mask)[at]) : static_cast<const A*>(mask)[at];
    }
};

// ---- dropout: row r of the (B, H, Tq) rows draws four keys at a time, counter r * ceil(Tk / 4) + key / 4

constexpr uint64 kAttentionStream = 0;

// Bit w says whether the weight of key 4 * quad + w is kept.
__device__ __forceinline__ uint32 kept_of_four(const Attention& a, int64 row, int64 quad) {
    // volatile: loaded where it is used, which is rare, instead of kept in registers, of which there are none left.
    const uint64 key = a.stored_seed != nullptr ? *static_cast<const volatile uint64*>(a.stored_seed) : a.seed;
    const Random4 random = philox(row * ((a.keys + 3) / 4) + quad, kAttentionStream, key);
    uint32 bits = 0;
    for (int w = 0; w < 4; ++w) bits |= uint32(uniform(random.at[w]) >= a.dropout) << w;
    return bits;
}
