#include "checker.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace emulator {

static const char* name_of(Access kind) {
    return kind == Access::read ? "read" : kind == Access::write ? "write" : "atomic";
}

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
    : launch_(*worker.launch), regions_(regions, regions + count) {
    const Launch& launch = launch_;
    for (const Range& data : launch.kernel->data)
        regions_.push_back({data.begin, data.end - data.begin, Region::kVariables, 0});
    private_ = launch.kernel->segments;
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
        shadows_.emplace_back(sorted[i].begin, end, false);
        i = next;
    }
    enter(worker);
}

void Checker::enter(Worker& worker) {
    const auto [place, is_new] = states_.try_emplace(&worker);
    now_ = &place->second;
    recent_ = Region{};
    if (!is_new) return;
    now_->worker = &worker;
    now_->clocks.resize(worker.warp_count);
    now_->own = {range_of(&worker, sizeof worker),
                 range_of(worker.fibers.data(), worker.fibers.size() * sizeof(Fiber))};
    if (const int64_t bytes = launch_.dynamic_bytes) {
        char* begin = worker.block.dynamic_shared;
        now_->regions.push_back({begin, bytes, Region::kDynamicShared, 0});
        now_->shadows.emplace_back(begin, begin + bytes, true);
    }
    char* begin = worker.static_shared;
    if (begin) now_->shadows.emplace_back(begin, begin + launch_.kernel->shared_bytes, true);
    for (const Variable& variable : launch_.kernel->variables) {
        if (variable.name.empty()) now_->own.push_back(range_of(begin + variable.offset, variable.bytes));
        else now_->regions.push_back({begin + variable.offset, int64_t(variable.bytes), Region::kStaticShared, 0});
    }
}

void Checker::start_block(uint64_t number) {
    now_->block = static_cast<uint32_t>(number + 1);
    now_->epoch = ++last_epoch_;
    now_->acquired = false;
    now_->read_unwritten = false;
}

// ---- order

void Checker::order_block() { now_->epoch = ++last_epoch_; }

void Checker::order_lanes(unsigned warp, unsigned mask) {
    WarpClock& clock = now_->clocks[warp];
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
    if (!now_->acquired) return false;
    const auto fence = fenced_.find(block);
    return fence != fenced_.end() && epoch <= fence->second;
}

// ---- races

bool Checker::races_with_write(const Cell::Write& write, const Present& present, bool shared) const {
    if (!write.epoch) return false;
    if (write.block != now_->block) return !shared && !published(write.block, write.epoch);
    const Fiber& fiber = present.fiber;
    if (write.epoch != now_->epoch || write.thread == fiber.number) return false;
    if (write.thread / kWarp != fiber.number / kWarp) return true;
    return now_->clocks[fiber.warp->number].seen[fiber.lane][write.thread % kWarp] <= write.time;
}

bool Checker::races_with_reads(const Cell::Reads& reads, const Present& present, bool shared) const {
    if (!reads.epoch) return false;
    if (reads.several_blocks && !shared) return true;
    if (reads.block != now_->block) return !shared && !published(reads.block, reads.epoch);
    if (reads.epoch != now_->epoch) return false;
    const Fiber& fiber = present.fiber;
    if (reads.several_warps || reads.thread / kWarp != fiber.number / kWarp) return true;
    const auto& seen = now_->clocks[fiber.warp->number].seen[fiber.lane];
    for (unsigned lane = 0; lane < kWarp; ++lane)
        if ((reads.lanes >> lane & 1) && lane != fiber.lane && seen[lane] <= reads.time) return true;
    return false;
}

void Checker::add_read(Cell::Reads& reads, const Present& present) const {
    const Fiber& fiber = present.fiber;
    const WarpClock& clock = now_->clocks[fiber.warp->number];
    const bool other_block = reads.epoch && reads.block != now_->block && !published(reads.block, reads.epoch);
    const bool together = reads.epoch == now_->epoch && reads.block == now_->block;
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
    reads.epoch = now_->epoch;
    reads.block = now_->block;
    reads.time = clock.now;
    reads.thread = static_cast<uint16_t>(fiber.number);
    reads.pc = offset(present.pc);
}

Cell::Write Checker::as_write(const Present& present) const {
    const Fiber& fiber = present.fiber;
    return {now_->epoch, now_->block, now_->clocks[fiber.warp->number].now, offset(present.pc), uint16_t(fiber.number)};
}

uint32_t Checker::offset(const void* pc) const {
    return static_cast<uint32_t>(static_cast<const char*>(pc) - launch_.kernel->base);
}

// A thread that read besides `fiber`, which may have been the last to read.
uint16_t Checker::other_reader(const Cell::Reads& reads, const Fiber& fiber) const {
    const unsigned others = reads.lanes & ~(1u << fiber.lane);
    if (reads.block != now_->block || reads.thread != fiber.number) return reads.thread;
    return others ? static_cast<uint16_t>(fiber.number - fiber.lane + __builtin_ctz(others)) : kUnknown;
}

// Compares an access with the earlier ones to this granule, and adds it to them.
void Checker::look(Cell& cell, const Present& present, bool shared) {
    const auto& [write, atomic, reads, copying] = cell;
    look_at_copies(cell, present);
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
    for (const auto* ranges : {&std::as_const(*now_).own, &private_})
        for (const Range& range : *ranges)
            if (range.contains(address)) return true;
    return false;
}

const Region* Checker::find(const void* address, int bytes) {
    if (recent_.contains(address, bytes)) return &recent_;
    for (const auto* regions : {&now_->regions, &regions_})
        for (const Region& region : *regions)
            if (region.contains(address, bytes)) {
                recent_ = region;
                return &recent_;
            }
    return nullptr;
}

// Whether some pointer that the kernel was given, or the source itself, allows that.
bool Checker::may_write(const void* address, int bytes) const {
    for (const Region& region : regions_)
        if (!region.constant && region.contains(address, bytes)) return true;
    return false;
}

Shadow& Checker::shadow_of(const void* address) {
    for (Shadow& shadow : now_->shadows)
        if (shadow.contains(address)) return shadow;
    auto after = std::upper_bound(shadows_.begin(), shadows_.end(), address,
                                  [](const void* a, const Shadow& shadow) { return shadow.begins_after(a); });
    return *--after;
}

template <typename Visit> void Checker::visit(const void* address, int bytes, Visit visitor) {
    Shadow& shadow = shadow_of(address);
    shadow.refine(address, bytes);
    Cell* const last = shadow.last(address, bytes);
    for (Cell* cell = shadow.first(address); cell <= last; ++cell) visitor(*cell, shadow.is_shared());
}

void Checker::observe(const void* address, int bytes, bool, Access kind, const void* pc, const void* frame) {
    if (now_->worker->stacks.contains(address)) return;  // by far the most
    const Present present{*now_->worker->running, address, pc, frame, kind};
    const Region* region = find(address, bytes);
    if (!region) {
        if (is_private(address)) return;
        report_bounds(present, bytes);
    }
    if (region->constant && kind != Access::read && !may_write(address, bytes))
        fail_at(pc, frame, nullptr, "%s of %d bytes at offset %ld of parameter %d, which is a pointer to const",
                name_of(kind), bytes, static_cast<long>(static_cast<const char*>(address) - region->begin),
                region->parameter);
    if (kind == Access::atomic) now_->acquired = true;
    bool unwritten = false;
    visit(address, bytes, [&](Cell& cell, bool shared) {
        if (shared && kind != Access::write)
            unwritten |= cell.write.block != now_->block && cell.atomic.block != now_->block;
        look(cell, present, shared);
    });
    if (unwritten && kind == Access::read) unwritten = !has_only_padding_unwritten(address, bytes);
    if (unwritten) note_unwritten(present, bytes);
}

// ---- cp.async: from its beginning to the wait, it may write its target and read its source at any time

void Checker::look_at_copies(const Cell& cell, const Present& present) const {
    const auto& copying = cell.copying;
    if (!copying.pc && (!copying.readers || present.kind == Access::read)) return;
    char where[64], who[64] = "a cp.async that reads it";
    const long byte = locate(present.address, where, sizeof where);
    if (copying.pc) {
        const uint3 at = fiber_of(copying.thread).index;
        snprintf(who, sizeof who, "the cp.async by thread (%u,%u,%u) that writes it", at.x, at.y, at.z);
    }
    fail_at(present.pc, present.frame, copying.pc ? launch_.kernel->base + copying.pc : nullptr,
            "race: this %s touches byte %ld of %s, and %s has not been waited for", name_of(present.kind), byte, where,
            who);
}

void Checker::begin_copy(const Copy& copy, const void* frame) {
    observe(copy.to, copy.bytes, true, Access::write, copy.pc, frame);
    const uint16_t thread = static_cast<uint16_t>(now_->worker->running->number);
    visit(copy.to, copy.bytes, [&](Cell& cell, bool) { cell.copying = {offset(copy.pc), thread, 0}; });
    if (!copy.source_bytes) return;
    observe(copy.from, copy.source_bytes, true, Access::read, copy.pc, frame);
    visit(copy.from, copy.source_bytes, [](Cell& cell, bool) { ++cell.copying.readers; });
}

void Checker::end_copy(const Copy& copy) {
    visit(copy.to, copy.bytes, [](Cell& cell, bool) { cell.copying.pc = 0; });
    observe(copy.to, copy.bytes, true, Access::write, copy.pc, nullptr);
    if (!copy.source_bytes) return;
    visit(copy.from, copy.source_bytes, [](Cell& cell, bool) { --cell.copying.readers; });
    observe(copy.from, copy.source_bytes, true, Access::read, copy.pc, nullptr);
}

// ---- shared memory that was never written

// Whether what nobody wrote of the bytes may be a structure's padding: code that copies a structure reads that as well,
// and code that sets its members does not write it. Padding is shorter than an alignment, so each aligned word (8
// bytes, or 4 of a structure of 8) has a byte that was written.
bool Checker::has_only_padding_unwritten(const void* address, int bytes) {
    if (bytes < 8) return false;
    const uintptr_t word = bytes > 8 ? 8 : 4, begin = reinterpret_cast<uintptr_t>(address), end = begin + bytes;
    for (uintptr_t at = begin, next; at < end; at = next) {
        next = std::min(at / word * word + word, end);
        bool written = false;
        visit(reinterpret_cast<const void*>(at), static_cast<int>(next - at), [&](Cell& cell, bool) {
            written |= cell.write.block == now_->block || cell.atomic.block == now_->block;
        });
        if (!written) return false;
    }
    return true;
}

void Checker::note_unwritten(const Present& present, int bytes) {
    if (now_->read_unwritten) return;
    now_->read_unwritten = true;
    char where[64];
    const long byte = locate(present.address, where, sizeof where);
    describe_fault(now_->unwritten, present.pc, present.frame,
                   "%s of %d bytes at offset %ld of %s, which no thread of the block has written", name_of(present.kind),
                   bytes, byte, where);
}

bool Checker::end_block() {
    if (now_->read_unwritten) fail_with(now_->unwritten);
    return !now_->read_unwritten;
}

// ---- reports

void Checker::describe(char* text, size_t size, const Region& region) const {
    switch (region.parameter) {
    case Region::kStaticShared:
        for (const Variable& variable : launch_.kernel->variables)
            if (now_->worker->static_shared + variable.offset == region.begin && !variable.name.empty())
                snprintf(text, size, "static shared memory (%.40s)", variable.name.c_str());
        break;
    case Region::kDynamicShared: snprintf(text, size, "dynamic shared memory"); break;
    case Region::kVariables: snprintf(text, size, "the kernel's variables"); break;
    case Region::kAllocation: snprintf(text, size, "an array"); break;
    default: snprintf(text, size, "parameter %d", region.parameter);
    }
}

// The byte of the region that holds this address, and the region's name.
long Checker::locate(const void* address, char* where, size_t size) const {
    snprintf(where, size, "memory");
    for (const auto* regions : {&std::as_const(*now_).regions, &regions_})
        for (const Region& region : *regions)
            if (region.contains(address, 1)) {
                describe(where, size, region);
                return static_cast<const char*>(address) - region.begin;
            }
    return 0;
}

void Checker::report_race(const Present& present, Access earlier, uint32_t block, uint16_t thread, uint32_t pc) const {
    char where[64], who[64];
    const long byte = locate(present.address, where, sizeof where);
    const dim3 size = launch_.block, grid = launch_.grid;
    if (block == now_->block && thread == kUnknown) {
        snprintf(who, sizeof who, "another warp");
    } else if (block == now_->block) {
        snprintf(who, sizeof who, "thread (%u,%u,%u)", thread % size.x, thread / size.x % size.y,
                 thread / size.x / size.y);
    } else {
        const uint32_t i = block - 1;
        snprintf(who, sizeof who, "block (%u,%u,%u)", i % grid.x, i / grid.x % grid.y, i / grid.x / grid.y);
    }
    fail_at(present.pc, present.frame, launch_.kernel->base + pc,
            "race: this %s and an earlier %s by %s touch byte %ld of %s with no %s between them", name_of(present.kind),
            name_of(earlier), who, byte, where, block == now_->block ? "barrier" : "order");
}

void Checker::report_bounds(const Present& present, int bytes) const {
    const char* address = static_cast<const char*>(present.address);
    const Region* nearest = nullptr;
    int64_t distance = INT64_MAX;
    std::vector<Region> all = regions_;
    all.insert(all.end(), now_->regions.begin(), now_->regions.end());
    for (const Region& region : all) {
        if (region.parameter == Region::kVariables) continue;
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
    if (Watcher* watcher = worker->launch->watcher) {
        void** frame = *static_cast<void***>(__builtin_frame_address(0));  // of emulator::replace: its caller is meant
        watcher->observe(address, bytes, true, Access::atomic, static_cast<char*>(frame[1]) - 1, frame[0]);
    }
    // Now and then the others get a turn, so that a lock within the block comes free.
    if (worker->launch->schedule == Schedule::random || ++fiber.atomics % 64 == 0) yield();
}

void fence() {
    if (Watcher* watcher = worker->launch->watcher) watcher->fence();
}

}  // namespace emulator
