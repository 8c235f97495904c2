// A loaded kernel: its entry, and where its library lies in memory.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "../include/emulator/runtime.h"

namespace emulator {

struct Range {
    char *begin, *end;
    bool contains(const void* address) const { return address >= begin && address < end; }
};

struct Variable {  // a __shared__ one
    size_t offset, bytes;
    std::string name;  // empty: a guard, which g++ adds for some types
};

struct Kernel {
    const Entry* entry;
    char* base;                   // the library's load address
    std::vector<Range> segments;  // its code and data
    std::vector<Range> data;      // those that can be written: its __device__ variables are there
    size_t tls_module, shared_bytes;
    std::vector<Variable> variables;

    bool contains(const void* address) const;
    char* static_shared() const;  // this OS thread's block of the library's __shared__ variables
};

Kernel find_kernel(const Entry* entry);

}  // namespace emulator
