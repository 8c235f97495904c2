"""Training in comfort: a loop, looks into a network, recipes. Loops of your own need none of this."""

from .average_precision import average_precision, mean_average_precision
from .classification import AugmentedTrainer, Classification, DigitClassification, accuracy
from .detection import Detection, DetectorTrainer, RegionDetection, RegionTrainer, padded_scenes, truth_of
from .language import LanguageModeling, NextToken, gzip_bits, ngram_bits
from .photographs import PhotoNetwork, cut_after, layer_names
from .pieces import BertPretraining, FineTuning
from .recipe import Goal, Options, Outcome, Recipe
from .recurrent import Streams, TruncatedBackpropagation
from .segmentation import class_ious, class_map, mean_iou, predicted_classes, segmented
from .trainer import Trainer
from .translation import DatesToNumbers, Translation
from .watch import DeadUnits, dead_units, gradient_norms, nan_watch
from .words import WordVectors, neighbours

__all__ = [
    "AugmentedTrainer", "BertPretraining", "Classification", "DatesToNumbers", "DeadUnits", "Detection",
    "DetectorTrainer", "DigitClassification", "FineTuning", "Goal", "LanguageModeling", "NextToken", "Options",
    "Outcome", "PhotoNetwork", "Recipe", "RegionDetection", "RegionTrainer", "Streams", "Trainer", "Translation",
    "TruncatedBackpropagation", "WordVectors", "accuracy", "average_precision", "class_ious", "class_map",
    "cut_after", "dead_units", "gradient_norms", "gzip_bits", "layer_names", "mean_average_precision", "mean_iou",
    "nan_watch", "neighbours", "ngram_bits", "padded_scenes", "predicted_classes", "segmented", "truth_of",
]  # fmt: skip
