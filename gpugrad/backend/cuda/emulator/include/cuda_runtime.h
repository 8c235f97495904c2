// Everything that <cuda_runtime.h> declares is in emulator.h, which every kernel has in front of it.
#pragma once
