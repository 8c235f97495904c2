"""Training in comfort: a loop, looks into a network, recipes. Loops of your own need none of this."""

from .average_precision import average_precision, mean_average_precision
from .classification import AugmentedTrainer, Classification, DigitClassification, accuracy
from .detection import Detection, DetectorTrainer, RegionDetection, RegionTrainer, padded_scenes, truth_of
from .photographs import PhotoNetwork, cut_after, layer_names
from .recipe import Goal, Options, Outcome, Recipe
from .segmentation import class_ious, class_map, mean_iou, predicted_classes, segmented
from .trainer import Trainer
from .watch import DeadUnits, dead_units, gradient_norms, nan_watch

__all__ = [
    "AugmentedTrainer", "Classification", "DeadUnits", "Detection", "DetectorTrainer", "DigitClassification",
    "Goal", "Options", "Outcome", "PhotoNetwork", "Recipe", "RegionDetection", "RegionTrainer", "Trainer",
    "accuracy", "average_precision", "class_ious", "class_map", "cut_after", "dead_units", "gradient_norms",
    "layer_names", "mean_average_precision", "mean_iou", "nan_watch", "padded_scenes", "predicted_classes",
    "segmented", "truth_of",
]  # fmt: skip
