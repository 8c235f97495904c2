// Convolution on tensor cores: float16, bfloat16, and float32 rounded to TF32, with sums in float32. The products are
// those of conv.cu; "from" and the weight are channels-last here (channels_last below makes them so), in whole 16-byte
// chunks of channels with zeros at the end, so that all of a chunk has one position and one tap.
//
//     forward, input gradient    128 positions x 64 or 128 channels a block, in slices 128 bytes (64 or 32 channels)
//                                deep. Rows of both tiles are runs of channels: ldmatrix reads either's fragments.
//     weight gradient            128 (tap, channel) x 128 channels of y, in slices 64 or 32 positions deep. Rows are
//                                positions, so that 16-bit fragments are transposed by ldmatrix and TF32 ones are read
//                                element by element.
//
// A warp has 64 x 64 results (64 x 32 of a narrow tile): fragments from shared memory then serve often enough that the
// tensor cores wait for their own products. cp.async copies slices into three stages (two if shared memory is short of
// two blocks with three), with zeros for chunks in the padding.
// Chunks are swizzled (exclusive or with the row's number) so that no access has bank conflicts. Results are written
// back through shared memory in whole chunks. Ranges of the weight gradient's sum are as in conv.cu. Each input is read
// from DRAM about once. Sources: NVIDIA, CUTLASS, "Implicit GEMM convolution"; Chetlur et al. 2014, arXiv:1410.0759.

#include "conv.cuh"
#include "ptx.cuh"

constexpr int kThreads = 128;     // four warps, two in either direction of a tile
constexpr int kRows = 128;        // of results in a tile
constexpr int kChunk = 16;        // bytes
constexpr int kChunks = 8;        // in a row of a slice of the forward pass
constexpr int kTable = 128;       // places computed together, in either half of the table
constexpr int kSlice = 16 << 10;  // bytes of 128 rows of a slice

template <typename T> constexpr int kPer = kChunk / sizeof(T);              // elements of a chunk
template <typename T> constexpr int kDepth = kChunks * kChunk / sizeof(T);  // of a slice

// ---- what a warp computes: M x N results

template <typename T> __device__ __forceinline__ void multiply_add(float (&sum)[4], uint32 (&a)[4], uint32 (&b)[2]) {
    if constexpr (sizeof(T) == 2) mma_m16n8k16<T>(sum, a, b);
    else mma_m16n8k8_tf32(sum, a, b);
}

template <typename T, int M, int N> struct Warp {
    float sum[M / 16][N / 8][4];
    int row, column;  // of the warp's first result in the tile
    int lane;

    __device__ explicit Warp(int columns) {
        const int warp = threadIdx.x / kWarp, across = columns / N;
        row = warp / across * M;
        column = warp % across * N;
        lane = threadIdx.x % kWarp;
#pragma unroll
        for (int i = 0; i < M / 16; ++i)
#pragma unroll
            for (int j = 0; j < N / 8; ++j)
#pragma unroll
                for (int r = 0; r < 4; ++r) sum[i][j][r] = 0;
    }

    // a(fragment, row, step) and b(two fragments, column, step) read the factors of 16 rows and of 16 columns.
    // Unrolled only as far as registers for two blocks on a multiprocessor allow.
    template <int steps, int unrolled, typename A, typename B>
    __device__ __forceinline__ void multiply(const A& a, const B& b) {
#pragma unroll unrolled
        for (int step = 0; step < steps; ++step) {
            uint32 left[M / 16][4], right[N / 8][2];
#pragma unroll
            for (int i = 0; i < M / 16; ++i) a(left[i], row + 16 * i, step);
#pragma unroll
            for (int j = 0; j < N / 16; ++j) b(right[2 * j], right[2 * j + 1], column + 16 * j, step);
#pragma unroll
            for (int i = 0; i < M / 16; ++i)
#pragma unroll
                for (int j = 0; j < N / 8; ++j) multiply_add<T>(sum[i][j], left[i], right[j]);
        }
    }

    // Calls use(row, column, value) for every result of this lane.
    template <typename Use> __device__ __forceinline__ void each(const Use& use) const {
#pragma unroll
        for (int i = 0; i < M / 16; ++i)
#pragma unroll
            for (int j = 0; j < N / 8; ++j)
#pragma unroll
                for (int r = 0; r < 4; ++r)
                    use(row + 16 * i + lane / 4 + r / 2 * 8, column + 8 * j + lane % 4 * 2 + r % 2, sum[i][j][r]);
    }
};

template <typename T, int n> __device__ __forceinline__ void round_fragment(uint32 (&fragment)[n]) {
    if constexpr (sizeof(T) == 4)
        for (uint32& bits : fragment) bits = to_tf32(__uint_as_float(bits));
}

// ---- the pipeline of slices: `stages` (2 or 3) in shared memory, perSlice places for each

// read(slice, stage) begins the copies of a slice, multiply(stage) uses it, place(i) returns the Place of index i of
// the sum. With 3 stages, slices s + 1 and s + 2 are on their way while s is multiplied.
template <int perSlice, typename Places, typename Read, typename Multiply>
__device__ __forceinline__ void pipeline(
    int stages, Place (&table)[2][kTable], int64 length, int slices, const Places& place, const Read& read,
    const Multiply& multiply
) {
    constexpr int kSlices = kTable / perSlice;  // in half the table
    static_assert(kSlices >= 2, "the places of the first slices are in the first half");
    auto locate = [&](int first) {
        const int64 i = int64(first) * perSlice + threadIdx.x;
        if (threadIdx.x < kTable) table[first / kSlices % 2][threadIdx.x] = i < length ? place(i) : nowhere();
    };
    locate(0);
    locate(kSlices);
    __syncthreads();
    for (int s = 0; s < stages - 1; ++s) {
        if (s < slices) read(&table[0][s * perSlice], s);
        cp_async_commit();
    }
    for (int s = 0; s < slices; ++s) {
        if (stages == 3) cp_async_wait<1>();
        else cp_async_wait<0>();
        __syncthreads();
        const int next = s + stages - 1;
        if (next < slices) read(&table[next / kSlices % 2][next % kSlices * perSlice], next % stages);
        cp_async_commit();
        if (next % kSlices == 0) locate(next + kSlices);
        multiply(s % stages);
    }
    cp_async_wait<0>();
    __syncthreads();
}

// ---- forward and input gradient

// Returns the byte at which chunk `chunk` of row `row` of a slice lies: row 1 has chunks 1, 0, 3, 2, 5, ...
__device__ __forceinline__ int chunk_at(int row, int chunk) { return (row * kChunks + (chunk ^ row % 8)) * kChunk; }

// Results of a tile as elements of T, in shared memory; rows are padded by a chunk.
template <typename T, int N> constexpr int kRowBytes = N * sizeof(T) + kChunk;

// Grid: along x for every phase, group, tile of positions and tile of channels of "to", which is channels-last.
template <typename T, int N>
__global__ void __launch_bounds__(kThreads, 2) convolution_gather_mma(
    Convolution c, T* __restrict__ to, const T* __restrict__ from, const T* __restrict__ weight,
    const T* __restrict__ bias, int64 row_tiles, int column_tiles, int stages
) {
    __shared__ Place rows[kRows];
    __shared__ Place table[2][kTable];
    __shared__ Phase phase;
    constexpr int kStage = kSlice + N * kChunks * kChunk;
    char* memory = dynamic_shared<char>();

    int64 block = blockIdx.x;
    const int first_column = int(block % column_tiles) * N;
    block /= column_tiles;
    const int64 first_row = block % row_tiles * kRows;
    block /= row_tiles;
    const int group = int(block % c.groups), t = threadIdx.x;
    if (t == 0) phase.set(c, int(block / c.groups));
    __syncthreads();
    const int64 count = c.batch * phase.positions();
    if (first_row >= count) return;
    if (t < kRows) rows[t] = first_row + t < count ? position_place(c, phase, first_row + t) : nowhere();

    from += int64(group) * c.depth * c.from[1];
    weight += group * c.weight[0] + first_column * c.weight[1];
    const int columns = c.width - first_column, channel = group * c.width + first_column;
    const int length = c.depth * phase.taps() / kPer<T>;  // in chunks
    auto read = [&](const Place* places, int stage) {
        char* a = memory + stage * kStage;
        const Place k = places[t % kChunks];
#pragma unroll
        for (int i = 0; i < kRows * kChunks / kThreads; ++i) {
            const int r = t / kChunks + i * (kThreads / kChunks);
            const bool exists = inside(c, rows[r], k);
            const T* at = exists ? from + rows[r].from + k.from : from;
            cp_async<kChunk>(a + chunk_at(r, t % kChunks), at, exists * kChunk);
        }
#pragma unroll
        for (int i = 0; i < N * kChunks / kThreads; ++i) {
            const int r = t / kChunks + i * (kThreads / kChunks);
            const bool exists = r < columns && k.at[0] != kNowhere;
            const T* at = exists ? weight + k.other + r * c.weight[1] : weight;
            cp_async<kChunk>(a + kSlice + chunk_at(r, t % kChunks), at, exists * kChunk);
        }
    };
    Warp<T, 64, N / 2> warp(N);
    const int lane = warp.lane;
    auto multiply = [&](int stage) {
        const char* a = memory + stage * kStage;
        warp.template multiply<kChunks / 2, kChunks / 2>(
            [&](uint32 (&left)[4], int row, int step) {
                ldmatrix_x4(left, a + chunk_at(row + lane % 16, 2 * step + lane / 16));
                round_fragment<T>(left);
            },
            [&](uint32 (&b0)[2], uint32 (&b1)[2], int column, int step) {
                const int r = column + lane / 16 * 8 + lane % 8;
                ldmatrix_x4(b0[0], b0[1], b1[0], b1[1], a + kSlice + chunk_at(r, 2 * step + lane / 8 % 2));
                round_fragment<T>(b0);
                round_fragment<T>(b1);
            }
        );
    };
    pipeline<kChunks>(
        stages, table, length, (length + kChunks - 1) / kChunks,
        [&](int64 i) { return channel_tap_place(c, phase, int(i) * kPer<T>); }, read, multiply
    );

    warp.each([&](int row, int column, float value) {
        const float added = bias != nullptr && column < columns ? load(bias[channel + column]) : 0.f;
        reinterpret_cast<T*>(memory + row * kRowBytes<T, N>)[column] = store<T>(value + added);
    });
    __syncthreads();
    constexpr int kAcross = N / kPer<T>;
    for (int i = t; i < kRows * kAcross; i += kThreads) {
        const int row = i / kAcross, column = i % kAcross * kPer<T>;
        if (rows[row].at[0] == kNowhere || column >= columns) continue;
        using Run = Vec<T, kPer<T>>;
        const Run run = *reinterpret_cast<const Run*>(memory + row * kRowBytes<T, N> + column * sizeof(T));
        T* at = to + rows[row].other + channel + column;
        if (column + kPer<T> <= columns && reinterpret_cast<uint64>(at) % kChunk == 0) {
            *reinterpret_cast<Run*>(at) = run;
        } else {
            for (int j = 0; j < kPer<T> && column + j < columns; ++j) at[j] = run.at[j];
        }
    }
}

// ---- weight gradient

// Returns the byte at which element `i` of row `row` (a position with 128 elements) lies. Chunks are swizzled such that
// reads have no bank conflicts: 16-bit ones of ldmatrix, a chunk from each of 8 rows; float ones, 8 from 4 rows.
template <typename T> __device__ __forceinline__ int element_at(int row, int i) {
    const int chunk = i / kPer<T> ^ (sizeof(T) == 2 ? row % 8 : row % 4 * 2);
    return row * kRows * int(sizeof(T)) + chunk * kChunk + i % kPer<T> * int(sizeof(T));
}

// Range r, positions r * range to (r + 1) * range - 1, into part r of `parts`, laid out as c.weight says. "to" is y,
// the upstream gradient. Grid: along x tiles of (tap, channel), tiles of channels of "to", and groups; along y ranges.
template <typename T>
__global__ void __launch_bounds__(kThreads, 2) convolution_weight_gradient_mma(
    Convolution c, float* __restrict__ parts, const T* __restrict__ y, const T* __restrict__ x, int64 size,
    int64 range, int row_tiles, int column_tiles, int stages
) {
    constexpr int kAcross = kRows / kPer<T>;      // chunks of a row
    constexpr int kApart = kThreads / kAcross;    // rows between the chunks that a thread reads
    __shared__ Place rows[kRows];
    __shared__ Place table[2][kTable];
    __shared__ Phase phase;
    char* memory = dynamic_shared<char>();

    int block = blockIdx.x;
    const int first_row = block % row_tiles * kRows;
    block /= row_tiles;
    const int first_column = block % column_tiles * kRows, group = block / column_tiles, t = threadIdx.x;
    if (t == 0) phase.set(c, 0);
    __syncthreads();
    const int count = c.depth * phase.taps(), columns = c.width - first_column;
    if (t < kRows) rows[t] = first_row + t < count ? channel_tap_place(c, phase, first_row + t) : nowhere();
    const int64 first = blockIdx.y * range, left = c.batch * phase.positions() - first;
    const int64 length = left < range ? left : range;

    x += int64(group) * c.depth * c.from[1];
    y += int64(group) * c.width + first_column;
    auto read = [&](const Place* places, int stage) {
        char* a = memory + stage * 2 * kSlice;
        const int element = t % kAcross * kPer<T>;
        const Place row = rows[element];
#pragma unroll 2
        for (int i = 0; i < kDepth<T> / kApart; ++i) {
            const int p = t / kAcross + i * kApart;
            const bool reached = inside(c, places[p], row), exists = element < columns && places[p].at[0] != kNowhere;
            char* at = a + element_at<T>(p, element);
            cp_async<kChunk>(at, reached ? x + places[p].from + row.from : x, reached * kChunk);
            cp_async<kChunk>(at + kSlice, exists ? y + places[p].other + element : y, exists * kChunk);
        }
    };
    Warp<T, 64, 64> warp(kRows);
    const int lane = warp.lane;
    auto multiply = [&](int stage) {
        const char* a = memory + stage * 2 * kSlice;
        const char* b = a + kSlice;
        if constexpr (sizeof(T) == 2) {
            warp.template multiply<kDepth<T> / 16, kDepth<T> / 16>(
                [&](uint32 (&fragment)[4], int row, int step) {
                    ldmatrix_x4_trans(
                        fragment, a + element_at<T>(16 * step + lane / 16 * 8 + lane % 8, row + lane / 8 % 2 * 8)
                    );
                },
                [&](uint32 (&b0)[2], uint32 (&b1)[2], int column, int step) {
                    const int at = element_at<T>(16 * step + lane % 16, column + lane / 16 * 8);
                    ldmatrix_x4_trans(b0[0], b0[1], b1[0], b1[1], b + at);
                }
            );
        } else {
            auto one = [](const char* at) { return to_tf32(*reinterpret_cast<const float*>(at)); };
            warp.template multiply<kDepth<T> / 8, 1>(
                [&](uint32 (&fragment)[4], int row, int step) {
                    for (int r = 0; r < 4; ++r) {
                        const int k = 8 * step + lane % 4 + r / 2 * 4;
                        fragment[r] = one(a + element_at<T>(k, row + lane / 4 + r % 2 * 8));
                    }
                },
                [&](uint32 (&b0)[2], uint32 (&b1)[2], int column, int step) {
                    for (int r = 0; r < 2; ++r) {
                        b0[r] = one(b + element_at<T>(8 * step + lane % 4 + r * 4, column + lane / 4));
                        b1[r] = one(b + element_at<T>(8 * step + lane % 4 + r * 4, column + 8 + lane / 4));
                    }
                }
            );
        }
    };
    pipeline<kDepth<T>>(
        stages, table, length, int((length + kDepth<T> - 1) / kDepth<T>),
        [&](int64 i) { return position_place(c, phase, first + i); }, read, multiply
    );
    float* part = parts + blockIdx.y * size + group * c.weight[0] + first_column * c.weight[1];
    warp.each([&](int row, int column, float value) {
        if (rows[row].at[0] != kNowhere && column < columns) part[rows[row].other + column * c.weight[1]] = value;
    });
}

// ---- layout

// x (N, G depth, *S) of any strides as (N, S, G padded) in C order, zeros after each group's channels. Tiles of 32
// positions and 32 channels go through shared memory, so that reads and writes are both of neighbours. Grid: along x.
struct Source {
    int64 stride[5];
    int64 positions;
    int size[3];
    int groups, depth, padded;
};

template <typename T>
__global__ void __launch_bounds__(kThreads) channels_last(
    Source x, T* __restrict__ out, const T* __restrict__ from, int64 position_tiles, int channel_tiles
) {
    __shared__ T tile[kWarp][kWarp + 2];
    const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, channels = x.groups * x.padded;
    int64 block = blockIdx.x;
    const int first_channel = int(block % channel_tiles) * kWarp;
    block /= channel_tiles;
    const int64 first = block % position_tiles * kWarp, sample = block / position_tiles;

    const unsigned p = unsigned(first) + lane;  // of one sample: below 2^31
    const int64 at = p / (x.size[1] * x.size[2]) * x.stride[2] + p / x.size[2] % x.size[1] * x.stride[3]
        + p % x.size[2] * x.stride[4] + sample * x.stride[0];
    for (int i = warp; i < kWarp; i += kThreads / kWarp) {
        const int channel = first_channel + i, group = channel / x.padded, inner = channel % x.padded;
        const bool exists = p < x.positions && channel < channels && inner < x.depth;
        tile[i][lane] = exists ? from[at + (int64(group) * x.depth + inner) * x.stride[1]] : T(0.f);
    }
    __syncthreads();
    for (int i = warp; i < kWarp; i += kThreads / kWarp)
        if (first + i < x.positions && first_channel + lane < channels)
            out[(sample * x.positions + first + i) * channels + first_channel + lane] = tile[lane][i];
}
