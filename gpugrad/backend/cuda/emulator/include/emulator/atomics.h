// Atomic functions, for every type of 2, 4 or 8 bytes: blocks may run on several OS threads at once.

#pragma once

#include "language.h"

namespace emulator {

template <int bytes> struct Word;
template <> struct Word<2> { using type = uint16_t; };
template <> struct Word<4> { using type = uint32_t; };
template <> struct Word<8> { using type = uint64_t; };

// Replaces *address by update(*address) and returns what was there.
template <typename T, typename Update> EMULATOR_UNCHECKED __noinline__ T replace(T* address, Update update) {
    using W = typename Word<sizeof(T)>::type;
    before_atomic(address, sizeof(T));
    W* word = reinterpret_cast<W*>(address);
    W old = __atomic_load_n(word, __ATOMIC_RELAXED);
    for (;;) {
        const W changed = bits_of<W>(static_cast<T>(update(bits_of<T>(old))));
        if (__atomic_compare_exchange_n(word, &old, changed, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            return bits_of<T>(old);
    }
}

template <typename T> using exactly = std::common_type_t<T>;  // keeps an argument out of template deduction

}  // namespace emulator

#define EMULATOR_ATOMIC(name, expression)                                                                \
    template <typename T> inline T name(T* address, emulator::exactly<T> value) {                        \
        return emulator::replace(address, [=](T old) EMULATOR_UNCHECKED -> T { return expression; });    \
    }
EMULATOR_ATOMIC(atomicAdd, old + value)
EMULATOR_ATOMIC(atomicSub, old - value)
EMULATOR_ATOMIC(atomicMax, old < value ? value : old)
EMULATOR_ATOMIC(atomicMin, value < old ? value : old)
EMULATOR_ATOMIC(atomicExch, value)
EMULATOR_ATOMIC(atomicAnd, old & value)
EMULATOR_ATOMIC(atomicOr, old | value)
EMULATOR_ATOMIC(atomicXor, old ^ value)
EMULATOR_ATOMIC(atomicInc, old >= value ? T(0) : T(old + 1))
EMULATOR_ATOMIC(atomicDec, old == 0 || old > value ? value : T(old - 1))
#undef EMULATOR_ATOMIC

template <typename T> inline T atomicCAS(T* address, emulator::exactly<T> expected, emulator::exactly<T> value) {
    return emulator::replace(address, [=](T old) EMULATOR_UNCHECKED -> T { return old == expected ? value : old; });
}
