// The twins of the PTX instructions that kernels/ptx.cuh wraps: mma.sync, ldmatrix, cp.async.
//
// Fragment layouts are those of the PTX manual ("Matrix fragments for mma.m16n8k16", ".m16n8k8"). With group = lane / 4
// and place = lane % 4, an accumulator register r of a lane is row group + 8 (r / 2), column 2 place + r % 2.

#pragma once

#include "collectives.h"
#include "language.h"
#include "small_floats.h"

namespace emulator {

struct MmaOperands {
    float* sum;
    const unsigned *a, *b;
};

// One 16 x 8 product of depth `kDepth`: Layout::a(lane, word, part) and ::b say which element a register holds.
template <typename Layout> EMULATOR_UNCHECKED void multiply(void* const* payloads, unsigned) {
    float a[16][Layout::kDepth], b[Layout::kDepth][8];
    for (int lane = 0; lane < 32; ++lane) {
        const auto* own = static_cast<const MmaOperands*>(payloads[lane]);
        const int group = lane / 4, place = lane % 4;
        for (int part = 0; part < Layout::kParts; ++part) {
            for (int r = 0; r < 4; ++r)
                a[group + 8 * (r % 2)][Layout::column(place, r / 2, part)] = Layout::value(own->a[r], part);
            for (int r = 0; r < 2; ++r) b[Layout::column(place, r, part)][group] = Layout::value(own->b[r], part);
        }
    }
    for (int lane = 0; lane < 32; ++lane) {
        float* sum = static_cast<const MmaOperands*>(payloads[lane])->sum;
        for (int r = 0; r < 4; ++r) {
            const int row = lane / 4 + 8 * (r / 2), column = 2 * (lane % 4) + r % 2;
            float total = 0;
            for (int k = 0; k < Layout::kDepth; ++k) total += a[row][k] * b[k][column];
            sum[r] += total;
        }
    }
}

template <typename S> struct SmallLayout {  // two 16-bit elements a register
    static constexpr int kDepth = 16, kParts = 2;
    static int column(int place, int half, int part) { return 2 * place + part + 8 * half; }
    EMULATOR_UNCHECKED static float value(unsigned word, int part) {
        return S::from_bits(static_cast<uint16_t>(word >> 16 * part)).wide();
    }
};

struct Tf32Layout {  // one float a register, of which the hardware reads 19 bits
    static constexpr int kDepth = 8, kParts = 1;
    static int column(int place, int half, int) { return place + 4 * half; }
    static float value(unsigned word, int) { return bits_of<float>(word & 0xffffe000u); }
};

template <typename Layout>
inline void mma(const char* operation, Site site, float* sum, const unsigned* a, const unsigned* b) {
    MmaOperands operands{sum, a, b};
    meet_warp(operation, site, 0xffffffffu, &operands, multiply<Layout>, false);
}

struct MatrixRows {
    const void* row;  // lanes 0-7 give the rows of the first matrix, 8-15 of the second ...
    unsigned* out;
    int matrices;
    bool transposed;
};

EMULATOR_UNCHECKED inline void load_fragments(void* const* payloads, unsigned) {
    for (int lane = 0; lane < 32; ++lane) {
        const auto* own = static_cast<const MatrixRows*>(payloads[lane]);
        const int row = lane / 4, column = 2 * (lane % 4);
        for (int m = 0; m < own->matrices; ++m) {
            auto element = [&](int i, int j) EMULATOR_UNCHECKED {
                uint16_t bits;
                const void* start = static_cast<const MatrixRows*>(payloads[8 * m + i])->row;
                __builtin_memcpy(&bits, static_cast<const char*>(start) + 2 * j, 2);
                return unsigned(bits);
            };
            own->out[m] = own->transposed ? element(column, row) | element(column + 1, row) << 16
                                          : element(row, column) | element(row, column + 1) << 16;
        }
    }
}

// What the compiler knows of the array that a pointer leads into: how many bytes it has from there on.
#if __has_builtin(__builtin_dynamic_object_size)
#define EMULATOR_BYTES_LEFT(pointer) __builtin_dynamic_object_size(pointer, 0)
#else
#define EMULATOR_BYTES_LEFT(pointer) __builtin_object_size(pointer, 0)
#endif

// In the kernel itself, where the compiler sees the array.
__forceinline__ void check_room(const char* operation, const void* at, size_t bytes) {
    if (EMULATOR_BYTES_LEFT(at) < bytes)
        fail("%s of %d bytes: %d are left of the array", operation, int(bytes), int(EMULATOR_BYTES_LEFT(at)));
}

__forceinline__ void copy_async(void* to, const void* from, int bytes, int source_bytes) {
    check_room("cp.async", to, bytes);
    begin_copy(to, from, bytes, source_bytes);
}

template <bool transposed, typename... Register>
__forceinline__ void ldmatrix(Site site, const void* row, Register&... registers) {
    constexpr int matrices = sizeof...(Register);
    constexpr const char* operation = transposed ? "ldmatrix.trans" : "ldmatrix";
    if (int(self->lane) < 8 * matrices) {
        check_room(operation, row, 16);
        read_shared(row, 16, operation);
    }
    unsigned out[matrices];
    MatrixRows rows{row, out, matrices, transposed};
    meet_warp(operation, site, 0xffffffffu, &rows, load_fragments, false);
    int m = 0;
    ((registers = out[m++]), ...);
}

inline unsigned to_tf32(float x) {  // rna: half of the last digit that stays is added to the size
    const unsigned bits = bits_of<unsigned>(x);
    return x - x == 0 ? (bits + 0x1000u) & 0xffffe000u : bits;
}

}  // namespace emulator
