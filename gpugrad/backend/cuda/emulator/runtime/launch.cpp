// The interface to Python: find a kernel, launch it, fetch the error.

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

#include "checker.h"
#include "recorder.h"
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
    w.stacks.guard(w.threads);
    w.parked_shared.resize(launch.kernel->shared_bytes);
    w.static_shared = launch.kernel->static_shared();
    w.block.size = launch.block;
    w.block.grid = launch.grid;
    w.block.dynamic_shared = w.dynamic_shared.take(launch.dynamic_bytes);
}

// Work of one OS thread on a launch. A block runs until it ends or waits: all its threads poll, with atomics or
// __nanosleep. Then the next one begins beside it, as on a GPU, and those that wait take turns.
class Shift {
public:
    Shift(Launch& launch, unsigned milliseconds)
        : launch_(launch), limit_(kResidentThreads / (launch.block.x * launch.block.y * launch.block.z)),
          watchdog_(milliseconds) {
        worker = add_worker();
    }
    ~Shift() {
        worker = nullptr;
        for (auto& used : workers_) give_back(std::move(used));
    }

    // Runs blocks until none is left; `pause` may end it earlier.
    template <typename Pause> void run_blocks(Pause pause) {
        while (!launch_.failed && !worker->aborted) {
            if (!busy_ && !begin_next() && !resume_oldest()) return;
            switch (worker->run_block()) {
            case Worker::Outcome::aborted: return;
            case Worker::Outcome::ended:
                busy_ = false;
                if (pause()) return;
                resume_oldest();  // this may be what it waits for
                break;
            case Worker::Outcome::waits:
                waiting_.push_back(worker);
                make_room();
            }
        }
    }

private:
    static constexpr unsigned kResidentThreads = 24 << 10;  // each takes two of the 65,000 mappings of a process

    Worker* add_worker() {
        auto made = take_worker();
        made->progress = &progress_;
        prepare_worker(*made, launch_);
        workers_.push_back(std::move(made));
        return workers_.back().get();
    }

    bool begin_next() {
        if (launch_.next >= launch_.blocks) return false;
        const uint64_t i = launch_.next++;
        if (i >= launch_.blocks) return false;
        worker->start_block(launch_.nth_block(i));
        return busy_ = true;
    }

    bool resume_oldest() {
        if (waiting_.empty()) return false;
        if (!busy_) idle_.push_back(worker);
        switch_to(waiting_.front());
        waiting_.pop_front();
        progress_.waiting = waiting_.size();
        return busy_ = true;
    }

    // The present block waits: another one begins, or goes on.
    void make_room() {
        progress_.waiting = waiting_.size();
        if (launch_.next < launch_.blocks && waiting_.size() < limit_) {
            if (Worker* free = free_worker()) {
                switch_to(free);
                busy_ = false;
                if (begin_next()) return;
            }
        }
        progress_.full = launch_.next < launch_.blocks;
        resume_oldest();
    }

    Worker* free_worker() {
        if (idle_.empty()) {
            try {
                return add_worker();
            } catch (const std::bad_alloc&) {
                limit_ = waiting_.size();
                return nullptr;
            }
        }
        Worker* taken = idle_.back();
        idle_.pop_back();
        return taken;
    }

    // All blocks of an OS thread have their __shared__ variables at the same place.
    void switch_to(Worker* next) {
        if (next == worker) return;
        if (const size_t bytes = launch_.kernel->shared_bytes) {
            memcpy(worker->parked_shared.data(), worker->static_shared, bytes);
            memcpy(next->static_shared, next->parked_shared.data(), bytes);
        }
        worker = next;
        if (launch_.watcher) launch_.watcher->enter(*next);
    }

    Launch& launch_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<Worker*> idle_;
    std::deque<Worker*> waiting_;
    size_t limit_;
    bool busy_ = false;  // whether `worker` has a block
    Progress progress_;
    SignalStack signal_stack_;
    Watchdog watchdog_;
};

static void help(Launch& launch, unsigned milliseconds) {
    try {
        Shift shift(launch, milliseconds);
        shift.run_blocks([] { return false; });
    } catch (const std::bad_alloc&) {  // the others do the work
    }
}

enum class Watch : uint32_t { nothing, checks, records };

struct LaunchOptions {
    uint32_t grid[3], block[3], dynamic_bytes, schedule;
    uint64_t seed;
    uint32_t workers, milliseconds;
    Watch watch;
};

// Pointers: there is little room for static TLS.
static thread_local std::unique_ptr<Fault> last_fault;
static thread_local std::unique_ptr<std::string> last_recording;

// The first blocks show how long one takes; other OS threads join only if what is left is worth starting them.
static void run_launch(Launch& launch, const LaunchOptions& options, const Region* regions, int count) {
    using Clock = std::chrono::steady_clock;
    const unsigned workers = options.workers, milliseconds = options.milliseconds;
    Shift shift(launch, milliseconds);
    std::unique_ptr<Checker> checker;
    std::unique_ptr<Recorder> recorder;
    if (options.watch == Watch::checks) {
        checker = std::make_unique<Checker>(*worker, regions, count);
        launch.watcher = checker.get();
    }
    if (options.watch == Watch::records) {
        recorder = std::make_unique<Recorder>(*worker, regions, count);
        launch.watcher = recorder.get();
        shift.run_blocks([] { return false; });
        last_recording = std::make_unique<std::string>(recorder->text());
        return;
    }
    if (workers <= 1 || launch.blocks == 1) return shift.run_blocks([] { return false; });
    const auto start = Clock::now();
    uint64_t done = 0;
    shift.run_blocks([&] {
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
    shift.run_blocks([] { return false; });
    for (auto& helper : helpers) helper.join();
}

}  // namespace emulator

using namespace emulator;

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED const Kernel* emulator_find(const Entry* entry) { return new Kernel(find_kernel(entry)); }

// `arguments` holds the parameters one after the other. Regions are given to what watches.
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
        run_launch(launch, *options, regions, region_count);
    } catch (const std::bad_alloc&) {
        launch.failed = true;
        strcpy(launch.fault.message, "no memory left for the emulator");
    }
    fflush(stdout);  // what the kernel printed
    if (launch.failed) last_fault = std::make_unique<Fault>(launch.fault);
    return launch.failed;
}

EXPORTED void emulator_fault(Fault* fault) { *fault = *last_fault; }
EXPORTED const char* emulator_recording() { return last_recording->c_str(); }  // of this OS thread's last launch
EXPORTED uint64_t emulator_shared_bytes(const Kernel* kernel) { return kernel->shared_bytes; }
