// Depthwise convolution: each group reads one channel, or writes one, so there is no matrix product to make of it.
//
//     forward, input gradient    a thread makes one element of "to" from the taps that reach it
//     weight gradient            a thread sums up to kTaps taps of one channel over some positions; its block adds up
//
// All are bound by memory: each input is read from DRAM once and then from L1. Neighbouring threads have neighbouring
// channels in a channels-last layout and neighbouring positions in a channels-first one (`lanes` = 32 or 1 channels per
// block). Geometry and phases are in conv.cuh; sums are in a fixed order.

#include "conv.cuh"

constexpr int kThreads = 256;
constexpr int kTaps = 9;

// Grid: along x tiles of positions, tiles of channels of "to", samples and phases. Up to kThreads threads.
template <typename T>
__global__ void __launch_bounds__(kThreads, 3) depthwise_gather(
    Convolution c, T* __restrict__ to, const T* __restrict__ from, const T* __restrict__ weight,
    const T* __restrict__ bias, int lanes, int64 position_tiles, int channel_tiles
) {
    __shared__ Phase phase;
    int64 block = blockIdx.x;
    const int64 first = block % position_tiles * (blockDim.x / lanes);
    block /= position_tiles;
    const int channel = int(block % channel_tiles) * lanes + threadIdx.x % lanes;
    block /= channel_tiles;
    if (threadIdx.x == 0) phase.set(c, int(block / c.batch));
    __syncthreads();
    const int64 sample = block % c.batch, index = first + threadIdx.x / lanes;
    if (index >= phase.positions() || channel >= c.groups * c.width) return;

    const int group = channel / c.width;
    const PhaseAxis &l0 = phase.axis[0], &l1 = phase.axis[1], &l2 = phase.axis[2];
    const Place place = position_place(c, phase, index);
    from += place.from + sample * c.from[0] + int64(group) * c.depth * c.from[1];
    weight += group * c.weight[0] + channel % c.width * c.weight[1];
    acc_t<T> sum = bias != nullptr ? load(bias[channel]) : acc_t<T>(0);
    for (int d = 0; d < c.depth; ++d)
        for (int i = 0; i < l0.taps; ++i) {
            if (unsigned(place.at[0] + i * l0.jump) >= unsigned(c.axis[0].from)) continue;
            for (int j = 0; j < l1.taps; ++j) {
                if (unsigned(place.at[1] + j * l1.jump) >= unsigned(c.axis[1].from)) continue;
                const T* x = from + d * c.from[1] + i * l0.jump * c.from[2] + j * l1.jump * c.from[3];
                const T* w = weight + d * c.weight[2] + (l0.first + i * l0.every) * c.weight[3]
                    + (l1.first + j * l1.every) * c.weight[4];
                for (int k = 0; k < l2.taps; ++k)
                    if (unsigned(place.at[2] + k * l2.jump) < unsigned(c.axis[2].from))
                        sum += load(x[k * l2.jump * c.from[4]]) * load(w[(l2.first + k * l2.every) * c.weight[5]]);
            }
        }
    to[place.other + sample * c.to[0] + channel * c.to[1]] = store<T>(sum);
}

// The weight gradient of range r, as in conv.cu, into part r of `parts`. "to" is g, the upstream gradient.
// Grid: along x tiles of its channels and sets of kTaps taps, along y ranges.
template <typename T>
__global__ void __launch_bounds__(kThreads) depthwise_weight_gradient(
    Convolution c, acc_t<T>* __restrict__ parts, const T* __restrict__ g, const T* __restrict__ x, int64 size,
    int64 range, int lanes, int channel_tiles
) {
    __shared__ Phase phase;
    __shared__ Place reach[kTaps];
    __shared__ acc_t<T> scratch[kThreads];
    const int t = threadIdx.x, channel = blockIdx.x % channel_tiles * lanes + t % lanes, group = channel / c.width;
    const int first_tap = blockIdx.x / channel_tiles * kTaps;
    if (t == 0) phase.set(c, 0);
    __syncthreads();
    if (t < kTaps) reach[t] = first_tap + t < phase.taps() ? channel_tap_place(c, phase, first_tap + t) : nowhere();
    __syncthreads();

    const bool exists = channel < c.groups * c.width;
    const int64 end = c.batch * phase.positions(), last = (blockIdx.y + 1) * range;
    acc_t<T> sum[kTaps] = {};
    for (int64 i = blockIdx.y * range + t / lanes; exists && i < (last < end ? last : end); i += kThreads / lanes) {
        const Place p = position_place(c, phase, i);
        const acc_t<T> upstream = load(g[p.other + channel * c.to[1]]);
#pragma unroll
        for (int f = 0; f < kTaps; ++f)
            if (inside(c, p, reach[f])) sum[f] += upstream * load(x[p.from + reach[f].from + group * c.from[1]]);
    }
    acc_t<T>* part = parts + blockIdx.y * size + group * c.weight[0] + channel % c.width * c.weight[1];
#pragma unroll
    for (int f = 0; f < kTaps; ++f) {
        scratch[t] = sum[f];
        for (int half = kThreads / 2; half >= lanes; half /= 2) {
            __syncthreads();
            if (t < half) scratch[t] += scratch[t + half];
        }
        __syncthreads();
        if (t < lanes && exists && reach[f].at[0] != kNowhere) part[reach[f].other] = scratch[t];
        __syncthreads();
    }
}
