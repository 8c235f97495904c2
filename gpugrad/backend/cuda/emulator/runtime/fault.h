// Errors: what is handed to Python, and the signals that a kernel's faults raise.

#pragma once

#include <cstdarg>
#include <cstddef>
#include <cstdint>

namespace emulator {

struct Launch;

constexpr int kMaxFrames = 16;

// Program counters are offsets in the kernel's library; Python finds the source lines.
struct Fault {
    char message[1536];
    int32_t has_block, has_thread;
    uint32_t block[3], thread[3];
    int32_t frame_count;
    uint32_t other;  // of the earlier access of a race, or 0
    uint64_t frames[kMaxFrames];
};

// Records an error of the running fiber, found at `pc` in the function with this frame, unless there is one already.
void record(const void* pc, const void* frame, const void* other, const char* format, va_list values);

// The same and the end of the launch, for checks: `pc` is where the kernel called.
[[noreturn]] void fail_at(const void* pc, const void* frame, const void* other, const char* format, ...)
    __attribute__((format(printf, 4, 5)));

// Fills in an error of the running fiber that may be reported later, with fail_with.
void describe_fault(Fault& fault, const void* pc, const void* frame, const char* format, ...)
    __attribute__((format(printf, 4, 5)));
void fail_with(const Fault& fault);

// An error of the block as a whole, from the scheduler.
void fail_block(const char* format, ...) __attribute__((format(printf, 1, 2)));

// While a launch runs: signals become faults, and the watchdog ends it if a block takes longer than that
// of this OS thread's CPU time (up to twice as long: it looks once in that time).
void watch_signals();
void explain_time_limit(char* text, size_t size);
class Watchdog {
public:
    explicit Watchdog(unsigned milliseconds);
    ~Watchdog();
};

}  // namespace emulator
