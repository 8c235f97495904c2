// Running a block: which of its threads goes on, and when none can.

#include <cstdio>
#include <cstring>

#include "watcher.h"
#include "worker.h"

namespace emulator {

__thread Thread* self __attribute__((tls_model("initial-exec"))) = nullptr;
__thread Worker* worker __attribute__((tls_model("initial-exec"))) = nullptr;

void leave_fiber() { emulator_switch(&worker->running->context, worker->scheduler); }

void yield() {
    worker->yielded = true;
    ++worker->polls;
    leave_fiber();
}

unsigned live_lanes() {
    const Warp& warp = *worker->running->warp;
    return warp.present & ~warp.exited;
}

void Worker::resume(Fiber& fiber) {
    ++turns;
    running = &fiber;
    self = &fiber;
    emulator_switch(&scheduler, fiber.context);
    running = nullptr;
    self = nullptr;
}

static void run_fiber() {
    worker->launch->kernel->entry->call(worker->launch->arguments);
    Fiber& fiber = *worker->running;
    if (!fiber.copies.empty())
        fail_at(fiber.copies[0].pc, nullptr, nullptr, "the thread ends with a cp.async that it never waited for");
    fiber.state = State::exited;
    fiber.warp->ready &= ~(1u << fiber.lane);
    fiber.warp->exited |= 1u << fiber.lane;
    ++worker->exited;
    if (worker->barrier_is_complete()) worker->open_barrier();
    leave_fiber();
}

unsigned Worker::next_random() {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    return static_cast<unsigned>(random >> 16);
}

static uint3 position(uint64_t number, dim3 size) {
    return {unsigned(number % size.x), unsigned(number / size.x % size.y), unsigned(number / size.x / size.y)};
}

void Worker::start_fiber(unsigned i) {
    Fiber& fiber = fibers[i];
    Warp& warp = warps[i / kWarp];
    fiber.index = position(i, launch->block);
    fiber.lane = i % kWarp;
    fiber.block = &block;
    fiber.stack = stacks.bottom(i);
    fiber.stack_top = stacks.top(i);
    fiber.context = prepare(fiber.stack_top - 64 - stagger(i), run_fiber);
    fiber.warp = &warp;
    fiber.number = i;
    fiber.state = State::ready;
    fiber.atomics = fiber.copy_group = 0;
    fiber.returned = false;
    fiber.barriers = 0;
    fiber.copies.clear();
    warp.lanes[fiber.lane] = &fiber;
    warp.present |= 1u << fiber.lane;
}

void Worker::start_block(uint64_t number) {
    ++progress->steps;
    patience = launch->schedule == Schedule::random ? 64 * kYieldEvery : 64;  // there, every atomic is a poll
    turns = polls = 0;
    block.index = position(number, launch->grid);
    exited = at_barrier = 0;
    random = (launch->seed + 1) * 0x9E3779B97F4A7C15u ^ (number + 1) * 0xD1B54A32D192ED03u;
    if (static_shared) memset(static_shared, 0xff, launch->kernel->shared_bytes);  // NaN in every float type
    if (launch->dynamic_bytes) memset(block.dynamic_shared, 0xff, launch->dynamic_bytes);
    for (unsigned w = 0; w < warp_count; ++w) {
        warps[w] = Warp{};
        warps[w].number = w;
    }
    for (unsigned i = 0; i < threads; ++i) start_fiber(i);
    for (unsigned w = 0; w < warp_count; ++w) warps[w].ready = warps[w].present;
    if (launch->watcher) launch->watcher->start_block(number);
}

// Runs each lane that is ready now, once; lanes that become ready meanwhile may come later.
void Worker::run_ready_lanes(Warp& warp) {
    unsigned step = 1, first = 0;
    if (launch->schedule == Schedule::reverse) step = first = kWarp - 1;  // 31 + 31 i: 31, 30, ...
    if (launch->schedule == Schedule::random) {
        step = next_random() | 1;
        first = next_random();
    }
    const unsigned ready = warp.ready;
    for (unsigned i = 0; i < kWarp; ++i) {
        const unsigned lane = (first + step * i) % kWarp;
        if (!(ready >> lane & 1)) continue;
        resume(*warp.lanes[lane]);
        if (aborted) return;
    }
    if (launch->watcher) launch->watcher->had_turns(warp);
}

// One turn for every warp. Returns whether any had a lane that could run.
bool Worker::run_ready_warps() {
    bool ran = false;
    const Schedule schedule = launch->schedule;
    const unsigned first = schedule == Schedule::random ? next_random() % warp_count : 0;
    for (unsigned i = 0; i < warp_count; ++i) {
        Warp& warp = warps[schedule == Schedule::reverse ? warp_count - 1 - i : (first + i) % warp_count];
        yielded = false;
        while (warp.ready) {
            ran = true;
            run_ready_lanes(warp);
            if (aborted) return true;
            if (launch->out_of_time) {
                char text[200];
                explain_time_limit(text, sizeof text);
                fail_block("%s", text);
                return true;
            }
            if (yielded || (schedule == Schedule::random && next_random() % 4 == 0)) break;
        }
    }
    return ran;
}

Worker::Outcome Worker::run_block() {
    unsigned idle = 0;
    while (exited < threads) {
        const uint64_t others = turns - polls;
        const bool ran = run_ready_warps();
        if (aborted) return Outcome::aborted;
        if (!ran) {
            report_deadlock();
            return Outcome::aborted;
        }
        idle = turns - polls == others ? idle + 1 : 0;
        if (idle < patience) continue;
        patience = 1;  // from now on it only looks whether what it waits for has come
        return Outcome::waits;
    }
    if (launch->watcher && !launch->watcher->end_block()) return Outcome::aborted;
    ++progress->steps;
    return Outcome::ended;
}

const char* file_name(const char* path) {
    const char* slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool wait_alike(const Fiber& a, const Fiber& b) {
    if (a.state != b.state) return false;
    return a.state == State::exited || (a.site.line == b.site.line && a.operation == b.operation);
}

// Says how many threads are where: those that wait for the same thing are counted together.
void Worker::report_deadlock() {
    char text[1400];
    int length = 0;
    bool barrier = false;
    for (unsigned i = 0; i < threads && length < 1100; ++i) {
        const Fiber& fiber = fibers[i];
        unsigned alike = 0, first = i;
        for (unsigned j = 0; j < threads; ++j)
            if (wait_alike(fibers[j], fiber)) {
                ++alike;
                if (j < first) first = j;
            }
        if (first != i) continue;
        const uint3 at = fiber.index;
        length += snprintf(text + length, 80, "%s%u thread%s, first (%u,%u,%u), ", length ? "; " : "", alike,
                           alike > 1 ? "s" : "", at.x, at.y, at.z);
        if (fiber.state == State::exited)
            length += snprintf(text + length, 20, "ended");
        else
            length += snprintf(text + length, 200, "in %s (%.100s:%d)", fiber.operation, file_name(fiber.site.file),
                               fiber.site.line);
        barrier |= fiber.state == State::at_block;
    }
    fail_block("%s, where threads wait for ever: %s", barrier ? "divergent barrier" : "divergent warp operation", text);
}

}  // namespace emulator
