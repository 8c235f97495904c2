"""`python -m tests.gpu [PART ...]`: what only a machine with a GPU can show, in parts of at most four minutes.

    a  smoke       a launch, cuBLASLt in four dtypes with five epilogues, one op of each family, a captured step
    b  kernels     the tests of the kernels and of the optimizers' launches, on eight processes
    c  ops         every check of every op, on eight processes
    d  benchmarks  the quick benchmarks, next to PyTorch
    e  sanitizer   one test of each of five families under compute-sanitizer, for stray accesses and races

Without names all parts run, in this order: the first ones tell of a fault soonest. The report is written as the run
goes on, to DIR/gpu-DATE.json and .md, so a run that is cut off leaves what it knew. `--device emulate` runs the same
parts on the emulated device, to try them out where there is no GPU.

Kernels can be compiled ahead, on a machine without a GPU, and carried here with the checkout:

    GPUGRAD_CACHE=build/kernels gpugrad precompile --arch sm_90a --carry
    GPUGRAD_CACHE=build/kernels python -m tests.gpu a b
"""
