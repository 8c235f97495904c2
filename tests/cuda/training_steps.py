"""Training steps of small networks that have the layers of large ones, to count what they launch."""

from __future__ import annotations

from collections.abc import Callable

import gpugrad as gg
from gpugrad import nn
from gpugrad.models.resnet import BasicBlock

BATCH, TOKENS, VOCABULARY = 2, 8, 32


class Transformer(nn.Module):
    """GPT-2 with its layers, of which each has three heads of 16."""

    def __init__(self, layers: int):
        super().__init__()
        self.gpt = gg.models.GPT(VOCABULARY, TOKENS, n_embd=48, n_layer=layers, n_head=3)

    def forward(self, tokens):
        return self.gpt(tokens).reshape(-1, VOCABULARY)


class Images(nn.Module):
    """ResNet-18 with all its layers, of which the widths are an eighth."""

    def __init__(self):
        super().__init__()
        widths = (8, 8, 16, 32, 64)
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        )  # fmt: skip
        pairs = zip(widths, widths[1:], (1, 2, 2, 2), strict=False)
        self.stages = nn.Sequential(
            *[nn.Sequential(BasicBlock(a, b, stride), BasicBlock(b, b)) for a, b, stride in pairs]
        )
        self.fc = nn.Linear(64, 10)

    def forward(self, images):
        return self.fc(self.stages(self.stem(images)).mean((2, 3)))


def transformer(layers: int) -> tuple:
    """Return the network, its inputs and targets, and its optimizer's class."""
    tokens = gg.randint(0, VOCABULARY, (BATCH, TOKENS), device="cuda")
    targets = gg.randint(0, VOCABULARY, (BATCH * TOKENS,), device="cuda")
    return Transformer(layers).to("cuda"), tokens, targets, lambda p: gg.optim.AdamW(p, lr=1e-4)


def images() -> tuple:
    """Return the network, its inputs and targets, and its optimizer's class."""
    shown, targets = gg.randn(BATCH, 3, 16, 16, device="cuda"), gg.randint(0, 10, (BATCH,), device="cuda")
    return Images().to("cuda"), shown, targets, lambda p: gg.optim.SGD(p, lr=1e-4, momentum=0.9)


def step_of(network: tuple, mode: str) -> Callable[[], None]:
    """Return a training step in float32, "bfloat16", "autocast bfloat16" or "autocast float16"."""
    model, inputs, targets, optimizer_of = network
    if mode == "bfloat16":
        model.to(gg.bfloat16)
        inputs = inputs.to(gg.bfloat16) if inputs.dtype == gg.float32 else inputs
    optimizer = optimizer_of(model.parameters())
    dtype = mode.removeprefix("autocast ")
    scaler = gg.amp.GradScaler("cuda", init_scale=1.0, enabled=mode == "autocast float16")

    def step() -> None:
        optimizer.zero_grad()
        with gg.amp.autocast("cuda", dtype=dtype, enabled="autocast" in mode):
            loss = nn.functional.cross_entropy(model(inputs), targets)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    return step
