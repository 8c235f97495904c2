// The geometry of a convolution, the same for its forward pass and both gradients.
//
// Every pass reads one array ("from") at positions that a position of another one ("to") and a tap of the kernel give:
//
//     from * down = to * up + add + tap * step          (axis by axis; taps for which it does not divide are left out)
//
//     forward          y <- x    up = stride, down = 1,      add = -padding, step = dilation
//     input gradient   x <- y    up = 1,      down = stride, add = padding,  step = -dilation
//     weight gradient  as forward: x is read, and the positions of y are summed over
//
// With down > 1, the positions of "to" fall into `down` phases (to = phase + down * q) that each use every `every`-th
// tap from a first one on. Inside a phase nothing has to be divided, and no product is with a zero:
//
//     from = q * up + start + t * jump,    tap = first + t * every
//
// One- and two-dimensional convolutions have axes of size 1 in front. Strides are in elements, so that any memory
// layout is read and written as it is.

#pragma once

#include "common.cuh"

struct ConvAxis { int to, from, taps, up, down, add, step, every; };

struct Convolution {
    int64 from[5], to[5];  // strides of sample, channel and the three axes
    int64 weight[6];       // strides of group, channel of "to", channel of "from" and the three axes
    int64 batch;
    int groups, depth, width;  // channels of "from" and of "to" in a group
    int channels_last;         // whether neighbours in "from"'s memory are channels, not positions
    int columns_fast;          // whether neighbours in the other factor's (weight, or y) are channels of "to"
    ConvAxis axis[3];
};

// One axis in one phase.
struct Line { int count, up, start, jump, taps, first, every; };

__device__ __forceinline__ Line line_of(const ConvAxis& a, int phase) {
    Line line = {(a.to - phase + a.down - 1) / a.down, a.up, 0, a.every * a.step / a.down, 0, 0, a.every};
    const int origin = phase * a.up + a.add;
    while (line.first < a.every && (origin + line.first * a.step) % a.down != 0) ++line.first;
    if (line.first < a.every && line.first < a.taps) line.taps = (a.taps - 1 - line.first) / a.every + 1;
    line.start = (origin + line.first * a.step) / a.down;
    return line;
}

// All axes in one phase. Kernels keep it in shared memory, where one thread writes it.
struct Lines {
    Line at[3];
    int phase[3];

    __device__ void set(const Convolution& c, int number) {
        for (int a = 2; a >= 0; --a) {
            phase[a] = number % c.axis[a].down;
            number /= c.axis[a].down;
            at[a] = line_of(c.axis[a], phase[a]);
        }
    }
    __device__ int64 positions() const { return int64(at[0].count) * at[1].count * at[2].count; }
    __device__ int taps() const { return at[0].taps * at[1].taps * at[2].taps; }
};

// What one index, of a position or of a channel and tap, adds to the element's offset in "from" and in another array,
// and to its coordinates, which decide whether it exists.
struct Place {
    int64 from, other;
    int at[3];
};

constexpr int kNowhere = -(1 << 30);  // a coordinate that no other brings back inside

__device__ __forceinline__ Place nowhere() { return {0, 0, {kNowhere, 0, 0}}; }

__device__ __forceinline__ bool inside(const Convolution& c, const Place& a, const Place& b) {
    return unsigned(a.at[0] + b.at[0]) < unsigned(c.axis[0].from)
        && unsigned(a.at[1] + b.at[1]) < unsigned(c.axis[1].from)
        && unsigned(a.at[2] + b.at[2]) < unsigned(c.axis[2].from);
}

// Position `index` of a phase, counted over samples and axes; `other` is its offset in "to".
__device__ __forceinline__ Place position_of(const Convolution& c, const Lines& lines, int64 index) {
    const unsigned positions = unsigned(lines.positions());  // of one sample: below 2^31
    const int64 sample = index >> 32 ? index / positions : int64(unsigned(index) / positions);
    unsigned rest = unsigned(index - sample * positions);
    Place p = {sample * c.from[0], sample * c.to[0], {0, 0, 0}};
    for (int a = 2; a >= 0; --a) {
        const Line& line = lines.at[a];
        const int q = int(rest % line.count);
        rest /= line.count;
        p.at[a] = q * line.up + line.start;
        p.from += p.at[a] * c.from[2 + a];
        p.other += (lines.phase[a] + int64(q) * c.axis[a].down) * c.to[2 + a];
    }
    return p;
}

// Channel and tap number `index` of a phase; `other` is the offset in the weight. The faster of the two is the one that
// is contiguous in "from".
__device__ __forceinline__ Place tap_of(const Convolution& c, const Lines& lines, int index) {
    const int taps = lines.taps();
    const int channel = c.channels_last ? index % c.depth : index / taps;
    int number = c.channels_last ? index / c.depth : index % taps;
    Place p = {channel * c.from[1], channel * c.weight[2], {0, 0, 0}};
    for (int a = 2; a >= 0; --a) {
        const Line& line = lines.at[a];
        const int t = number % line.taps;
        number /= line.taps;
        p.at[a] = t * line.jump;
        p.from += p.at[a] * c.from[2 + a];
        p.other += int64(line.first + t * line.every) * c.weight[3 + a];
    }
    return p;
}
