"""Devices, arrays, dtypes and random numbers: all that knows whether an array is NumPy's or CuPy's."""
