// Everything that <cuda_fp16.h> declares is in emulator.h, which every kernel has in front of it.
#pragma once
