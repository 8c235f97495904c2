// libcuda.so.1: a module is the image of a file, and has the functions whose names stand in it. CuPy's own kernels do nothing;
// those of images that begin with "EMULATED" go to the handler that `fake_set_handler` sets. Sizes are checked.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INVALID_VALUE = 1, FILE_NOT_FOUND = 301, NOT_FOUND = 500, MAX_SHARED = 227 << 10, FREE_SHARED = 48 << 10 };

typedef struct {
  char* image;
  size_t size;
} Module;

typedef struct {
  Module* module;
  char* name;
  unsigned shared;  // the bytes of dynamic shared memory that were asked for
} Function;

// name, grid and block (6 numbers), shared bytes, addresses of the arguments: the driver's status
typedef int (*Handler)(const char*, const unsigned*, unsigned, void**);

static Handler handler;
static long launches;
static char last[4096];
static void* const context = (void*)0x10;

void fake_set_handler(Handler given) { handler = given; }
long fake_launches(void) { return launches; }
const char* fake_last(void) { return last; }

int cuGetErrorName(int error, const char** text) {
  *text = error == NOT_FOUND ? "CUDA_ERROR_NOT_FOUND" : error == INVALID_VALUE ? "CUDA_ERROR_INVALID_VALUE" : "CUDA_ERROR";
  return 0;
}
int cuGetErrorString(int error, const char** text) { return *text = "of the driver in host memory", 0; }

// ---- contexts: there is one

int cuDevicePrimaryCtxRelease_v2(int device) { return 0; }
int cuCtxGetCurrent(void** found) { return *found = context, 0; }
int cuCtxSetCurrent(void* given) { return 0; }
int cuCtxCreate_v2(void** made, unsigned flags, int device) { return *made = context, 0; }
int cuCtxDestroy_v2(void* given) { return 0; }
int cuCtxGetDevice(int* device) { return *device = 0, 0; }
int cuStreamGetCtx(void* stream, void** found) { return *found = context, 0; }

#ifdef FOR_CUBLASLT  // it asks for these; NVRTC, where it finds them, asks the driver for more and crashes
int cuDriverGetVersion(int* version) { return *version = 13000, 0; }
int cuInit(unsigned flags) { return 0; }
#endif

// ---- modules

static Module* module_of(const void* image, size_t size) {
  Module* made = malloc(sizeof *made);
  made->size = size;
  made->image = memcpy(malloc(size + 1), image, size);
  return made;
}

int cuModuleLoad(void** made, const char* name) {
  FILE* file = fopen(name, "rb");
  if (!file) return FILE_NOT_FOUND;
  fseek(file, 0, SEEK_END);
  size_t size = ftell(file);
  rewind(file);
  char* image = malloc(size);
  size_t got = fread(image, 1, size, file);
  fclose(file);
  if (got == size) *made = module_of(image, size);
  free(image);
  return got == size ? 0 : FILE_NOT_FOUND;
}

static size_t elf_size(const unsigned char* image) {  // from the headers of sections and of segments
  unsigned long sections, segments;
  unsigned short section_size, section_count, segment_size, segment_count;
  memcpy(&segments, image + 0x20, 8);
  memcpy(&sections, image + 0x28, 8);
  memcpy(&segment_size, image + 0x36, 2);
  memcpy(&segment_count, image + 0x38, 2);
  memcpy(&section_size, image + 0x3a, 2);
  memcpy(&section_count, image + 0x3c, 2);
  size_t a = sections + (size_t)section_size * section_count, b = segments + (size_t)segment_size * segment_count;
  return a > b ? a : b;
}

int cuModuleLoadData(void** made, const void* image) {
  int is_elf = !memcmp(image, "\177ELF", 4);
  *made = module_of(image, is_elf ? elf_size(image) : strlen(image) + 1);
  return 0;
}
int cuModuleUnload(void* given) { return 0; }

int cuModuleGetFunction(void** made, void* given, const char* name) {
  Module* module = given;
  if (strncmp(module->image, "SHADOWED", 8) && !memmem(module->image, module->size, name, strlen(name) + 1)) return NOT_FOUND;
  Function* function = calloc(1, sizeof *function);
  function->module = module;
  function->name = strdup(name);
  return *made = function, 0;
}
int cuModuleGetGlobal_v2(void** address, size_t* size, void* module, const char* name) {
  return *address = calloc(1, 1 << 16), *size = 1 << 16, 0;
}

#define ACCEPT(name) \
  int name() { return 0; }
ACCEPT(cuLinkCreate_v2) ACCEPT(cuLinkAddData_v2) ACCEPT(cuLinkAddFile_v2) ACCEPT(cuLinkComplete) ACCEPT(cuLinkDestroy)

// ---- launches

int cuFuncGetAttribute(int* value, int attribute, void* function) {
  enum { MAX_THREADS = 0, REGISTERS = 4 };
  return *value = attribute == MAX_THREADS ? 1024 : attribute == REGISTERS ? 32 : 0, 0;
}
int cuFuncSetAttribute(void* given, int attribute, int value) {
  enum { MAX_DYNAMIC_SHARED = 8 };
  if (attribute == MAX_DYNAMIC_SHARED && value > MAX_SHARED) return INVALID_VALUE;
  if (attribute == MAX_DYNAMIC_SHARED) ((Function*)given)->shared = value;
  return 0;
}

int cuLaunchKernel(void* given, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared,
                   void* stream, void** params, void** extra) {
  Function* function = given;
  launches++;
  snprintf(last, sizeof last, "%s", function->name);
  if (!gx || !gy || !gz || !bx || !by || !bz || gy > 65535 || gz > 65535 || bx * by * bz > 1024) return INVALID_VALUE;
  if (shared > FREE_SHARED && shared > function->shared) return INVALID_VALUE;
  const unsigned sizes[] = {gx, gy, gz, bx, by, bz};
  if (handler && !strncmp(function->module->image, "EMULATED", 8)) return handler(function->name, sizes, shared, params);
  return 0;
}
int cuLaunchCooperativeKernel() { return launches++, 0; }
int cuOccupancyMaxActiveBlocksPerMultiprocessor(int* count, void* function, int block, size_t shared) { return *count = 4, 0; }
int cuOccupancyMaxPotentialBlockSize(int* grid, int* block, void* f, void* sizes, size_t shared, int limit) {
  return *grid = 528, *block = 256, 0;
}
