// Fibers: a stack each, and a switch between them that saves the registers a call must keep.

#pragma once

#include <cstddef>

namespace emulator {

constexpr size_t kPage = 4096, kStack = 256 << 10, kMaxShared = 227 << 10;

// Saves where this fiber is in *from, and goes on where `to` was saved.
extern "C" void emulator_switch(void** from, void* to);

// Memory for `kMaxThreads` stacks, each above a page that nothing may touch.
class Stacks {
public:
    Stacks();
    ~Stacks();
    Stacks(const Stacks&) = delete;
    char* bottom(unsigned i) const { return memory_ + i * (kPage + kStack) + kPage; }  // the guard page is below
    void guard(unsigned count);  // the first `count` stacks are in use
    char* top(unsigned i) const { return bottom(i) + kStack; }
    bool contains(const void* address) const { return address >= memory_ && address < memory_ + size(); }

private:
    static size_t size();
    char* memory_;
    unsigned guarded_ = 0;  // each guard page costs the system a mapping, of which it allows some 65,000
};

// Room for a block's dynamic shared memory between two pages that nothing may touch.
class SharedMemory {
public:
    SharedMemory();
    ~SharedMemory();
    SharedMemory(const SharedMemory&) = delete;
    char* take(size_t bytes) const;  // aligned to 128 bytes, its end as near to the second page as that allows

private:
    char* memory_;
};

// A saved context: switching to it calls `start` on the stack that ends at `top`. `start` must not return.
void* prepare(char* top, void (*start)());

}  // namespace emulator
