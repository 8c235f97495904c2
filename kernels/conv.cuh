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

// One axis in one phase: `count` positions q, whose element is from = q * up + start + t * jump for each of `taps` taps
// t, which are the taps first + t * every of the kernel.
struct PhaseAxis { int count, up, start, jump, taps, first, every; };

// Example: the input gradient of an axis with 5 inputs, a kernel of 3 taps, stride 2, padding 1. Here "to" is x, "from"
// is y with 3 elements, and 2 y = x + 1 - tap; up = 1, down = 2, add = 1, step = -1, every = 2.
//
//     phase 0: x = 0, 2, 4 (q = 0, 1, 2). Only tap 1 divides (first = 1, taps = 1), start = 0: x[2q] reads y[q].
//     phase 1: x = 1, 3 (q = 0, 1). Taps 0 and 2 divide (first = 0, taps = 2), start = 1, jump = -1: x[2q + 1] reads
//              y[q + 1] by tap 0 and y[q] by tap 2.
__device__ __forceinline__ PhaseAxis axis_in_phase(const ConvAxis& a, int phase) {
    PhaseAxis axis = {(a.to - phase + a.down - 1) / a.down, a.up, 0, a.every * a.step / a.down, 0, 0, a.every};
    const int origin = phase * a.up + a.add;
    while (axis.first < a.every && (origin + axis.first * a.step) % a.down != 0) ++axis.first;
    if (axis.first < a.every && axis.first < a.taps) axis.taps = (a.taps - 1 - axis.first) / a.every + 1;
    axis.start = (origin + axis.first * a.step) / a.down;
    return axis;
}

// All axes in one phase. Kernels keep it in shared memory, where one thread writes it.
struct Phase {
    PhaseAxis axis[3];
    int first[3];  // the first position of "to" along each axis

    __device__ void set(const Convolution& c, int number) {
        for (int a = 2; a >= 0; --a) {
            first[a] = number % c.axis[a].down;
            number /= c.axis[a].down;
            axis[a] = axis_in_phase(c.axis[a], first[a]);
        }
    }
    __device__ int64 positions() const { return int64(axis[0].count) * axis[1].count * axis[2].count; }
    __device__ int taps() const { return axis[0].taps * axis[1].taps * axis[2].taps; }
};

// An element of "from" is found by two indices: a position of "to", and a channel with a tap. Its offset in "from" and
// its coordinates are the sums of two contributions, each a Place. If the sum of the coordinates is outside of "from",
// the element is padding. `other` is the index's offset in a second array: "to" for a position, the weight for a tap.
//
// In phase 1 of the example above, x[3] is position q = 1: at = q * up + start = 2. Tap 2 is t = 1: at = t * jump = -1.
// Together they read y[1].
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

// The contribution of position `index` of a phase, counted through the samples and, within one, through its axes.
__device__ __forceinline__ Place position_place(const Convolution& c, const Phase& phase, int64 index) {
    const unsigned positions = unsigned(phase.positions());  // of one sample: below 2^31
    const int64 sample = index >> 32 ? index / positions : int64(unsigned(index) / positions);
    unsigned rest = unsigned(index - sample * positions);
    Place p = {sample * c.from[0], sample * c.to[0], {0, 0, 0}};
    for (int a = 2; a >= 0; --a) {
        const PhaseAxis& axis = phase.axis[a];
        const int q = int(rest % axis.count);
        rest /= axis.count;
        p.at[a] = q * axis.up + axis.start;
        p.from += p.at[a] * c.from[2 + a];
        p.other += (phase.first[a] + int64(q) * c.axis[a].down) * c.to[2 + a];
    }
    return p;
}

// The contribution of a channel with a tap of a phase. `index` counts through both; the one whose neighbours are also
// neighbours in the memory of "from" goes faster. With 2 channels and 3 taps, index 4 is channel 0 (4 % 2) and tap 2
// (4 / 2) if channels are last in memory, else channel 1 (4 / 3) and tap 1 (4 % 3).
__device__ __forceinline__ Place channel_tap_place(const Convolution& c, const Phase& phase, int index) {
    const int taps = phase.taps();
    const int channel = c.channels_last ? index % c.depth : index / taps;
    int number = c.channels_last ? index / c.depth : index % taps;
    Place p = {channel * c.from[1], channel * c.weight[2], {0, 0, 0}};
    for (int a = 2; a >= 0; --a) {
        const PhaseAxis& axis = phase.axis[a];
        const int t = number % axis.taps;
        number /= axis.taps;
        p.at[a] = t * axis.jump;
        p.from += p.at[a] * c.from[2 + a];
        p.other += int64(axis.first + t * axis.every) * c.weight[3 + a];
    }
    return p;
}
