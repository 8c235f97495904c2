"""Optimizers and learning rate schedules, with PyTorch's names, options and numbers.

An optimizer changes parameters in place by their gradients:

>>> layer = gg.nn.Linear(3, 1)
>>> optimizer = gg.optim.Adam(layer.parameters(), lr=0.1)
>>> before = layer(gg.ones(1, 3)).item()
>>> for _ in range(5):
...     optimizer.zero_grad()
...     layer(gg.ones(1, 3)).sum().backward()
...     optimizer.step()
>>> layer(gg.ones(1, 3)).item() < before
True
"""

from . import lr_scheduler, swa_utils
from .adafactor import Adafactor
from .adam import Adam, Adamax, AdamW, NAdam, RAdam
from .adaptive import ASGD, Adadelta, Adagrad, RMSprop, Rprop
from .lbfgs import LBFGS
from .muon import Muon
from .newton import NewtonCG
from .optimizer import Optimizer
from .sgd import SGD, Lion

__all__ = [
    "ASGD", "LBFGS", "SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Lion", "Muon", "NAdam",
    "NewtonCG", "Optimizer", "RAdam", "RMSprop", "Rprop", "lr_scheduler", "swa_utils",
]  # fmt: skip
