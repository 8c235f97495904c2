// Everything that <cuda_bf16.h> declares is in emulator.h, which every kernel has in front of it.
#pragma once
