// Many tensors in one launch: their addresses come as a kernel argument, so nothing is uploaded.
//
// Tensor t has ceil(size / kChunk) blocks, from block first_block[t] on; a block has kChunk of its elements.

#pragma once

#include "common.cuh"

constexpr int kTensors = 128;  // the argument has 3.6 KB, of 4
constexpr int kChunk = 8192;
constexpr int kThreads = 256;

struct Tensors {
    void *to[kTensors], *from[kTensors];
    int64 size[kTensors];
    int first_block[kTensors + 1];
    int count;
};

// What a block works on: elements [begin, end) of one tensor.
struct Piece {
    int tensor;
    int64 begin, end;

    __device__ __forceinline__ explicit Piece(const Tensors& all) {
        int low = 0, high = all.count;
        while (high - low > 1) {
            const int middle = (low + high) / 2;
            if (all.first_block[middle] <= static_cast<int>(blockIdx.x)) low = middle;
            else high = middle;
        }
        tensor = low;
        begin = static_cast<int64>(blockIdx.x - all.first_block[low]) * kChunk;
        end = begin + kChunk < all.size[low] ? begin + kChunk : all.size[low];
    }
};

template <int N, typename T> __device__ __forceinline__ bool in_vectors(const T* address) {
    return reinterpret_cast<uint64>(address) % (N * sizeof(T)) == 0;
}
