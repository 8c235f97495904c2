#include "context.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

#include "worker.h"

// The six registers that a called function must preserve (System V ABI), and the stack pointer.
asm(R"(
.text
.globl emulator_switch
.hidden emulator_switch
.type emulator_switch, @function
emulator_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size emulator_switch, .-emulator_switch
)");

namespace emulator {

static char* reserve(size_t bytes) {
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;  // pages that nothing touches cost nothing
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    return static_cast<char*>(memory);
}

size_t Stacks::size() { return kMaxThreads * (kPage + kStack); }

Stacks::Stacks() : memory_(reserve(size())) {}

void Stacks::guard(unsigned count) {
    for (; guarded_ < count; ++guarded_)
        if (mprotect(bottom(guarded_) - kPage, kPage, PROT_NONE)) throw std::bad_alloc();
}

Stacks::~Stacks() { munmap(memory_, size()); }

constexpr size_t kSharedRoom = (kMaxShared + kPage - 1) / kPage * kPage;

SharedMemory::SharedMemory() : memory_(reserve(kSharedRoom + 2 * kPage)) {
    mprotect(memory_, kPage, PROT_NONE);
    mprotect(memory_ + kPage + kSharedRoom, kPage, PROT_NONE);
}

SharedMemory::~SharedMemory() { munmap(memory_, kSharedRoom + 2 * kPage); }

char* SharedMemory::take(size_t bytes) const { return memory_ + kPage + kSharedRoom - (bytes + 127) / 128 * 128; }

void* prepare(char* top, void (*start)()) {
    auto* word = reinterpret_cast<uintptr_t*>(reinterpret_cast<uintptr_t>(top) & ~uintptr_t(15));
    *--word = 0;  // start's return address: none; it also aligns the stack as after a call
    *--word = reinterpret_cast<uintptr_t>(start);
    for (int i = 0; i < 6; ++i) *--word = 0;  // a frame pointer of 0 ends a walk through the frames
    return word;
}

}  // namespace emulator
