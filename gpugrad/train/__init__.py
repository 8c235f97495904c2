"""Training in comfort: a loop, and looks into a network. Loops of your own need none of this."""

from .trainer import Trainer
from .watch import DeadUnits, dead_units, gradient_norms, nan_watch

__all__ = ["DeadUnits", "Trainer", "dead_units", "gradient_norms", "nan_watch"]
