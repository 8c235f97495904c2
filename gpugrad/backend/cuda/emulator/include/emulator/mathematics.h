// The functions of CUDA's math library that the host's lacks, and the fast ones, which are as exact here as the others.

#pragma once

#include "language.h"

// ---- min and max of mixed types; a NaN loses, as in CUDA

template <typename A, typename B, typename C = std::common_type_t<A, B>> inline C min(A a, B b) {
    if constexpr (std::is_floating_point_v<C>) return std::fmin(C(a), C(b));
    else return C(b) < C(a) ? C(b) : C(a);
}
template <typename A, typename B, typename C = std::common_type_t<A, B>> inline C max(A a, B b) {
    if constexpr (std::is_floating_point_v<C>) return std::fmax(C(a), C(b));
    else return C(a) < C(b) ? C(b) : C(a);
}

// ---- fast intrinsics. glibc declares some of these names for itself, so they have to be macros.

#define __expf expf
#define __exp10f exp10f
#define __logf logf
#define __log2f log2f
#define __log10f log10f
#define __powf powf
#define __sinf sinf
#define __cosf cosf
#define __tanf tanf
#define __sincosf sincosf
#define __tanhf tanhf
inline float __fdividef(float a, float b) { return a / b; }
inline float fdividef(float a, float b) { return a / b; }
inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1.0f) : 0.0f; }

// ---- float and double functions that glibc lacks

namespace emulator {

constexpr double kPi = 3.14159265358979323846, kSqrtHalf = 0.70710678118654752440;

// The inverse of erf: a starting value (Giles 2012), then Newton's method.
inline double inverse_erf(double y) {
    if (!(y > -1 && y < 1)) return y == 1 ? HUGE_VAL : y == -1 ? -HUGE_VAL : NAN;
    const double w = log((1 - y) * (1 + y)), a = 2 / (kPi * 0.147) + w / 2;
    double x = copysign(sqrt(sqrt(a * a - w / 0.147) - a), y);
    for (int i = 0; i < 4; ++i) {
        const double miss = y < 0 ? -(erfc(-x) - (1 + y)) : erfc(x) - (1 - y);  // erfc keeps the tails exact
        x += miss / (2 / sqrt(kPi) * exp(-x * x));
    }
    return x;
}
// The inverse of erfc, whose small arguments 1 - y would lose.
inline double inverse_erfc(double y) {
    if (!(y > 0 && y < 2)) return y == 0 ? HUGE_VAL : y == 2 ? -HUGE_VAL : NAN;
    if (y > 0.01) return inverse_erf(1 - y);
    double x = sqrt(-log(y * sqrt(kPi * -log(y))));
    for (int i = 0; i < 30; ++i) x += (erfc(x) - y) / (2 / sqrt(kPi) * exp(-x * x));
    return x;
}
// exp(x^2) erfc(x), by its continued fraction where exp would overflow.
inline double scaled_erfc(double x) {
    if (x < 20) return exp(x * x) * erfc(x);
    double fraction = 0;
    for (int k = 40; k > 0; --k) fraction = k / 2.0 / (x + fraction);
    return 1 / (sqrt(kPi) * (x + fraction));
}
inline double sin_pi(double x) { return sin(kPi * (x - 2 * rint(x / 2))); }
inline double cos_pi(double x) {
    const double turn = fabs(x - 2 * rint(x / 2));
    return turn == 0.5 ? 0.0 : cos(kPi * turn);
}

}  // namespace emulator

// name(double) and namef(float), the latter computed in double and rounded.
#define EMULATOR_MATH(name, expression)                                                                  \
    inline double name(double x) { return expression; }                                                  \
    inline float name##f(float single) {                                                                 \
        const double x = single;                                                                         \
        return float(expression);                                                                        \
    }                                                                                                    \
    inline float name(float x) { return name##f(x); }
EMULATOR_MATH(rsqrt, 1 / sqrt(x))
EMULATOR_MATH(rcbrt, 1 / cbrt(x))
EMULATOR_MATH(sinpi, emulator::sin_pi(x))
EMULATOR_MATH(cospi, emulator::cos_pi(x))
EMULATOR_MATH(erfinv, emulator::inverse_erf(x))
EMULATOR_MATH(erfcinv, emulator::inverse_erfc(x))
EMULATOR_MATH(erfcx, emulator::scaled_erfc(x))
EMULATOR_MATH(normcdf, 0.5 * erfc(-x * emulator::kSqrtHalf))
EMULATOR_MATH(normcdfinv, -2 * emulator::kSqrtHalf * emulator::inverse_erfc(2 * x))
#undef EMULATOR_MATH
inline void sincospi(double x, double* sine, double* cosine) {
    *sine = sinpi(x);
    *cosine = cospi(x);
}
inline void sincospif(float x, float* sine, float* cosine) {
    *sine = sinpif(x);
    *cosine = cospif(x);
}
inline double rhypot(double x, double y) { return 1 / hypot(x, y); }
inline float rhypotf(float x, float y) { return float(rhypot(x, y)); }

// ---- operations that name their rounding: the host rounds to nearest

#define EMULATOR_ROUNDED(prefix, T, fma_name)                                                            \
    inline T __##prefix##add_rn(T a, T b) { return a + b; }                                              \
    inline T __##prefix##sub_rn(T a, T b) { return a - b; }                                              \
    inline T __##prefix##mul_rn(T a, T b) { return a * b; }                                              \
    inline T __##prefix##div_rn(T a, T b) { return a / b; }                                              \
    inline T __##prefix##rcp_rn(T a) { return 1 / a; }                                                   \
    inline T __##prefix##sqrt_rn(T a) { return sqrt(a); }                                                \
    inline T fma_name(T a, T b, T c) { return fma(a, b, c); }
EMULATOR_ROUNDED(f, float, __fmaf_rn)
EMULATOR_ROUNDED(d, double, __fma_rn)
#undef EMULATOR_ROUNDED
inline float __frsqrt_rn(float x) { return rsqrtf(x); }

namespace emulator {

// As the hardware converts: what does not fit becomes the nearest that does, NaN becomes 0.
template <typename Integer> inline Integer saturate(double x) {
    using Limits = std::numeric_limits<Integer>;
    if (x != x) return 0;
    if (x >= double(Limits::max())) return Limits::max();
    return x <= double(Limits::min()) ? Limits::min() : static_cast<Integer>(x);
}

}  // namespace emulator

#define EMULATOR_TO_INTEGER(from, T, to, Integer)                                                        \
    inline Integer __##from##2##to##_rn(T x) { return emulator::saturate<Integer>(rint(x)); }                   \
    inline Integer __##from##2##to##_rz(T x) { return emulator::saturate<Integer>(trunc(x)); }                  \
    inline Integer __##from##2##to##_rd(T x) { return emulator::saturate<Integer>(floor(x)); }                  \
    inline Integer __##from##2##to##_ru(T x) { return emulator::saturate<Integer>(ceil(x)); }
EMULATOR_TO_INTEGER(float, float, int, int)
EMULATOR_TO_INTEGER(float, float, uint, unsigned)
EMULATOR_TO_INTEGER(float, float, ll, long long)
EMULATOR_TO_INTEGER(float, float, ull, unsigned long long)
EMULATOR_TO_INTEGER(double, double, int, int)
EMULATOR_TO_INTEGER(double, double, uint, unsigned)
EMULATOR_TO_INTEGER(double, double, ll, long long)
EMULATOR_TO_INTEGER(double, double, ull, unsigned long long)
#undef EMULATOR_TO_INTEGER
inline float __int2float_rn(int x) { return float(x); }
inline float __uint2float_rn(unsigned x) { return float(x); }
inline float __ll2float_rn(long long x) { return float(x); }
inline float __ull2float_rn(unsigned long long x) { return float(x); }
inline double __int2double_rn(int x) { return double(x); }
inline double __uint2double_rn(unsigned x) { return double(x); }
inline double __ll2double_rn(long long x) { return double(x); }
inline double __ull2double_rn(unsigned long long x) { return double(x); }
inline float __double2float_rn(double x) { return float(x); }
