#include "recorder.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

namespace emulator {

constexpr size_t kLongestTrace = 1 << 14;  // then the other lanes get a turn, so that all can be gone through
constexpr int kSector = 32, kBanks = 32, kWord = 4, kWidest = 16;  // bytes, but for the number of banks

// `count` bits from bit `first` on; both lie in one word.
static uint64_t bits(uint64_t first, uint64_t count) { return (count < 64 ? (uint64_t(1) << count) - 1 : ~uint64_t(0)) << first; }

static Range range_of(const void* begin, size_t bytes) {
    char* start = static_cast<char*>(const_cast<void*>(begin));
    return {start, start + bytes};
}

Recorder::Recorder(Worker& worker, const Region* regions, int count)
    : launch_(*worker.launch), regions_(regions, regions + count) {
    const Kernel& kernel = *launch_.kernel;
    code_begin_ = code_end_ = kernel.base;
    for (const Range& segment : kernel.segments) code_end_ = std::max<const char*>(code_end_, segment.end);
    for (const Range& segment : kernel.segments) {  // constants; what can be written are __device__ variables
        const auto same = [&](const Range& data) { return data.begin == segment.begin; };
        if (std::none_of(kernel.data.begin(), kernel.data.end(), same)) ignored_.push_back(segment);
    }
    ignored_.push_back(range_of(&self, sizeof self));
    for (int i = 0; i < kernel.entry->parameter_count; ++i)
        ignored_.push_back(range_of(launch_.arguments[i], kernel.entry->parameters[i].size));
    ignored_.push_back(range_of(launch_.arguments, kernel.entry->parameter_count * sizeof(void*)));
    enter(worker);
}

void Recorder::enter(Worker& worker) {
    const auto [place, is_new] = states_.try_emplace(&worker);
    now_ = &place->second;
    if (!is_new) return;
    now_->worker = &worker;
    now_->traces.resize(kMaxThreads);
    now_->ignored = {range_of(&worker, sizeof worker),
                     range_of(worker.fibers.data(), worker.fibers.size() * sizeof(Fiber))};
    for (const Variable& variable : launch_.kernel->variables)
        if (variable.name.empty())
            now_->ignored.push_back(range_of(worker.static_shared + variable.offset, variable.bytes));
}

// ---- the trace of a lane

bool Recorder::is_ignored(const void* address) const {
    for (const auto* ranges : {&std::as_const(*now_).ignored, &ignored_})
        for (const Range& range : *ranges)
            if (range.contains(address)) return true;
    return false;
}

bool Recorder::is_shared(const void* address) const {
    const Worker& w = *now_->worker;
    const char* at = static_cast<const char*>(address);
    return (at >= w.block.dynamic_shared && at < w.block.dynamic_shared + launch_.dynamic_bytes) ||
           (w.static_shared && at >= w.static_shared && at < w.static_shared + launch_.kernel->shared_bytes);
}

// Numbers what the program counter and the calls around it say together.
uint32_t Recorder::place_of(const void* pc, const void* frame) {
    uint32_t chain[16];
    unsigned length = 0;
    uint64_t hash = 0xcbf29ce484222325u;
    const auto add = [&](const char* at) {
        if (at < code_begin_ || at >= code_end_) return false;
        chain[length] = static_cast<uint32_t>(at - code_begin_);
        hash = (hash ^ chain[length++]) * 0x100000001b3u;
        hash ^= hash >> 29;
        return true;
    };
    add(static_cast<const char*>(pc));
    const Fiber& fiber = *now_->worker->running;
    while (length < 16) {
        const auto* at = static_cast<const char*>(frame);
        if (at < fiber.stack || at + 16 > fiber.stack_top) break;
        const auto* words = static_cast<void* const*>(frame);
        if (!add(static_cast<const char*>(words[1]) - 1) || words[0] <= frame) break;
        frame = words[0];
    }
    const auto [found, is_new] = numbers_.try_emplace(hash, static_cast<uint32_t>(places_.size()));
    if (is_new) {
        places_.emplace_back(chain, chain + length);
        code_.push_back({0, 0});
    }
    return found->second;
}

void Recorder::note(What what, const void* address, int bytes, int piece, const void* pc, const void* frame) {
    Fiber& fiber = *now_->worker->running;
    const uint64_t depth = (fiber.stack_top - stagger(fiber.number) - static_cast<const char*>(frame)) / 16;
    const uint64_t offset = static_cast<const char*>(pc) - code_begin_;
    const uint64_t order = (kStack - depth) << 40 | (offset & 0xffffffffu) << 8 | what;
    Trace& trace = now_->traces[fiber.number];
    trace.events.push_back({order, reinterpret_cast<uint64_t>(address), place_of(pc, frame),
                            static_cast<uint16_t>(bytes), static_cast<uint8_t>(piece), what});
    if (trace.events.size() - trace.next >= kLongestTrace) leave_fiber();
}

// The bytes that one instruction can move of a structure: as many as its size and its address are multiples of.
static int piece_of(const void* address, int bytes, bool whole) {
    if (whole) return std::min(bytes, kWidest);
    int piece = kWidest;
    while (bytes % piece || reinterpret_cast<uintptr_t>(address) % piece) piece /= 2;
    // A structure of 16 bytes that g++ does not take for a whole has elements of at most 4.
    return bytes > kWidest || bytes & (bytes - 1) ? piece : std::min(piece, std::max(1, std::min(bytes / 2, kWord)));
}

void Recorder::observe(const void* address, int bytes, bool whole, Access kind, const void* pc, const void* frame) {
    if (now_->worker->stacks.contains(address) || is_ignored(address)) return;
    const int first = is_shared(address) ? shared_read : global_read;
    note(static_cast<What>(first + static_cast<int>(kind)), address, std::min(bytes, 0xffff),
         piece_of(address, bytes, whole), pc, frame);
}

void Recorder::begin_copy(const Copy& copy, const void* frame) {
    note(shared_write, copy.to, copy.bytes, copy.bytes, copy.pc, frame);
    if (copy.source_bytes) note(global_read, copy.from, copy.source_bytes, copy.source_bytes, copy.pc, frame);
}

void Recorder::reach(const void* pc, const void* frame) { note(code, nullptr, 0, 0, pc, frame); }

void Recorder::met(const char* operation, unsigned mask) {
    Lanes& total = met_[operation];
    ++total.executions;
    total.lanes += __builtin_popcount(mask);
}

// ---- the lanes of a warp together

void Recorder::had_turns(Warp& warp) {
    Trace* traces = &now_->traces[warp.number * kWarp];
    bool goes_on = true;
    while (goes_on) {
        const Event* first = nullptr;
        unsigned group = 0;
        for (unsigned lane = 0; lane < kWarp && goes_on; ++lane) {
            if (traces[lane].is_empty()) {
                goes_on = !(warp.ready >> lane & 1);  // else it has not been there yet
                continue;
            }
            const Event& event = traces[lane].events[traces[lane].next];
            if (!first || event.order < first->order) {
                first = &event;
                group = 1u << lane;
            } else if (event.order == first->order && event.place == first->place) {
                group |= 1u << lane;
            }
        }
        if (!goes_on || !group) break;
        count(warp, group);
        for (unsigned lane = 0; lane < kWarp; ++lane) traces[lane].next += group >> lane & 1;
    }
    for (unsigned lane = 0; lane < kWarp; ++lane) {
        Trace& trace = traces[lane];
        trace.events.erase(trace.events.begin(), trace.events.begin() + trace.next);
        trace.next = 0;
    }
}

// What the lanes of a warp ask for with one instruction.
struct Recorder::Request {
    What what;
    uint32_t place;
    int bytes;  // of each lane, at most kWidest
    unsigned lanes;
    uint64_t address[kWarp];
};

void Recorder::count(const Warp& warp, unsigned group) {
    const Trace* traces = &now_->traces[warp.number * kWarp];
    const auto event_of = [&](unsigned lane) -> const Event& { return traces[lane].events[traces[lane].next]; };
    const Event& first = event_of(__builtin_ctz(group));
    if (first.what == code) {
        ++code_[first.place].executions;
        code_[first.place].lanes += __builtin_popcount(group);
        return;
    }
    int bytes = 0, piece = kWidest;
    for (unsigned lane = 0; lane < kWarp; ++lane)
        if (group >> lane & 1) {
            bytes = std::max<int>(bytes, event_of(lane).bytes);
            piece = std::min<int>(piece, event_of(lane).piece);
        }
    Request request{first.what, first.place, piece, 0, {}};
    for (int done = 0; done < bytes; done += piece) {
        request.lanes = 0;
        for (unsigned lane = 0; lane < kWarp; ++lane)
            if ((group >> lane & 1) && done < event_of(lane).bytes) {
                request.lanes |= 1u << lane;
                request.address[lane] = event_of(lane).address + done;
            }
        count_request(request);
    }
}

void Recorder::count_request(const Request& request) {
    const uint64_t key = uint64_t(request.place) << 16 | uint64_t(request.what) << 8 | uint64_t(request.bytes);
    Traffic& traffic = traffic_[key];
    ++traffic.requests;
    traffic.lanes += __builtin_popcount(request.lanes);
    if (request.what < shared_read) count_global(request, traffic);
    else count_shared(request, traffic);
}

Recorder::Page& Recorder::page_of(uint64_t address) {
    const uint64_t number = address / kPage;
    if (number != last_page_number_) {
        last_page_ = &pages_[number];
        last_page_number_ = number;
    }
    return *last_page_;
}

void Recorder::mark(What what, uint64_t begin, uint64_t end) {
    for (uint64_t at = begin, next; at < end; at = next) {
        next = std::min(at / 64 * 64 + 64, end);
        Page& page = page_of(at);
        const uint64_t mask = bits(at % 64, next - at), word = at % kPage / 64;
        if (what != global_write) page.read[word] |= mask;
        if (what != global_read) page.written[word] |= mask;
    }
}

// Global memory moves in sectors. The least that would do is what the distinct bytes fill.
void Recorder::count_global(const Request& request, Traffic& traffic) {
    uint64_t starts[kWarp];
    unsigned n = 0;
    for (unsigned lane = 0; lane < kWarp; ++lane)
        if (request.lanes >> lane & 1) starts[n++] = request.address[lane];
    if (!std::is_sorted(starts, starts + n)) std::sort(starts, starts + n);
    uint64_t distinct = 0, end = 0, sectors = 0, next = 0;  // what lies before `end` and `next` is counted
    for (unsigned i = 0; i < n; ++i) {
        const uint64_t begin = std::max(starts[i], end), last = starts[i] + request.bytes - 1;
        if (last + 1 > begin) {
            distinct += last + 1 - begin;
            mark(request.what, begin, last + 1);
        }
        end = std::max(end, last + 1);
        for (uint64_t sector = std::max(starts[i] / kSector, next); sector <= last / kSector; ++sector) {
            ++sectors;
            next = sector + 1;
        }
    }
    traffic.bytes += distinct;
    traffic.units += sectors;
    traffic.least_units += (distinct + kSector - 1) / kSector;
    traffic.most_units = std::max<uint32_t>(traffic.most_units, sectors);
}

// Shared memory serves 32 lanes at once with up to 4 bytes each, 16 with 8, 8 with 16; in each turn a bank gives one
// word, to all lanes that ask for it. Atomics on the same word come one after the other.
void Recorder::count_shared(const Request& request, Traffic& traffic) const {
    const unsigned together = request.bytes <= kWord ? kWarp : kWarp * kWord / request.bytes;
    uint64_t turns = 0, least = 0;
    for (unsigned start = 0; start < kWarp; start += together) {
        uint64_t words[2 * kWarp];
        unsigned n = 0;
        for (unsigned lane = start; lane < start + together; ++lane) {
            if (!(request.lanes >> lane & 1)) continue;
            const uint64_t last = (request.address[lane] + request.bytes - 1) / kWord;
            for (uint64_t word = request.address[lane] / kWord; word <= last; ++word) words[n++] = word;
        }
        if (!n) continue;
        if (request.what != shared_atomic) {
            std::sort(words, words + n);
            n = std::unique(words, words + n) - words;
        }
        unsigned asked[kBanks] = {}, most = 0;
        for (unsigned i = 0; i < n; ++i) most = std::max(most, ++asked[words[i] % kBanks]);
        turns += most;
        least += (n + kBanks - 1) / kBanks;
    }
    traffic.bytes += uint64_t(request.bytes) * __builtin_popcount(request.lanes);
    traffic.units += turns;
    traffic.least_units += least;
    traffic.most_units = std::max<uint32_t>(traffic.most_units, turns);
}

// ---- the result

Recorder::Touched Recorder::touched(uint64_t begin, uint64_t end) const {
    Touched sum{};
    const auto add = [&](const uint64_t* words, uint64_t at, uint64_t mask, uint64_t& bytes, uint64_t& sectors) {
        const uint64_t word = words[at % kPage / 64] & mask;
        bytes += __builtin_popcountll(word);
        sectors += (uint32_t(word) != 0) + (word >> 32 != 0);
    };
    for (uint64_t at = begin, next; at < end; at = next) {
        const auto found = pages_.find(at / kPage);
        next = std::min((found == pages_.end() ? at / kPage * kPage + kPage : at / 64 * 64 + 64), end);
        if (found == pages_.end()) continue;
        const uint64_t mask = bits(at % 64, next - at);
        add(found->second.read, at, mask, sum.read, sum.sectors_read);
        add(found->second.written, at, mask, sum.written, sum.sectors_written);
    }
    return sum;
}

template <typename... Number> static void add_row(std::string& text, char& separator, Number... numbers) {
    text += separator;
    char inner = '[';
    ((text += inner, text += std::to_string(numbers), inner = ','), ...);
    text += ']';
    separator = ',';
}

std::string Recorder::text() const {
    std::string text = "{\"places\":";
    char next = '[';
    for (const auto& chain : places_) {
        text += next;
        next = '[';
        for (uint32_t offset : chain) {
            text += next + std::to_string(offset);
            next = ',';
        }
        text += ']';
        next = ',';
    }
    text += places_.empty() ? "[],\"code\":" : "],\"code\":";
    next = '[';
    for (size_t place = 0; place < code_.size(); ++place)
        if (code_[place].executions) add_row(text, next, place, code_[place].executions, code_[place].lanes);
    text += next == '[' ? "[],\"traffic\":" : "],\"traffic\":";
    next = '[';
    for (const auto& [key, t] : traffic_)
        add_row(text, next, key >> 16, key >> 8 & 0xff, key & 0xff, t.requests, t.lanes, t.bytes, t.units,
                t.least_units, t.most_units);
    text += next == '[' ? "[],\"arrays\":" : "],\"arrays\":";
    next = '[';
    for (const Region& region : regions_) {
        const auto begin = reinterpret_cast<uint64_t>(region.begin);
        const Touched t = touched(begin, begin + region.bytes);
        add_row(text, next, region.parameter, region.bytes, t.read, t.written, t.sectors_read, t.sectors_written);
    }
    text += next == '[' ? "[],\"met\":" : "],\"met\":";
    next = '{';
    for (const auto& [operation, lanes] : met_) {
        text += next;
        text += '"' + std::string(operation) + "\":";
        char inner = ' ';
        add_row(text, inner, lanes.executions, lanes.lanes);
        next = ',';
    }
    text += next == '{' ? "{}" : "}";
    Touched all{};
    for (const auto& [number, page] : pages_) {
        const Touched t = touched(number * kPage, number * kPage + kPage);
        all = {all.read + t.read, all.written + t.written, all.sectors_read + t.sectors_read,
               all.sectors_written + t.sectors_written};
    }
    text += ",\"touched\":";
    next = ' ';
    add_row(text, next, all.read, all.written, all.sectors_read, all.sectors_written);
    return text + ",\"barriers\":" + std::to_string(barriers_) + "}";
}

}  // namespace emulator
