// Check mode: every access of the kernel is seen here, and looked at for races and bounds.

#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "watcher.h"
#include "worker.h"

namespace emulator {

// What is known of the last accesses to one granule of memory. An epoch of 0: none yet.
struct Cell {
    struct Write {
        uint32_t epoch, block, time, pc;
        uint16_t thread;
    } write, atomic;
    struct Reads {  // those of one warp; of others only that there were some
        uint32_t epoch, block, time, pc, lanes;
        uint16_t thread;
        bool several_warps, several_blocks;
    } reads;
    struct Copying {  // cp.async that nobody has waited for: the one that writes here, how many read here
        uint32_t pc;
        uint16_t thread, readers;
    } copying;
};

// The cells of a stretch of memory. Their granule begins at 4 bytes and shrinks to the smallest access seen.
class Shadow {
public:
    Shadow(char* begin, char* end, bool shared);
    bool contains(const void* address) const { return address >= begin_ && address < end_; }
    bool begins_after(const void* address) const { return address < begin_; }
    bool is_shared() const { return shared_; }
    void refine(const void* address, int bytes);
    Cell* first(const void* address) { return &cells_[index(address)]; }
    Cell* last(const void* address, int bytes) { return &cells_[index((const char*)address + bytes - 1)]; }

private:
    size_t index(const void* address) const { return ((uintptr_t)address >> shift_) - ((uintptr_t)begin_ >> shift_); }
    void allocate();
    char *begin_, *end_;
    int shift_ = 2;
    bool shared_;
    struct Free {
        void operator()(Cell* cells) const;
    };
    std::unique_ptr<Cell[], Free> cells_;
};

class Checker final : public Watcher {
public:
    Checker(Worker& worker, const Region* regions, int count);
    void enter(Worker& worker) override;
    void start_block(uint64_t number) override;
    bool end_block() override;  // fails if one of its threads read shared memory that none had written
    void order_block() override;
    void order_lanes(unsigned warp, unsigned mask) override;
    void fence() override { fenced_[now_->block] = now_->epoch; }
    void observe(const void* address, int bytes, bool whole, Access kind, const void* pc, const void* frame) override;
    void begin_copy(const Copy& copy, const void* frame) override;
    void end_copy(const Copy& copy) override;

private:
    struct Present {  // who makes an access, and from where
        const Fiber& fiber;
        const void *address, *pc, *frame;
        Access kind;
    };
    struct WarpClock {
        uint32_t now;                 // how often lanes of this warp were ordered
        uint32_t seen[kWarp][kWarp];  // [b][a]: lane a's accesses before this time come before what lane b does next
    };

    struct BlockState {  // what is known of a block, and of the worker that runs it
        Worker* worker;
        std::vector<Region> regions;  // its shared memory
        std::vector<Shadow> shadows;
        std::vector<Range> own;  // the worker's memory, which is no business of the checks
        std::vector<WarpClock> clocks;
        uint32_t epoch = 0, block = 0;
        bool acquired = false;  // whether the block has used an atomic, and so may have learned of another
        bool read_unwritten = false;
        Fault unwritten;  // the first such read. A race explains it better, if there is one
    };

    bool is_private(const void* address) const;
    const Region* find(const void* address, int bytes);
    bool may_write(const void* address, int bytes) const;
    template <typename Visit> void visit(const void* address, int bytes, Visit visitor);
    void look_at_copies(const Cell& cell, const Present& present) const;
    bool has_only_padding_unwritten(const void* address, int bytes);
    void note_unwritten(const Present& present, int bytes);
    const Fiber& fiber_of(uint16_t thread) const { return now_->worker->fibers[thread]; }
    Shadow& shadow_of(const void* address);
    bool published(uint32_t block, uint32_t epoch) const;
    void look(Cell& cell, const Present& present, bool shared);
    bool races_with_write(const Cell::Write& write, const Present& present, bool shared) const;
    bool races_with_reads(const Cell::Reads& reads, const Present& present, bool shared) const;
    void add_read(Cell::Reads& reads, const Present& present) const;
    Cell::Write as_write(const Present& present) const;
    static constexpr uint16_t kUnknown = 0xffff;  // a thread of another warp
    uint16_t other_reader(const Cell::Reads& reads, const Fiber& fiber) const;
    uint32_t offset(const void* pc) const;
    void describe(char* text, size_t size, const Region& region) const;
    long locate(const void* address, char* where, size_t size) const;
    [[noreturn]] void report_race(const Present& present, Access earlier, uint32_t block, uint16_t thread,
                                  uint32_t pc) const;
    [[noreturn]] void report_bounds(const Present& present, int bytes) const;

    const Launch& launch_;
    std::vector<Region> regions_;  // global memory
    std::vector<Range> private_;   // memory that is no business of the checks: the runtime's own, the library's
    std::vector<Shadow> shadows_;
    std::unordered_map<Worker*, BlockState> states_;
    BlockState* now_ = nullptr;
    Region recent_{};  // the one that was found last
    uint32_t last_epoch_ = 0;
    std::unordered_map<uint32_t, uint32_t> fenced_;  // block -> the epoch of its last __threadfence
};

}  // namespace emulator
