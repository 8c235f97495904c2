// The state of a launch, of the OS threads that work on it, and of the CUDA threads they run.

#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "../include/emulator/runtime.h"
#include "context.h"
#include "fault.h"
#include "module.h"

namespace emulator {

constexpr unsigned kYieldEvery = 64;  // atomics of a thread
constexpr unsigned kMaxThreads = 1024, kWarp = 32, kMaxWarps = kMaxThreads / kWarp;

class Watcher;
struct Launch;
struct Warp;

enum class Schedule { forward, reverse, random };
enum class State : uint8_t { ready, at_warp, at_block, exited };

struct Copy {  // a cp.async under way
    void* to;
    const void* from;
    int bytes, source_bytes;
    unsigned group;
    const void* pc;
};

// How far below its top a thread's stack begins; else the tops of all stacks share a few cache sets.
constexpr unsigned stagger(unsigned thread) { return thread % 61 * 192; }

// A CUDA thread.
struct Fiber : Thread {
    void* context;  // where it goes on
    char *stack, *stack_top;
    Warp* warp;
    unsigned number;  // within the block
    State state;

    // what it waits for
    const char* operation;
    Site site;
    unsigned mask;
    void* payload;
    bool predicate;
    int answer;

    bool returned;       // it ended by a `return;` of the kernel, on this line
    Site return_site;
    uint64_t barriers;   // those that it has passed: one bit for each line, modulo 64

    unsigned atomics;
    std::vector<Copy> copies;
    unsigned copy_group;
};

struct Warp {
    unsigned number, present, ready, waiting, exited;  // one bit a lane
    Fiber* lanes[kWarp];
};

// What the watchdog looks at: whether any block of this OS thread began or ended since it last came by.
struct Progress {
    uint64_t steps = 0, steps_at_tick = 0;
    unsigned waiting = 0;  // blocks that have begun and wait for others
    bool full = false;     // whether others cannot begin because of them
};

// The means to run a block. It is used by one launch at a time and kept for the next.
struct Worker {
    Launch* launch;
    Stacks stacks;
    std::vector<Fiber> fibers{kMaxThreads};
    Warp warps[kMaxWarps];
    Block block;
    Progress* progress;
    unsigned threads, exited, at_barrier, warp_count;
    Fiber* running;  // null while the scheduler runs
    void* scheduler;
    bool aborted, yielded;
    uint64_t turns, polls;  // of threads; polls are those that ended in yield()
    unsigned patience;      // how many rounds of nothing but polls make the block wait for others
    uint64_t random;
    char* static_shared;
    std::vector<char> parked_shared;  // its contents while another block of this OS thread runs
    SharedMemory dynamic_shared;

    unsigned next_random();  // xorshift
    enum class Outcome { ended, waits, aborted };
    void start_block(uint64_t number);
    Outcome run_block();  // on from where it was
    void resume(Fiber& fiber);
    bool barrier_is_complete() const;
    void open_barrier();

private:
    void start_fiber(unsigned i);
    void run_ready_lanes(Warp& warp);
    bool run_ready_warps();
    void report_deadlock();
};

struct Launch {
    const Kernel* kernel;
    void** arguments;
    dim3 grid{1}, block{1};
    unsigned dynamic_bytes;
    Schedule schedule;
    uint64_t seed;
    uint64_t blocks;
    Watcher* watcher;  // or null
    std::atomic<uint64_t> next{0};
    std::atomic<bool> failed{false}, out_of_time{false};
    Fault fault;

    uint64_t nth_block(uint64_t i) const;  // the order that the schedule asks for
};

extern __thread Worker* worker __attribute__((tls_model("initial-exec")));  // of this OS thread, during a launch

const char* file_name(const char* path);  // without its folders

void leave_fiber();  // goes on with the scheduler, until that resumes this fiber

}  // namespace emulator
