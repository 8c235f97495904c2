// What the builds that check and record call. They are compiled with -fsanitize=thread,... but linked with no sanitizer:
// their instrumentation calls these functions, before every access to memory and where an expression has gone wrong.

#include "watcher.h"
#include "worker.h"

using namespace emulator;

#define EXPORTED extern "C" __attribute__((visibility("default"))) void

static inline __attribute__((always_inline)) Watcher* watcher() {
    return worker && worker->running ? worker->launch->watcher : nullptr;
}

static inline __attribute__((always_inline)) const char* before(const void* return_address) {
    return static_cast<const char*>(return_address) - 1;  // the call, not what follows it
}

#define CALL before(__builtin_return_address(0)), *static_cast<void**>(__builtin_frame_address(0))
#define SEE(address, bytes, whole, kind)   \
    if (Watcher* present = watcher(); present && (bytes) > 0) \
    present->observe(address, static_cast<int>(bytes), whole, Access::kind, CALL)

#define HOOKS(bytes)                                                                            \
    EXPORTED __tsan_read##bytes(void* address) { SEE(address, bytes, true, read); }             \
    EXPORTED __tsan_write##bytes(void* address) { SEE(address, bytes, true, write); }           \
    EXPORTED __tsan_unaligned_read##bytes(void* address) { SEE(address, bytes, false, read); }  \
    EXPORTED __tsan_unaligned_write##bytes(void* address) { SEE(address, bytes, false, write); }
HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)
EXPORTED __tsan_read_range(void* address, long bytes) { SEE(address, bytes, false, read); }
EXPORTED __tsan_write_range(void* address, long bytes) { SEE(address, bytes, false, write); }
EXPORTED __sanitizer_cov_trace_pc() {  // the build that records: at the beginning of each stretch without branches
    if (Watcher* present = watcher()) present->reach(CALL);
}
EXPORTED __tsan_init() {}
EXPORTED __tsan_func_entry(void*) {}
EXPORTED __tsan_func_exit() {}

// ---- undefined behaviour (the layouts are those of GCC's libubsan)

struct TypeName {
    uint16_t kind, info;
    char name[1];
};
struct Mismatch {
    const char* file;
    uint32_t line, column;
    const TypeName* type;
    unsigned char log_alignment, kind;
};

EXPORTED __ubsan_handle_type_mismatch_v1(const Mismatch* data, const void* address) {
    if (!self) return;
    if (!address) fail("access through a null pointer");
    if (reinterpret_cast<uintptr_t>(address) % (uintptr_t(1) << data->log_alignment) == 0)  // -fsanitize=object-size
        fail("out-of-bounds access at %p through a pointer to %s: past the end of the array it was made from", address,
             data->type->name);
    fail("misaligned access: %p is not a multiple of %d, as type %s needs", address, 1 << data->log_alignment,
         data->type->name);
}
#define WRONG(handler, message) \
    EXPORTED __ubsan_handle_##handler(void*, ...) { if (self) fail(message); }
WRONG(out_of_bounds, "out-of-bounds index of an array")
WRONG(shift_out_of_bounds, "shift by more bits than the type has, or by less than 0")
WRONG(add_overflow, "signed integer overflow in an addition")
WRONG(sub_overflow, "signed integer overflow in a subtraction")
WRONG(mul_overflow, "signed integer overflow in a multiplication")
WRONG(negate_overflow, "signed integer overflow in a negation")
WRONG(divrem_overflow, "integer division by zero, or a quotient that does not fit")
