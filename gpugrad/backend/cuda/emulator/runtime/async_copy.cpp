// cp.async: copied at the wait, the last moment that PTX allows. Until then its target is NaN, so that a missing wait
// shows although an earlier copy had left something there.

#include <algorithm>
#include <cstring>

#include "watcher.h"
#include "worker.h"

namespace emulator {

void begin_copy(void* shared, const void* global, int bytes, int source_bytes) {
    if (reinterpret_cast<uintptr_t>(shared) % bytes)
        fail("cp.async of %d bytes: the shared address %p is misaligned", bytes, shared);
    if (reinterpret_cast<uintptr_t>(global) % bytes)
        fail("cp.async of %d bytes: the global address %p is misaligned", bytes, global);
    if (source_bytes < 0 || source_bytes > bytes)
        fail("cp.async of %d bytes: %d bytes cannot be read for it", bytes, source_bytes);
    Fiber& fiber = *worker->running;
    const char* pc = static_cast<const char*>(__builtin_return_address(0)) - 1;
    fiber.copies.push_back({shared, global, bytes, source_bytes, fiber.copy_group, pc});
    if (Watcher* watcher = worker->launch->watcher)
        watcher->begin_copy(fiber.copies.back(), *static_cast<void**>(__builtin_frame_address(0)));
    memset(shared, 0xff, bytes);
}

void commit_copies() { ++worker->running->copy_group; }

static void perform(const Copy& copy) {
    if (Watcher* watcher = worker->launch->watcher) watcher->end_copy(copy);
    char* to = static_cast<char*>(copy.to);
    if (copy.source_bytes) memcpy(to, copy.from, copy.source_bytes);
    memset(to + copy.source_bytes, 0, copy.bytes - copy.source_bytes);
}

void wait_copies(int groups_left) {
    Fiber& fiber = *worker->running;
    auto due = [&](const Copy& copy) { return int(fiber.copy_group - copy.group) > groups_left; };
    const auto end = std::find_if_not(fiber.copies.begin(), fiber.copies.end(), due);
    for (auto copy = fiber.copies.begin(); copy != end; ++copy) perform(*copy);
    fiber.copies.erase(fiber.copies.begin(), end);
}

void read_shared(const void* address, int bytes, const char* operation) {
    if (reinterpret_cast<uintptr_t>(address) % bytes)
        fail("%s: the row at %p is misaligned, it needs %d bytes", operation, address, bytes);
    if (Watcher* watcher = worker->launch->watcher) {
        const char* pc = static_cast<const char*>(__builtin_return_address(0)) - 1;
        watcher->observe(address, bytes, true, Access::read, pc, *static_cast<void**>(__builtin_frame_address(0)));
    }
}

}  // namespace emulator
