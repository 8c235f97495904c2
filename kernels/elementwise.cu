// Elementwise ops: out_i = f(x_i, y_i, ...; attributes), one functor per op, and bias + activation in one pass.
//
// Adding an op is one line:    MAP(<op>_forward, (A x, A y, A slope), <expression>)
// and, for a gradient in one launch, MAP(<op>_backward, (A g, A x, A slope), <expression>), where several inputs need
// gradients <op>_backward_<input>. The parameters are named as in the op's declaration: inputs first, then attributes,
// and in a backward whatever a gradient rule may ask for (g, out, an input, an attribute). The names and parameters are
// read from this file by gpugrad/ops/elementwise/cuda, where there is nothing to add. TEST: the result is bool.
//
// A is the type in which the elements are computed: double for double, float for all others; one rounding at the end.
// Parallel scheme: a block covers 2048 elements, a thread 8 of them, by 16-byte accesses where all addresses allow it.
// Bytes moved: each input once, the output once. An input of one element stays in a register; a number of the host is an
// argument of the kernel. Inputs that are broadcast
// or strided are addressed by shape and strides, neighbouring axes merged by the host.

#include "common.cuh"

constexpr int kThreads = 256, kEach = 8;  // kEach: elements of a thread
constexpr int kAxes = 8;                  // axes of a strided array, after merging

// ---- the functors' tools

template <typename A> __device__ __forceinline__ A maximum(A x, A y) { return x > y || x != x ? x : y; }
template <typename A> __device__ __forceinline__ A minimum(A x, A y) { return x < y || x != x ? x : y; }
template <typename A> __device__ __forceinline__ A clamp(A x, A low, A high) { return minimum(maximum(x, low), high); }

// x / y for a y far from the ends of float: a quotient with an error of 2 units in the last place costs a third.
__device__ __forceinline__ float quotient(float x, float y) { return __fdividef(x, y); }
__device__ __forceinline__ double quotient(double x, double y) { return x / y; }

template <typename A> __device__ __forceinline__ A sigmoid(A x) {  // the exponential is never above 1
    const A e = exp(-fabs(x));
    return quotient(x >= A(0) ? A(1) : e, A(1) + e);
}

template <typename A> __device__ __forceinline__ A softplus(A x) {  // log(1 + exp(x))
    return maximum(x, A(0)) + log1p(exp(-fabs(x)));
}

template <typename A> __device__ __forceinline__ A logaddexp(A x, A y) {  // equal infinities: their difference is NaN
    return x == y ? x + A(0.6931471805599453) : maximum(x, y) + log1p(exp(-fabs(x - y)));
}

template <typename A> constexpr A kLargest = A(3.4028234663852886e38f);
template <> constexpr double kLargest<double> = 1.7976931348623157e308;

// exp(x) / (exp(x) + exp(y)), infinities being the largest numbers, but exp(-inf) 0.
template <typename A> __device__ __forceinline__ A exponential_share(A x, A y) {
    return sigmoid(minimum(x, kLargest<A>) - clamp(y, -kLargest<A>, kLargest<A>));
}

// Python's remainder, which has the sign of y.
template <typename A> __device__ __forceinline__ A remainder_of(A x, A y) {
    const A rest = fmod(x, y);
    return rest == A(0) ? copysign(A(0), y) : (rest < A(0)) != (y < A(0)) ? rest + y : rest;
}

template <typename A> __device__ __forceinline__ A floor_divide(A x, A y) {
    if (y == A(0)) return x / y;
    const A rest = fmod(x, y);
    const A quotient = (x - rest) / y - (rest != A(0) && (rest < A(0)) != (y < A(0)) ? A(1) : A(0));
    const A whole = floor(quotient);
    return quotient == A(0) ? copysign(A(0), x / y) : quotient - whole > A(0.5) ? whole + A(1) : whole;
}

template <typename A> __device__ __forceinline__ A power(A x, A y) {  // most exponents are 2 or 3
    return y == A(2) ? x * x : y == A(3) ? x * x * x : pow(x, y);
}

template <typename A> __device__ __forceinline__ A turn(A x, A y, A leg) {  // leg / (x^2 + y^2), and 0 at the origin
    const A distance = hypot(x, y);
    return distance == A(0) ? A(0) : leg / distance / distance;
}

template <typename A> __device__ __forceinline__ A gelu_argument(A x) {  // 2 sqrt(2 / pi) (x + 0.044715 x^3)
    return x * (A(1.5957691216057308) + A(0.07135481627260025) * (x * x));
}

template <typename A> __device__ __forceinline__ A elu(A x, A alpha, A scale, A sharpness) {
    return x > A(0) ? scale * x : scale * alpha * expm1(sharpness * x);
}

template <typename A> __device__ __forceinline__ A elu_slope(A x, A alpha, A scale, A sharpness) {
    return x > A(0) ? scale : scale * alpha * sharpness * exp(sharpness * x);
}

template <typename A> __device__ __forceinline__ A gelu_tanh_slope(A x, A half) {  // half = sigmoid(argument)
    return half * (A(1) + x * (A(1) - half) * A(1.5957691216057308) * (A(1) + A(0.134145) * x * x));
}

template <typename A> __device__ __forceinline__ A silu_slope(A x, A s) { return s * (A(1) + x * (A(1) - s)); }

template <typename A> __device__ __forceinline__ A mish_slope(A x, A t) { return t + x * sigmoid(x) * (A(1) - t * t); }

constexpr double kSeluAlpha = 1.6732632423543772, kSeluScale = 1.0507009873554805;
constexpr double kPi = 3.141592653589793, kLog2 = 0.6931471805599453, kLog10 = 2.302585092994046;
constexpr double kRootHalf = 0.7071067811865476, kRootPi = 1.7724538509055160, kRoot2Pi = 2.5066282746310002;

#define MAP(name, parameters, ...)                                                                    \
    template <typename A> struct name {                                                               \
        using Number = A;                                                                             \
        static __device__ __forceinline__ A apply parameters { return __VA_ARGS__; }                  \
    };
#define TEST(name, parameters, ...)                                                                   \
    template <typename A> struct name {                                                               \
        using Number = A;                                                                             \
        static __device__ __forceinline__ bool apply parameters { return __VA_ARGS__; }               \
    };

// ---- arithmetic

MAP(add_forward, (A x, A y), x + y)
MAP(subtract_forward, (A x, A y), x - y)
MAP(multiply_forward, (A x, A y), x * y)
MAP(multiply_backward_x, (A g, A y), g * y)
MAP(multiply_backward_y, (A g, A x), g * x)
MAP(divide_forward, (A x, A y), x / y)
MAP(divide_backward_x, (A g, A y), g / y)
MAP(divide_backward_y, (A g, A y, A out), -g * out / y)
MAP(floor_divide_forward, (A x, A y), floor_divide(x, y))
MAP(remainder_forward, (A x, A y), remainder_of(x, y))
MAP(remainder_backward_x, (A g), g)
MAP(remainder_backward_y, (A g, A x, A y), -g * floor_divide(x, y))
MAP(fmod_forward, (A x, A y), fmod(x, y))
MAP(fmod_backward_x, (A g), g)
MAP(fmod_backward_y, (A g, A x, A y), -g * trunc(x / y))
MAP(power_forward, (A x, A y), power(x, y))
MAP(power_backward_x, (A g, A x, A y), y == A(0) ? g * A(0) : g * (y * power(x, y - A(1))))
MAP(power_backward_y, (A g, A x, A out), g * (out * log(x == A(0) && fabs(out) < infinity<A>() ? A(1) : x)))
MAP(negative_forward, (A x), -x)
MAP(absolute_forward, (A x), fabs(x))
MAP(absolute_backward, (A g, A x), g * sign(x))
MAP(square_forward, (A x), x * x)
MAP(square_backward, (A g, A x), g * (x + x))
MAP(sqrt_forward, (A x), sqrt(x))
MAP(sqrt_backward, (A g, A out), g / (out + out))
MAP(rsqrt_forward, (A x), A(1) / sqrt(x))
MAP(rsqrt_backward, (A g, A out), A(-0.5) * g * (out * out * out))
MAP(reciprocal_forward, (A x), A(1) / x)
MAP(reciprocal_backward, (A g, A out), -g * (out * out))
MAP(cbrt_forward, (A x), cbrt(x))
MAP(cbrt_backward, (A g, A out), g / (A(3) * (out * out)))
MAP(hypot_forward, (A x, A y), hypot(x, y))
MAP(hypot_backward_x, (A g, A x, A out), g * x / (out == A(0) ? A(1) : out))
MAP(hypot_backward_y, (A g, A y, A out), g * y / (out == A(0) ? A(1) : out))
MAP(lerp_forward, (A x, A y, A weight), x + weight * (y - x))
MAP(lerp_backward_x, (A g, A weight), g * (A(1) - weight))
MAP(lerp_backward_y, (A g, A weight), g * weight)
MAP(lerp_backward_weight, (A g, A x, A y), g * (y - x))

// ---- exponentials, logarithms, angles

MAP(exp_forward, (A x), exp(x))
MAP(exp_backward, (A g, A out), g * out)
MAP(exp2_forward, (A x), exp2(x))
MAP(exp2_backward, (A g, A out), g * out * A(kLog2))
MAP(expm1_forward, (A x), expm1(x))
MAP(expm1_backward, (A g, A out), g * (out + A(1)))
MAP(log_forward, (A x), log(x))
MAP(log_backward, (A g, A x), g / x)
MAP(log2_forward, (A x), log2(x))
MAP(log2_backward, (A g, A x), g / (x * A(kLog2)))
MAP(log10_forward, (A x), log10(x))
MAP(log10_backward, (A g, A x), g / (x * A(kLog10)))
MAP(log1p_forward, (A x), log1p(x))
MAP(log1p_backward, (A g, A x), g / (x + A(1)))
MAP(logaddexp_forward, (A x, A y), logaddexp(x, y))
MAP(logaddexp_backward_x, (A g, A x, A y), g * exponential_share(x, y))
MAP(logaddexp_backward_y, (A g, A x, A y), g * exponential_share(y, x))
MAP(sin_forward, (A x), sin(x))
MAP(sin_backward, (A g, A x), g * cos(x))
MAP(cos_forward, (A x), cos(x))
MAP(cos_backward, (A g, A x), -g * sin(x))
MAP(tan_forward, (A x), tan(x))
MAP(tan_backward, (A g, A out), g * (A(1) + out * out))
MAP(arcsin_forward, (A x), asin(x))
MAP(arcsin_backward, (A g, A x), g / sqrt((A(1) - x) * (A(1) + x)))
MAP(arccos_forward, (A x), acos(x))
MAP(arccos_backward, (A g, A x), -g / sqrt((A(1) - x) * (A(1) + x)))
MAP(arctan_forward, (A x), atan(x))
MAP(arctan_backward, (A g, A x), g / (A(1) + x * x))
MAP(arctan2_forward, (A x, A y), atan2(x, y))
MAP(arctan2_backward_x, (A g, A x, A y), g * turn(x, y, y))
MAP(arctan2_backward_y, (A g, A x, A y), g * turn(x, y, -x))
MAP(sinh_forward, (A x), sinh(x))
MAP(sinh_backward, (A g, A x), g * cosh(x))
MAP(cosh_forward, (A x), cosh(x))
MAP(cosh_backward, (A g, A x), g * sinh(x))
MAP(tanh_forward, (A x), tanh(x))
MAP(tanh_backward, (A g, A out), g * (A(1) - out * out))
MAP(arcsinh_forward, (A x), asinh(x))
MAP(arcsinh_backward, (A g, A x), g / hypot(x, A(1)))
MAP(arccosh_forward, (A x), acosh(x))
MAP(arccosh_backward, (A g, A x), g / sqrt((x - A(1)) * (x + A(1))))
MAP(arctanh_forward, (A x), atanh(x))
MAP(arctanh_backward, (A g, A x), g / ((A(1) - x) * (A(1) + x)))
MAP(deg2rad_forward, (A x), x * A(kPi / 180))
MAP(deg2rad_backward, (A g), g * A(kPi / 180))
MAP(rad2deg_forward, (A x), x * A(180 / kPi))
MAP(rad2deg_backward, (A g), g * A(180 / kPi))
MAP(erf_forward, (A x), erf(x))
MAP(erf_backward, (A g, A x), g * exp(-x * x) * A(2 / kRootPi))
MAP(erfc_forward, (A x), erfc(x))
MAP(erfc_backward, (A g, A x), g * exp(-x * x) * A(-2 / kRootPi))
MAP(erfinv_forward, (A x), erfinv(x))
MAP(erfinv_backward, (A g, A out), g * exp(out * out) * A(kRootPi / 2))

// ---- activations

MAP(sigmoid_forward, (A x), sigmoid(x))
MAP(sigmoid_backward, (A g, A out), g * (out * (A(1) - out)))
MAP(relu_forward, (A x), maximum(x, A(0)))
MAP(relu_backward, (A g, A out), out <= A(0) ? A(0) : g)
MAP(relu6_forward, (A x), clamp(x, A(0), A(6)))
MAP(relu6_backward, (A g, A x), x > A(0) && x < A(6) ? g : A(0))
MAP(leaky_relu_forward, (A x, A negative_slope), x > A(0) ? x : x * negative_slope)
MAP(leaky_relu_backward, (A g, A x, A negative_slope), x > A(0) ? g : g * negative_slope)
MAP(elu_forward, (A x, A alpha), elu(x, alpha, A(1), A(1)))
MAP(elu_backward, (A g, A x, A alpha), g * elu_slope(x, alpha, A(1), A(1)))
MAP(celu_forward, (A x, A alpha), elu(x, alpha, A(1), A(1) / alpha))
MAP(celu_backward, (A g, A x, A alpha), g * elu_slope(x, alpha, A(1), A(1) / alpha))
MAP(selu_forward, (A x), elu(x, A(kSeluAlpha), A(kSeluScale), A(1)))
MAP(selu_backward, (A g, A x), g * elu_slope(x, A(kSeluAlpha), A(kSeluScale), A(1)))
MAP(gelu_forward, (A x), A(0.5) * x * (A(1) + erf(x * A(kRootHalf))))
MAP(gelu_backward, (A g, A x),
    g * (A(0.5) * (A(1) + erf(x * A(kRootHalf))) + x * exp(A(-0.5) * x * x) * A(1 / kRoot2Pi)))
// (1 + tanh(a)) / 2 is sigmoid(2 a), which keeps its digits where it is small.
MAP(gelu_tanh_forward, (A x), x * sigmoid(gelu_argument(x)))
MAP(gelu_tanh_backward, (A g, A x), g * gelu_tanh_slope(x, sigmoid(gelu_argument(x))))
MAP(silu_forward, (A x), x * sigmoid(x))
MAP(silu_backward, (A g, A x), g * silu_slope(x, sigmoid(x)))
MAP(mish_forward, (A x), x * tanh(softplus(x)))
MAP(mish_backward, (A g, A x), g * mish_slope(x, tanh(softplus(x))))
MAP(softplus_forward, (A x, A beta, A threshold), x * beta > threshold ? x : softplus(x * beta) / beta)
MAP(softplus_backward, (A g, A x, A beta, A threshold), x * beta > threshold ? g : g * sigmoid(x * beta))
MAP(logsigmoid_forward, (A x), -softplus(-x))
MAP(logsigmoid_backward, (A g, A x), g * sigmoid(-x))
MAP(softsign_forward, (A x), x / (A(1) + fabs(x)))
MAP(softsign_backward, (A g, A x), g / ((A(1) + fabs(x)) * (A(1) + fabs(x))))
MAP(hardtanh_forward, (A x, A min_val, A max_val), clamp(x, min_val, max_val))
MAP(hardtanh_backward, (A g, A x, A min_val, A max_val), x > min_val && x < max_val ? g : A(0))
MAP(hardsigmoid_forward, (A x), clamp(x + A(3), A(0), A(6)) / A(6))
MAP(hardsigmoid_backward, (A g, A x), x > A(-3) && x < A(3) ? g / A(6) : A(0))
MAP(hardswish_forward, (A x), x * (clamp(x + A(3), A(0), A(6)) / A(6)))
MAP(hardswish_backward, (A g, A x), x >= A(3) ? g : x > A(-3) ? g * (x / A(3) + A(0.5)) : A(0))
MAP(tanhshrink_forward, (A x), x - tanh(x))
MAP(tanhshrink_backward, (A g, A x), g * (tanh(x) * tanh(x)))
MAP(softshrink_forward, (A x, A lambd), x - clamp(x, -lambd, lambd))
MAP(softshrink_backward, (A g, A x, A lambd), fabs(x) > lambd ? g : A(0))
MAP(hardshrink_forward, (A x, A lambd), fabs(x) <= lambd ? A(0) : x)
MAP(hardshrink_backward, (A g, A x, A lambd), fabs(x) <= lambd ? A(0) : g)
MAP(threshold_forward, (A x, A threshold, A value), x <= threshold ? value : x)
MAP(threshold_backward, (A g, A x, A threshold), x <= threshold ? A(0) : g)

// ---- rounding, choices

MAP(floor_forward, (A x), floor(x))
MAP(ceil_forward, (A x), ceil(x))
MAP(trunc_forward, (A x), trunc(x))
MAP(rint_forward, (A x), rint(x))
MAP(sign_forward, (A x), sign(x))
MAP(maximum_forward, (A x, A y), maximum(x, y))
MAP(maximum_backward_x, (A g, A x, A y), x == y ? A(0.5) * g : x < y ? A(0) : g)
MAP(maximum_backward_y, (A g, A x, A y), x == y ? A(0.5) * g : y < x ? A(0) : g)
MAP(minimum_forward, (A x, A y), minimum(x, y))
MAP(minimum_backward_x, (A g, A x, A y), x == y ? A(0.5) * g : x > y ? A(0) : g)
MAP(minimum_backward_y, (A g, A x, A y), x == y ? A(0.5) * g : y > x ? A(0) : g)
MAP(fmax_forward, (A x, A y), fmax(x, y))
MAP(fmax_backward_x, (A g, A x, A y), x >= y || y != y ? g : A(0))
MAP(fmax_backward_y, (A g, A x, A y), x >= y || y != y ? A(0) : g)
MAP(fmin_forward, (A x, A y), fmin(x, y))
MAP(fmin_backward_x, (A g, A x, A y), x <= y || y != y ? g : A(0))
MAP(fmin_backward_y, (A g, A x, A y), x <= y || y != y ? A(0) : g)
MAP(copysign_forward, (A x, A y), copysign(x, y))
MAP(copysign_backward_x, (A g, A x, A out), g * (sign(x) * sign(out)))
MAP(copysign_backward_y, (A g), A(0))
MAP(heaviside_forward, (A x, A y), x == A(0) ? y : x < A(0) ? A(0) : x > A(0) ? A(1) : x)
MAP(clip_forward, (A x, A min, A max), clamp(x, min, max))
MAP(where_forward, (bool condition, A x, A y), condition ? x : y)
MAP(where_backward_x, (A g, bool condition), condition ? g : A(0))
MAP(where_backward_y, (A g, bool condition), condition ? A(0) : g)
MAP(keep_where_forward, (A x, bool mask), mask ? x : A(0))
MAP(keep_where_backward, (A g, bool mask), mask ? g : A(0))

// ---- comparisons and predicates

TEST(equal_forward, (A x, A y), x == y)
TEST(not_equal_forward, (A x, A y), x != y)
TEST(less_forward, (A x, A y), x < y)
TEST(less_equal_forward, (A x, A y), x <= y)
TEST(greater_forward, (A x, A y), x > y)
TEST(greater_equal_forward, (A x, A y), x >= y)
TEST(isnan_forward, (A x), x != x)
TEST(isinf_forward, (A x), fabs(x) == infinity<A>())
TEST(isfinite_forward, (A x), fabs(x) < infinity<A>())
TEST(signbit_forward, (A x), copysign(A(1), x) < A(0))
TEST(logical_and_forward, (A x, A y), x != A(0) && y != A(0))
TEST(logical_or_forward, (A x, A y), x != A(0) || y != A(0))
TEST(logical_xor_forward, (A x, A y), (x != A(0)) != (y != A(0)))
TEST(logical_not_forward, (A x), x == A(0))

// ---- the kernel

template <int... I> struct Indices {};
template <int N, int... I> struct CountTo { using type = typename CountTo<N - 1, N - 1, I...>::type; };
template <int... I> struct CountTo<0, I...> { using type = Indices<I...>; };

template <typename F> struct Parameters;
template <typename R, typename... P> struct Parameters<R(P...)> { static constexpr int count = sizeof...(P); };

template <typename... T> __host__ __device__ constexpr int widest() {
    int most = 1;
    for (int size : {int(sizeof(T))...}) most = size > most ? size : most;
    return most;
}

template <typename Out, typename X> struct Compute { using type = acc_t<Out>; };
template <typename X> struct Compute<bool, X> { using type = acc_t<X>; };
template <typename Out, typename X> using compute_t = typename Compute<Out, X>::type;

struct None {};  // the type of an input that a functor does not have
template <typename T> constexpr int given = 1;
template <> constexpr int given<None> = 0;

// Up to three numbers: the functor's attributes in the order of its parameters.
template <typename A> struct Numbers { A at[3]; };

// Says from where in each input element i of the result comes. rank 0: from element i. Otherwise shape and strides (in
// elements) of `rank` axes say it, the last one innermost. Bit k of `fixed`: input k has one element (rank 0), or stays
// where it is along the innermost axis. vectors: 16-byte accesses never cross the end of that axis. An input without an
// array is the number number[k], and fixed.
struct Layout {
    int rank, fixed, vectors;
    int64 shape[kAxes], strides[3][kAxes];
    double number[3];
};

template <typename T> __device__ __forceinline__ auto operand(T value) {
    if constexpr (sizeof(T) == 1) return value;  // bool
    else return load(value);
}

template <int N, typename T> __device__ __forceinline__ bool aligned(const T* address) {
    return reinterpret_cast<uint64>(address) % (N * sizeof(T)) == 0;
}

// Element `at` of `in`, or the number if there is no array.
template <typename T> __device__ __forceinline__ T element(const T* in, int64 at, double number) {
    if (in) return in[at];
    if constexpr (sizeof(T) == 1) return number != 0;  // bool
    else return store<T>(static_cast<acc_t<T>>(number));
}

// Loads N elements of `in` from element `at` on, or this one N times.
template <int N, typename T> __device__ __forceinline__ Vec<T, N> read(const T* in, int64 at, bool fixed, double number) {
    if (!fixed) return *reinterpret_cast<const Vec<T, N>*>(in + at);
    const T value = element(in, at, number);
    Vec<T, N> filled;
    for (int k = 0; k < N; ++k) filled.at[k] = value;
    return filled;
}

// Computes the K inputs' offsets of result element i. The host cuts large results up so that i is below 2^31 here:
// 32-bit numbers divide several times faster.
template <int K> __device__ __forceinline__ void locate(const Layout& layout, uint32 i, int64 (&at)[K]) {
    for (int k = 0; k < K; ++k) at[k] = 0;
    for (int axis = layout.rank - 1; axis >= 0; --axis) {
        const uint32 size = static_cast<uint32>(layout.shape[axis]), rest = axis ? i / size : 0;
        for (int k = 0; k < K; ++k) at[k] += static_cast<int64>(i - rest * size) * layout.strides[k][axis];
        i = rest;
    }
}

template <typename F, typename Inputs, typename Attributes, typename Out, typename... In> struct Mapping;

template <typename F, int... I, int... J, typename Out, typename... In>
struct Mapping<F, Indices<I...>, Indices<J...>, Out, In...> {
    using Given = Numbers<typename F::Number>;
    static constexpr int N = 16 / widest<Out, In...>();

    static __device__ __forceinline__ Out one(const Given& numbers, In... in) {
        const auto value = F::apply(operand(in)..., numbers.at[J]...);
        if constexpr (sizeof(Out) == 1) return value;
        else return store<Out>(value);
    }

    static __device__ __forceinline__ void vector(Out* out, const Given& numbers, const Vec<In, N>&... in) {
        Vec<Out, N> made;
#pragma unroll
        for (int k = 0; k < N; ++k) made.at[k] = one(numbers, in.at[k]...);
        *reinterpret_cast<Vec<Out, N>*>(out) = made;
    }

    static __device__ __forceinline__ void find(const Layout& layout, int64 i, int64 (&at)[sizeof...(In)]) {
        if (layout.rank == 0) ((at[I] = layout.fixed >> I & 1 ? 0 : i), ...);
        else locate(layout, static_cast<uint32>(i), at);
    }

    // The elements of this block: vectors first, then what these leave, one by one.
    static __device__ __forceinline__ void block(Out* out, int64 n, const Layout& layout, const Given& numbers,
                                                 const In*... in) {
        const int64 first = static_cast<int64>(blockIdx.x) * (kThreads * kEach);
        const int64 last = n - first < kThreads * kEach ? n : first + kThreads * kEach;
        const bool vectors = layout.vectors && aligned<N>(out) && ((layout.fixed >> I & 1 || aligned<N>(in)) && ...);
        const int64 middle = vectors ? last - (last - first) % N : first;
        int64 at[sizeof...(In)];
#pragma unroll 1
        for (int64 i = first + threadIdx.x * N; i < middle; i += kThreads * N) {
            find(layout, i, at);
            vector(out + i, numbers, read<N>(in, at[I], layout.fixed >> I & 1, layout.number[I])...);
        }
#pragma unroll 1
        for (int64 i = middle + threadIdx.x; i < last; i += kThreads) {
            find(layout, i, at);
            out[i] = one(numbers, element(in, at[I], layout.number[I])...);
        }
    }
};

// F: a functor; Out: the result's type; X, Y, Z: the inputs' types. n: elements of the result, which is contiguous.
template <template <typename> class F, typename Out, typename X, typename Y = None, typename Z = None>
__global__ void __launch_bounds__(kThreads)
    map(Out* __restrict__ out, int64 n, Layout layout, Numbers<compute_t<Out, X>> numbers, const X* __restrict__ x,
        const Y* __restrict__ y, const Z* __restrict__ z) {
    using Function = F<compute_t<Out, X>>;
    constexpr int inputs = 1 + given<Y> + given<Z>;
    using Attributes = typename CountTo<Parameters<decltype(Function::apply)>::count - inputs>::type;
    if constexpr (inputs == 1) Mapping<Function, Indices<0>, Attributes, Out, X>::block(out, n, layout, numbers, x);
    if constexpr (inputs == 2)
        Mapping<Function, Indices<0, 1>, Attributes, Out, X, Y>::block(out, n, layout, numbers, x, y);
    if constexpr (inputs == 3)
        Mapping<Function, Indices<0, 1, 2>, Attributes, Out, X, Y, Z>::block(out, n, layout, numbers, x, y, z);
}

// ---- bias, then an activation

// Functors of activation(x + bias). B: the activation's backward, which is given x + bias, or the output if FromOut.
template <template <typename> class F> struct Biased {
    template <typename A> struct forward {
        using Number = A;
        static __device__ __forceinline__ A apply(A x, A bias) { return F<A>::apply(x + bias); }
    };
};

template <template <typename> class F, template <typename> class B, bool FromOut> struct BiasedBackward {
    template <typename A> struct backward {
        using Number = A;
        static __device__ __forceinline__ A apply(A g, A x, A bias) {
            if constexpr (FromOut) return B<A>::apply(g, F<A>::apply(x + bias));
            else return B<A>::apply(g, x + bias);
        }
    };
};

// x is (rows, channels): writes gx, and to `sums` (gridDim.y, channels) the sum of gx over each block's share of rows.
template <template <typename> class B, typename T>
__global__ void __launch_bounds__(kThreads)
    bias_backward(T* __restrict__ gx, acc_t<T>* __restrict__ sums, const T* __restrict__ g, const T* __restrict__ x,
                  const T* __restrict__ bias, int64 rows, int64 channels) {
    using A = acc_t<T>;
    constexpr int N = 16 / sizeof(T), kRows = kThreads / kWarp;
    __shared__ Vec<A, N> shared[kRows][kWarp];
    const int64 column = (static_cast<int64>(blockIdx.x) * kWarp + threadIdx.x) * N;
    const int64 each = (rows + gridDim.y - 1) / gridDim.y, first = each * blockIdx.y;
    const int64 last = first + each < rows ? first + each : rows;
    const bool whole = channels % N == 0 && aligned<N>(gx) && aligned<N>(g) && aligned<N>(x) && aligned<N>(bias);
    const int count = column >= channels ? 0 : channels - column < N ? static_cast<int>(channels - column) : N;
    Vec<A, N> sum = {}, add = {};
#pragma unroll
    for (int k = 0; k < N; ++k)
        if (k < count) add.at[k] = load(bias[column + k]);
    for (int64 row = first + threadIdx.y; row < last && count; row += kRows) {
        const int64 at = row * channels + column;
        Vec<T, N> upstream, input;
        if (whole) {
            upstream = *reinterpret_cast<const Vec<T, N>*>(g + at);
            input = *reinterpret_cast<const Vec<T, N>*>(x + at);
        }
#pragma unroll
        for (int k = 0; k < N; ++k) {
            if (k >= count) continue;
            if (!whole) upstream.at[k] = g[at + k], input.at[k] = x[at + k];
            const A made = B<A>::apply(load(upstream.at[k]), load(input.at[k]), add.at[k]);
            sum.at[k] += made;
            upstream.at[k] = store<T>(made);
            if (!whole) gx[at + k] = upstream.at[k];
        }
        if (whole) *reinterpret_cast<Vec<T, N>*>(gx + at) = upstream;
    }
    shared[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y) return;
    for (int row = 1; row < kRows; ++row)
#pragma unroll
        for (int k = 0; k < N; ++k) sum.at[k] += shared[row][threadIdx.x].at[k];
#pragma unroll
    for (int k = 0; k < N; ++k)
        if (k < count) sums[blockIdx.y * channels + column + k] = sum.at[k];
}
