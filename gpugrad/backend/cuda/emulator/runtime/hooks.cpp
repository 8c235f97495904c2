// What the check build calls. It is compiled with -fsanitize=thread,bounds,... but linked with neither sanitizer: their
// instrumentation calls these functions, before every access to memory and where an expression has gone wrong.

#include "checker.h"
#include "worker.h"

using namespace emulator;

#define EXPORTED extern "C" __attribute__((visibility("default"))) void

static inline __attribute__((always_inline)) void see(const void* address, long bytes, Access kind,
                                                      const void* return_address, const void* frame) {
    if (!worker || !worker->running || !worker->launch->checker || bytes <= 0) return;
    const char* pc = static_cast<const char*>(return_address) - 1;  // the call, not what follows it
    worker->launch->checker->observe(address, static_cast<int>(bytes), kind, pc, frame);
}

#define SEE(address, bytes, kind) \
    see(address, bytes, Access::kind, __builtin_return_address(0), *static_cast<void**>(__builtin_frame_address(0)))

#define HOOKS(bytes)                                                                     \
    EXPORTED __tsan_read##bytes(void* address) { SEE(address, bytes, read); }            \
    EXPORTED __tsan_write##bytes(void* address) { SEE(address, bytes, write); }          \
    EXPORTED __tsan_unaligned_read##bytes(void* address) { SEE(address, bytes, read); }  \
    EXPORTED __tsan_unaligned_write##bytes(void* address) { SEE(address, bytes, write); }
HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)
EXPORTED __tsan_read_range(void* address, long bytes) { SEE(address, bytes, read); }
EXPORTED __tsan_write_range(void* address, long bytes) { SEE(address, bytes, write); }
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
