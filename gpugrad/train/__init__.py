"""Training in comfort: a loop, looks into a network, recipes. Loops of your own need none of this."""

from .classification import AugmentedTrainer, Classification, accuracy
from .recipe import Goal, Options, Outcome, Recipe
from .trainer import Trainer
from .watch import DeadUnits, dead_units, gradient_norms, nan_watch

__all__ = [
    "AugmentedTrainer", "Classification", "DeadUnits", "Goal", "Options", "Outcome", "Recipe", "Trainer", "accuracy",
    "dead_units", "gradient_norms", "nan_watch",
]  # fmt: skip
