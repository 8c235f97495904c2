"""Devices, arrays, dtypes and random numbers: the only package that knows whether an array is NumPy's or CuPy's.

`devices` finds a Device by its name, `namespace` gives the array functions for an array, `dtypes` promotes, `random`
and `philox` draw numbers. `cpu` holds the machinery for computing on the CPU, `cuda` compiles and launches kernels.
"""
