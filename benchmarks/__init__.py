"""Speed and memory of gpugrad against PyTorch, measured side by side: `python -m benchmarks --help`."""
