// Reductions over axes: sum, mean, product, extremes and their positions, log-sum-exp, variance.
//
// The host merges axes until x is (outer, n, inner) and n is what is reduced:
//   reduce_rows      inner = 1: 1 to 256 neighbouring threads share a row, with 16-byte loads and shuffles
//   reduce_columns   inner > 1: a warp reads along inner, so that its loads are coalesced, and the rows of a block are
//                    joined in shared memory
//   reduce_states    joins the partial results in `states` that one of the two left: if several blocks (gridDim.y of
//                    them) share one n, because there are few outputs, or if two separate runs of axes are reduced
// Bytes moved: x once (variance: twice, the mean first), the result once. Every order of adding is fixed by the shapes.
//
// An operation Op<A> has a State with zero(), add(state, x, i, center) for element x at position i, join(a, b) and
// finish(state, divisor, count). `center` is the mean for those that need one, `count` how many elements were joined.
// A: double for double, float for all others.

#include "common.cuh"

constexpr int kThreads = 256;

template <typename A> __device__ __forceinline__ A shuffled(A value, int lanes) {
    return __shfl_xor_sync(kAllLanes, value, lanes);
}

// ---- operations

template <typename A> struct Total {
    using State = A;
    template <typename T> using Out = T;
    static constexpr bool centered = false;
    static __device__ __forceinline__ A zero() { return A(0); }
    static __device__ __forceinline__ A add(A state, A x, int64, A) { return state + x; }
    static __device__ __forceinline__ A join(A a, A b) { return a + b; }
    static __device__ __forceinline__ A finish(A state, A divisor, A) { return state / divisor; }
};

template <typename A> struct Mean : Total<A> {  // in A, for the second pass
    template <typename T> using Out = A;
};

template <typename A> struct Product : Total<A> {
    static __device__ __forceinline__ A zero() { return A(1); }
    static __device__ __forceinline__ A add(A state, A x, int64, A) { return state * x; }
    static __device__ __forceinline__ A join(A a, A b) { return a * b; }
    static __device__ __forceinline__ A finish(A state, A, A) { return state; }
};

template <typename A> struct Largest : Product<A> {  // NaN wins, as in NumPy
    static __device__ __forceinline__ A zero() { return -infinity<A>(); }
    static __device__ __forceinline__ A join(A a, A b) { return a > b || a != a ? a : b; }
    static __device__ __forceinline__ A add(A state, A x, int64, A) { return join(state, x); }
};

template <typename A> struct Smallest : Product<A> {
    static __device__ __forceinline__ A zero() { return infinity<A>(); }
    static __device__ __forceinline__ A join(A a, A b) { return a < b || a != a ? a : b; }
    static __device__ __forceinline__ A add(A state, A x, int64, A) { return join(state, x); }
};

template <typename A> struct Offsets { A sum, squares; };  // of x - center

template <typename A> __device__ __forceinline__ Offsets<A> shuffled(Offsets<A> s, int lanes) {
    return {shuffled(s.sum, lanes), shuffled(s.squares, lanes)};
}

// The second pass. The center is the rounded mean; the sum of the offsets from it shows the rounding error, and
// corrects for it (Chan, Golub and LeVeque 1983, equation 1.7).
template <typename A> struct Variance : Total<A> {
    using State = Offsets<A>;
    static constexpr bool centered = true;
    static __device__ __forceinline__ State zero() { return {A(0), A(0)}; }
    static __device__ __forceinline__ State join(State a, State b) { return {a.sum + b.sum, a.squares + b.squares}; }
    static __device__ __forceinline__ State add(State s, A x, int64, A center) {
        const A offset = x - center;
        return {s.sum + offset, s.squares + offset * offset};
    }
    static __device__ __forceinline__ A finish(State s, A divisor, A count) {
        return (s.squares - s.sum * s.sum / count) / divisor;
    }
};

template <typename A> struct Deviation : Variance<A> {
    static __device__ __forceinline__ A finish(Offsets<A> s, A divisor, A count) {
        return sqrt(Variance<A>::finish(s, divisor, count));
    }
};

template <typename A> struct Scaled { A top, total; };  // total * exp(top)

template <typename A> __device__ __forceinline__ Scaled<A> shuffled(Scaled<A> s, int lanes) {
    return {shuffled(s.top, lanes), shuffled(s.total, lanes)};
}

// In one pass (Milakov and Gimelshein 2018). Equal infinities must not meet in a difference.
template <typename A> struct LogSumExp : Total<A> {
    using State = Scaled<A>;
    static __device__ __forceinline__ State zero() { return {-infinity<A>(), A(0)}; }
    static __device__ __forceinline__ State join(State a, State b) {
        if (a.top == b.top) return {a.top, a.total + b.total};
        if (b.top > a.top) return {b.top, b.total + a.total * exp(a.top - b.top)};
        return {a.top, a.total + b.total * exp(b.top - a.top)};
    }
    static __device__ __forceinline__ State add(State s, A x, int64, A) {
        if (x > s.top) return {x, s.total * exp(s.top - x) + A(1)};
        return {s.top, s.total + (x == s.top ? A(1) : exp(x - s.top))};
    }
    static __device__ __forceinline__ A finish(State s, A, A) { return s.top + log(s.total); }
};

template <typename A> struct Found { A value; int64 at; };

template <typename A> __device__ __forceinline__ Found<A> shuffled(Found<A> s, int lanes) {
    return {shuffled(s.value, lanes), shuffled(s.at, lanes)};
}

template <typename A> struct FirstLargest : Total<A> {  // of equal ones the first, of NaNs too
    using State = Found<A>;
    template <typename T> using Out = int64;
    static __device__ __forceinline__ State zero() { return {-infinity<A>(), 0x7fffffffffffffff}; }
    static __device__ __forceinline__ State join(State a, State b) {
        const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
        if (a.value == b.value || (a_nan && b_nan)) return a.at < b.at ? a : b;
        return a.value > b.value || a_nan ? a : b;
    }
    static __device__ __forceinline__ State add(State s, A x, int64 i, A) { return join(s, State{x, i}); }
    static __device__ __forceinline__ int64 finish(State s, A, A) { return s.at; }
};

template <typename A> struct FirstSmallest : FirstLargest<A> {
    using State = Found<A>;
    static __device__ __forceinline__ State add(State s, A x, int64 i, A) {
        return FirstLargest<A>::join(s, State{-x, i});
    }
};

// ---- what the kernels share

// The results go to `out`, finished, or unfinished to `states` if that is not null. center: one number for each result.
template <typename Op, typename Out, typename A>
__device__ __forceinline__ void put(Out* out, typename Op::State* states, int64 at, typename Op::State state, A divisor,
                                    A count) {
    if (states) states[at] = state;
    else if constexpr (sizeof(Out) == 2) out[at] = store<Out>(Op::finish(state, divisor, count));
    else out[at] = Op::finish(state, divisor, count);
}

// The part of n that block y of the grid works on.
struct Share {
    int64 first, last;
    __device__ __forceinline__ explicit Share(int64 n) {
        const int64 each = (n + gridDim.y - 1) / gridDim.y;
        first = each * blockIdx.y;
        last = first + each < n ? first + each : n;
    }
};

// ---- inner = 1: a row is n neighbouring elements

template <template <typename> class F, typename T>
__global__ void __launch_bounds__(kThreads)
    reduce_rows(typename F<acc_t<T>>::template Out<T>* out, typename F<acc_t<T>>::State* states,
                const T* __restrict__ x, const acc_t<T>* center, int64 rows, int64 n, int lanes, acc_t<T> divisor,
                acc_t<T> count) {
    using Op = F<acc_t<T>>;
    using State = typename Op::State;
    constexpr int N = 16 / sizeof(T);
    __shared__ State shared[kThreads / kWarp];
    const int lane = threadIdx.x % lanes, each = kThreads / lanes;  // lanes: threads of a row, a power of two
    const Share share(n);
    const bool vectors = n % N == 0 && share.first % N == 0 && reinterpret_cast<uint64>(x) % 16 == 0;
    const int64 middle = vectors ? share.last - (share.last - share.first) % N : share.first;
    const int64 stride = static_cast<int64>(gridDim.x) * each;
    for (int64 first = static_cast<int64>(blockIdx.x) * each; first < rows; first += stride) {
        const int64 row = first + threadIdx.x / lanes;
        State state = Op::zero();
        if (row < rows) {
            const T* at = x + row * n;
            const acc_t<T> mean = Op::centered ? center[row] : acc_t<T>(0);
#pragma unroll 2
            for (int64 i = share.first + lane * N; i < middle; i += lanes * N) {
                const Vec<T, N> found = *reinterpret_cast<const Vec<T, N>*>(at + i);
#pragma unroll
                for (int k = 0; k < N; ++k) state = Op::add(state, load(found.at[k]), i + k, mean);
            }
#pragma unroll 4
            for (int64 i = middle + lane; i < share.last; i += lanes) state = Op::add(state, load(at[i]), i, mean);
        }
        for (int step = (lanes < kWarp ? lanes : kWarp) / 2; step > 0; step /= 2)
            state = Op::join(state, shuffled(state, step));
        if (lanes > kWarp) {
            if (threadIdx.x % kWarp == 0) shared[threadIdx.x / kWarp] = state;
            __syncthreads();
            if (threadIdx.x == 0)
                for (int warp = 1; warp < kThreads / kWarp; ++warp) state = Op::join(state, shared[warp]);
            __syncthreads();
        }
        if (lane == 0 && row < rows) put<Op>(out, states, row * gridDim.y + blockIdx.y, state, divisor, count);
    }
}

// ---- inner > 1: x is (outer, n, inner), a block works on blockDim.x columns, blockDim.y of their rows at a time

// Joins the states of a block's rows: those of row 0 get the result.
template <typename Op> __device__ __forceinline__ typename Op::State join_rows(typename Op::State state) {
    __shared__ typename Op::State shared[kThreads];
    const int me = threadIdx.y * blockDim.x + threadIdx.x;
    shared[me] = state;
    for (int step = blockDim.y / 2; step > 0; step /= 2) {
        __syncthreads();
        if (threadIdx.y < step) shared[me] = Op::join(shared[me], shared[me + step * blockDim.x]);
    }
    const typename Op::State joined = shared[me];
    __syncthreads();
    return joined;
}

template <template <typename> class F, typename T>
__global__ void __launch_bounds__(kThreads)
    reduce_columns(typename F<acc_t<T>>::template Out<T>* out, typename F<acc_t<T>>::State* states,
                   const T* __restrict__ x, const acc_t<T>* center, int64 outer, int64 n, int64 inner,
                   acc_t<T> divisor, acc_t<T> count) {
    using Op = F<acc_t<T>>;
    const Share share(n);
    const int64 tiles = (inner + blockDim.x - 1) / blockDim.x;
    for (int64 tile = blockIdx.x; tile < outer * tiles; tile += gridDim.x) {
        const int64 o = tile / tiles, column = tile % tiles * blockDim.x + threadIdx.x;
        typename Op::State state = Op::zero();
        if (column < inner) {
            const T* at = x + o * n * inner + column;
            const acc_t<T> mean = Op::centered ? center[o * inner + column] : acc_t<T>(0);
#pragma unroll 8
            for (int64 i = share.first + threadIdx.y; i < share.last; i += blockDim.y)
                state = Op::add(state, load(at[i * inner]), i, mean);
        }
        state = join_rows<Op>(state);
        if (threadIdx.y == 0 && column < inner)
            put<Op>(out, states, (o * gridDim.y + blockIdx.y) * inner + column, state, divisor, count);
    }
}

// Joins states (outer, n, inner) that a kernel above left.
template <template <typename> class F, typename T>
__global__ void __launch_bounds__(kThreads)
    reduce_states(typename F<acc_t<T>>::template Out<T>* out, const typename F<acc_t<T>>::State* __restrict__ states,
                  int64 outer, int64 n, int64 inner, acc_t<T> divisor, acc_t<T> count) {
    using Op = F<acc_t<T>>;
    const int64 tiles = (inner + blockDim.x - 1) / blockDim.x;
    for (int64 tile = blockIdx.x; tile < outer * tiles; tile += gridDim.x) {
        const int64 o = tile / tiles, column = tile % tiles * blockDim.x + threadIdx.x;
        typename Op::State state = Op::zero();
        if (column < inner)
            for (int64 i = threadIdx.y; i < n; i += blockDim.y)
                state = Op::join(state, states[(o * n + i) * inner + column]);
        state = join_rows<Op>(state);
        if (threadIdx.y == 0 && column < inner)
            put<Op>(out, static_cast<typename Op::State*>(nullptr), o * inner + column, state, divisor, count);
    }
}
