"""Network functions with PyTorch's names, signatures and defaults.

The functions turn PyTorch's arguments into those of ops; the arithmetic is in the ops.
"""

from ...ops.embedding import one_hot
from ..arguments import named as _named
from . import activation
from .activation import *
from .adaptive_pool import *
from .arrange import *
from .attention import *
from .batch_norm import *
from .conv import *
from .ctc import *
from .distance import *
from .dropout import *
from .embedding import *
from .fold import *
from .fractional_pool import *
from .grid_sample import *
from .layer_norm import *
from .linear import *
from .loss import *
from .margin_loss import *
from .multihead_attention import *
from .pad import *
from .pool import *
from .resample import *
from .softmax import *
from .unpool import *

__all__ = sorted(  # pyright: ignore[reportUnsupportedDunderAll]
    name for name, value in globals().items() if not name.startswith("_") and callable(value)
)

# Whose whole work is one op, which names itself and its arguments in its errors.
_ONE_OP = frozenset([*activation.__all__, "linear"]) - {"glu", "prelu", "rrelu", "rrelu_"}


def _name_errors(name: str) -> None:
    """Give a function errors that name it, in this namespace; the files of this package call it without."""
    function = globals()[name] = _named(globals()[name])
    function.__name__ = function.__qualname__ = name
    function.__module__ = __name__


for _name in __all__:
    if _name not in _ONE_OP:
        _name_errors(_name)
