// assert() inside kernels is the emulator's own (runtime.h), also when a kernel includes <assert.h>.
#pragma once
#include <features.h>
