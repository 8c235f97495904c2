"""Special functions under the names of `torch.special`."""

from typing import Any

from .language import passing

_find = passing(__name__, "gpugrad.torch")
_OTHER_NAMES = {"expit": "sigmoid", "psi": "digamma", "gammaln": "lgamma"}


def __getattr__(name: str) -> Any:
    return _find(_OTHER_NAMES.get(name, name))
