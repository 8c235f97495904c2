// CUDA C++ for a host compiler: every kernel is compiled with this header in front of it (g++ -include emulator.h).
//
// A CUDA thread is a fiber of the runtime (../runtime); this side of it gives CUDA's names their meaning on the CPU.

#pragma once

// Standard headers first: some of the macros below would break them.
#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <limits>
#include <type_traits>
#include <utility>

#include "emulator/conversions.h"
#include "emulator/language.h"
#include "emulator/collectives.h"
#include "emulator/atomics.h"
#include "emulator/integers.h"
#include "emulator/mathematics.h"
#include "emulator/small_floats.h"
#include "emulator/tensor_cores.h"
#include "emulator/entry.h"
