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

// What every functor with a weight decay begins with: decay is added to the gradient; shrink, which is 1 or
// 1 - lr weight_decay, multiplies p (Loshchilov and Hutter 2019).
template <typename A> struct Decay {
    A maximize, decay, shrink;
    __device__ __forceinline__ A gradient(A& p, A g) const {
        if (maximize != A(0)) g = -g;
        p = p * shrink;
        return decay != A(0) ? g + p * decay : g;
    }
};

// Kingma and Ba 2015; size and eps hold the corrections of the bias. amsgrad: Reddi et al. 2018.
template <typename A> struct Adam : Decay<A> {
    A size, eps, new1, beta2, new2, amsgrad;  // new1, new2: 1 - beta1, 1 - beta2
    __device__ __forceinline__ void operator()(A& p, A g, A (&s)[3]) const {
        g = this->gradient(p, g);
        s[0] = s[0] + (g - s[0]) * new1;
        s[1] = s[1] * beta2 + g * g * new2;
        A v = s[1];
        if (amsgrad != A(0)) v = s[2] = s[2] > v || s[2] != s[2] ? s[2] : v;
        p = p - s[0] / (sqrt(v) + eps) * size;
    }
};

// Dozat 2016; of_g and of_m: the shares of the gradient and of its mean, with lr.
template <typename A> struct NAdam : Decay<A> {
    A of_g, of_m, correction, eps, new1, beta2, new2;
    __device__ __forceinline__ void operator()(A& p, A g, A (&s)[3]) const {
        g = this->gradient(p, g);
        s[0] = s[0] + (g - s[0]) * new1;
        s[1] = s[1] * beta2 + g * g * new2;
        const A root = sqrt(s[1] / correction) + eps;
        p = p - g * of_g / root;
        p = p - s[0] * of_m / root;
    }
};

// Liu et al. 2020; adaptive: whether the second moment is to be relied on yet.
template <typename A> struct RAdam : Decay<A> {
    A size, adaptive, eps, new1, beta2, new2;
    __device__ __forceinline__ void operator()(A& p, A g, A (&s)[3]) const {
        g = this->gradient(p, g);
        s[0] = s[0] + (g - s[0]) * new1;
        s[1] = s[1] * beta2 + g * g * new2;
        p = p - (adaptive != A(0) ? s[0] / (sqrt(s[1]) + eps) : s[0]) * size;
    }
};

// Kingma and Ba 2015, section 7.1.
template <typename A> struct Adamax : Decay<A> {
    A size, eps, new1, beta2;
    __device__ __forceinline__ void operator()(A& p, A g, A (&s)[3]) const {
        g = this->gradient(p, g);
        s[0] = s[0] + (g - s[0]) * new1;
        const A kept = s[1] * beta2, seen = (g < A(0) ? -g : g) + eps;
        s[1] = kept > seen || kept != kept ? kept : seen;
        p = p - s[0] / s[1] * size;
    }
};

// Duchi et al. 2011.
template <typename A> struct Adagrad : Decay<A> {
    A size, eps;
    __device__ __forceinline__ void operator()(A& p, A g, A (&s)[3]) const {
        g = this->gradient(p, g);
        s[0] = s[0] + g * g;
        p = p - g / (sqrt(s[0]) + eps) * size;
    }
};

// Zeiler 2012.
template <typename A> struct Adadelta : Decay<A> {
    A lr, rho, fresh, eps;  // fresh: 1 - rho
    __device__ __forceinline__ void operator()(A& p, A g, A (&s)[3]) const {
        g = this->gradient(p, g);
        s[0] = s[0] * rho + g * g * fresh;
        const A d = g / sqrt(s[0] + eps) * sqrt(s[1] + eps);
        s[1] = s[1] * rho + d * d * fresh;
        p = p - d * lr;
    }
};

// Hinton 2012; s: the mean of g^2, with momentum the buffer, and with centered last the mean of g (Graves 2013).
template <typename A> struct RMSprop : Decay<A> {
    A lr, alpha, fresh, eps, momentum, centered;  // fresh: 1 - alpha
    __device__ __forceinline__ A variance(A g, A& mean, A v) const {
        mean = mean + (g - mean) * fresh;
        return v - mean * mean;
    }
    __device__ __forceinline__ void operator()(A& p, A g, A (&s)[3]) const {
        g = this->gradient(p, g);
        s[0] = s[0] * alpha + g * g * fresh;
        A v = s[0];
        if (centered != A(0)) v = momentum != A(0) ? variance(g, s[2], v) : variance(g, s[1], v);
        A d = g / (sqrt(v) + eps);
        if (momentum != A(0)) d = s[1] = s[1] * momentum + d;
        p = p - d * lr;
    }
};

// Riedmiller and Braun 1993; s: the gradient before, and the size of the step.
template <typename A> struct Rprop {
    A maximize, shrink, grow, least, most;
    __device__ __forceinline__ void operator()(A& p, A g, A (&s)[3]) const {
        if (maximize != A(0)) g = -g;
        const A turn = g * s[0];
        const A size = s[1] * (turn < A(0) ? shrink : turn > A(0) ? grow : A(1));
        s[1] = size < least ? least : size > most ? most : size;
        s[0] = turn < A(0) ? A(0) : g;
        p = p - sign(s[0]) * s[1];
    }
};

// Polyak and Juditsky 1992; s: the mean of p, which a new one enters with the share mu.
template <typename A> struct ASGD : Decay<A> {
    A eta, mu, keep;  // keep: 1 - lambd eta
    __device__ __forceinline__ void operator()(A& p, A g, A (&s)[3]) const {
        g = this->gradient(p, g);
        p = p * keep - g * eta;
        s[0] = mu == A(1) ? p : s[0] + (p - s[0]) * mu;
    }
};

// Chen et al. 2023.
template <typename A> struct Lion : Decay<A> {
    A lr, new1, new2;  // 1 - beta1, 1 - beta2
    __device__ __forceinline__ void operator()(A& p, A g, A (&s)[3]) const {
        g = this->gradient(p, g);
        const A change = g - s[0];
        p = p - sign(s[0] + change * new1) * lr;
        s[0] = s[0] + change * new2;
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
