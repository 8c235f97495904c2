// Convolution of one to three axes as implicit matrix products, in any layout, for every type.
//
//     forward, input gradient    to[p, k] = sum over (channel, tap) of from[p, (channel, tap)] w[(channel, tap), k]
//     weight gradient            w[(channel, tap), k] = sum over positions p of from[p, (channel, tap)] y[p, k]
//
// The matrix of patches is never stored: an element's address is the sum of what its row and its column contribute, and
// whether it lies in the padding is three comparisons (`Place`, conv.cuh). A block of 256 threads makes 128 x 64
// results (64 x 64 in double) from slices 16 deep. A slice goes through registers into one of two buffers while the
// other is multiplied. The places of the rows are kept for the whole block, those of the 16 columns of a slice are
// computed eight slices at a time. The input gradient runs phase by phase (conv.cuh); a block has one phase.
//
// After every 128 products a sum is set aside, and the next begins at 0: the error of a sum of n products then grows as
// n^(1/4), that of one long sum as n^(1/2). GPUs whose blocks have less than 70 KB of shared memory (before sm_80) do
// without. The weight gradient's long sum is also cut into ranges, one for each block
// along y, whose results a second kernel adds up in order: a rerun gives the same bits. Bytes moved: each input once
// per tile that needs it, mostly from L2. Sources: Chellapilla et al. 2006 (convolution as a product); Chetlur et al.
// 2014, arXiv:1410.0759.

#include "conv.cuh"

constexpr int kThreads = 256;
constexpr int kDepth = 16;  // of a slice
constexpr int kTable = 8;   // slices whose places are computed together
constexpr int kCols = 64;

template <typename T> constexpr int kRows = sizeof(acc_t<T>) == 4 ? 128 : 64;
template <typename T> constexpr int kBlocks = sizeof(acc_t<T>) == 4 ? 2 : 1;  // on a multiprocessor, at least

template <typename T> struct Tiles {
    // Four more than a row's elements: neighbouring rows start in other banks, and reads of four stay aligned.
    alignas(4 * sizeof(acc_t<T>)) acc_t<T> a[2][kDepth][kRows<T> + 4];
    alignas(4 * sizeof(acc_t<T>)) acc_t<T> b[2][kDepth][kCols + 4];
    Place row[kRows<T>];
    Place slice[2][kTable * kDepth];
    Phase phase;
};

// A thread's share of a tile: kRows / 16 x 4 results, in groups of 4 x 4 neighbours, 64 rows apart. Thread (x, y) has
// rows 4 x to 4 x + 3 (and 64 + 4 x to 64 + 4 x + 3) and columns 4 y to 4 y + 3.
template <typename T> struct Share {
    static constexpr int kGroups = kRows<T> / 64;
    acc_t<T> sum[kGroups * 4][4];
    int x, y;  // of 16 x 16

    __device__ Share(bool columns_fast) {
        const int t = threadIdx.x;
        x = columns_fast ? t / 16 : t % 16;
        y = columns_fast ? t % 16 : t / 16;
        for (auto& row : sum)
            for (auto& s : row) s = 0;
    }
    // Add the sums so far to `total`, in shared memory, and begin at 0 again; `take_back` adds the total at the end.
    __device__ __forceinline__ void set_aside(acc_t<T>* total, bool first) {
#pragma unroll
        for (int i = 0; i < kGroups * 16; ++i) {
            acc_t<T>& at = total[i * kThreads + threadIdx.x];
            at = first ? sum[i / 4][i % 4] : at + sum[i / 4][i % 4];
            sum[i / 4][i % 4] = 0;
        }
    }
    __device__ __forceinline__ void take_back(const acc_t<T>* total) {
#pragma unroll
        for (int i = 0; i < kGroups * 16; ++i) sum[i / 4][i % 4] += total[i * kThreads + threadIdx.x];
    }
    __device__ int row(int i) const { return i / 4 * 64 + x * 4 + i % 4; }
    __device__ int column(int j) const { return y * 4 + j; }

    __device__ __forceinline__ void multiply(const Tiles<T>& tiles, int buffer) {
        using Four = Vec<acc_t<T>, 4>;
#pragma unroll
        for (int k = 0; k < kDepth; ++k) {
            const Four b = *reinterpret_cast<const Four*>(&tiles.b[buffer][k][y * 4]);
#pragma unroll
            for (int group = 0; group < kGroups; ++group) {
                const Four a = *reinterpret_cast<const Four*>(&tiles.a[buffer][k][group * 64 + x * 4]);
#pragma unroll
                for (int i = 0; i < 16; ++i) sum[group * 4 + i / 4][i % 4] += a.at[i / 4] * b.at[i % 4];
            }
        }
    }
};

// The elements of one slice of both tiles on their way from global to shared memory: each thread holds some.
template <typename T> struct Transit {
    static constexpr int kA = kRows<T> * kDepth / kThreads, kB = kCols * kDepth / kThreads;
    T a[kA], b[kB];

    // depth_fast: neighbouring threads take neighbouring elements of the depth, not of the rows (a) or columns (b).
    __device__ __forceinline__ void read(
        const Convolution& c, const Tiles<T>& tiles, const Place* slice, const T* from, const T* other, int64 stride,
        int columns, bool depth_fast_a, bool depth_fast_b
    ) {
        const int t = threadIdx.x;
        if (depth_fast_a) {
            const Place k = slice[t % kDepth];
#pragma unroll
            for (int i = 0; i < kA; ++i) {
                const Place& row = tiles.row[t / kDepth + i * (kThreads / kDepth)];
                a[i] = inside(c, row, k) ? from[row.from + k.from] : T(0.f);
            }
        } else {
            const Place row = tiles.row[t % kRows<T>];
#pragma unroll
            for (int i = 0; i < kA; ++i) {
                const Place& k = slice[t / kRows<T> + i * (kThreads / kRows<T>)];
                a[i] = inside(c, row, k) ? from[row.from + k.from] : T(0.f);
            }
        }
#pragma unroll
        for (int i = 0; i < kB; ++i) {
            const int column = depth_fast_b ? t / kDepth + i * (kThreads / kDepth) : t % kCols;
            const Place& k = slice[depth_fast_b ? t % kDepth : t / kCols + i * (kThreads / kCols)];
            b[i] = column < columns && k.at[0] != kNowhere ? other[k.other + column * stride] : T(0.f);
        }
    }

    __device__ __forceinline__ void write(Tiles<T>& tiles, int buffer, bool depth_fast_a, bool depth_fast_b) const {
        const int t = threadIdx.x;
#pragma unroll
        for (int i = 0; i < kA; ++i) {
            const int row = depth_fast_a ? t / kDepth + i * (kThreads / kDepth) : t % kRows<T>;
            const int k = depth_fast_a ? t % kDepth : t / kRows<T> + i * (kThreads / kRows<T>);
            tiles.a[buffer][k][row] = load(a[i]);
        }
#pragma unroll
        for (int i = 0; i < kB; ++i) {
            const int column = depth_fast_b ? t / kDepth + i * (kThreads / kDepth) : t % kCols;
            const int k = depth_fast_b ? t % kDepth : t / kCols + i * (kThreads / kCols);
            tiles.b[buffer][k][column] = load(b[i]);
        }
    }
};

// share.sum[row][column] = sum over i < length of from[row, i] * other[i, column]; `places(i)` returns the Place of i.
// tiles.row holds the rows' places, written before the call without a barrier. `aside`: sums are set aside.
template <typename T, typename Places>
__device__ __forceinline__ void product(
    const Convolution& c, Tiles<T>& tiles, Share<T>& share, const Places& places, int64 length, const T* from,
    const T* other, int64 stride, int columns, bool depth_fast_a, bool depth_fast_b, bool aside
) {
    const int t = threadIdx.x, slices = int((length + kDepth - 1) / kDepth);
    auto locate = [&](int first) {  // slices first to first + kTable - 1
        const int64 i = int64(first) * kDepth + t;
        if (t < kTable * kDepth) tiles.slice[first / kTable % 2][t] = i < length ? places(i) : nowhere();
    };
    auto slice = [&](int s) { return &tiles.slice[s / kTable % 2][s % kTable * kDepth]; };
    acc_t<T>* total = dynamic_shared<acc_t<T>>();  // there if `aside`
    Transit<T> transit;
    locate(0);
    __syncthreads();
    transit.read(c, tiles, slice(0), from, other, stride, columns, depth_fast_a, depth_fast_b);
    transit.write(tiles, 0, depth_fast_a, depth_fast_b);
    __syncthreads();
    for (int s = 0; s < slices; ++s) {
        const bool more = s + 1 < slices;
        if (s % kTable == 0) {
            if (aside && s > 0) share.set_aside(total, s == kTable);
            locate(s + kTable);
        }
        if (more) transit.read(c, tiles, slice(s + 1), from, other, stride, columns, depth_fast_a, depth_fast_b);
        share.multiply(tiles, s % 2);
        if (more) transit.write(tiles, (s + 1) % 2, depth_fast_a, depth_fast_b);
        __syncthreads();
    }
    if (aside && slices > kTable) share.take_back(total);
}

// Forward and input gradient. Grid: along x for every phase, group, tile of positions and tile of channels of "to".
template <typename T>
__global__ void __launch_bounds__(kThreads, kBlocks<T>) convolution_gather(
    Convolution c, T* __restrict__ to, const T* __restrict__ from, const T* __restrict__ weight,
    const T* __restrict__ bias, int64 row_tiles, int column_tiles, int aside
) {
    __shared__ Tiles<T> tiles;
    int64 block = blockIdx.x;
    const int first_column = int(block % column_tiles) * kCols;
    block /= column_tiles;
    const int64 first_row = block % row_tiles * kRows<T>;
    block /= row_tiles;
    const int group = int(block % c.groups);
    if (threadIdx.x == 0) tiles.phase.set(c, int(block / c.groups));
    __syncthreads();
    const Phase& phase = tiles.phase;
    const int64 rows = c.batch * phase.positions();
    if (first_row >= rows) return;

    const int t = threadIdx.x;
    if (t < kRows<T>) tiles.row[t] = first_row + t < rows ? position_place(c, phase, first_row + t) : nowhere();
    Share<T> share(c.channels_last);
    const int columns = c.width - first_column;
    product(
        c, tiles, share, [&](int64 i) { return channel_tap_place(c, phase, int(i)); }, int64(c.depth) * phase.taps(),
        from + int64(group) * c.depth * c.from[1], weight + group * c.weight[0] + first_column * c.weight[1],
        c.weight[1], columns, c.channels_last, !c.columns_fast, aside
    );
    const int channel = group * c.width + first_column;
    for (int i = 0; i < Share<T>::kGroups * 4; ++i) {
        const Place& row = tiles.row[share.row(i)];
        if (row.at[0] == kNowhere) continue;
        T* at = to + row.other + channel * c.to[1];
        for (int j = 0; j < 4; ++j) {
            const int column = share.column(j);
            if (column >= columns) continue;
            const acc_t<T> added = bias != nullptr ? load(bias[channel + column]) : acc_t<T>(0);
            at[column * c.to[1]] = store<T>(share.sum[i][j] + added);
        }
    }
}

// Weight gradient of range r, positions r * range to (r + 1) * range - 1, into part r of `parts`, each laid out as
// c.weight says. "to" is y, the upstream gradient. Grid: along x tiles of (channel, tap), tiles of channels of y, and
// groups; along y ranges.
template <typename T>
__global__ void __launch_bounds__(kThreads, kBlocks<T>) convolution_weight_gradient(
    Convolution c, acc_t<T>* __restrict__ parts, const T* __restrict__ y, const T* __restrict__ x, int64 size,
    int64 range, int row_tiles, int column_tiles, int aside
) {
    __shared__ Tiles<T> tiles;
    int block = blockIdx.x;
    const int first_row = block % row_tiles * kRows<T>;
    block /= row_tiles;
    const int first_column = block % column_tiles * kCols, group = block / column_tiles;
    if (threadIdx.x == 0) tiles.phase.set(c, 0);
    __syncthreads();
    const Phase& phase = tiles.phase;
    const int rows = c.depth * phase.taps();
    const int64 first = blockIdx.y * range, positions = c.batch * phase.positions();

    const int t = threadIdx.x;
    if (t < kRows<T>) tiles.row[t] = first_row + t < rows ? channel_tap_place(c, phase, first_row + t) : nowhere();
    Share<T> share(false);
    const int columns = c.width - first_column;
    product(
        c, tiles, share, [&](int64 i) { return position_place(c, phase, first + i); },
        (positions - first < range ? positions - first : range), x + int64(group) * c.depth * c.from[1],
        y + (int64(group) * c.width + first_column) * c.to[1], c.to[1], columns, !c.channels_last, !c.columns_fast,
        aside
    );
    acc_t<T>* part = parts + blockIdx.y * size + group * c.weight[0] + first_column * c.weight[1];
    for (int i = 0; i < Share<T>::kGroups * 4; ++i) {
        const Place& row = tiles.row[share.row(i)];
        if (row.at[0] == kNowhere) continue;
        for (int j = 0; j < 4; ++j) {
            const int column = share.column(j);
            if (column < columns) part[row.other + column * c.weight[1]] = share.sum[i][j];
        }
    }
}

// out[i] = the sum of part 0 to parts - 1, in this order.
template <typename T>
__global__ void sum_parts(T* __restrict__ out, const acc_t<T>* __restrict__ part, int64 size, int parts) {
    const int64 i = thread_index();
    if (i >= size) return;
    acc_t<T> sum = 0;
    for (int p = 0; p < parts; ++p) sum += part[p * size + i];
    out[i] = store<T>(sum);
}
