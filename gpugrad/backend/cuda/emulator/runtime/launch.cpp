// The interface to Python: find a kernel, launch it, fetch the error.

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

#include "checker.h"
#include "worker.h"

namespace emulator {

// ---- workers are kept for the next launch: their stacks are warm

static std::mutex idle_mutex;
static std::vector<std::unique_ptr<Worker>>& idle = *new std::vector<std::unique_ptr<Worker>>;

static std::unique_ptr<Worker> take_worker() {
    {
        std::lock_guard<std::mutex> lock(idle_mutex);
        if (!idle.empty()) {
            auto taken = std::move(idle.back());
            idle.pop_back();
            return taken;
        }
    }
    return std::make_unique<Worker>();
}

static void give_back(std::unique_ptr<Worker> used) {
    std::lock_guard<std::mutex> lock(idle_mutex);
    idle.push_back(std::move(used));
}

// A fault may be a stack overflow: its signal needs another stack.
class SignalStack {
public:
    SignalStack() {
        stack_t own{};
        own.ss_sp = memory_.get();
        own.ss_size = kBytes;
        sigaltstack(&own, &former_);
    }
    ~SignalStack() { sigaltstack(&former_, nullptr); }

private:
    static constexpr size_t kBytes = 64 << 10;
    std::unique_ptr<char[]> memory_{new char[kBytes]};
    stack_t former_;
};

// ---- a launch

static uint64_t gcd(uint64_t a, uint64_t b) { return b ? gcd(b, a % b) : a; }

uint64_t Launch::nth_block(uint64_t i) const {
    if (schedule == Schedule::forward) return i;
    if (schedule == Schedule::reverse) return blocks - 1 - i;
    uint64_t step = (seed * 0x9E3779B97F4A7C15u >> 33) % blocks | 1;
    while (gcd(step, blocks) != 1) step += 2;
    return (seed * 0xD1B54A32D192ED03u % blocks + static_cast<unsigned __int128>(step) * i) % blocks;
}

static void prepare_worker(Worker& w, Launch& launch) {
    w.launch = &launch;
    w.threads = launch.block.x * launch.block.y * launch.block.z;
    w.warp_count = (w.threads + kWarp - 1) / kWarp;
    w.running = nullptr;
    w.aborted = false;
    w.started_blocks = 0;
    w.blocks_at_tick = 1;
    w.static_shared = launch.kernel->static_shared();
    w.block.size = launch.block;
    w.block.grid = launch.grid;
    w.block.dynamic_shared = w.dynamic_shared.take(launch.dynamic_bytes);
}

// Runs blocks until there are none left; `pause` may end it earlier.
template <typename Pause> static void run_blocks(Launch& launch, Pause pause) {
    while (!launch.failed && !worker->aborted) {
        const uint64_t i = launch.next++;
        if (i >= launch.blocks) return;
        worker->run_block(launch.nth_block(i));
        if (pause()) return;
    }
}

// Work of one OS thread on a launch.
class Shift {
public:
    Shift(Launch& launch, unsigned milliseconds) : worker_(take_worker()), watchdog_(milliseconds) {
        prepare_worker(*worker_, launch);
        worker = worker_.get();
    }
    ~Shift() {
        worker = nullptr;
        give_back(std::move(worker_));
    }

private:
    std::unique_ptr<Worker> worker_;
    SignalStack signal_stack_;
    Watchdog watchdog_;
};

static void help(Launch& launch, unsigned milliseconds) {
    try {
        Shift shift(launch, milliseconds);
        run_blocks(launch, [] { return false; });
    } catch (const std::bad_alloc&) {  // the others do the work
    }
}

// The first blocks show how long one takes; other OS threads join only if what is left is worth starting them.
static void run_launch(Launch& launch, unsigned workers, unsigned milliseconds, const Region* regions, int count) {
    using Clock = std::chrono::steady_clock;
    Shift shift(launch, milliseconds);
    std::unique_ptr<Checker> checker;
    if (regions) {
        checker = std::make_unique<Checker>(*worker, regions, count);
        launch.checker = checker.get();
    }
    if (workers <= 1 || launch.blocks == 1) return run_blocks(launch, [] { return false; });
    const auto start = Clock::now();
    uint64_t done = 0;
    run_blocks(launch, [&] {
        const double each = std::chrono::duration<double, std::micro>(Clock::now() - start).count() / ++done;
        return each * (launch.blocks - done) > 200;
    });
    if (launch.failed || done == launch.blocks) return;
    std::vector<std::thread> helpers;
    const uint64_t wanted = std::min<uint64_t>(workers, launch.blocks - done);
    try {
        for (uint64_t i = 1; i < wanted; ++i) helpers.emplace_back(help, std::ref(launch), milliseconds);
    } catch (const std::system_error&) {  // the system gives no more threads: fewer do the work
    }
    run_blocks(launch, [] { return false; });
    for (auto& helper : helpers) helper.join();
}

static thread_local std::unique_ptr<Fault> last_fault;  // a pointer: there is little room for static TLS

}  // namespace emulator

using namespace emulator;

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED const Kernel* emulator_find(const Entry* entry) { return new Kernel(find_kernel(entry)); }

struct LaunchOptions {
    uint32_t grid[3], block[3], dynamic_bytes, schedule;
    uint64_t seed;
    uint32_t workers, milliseconds;
};

// `arguments` holds the parameters one after the other. Regions are given in check mode only, a null pointer else.
// Returns 0, or 1 and the error is what emulator_fault gives to the same OS thread.
EXPORTED int emulator_launch(const Kernel* kernel, const LaunchOptions* options, const char* arguments,
                             const Region* regions, int region_count) {
    Launch launch{};
    launch.kernel = kernel;
    launch.grid = {options->grid[0], options->grid[1], options->grid[2]};
    launch.block = {options->block[0], options->block[1], options->block[2]};
    launch.dynamic_bytes = options->dynamic_bytes;
    launch.schedule = static_cast<Schedule>(options->schedule);
    launch.seed = options->seed;
    launch.blocks = uint64_t(launch.grid.x) * launch.grid.y * launch.grid.z;

    struct alignas(64) Slot { char bytes[64]; };  // parameters are aligned as their types may ask
    const Entry& entry = *kernel->entry;
    size_t slots = 1;
    for (int i = 0; i < entry.parameter_count; ++i) slots += (entry.parameters[i].size + 63) / 64;
    std::vector<Slot> storage(slots);
    std::vector<void*> addresses(entry.parameter_count + 1);
    Slot* slot = storage.data();
    for (int i = 0; i < entry.parameter_count; ++i) {
        const int size = entry.parameters[i].size;
        memcpy(slot, arguments, size);
        addresses[i] = slot;
        arguments += size;
        slot += (size + 63) / 64;
    }
    launch.arguments = addresses.data();

    watch_signals();
    try {
        run_launch(launch, options->workers, options->milliseconds, regions, region_count);
    } catch (const std::bad_alloc&) {
        launch.failed = true;
        strcpy(launch.fault.message, "no memory left for the emulator");
    }
    fflush(stdout);  // what the kernel printed
    if (launch.failed) last_fault = std::make_unique<Fault>(launch.fault);
    return launch.failed;
}

EXPORTED void emulator_fault(Fault* fault) { *fault = *last_fault; }
EXPORTED uint64_t emulator_shared_bytes(const Kernel* kernel) { return kernel->shared_bytes; }
