"""Network functions with PyTorch's names, signatures and defaults.

The functions turn PyTorch's arguments into those of ops; the arithmetic is in the ops.
"""

from ...autograd.autocast import governed, governed_names
from ...autograd.op import OPS
from ...ops.embedding import one_hot
from .activation import *
from .adaptive import *
from .attention import *
from .conv import *
from .ctc import *
from .distance import *
from .dropout import *
from .embedding import *
from .fractional import *
from .linear import *
from .loss import *
from .margin import *
from .multihead import *
from .normalization import *
from .padding import *
from .pooling import *
from .rearranging import *
from .resampling import *
from .sampling import *

# Functions that are made of several ops have one autocast policy as a whole.
globals().update({name: governed(globals()[name]) for name in (governed_names() & globals().keys()) - OPS.keys()})
