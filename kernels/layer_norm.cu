// Layer norm (Ba et al. 2016) and RMS norm (Zhang and Sennrich 2019) of rows, also of the sum of two inputs.
//
//     layer norm  out = c * rstd * weight + bias,  c = x - mean,  rstd = 1 / sqrt(mean(c^2) + eps)
//     RMS norm    the same with c = x and no bias; its `shift` is a null pointer
//     backward    gx = rstd * (h - mean(h) - c * rstd^2 * mean(h * c)),  h = g * weight; an RMS norm has no mean(h)
//                 gweight = sum over rows of g * c * rstd,  gbias = sum over rows of g
//
// A row belongs to a team of threads: a warp where rows are short (block (32, teams)), else the whole block (block
// (threads, 1)). The team keeps the row in registers, so forward reads and writes each element once and backward reads
// x and g once: 2 and 3 times rows * width * sizeof(T) bytes. Rows that do not fit (`_wide`) are read again, from L2.
//
// Variance takes a second pass over the registers. The mean is computed, and kept for backward, as `shift`, its
// distance from the row's first element: x - x[0] is exact if the spread is small, while a float32 mean near 1e4 is
// wrong by up to 5e-4.
//
// Backward runs as many blocks as the GPU holds at once; they take row after row and keep their share of gweight and
// gbias in registers. `layer_norm_sum` adds the blocks' shares in order. V elements are moved at once: 16 bytes, or one.

#include "moments.cuh"

// Elements of a row that a thread keeps; fewer if they are loaded one by one, since each then needs its own address.
template <typename T, int V> constexpr int kKept = V == 1 || sizeof(T) == 8 ? 8 : 16;
constexpr int kForwardThreads = 1024, kBackwardThreads = 512;
// Of a backward whose threads keep `kept` elements of a row: where these are many, only a warp shares a row.
template <int kept> constexpr int kThreadsOf = kept == 32 ? 128 : kBackwardThreads;
template <int kept> constexpr int kBlocksOf = kept == 32 ? 3 : 1;

// The input, x or x + residual rounded to T, less a pivot.
template <typename T> struct Input {
    using A = acc_t<T>;
    const T *x, *residual;
    T* sum;
    A pivot;

    template <int V> __device__ __forceinline__ void begin(Vec<T, V>& of_x, Vec<T, V>& other, int64 at) const {
        of_x = *reinterpret_cast<const Vec<T, V>*>(x + at);
        if (residual) other = *reinterpret_cast<const Vec<T, V>*>(residual + at);
    }

    template <int V>
    __device__ __forceinline__ void finish(A (&value)[V], const Vec<T, V>& of_x, const Vec<T, V>& other,
                                           int64 at) const {
        for (int j = 0; j < V; ++j) value[j] = load(of_x.at[j]);
        if (residual) {
            for (int j = 0; j < V; ++j) value[j] = load(store<T>(value[j] + load(other.at[j])));
            write(sum + at, value);
        }
        for (int j = 0; j < V; ++j) value[j] -= pivot;
    }

    template <int V> __device__ __forceinline__ void fetch(A (&value)[V], int64 at) const {
        Vec<T, V> of_x, other;
        begin(of_x, other, at);
        finish(value, of_x, other, at);
    }
};

template <typename T>
__device__ __forceinline__ Input<T> input(const T* x, const T* residual, T* sum, int64 first, bool centre) {
    Input<T> made = {x, residual, sum, acc_t<T>(0)};
    if (centre) {
        acc_t<T> value[1];
        read(value, x + first);
        if (residual) value[0] = load(store<T>(value[0] + load(residual[first])));
        made.pivot = value[0];
    }
    return made;
}

template <typename Op, typename A> __device__ __forceinline__ A team_reduce(A value, A* scratch) {
    return blockDim.x == kWarp ? warp_reduce<Op>(value) : block_reduce<Op>(value, scratch);
}

// `body(k, column)` for chunk k of what this thread keeps of a row.
template <int K, int V, typename Body> __device__ __forceinline__ void chunks(int width, Body body) {
#pragma unroll
    for (int k = 0; k < K; ++k) {
        const int column = (k * blockDim.x + threadIdx.x) * V;
        if (column < width) body(k, column);
    }
}

// c * rstd * weight + bias
template <int V, typename T, typename A>
__device__ __forceinline__ void finish(T* out, const A (&c)[V], A rstd, const T* weight, const T* bias, int column) {
    A result[V], other[V];
    for (int j = 0; j < V; ++j) result[j] = c[j] * rstd;
    if (weight) {
        read(other, weight + column);
        for (int j = 0; j < V; ++j) result[j] *= other[j];
    }
    if (bias) {
        read(other, bias + column);
        for (int j = 0; j < V; ++j) result[j] += other[j];
    }
    write(out, result);
}

// ---- forward

template <typename T, int V>
__global__ void __launch_bounds__(kForwardThreads) layer_norm_forward(
        T* __restrict__ out, T* __restrict__ sum, acc_t<T>* __restrict__ shift, acc_t<T>* __restrict__ rstd,
        const T* __restrict__ x, const T* __restrict__ residual, const T* __restrict__ weight,
        const T* __restrict__ bias, int64 rows, int width, double eps) {
    using A = acc_t<T>;
    constexpr int K = kKept<T, V> / V;
    __shared__ A scratch[kWarp];
    const int64 row = int64(blockIdx.x) * blockDim.y + threadIdx.y, base = row * width;
    if (row >= rows) return;  // a whole team, and blocks of several teams have no barriers
    const Input<T> in = input(x, residual, sum, base, shift != nullptr);

    A c[K][V], total = A(0), squares = A(0);
    Vec<T, V> inputs[K], residuals[K];  // all of the row is on its way before any of it is used
    chunks<K, V>(width, [&](int k, int column) { in.begin(inputs[k], residuals[k], base + column); });
    chunks<K, V>(width, [&](int k, int column) {
        in.finish(c[k], inputs[k], residuals[k], base + column);
        for (int j = 0; j < V; ++j) total += c[k][j];
    });
    const A mean = shift ? team_reduce<Sum>(total, scratch) / A(width) : A(0);
    chunks<K, V>(width, [&](int k, int) {
        for (int j = 0; j < V; ++j) {
            c[k][j] -= mean;
            squares += c[k][j] * c[k][j];
        }
    });
    const A scale = A(1) / sqrt(team_reduce<Sum>(squares, scratch) / A(width) + A(eps));
    chunks<K, V>(width, [&](int k, int column) { finish(out + base + column, c[k], scale, weight, bias, column); });
    if (threadIdx.x == 0) {
        rstd[row] = scale;
        if (shift) shift[row] = mean;
    }
}

// A block for each row, of any width, in two passes over it.
template <typename T, int V>
__global__ void __launch_bounds__(kForwardThreads, 1) layer_norm_forward_wide(
        T* __restrict__ out, T* __restrict__ sum, acc_t<T>* __restrict__ shift, acc_t<T>* __restrict__ rstd,
        const T* __restrict__ x, const T* __restrict__ residual, const T* __restrict__ weight,
        const T* __restrict__ bias, int64 rows, int width, double eps) {
    using A = acc_t<T>;
    __shared__ Moments<A> shared[kForwardThreads];
    const int64 row = blockIdx.x, base = row * width;
    const int first = threadIdx.x * V, step = blockDim.x * V;
    Input<T> in = input(x, residual, sum, base, shift != nullptr);

    Moments<A> moments[1] = {Moments<A>::zero()};
    A c[V];
    for (int64 column = first; column < width; column += step) {
        in.fetch(c, base + column);
        moments[0] = Moments<A>::join(moments[0], shift ? Moments<A>::of(c) : Moments<A>::about_zero(c));
    }
    join_rows(moments, shared, threadIdx.x, blockDim.x, 0, 1);
    const A mean = shift ? moments[0].mean : A(0);
    const A scale = A(1) / sqrt(moments[0].squares / A(width) + A(eps));
    if (residual) in = {sum, nullptr, nullptr, in.pivot};
    for (int64 column = first; column < width; column += step) {
        in.fetch(c, base + column);
        for (int j = 0; j < V; ++j) c[j] -= mean;
        finish(out + base + column, c, scale, weight, bias, int(column));
    }
    if (threadIdx.x == 0) {
        rstd[row] = scale;
        if (shift) shift[row] = mean;
    }
}

// ---- backward

// c = x - mean, in two exact steps.
template <int V, typename T, typename A>
__device__ __forceinline__ void centred(A (&c)[V], const T* x, A pivot, A shift) {
    read(c, x);
    for (int j = 0; j < V; ++j) c[j] = (c[j] - pivot) - shift;
}

// The numbers that the backward of a row needs.
template <typename A> struct Statistics { A pivot, shift, rstd; };

template <typename T, typename A>
__device__ __forceinline__ Statistics<A> statistics(const T* x, const A* shift, const A* rstd, int64 row, int width) {
    return {shift ? load(x[row * width]) : A(0), shift ? shift[row] : A(0), rstd[row]};
}

// gx = rstd * (h - mean(h) - c * slope) + extra
template <int V, typename T, typename A>
__device__ __forceinline__ void finish_gradient(
        T* gx, const A (&h)[V], const A (&c)[V], A rstd, A mean, A slope, const T* extra) {
    A result[V];
    for (int j = 0; j < V; ++j) result[j] = rstd * (h[j] - mean - c[j] * slope);
    if (extra) {
        A other[V];
        read(other, extra);
        for (int j = 0; j < V; ++j) result[j] += other[j];
    }
    write(gx, result);
}

// A block's sums for each column, over its teams in order: row blockIdx.x of `partial`.
template <int V, int K, typename A>
__device__ __forceinline__ void write_partial(A* partial, const A (&sums)[K][V], A* shared, int width) {
    constexpr int N = V * sizeof(A) < 16 ? V : 16 / sizeof(A);  // at once: one by one, lanes would share banks
    const int teams = blockDim.y;
    partial += int64(blockIdx.x) * width;
    for (int team = 0; team < teams; ++team) {
        if (threadIdx.y == team) chunks<K, V>(width, [&](int k, int column) {
            for (int j = 0; j < V; j += N) {
                A total[N] = {};
                if (team > 0) read(total, shared + column + j);
                for (int i = 0; i < N; ++i) total[i] += sums[k][j + i];
                if (team == teams - 1) write(partial + column + j, total);
                else write(shared + column + j, total);
            }
        });
        __syncthreads();
    }
}

// gweight, gbias: null, or partial sums (gridDim.x, width). gx may be null. extra: added to gx, or null.
template <typename T, int V, int kept>
__global__ void __launch_bounds__(kThreadsOf<kept>, kBlocksOf<kept>) layer_norm_backward(
        T* __restrict__ gx, acc_t<T>* __restrict__ gweight, acc_t<T>* __restrict__ gbias, const T* __restrict__ g,
        const T* __restrict__ extra, const T* __restrict__ x, const T* __restrict__ weight,
        const acc_t<T>* __restrict__ shift, const acc_t<T>* __restrict__ rstd, int64 rows, int width) {
    using A = acc_t<T>;
    constexpr int K = kept / V;
    __shared__ A scratch[kWarp];
    __shared__ __align__(16) A shared[kWarp * kept];
    A weight_sums[K][V] = {}, bias_sums[K][V] = {};

    const int64 teams = int64(gridDim.x) * blockDim.y;
    for (int64 row = int64(blockIdx.x) * blockDim.y + threadIdx.y; row < rows; row += teams) {
        const Statistics<A> its = statistics(x, shift, rstd, row, width);
        const int64 base = row * width;
        Vec<T, V> inputs[K], grads[K];  // all of the row is on its way before any of it is used
        chunks<K, V>(width, [&](int k, int column) {
            inputs[k] = *reinterpret_cast<const Vec<T, V>*>(x + base + column);
            grads[k] = *reinterpret_cast<const Vec<T, V>*>(g + base + column);
        });
        A c[V], h[V], sum = A(0), dot = A(0);
        const auto convert = [&](int k) {  // twice: as numbers of T they take half the registers
            centred(c, inputs[k].at, its.pivot, its.shift);
            read(h, grads[k].at);
        };
        const auto weigh = [&](int column) {
            if (!weight) return;
            A factor[V];
            read(factor, weight + column);
            for (int j = 0; j < V; ++j) h[j] *= factor[j];
        };
        chunks<K, V>(width, [&](int k, int column) {
            convert(k);
            for (int j = 0; j < V; ++j) {
                weight_sums[k][j] += h[j] * (c[j] * its.rstd);
                bias_sums[k][j] += h[j];
            }
            weigh(column);
            for (int j = 0; j < V; ++j) {
                sum += h[j];
                dot += h[j] * c[j];
            }
        });
        if (!gx) continue;
        const A mean = shift ? team_reduce<Sum>(sum, scratch) / A(width) : A(0);
        const A slope = its.rstd * its.rstd * (team_reduce<Sum>(dot, scratch) / A(width));
        chunks<K, V>(width, [&](int k, int column) {
            convert(k);
            weigh(column);
            const int64 at = base + column;
            finish_gradient(gx + at, h, c, its.rstd, mean, slope, extra ? extra + at : nullptr);
        });
    }
    if (gweight) write_partial(gweight, weight_sums, shared, width);
    if (gbias) write_partial(gbias, bias_sums, shared, width);
}

// gx for rows of any width, a block for each.
template <typename T, int V>
__global__ void __launch_bounds__(kBackwardThreads) layer_norm_backward_wide(
        T* __restrict__ gx, const T* __restrict__ g, const T* __restrict__ extra, const T* __restrict__ x,
        const T* __restrict__ weight, const acc_t<T>* __restrict__ shift, const acc_t<T>* __restrict__ rstd,
        int64 rows, int width) {
    using A = acc_t<T>;
    __shared__ A scratch[kWarp];
    const int64 row = blockIdx.x, base = row * width;
    const Statistics<A> its = statistics(x, shift, rstd, row, width);
    A h[V], c[V], sum = A(0), dot = A(0);
    const auto fetch = [&](int64 column) {
        centred(c, x + base + column, its.pivot, its.shift);
        read(h, g + base + column);
        if (!weight) return;
        A factor[V];
        read(factor, weight + column);
        for (int j = 0; j < V; ++j) h[j] *= factor[j];
    };
    const int first = threadIdx.x * V, step = blockDim.x * V;
    for (int64 column = first; column < width; column += step) {
        fetch(column);
        for (int j = 0; j < V; ++j) {
            sum += h[j];
            dot += h[j] * c[j];
        }
    }
    const A mean = shift ? block_reduce<Sum>(sum, scratch) / A(width) : A(0);
    const A slope = its.rstd * its.rstd * (block_reduce<Sum>(dot, scratch) / A(width));
    for (int64 column = first; column < width; column += step) {
        fetch(column);
        const int64 at = base + column;
        finish_gradient(gx + at, h, c, its.rstd, mean, slope, extra ? extra + at : nullptr);
    }
}

// Partial sums (gridDim.y, width) of gweight and gbias for rows of any width: a thread has V columns of every
// gridDim.y-th row.
template <typename T, int V>
__global__ void __launch_bounds__(kBackwardThreads) layer_norm_columns(
        acc_t<T>* __restrict__ gweight, acc_t<T>* __restrict__ gbias, const T* __restrict__ g,
        const T* __restrict__ x, const acc_t<T>* __restrict__ shift, const acc_t<T>* __restrict__ rstd, int64 rows,
        int width) {
    using A = acc_t<T>;
    const int64 column = thread_index() * V;
    if (column >= width) return;
    A weight_sums[V] = {}, bias_sums[V] = {}, grad[V], c[V];
    for (int64 row = blockIdx.y; row < rows; row += gridDim.y) {
        const Statistics<A> its = statistics(x, shift, rstd, row, width);
        centred(c, x + row * width + column, its.pivot, its.shift);
        read(grad, g + row * width + column);
        for (int j = 0; j < V; ++j) {
            weight_sums[j] += grad[j] * (c[j] * its.rstd);
            bias_sums[j] += grad[j];
        }
    }
    for (int j = 0; j < V; ++j) {
        const int64 at = int64(blockIdx.y) * width + column + j;
        if (gweight) gweight[at] = weight_sums[j];
        if (gbias) gbias[at] = bias_sums[j];
    }
}

// The sums over the rows of `partial` (count, width), one or two of them (gridDim.y): block (32, 32).
template <typename T>
__global__ void __launch_bounds__(kWarp * kWarp) layer_norm_sum(
        T* __restrict__ gweight, T* __restrict__ gbias, const acc_t<T>* __restrict__ weights,
        const acc_t<T>* __restrict__ biases, int count, int width) {
    using A = acc_t<T>;
    __shared__ A shared[kWarp][kWarp + 1];
    const A* const partial = blockIdx.y == 0 ? weights : biases;
    T* const out = blockIdx.y == 0 ? gweight : gbias;
    const int64 column = int64(blockIdx.x) * kWarp + threadIdx.x;
    A sum = A(0);
    if (partial && column < width)
        for (int row = threadIdx.y; row < count; row += kWarp) sum += partial[int64(row) * width + column];
    shared[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    sum = warp_reduce<Sum>(shared[threadIdx.x][threadIdx.y]);  // column threadIdx.y
    const int64 reduced = int64(blockIdx.x) * kWarp + threadIdx.y;
    if (partial && threadIdx.x == 0 && reduced < width) out[reduced] = store<T>(sum);
}
