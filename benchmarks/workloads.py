"""What is measured: each workload, written once for both libraries, with the ratio of times it should reach.

One step of the `Case` that it builds is the whole unit of work: gradients cleared, forward, backward, the optimizer's
step. Learning rates are small, so that a network stays near its start and the thousandth step does the same work.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from . import models


class Inputs:
    """Random tensors of a library on a device, the same numbers for each, in float32 or wider."""

    def __init__(self, lib, device, dtype="float32"):
        self.lib, self.device, self.dtype = lib, device, dtype
        self.random = np.random.default_rng(0)

    def normal(self, *shape):
        """Standard normal numbers."""
        numbers = self.random.standard_normal(shape, dtype=np.float32)
        return self.lib.tensor(numbers.astype(self.dtype, copy=False), device=self.device)

    def integers(self, high, *shape):
        """Whole numbers (int64) from 0 to high - 1."""
        return self.lib.tensor(self.random.integers(0, high, shape), device=self.device)


@dataclass
class Case:
    """One library's side of a workload."""

    model: Any
    forward: Callable[[], Any]
    upstream: Any = None
    optimizer: Any = None
    synchronize: Callable[[], None] | None = None

    def step(self):
        """Do the work once and return the output of forward."""
        self.model.zero_grad()
        output = self.forward()
        if output.requires_grad:
            output.backward(self.upstream)
        if self.optimizer is not None:
            self.optimizer.step()
        return output

    def run(self, steps):
        """Do the work `steps` times and wait until it is done."""
        for _ in range(steps):
            self.step()
        if self.synchronize is not None:
            self.synchronize()


@dataclass
class Inference:
    """The forward half of a case, without gradients."""

    case: Case
    no_grad: Callable[[], Any]

    def run(self, steps):
        """Compute the output `steps` times and wait."""
        with self.no_grad():
            for _ in range(steps):
                self.case.forward()
        if self.case.synchronize is not None:
            self.case.synchronize()


@dataclass(frozen=True)
class Workload:
    """A named piece of work.

    `goal` is our time divided by PyTorch's (or None), `operations` how many of them one step repeats. With `items`
    images or tokens (`unit`) in a step, forward is a row as well. `level`: the first that measures it. `device`: the
    only one where it is run.
    """

    name: str
    title: str
    goal: float | None
    build: Callable[[Any, Inputs], Case]
    operations: int = 1
    items: int = 0
    unit: str = ""
    level: str = "default"
    device: str = ""

    def prepare(self, lib, device, dtype="float32"):
        """The `Case` of this workload for one library, on one device."""
        lib.manual_seed(0)
        case = self.build(lib, Inputs(lib, device, dtype))
        case.model.to(getattr(lib, dtype))
        if device != "cpu":
            case.synchronize = lib.cuda.synchronize
        return case


def operation(lib, function, upstream, *leaves):
    """A case that applies `function` to leaves, and sends the gradient `upstream` back to each of them."""

    class Operation(lib.nn.Module):
        def __init__(self):
            super().__init__()
            for index, leaf in enumerate(leaves):
                setattr(self, f"input{index}", lib.nn.Parameter(leaf))

    model = Operation()
    return Case(model, partial(function, *model.parameters()), upstream)


def training(lib, model, inputs, targets, optimizer, **options):
    """A case that makes a full training step of a classifier."""
    model = model.to(targets.device)

    def loss():
        logits = model(inputs)
        return lib.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets)

    return Case(model, loss, optimizer=getattr(lib.optim, optimizer)(model.parameters(), **options))


def add(lib, inputs):
    """y = x + x on one element, without gradients, a thousand times."""

    def repeated(x):
        x = x.detach()
        for _ in range(1000):
            y = x + x
        return y

    return operation(lib, repeated, None, inputs.normal(1))


def chain(lib, inputs):
    """A thousand dependent additions of one element, and the way back."""

    def repeated(x):
        y = x
        for _ in range(1000):
            y = y + x
        return y

    return operation(lib, repeated, inputs.normal(1), inputs.normal(1))


def mlp(lib, inputs, optimizer, **options):
    """A training step of the multilayer perceptron, batch 256."""
    return training(lib, models.mlp(lib), inputs.normal(256, 784), inputs.integers(10, 256), optimizer, **options)


def lenet(lib, inputs):
    """A training step of LeNet, batch 64."""
    images, labels = inputs.normal(64, 1, 32, 32), inputs.integers(10, 64)
    return training(lib, models.lenet(lib), images, labels, "SGD", lr=1e-3, momentum=0.9)


def resnet20(lib, inputs):
    """A training step of ResNet-20, batch 64."""
    images, labels = inputs.normal(64, 3, 32, 32), inputs.integers(10, 64)
    return training(lib, models.resnet20(lib), images, labels, "SGD", lr=1e-3, momentum=0.9)


def images(lib, inputs, model, batch):
    """A training step of an ImageNet classifier."""
    shown, labels = inputs.normal(batch, 3, 224, 224), inputs.integers(1000, batch)
    return training(lib, model(lib), shown, labels, "SGD", lr=1e-4, momentum=0.9)


def language(lib, inputs, batch, length, vocabulary=256, **sizes):
    """A training step of a transformer, `batch` sequences of `length` tokens."""
    tokens, following = inputs.integers(vocabulary, batch, length), inputs.integers(vocabulary, batch * length)
    model = models.transformer(lib, vocabulary, length, **sizes)
    return training(lib, model, tokens, following, "AdamW", lr=1e-4)


def char_lstm(lib, inputs):
    """A training step of the LSTM, 32 sequences of 64 characters."""
    tokens, following = inputs.integers(96, 32, 64), inputs.integers(96, 32 * 64)
    return training(lib, models.char_lstm(lib), tokens, following, "Adam", lr=1e-4)


def lstm(lib, inputs):
    """One LSTM layer: gradients of the inputs and of all weights."""
    layer, x = lib.nn.LSTM(128, 128).to(inputs.device), inputs.normal(64, 32, 128).requires_grad_()
    return Case(layer, lambda: layer(x)[0], inputs.normal(64, 32, 128))


def conv2d(lib, inputs):
    """A 3x3 convolution: gradients of input, weight and bias."""
    function = partial(lib.nn.functional.conv2d, padding=1)
    image, upstream = inputs.normal(32, 64, 32, 32), inputs.normal(32, 64, 32, 32)
    return operation(lib, function, upstream, image, inputs.normal(64, 64, 3, 3), inputs.normal(64))


def softmax(lib, inputs):
    """Softmax over rows of 1024."""
    function = partial(lib.nn.functional.softmax, dim=-1)
    return operation(lib, function, inputs.normal(4096, 1024), inputs.normal(4096, 1024))


def layer_norm(lib, inputs):
    """Layer norm over rows of 1024: gradients of input, weight and bias."""

    def function(x, weight, bias):
        return lib.nn.functional.layer_norm(x, (1024,), weight, bias)

    leaves = inputs.normal(4096, 1024), inputs.normal(1024), inputs.normal(1024)
    return operation(lib, function, inputs.normal(4096, 1024), *leaves)


def attention(lib, inputs):
    """Causal attention: gradients of queries, keys and values."""
    function = partial(lib.nn.functional.scaled_dot_product_attention, is_causal=True)
    upstream, *qkv = (inputs.normal(4, 8, 512, 64) for _ in range(4))
    return operation(lib, function, upstream, *qkv)


def max_pool2d(lib, inputs):
    """Max-pooling by 2x2."""
    function = partial(lib.nn.functional.max_pool2d, kernel_size=2)
    return operation(lib, function, inputs.normal(64, 64, 28, 28), inputs.normal(64, 64, 56, 56))


def cross_entropy(lib, inputs):
    """Cross-entropy over a large vocabulary."""
    function = partial(lib.nn.functional.cross_entropy, target=inputs.integers(32000, 4096))
    return operation(lib, function, inputs.normal(), inputs.normal(4096, 32000))


BASE = {"width": 768, "layers": 12, "heads": 12}  # GPT-2 124M and BERT-base
resnet18 = partial(models.resnet, depths=(2, 2, 2, 2), bottleneck=False)
resnet50 = partial(models.resnet, depths=(3, 4, 6, 3), bottleneck=True)


def _picture_models():
    """AlexNet to ResNet-50: a batch that a CPU can hold, and on a GPU a larger one as well."""
    named = [("alexnet", "AlexNet", models.alexnet), ("vgg16", "VGG-16", models.vgg16)]
    named += [("resnet18", "ResNet-18", resnet18), ("resnet50", "ResNet-50", resnet50)]
    for batch, device, suffix in ((4, "", ""), (64, "cuda", "-64")):
        for name, title, model in named:
            yield Workload(
                name + suffix, f"{title}, {batch} x 3 x 224 x 224", None, partial(images, model=model, batch=batch),
                items=batch, unit="images", device=device,
            )  # fmt: skip


WORKLOADS = [
    Workload("add", "`y = x + x`, one element", 1.2, add, operations=1000, level="quick"),
    Workload("chain", "1000 chained adds, forward + backward, per add", 0.9, chain, operations=1000, level="quick"),
    Workload(
        "mlp-sgd", "MLP 784-512-256-10, batch 256, SGD step", 1.0, partial(mlp, optimizer="SGD", lr=1e-2),
        items=256, unit="images", level="quick",
    ),
    Workload("mlp-adam", "MLP 784-512-256-10, batch 256, Adam step", 0.7, partial(mlp, optimizer="Adam", lr=1e-4)),
    Workload(
        "lenet", "LeNet, 64 x 1 x 32 x 32, SGD momentum step", 0.75, lenet, items=64, unit="images", level="quick",
    ),
    Workload("conv2d", "conv 3x3 64 -> 64, 32 x 64 x 32 x 32, forward + backward", 1.1, conv2d),
    Workload("resnet20", "ResNet-20, 64 x 3 x 32 x 32, SGD momentum step", 1.7, resnet20, items=64, unit="images"),
    Workload(
        "gpt-mini", "GPT, batch 8, T 128, d 128, 4 layers, 4 heads, AdamW step", 1.1,
        partial(language, batch=8, length=128, width=128, layers=4, heads=4),
        items=8 * 128, unit="tokens", level="quick",
    ),
    Workload("softmax", "softmax (4096, 1024), forward + backward", 1.7, softmax),
    Workload("layer-norm", "layer norm (4096, 1024), forward + backward", 2.2, layer_norm),
    Workload("attention", "causal attention (4, 8, 512, 64), forward + backward", 0.8, attention),
    Workload("max-pool2d", "max-pool 2x2 (64, 64, 56, 56), forward + backward", 0.4, max_pool2d),
    Workload("cross-entropy", "cross-entropy (4096, 32000), forward + backward", 0.2, cross_entropy),
    *_picture_models(),
    Workload("lstm", "LSTM, T 64, batch 32, 128 -> 128, forward + backward", None, lstm),
    Workload("char-lstm", "char-LSTM, 32 x 64, d 256, Adam step", None, char_lstm, items=2048, unit="tokens"),
    Workload(
        "bert-mini", "BERT, batch 8, T 128, d 256, 4 layers, 4 heads, AdamW step", None,
        partial(language, batch=8, length=128, width=256, layers=4, heads=4, causal=False),
        items=8 * 128, unit="tokens",
    ),
    Workload(
        "gpt2", "GPT-2 124M, batch 4, T 1024, AdamW step", None,
        partial(language, batch=4, length=1024, vocabulary=50257, **BASE),
        items=4 * 1024, unit="tokens", device="cuda",
    ),
    Workload(
        "bert-base", "BERT-base, batch 16, T 128, AdamW step", None,
        partial(language, batch=16, length=128, vocabulary=30522, causal=False, **BASE),
        items=16 * 128, unit="tokens", device="cuda",
    ),
]  # fmt: skip
GEOMETRIC_MEAN_GOAL = 0.9
