"""Training in comfort: a loop, looks into a network, recipes. Loops of your own need none of this."""

from .average_precision import average_precision, mean_average_precision
from .classification import AugmentedTrainer, Classification, accuracy
from .detection import Detection, DetectorTrainer, RegionDetection, RegionTrainer, padded_scenes, truth_of
from .recipe import Goal, Options, Outcome, Recipe
from .trainer import Trainer
from .watch import DeadUnits, dead_units, gradient_norms, nan_watch

__all__ = [
    "AugmentedTrainer", "Classification", "DeadUnits", "Detection", "DetectorTrainer", "Goal", "Options", "Outcome",
    "Recipe", "RegionDetection", "RegionTrainer", "Trainer", "accuracy", "average_precision", "dead_units",
    "gradient_norms", "mean_average_precision", "nan_watch", "padded_scenes", "truth_of",
]  # fmt: skip
