#include "fault.h"

#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "worker.h"

namespace emulator {

// ---- recording

static bool claim(Launch& launch) {
    worker->aborted = true;
    return !launch.failed.exchange(true);
}

static void copy_index(uint32_t* to, uint3 from) {
    to[0] = from.x;
    to[1] = from.y;
    to[2] = from.z;
}

static void add_frame(Fault& fault, const void* pc) {
    const Kernel& kernel = *worker->launch->kernel;
    if (fault.frame_count < kMaxFrames && kernel.contains(pc))
        fault.frames[fault.frame_count++] = static_cast<const char*>(pc) - kernel.base;
}

// Kernels and the runtime are compiled with frame pointers: {caller's frame, return address} is where they point.
static void walk(Fault& fault, const Fiber& fiber, const void* frame) {
    for (int depth = 0; depth < 64; ++depth) {
        const auto* at = static_cast<const char*>(frame);
        if (at < fiber.stack || at + 16 > fiber.stack_top || reinterpret_cast<uintptr_t>(at) % 8) return;
        const auto* words = static_cast<void* const*>(frame);
        add_frame(fault, static_cast<const char*>(words[1]) - 1);  // the call, not what follows it
        if (words[0] <= frame) return;
        frame = words[0];
    }
}

static void fill(Fault& fault, const void* pc, const void* frame, const void* other, const char* format,
                 va_list values) {
    const Launch& launch = *worker->launch;
    fault = Fault{};
    vsnprintf(fault.message, sizeof fault.message, format, values);
    fault.has_block = fault.has_thread = 1;
    copy_index(fault.block, worker->block.index);
    copy_index(fault.thread, worker->running->index);
    const Kernel& kernel = *launch.kernel;
    if (kernel.contains(other)) fault.other = static_cast<const char*>(other) - kernel.base;
    if (pc) add_frame(fault, pc);
    walk(fault, *worker->running, frame);
}

void record(const void* pc, const void* frame, const void* other, const char* format, va_list values) {
    if (claim(*worker->launch)) fill(worker->launch->fault, pc, frame, other, format, values);
}

void describe_fault(Fault& fault, const void* pc, const void* frame, const char* format, ...) {
    va_list values;
    va_start(values, format);
    fill(fault, pc, frame, nullptr, format, values);
    va_end(values);
}

void fail_with(const Fault& fault) {
    if (claim(*worker->launch)) worker->launch->fault = fault;
}

[[noreturn]] static void abandon() {
    void* nowhere;
    emulator_switch(&nowhere, worker->scheduler);
    __builtin_unreachable();
}

void fail(const char* format, ...) {
    va_list values;
    va_start(values, format);
    record(nullptr, __builtin_frame_address(0), nullptr, format, values);
    va_end(values);
    abandon();
}

void fail_at(const void* pc, const void* frame, const void* other, const char* format, ...) {
    va_list values;
    va_start(values, format);
    record(pc, frame, other, format, values);
    va_end(values);
    abandon();
}

void fail_block(const char* format, ...) {
    Launch& launch = *worker->launch;
    if (!claim(launch)) return;
    va_list values;
    va_start(values, format);
    vsnprintf(launch.fault.message, sizeof launch.fault.message, format, values);
    va_end(values);
    launch.fault.has_block = 1;
    copy_index(launch.fault.block, worker->block.index);
}

// ---- signals

static const int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
static struct sigaction before[NSIG];  // whose signals they are when no kernel runs

static int timer_signal() { return SIGRTMIN + 9; }

static void record_signal(const void* pc, const void* frame, const char* format, ...) {
    va_list values;
    va_start(values, format);
    record(pc, frame, nullptr, format, values);
    va_end(values);
}

// Makes the fiber go on in abandon(), on its own stack, once the handler returns.
static void divert(ucontext_t* context, const Fiber& fiber) {
    auto* registers = context->uc_mcontext.gregs;
    registers[REG_RSP] = (reinterpret_cast<greg_t>(fiber.stack_top) & ~greg_t(15)) - 8;
    registers[REG_RIP] = reinterpret_cast<greg_t>(&abandon);
}

static void on_fault(int signal, siginfo_t* info, void* data) {
    if (!worker || !worker->running) {  // not ours: the former handler gets it when the instruction is run again
        sigaction(signal, &before[signal], nullptr);
        return;
    }
    auto* context = static_cast<ucontext_t*>(data);
    const Fiber& fiber = *worker->running;
    const auto* pc = reinterpret_cast<const void*>(context->uc_mcontext.gregs[REG_RIP]);
    const auto* frame = reinterpret_cast<const void*>(context->uc_mcontext.gregs[REG_RBP]);
    const char* address = static_cast<const char*>(info->si_addr);
    if (signal == SIGFPE)
        record_signal(pc, frame, "integer division by zero, or a quotient that does not fit");
    else if (signal == SIGILL)
        record_signal(pc, frame, "a statement that cannot be reached was reached");
    else if (address >= fiber.stack - kPage && address < fiber.stack)
        record_signal(pc, frame, "stack overflow: a thread has %zu KiB", kStack >> 10);
    else if (info->si_code != SI_KERNEL && address < reinterpret_cast<char*>(kPage))
        record_signal(pc, frame, "access through a null pointer");
    else if (info->si_code == SI_KERNEL)
        record_signal(pc, frame, "misaligned access, or an address that no memory can have");
    else
        record_signal(pc, frame, "memory fault: out-of-bounds access at address %p", static_cast<const void*>(address));
    divert(context, fiber);
}

// ---- watchdog: a timer on the CPU time of each OS thread that works on a launch

namespace {

struct Timer {
    timer_t id{};
    pid_t process = 0;  // 0: there is none

    bool ready() {
        if (process == getpid()) return true;  // a fork has no timers
        sigevent event{};
        event.sigev_notify = SIGEV_THREAD_ID;
        event.sigev_signo = timer_signal();
        event._sigev_un._tid = static_cast<pid_t>(syscall(SYS_gettid));
        if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &id)) return false;
        process = getpid();
        return true;
    }
    void set(unsigned first, unsigned every) {  // milliseconds; 0: never
        auto time = [](unsigned ms) { return timespec{ms / 1000, ms % 1000 * 1000000L}; };
        const itimerspec times{time(every), time(first)};
        timer_settime(id, 0, &times, nullptr);
    }
    ~Timer() {
        if (process == getpid()) timer_delete(id);
    }
};

thread_local Timer timer;

}  // namespace

void explain_time_limit(char* text, size_t size) {
    const Progress& progress = *worker->progress;
    if (progress.full)
        snprintf(text, size, "time limit: %u blocks have begun and wait, and no more of this size run at once; a GPU has "
                 "such a limit, too", progress.waiting + 1);
    else
        snprintf(text, size, "time limit: a loop that does not end, or that waits for another block or thread");
}

static void on_timer(int, siginfo_t*, void* data) {
    if (!worker) return;
    Progress& progress = *worker->progress;
    if (progress.steps != progress.steps_at_tick) {
        progress.steps_at_tick = progress.steps;
        return;
    }
    worker->launch->out_of_time = true;  // the scheduler looks at this
    timer.set(1, 5);                     // from now on often, until the launch has ended
    auto* context = static_cast<ucontext_t*>(data);
    const auto* pc = reinterpret_cast<const void*>(context->uc_mcontext.gregs[REG_RIP]);
    // Only the kernel's own code is interrupted: a library function may hold a lock. The next tick comes soon.
    if (!worker->running || !worker->launch->kernel->contains(pc)) return;
    const auto* frame = reinterpret_cast<const void*>(context->uc_mcontext.gregs[REG_RBP]);
    char text[200];
    explain_time_limit(text, sizeof text);
    record_signal(pc, frame, "%s", text);
    divert(context, *worker->running);
}

// ---- while a launch runs

static void install(int signal, void (*handler)(int, siginfo_t*, void*)) {
    struct sigaction present;
    sigaction(signal, nullptr, &present);
    if ((present.sa_flags & SA_SIGINFO) && present.sa_sigaction == handler) return;
    before[signal] = present;
    struct sigaction ours{};
    ours.sa_sigaction = handler;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    sigaction(signal, &ours, nullptr);
}

void watch_signals() {
    static std::mutex mutex;
    std::lock_guard<std::mutex> lock(mutex);
    for (int signal : kSignals) install(signal, on_fault);  // someone else (faulthandler) may have come in between
    install(timer_signal(), on_timer);
}

Watchdog::Watchdog(unsigned milliseconds) {
    if (milliseconds && timer.ready()) timer.set(milliseconds, milliseconds);
}

Watchdog::~Watchdog() {
    if (timer.process == getpid()) timer.set(0, 0);
}

}  // namespace emulator
