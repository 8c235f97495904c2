// The CUDA runtime that CuPy's module `runtime` calls, over host memory: one device (or $FAKE_DEVICES), whose work is done
// when a call returns. Copies and waits are counted, and refused while a stream captures, as CUDA refuses them.
#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#undef cudaGetDeviceProperties  // headers of some versions define it as another name

namespace {

constexpr size_t kAlignment = 512;  // bytes, as cudaMalloc's
constexpr size_t kMemory = 140ull << 30, kFree = 130ull << 30;

thread_local int current_device = 0;
long waits = 0, downloads = 0, uploads = 0;
long handles = 0x1000;             // of streams, events and graphs: any number that is not null
cudaStream_t capturing = nullptr;  // the one stream that captures

int devices() {
  const char* given = getenv("FAKE_DEVICES");
  return given ? atoi(given) : 1;
}

template <typename T>
cudaError_t new_handle(T* made) {
  *made = reinterpret_cast<T>(handles += 16);
  return cudaSuccess;
}

cudaError_t wait() {
  waits++;
  return capturing ? cudaErrorStreamCaptureUnsupported : cudaSuccess;
}

void count(cudaMemcpyKind kind) {
  if (kind == cudaMemcpyDeviceToHost) downloads++;
  if (kind == cudaMemcpyHostToDevice) uploads++;
}

}  // namespace

extern "C" {

// waits, copies to the host, copies to the device
long fake_counter(int which) { return which == 0 ? waits : which == 1 ? downloads : uploads; }

void fake_end_capture() { capturing = nullptr; }  // what a test that failed has left

const char* cudaGetErrorName(cudaError_t error) {
  static thread_local char name[32];
  snprintf(name, sizeof name, "cudaError %d", static_cast<int>(error));
  return name;
}
const char* cudaGetErrorString(cudaError_t) { return "of the CUDA runtime in host memory"; }
cudaError_t cudaGetLastError() { return cudaSuccess; }

// ---- devices

cudaError_t cudaDriverGetVersion(int* version) { return *version = CUDART_VERSION, cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* version) { return *version = CUDART_VERSION, cudaSuccess; }
cudaError_t cudaGetDevice(int* device) { return *device = current_device, cudaSuccess; }
cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= devices()) return cudaErrorInvalidDevice;
  return current_device = device, cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int* count) { return *count = devices(), cudaSuccess; }

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  switch (attribute) {
    case cudaDevAttrComputeCapabilityMajor: *value = 9; break;
    case cudaDevAttrMaxThreadsPerBlock:
    case cudaDevAttrMaxBlockDimX: *value = 1024; break;
    case cudaDevAttrMaxSharedMemoryPerBlock: *value = 48 << 10; break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = 227 << 10; break;
    case cudaDevAttrWarpSize: *value = 32; break;
    case cudaDevAttrMultiProcessorCount: *value = 132; break;
    case cudaDevAttrMaxThreadsPerMultiProcessor: *value = 2048; break;
    case cudaDevAttrMaxGridDimX: *value = 2147483647; break;
    default: *value = 0;
  }
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* about, int) {
  *about = cudaDeviceProp{};
  strcpy(about->name, "CUDA runtime in host memory");
  about->major = 9;
  about->totalGlobalMem = kMemory;
  about->multiProcessorCount = 132;
  about->warpSize = 32;
  about->maxThreadsPerBlock = 1024;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties_v2(cudaDeviceProp* about, int device) { return cudaGetDeviceProperties(about, device); }
cudaError_t cudaDeviceSynchronize() { return wait(); }
cudaError_t cudaDeviceCanAccessPeer(int* can, int, int) { return *can = 1, cudaSuccess; }

// ---- memory

cudaError_t cudaMalloc(void** address, size_t bytes) {
  if (bytes > kFree || posix_memalign(address, kAlignment, bytes ? bytes : 1)) return cudaErrorMemoryAllocation;
  memset(*address, 0, bytes);
  return cudaSuccess;
}
cudaError_t cudaMallocManaged(void** address, size_t bytes, unsigned) { return cudaMalloc(address, bytes); }
cudaError_t cudaHostAlloc(void** address, size_t bytes, unsigned) { return cudaMalloc(address, bytes); }
cudaError_t cudaFree(void* address) { return free(address), cudaSuccess; }
cudaError_t cudaFreeHost(void* address) { return free(address), cudaSuccess; }
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) { return *free = kFree, *total = kMemory, cudaSuccess; }

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t) {
  count(kind);
  memmove(to, from, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  if (capturing) return cudaErrorStreamCaptureUnsupported;
  return cudaMemcpyAsync(to, from, bytes, kind, nullptr);
}
cudaError_t cudaMemcpyPeer(void* to, int, const void* from, int, size_t bytes) { return memmove(to, from, bytes), cudaSuccess; }
cudaError_t cudaMemcpyPeerAsync(void* to, int, const void* from, int, size_t bytes, cudaStream_t) {
  return memmove(to, from, bytes), cudaSuccess;
}
cudaError_t cudaMemset(void* address, int value, size_t bytes) { return memset(address, value, bytes), cudaSuccess; }
cudaError_t cudaMemsetAsync(void* address, int value, size_t bytes, cudaStream_t) { return cudaMemset(address, value, bytes); }

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* about, const void* address) {
  *about = cudaPointerAttributes{};
  about->type = cudaMemoryTypeDevice;
  about->device = current_device;
  about->devicePointer = const_cast<void*>(address);
  return cudaSuccess;
}

// ---- streams, events and graphs

cudaError_t cudaStreamCreate(cudaStream_t* made) { return new_handle(made); }
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* made, unsigned) { return new_handle(made); }
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* made, unsigned, int) { return new_handle(made); }
cudaError_t cudaStreamGetFlags(cudaStream_t, unsigned* flags) { return *flags = 0, cudaSuccess; }
cudaError_t cudaStreamGetPriority(cudaStream_t, int* priority) { return *priority = 0, cudaSuccess; }
cudaError_t cudaStreamSynchronize(cudaStream_t) { return wait(); }
cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
cudaError_t cudaStreamQuery(cudaStream_t) { return cudaSuccess; }
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return cudaSuccess; }
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  *status = stream && stream == capturing ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  return cudaSuccess;
}
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (!stream || capturing) return cudaErrorStreamCaptureUnsupported;
  return capturing = stream, cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  if (stream != capturing) return cudaErrorStreamCaptureUnmatched;
  capturing = nullptr;
  return new_handle(graph);
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* made, cudaGraph_t, unsigned long long) { return new_handle(made); }
cudaError_t cudaGraphLaunch(cudaGraphExec_t, cudaStream_t) { return cudaSuccess; }
cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t) { return cudaSuccess; }
cudaError_t cudaGraphDestroy(cudaGraph_t) { return cudaSuccess; }
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t) { return cudaSuccess; }
cudaError_t cudaEventCreate(cudaEvent_t* made) { return new_handle(made); }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* made, unsigned) { return new_handle(made); }
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) { return cudaSuccess; }
cudaError_t cudaEventQuery(cudaEvent_t) { return cudaSuccess; }
cudaError_t cudaEventSynchronize(cudaEvent_t) { return wait(); }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t, cudaEvent_t) { return *milliseconds = 1, cudaSuccess; }
cudaError_t cudaEventDestroy(cudaEvent_t) { return cudaSuccess; }
}
