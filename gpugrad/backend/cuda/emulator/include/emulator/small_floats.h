// __half and __nv_bfloat16, their pairs, and their functions.
//
// +, -, * and / are computed in float and rounded once more, which gives the correctly rounded result (float has more
// than twice the digits). The functions are friends: found by their argument, and taking what converts to it.

#pragma once

#include "language.h"
#include "mathematics.h"

namespace emulator {

// ---- the two formats: bits from float (to nearest even) and back

inline float odd_float(double value) {  // rounds to odd, so that rounding again cannot go wrong
    const float near = static_cast<float>(value);
    if (near == value || near != near) return near;
    uint32_t bits = bits_of<uint32_t>(near);
    if (__builtin_fabs(static_cast<double>(near)) > __builtin_fabs(value)) --bits;
    return bits_of<float>(bits | 1);
}

struct HalfFormat {
    using Floats = float __attribute__((vector_size(16)));
    using Halves = short __attribute__((vector_size(16)));
    static constexpr uint16_t kNan = 0x7fff, kInfinity = 0x7c00;

    static uint16_t encode(float value) {
        if (value != value) return kNan;
#if defined(__F16C__)
        return static_cast<uint16_t>(__builtin_ia32_vcvtps2ph(Floats{value}, 0)[0]);  // 0: to nearest even
#else
        const uint32_t sign = bits_of<uint32_t>(value) >> 16 & 0x8000u;
        float size = __builtin_fabsf(value);
        if (size >= 65520.0f) return static_cast<uint16_t>(sign | kInfinity);
        if (size < 0x1p-14f) return static_cast<uint16_t>(sign | uint32_t(__builtin_rintf(size * 0x1p24f)));
        const uint32_t bits = bits_of<uint32_t>(size) - (112u << 23);
        return static_cast<uint16_t>(sign | (bits + 0xfff + (bits >> 13 & 1)) >> 13);
#endif
    }
    static float decode(uint16_t bits) {
#if defined(__F16C__)
        return __builtin_ia32_vcvtph2ps(Halves{static_cast<short>(bits)})[0];
#else
        const uint32_t sign = uint32_t(bits & 0x8000) << 16, rest = bits & 0x7fff;
        if (rest >= kInfinity) return bits_of<float>(sign | rest << 13 | 0x7f800000u);
        const float size = rest < 0x400 ? rest * 0x1p-24f : bits_of<float>((rest << 13) + (112u << 23));
        return bits_of<float>(sign | bits_of<uint32_t>(size));
#endif
    }
};

struct Bfloat16Format {
    static constexpr uint16_t kNan = 0x7fff, kInfinity = 0x7f80;

    static uint16_t encode(float value) {
        if (value != value) return kNan;
        const uint32_t bits = bits_of<uint32_t>(value);
        return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    }
    static float decode(uint16_t bits) { return bits_of<float>(uint32_t(bits) << 16); }
};

// ---- scalars

#define EMULATOR_FUNCTION(name, expression) friend Small name(Small a) { return Small(float(expression)); }
#define EMULATOR_OPERATION(name, op)                                                                     \
    friend Small operator op(Small a, Small b) { return Small(a.wide() op b.wide()); }                   \
    friend Small& operator op##=(Small& a, Small b) { return a = a op b; }                               \
    friend Small name(Small a, Small b) { return a op b; }                                               \
    friend Small name##_rn(Small a, Small b) { return a op b; }
#define EMULATOR_COMPARISON(name, op)                                                                    \
    friend bool operator op(Small a, Small b) { return a.wide() op b.wide(); }                           \
    friend bool name(Small a, Small b) { return a op b; }

template <typename Format> struct alignas(2) Small {
    uint16_t bits;

    Small() = default;
    Small(float value) : bits(Format::encode(value)) {}
    Small(double value) : bits(Format::encode(odd_float(value))) {}
    template <typename Integer, typename = std::enable_if_t<std::is_integral_v<Integer>>>
    Small(Integer value) : Small(double(value)) {}
    template <typename Other> explicit Small(Small<Other> value) : Small(value.wide()) {}
    operator float() const { return wide(); }

    float wide() const { return Format::decode(bits); }
    static Small from_bits(uint16_t bits) {
        Small value;
        value.bits = bits;
        return value;
    }

    EMULATOR_OPERATION(__hadd, +)
    EMULATOR_OPERATION(__hsub, -)
    EMULATOR_OPERATION(__hmul, *)
    EMULATOR_OPERATION(__hdiv, /)
    EMULATOR_COMPARISON(__heq, ==)
    EMULATOR_COMPARISON(__hne, !=)
    EMULATOR_COMPARISON(__hlt, <)
    EMULATOR_COMPARISON(__hle, <=)
    EMULATOR_COMPARISON(__hgt, >)
    EMULATOR_COMPARISON(__hge, >=)

    friend Small operator-(Small a) { return from_bits(a.bits ^ 0x8000); }
    friend Small operator+(Small a) { return a; }
    friend Small& operator++(Small& a) { return a = Small(a.wide() + 1); }
    friend Small& operator--(Small& a) { return a = Small(a.wide() - 1); }

    friend Small __hneg(Small a) { return -a; }
    friend Small __habs(Small a) { return from_bits(a.bits & 0x7fff); }
    friend Small __hfma(Small a, Small b, Small c) { return Small(double(a.wide()) * b.wide() + c.wide()); }
    friend Small __hfma_relu(Small a, Small b, Small c) { return __hmax(__hfma(a, b, c), Small(0.0f)); }
    friend Small __hadd_sat(Small a, Small b) { return Small(__saturatef(a.wide() + b.wide())); }
    friend Small __hmul_sat(Small a, Small b) { return Small(__saturatef(a.wide() * b.wide())); }
    friend Small __hmax(Small a, Small b) { return Small(fmaxf(a.wide(), b.wide())); }
    friend Small __hmin(Small a, Small b) { return Small(fminf(a.wide(), b.wide())); }
    friend Small __hmax_nan(Small a, Small b) { return __hisnan(a) ? a : __hisnan(b) ? b : __hmax(a, b); }
    friend Small __hmin_nan(Small a, Small b) { return __hisnan(a) ? a : __hisnan(b) ? b : __hmin(a, b); }
    friend bool __hisnan(Small a) { return a.wide() != a.wide(); }
    friend int __hisinf(Small a) {
        return (a.bits & 0x7fff) == Format::kInfinity ? (a.bits & 0x8000 ? -1 : 1) : 0;
    }

    EMULATOR_FUNCTION(hexp, exp(double(a.wide())))
    EMULATOR_FUNCTION(hexp2, exp2(double(a.wide())))
    EMULATOR_FUNCTION(hexp10, exp10(double(a.wide())))
    EMULATOR_FUNCTION(hlog, log(double(a.wide())))
    EMULATOR_FUNCTION(hlog2, log2(double(a.wide())))
    EMULATOR_FUNCTION(hlog10, log10(double(a.wide())))
    EMULATOR_FUNCTION(hsin, sin(double(a.wide())))
    EMULATOR_FUNCTION(hcos, cos(double(a.wide())))
    EMULATOR_FUNCTION(htanh, tanh(double(a.wide())))
    EMULATOR_FUNCTION(hsqrt, sqrtf(a.wide()))
    EMULATOR_FUNCTION(hrsqrt, 1 / sqrt(double(a.wide())))
    EMULATOR_FUNCTION(hrcp, 1 / a.wide())
    EMULATOR_FUNCTION(hfloor, floorf(a.wide()))
    EMULATOR_FUNCTION(hceil, ceilf(a.wide()))
    EMULATOR_FUNCTION(hrint, rintf(a.wide()))
    EMULATOR_FUNCTION(htrunc, truncf(a.wide()))
};
#undef EMULATOR_FUNCTION
#undef EMULATOR_OPERATION
#undef EMULATOR_COMPARISON

// ---- pairs, element by element

#define EMULATOR_BOTH(name, scalar)                                                                      \
    friend Pair name(Pair a) { return Pair(scalar(a.x), scalar(a.y)); }
#define EMULATOR_BOTH2(name, scalar)                                                                     \
    friend Pair name(Pair a, Pair b) { return Pair(scalar(a.x, b.x), scalar(a.y, b.y)); }
#define EMULATOR_OPERATION(name, op)                                                                     \
    friend Pair operator op(Pair a, Pair b) { return Pair(a.x op b.x, a.y op b.y); }                     \
    friend Pair& operator op##=(Pair& a, Pair b) { return a = a op b; }                                  \
    friend Pair name(Pair a, Pair b) { return a op b; }
#define EMULATOR_COMPARISON(name, op)                                                                    \
    friend Pair __h##name##2(Pair a, Pair b) { return Pair(S(float(a.x op b.x)), S(float(a.y op b.y))); } \
    friend bool __hb##name##2(Pair a, Pair b) { return a.x op b.x && a.y op b.y; }

template <typename S> struct alignas(4) Pair {
    S x, y;

    Pair() = default;
    Pair(S x, S y) : x(x), y(y) {}

    EMULATOR_OPERATION(__hadd2, +)
    EMULATOR_OPERATION(__hsub2, -)
    EMULATOR_OPERATION(__hmul2, *)
    EMULATOR_OPERATION(__h2div, /)
    EMULATOR_COMPARISON(eq, ==)
    EMULATOR_COMPARISON(ne, !=)
    EMULATOR_COMPARISON(lt, <)
    EMULATOR_COMPARISON(le, <=)
    EMULATOR_COMPARISON(gt, >)
    EMULATOR_COMPARISON(ge, >=)
    friend bool operator==(Pair a, Pair b) { return a.x == b.x && a.y == b.y; }
    friend bool operator!=(Pair a, Pair b) { return !(a == b); }
    friend Pair operator-(Pair a) { return Pair(-a.x, -a.y); }

    EMULATOR_BOTH(__hneg2, __hneg)
    EMULATOR_BOTH(__habs2, __habs)
    EMULATOR_BOTH(h2exp, hexp)
    EMULATOR_BOTH(h2exp2, hexp2)
    EMULATOR_BOTH(h2log, hlog)
    EMULATOR_BOTH(h2log2, hlog2)
    EMULATOR_BOTH(h2sin, hsin)
    EMULATOR_BOTH(h2cos, hcos)
    EMULATOR_BOTH(h2tanh, htanh)
    EMULATOR_BOTH(h2sqrt, hsqrt)
    EMULATOR_BOTH(h2rsqrt, hrsqrt)
    EMULATOR_BOTH(h2rcp, hrcp)
    EMULATOR_BOTH2(__hmax2, __hmax)
    EMULATOR_BOTH2(__hmin2, __hmin)
    EMULATOR_BOTH2(__hmax2_nan, __hmax_nan)
    EMULATOR_BOTH2(__hmin2_nan, __hmin_nan)
    friend Pair __hfma2(Pair a, Pair b, Pair c) { return Pair(__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)); }
    friend Pair __hisnan2(Pair a) { return Pair(S(float(__hisnan(a.x))), S(float(__hisnan(a.y)))); }

    friend float __low2float(Pair a) { return a.x.wide(); }
    friend float __high2float(Pair a) { return a.y.wide(); }
};
#undef EMULATOR_BOTH
#undef EMULATOR_BOTH2
#undef EMULATOR_OPERATION
#undef EMULATOR_COMPARISON

}  // namespace emulator

using __half = emulator::Small<emulator::HalfFormat>;
using __nv_bfloat16 = emulator::Small<emulator::Bfloat16Format>;
using __half2 = emulator::Pair<__half>;
using __nv_bfloat162 = emulator::Pair<__nv_bfloat16>;
using half = __half;
using half2 = __half2;
using nv_bfloat16 = __nv_bfloat16;
using nv_bfloat162 = __nv_bfloat162;

// ---- conversions. S is CUDA's name of the scalar, P of the pair; lower-case words are parts of function names.

#define EMULATOR_CONVERSIONS(S, P, scalar, pair)                                                         \
    inline float __##scalar##2float(S a) { return a.wide(); }                                            \
    inline S __float2##scalar(float a) { return S(a); }                                                  \
    inline S __float2##scalar##_rn(float a) { return S(a); }                                             \
    inline S __double2##scalar(double a) { return S(a); }                                                \
    inline S __int2##scalar##_rn(int a) { return S(a); }                                                 \
    inline S __uint2##scalar##_rn(unsigned a) { return S(a); }                                           \
    inline S __ll2##scalar##_rn(long long a) { return S(a); }                                            \
    inline int __##scalar##2int_rn(S a) { return __float2int_rn(a.wide()); }                             \
    inline int __##scalar##2int_rz(S a) { return __float2int_rz(a.wide()); }                             \
    inline unsigned short __##scalar##_as_ushort(S a) { return a.bits; }                                 \
    inline short __##scalar##_as_short(S a) { return static_cast<short>(a.bits); }                       \
    inline S __ushort_as_##scalar(unsigned short bits) { return S::from_bits(bits); }                    \
    inline S __short_as_##scalar(short bits) { return S::from_bits(static_cast<uint16_t>(bits)); }       \
    inline P __float2##pair##_rn(float a) { return P(S(a), S(a)); }                                      \
    inline P __floats2##pair##_rn(float a, float b) { return P(S(a), S(b)); }                            \
    inline P __float22##pair##_rn(float2 a) { return P(S(a.x), S(a.y)); }                                \
    inline float2 __##pair##2float2(P a) { return {a.x.wide(), a.y.wide()}; }                            \
    inline P __##scalar##2##pair(S a) { return P(a, a); }                                                \
    inline P __halves2##pair(S a, S b) { return P(a, b); }                                               \
    inline S __low2##scalar(P a) { return a.x; }                                                         \
    inline S __high2##scalar(P a) { return a.y; }                                                        \
    inline P __low2##pair(P a) { return P(a.x, a.x); }                                                   \
    inline P __high2##pair(P a) { return P(a.y, a.y); }                                                  \
    inline P __lows2##pair(P a, P b) { return P(a.x, b.x); }                                             \
    inline P __highs2##pair(P a, P b) { return P(a.y, b.y); }
EMULATOR_CONVERSIONS(__half, __half2, half, half2)
EMULATOR_CONVERSIONS(__nv_bfloat16, __nv_bfloat162, bfloat16, bfloat162)
#undef EMULATOR_CONVERSIONS
inline __half2 make_half2(__half x, __half y) { return __half2(x, y); }
inline __nv_bfloat162 make_bfloat162(__nv_bfloat16 x, __nv_bfloat16 y) { return __nv_bfloat162(x, y); }
