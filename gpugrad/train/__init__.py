"""Training in comfort: a loop, looks into a network, recipes. Loops of your own need none of this."""

from .classification import AugmentedTrainer, Classification, accuracy
from .language import LanguageModeling, NextToken, gzip_bits, ngram_bits
from .recipe import Goal, Options, Outcome, Recipe
from .trainer import Trainer
from .translation import DatesToNumbers, Translation
from .watch import DeadUnits, dead_units, gradient_norms, nan_watch

__all__ = [
    "AugmentedTrainer", "Classification", "DatesToNumbers", "DeadUnits", "Goal", "LanguageModeling", "NextToken",
    "Options", "Outcome", "Recipe", "Trainer", "Translation", "accuracy", "dead_units", "gradient_norms",
    "gzip_bits", "nan_watch", "ngram_bits",
]  # fmt: skip
