// NVIDIA's wheels lack this header, which CuPy's runtime module includes.
extern "C" {
int cudaProfilerStart();
int cudaProfilerStop();
}
