// Records for a profile what a GPU's counters would count: requests of warps, the sectors and banks that they touch, and
// how many lanes take part.
//
// A lane runs alone until it has to wait, so each keeps a trace of its accesses, and of the stretches of code that it
// enters. Afterwards the traces of a warp are gone through together, as a warp would have run them: of the places at
// which its lanes stand, the one deepest in calls and then first in the code goes on, with all lanes that stand there
// (Collange 2011, "Stack-less SIMT reconvergence at low cost"). Lanes that parted meet again where their ways join.

#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "watcher.h"
#include "worker.h"

namespace emulator {

class Recorder final : public Watcher {
public:
    Recorder(Worker& worker, const Region* regions, int count);
    void enter(Worker& worker) override;
    void observe(const void* address, int bytes, bool whole, Access kind, const void* pc, const void* frame) override;
    void begin_copy(const Copy& copy, const void* frame) override;
    void reach(const void* pc, const void* frame) override;
    void order_block() override { barriers_ += now_->worker->warp_count; }
    void met(const char* operation, unsigned mask) override;
    void had_turns(Warp& warp) override;
    std::string text() const;  // everything counted, as JSON; run.py says what the numbers mean

private:
    enum What : uint8_t { code, global_read, global_write, global_atomic, shared_read, shared_write, shared_atomic };
    struct Event {
        uint64_t order;  // which of the lanes' next events goes first
        uint64_t address;
        uint32_t place;
        uint16_t bytes;
        uint8_t piece;  // bytes that one instruction moves: those of a structure take several
        What what;
    };
    struct Trace {
        std::vector<Event> events;
        size_t next = 0;
        bool is_empty() const { return next == events.size(); }
    };
    struct State {  // of a worker's block
        Worker* worker = nullptr;
        std::vector<Trace> traces;  // one a thread
        std::vector<Range> ignored;
    };
    struct Lanes {
        uint64_t executions, lanes;
    };
    struct Traffic {  // of one instruction. Units: sectors of global memory, turns of shared memory's banks
        uint64_t requests, lanes, bytes, units, least_units;
        uint32_t most_units;  // in one request
    };
    struct Page {  // one bit a byte
        uint64_t read[kPage / 64], written[kPage / 64];
    };
    struct Touched {  // distinct bytes, and the sectors that they lie in
        uint64_t read, written, sectors_read, sectors_written;
    };
    struct Request;

    void note(What what, const void* address, int bytes, int piece, const void* pc, const void* frame);
    uint32_t place_of(const void* pc, const void* frame);
    bool is_ignored(const void* address) const;
    bool is_shared(const void* address) const;
    void count(const Warp& warp, unsigned group);
    void count_request(const Request& request);
    void count_global(const Request& request, Traffic& traffic);
    void count_shared(const Request& request, Traffic& traffic) const;
    Page& page_of(uint64_t address);
    void mark(What what, uint64_t begin, uint64_t end);
    Touched touched(uint64_t begin, uint64_t end) const;

    const Launch& launch_;
    std::vector<Region> regions_;
    const char *code_begin_, *code_end_;
    std::vector<Range> ignored_;
    std::unordered_map<Worker*, State> states_;
    State* now_ = nullptr;
    std::unordered_map<uint64_t, uint32_t> numbers_;  // of places, by a hash
    std::vector<std::vector<uint32_t>> places_;       // the access itself and the calls around it, as offsets
    std::vector<Lanes> code_;                         // by place
    std::unordered_map<uint64_t, Traffic> traffic_;   // by place, what and piece
    std::unordered_map<const char*, Lanes> met_;
    std::unordered_map<uint64_t, Page> pages_;
    uint64_t barriers_ = 0, last_page_number_ = ~uint64_t(0);
    Page* last_page_ = nullptr;
};

}  // namespace emulator
