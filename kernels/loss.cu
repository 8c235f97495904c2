// Cross-entropy of logits (N, C) and one class for each row, forward and backward.
//
//   loss = (1 - s) w_t l_t + s / C sum_c w_c l_c,   l_c = log(total) - (x_c - peak),  total = sum_c exp(x_c - peak)
//   gx_c = g ((1 - s) w_t (p_c - [c = t]) + s / C (p_c sum w - w_c)),                 p_c = exp(x_c - peak) / total
//
// with class weights w and label smoothing s (Szegedy et al. 2016). A part of a warp, a warp or a block owns a row.
// Forward takes peak and total from one read and keeps both: the log-sum-exp, peak + log(total), would lose the digits
// of its second part next to a large first one. Backward makes the probabilities again: one read, one write.
//
// Bytes moved: forward the logits' (with smoothing they are read again, from cache), backward twice the logits'.
// A row whose class is `ignored` gives 0, one whose class is not in [0, C) gives NaN, without a read of its logits.

#include "rows.cuh"

// The parameters that all rows share.
template <typename T> struct Loss {
    const int64* target;
    const acc_t<T>* weight;        // (C,), or null: all 1
    const acc_t<T>* total_weight;  // their sum, if there are any and smoothing
    int64 rows, classes, ignored;
    acc_t<T> smoothing;

    __device__ __forceinline__ acc_t<T> weight_of(int64 c) const { return weight == nullptr ? acc_t<T>(1) : weight[c]; }
    __device__ __forceinline__ bool is_class(int64 t) const { return t >= 0 && t < classes && t != ignored; }
    // The factor of the row's own class, and that of every class.
    __device__ __forceinline__ acc_t<T> of_target(int64 t) const { return (1 - smoothing) * weight_of(t); }
    __device__ __forceinline__ acc_t<T> of_each() const { return smoothing / acc_t<T>(classes); }
    __device__ __forceinline__ acc_t<T> sum_of_weights() const {
        return total_weight == nullptr ? acc_t<T>(classes) : *total_weight;
    }
};

// The loss of one row (or NaN), the same in all its threads.
template <int V, typename T>
__device__ acc_t<T> cross_entropy_row(const T* x, int64 t, int64 n, int shift, const Loss<T>& loss,
                                      Online<acc_t<T>>& row, acc_t<T>* scratch) {
    using A = acc_t<T>;
    const int64 first = static_cast<int64>(threadIdx.x) * V - shift, step = static_cast<int64>(blockDim.x) * V;
    A at[V];
#pragma unroll 2
    for (int64 column = first; column < n; column += step) {
        load_chunk<V>(at, x, column, n, lowest<A>());
        row.template add<V>(at);
    }
    row.reduce(scratch);
    const A peak = row.peak, log_total = logarithm(row.total);
    A smooth = 0;
    for (int64 column = first; loss.smoothing != 0 && column < n; column += step) {
        load_chunk<V>(at, x, column, n, A(0),
                      [&](A value, int64 c) { return loss.weight_of(c) * (log_total - (value - peak)); });
#pragma unroll
        for (int j = 0; j < V; ++j) smooth += at[j];
    }
    if (loss.smoothing != 0) smooth = row_reduce<Sum>(smooth, scratch);
    return n == 0 ? A(0) : loss.of_target(t) * (log_total - (load(x[t]) - peak)) + loss.of_each() * smooth;
}

// lse (2, N): each row's peak, then each row's total. The losses go to `losses` or, unrounded, to `wide`: one is null.
template <typename T>
__global__ void __launch_bounds__(512)
    cross_entropy_forward(T* __restrict__ losses, acc_t<T>* __restrict__ wide, acc_t<T>* __restrict__ lse,
                          const T* __restrict__ logits,
                          const int64* __restrict__ target, const acc_t<T>* __restrict__ weight,
                          const acc_t<T>* __restrict__ total_weight, int64 rows, int64 classes, int64 ignored,
                          acc_t<T> smoothing) {
    using A = acc_t<T>;
    __shared__ A scratch[kWarp];
    const Loss<T> loss = {target, weight, total_weight, rows, classes, ignored, smoothing};
    const int64 i = row_index();
    const int64 t = i < loss.rows ? loss.target[i] : loss.ignored;
    const T* x = logits + i * loss.classes;
    Online<A> row = Online<A>::none();
    const int64 n = loss.is_class(t) ? classes : 0;
    const A value = cross_entropy_row<kVector<T>>(x, t, n, past_boundary(x), loss, row, scratch);
    if (threadIdx.x != 0 || i >= loss.rows) return;
    const A given = t == loss.ignored || loss.is_class(t) ? value : nan_of<A>();
    if (losses) losses[i] = store<T>(given);
    else wide[i] = given;
    lse[i] = row.peak;
    lse[rows + i] = row.total;
}

// ---- the sum of the losses, or their mean

constexpr int kSumThreads = 512;

template <typename A> struct Share {
    A loss, weight;  // the sums of the losses, and of the weights of the rows that count

    static __device__ __forceinline__ Share join(Share a, Share b) { return {a.loss + b.loss, a.weight + b.weight}; }
};

// The join of all threads' values, in thread 0. Every thread of the block takes part.
template <typename A> __device__ Share<A> join_block(Share<A> value) {
    __shared__ Share<A> shared[kSumThreads];
    shared[threadIdx.x] = value;
    for (int half = kSumThreads / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) shared[threadIdx.x] = Share<A>::join(shared[threadIdx.x], shared[threadIdx.x + half]);
    }
    return threadIdx.x ? value : shared[0];  // the others must not read what thread 0 still writes
}

// Writes the loss, and for the mean its divisor, which is NaN where no row counts.
template <typename T> __device__ void write_loss(T* out, acc_t<T>* total, Share<acc_t<T>> all) {
    if (total) *total = all.weight == acc_t<T>(0) ? nan_of<acc_t<T>>() : all.weight;
    *out = store<T>(total ? all.loss / *total : all.loss);
}

// Each block adds up a share of the rows' losses (N,); a block that is alone writes the result. total is null for the
// sum, a number for the mean.
template <typename T>
__global__ void __launch_bounds__(kSumThreads)
    cross_entropy_sums(T* __restrict__ out, acc_t<T>* __restrict__ total, acc_t<T>* __restrict__ shares,
                       const acc_t<T>* __restrict__ losses, const int64* __restrict__ target,
                       const acc_t<T>* __restrict__ weight, int64 rows, int64 classes, int64 ignored) {
    using A = acc_t<T>;
    const int64 each = (rows + gridDim.x - 1) / gridDim.x, first = blockIdx.x * each;
    const int64 last = first + each < rows ? first + each : rows;
    Share<A> sum = {A(0), A(0)};
#pragma unroll 4
    for (int64 i = first + threadIdx.x; i < last; i += kSumThreads) {
        const int64 t = target[i];
        const bool counts = t != ignored, known = t >= 0 && t < classes;
        const A share = weight == nullptr ? A(1) : known ? weight[t] : A(0);
        sum = Share<A>::join(sum, {losses[i], counts ? share : A(0)});
    }
    sum = join_block(sum);
    if (threadIdx.x) return;
    if (gridDim.x == 1) write_loss<T>(out, total, sum);
    else shares[2 * blockIdx.x] = sum.loss, shares[2 * blockIdx.x + 1] = sum.weight;
}

// One block adds up the shares of several.
template <typename T>
__global__ void __launch_bounds__(kSumThreads)
    cross_entropy_total(T* __restrict__ out, acc_t<T>* __restrict__ total, const acc_t<T>* __restrict__ shares,
                        int count) {
    using A = acc_t<T>;
    Share<A> sum = {A(0), A(0)};
    for (int i = threadIdx.x; i < count; i += kSumThreads)
        sum = Share<A>::join(sum, {shares[2 * i], shares[2 * i + 1]});
    sum = join_block(sum);
    if (threadIdx.x == 0) write_loss<T>(out, total, sum);
}

// ---- backward

template <int V, typename T>
__device__ void cross_entropy_row_backward(T* __restrict__ gx, const T* __restrict__ x, acc_t<T> g, int64 t, int shift,
                                           acc_t<T> peak, acc_t<T> total, const Loss<T>& loss) {
    using A = acc_t<T>;
    const int64 n = loss.classes, step = static_cast<int64>(blockDim.x) * V;
    const bool counts = loss.is_class(t);
    const A scale = 1 / total, own = counts ? g * loss.of_target(t) : A(0), each = g * loss.of_each();
    const A all = loss.smoothing == 0 ? A(0) : loss.sum_of_weights();
    const A other = counts || t == loss.ignored ? A(0) : nan_of<A>();
    A at[V];
#pragma unroll 2
    for (int64 column = static_cast<int64>(threadIdx.x) * V - shift; column < n; column += step) {
        if (counts) {
            load_chunk<V>(at, x, column, n, A(0), [&](A value, int64 c) {
                const A p = exponential(value - peak) * scale, chosen = own * (p - (c == t ? A(1) : A(0)));
                return loss.smoothing == 0 ? chosen : chosen + each * (p * all - loss.weight_of(c));
            });
        } else {
#pragma unroll
            for (int j = 0; j < V; ++j) at[j] = other;
        }
        store_chunk<V>(gx, column, n, at);
    }
}

// g: the upstream gradient, its elements `stride` apart (0: one for all rows). It is divided by `divisor` if there is
// one; where that is NaN, the mean of no losses depends on nothing.
template <typename T>
__global__ void __launch_bounds__(512)
    cross_entropy_backward(T* __restrict__ gx, const T* __restrict__ g, int64 stride,
                           const acc_t<T>* __restrict__ divisor, const acc_t<T>* __restrict__ lse,
                           const T* __restrict__ logits, const int64* __restrict__ target,
                           const acc_t<T>* __restrict__ weight, const acc_t<T>* __restrict__ total_weight, int64 rows,
                           int64 classes, int64 ignored, acc_t<T> smoothing) {
    const int64 i = row_index();
    if (i >= rows) return;
    const Loss<T> loss = {target, weight, total_weight, rows, classes, ignored, smoothing};
    const T* x = logits + i * loss.classes;
    T* own = gx + i * loss.classes;
    const acc_t<T> peak = lse[i], total = lse[rows + i];
    acc_t<T> up = load(g[i * stride]);
    if (divisor) up = *divisor != *divisor ? acc_t<T>(0) : up / *divisor;
    if (aligned_alike<T>(own, x)) {
        cross_entropy_row_backward<kVector<T>>(own, x, up, target[i], past_boundary(x), peak, total, loss);
    } else {
        cross_entropy_row_backward<1>(own, x, up, target[i], 0, peak, total, loss);
    }
}
