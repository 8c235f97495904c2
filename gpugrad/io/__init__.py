"""Files: checkpoints, and training runs that can be continued."""

from .checkpoint import load, save, tensor_names
from .training import load_training, save_training
from .weights import load_weights

__all__ = ["load", "load_training", "load_weights", "save", "save_training", "tensor_names"]
