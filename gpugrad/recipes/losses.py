"""Losses: values, gradients, and the support vector machine beside softmax on digits."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.functional import grad
from ..autograd.tensor import Tensor
from ..data import load_digits
from ..nn import Flatten, Linear, Module, ModuleDict, Sequential
from ..nn.functional import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    kl_div,
    l1_loss,
    log_softmax,
    mse_loss,
    multi_margin_loss,
    soft_margin_loss,
)
from ..ops.elementwise import relu
from ..optim import LBFGS
from ..train import Goal, Recipe, accuracy
from ..viz import panels

REGRESSION: dict[str, Callable[[Tensor], Tensor]] = {
    "squared error": lambda e: mse_loss(e, 0 * e, reduction="none"),
    "absolute error": lambda e: l1_loss(e, 0 * e, reduction="none"),
    "Huber": lambda e: huber_loss(e, 0 * e, reduction="none"),
}
CLASSES: dict[str, Callable[[Tensor], Tensor]] = {
    "hinge": lambda s: relu(1 - s),
    "logistic": lambda s: soft_margin_loss(s, 0 * s + 1, reduction="none"),
    "binary cross-entropy": lambda s: binary_cross_entropy_with_logits(s, 0 * s + 1, reduction="none"),
}


class Losses(Recipe):
    """Draws losses with their gradients, and trains a multi-class SVM and softmax on digits.

    SVM: sum_{j != y} max(0, s_j - s_y + 1); softmax: -log(exp(s_y) / sum_j exp(s_j)), whose gradient is p - y. KL
    divergence of the softmax from the labels is its cross-entropy (maximum likelihood).
    """

    notes = ("1.3.5 Step 4: Loss Functions", "Loss Function / Training Objective", "Maximum Likelihood Estimation")
    minutes = 0.2
    goals = {
        "test accuracy, softmax": Goal(0.94),
        "test accuracy, multi-class SVM": Goal(0.94),
        "softmax's gradient, largest difference from p - y": Goal(1e-6, lower=True, form=".1e"),
        "cross-entropy, largest difference from KL divergence": Goal(1e-5, lower=True, form=".1e"),
    }
    quick = {"steps": 3}
    steps = 20
    decay = 1e-4

    def build(self) -> Module:
        names = ("softmax", "multi-class SVM")
        return ModuleDict({name: Sequential(Flatten(), Linear(64, 10)) for name in names})

    def train(self) -> None:
        images, labels = (tensor.to(device=self.device) for tensor in load_digits(8).train.tensors)
        losses = {"softmax": cross_entropy, "multi-class SVM": lambda s, y: 10 * multi_margin_loss(s, y)}
        for name, model in self.model.items():
            optimizer = LBFGS(model.parameters(), line_search_fn="strong_wolfe")

            def closure(name: str = name, model: Any = model, optimizer: LBFGS = optimizer) -> Tensor:
                optimizer.zero_grad()
                loss = losses[name](model(images), labels) + self.decay * (model[1].weight ** 2).sum()
                loss.backward()
                return loss

            self.record[name] = [float(optimizer.step(closure).item()) for _ in range(self.steps)]

    def evaluate(self) -> dict[str, float]:
        test = load_digits(8).test
        figures = {f"test accuracy, {name}": accuracy(model, test, self.device) for name, model in self.model.items()}
        scores = asarray(np.random.default_rng(0).standard_normal((50, 10)), device=self.device).requires_grad_()
        labels = asarray(np.arange(50) % 10, device=self.device)
        loss = cross_entropy(scores, labels, reduction="sum")
        right = np.eye(10)[np.arange(50) % 10]
        difference = grad(loss, scores)[0] - (scores.softmax(1) - asarray(right, device=self.device))
        divergence = kl_div(log_softmax(scores, 1), asarray(right, device=self.device), reduction="sum")
        figures["softmax's gradient, largest difference from p - y"] = float(abs(difference).max().item())
        figures["cross-entropy, largest difference from KL divergence"] = abs(loss.item() - divergence.item())
        return figures | {f"loss after {self.steps} rounds, {name}": self.record[name][-1] for name in self.model}

    def draw(self) -> None:
        x = np.linspace(-3, 3, 301)
        shown = {}
        for title, named in (("of an error", REGRESSION), ("of the right class's score", CLASSES)):
            values, slopes = {}, {}
            for name, function in named.items():
                at = asarray(x, device="cpu").requires_grad_()
                loss = function(at)
                values[name] = (x, loss.detach().numpy())
                slopes[name] = (x, grad(loss.sum(), at)[0].numpy())
            shown |= {f"losses {title}": values, f"gradients {title}": slopes}
        panels(shown, self.picture("functions"), columns=2)
