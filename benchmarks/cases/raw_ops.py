"""Measures what modules cost: a training step of nn's classes beside the same step on plain tensors, with ops alone.

Both have the same weights, inputs and optimizer (whose step needs no module), and must compute the same. The ratio is
what calling modules, looking their parameters up and the functions of PyTorch's arguments add to a step.
"""

from functools import partial

import gpugrad as gg
from gpugrad.autograd.op import OPS

from ..measuring.clock import time_cases
from ..measuring.summaries import compared
from ..measuring.verify import compare, results, state
from .case import Case, Inputs
from .workloads import WORKLOADS

GOAL, ROUNDING = 1.05, 1e-4  # of the ratio; relative to a tensor's norm, where sums are in another order
WINDOW = {"kernel": (2, 2), "stride": (2, 2), "padding": ((0, 0), (0, 0)), "dilation": (1, 1)}
DENSE = {"stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1), "groups": 1}


def mlp(x, w1, b1, w2, b2, w3, b3):
    """Computes what `models.MLP` does."""
    return gg.linear(gg.linear_relu(gg.linear_relu(x, w1, b1), w2, b2), w3, b3)


def lenet(x, k1, c1, k2, c2, w1, b1, w2, b2):
    """Computes what `models.LeNet` does."""
    x = gg.max_pool(gg.convolution(x, k1, c1, **DENSE), **WINDOW)
    x = gg.max_pool(gg.convolution(x, k2, c2, **DENSE), **WINDOW)
    return gg.linear(gg.linear_relu(x.reshape(-1, 50 * 5 * 5), w1, b1), w2, b2)


def block(x, w1, b1, qkv, out, out_bias, w2, b2, up, up_bias, down, down_bias):
    """Computes one block of the transformer, with 4 heads."""
    batch, length, width = x.shape
    y = gg.linear(gg.layer_norm(x, w1, b1, ndim=1, eps=1e-5), qkv)
    q, k, v = (part.reshape(batch, length, 4, width // 4).transpose(1, 2) for part in y.split(width, dim=2))
    y = gg.attention(q, k, v, causal=True, scale=(width // 4) ** -0.5)
    x = x + gg.linear(y.transpose(1, 2).reshape(batch, length, width), out, out_bias)
    y = gg.gelu(gg.linear(gg.layer_norm(x, w2, b2, ndim=1, eps=1e-5), up, up_bias))
    return x + gg.linear(y, down, down_bias)


def gpt(tokens, table, positions, *weights):
    """Computes what `models.GPT` does."""
    *blocks, w, b, head = weights
    x = gg.embedding(tokens, table) + positions
    for first in range(0, len(blocks), 11):
        x = block(x, *blocks[first : first + 11])
    return gg.linear(gg.layer_norm(x, w, b, ndim=1, eps=1e-5), head)


NETWORKS = {  # the workload, its network in ops, its inputs and targets, its optimizer
    "mlp": ("mlp-sgd", mlp, lambda i: (i.normal(256, 784), i.integers(10, 256)), partial(gg.optim.SGD, lr=1e-2)),
    "lenet": (
        "lenet", lenet, lambda i: (i.normal(64, 1, 32, 32), i.integers(10, 64)),
        partial(gg.optim.SGD, lr=1e-3, momentum=0.9),
    ),
    "gpt-mini": (
        "gpt-mini", gpt, lambda i: (i.integers(256, 8, 128), i.integers(256, 8 * 128)),
        partial(gg.optim.AdamW, lr=1e-4),
    ),
}  # fmt: skip


class Tensors:
    """Holds parameters by name, without a module: what a `Case` and its verification ask of a model."""

    def __init__(self, named):
        self.named = {name: p.detach().clone().requires_grad_() for name, p in named}

    def named_parameters(self):
        """Returns (name, parameter) of each."""
        return self.named.items()

    def state_dict(self):
        """Returns the parameters by name."""
        return self.named

    def load_state_dict(self, values):
        """Takes over the values."""
        with gg.no_grad():
            for name, value in values.items():
                self.named[name].copy_(value)

    def zero_grad(self):
        """Forgets the gradients."""
        for p in self.named.values():
            p.grad = None


def raw_case(classes, name, device):
    """Returns the step of the case `classes` on plain tensors."""
    _, network, batch, optimizer = NETWORKS[name]
    given, targets = batch(Inputs(gg, device))
    model = Tensors(classes.model.named_parameters())
    weights = list(model.named.values())

    def loss():
        logits = network(given, *weights)
        return OPS["cross_entropy_rows"](logits.reshape(-1, logits.shape[-1]), targets).mean()

    return Case(model, loss, optimizer=optimizer(weights), synchronize=classes.synchronize)


def cases_of(name, device):
    """Returns {"gpugrad": the step with classes, "raw ops": without}. Raises ResultError if they differ."""
    workload = next(w for w in WORKLOADS if w.name == NETWORKS[name][0])
    classes = workload.prepare(gg, device)
    cases, start = {"gpugrad": classes, "raw ops": raw_case(classes, name, device)}, state(classes)
    found, raw = (results(case, gg, device, start) for case in cases.values())
    for kind in found:
        compare(kind, found[kind], raw[kind], raw[kind], ROUNDING)
    return cases


def rows_of(name, device, effort):
    """Yields the row of one network."""
    cases = cases_of(name, device)
    row = compared(dict(zip(cases, time_cases(list(cases.values()), effort), strict=True)), GOAL)
    title = f"{name}: a step with nn's classes against raw ops"
    yield {"id": f"classes {name} {device}", "title": title, "device": device} | row
