"""The ops' own paths on cuda devices: one module per file of `kernels/`, which launches what that file defines.

Imported when a cuda device is first used, so that importing gpugrad costs a CPU user nothing.
"""

from importlib import import_module
from pkgutil import iter_modules

for _found in iter_modules(__path__):
    import_module(f"{__name__}.{_found.name}")
