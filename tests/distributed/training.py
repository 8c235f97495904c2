"""Models and data of the checks, and their training on one process, with which the ranks' is compared."""

from functools import cache

import numpy as np

import gpugrad as gg
from gpugrad import nn
from gpugrad.nn import functional as F

BATCH = 12  # a multiple of 1, 2, 3 and 4 ranks


class Problem:
    """A model in float64, its loss, and a batch of BATCH samples for each step."""

    steps = 3

    def loss(self, model, x, y):
        return F.cross_entropy(model(x), y)

    def batch(self, step, part=slice(None)):
        random = np.random.default_rng(step)
        return [gg.asarray(values[part]) for values in self.draw(random)]


class MLP(Problem):
    def model(self):
        gg.manual_seed(1)
        return nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 9), nn.ReLU(), nn.Linear(9, 3)).double()

    def draw(self, random):
        return random.normal(size=(BATCH, 5)), random.integers(0, 3, BATCH)


class ResNet(Problem):
    steps = 2

    def model(self):
        gg.manual_seed(2)
        return gg.models.CIFARResNet(20, 4, width=2).double()

    def draw(self, random):
        return random.normal(size=(BATCH, 3, 8, 8)), random.integers(0, 4, BATCH)


class GPT(Problem):
    steps, tied, layers = 2, True, 1

    def model(self):
        gg.manual_seed(3)
        return gg.models.GPT(
            24, n_positions=6, n_embd=24, n_layer=self.layers, n_head=12, tie_weights=self.tied
        ).double()

    def draw(self, random):
        tokens = random.integers(0, 24, (BATCH, 7))
        return tokens[:, :-1], tokens[:, 1:]

    def loss(self, model, x, y):
        return F.cross_entropy(model(x).reshape(-1, 24), y.reshape(-1))


class Untied(GPT):
    tied, layers = False, 4  # one for each of four ranks


def own(rank, size):
    """The rows of a batch that belong to a rank."""
    return slice(BATCH * rank // size, BATCH * (rank + 1) // size)


def halves(part):
    """Two halves of a slice, the pieces of a step with accumulation."""
    middle = (part.start + part.stop) // 2
    return slice(part.start, middle), slice(middle, part.stop)


def alone(problem, optimizer=None, clip=0.5):
    """(losses, state dict) of one process on whole batches."""
    return _alone(type(problem), optimizer or sgd, clip)


@cache
def _alone(kind, optimizer, clip):
    problem = kind()
    model = problem.model()
    made = optimizer(model.parameters())
    losses = []
    for step in range(problem.steps):
        made.zero_grad()
        loss = problem.loss(model, *problem.batch(step))
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        made.step()
        losses.append(loss.item())
    return losses, {name: value.numpy().copy() for name, value in model.state_dict().items()}


def sgd(parameters):
    return gg.optim.SGD(parameters, lr=0.2, momentum=0.9)


def adam(parameters):
    return gg.optim.AdamW(parameters, lr=0.02)


def close(got, expected, what, tolerance=1e-12):
    """Raise AssertionError unless two values agree to `tolerance` of the largest."""
    got, expected = np.asarray(got, np.float64), np.asarray(expected, np.float64)
    assert got.shape == expected.shape, (what, got.shape, expected.shape)
    scale = max(1.0, np.abs(expected).max(initial=0))
    error = np.abs(got - expected).max(initial=0) / scale
    assert error <= tolerance, f"{what}: off by {error:.3g}\n{got}\n{expected}"
