"""Training in comfort: a loop, looks into a network, recipes. Loops of your own need none of this."""

from .average_precision import average_precision, mean_average_precision
from .classification import AugmentedTrainer, Classification, DigitClassification, accuracy
from .detection import Detection, DetectorTrainer, RegionDetection, RegionTrainer, padded_scenes, truth_of
from .diagnosis import Correlated, correlated_units, learning_rate_verdict
from .generation import DigitGeneration, with_label
from .landscapes import cliff, ravine, rosenbrock, saddle, walk
from .language import LanguageModeling, NextToken, gzip_bits, ngram_bits, token_cross_entropy
from .photographs import PhotoNetwork, cut_after, layer_names
from .pieces import BertPretraining, FineTuning
from .priors import gaussian_log_prior, laplace_log_prior, penalty
from .recipe import Goal, Options, Outcome, Recipe
from .recurrent import Streams, TruncatedBackpropagation
from .schedules import falling
from .search import Trial, grid_trials, random_trials, search
from .segmentation import class_ious, class_map, mean_iou, predicted_classes, segmented
from .trainer import Trainer
from .translation import DatesToNumbers, Translation
from .watch import DeadUnits, dead_units, gradient_norms, nan_watch
from .words import WordVectors, neighbours

__all__ = [
    "AugmentedTrainer", "BertPretraining", "Classification", "Correlated", "DatesToNumbers", "DeadUnits",
    "Detection", "DetectorTrainer", "DigitClassification", "DigitGeneration", "FineTuning", "Goal",
    "LanguageModeling", "NextToken", "Options", "Outcome", "PhotoNetwork", "Recipe", "RegionDetection",
    "RegionTrainer", "Streams", "Trainer", "Translation", "Trial", "TruncatedBackpropagation", "WordVectors",
    "accuracy", "average_precision", "class_ious", "class_map", "cliff", "correlated_units", "cut_after",
    "dead_units", "falling", "gaussian_log_prior", "gradient_norms", "grid_trials", "gzip_bits", "laplace_log_prior",
    "layer_names", "learning_rate_verdict", "mean_average_precision", "mean_iou", "nan_watch", "neighbours",
    "ngram_bits", "padded_scenes", "penalty", "predicted_classes", "random_trials", "ravine", "rosenbrock",
    "saddle", "search", "segmented", "token_cross_entropy", "truth_of", "walk", "with_label",
]  # fmt: skip
