"""The systems of the course notes as training programs, one file each: `gpugrad train` lists and runs them.

A file here defines one class, a `gpugrad.train.Recipe`; the file's name is the recipe's.
"""

import importlib
import pkgutil

from ..errors import UsageError
from ..train import Recipe

__all__ = ["find", "names"]


def names() -> list[str]:
    """Return the names of all recipes.

    >>> "digits" in gg.recipes.names()
    True
    """
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def find(name: str) -> type[Recipe]:
    """Return the recipe called `name`. Raises UsageError for an unknown name.

    >>> gg.recipes.find("digits").__doc__.splitlines()[0]
    'Reads handwritten digits with the convolutional network 20-50-500.'
    """
    if name not in names():
        raise UsageError(f"there is no recipe {name!r}; there are {', '.join(names())}")
    module = importlib.import_module(f".{name}", __name__)
    kinds = [v for v in vars(module).values() if isinstance(v, type) and issubclass(v, Recipe)]
    return next(kind for kind in kinds if kind.__module__ == module.__name__)
