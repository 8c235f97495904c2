// Batch norm (Ioffe and Szegedy 2015): x (N, C, *S) normalised per channel by the statistics of the batch.
//
//     forward   out = c * rstd * weight + bias,  c = x - mean,  rstd = 1 / sqrt(mean(c^2) + eps)
//     backward  gx = weight * rstd * (g - mean(g) - c * rstd^2 * mean(g * c)) + (g_mean + 2 * g_var * c) / count
//               gweight = rstd * sum(g * c),  gbias = sum(g);  g_mean and g_var: gradients of the statistics
//
// The first block of a channel also moves its running statistics: r = (1 - momentum) r + momentum * statistic, where the
// variance is the unbiased one.
//
// Two launches each. In the first, a block adds up (moments, or sums) a share of the positions of its channels and
// writes the result to `partial` (shares, C). In the second, each block joins the shares of its own channels, in order,
// and walks over the positions again. Bytes: forward reads x twice and writes out, backward reads x and g twice.
//
// Two memory orders. Channels in front: a channel's positions are N runs of `plane` numbers, a block (threads, 1) has
// one channel. Channels last (Last; `plane` is 1): a block (lanes, rows) has lanes * V neighbouring channels, and its
// rows share their positions. V numbers are moved at once: 16 bytes, or one.
//
// `channel_affine` is the last step alone, for statistics that are known: one launch.
//
// The channel's first value is subtracted from all: see moments.cuh. `shift` is the mean of these differences.

#include "moments.cuh"
#include "ptx.cuh"

constexpr int kThreads = 256;
// Blocks of a multiprocessor that registers have to leave room for: fewer where a thread has eight channels' numbers.
template <typename T> constexpr int kBlocks = sizeof(T) == 8 ? 1 : 4;
template <typename T, int V, bool Last> constexpr int kFewerBlocks = V == 8 && Last ? 3 : kBlocks<T>;
template <typename T, int V, bool Last> constexpr int kFewestBlocks = V == 8 && Last ? 2 : kBlocks<T>;

struct Shape {
    int64 batch, channels, plane;  // numbers of samples, of channels, and of neighbours in memory of one channel
};

// The positions of a thread: its block's share (blockIdx.y of gridDim.y), every `rows`-th of them.
template <int V, bool Last> struct Walk {
    int64 channel, left, sample, place, samples_on, places_on, places;
    int row, rows, column;
    Shape shape;

    __device__ __forceinline__ explicit Walk(Shape shape) : shape(shape) {
        row = Last ? threadIdx.y : threadIdx.x;
        rows = Last ? blockDim.y : blockDim.x;
        column = Last ? threadIdx.x * V : 0;
        channel = Last ? (int64(blockIdx.x) * blockDim.x + threadIdx.x) * V : blockIdx.x;
        places = Last ? 1 : shape.plane / V;
        const int64 count = shape.batch * places, share = (count + gridDim.y - 1) / gridDim.y;
        const int64 first = blockIdx.y * share + row, end = first - row + share < count ? first - row + share : count;
        left = inside() && first < end ? (end - first + rows - 1) / rows : 0;
        sample = first / places, place = first % places;
        samples_on = rows / places, places_on = rows % places;
    }

    __device__ __forceinline__ bool inside() const { return channel < shape.channels; }

    // The offset of the channel's first number.
    __device__ __forceinline__ int64 origin() const { return channel * shape.plane; }

    // Returns the offset of this position, and goes on to the next one.
    __device__ __forceinline__ int64 next() {
        const int64 at = (sample * shape.channels + channel) * shape.plane + place * V;
        sample += samples_on;
        place += places_on;
        if (place >= places) {
            place -= places;
            ++sample;
        }
        --left;
        return at;
    }
};

template <int V, bool Last> constexpr int kChannels = Last ? V : 1;  // of a thread
template <int V> constexpr int kAtOnce = V == 1 ? 8 : 4;             // positions that are loaded before any is used

// Writes the block's total, which row 0 holds, to `partial`: J arrays (shares, C).
template <int N, int V, bool Last, typename J, typename A>
__device__ __forceinline__ void write_share(A* partial, const J (&total)[N], const Walk<V, Last>& walk) {
    J* const its = reinterpret_cast<J*>(partial) + blockIdx.y * walk.shape.channels + walk.channel;
    if (walk.row == 0 && walk.inside())
        for (int j = 0; j < N; ++j) its[j] = total[j];
}

// The total of all shares, for each channel of this thread.
template <int N, int V, bool Last, typename J, typename A>
__device__ __forceinline__ void join_shares(
        J (&total)[N], const A* partial, int shares, J* shared, const Walk<V, Last>& walk) {
    const J* const all = reinterpret_cast<const J*>(partial);
    for (int j = 0; j < N; ++j) total[j] = J::zero();
    if (walk.inside())
        for (int share = walk.row; share < shares; share += walk.rows)
            for (int j = 0; j < N; ++j)
                total[j] = J::join(total[j], all[share * walk.shape.channels + walk.channel + j]);
    join_rows(total, shared, walk.row, walk.rows, walk.column, Last ? int(blockDim.x) * V : 1);
}

// values[j] = from[first + j], or `missing` where there is no such array.
template <int N, typename S, typename A>
__device__ __forceinline__ void per_channel(A (&values)[N], const S* from, int64 first, bool inside, A missing) {
    for (int j = 0; j < N; ++j) values[j] = from && inside ? load(from[first + j]) : missing;
}

// ---- forward

template <int N, int V, bool Last, typename T, typename A>
__device__ __forceinline__ void add_values(
        Moments<A> (&total)[kChannels<V, Last>], const T* x, const A (&pivot)[kChannels<V, Last>],
        Walk<V, Last>& walk) {
    A value[N][V];
    for (int n = 0; n < N; ++n) read(value[n], x + walk.next());
    if (Last) {
        for (int j = 0; j < kChannels<V, Last>; ++j) {
            A same[N];
            for (int n = 0; n < N; ++n) same[n] = value[n][j] - pivot[j];
            total[j] = Moments<A>::join(total[j], Moments<A>::of(same));
        }
    } else {
        A same[N * V];
        for (int n = 0; n < N * V; ++n) same[n] = value[n / V][n % V] - pivot[0];
        total[0] = Moments<A>::join(total[0], Moments<A>::of(same));
    }
}

// Moves statistic `at` of those that run over batches, which are of type A if `wide`, else T.
template <typename T, typename A>
__device__ __forceinline__ void move_running(void* running, bool wide, int64 at, A value, A momentum) {
    if (!running) return;
    if (wide) {
        A* const own = static_cast<A*>(running) + at;
        *own = *own * (A(1) - momentum) + value * momentum;
    } else {
        T* const own = static_cast<T*>(running) + at;
        *own = store<T>(load(*own) * (A(1) - momentum) + value * momentum);
    }
}

// The moments of each share: partial (gridDim.y, C). Counts the batch.
template <typename T, int V, bool Last>
__global__ void __launch_bounds__(kThreads, kFewestBlocks<T, V, Last>) batch_norm_moments(
        acc_t<T>* __restrict__ partial, int64* __restrict__ batches, const T* __restrict__ x, Shape shape) {
    using A = acc_t<T>;
    constexpr int N = kChannels<V, Last>;
    __shared__ Moments<A> shared[kThreads * N];
    Walk<V, Last> walk(shape);
    if (batches && blockIdx.x + blockIdx.y + threadIdx.x + threadIdx.y == 0) ++*batches;
    A pivot[N];
    per_channel(pivot, x, walk.origin(), walk.inside(), A(0));
    Moments<A> total[N];
    for (int j = 0; j < N; ++j) total[j] = Moments<A>::zero();
    while (walk.left >= kAtOnce<V>) add_values<kAtOnce<V>>(total, x, pivot, walk);
    while (walk.left > 0) add_values<1>(total, x, pivot, walk);
    join_rows(total, shared, walk.row, walk.rows, walk.column, Last ? int(blockDim.x) * V : 1);
    write_share(partial, total, walk);
}

template <typename T, int V, bool Last>
__global__ void __launch_bounds__(kThreads, kFewerBlocks<T, V, Last>) batch_norm_forward(
        T* __restrict__ out, T* __restrict__ mean, T* __restrict__ var, acc_t<T>* __restrict__ shift,
        acc_t<T>* __restrict__ rstd, void* __restrict__ running_mean, void* __restrict__ running_var, double momentum,
        int wide, const T* __restrict__ x, const T* __restrict__ weight,
        const T* __restrict__ bias, const acc_t<T>* __restrict__ partial, int shares, Shape shape, double eps) {
    using A = acc_t<T>;
    constexpr int N = kChannels<V, Last>;
    __shared__ Moments<A> shared[kThreads * N];
    Walk<V, Last> walk(shape);
    Moments<A> total[N];
    join_shares(total, partial, shares, shared, walk);
    A pivot[N], scale[N], offset[N];
    per_channel(pivot, x, walk.origin(), walk.inside(), A(0));
    per_channel(scale, weight, walk.channel, walk.inside(), A(1));
    per_channel(offset, bias, walk.channel, walk.inside(), A(0));
    for (int j = 0; j < N; ++j) {
        const A variance = total[j].squares / total[j].count, inverse = A(1) / sqrt(variance + A(eps));
        scale[j] *= inverse;
        if (blockIdx.y == 0 && walk.row == 0 && walk.inside()) {
            mean[walk.channel + j] = store<T>(pivot[j] + total[j].mean);
            var[walk.channel + j] = store<T>(variance);
            shift[walk.channel + j] = total[j].mean;
            rstd[walk.channel + j] = inverse;
            const A unbiased = total[j].squares / (total[j].count > A(1) ? total[j].count - A(1) : A(1));
            move_running<T>(running_mean, wide, walk.channel + j, pivot[j] + total[j].mean, A(momentum));
            move_running<T>(running_var, wide, walk.channel + j, unbiased, A(momentum));
        }
    }
#pragma unroll 4
    while (walk.left > 0) {
        const int64 at = walk.next();
        A value[V];
        read(value, x + at);
        for (int j = 0; j < V; ++j) {
            const int k = Last ? j : 0;
            value[j] = ((value[j] - pivot[k]) - total[k].mean) * scale[k] + offset[k];
        }
        write_whole<V>(out + at, value);
    }
}

// ---- backward

template <typename A> struct Sums {
    A grad, dot;  // of g, and of g * c

    static __device__ __forceinline__ Sums zero() { return {A(0), A(0)}; }
    static __device__ __forceinline__ Sums join(Sums a, Sums b) { return {a.grad + b.grad, a.dot + b.dot}; }
};

// The sums of each share: partial (gridDim.y, C). Without a shift, c is x itself.
template <typename T, int V, bool Last>
__global__ void __launch_bounds__(kThreads, kFewerBlocks<T, V, Last>) batch_norm_sums(
        acc_t<T>* __restrict__ partial, const T* __restrict__ g, const T* __restrict__ x,
        const acc_t<T>* __restrict__ shift, Shape shape) {
    using A = acc_t<T>;
    constexpr int N = kChannels<V, Last>;
    __shared__ Sums<A> shared[kThreads * N];
    Walk<V, Last> walk(shape);
    A pivot[N], moved[N];
    per_channel(pivot, shift ? x : nullptr, walk.origin(), walk.inside(), A(0));
    per_channel(moved, shift, walk.channel, walk.inside(), A(0));
    Sums<A> total[N];
    for (int j = 0; j < N; ++j) total[j] = Sums<A>::zero();
#pragma unroll 4
    while (walk.left > 0) {
        const int64 at = walk.next();
        A value[V], grad[V];
        read(value, x + at);
        read(grad, g + at);
        for (int j = 0; j < V; ++j) {
            const int k = Last ? j : 0;
            total[k] = Sums<A>::join(total[k], {grad[j], grad[j] * ((value[j] - pivot[k]) - moved[k])});
        }
    }
    join_rows(total, shared, walk.row, walk.rows, walk.column, Last ? int(blockDim.x) * V : 1);
    write_share(partial, total, walk);
}

// gx, gweight and gbias may be null.
template <typename T, int V, bool Last>
__global__ void __launch_bounds__(kThreads, kFewestBlocks<T, V, Last>) batch_norm_backward(
        T* __restrict__ gx, T* __restrict__ gweight, T* __restrict__ gbias, const T* __restrict__ g,
        const T* __restrict__ g_mean, const T* __restrict__ g_var, const T* __restrict__ x,
        const T* __restrict__ weight, const acc_t<T>* __restrict__ shift, const acc_t<T>* __restrict__ rstd,
        const acc_t<T>* __restrict__ partial, int shares, Shape shape) {
    using A = acc_t<T>;
    constexpr int N = kChannels<V, Last>;
    __shared__ Sums<A> shared[kThreads * N];
    Walk<V, Last> walk(shape);
    Sums<A> total[N];
    join_shares(total, partial, shares, shared, walk);
    A pivot[N], moved[N], inverse[N], scale[N], slope[N], level[N];
    per_channel(pivot, x, walk.origin(), walk.inside(), A(0));
    per_channel(moved, shift, walk.channel, walk.inside(), A(0));
    per_channel(inverse, rstd, walk.channel, walk.inside(), A(0));
    per_channel(scale, weight, walk.channel, walk.inside(), A(1));
    per_channel(level, g_mean, walk.channel, walk.inside(), A(0));
    per_channel(slope, g_var, walk.channel, walk.inside(), A(0));
    const A count = A(shape.batch * shape.plane);
    for (int j = 0; j < N; ++j) {
        if (blockIdx.y == 0 && walk.row == 0 && walk.inside()) {
            if (gweight) gweight[walk.channel + j] = store<T>(total[j].dot * inverse[j]);
            if (gbias) gbias[walk.channel + j] = store<T>(total[j].grad);
        }
        scale[j] *= inverse[j];
        level[j] = (level[j] - scale[j] * total[j].grad) / count;
        slope[j] = (A(2) * slope[j] - scale[j] * inverse[j] * inverse[j] * total[j].dot) / count;
    }
    if (!gx) return;
#pragma unroll 4
    while (walk.left > 0) {
        const int64 at = walk.next();
        A value[V], grad[V];
        read(value, x + at);
        read(grad, g + at);
        for (int j = 0; j < V; ++j) {
            const int k = Last ? j : 0;
            value[j] = scale[k] * grad[j] + slope[k] * ((value[j] - pivot[k]) - moved[k]) + level[k];
        }
        write_whole<V>(gx + at, value);
    }
}

// ---- out = x * scale + shift; either may be null

template <typename T, int V, bool Last>
__global__ void __launch_bounds__(kThreads) channel_affine(
        T* __restrict__ out, const T* __restrict__ x, const T* __restrict__ scale, const T* __restrict__ shift,
        Shape shape) {
    using A = acc_t<T>;
    constexpr int N = kChannels<V, Last>;
    Walk<V, Last> walk(shape);
    A factor[N], offset[N];
    per_channel(factor, scale, walk.channel, walk.inside(), A(1));
    per_channel(offset, shift, walk.channel, walk.inside(), A(0));
#pragma unroll 4
    while (walk.left > 0) {
        const int64 at = walk.next();
        A value[V];
        read(value, x + at);
        for (int j = 0; j < V; ++j) value[j] = value[j] * factor[Last ? j : 0] + offset[Last ? j : 0];
        write_whole<V>(out + at, value);
    }
}
