// Who looks at a launch while it runs: the checker, or the recorder of a profile. Kernels of the normal build have none.
// The other two builds call it through runtime/hooks.cpp before each of their accesses.

#pragma once

#include <cstdint>

#include "../include/emulator/runtime.h"

namespace emulator {

struct Copy;
struct Warp;
struct Worker;

enum class Access : uint8_t { read, write, atomic };

// Memory that the kernel may touch. Python gives the arrays; the launch adds shared memory.
struct Region {
    char* begin;
    int64_t bytes;
    int32_t parameter;  // or one of the kinds below
    int32_t constant;   // whether the parameter is a pointer to const
    static constexpr int kStaticShared = -1, kDynamicShared = -2, kAllocation = -3, kVariables = -4;

    char* end() const { return begin + bytes; }
    bool contains(const void* address, int size) const { return address >= begin && (char*)address + size <= end(); }
    bool is_shared() const { return parameter == kStaticShared || parameter == kDynamicShared; }
};

class Watcher {
public:
    virtual ~Watcher() = default;
    virtual void enter(Worker& worker) = 0;  // what follows is about the block of this one
    virtual void start_block(uint64_t) {}
    virtual bool end_block() { return true; }  // false: something was wrong in it, and is recorded as the launch's fault

    // whole: whether the compiler knows the address to be a multiple of `bytes`
    virtual void observe(const void* address, int bytes, bool whole, Access kind, const void* pc, const void* frame) = 0;
    virtual void begin_copy(const Copy& copy, const void* frame) = 0;
    virtual void end_copy(const Copy&) {}
    virtual void reach(const void* /*pc*/, const void* /*frame*/) {}  // code that has no branch in it begins

    virtual void order_block() {}                                       // a barrier of the block
    virtual void order_lanes(unsigned /*warp*/, unsigned /*mask*/) {}   // a __syncwarp
    virtual void fence() {}
    virtual void met(const char* /*operation*/, unsigned /*mask*/) {}   // these lanes did something together
    virtual void had_turns(Warp&) {}                                    // all lanes of the warp that could run
};

}  // namespace emulator
