// How the launcher calls a kernel: one exported entry per instance, made from the kernel's type.

#pragma once

#include "language.h"
#include "small_floats.h"

namespace emulator {

template <typename T> constexpr char kind_of() {
    if constexpr (std::is_pointer_v<T>) return 'p';
    else if constexpr (std::is_floating_point_v<T> || std::is_same_v<T, __half>) return 'f';
    else if constexpr (std::is_same_v<T, __nv_bfloat16>) return 'b';
    else if constexpr (std::is_enum_v<T>) return kind_of<std::underlying_type_t<T>>();
    else if constexpr (std::is_integral_v<T>) return std::is_signed_v<T> ? 'i' : 'u';
    else return 's';
}

template <typename T> constexpr Parameter describe() {
    static_assert(!std::is_reference_v<T>, "a kernel cannot have a parameter that is a reference");
    if constexpr (std::is_pointer_v<T>) {
        using Element = std::remove_pointer_t<T>;
        if constexpr (std::is_void_v<Element>) return {8, 'p', 0, 0, std::is_const_v<Element>};
        else return {8, 'p', kind_of<std::remove_cv_t<Element>>(), int(sizeof(Element)), std::is_const_v<Element>};
    } else {
        return {int(sizeof(T)), kind_of<T>(), 0, 0, 1};
    }
}

template <auto kernel> struct Thunk;
template <typename... P, void (*kernel)(P...)> struct Thunk<kernel> {
    static constexpr Parameter parameters[sizeof...(P) + 1] = {describe<P>()..., Parameter{}};

    template <size_t... i> EMULATOR_UNCHECKED static void pass(void** arguments, std::index_sequence<i...>) {
        kernel(*static_cast<std::remove_cv_t<P>*>(arguments[i])...);
    }
    EMULATOR_UNCHECKED static void call(void** arguments) { pass(arguments, std::index_sequence_for<P...>{}); }
    static constexpr Entry entry() { return {&call, int(sizeof...(P)), parameters}; }
};

}  // namespace emulator

#define EMULATOR_ENTRY(number, ...)                                                                      \
    extern "C" __attribute__((visibility("default"))) const ::emulator::Entry emulator_entry_##number;   \
    const ::emulator::Entry emulator_entry_##number = ::emulator::Thunk<&__VA_ARGS__>::entry();
