"""The ops, one module per family. A module's `__all__` is what `gpugrad` exports of it."""
