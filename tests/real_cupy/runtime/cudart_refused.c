// The functions of the CUDA runtime that CuPy's module `runtime` links and that this one has not: each fails.
#define NOT_SUPPORTED 801  // cudaErrorNotSupported
#define REFUSE(name) \
  int name() { return NOT_SUPPORTED; }

REFUSE(cudaDeviceGetByPCIBusId) REFUSE(cudaDeviceGetPCIBusId) REFUSE(cudaDeviceEnablePeerAccess)
REFUSE(cudaDeviceDisablePeerAccess) REFUSE(cudaDeviceGetLimit) REFUSE(cudaDeviceSetLimit) REFUSE(cudaIpcCloseMemHandle)
REFUSE(cudaIpcGetEventHandle) REFUSE(cudaIpcGetMemHandle) REFUSE(cudaIpcOpenEventHandle) REFUSE(cudaIpcOpenMemHandle)
REFUSE(cudaMalloc3DArray) REFUSE(cudaMallocArray) REFUSE(cudaMallocAsync) REFUSE(cudaMallocFromPoolAsync)
REFUSE(cudaHostRegister) REFUSE(cudaHostUnregister) REFUSE(cudaFreeArray) REFUSE(cudaFreeAsync)
REFUSE(cudaMemcpy2DFromArray) REFUSE(cudaMemcpy2DFromArrayAsync) REFUSE(cudaMemcpy2DToArray)
REFUSE(cudaMemcpy2DToArrayAsync) REFUSE(cudaMemcpy2D) REFUSE(cudaMemcpy2DAsync) REFUSE(cudaMemcpy3D)
REFUSE(cudaMemcpy3DAsync) REFUSE(cudaMemPrefetchAsync) REFUSE(cudaMemAdvise) REFUSE(cudaDeviceGetDefaultMemPool)
REFUSE(cudaDeviceGetMemPool) REFUSE(cudaDeviceSetMemPool) REFUSE(cudaMemPoolCreate) REFUSE(cudaMemPoolDestroy)
REFUSE(cudaMemPoolTrimTo) REFUSE(cudaMemPoolGetAttribute) REFUSE(cudaMemPoolSetAttribute) REFUSE(cudaStreamAddCallback)
REFUSE(cudaLaunchHostFunc) REFUSE(cudaCreateTextureObject) REFUSE(cudaDestroyTextureObject) REFUSE(cudaGetChannelDesc)
REFUSE(cudaGetTextureObjectResourceDesc) REFUSE(cudaGetTextureObjectTextureDesc) REFUSE(cudaCreateSurfaceObject)
REFUSE(cudaDestroySurfaceObject) REFUSE(cudaGraphDebugDotPrint) REFUSE(cudaProfilerStart) REFUSE(cudaProfilerStop)
