#include "checker.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

namespace emulator {

// ---- shadow memory

void Shadow::Free::operator()(Cell* cells) const { free(cells); }

Shadow::Shadow(char* begin, char* end, bool shared) : begin_(begin), end_(end), shared_(shared) { allocate(); }

void Shadow::allocate() {
    void* cells = calloc(index(end_ - 1) + 1, sizeof(Cell));  // pages that no access reaches cost nothing
    if (!cells) throw std::bad_alloc();
    cells_.reset(static_cast<Cell*>(cells));
}

void Shadow::refine(const void* address, int bytes) {
    const auto place = reinterpret_cast<uintptr_t>(address) | static_cast<uintptr_t>(bytes);
    if (place % (uintptr_t(1) << shift_) == 0) return;
    const auto coarse = std::move(cells_);
    const int old_shift = shift_;
    while (place % (uintptr_t(1) << shift_)) --shift_;
    allocate();
    const size_t count = index(end_ - 1) + 1, start = reinterpret_cast<uintptr_t>(begin_);
    for (size_t i = 0; i < count; ++i)
        cells_[i] = coarse[(((start >> shift_) + i) >> (old_shift - shift_)) - (start >> old_shift)];
}

// ---- set-up

static Range range_of(const void* begin, size_t bytes) {
    char* start = static_cast<char*>(const_cast<void*>(begin));
    return {start, start + bytes};
}

Checker::Checker(Worker& worker, const Region* regions, int count)
    : worker_(worker), regions_(regions, regions + count), clocks_(worker.warp_count) {
    const Launch& launch = *worker.launch;
    char* dynamic = worker.block.dynamic_shared;
    if (launch.dynamic_bytes) regions_.push_back({dynamic, launch.dynamic_bytes, Region::kDynamicShared});
    if (worker.static_shared)
        regions_.push_back({worker.static_shared, int64_t(launch.kernel->shared_bytes), Region::kStaticShared});
    private_ = launch.kernel->segments;
    private_.push_back(range_of(&worker, sizeof worker));
    private_.push_back(range_of(worker.fibers.data(), worker.fibers.size() * sizeof(Fiber)));
    private_.push_back(range_of(&self, sizeof self));
    for (int i = 0; i < launch.kernel->entry->parameter_count; ++i)
        private_.push_back(range_of(launch.arguments[i], launch.kernel->entry->parameters[i].size));
    private_.push_back(range_of(launch.arguments, launch.kernel->entry->parameter_count * sizeof(void*)));
    std::vector<Region> sorted;
    for (const Region& region : regions_)
        if (region.bytes > 0) sorted.push_back(region);
    std::sort(sorted.begin(), sorted.end(), [](const Region& a, const Region& b) { return a.begin < b.begin; });
    for (size_t i = 0; i < sorted.size();) {  // arrays that overlap share their cells
        char* end = sorted[i].end();
        size_t next = i + 1;
        for (; next < sorted.size() && sorted[next].begin < end; ++next) end = std::max(end, sorted[next].end());
        shadows_.emplace_back(sorted[i].begin, end, sorted[i].is_shared());
        i = next;
    }
}

void Checker::start_block(uint64_t number) {
    block_ = static_cast<uint32_t>(number + 1);
    ++epoch_;
    acquired_ = false;
}

// ---- order

void Checker::order_block() { ++epoch_; }

void Checker::order_lanes(unsigned warp, unsigned mask) {
    WarpClock& clock = clocks_[warp];
    ++clock.now;
    uint32_t known[kWarp] = {};
    for (unsigned lane = 0; lane < kWarp; ++lane)
        if (mask >> lane & 1)
            for (unsigned other = 0; other < kWarp; ++other)
                known[other] = std::max(known[other], clock.seen[lane][other]);
    for (unsigned lane = 0; lane < kWarp; ++lane)
        if (mask >> lane & 1) known[lane] = clock.now;
    for (unsigned lane = 0; lane < kWarp; ++lane)
        if (mask >> lane & 1) memcpy(clock.seen[lane], known, sizeof known);
}

// The idiom of the last block: write, __threadfence, atomic; atomic, read.
bool Checker::published(uint32_t block, uint32_t epoch) const {
    if (!acquired_) return false;
    const auto fence = fenced_.find(block);
    return fence != fenced_.end() && epoch <= fence->second;
}

// ---- races

bool Checker::races_with_write(const Cell::Write& write, const Present& present, bool shared) const {
    if (!write.epoch) return false;
    if (write.block != block_) return !shared && !published(write.block, write.epoch);
    const Fiber& fiber = present.fiber;
    if (write.epoch != epoch_ || write.thread == fiber.number) return false;
    if (write.thread / kWarp != fiber.number / kWarp) return true;
    return clocks_[fiber.warp->number].seen[fiber.lane][write.thread % kWarp] <= write.time;
}

bool Checker::races_with_reads(const Cell::Reads& reads, const Present& present, bool shared) const {
    if (!reads.epoch) return false;
    if (reads.several_blocks && !shared) return true;
    if (reads.block != block_) return !shared && !published(reads.block, reads.epoch);
    if (reads.epoch != epoch_) return false;
    const Fiber& fiber = present.fiber;
    if (reads.several_warps || reads.thread / kWarp != fiber.number / kWarp) return true;
    const auto& seen = clocks_[fiber.warp->number].seen[fiber.lane];
    for (unsigned lane = 0; lane < kWarp; ++lane)
        if ((reads.lanes >> lane & 1) && lane != fiber.lane && seen[lane] <= reads.time) return true;
    return false;
}

void Checker::add_read(Cell::Reads& reads, const Present& present) const {
    const Fiber& fiber = present.fiber;
    const WarpClock& clock = clocks_[fiber.warp->number];
    const bool other_block = reads.epoch && reads.block != block_ && !published(reads.block, reads.epoch);
    const bool together = reads.epoch == epoch_ && reads.block == block_;
    if (!together) {
        reads.several_warps = false;
        reads.lanes = 0;
    }
    if (together && reads.thread / kWarp != fiber.number / kWarp) {
        reads.several_warps = true;
        reads.lanes = 0;
    }
    if (clock.now != reads.time)  // lanes were ordered since: what comes before this read comes before all after it
        for (unsigned lane = 0; lane < kWarp; ++lane)
            if (clock.seen[fiber.lane][lane] > reads.time) reads.lanes &= ~(1u << lane);
    reads.lanes |= 1u << fiber.lane;
    reads.several_blocks |= other_block;
    reads.epoch = epoch_;
    reads.block = block_;
    reads.time = clock.now;
    reads.thread = static_cast<uint16_t>(fiber.number);
    reads.pc = offset(present.pc);
}

Cell::Write Checker::as_write(const Present& present) const {
    const Fiber& fiber = present.fiber;
    return {epoch_, block_, clocks_[fiber.warp->number].now, offset(present.pc), uint16_t(fiber.number)};
}

uint32_t Checker::offset(const void* pc) const {
    return static_cast<uint32_t>(static_cast<const char*>(pc) - worker_.launch->kernel->base);
}

// A thread that read besides `fiber`, which may have been the last to read.
uint16_t Checker::other_reader(const Cell::Reads& reads, const Fiber& fiber) const {
    const unsigned others = reads.lanes & ~(1u << fiber.lane);
    if (reads.block != block_ || reads.thread != fiber.number) return reads.thread;
    return others ? static_cast<uint16_t>(fiber.number - fiber.lane + __builtin_ctz(others)) : kUnknown;
}

// Compares an access with the earlier ones to this granule, and adds it to them.
void Checker::look(Cell& cell, const Present& present, bool shared) const {
    const auto& [write, atomic, reads] = cell;
    if (races_with_write(write, present, shared))
        report_race(present, Access::write, write.block, write.thread, write.pc);
    if (present.kind != Access::atomic && races_with_write(atomic, present, shared))
        report_race(present, Access::atomic, atomic.block, atomic.thread, atomic.pc);
    if (present.kind == Access::read) return add_read(cell.reads, present);
    if (races_with_reads(reads, present, shared))
        report_race(present, Access::read, reads.block, other_reader(reads, present.fiber), reads.pc);
    (present.kind == Access::write ? cell.write : cell.atomic) = as_write(present);
}

// ---- every access

bool Checker::is_private(const void* address) const {
    if (worker_.stacks.contains(address)) return true;
    for (const Range& range : private_)
        if (range.contains(address)) return true;
    return false;
}

const Region* Checker::find(const void* address, int bytes) {
    if (recent_ < regions_.size() && regions_[recent_].contains(address, bytes)) return &regions_[recent_];
    for (size_t i = 0; i < regions_.size(); ++i)
        if (regions_[i].contains(address, bytes)) {
            recent_ = i;
            return &regions_[i];
        }
    return nullptr;
}

Shadow& Checker::shadow_of(const void* address) {
    auto after = std::upper_bound(shadows_.begin(), shadows_.end(), address,
                                  [](const void* a, const Shadow& shadow) { return shadow.begins_after(a); });
    return *--after;
}

void Checker::observe(const void* address, int bytes, Access kind, const void* pc, const void* frame) {
    if (worker_.stacks.contains(address)) return;  // by far the most
    const Present present{*worker_.running, address, pc, frame, kind};
    if (!find(address, bytes)) {
        if (is_private(address)) return;
        report_bounds(present, bytes);
    }
    if (kind == Access::atomic) acquired_ = true;
    Shadow& shadow = shadow_of(address);
    shadow.refine(address, bytes);
    Cell* const last = shadow.last(address, bytes);
    for (Cell* cell = shadow.first(address); cell <= last; ++cell) look(*cell, present, shadow.is_shared());
}

// ---- reports

static const char* name_of(Access kind) {
    return kind == Access::read ? "read" : kind == Access::write ? "write" : "atomic";
}

static void describe(char* text, size_t size, const Region& region) {
    switch (region.parameter) {
    case Region::kStaticShared: snprintf(text, size, "static shared memory"); break;
    case Region::kDynamicShared: snprintf(text, size, "dynamic shared memory"); break;
    case Region::kAllocation: snprintf(text, size, "an array"); break;
    default: snprintf(text, size, "parameter %d", region.parameter);
    }
}

void Checker::report_race(const Present& present, Access earlier, uint32_t block, uint16_t thread, uint32_t pc) const {
    char where[64] = "memory", who[64];
    const char* address = static_cast<const char*>(present.address);
    long byte = 0;
    for (const Region& region : regions_)
        if (region.contains(address, 1)) {
            describe(where, sizeof where, region);
            byte = address - region.begin;
            break;
        }
    const dim3 size = worker_.launch->block, grid = worker_.launch->grid;
    if (block == block_ && thread == kUnknown) {
        snprintf(who, sizeof who, "another warp");
    } else if (block == block_) {
        snprintf(who, sizeof who, "thread (%u,%u,%u)", thread % size.x, thread / size.x % size.y,
                 thread / size.x / size.y);
    } else {
        const uint32_t i = block - 1;
        snprintf(who, sizeof who, "block (%u,%u,%u)", i % grid.x, i / grid.x % grid.y, i / grid.x / grid.y);
    }
    fail_at(present.pc, present.frame, worker_.launch->kernel->base + pc,
            "race: this %s and an earlier %s by %s touch byte %ld of %s with no %s between them", name_of(present.kind),
            name_of(earlier), who, byte, where, block == block_ ? "barrier" : "order");
}

void Checker::report_bounds(const Present& present, int bytes) const {
    const char* address = static_cast<const char*>(present.address);
    const Region* nearest = nullptr;
    int64_t distance = INT64_MAX;
    for (const Region& region : regions_) {
        const int64_t gap = address < region.begin ? region.begin - address
                            : address > region.end() ? address - region.end() : 0;
        if (gap < distance) {
            distance = gap;
            nearest = &region;
        }
    }
    if (reinterpret_cast<uintptr_t>(address) < kPage)
        fail_at(present.pc, present.frame, nullptr, "%s of %d bytes through a null pointer", name_of(present.kind),
                bytes);
    if (!nearest || distance > (1 << 30))
        fail_at(present.pc, present.frame, nullptr, "out-of-bounds %s of %d bytes at %p, which is in no array",
                name_of(present.kind), bytes, present.address);
    char where[64];
    describe(where, sizeof where, *nearest);
    fail_at(present.pc, present.frame, nullptr, "out-of-bounds %s of %d bytes at offset %ld of %s, which has %ld bytes",
            name_of(present.kind), bytes, static_cast<long>(address - nearest->begin), where,
            static_cast<long>(nearest->bytes));
}

// ---- what kernels call

void before_atomic(void* address, int bytes) {
    Fiber& fiber = *worker->running;
    if (reinterpret_cast<uintptr_t>(address) % bytes)
        fail("misaligned atomic: %p is not a multiple of %d", address, bytes);
    if (Checker* checker = worker->launch->checker) {
        void** frame = *static_cast<void***>(__builtin_frame_address(0));  // of emulator::replace: its caller is meant
        checker->observe(address, bytes, Access::atomic, static_cast<char*>(frame[1]) - 1, frame[0]);
    }
    // Now and then the others get a turn, so that a lock within the block comes free.
    if (worker->launch->schedule == Schedule::random || ++fiber.atomics % 64 == 0) yield();
}

void fence() {
    if (Checker* checker = worker->launch->checker) checker->fence();
}

}  // namespace emulator
