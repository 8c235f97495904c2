"""Losses of shapes that differ complain at least as loudly as PyTorch's: an error where it raises, else a warning."""

import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

import gpugrad as gg
import gpugrad.nn.functional as F
from gpugrad.errors import GpugradError

# The shapes of input and target, of which the last two fit.
PAIRS = [
    [(4,), (4, 1)], [(4, 1), (4,)], [(4, 3), (4,)], [(4, 3), (3,)], [(4, 3), (1, 3)], [(4, 3), (4, 1)], [(4, 3), ()],
    [(), (4,)], [(4, 3), (3, 4)], [(4,), (5,)], [(1,), ()], [(), (1,)], [(4, 1), (1, 4)], [(0,), (4,)],
    [(2, 4, 3), (4, 3)], [(1, 4), (4,)], [(4, 3), (4, 3)], [(4,), (4,)],
]  # fmt: skip
CLASSES = [
    [(4, 3), (4, 1)], [(4, 3), (3,)], [(4, 3), ()], [(4, 3), (1,)], [(4, 3), (5,)], [(3,), (1,)], [(3,), (3,)],
    [(4, 3, 2), (4,)], [(4, 3, 2), (4, 3)], [(4, 3, 2), (2, 4)], [(4, 3), (4, 3)], [(0, 3), (4,)], [(4, 3), (0,)],
    [(4, 3), (4,)], [(3,), ()],
]  # fmt: skip
WEIGHTS = [(3,), (4,), (4, 1), (1, 3), (4, 3), (1,), (), (5,), (3, 4), (2, 4, 3)]
THREE = {
    "gaussian_nll_loss": [
        [(4,), (4, 1), (4,)], [(4,), (4,), (4, 1)], [(4, 3), (4,), (4,)], [(4, 3), (4, 3), (3,)],
        [(4, 3), (4, 1), (4, 3)], [(4, 3), (4, 3), (1,)], [(4, 3), (4, 3), (4,)],
    ],
    "triplet_margin_loss": [
        [(4, 3), (4, 3), (3,)], [(4, 3), (1, 3), (4, 3)], [(4, 3), (4,), (4, 3)], [(3,), (3,), (4, 3)], [(4, 3)] * 3,
    ],
    "triplet_margin_with_distance_loss": [[(4, 3), (4, 3), (3,)], [(4, 3), (1, 3), (4, 3)], [(4, 3)] * 3],
    "margin_ranking_loss": [
        [(4,), (4, 1), (4,)], [(4,), (4,), (4, 1)], [(4,), (1,), (4,)], [(4,), (4,), ()], [(4,)] * 3,
    ],
    "cosine_embedding_loss": [
        [(4, 3), (4, 3), (4, 1)], [(4, 3), (4, 3), (1,)], [(4, 3), (3,), (4,)], [(3,), (3,), (1,)],
        [(4, 3), (4, 3), (3,)], [(4, 3), (4, 3), (4,)],
    ],
}  # fmt: skip
FLOATS = """mse_loss l1_loss huber_loss smooth_l1_loss binary_cross_entropy binary_cross_entropy_with_logits kl_div
    poisson_nll_loss soft_margin_loss hinge_embedding_loss multilabel_soft_margin_loss cross_entropy""".split()
INTEGERS = "nll_loss cross_entropy multi_margin_loss multilabel_margin_loss".split()
WEIGHTED = """mse_loss l1_loss huber_loss binary_cross_entropy binary_cross_entropy_with_logits
    multilabel_soft_margin_loss cross_entropy nll_loss multi_margin_loss""".split()
QUIET, WARNING, ERROR = range(3)


def values(*shape):
    return np.random.default_rng(0).uniform(0.1, 0.9, shape).astype(np.float32)


def loudness(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", "reduction: 'mean'")  # PyTorch's for kl_div, which is not about shapes
        try:
            call()
        except (GpugradError, RuntimeError, ValueError, IndexError):
            return ERROR
    return WARNING if caught else QUIET


def check(name, arrays, **options):
    def call(functions, make):
        return lambda: getattr(functions, name)(
            *[make(a) for a in arrays], **{word: make(value) for word, value in options.items()}
        )

    ours, theirs = loudness(call(F, gg.tensor)), loudness(call(TF, torch.tensor))
    given = [a.shape for a in (*arrays, *options.values())]
    assert ours >= theirs, f"{name} of {given}: {ours} against {theirs}"
    return theirs


@pytest.mark.parametrize("name", FLOATS)
def test_input_and_target(name):
    assert {check(name, [values(*a), values(*b)]) for a, b in PAIRS} >= {QUIET, ERROR}


@pytest.mark.parametrize("name", INTEGERS)
def test_input_and_classes(name):
    assert {check(name, [values(*a), np.zeros(b, np.int64)]) for a, b in CLASSES} == {QUIET, ERROR}


@pytest.mark.parametrize("name", THREE)
def test_three_inputs(name):
    assert QUIET in {check(name, [values(*shape) for shape in shapes]) for shapes in THREE[name]}


@pytest.mark.parametrize("name", WEIGHTED)
def test_weight(name):
    target = np.zeros(4, np.int64) if name in INTEGERS else values(4, 3)
    assert QUIET in {check(name, [values(4, 3), target], weight=values(*shape)) for shape in WEIGHTS}


def test_pos_weight():
    for shape in WEIGHTS:
        check("binary_cross_entropy_with_logits", [values(4, 3)] * 2, pos_weight=values(*shape))


def test_a_class_to_ignore_among_probabilities():
    x, chances = gg.ones(2, 3), gg.ones(2, 3) / 3
    for call in (
        lambda: F.cross_entropy(x, chances, ignore_index=0),
        lambda: F.linear_cross_entropy(x, gg.ones(3, 3), chances, ignore_index=0),
    ):
        with pytest.raises(gg.errors.OptionError, match="ignore_index=0 names a class"):
            call()


def test_a_table_of_embeddings_has_two_axes():
    with pytest.raises(gg.errors.ShapeError, match=r"must be a table \(V, D\), got \(1, 1, 1\)"):
        F.embedding(gg.tensor([0]), gg.ones(1, 1, 1))
