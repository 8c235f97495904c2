// Where threads meet: the block's barrier and the operations of a warp.

#include <cstring>

#include "watcher.h"
#include "worker.h"

namespace emulator {

static bool same_place(const Fiber& a, const Fiber& b) {
    return a.site.line == b.site.line && a.operation == b.operation &&
           (a.site.file == b.site.file || !strcmp(a.site.file, b.site.file));
}

// ---- block

static void check_same_barrier(const Fiber& fiber) {
    for (unsigned i = 0; i < worker->threads; ++i) {
        const Fiber& other = worker->fibers[i];
        if (other.state != State::exited && !same_place(fiber, other))
            fail("divergent barrier: this thread is in %s (%s:%d), thread (%u,%u,%u) is in %s (%s:%d)", fiber.operation,
                 file_name(fiber.site.file), fiber.site.line, other.index.x, other.index.y, other.index.z,
                 other.operation, file_name(other.site.file), other.site.line);
    }
}

static uint64_t bit_of(Site barrier) { return uint64_t(1) << barrier.line % 64; }

// Whether a thread that has ended left the kernel before it could come to this barrier: by a `return` above it, or in a
// loop that it had passed it in. One that went around the barrier and ended later has missed it.
static bool left_before(const Fiber& fiber, Site barrier) {
    if (!fiber.returned) return false;
    if (strcmp(fiber.return_site.file, barrier.file)) return true;  // within a function of another file
    return fiber.return_site.line <= barrier.line || fiber.barriers & bit_of(barrier);
}

// A barrier waits for all threads that have not ended (compute capability 7.0 and later).
bool Worker::barrier_is_complete() const {
    if (at_barrier == 0 || at_barrier + exited < threads) return false;
    Site site{};
    for (unsigned i = 0; i < threads; ++i)
        if (fibers[i].state == State::at_block) site = fibers[i].site;
    for (unsigned i = 0; i < threads && exited; ++i)
        if (fibers[i].state == State::exited && !left_before(fibers[i], site)) return false;
    return true;
}

void Worker::open_barrier() {
    int count = 0;
    for (unsigned i = 0; i < threads; ++i) count += fibers[i].state == State::at_block && fibers[i].predicate;
    for (unsigned i = 0; i < threads; ++i) {
        if (fibers[i].state != State::at_block) continue;
        fibers[i].state = State::ready;
        fibers[i].answer = count;
        fibers[i].barriers |= bit_of(fibers[i].site);
    }
    for (unsigned i = 0; i < warp_count; ++i) warps[i].ready = warps[i].present & ~warps[i].exited;
    at_barrier = 0;
    if (launch->watcher) launch->watcher->order_block();
}

int meet_block(const char* operation, Site site, bool predicate) {
    Worker& w = *worker;
    Fiber& fiber = *w.running;
    fiber.operation = operation;
    fiber.site = site;
    fiber.predicate = predicate;
    fiber.state = State::at_block;
    fiber.warp->ready &= ~(1u << fiber.lane);
    ++w.at_barrier;
    if (w.at_barrier + w.exited == w.threads) check_same_barrier(fiber);
    if (w.barrier_is_complete()) w.open_barrier();
    else leave_fiber();
    return fiber.answer;
}

void end_early(Site site) {
    worker->running->returned = true;
    worker->running->return_site = site;
}

// ---- warp

static void check_mask(const Fiber& fiber, unsigned mask) {
    const Warp& warp = *fiber.warp;
    if (!(mask >> fiber.lane & 1))
        fail("%s: the mask %08x lacks the calling lane %u", fiber.operation, mask, fiber.lane);
    if (mask & warp.exited)
        fail("%s: the mask %08x names lanes that have ended (%08x)", fiber.operation, mask, mask & warp.exited);
}

static void check_same_operation(const Fiber& fiber, const Fiber& other) {
    if (other.mask == fiber.mask && same_place(fiber, other)) return;
    fail("divergent warp operation: lane %u is in %s (%s:%d, mask %08x), lane %u in %s (%s:%d, mask %08x)", fiber.lane,
         fiber.operation, file_name(fiber.site.file), fiber.site.line, fiber.mask, other.lane, other.operation,
         file_name(other.site.file), other.site.line, other.mask);
}

void meet_warp(const char* operation, Site site, unsigned mask, void* payload, Work work, bool orders_memory) {
    Fiber& fiber = *worker->running;
    Warp& warp = *fiber.warp;
    mask &= warp.present;  // the last warp may be partial: lanes that do not exist do not take part
    fiber.operation = operation;
    fiber.site = site;
    fiber.mask = mask;
    fiber.payload = payload;
    check_mask(fiber, mask);
    fiber.state = State::at_warp;
    warp.ready &= ~(1u << fiber.lane);
    warp.waiting |= 1u << fiber.lane;
    if ((warp.waiting & mask) != mask) {
        leave_fiber();
        return;
    }
    void* payloads[kWarp];
    for (unsigned lane = 0; lane < kWarp; ++lane)
        if (mask >> lane & 1) {
            check_same_operation(fiber, *warp.lanes[lane]);
            payloads[lane] = warp.lanes[lane]->payload;
        }
    if (work) work(payloads, mask);
    for (unsigned lane = 0; lane < kWarp; ++lane)
        if (mask >> lane & 1) warp.lanes[lane]->state = State::ready;
    warp.waiting &= ~mask;
    warp.ready |= mask;
    if (Watcher* watcher = worker->launch->watcher) {
        watcher->met(operation, mask);
        if (orders_memory) watcher->order_lanes(warp.number, mask);
    }
}

}  // namespace emulator
