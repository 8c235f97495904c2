// A loaded kernel: its entry, and where its library lies in memory.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "../include/emulator/runtime.h"

namespace emulator {

struct Range {
    char *begin, *end;
    bool contains(const void* address) const { return address >= begin && address < end; }
};

struct Kernel {
    const Entry* entry;
    char* base;                   // the library's load address
    std::vector<Range> segments;  // its code and data
    size_t tls_module, shared_bytes;

    bool contains(const void* address) const;
    char* static_shared() const;  // this OS thread's block of the library's __shared__ variables
};

Kernel find_kernel(const Entry* entry);

}  // namespace emulator
