"""Measures speed and memory of gpugrad and PyTorch side by side: `python -m benchmarks --help`.

The rooms, each of which imports only those before it: `measuring` (clocks, processes, the machine and its limits,
verification), `peers` (who computes an op), `cases` (what is computed), `reports` (tables, files, pages, pictures); the
command line `cli` imports them all.
"""
