// Where threads meet: the block's barrier and the operations of a warp.

#include <cstring>

#include "checker.h"
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
        if (!same_place(fiber, other))
            fail("divergent barrier: this thread is in %s (%s:%d), thread (%u,%u,%u) is in %s (%s:%d)", fiber.operation,
                 file_name(fiber.site.file), fiber.site.line, other.index.x, other.index.y, other.index.z,
                 other.operation, file_name(other.site.file), other.site.line);
    }
}

int meet_block(const char* operation, Site site, bool predicate) {
    Worker& w = *worker;
    Fiber& fiber = *w.running;
    fiber.operation = operation;
    fiber.site = site;
    fiber.predicate = predicate;
    fiber.state = State::at_block;
    fiber.warp->ready &= ~(1u << fiber.lane);
    if (++w.at_barrier < w.threads) {
        leave_fiber();
        return fiber.answer;
    }
    check_same_barrier(fiber);
    int count = 0;
    for (unsigned i = 0; i < w.threads; ++i) count += w.fibers[i].predicate;
    for (unsigned i = 0; i < w.threads; ++i) {
        w.fibers[i].state = State::ready;
        w.fibers[i].answer = count;
    }
    for (unsigned i = 0; i < w.warp_count; ++i) w.warps[i].ready = w.warps[i].present;
    w.at_barrier = 0;
    if (w.launch->checker) w.launch->checker->order_block();
    return count;
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
    if (orders_memory && worker->launch->checker) worker->launch->checker->order_lanes(warp.number, mask);
}

}  // namespace emulator
