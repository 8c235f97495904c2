// One launch does an optimizer's step for any number of parameters.
//
// Each optimizer is one functor. Its fields are the scalars of a step, in the order in which `_functor_fields` of the
// Python class returns them. Its operator changes one element p, given the gradient g and the state s, by the same
// operations as the class's `_update`, in the same order.
//
// `table` holds a row for each parameter, {p, g, state 0, state 1, state 2 (addresses), elements}, then for each block
// of the grid {parameter, first element}. p and the states are read and written once, and g is read once: AdamW moves
// 28 bytes per element in float32. 16-bit parameters and states are computed in float and rounded once.

#include "common.cuh"

constexpr int kThreads = 256, kChunk = 8192;  // kChunk: elements of a block
constexpr int kRow = 6;

// Sutskever et al. 2013. grad_weight multiplies the gradient that enters the momentum buffer.
template <typename A> struct SGD {
    A lr, momentum, decay, grad_weight, nesterov, maximize;
    __device__ __forceinline__ void operator()(A& p, A g, A (&s)[3]) const {
        if (maximize != A(0)) g = -g;
        if (decay != A(0)) g = g + p * decay;
        if (momentum != A(0)) {
            s[0] = s[0] * momentum + g * grad_weight;
            g = nesterov != A(0) ? g + s[0] * momentum : s[0];
        }
        p = p - g * lr;
    }
};

// Every functor with a weight decay begins with this: decay p is added to the gradient, and decay_factor, which is 1 or
// 1 - lr weight_decay, multiplies p (Loshchilov and Hutter 2019).
template <typename A> struct Decay {
    A maximize, decay, decay_factor;
    __device__ __forceinline__ A gradient(A& p, A g) const {
        if (maximize != A(0)) g = -g;
        p = p * decay_factor;
        return decay != A(0) ? g + p * decay : g;
    }
};

// Kingma and Ba 2015. size and eps include the corrections of the bias. amsgrad: Reddi et al. 2018.
template <typename A> struct Adam : Decay<A> {
    A size, eps, one_minus_beta1, beta2, one_minus_beta2, amsgrad;
    __device__ __forceinline__ void operator()(A& p, A g, A (&s)[3]) const {
        g = this->gradient(p, g);
        s[0] = s[0] + (g - s[0]) * one_minus_beta1;
        s[1] = s[1] * beta2 + g * g * one_minus_beta2;
        A v = s[1];
        if (amsgrad != A(0)) v = s[2] = s[2] > v || s[2] != s[2] ? s[2] : v;
        p = p - s[0] / (sqrt(v) + eps) * size;
    }
};

// Dozat 2016. grad_factor and mean_factor multiply the gradient and its mean; both include lr.
template <typename A> struct NAdam : Decay<A> {
    A grad_factor, mean_factor, correction, eps, one_minus_beta1, beta2, one_minus_beta2;
    __device__ __forceinline__ void operator()(A& p, A g, A (&s)[3]) const {
        g = this->gradient(p, g);
        s[0] = s[0] + (g - s[0]) * one_minus_beta1;
        s[1] = s[1] * beta2 + g * g * one_minus_beta2;
        const A root = sqrt(s[1] / correction) + eps;
        p = p - g * grad_factor / root;
        p = p - s[0] * mean_factor / root;
    }
};

// Liu et al. 2020. adaptive says whether the second moment has seen enough steps to be used.
template <typename A> struct RAdam : Decay<A> {
    A size, adaptive, eps, one_minus_beta1, beta2, one_minus_beta2;
    __device__ __forceinline__ void operator()(A& p, A g, A (&s)[3]) const {
        g = this->gradient(p, g);
        s[0] = s[0] + (g - s[0]) * one_minus_beta1;
        s[1] = s[1] * beta2 + g * g * one_minus_beta2;
        p = p - (adaptive != A(0) ? s[0] / (sqrt(s[1]) + eps) : s[0]) * size;
    }
};

// Kingma and Ba 2015, section 7.1.
template <typename A> struct Adamax : Decay<A> {
    A size, eps, one_minus_beta1, beta2;
    __device__ __forceinline__ void operator()(A& p, A g, A (&s)[3]) const {
        g = this->gradient(p, g);
        s[0] = s[0] + (g - s[0]) * one_minus_beta1;
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
    A lr, rho, one_minus_rho, eps;
    __device__ __forceinline__ void operator()(A& p, A g, A (&s)[3]) const {
        g = this->gradient(p, g);
        s[0] = s[0] * rho + g * g * one_minus_rho;
        const A d = g / sqrt(s[0] + eps) * sqrt(s[1] + eps);
        s[1] = s[1] * rho + d * d * one_minus_rho;
        p = p - d * lr;
    }
};

// Hinton 2012. s holds the mean of g^2, then the buffer if there is momentum, then the mean of g if centered (Graves
// 2013).
template <typename A> struct RMSprop : Decay<A> {
    A lr, alpha, one_minus_alpha, eps, momentum, centered;
    __device__ __forceinline__ A variance(A g, A& mean, A v) const {
        mean = mean + (g - mean) * one_minus_alpha;
        return v - mean * mean;
    }
    __device__ __forceinline__ void operator()(A& p, A g, A (&s)[3]) const {
        g = this->gradient(p, g);
        s[0] = s[0] * alpha + g * g * one_minus_alpha;
        A v = s[0];
        if (centered != A(0)) v = momentum != A(0) ? variance(g, s[2], v) : variance(g, s[1], v);
        A d = g / (sqrt(v) + eps);
        if (momentum != A(0)) d = s[1] = s[1] * momentum + d;
        p = p - d * lr;
    }
};

// Riedmiller and Braun 1993. s holds the last gradient and the size of the step.
template <typename A> struct Rprop {
    A maximize, decrease, increase, min_step, max_step;
    __device__ __forceinline__ void operator()(A& p, A g, A (&s)[3]) const {
        if (maximize != A(0)) g = -g;
        const A turn = g * s[0];
        const A size = s[1] * (turn < A(0) ? decrease : turn > A(0) ? increase : A(1));
        s[1] = size < min_step ? min_step : size > max_step ? max_step : size;
        s[0] = turn < A(0) ? A(0) : g;
        p = p - sign(s[0]) * s[1];
    }
};

// Polyak and Juditsky 1992. s holds the mean of p, which a new p enters with weight mu.
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
    A lr, one_minus_beta1, one_minus_beta2;
    __device__ __forceinline__ void operator()(A& p, A g, A (&s)[3]) const {
        g = this->gradient(p, g);
        const A change = g - s[0];
        p = p - sign(s[0] + change * one_minus_beta1) * lr;
        s[0] = s[0] + change * one_minus_beta2;
    }
};

// Update N elements from i on. `at` holds the addresses of p, g and S states.
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

// S is the number of states. In a captured step, `stored` has the fields of the functor, and `skip` whether to do
// nothing (a gradient was not finite); else both are null.
template <template <typename> class Step, typename T, int S>
__global__ void __launch_bounds__(kThreads)
    optimizer_step(const int64* __restrict__ table, int64 parameters, Step<acc_t<T>> step,
                   const acc_t<T>* __restrict__ stored, const int* __restrict__ skip) {
    if (skip != nullptr && *skip) return;
    if (stored != nullptr) step = *reinterpret_cast<const Step<acc_t<T>>*>(stored);
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
