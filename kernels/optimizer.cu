// Optimizer steps over any number of parameters in one launch.
//
// A new optimizer is one functor: its fields are the numbers of a step, in the order in which `_scalars` of the Python
// class gives them; its operator changes one element p, given the gradient g and the state s, with the operations of
// the class's `_update` in the same order.
//
// `table` holds a row for each parameter, {p, g, state 0, state 1, state 2 (addresses), elements}, then for each block
// of the grid {parameter, first element}. Bytes moved: p and the states read and written once, g read once (AdamW in
// float32: 28 an element). 16-bit parameters and states are computed in float and rounded once.

#include "common.cuh"

constexpr int kThreads = 256, kChunk = 8192;  // kChunk: elements of a block
constexpr int kRow = 6;

// Sutskever et al. 2013; share: of the gradient that enters the momentum buffer.
template <typename A> struct SGD {
    A lr, momentum, decay, share, nesterov, maximize;
    __device__ __forceinline__ void operator()(A& p, A g, A (&s)[3]) const {
        if (maximize != A(0)) g = -g;
        if (decay != A(0)) g = g + p * decay;
        if (momentum != A(0)) {
            s[0] = s[0] * momentum + g * share;
            g = nesterov != A(0) ? g + s[0] * momentum : s[0];
        }
        p = p - g * lr;
    }
};

// Kingma and Ba 2015; size and eps hold the corrections of the bias. decay is added to the gradient; shrink, which is 1
// or 1 - lr weight_decay, multiplies p (Loshchilov and Hutter 2019). amsgrad: Reddi et al. 2018.
template <typename A> struct Adam {
    A size, eps, new1, beta2, new2, decay, shrink, amsgrad, maximize;  // new1, new2: 1 - beta1, 1 - beta2
    __device__ __forceinline__ void operator()(A& p, A g, A (&s)[3]) const {
        if (maximize != A(0)) g = -g;
        p = p * shrink;
        if (decay != A(0)) g = g + p * decay;
        s[0] = s[0] + (g - s[0]) * new1;
        s[1] = s[1] * beta2 + g * g * new2;
        A v = s[1];
        if (amsgrad != A(0)) v = s[2] = s[2] > v || s[2] != s[2] ? s[2] : v;
        p = p - s[0] / (sqrt(v) + eps) * size;
    }
};

// N elements from i on: `at` are the addresses of p, g and S states.
template <int N, int S, typename Step, typename T>
__device__ __forceinline__ void update(const Step& step, T* const (&at)[S + 2], int i) {
    acc_t<T> values[S + 2][N];
#pragma unroll
    for (int k = 0; k < S + 2; ++k) read<N>(values[k], at[k] + i);
#pragma unroll
    for (int n = 0; n < N; ++n) {
        acc_t<T> state[3] = {};
#pragma unroll
        for (int k = 0; k < S; ++k) state[k] = values[k + 2][n];
        step(values[0][n], values[1][n], state);
#pragma unroll
        for (int k = 0; k < S; ++k) values[k + 2][n] = state[k];
    }
#pragma unroll
    for (int k = 0; k < S + 2; ++k)
        if (k != 1) write<N>(at[k] + i, values[k]);
}

// S: how many states there are.
template <template <typename> class Step, typename T, int S>
__global__ void __launch_bounds__(kThreads)
    optimizer_step(const int64* __restrict__ table, int64 parameters, Step<acc_t<T>> step) {
    constexpr int N = 16 / sizeof(T);
    const int64* chunk = table + parameters * kRow + 2 * static_cast<int64>(blockIdx.x);
    const int64* row = table + chunk[0] * kRow;
    const int64 left = row[kRow - 1] - chunk[1];
    const int count = static_cast<int>(left < kChunk ? left : kChunk);
    T* at[S + 2];
    bool aligned = true;
#pragma unroll
    for (int k = 0; k < S + 2; ++k) {
        at[k] = reinterpret_cast<T*>(row[k]) + chunk[1];
        aligned = aligned && row[k] % 16 == 0;
    }
    const int middle = aligned ? count - count % N : 0;
    for (int i = threadIdx.x * N; i < middle; i += kThreads * N) update<N, S>(step, at, i);
    for (int i = middle + threadIdx.x; i < count; i += kThreads) update<1, S>(step, at, i);
}
