"""gpugrad on the real CuPy, on a machine without a GPU: `python -m tests.real_cupy` (see README.md)."""
