// What kernels and the runtime know of each other.

#pragma once

#include <stdint.h>

#include "vectors.h"

#pragma GCC visibility push(default)  // the kernels' libraries find these in the runtime's

namespace emulator {

// A place in the kernel's source; as a default argument, that of the call.
struct Site {
    const char* file;
    int line;
    static constexpr Site here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
        return {file, line};
    }
};

struct Block {
    uint3 index;
    dim3 size, grid;
    char* dynamic_shared;  // exactly as many bytes as the launch asked for
};

// The part of a CUDA thread that its kernel reads.
struct Thread {
    uint3 index;
    unsigned lane;
    const Block* block;
};

extern __thread Thread* self __attribute__((tls_model("initial-exec")));  // the thread that runs now

// How the runtime calls a kernel.
struct Parameter {
    int size;      // bytes
    char kind;     // 'p' pointer, 'i' signed, 'u' unsigned integer, 'f' floating point, 'b' bfloat16, 's' struct
    char element_kind;  // of what a pointer points to
    int element;   // its bytes; 0 for void
    int constant;  // whether the kernel cannot write there
};

struct Entry {
    void (*call)(void** arguments);
    int parameter_count;
    const Parameter* parameters;
};

// Ends the launch with an error at the present place of the present thread.
[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

void end_early(Site site = Site::here());  // before each `return;` of a kernel

// All threads of the block meet. Returns how many gave a predicate that is not zero.
int meet_block(const char* operation, Site site, bool predicate);

// The lanes of `mask` meet; the last to arrive runs `work` once, for all: payloads[lane] is what that lane handed over.
using Work = void (*)(void* const* payloads, unsigned mask);
void meet_warp(const char* operation, Site site, unsigned mask, void* payload, Work work, bool orders_memory);
unsigned live_lanes();

void before_atomic(void* address, int bytes);
void fence();
void yield();

void begin_copy(void* shared, const void* global, int bytes, int source_bytes);
void commit_copies();
void wait_copies(int groups_left);
void read_shared(const void* address, int bytes, const char* operation);  // checks what ldmatrix reads

template <typename To, typename From> inline To bits_of(From value) {
    static_assert(sizeof(To) == sizeof(From));
    To result;
    __builtin_memcpy(&result, &value, sizeof result);
    return result;
}

}  // namespace emulator

#pragma GCC visibility pop
