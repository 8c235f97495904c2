"""The CPU as a machine: threads and their worker, BLAS, memory, matrix products, rows and windows cut into blocks.

The ops' own paths on the CPU, which use all this, are with their families: `ops/<family>/cpu.py`.
"""
