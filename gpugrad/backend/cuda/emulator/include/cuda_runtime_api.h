// Everything that <cuda_runtime_api.h> declares is in emulator.h, which every kernel has in front of it.
#pragma once
