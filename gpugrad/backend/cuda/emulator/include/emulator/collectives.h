// Barriers, and what the lanes of a warp do together: shuffles, votes, matches, reductions.

#pragma once

#include "language.h"

#define EMULATOR_SITE ::emulator::Site site = ::emulator::Site::here()

// ---- barriers

inline void __syncthreads(EMULATOR_SITE) { emulator::meet_block("__syncthreads", site, false); }
inline int __syncthreads_count(int predicate, EMULATOR_SITE) {
    return emulator::meet_block("__syncthreads_count", site, predicate != 0);
}
inline int __syncthreads_or(int predicate, EMULATOR_SITE) {
    return emulator::meet_block("__syncthreads_or", site, predicate != 0) != 0;
}
inline int __syncthreads_and(int predicate, EMULATOR_SITE) {
    return emulator::meet_block("__syncthreads_and", site, predicate == 0) == 0;
}
inline void __syncwarp(unsigned mask = 0xffffffffu, EMULATOR_SITE) {
    emulator::meet_warp("__syncwarp", site, mask, nullptr, nullptr, true);
}
inline unsigned __activemask() { return emulator::live_lanes(); }
inline void __threadfence() { emulator::fence(); }
inline void __threadfence_system() { emulator::fence(); }
inline void __threadfence_block() {}

namespace emulator {

EMULATOR_UNCHECKED inline bool has(unsigned mask, int lane) { return mask >> lane & 1; }

// ---- shuffles

template <typename T> struct Shuffle {
    T given, received;
    int source;
};

template <typename T> EMULATOR_UNCHECKED void exchange(void* const* payloads, unsigned mask) {
    for (int lane = 0; lane < 32; ++lane) {
        if (!has(mask, lane)) continue;
        auto* mine = static_cast<Shuffle<T>*>(payloads[lane]);
        if (!has(mask, mine->source))
            fail("shuffle: lane %d reads lane %d, which does not take part (mask %08x)", lane, mine->source, mask);
        mine->received = static_cast<Shuffle<T>*>(payloads[mine->source])->given;
    }
}

template <typename T> inline T shuffle(const char* operation, Site site, unsigned mask, T value, int source) {
    static_assert(sizeof(T) <= 8, "a shuffle moves at most 8 bytes");
    Shuffle<T> payload{value, value, source};
    meet_warp(operation, site, mask, &payload, exchange<T>, false);
    return payload.received;
}

inline int first_of_group(int lane, int width) { return lane & ~(width - 1); }

// `source`, or the lane itself if that is outside its group of `width` lanes.
inline int within_group(int source, int width) {
    const int lane = self->lane, first = first_of_group(lane, width);
    return source < first || source >= first + width ? lane : source;
}

}  // namespace emulator

template <typename T> inline T __shfl_sync(unsigned mask, T value, int source, int width = 32, EMULATOR_SITE) {
    const int first = emulator::first_of_group(emulator::self->lane, width);
    return emulator::shuffle("__shfl_sync", site, mask, value, first | (source & (width - 1)));
}
template <typename T> inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, EMULATOR_SITE) {
    const int source = emulator::within_group(int(emulator::self->lane) - int(delta), width);
    return emulator::shuffle("__shfl_up_sync", site, mask, value, source);
}
template <typename T> inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, EMULATOR_SITE) {
    const int source = emulator::within_group(int(emulator::self->lane) + int(delta), width);
    return emulator::shuffle("__shfl_down_sync", site, mask, value, source);
}
template <typename T> inline T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, EMULATOR_SITE) {
    const int lane = emulator::self->lane, source = lane ^ lanes;  // an earlier group may be read, a later one not
    const bool later = source >= emulator::first_of_group(lane, width) + width;
    return emulator::shuffle("__shfl_xor_sync", site, mask, value, later ? lane : source);
}

// ---- votes, matches, reductions: every lane gives a value, `join` makes one result of each lane's

namespace emulator {

template <typename T, typename R> struct Ballot {
    T given;
    R received;
};

template <typename T, typename R, typename Join> EMULATOR_UNCHECKED void collect(void* const* payloads, unsigned mask) {
    for (int lane = 0; lane < 32; ++lane)
        if (has(mask, lane)) {
            auto* mine = static_cast<Ballot<T, R>*>(payloads[lane]);
            R result = Join::start;
            for (int other = 0; other < 32; ++other)
                if (has(mask, other))
                    result = Join::join(result, mine->given, static_cast<Ballot<T, R>*>(payloads[other])->given, other);
            mine->received = result;
        }
}

template <typename R, typename Join, typename T>
inline R ballot(const char* operation, Site site, unsigned mask, T value) {
    Ballot<T, R> payload{value, R()};
    meet_warp(operation, site, mask, &payload, collect<T, R, Join>, false);
    return payload.received;
}

struct LanesThatAre {
    static constexpr unsigned start = 0;
    EMULATOR_UNCHECKED static unsigned join(unsigned found, int, int other, int lane) {
        return found | unsigned(other != 0) << lane;
    }
};
struct LanesThatEqual {
    static constexpr unsigned start = 0;
    template <typename T> EMULATOR_UNCHECKED static unsigned join(unsigned found, T mine, T other, int lane) {
        return found | unsigned(mine == other) << lane;
    }
};

#define EMULATOR_REDUCTION(Name, initial, expression)                                                    \
    template <typename T> struct Name {                                                                  \
        static constexpr T start = initial;                                                              \
        EMULATOR_UNCHECKED static T join(T a, T, T b, int) { return expression; }                        \
    };
EMULATOR_REDUCTION(ReduceAdd, 0, T(unsigned(a) + unsigned(b)))
EMULATOR_REDUCTION(ReduceMin, std::numeric_limits<T>::max(), b < a ? b : a)
EMULATOR_REDUCTION(ReduceMax, std::numeric_limits<T>::lowest(), a < b ? b : a)
EMULATOR_REDUCTION(ReduceAnd, T(~T(0)), a & b)
EMULATOR_REDUCTION(ReduceOr, 0, a | b)
EMULATOR_REDUCTION(ReduceXor, 0, a ^ b)
#undef EMULATOR_REDUCTION

}  // namespace emulator

inline unsigned __ballot_sync(unsigned mask, int predicate, EMULATOR_SITE) {
    return emulator::ballot<unsigned, emulator::LanesThatAre>("__ballot_sync", site, mask, predicate);
}
inline int __any_sync(unsigned mask, int predicate, EMULATOR_SITE) {
    return emulator::ballot<unsigned, emulator::LanesThatAre>("__any_sync", site, mask, predicate) != 0;
}
inline int __all_sync(unsigned mask, int predicate, EMULATOR_SITE) {
    return emulator::ballot<unsigned, emulator::LanesThatAre>("__all_sync", site, mask, predicate == 0) == 0;
}
template <typename T> inline unsigned __match_any_sync(unsigned mask, T value, EMULATOR_SITE) {
    return emulator::ballot<unsigned, emulator::LanesThatEqual>("__match_any_sync", site, mask, value);
}
template <typename T> inline unsigned __match_all_sync(unsigned mask, T value, int* all, EMULATOR_SITE) {
    const unsigned same = emulator::ballot<unsigned, emulator::LanesThatEqual>("__match_all_sync", site, mask, value);
    *all = same == (mask & emulator::live_lanes());
    return *all ? same : 0;
}

#define EMULATOR_REDUCE(name, Join, T)                                                                   \
    inline T name(unsigned mask, T value, EMULATOR_SITE) {                                               \
        return emulator::ballot<T, emulator::Join<T>>(#name, site, mask, value);                         \
    }
EMULATOR_REDUCE(__reduce_add_sync, ReduceAdd, unsigned)
EMULATOR_REDUCE(__reduce_add_sync, ReduceAdd, int)
EMULATOR_REDUCE(__reduce_min_sync, ReduceMin, unsigned)
EMULATOR_REDUCE(__reduce_min_sync, ReduceMin, int)
EMULATOR_REDUCE(__reduce_max_sync, ReduceMax, unsigned)
EMULATOR_REDUCE(__reduce_max_sync, ReduceMax, int)
EMULATOR_REDUCE(__reduce_and_sync, ReduceAnd, unsigned)
EMULATOR_REDUCE(__reduce_or_sync, ReduceOr, unsigned)
EMULATOR_REDUCE(__reduce_xor_sync, ReduceXor, unsigned)
#undef EMULATOR_REDUCE
