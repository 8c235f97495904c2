"""Builds the PyTorch twins of `gpugrad.models`: the same arguments, computation and names of parameters.

They are written apart from ours, so that verification compares two programs and not one with itself. What no workload
uses of ours (sequences shorter than the table of positions, tied weights, a state for the LSTM) is left out.
"""

from itertools import pairwise
from typing import Any

import torch.nn.functional as F
from torch import nn


class MLP(nn.Module):
    """Computes linear layers with ReLU between them: (N, sizes[0]) -> (N, sizes[-1])."""

    def __init__(self, *sizes):
        super().__init__()
        layers = [layer for shape in pairwise(sizes) for layer in (nn.Linear(*shape), nn.ReLU())]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x):
        return self.layers(x)


class LeNet(nn.Module):
    """Scores digits: (N, 1, size, size) -> (N, 10)."""

    def __init__(self, size):
        super().__init__()
        side = ((size - 4) // 2 - 4) // 2
        self.features = nn.Sequential(nn.Conv2d(1, 20, 5), nn.MaxPool2d(2), nn.Conv2d(20, 50, 5), nn.MaxPool2d(2))
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(50 * side**2, 500), nn.ReLU(), nn.Linear(500, 10))

    def forward(self, x):
        return self.classifier(self.features(x))


class LeNet5(nn.Sequential):
    """Scores digits: (N, 1, 32, 32) -> (N, 10)."""

    def __init__(self):
        convolutions = [
            layer for shape in ((1, 6), (6, 16)) for layer in (nn.Conv2d(*shape, 5), nn.Tanh(), nn.AvgPool2d(2))
        ]
        linear = [layer for shape in pairwise((400, 120, 84, 10)) for layer in (nn.Linear(*shape), nn.Tanh())]
        super().__init__(*convolutions, nn.Flatten(), *linear[:-1])


class _Images(nn.Module):
    """Scores images by `features` and `classifier`: (N, 3, 224, 224) -> (N, 1000)."""

    features: nn.Module
    classifier: nn.Module

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


class AlexNet(_Images):
    """Scores images as torchvision's AlexNet does; the pooling that changes nothing at 224 x 224 is left out."""

    def __init__(self, dropout):
        super().__init__()
        shapes = [(3, 64, 11, 4, 2), (64, 192, 5, 1, 2), (192, 384, 3, 1, 1), (384, 256, 3, 1, 1), (256, 256, 3, 1, 1)]
        layers = []
        for number, (inside, outside, size, stride, padding) in enumerate(shapes):
            layers += [nn.Conv2d(inside, outside, size, stride, padding), nn.ReLU()]
            layers += [nn.MaxPool2d(3, 2)] if number in (0, 1, 4) else []
        self.features = nn.Sequential(*layers)
        hidden = [nn.Dropout(dropout), nn.Linear(9216, 4096), nn.ReLU(), nn.Dropout(dropout), nn.Linear(4096, 4096)]
        self.classifier = nn.Sequential(*hidden, nn.ReLU(), nn.Linear(4096, 1000))


class vgg16(_Images):
    """Scores images as torchvision's VGG-16 does; the pooling that changes nothing at 224 x 224 is left out."""

    def __init__(self, dropout):
        super().__init__()
        layers, inside = [], 3
        for outside in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0):
            layers += [nn.Conv2d(inside, outside, 3, padding=1), nn.ReLU()] if outside else [nn.MaxPool2d(2)]
            inside = outside or inside
        self.features = nn.Sequential(*layers)
        hidden = [nn.Linear(25088, 4096), nn.ReLU(), nn.Dropout(dropout), nn.Linear(4096, 4096), nn.ReLU()]
        self.classifier = nn.Sequential(*hidden, nn.Dropout(dropout), nn.Linear(4096, 1000))


class _Residual(nn.Module):
    """Adds its convolutions, each with batch norm, to the input: shapes (inside, outside, size, stride) in order."""

    def __init__(self, *shapes):
        super().__init__()
        self.count = len(shapes)
        for number, (inside, outside, size, stride) in enumerate(shapes, 1):
            self.add_module(f"conv{number}", nn.Conv2d(inside, outside, size, stride, size // 2, bias=False))
            self.add_module(f"bn{number}", nn.BatchNorm2d(outside))
        inside, outside, stride = shapes[0][0], shapes[-1][1], max(shape[3] for shape in shapes)
        if inside != outside or stride > 1:
            shortcut = nn.Conv2d(inside, outside, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(outside))

    def forward(self, x):
        y = x
        for number in range(1, self.count + 1):
            y = F.relu(y) if number > 1 else y
            y = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(y))
        return F.relu(y + (self.downsample(x) if hasattr(self, "downsample") else x))


def _basic(inside, width, stride):
    return _Residual((inside, width, 3, stride), (width, width, 3, 1)), width


def _bottleneck(inside, width, stride):
    return _Residual((inside, width, 1, 1), (width, width, 3, stride), (width, 4 * width, 1, 1)), 4 * width


class _ResNet(nn.Module):
    """Scores images by a stem, stages of residual blocks, the mean over the image and a linear layer."""

    def __init__(self, stem, block, widths, counts, classes, in_channels=3):
        super().__init__()
        inside = widths[0]
        self.conv1 = nn.Conv2d(in_channels, inside, stem, 1 if stem == 3 else 2, stem // 2, bias=False)
        self.bn1, self.pool = nn.BatchNorm2d(inside), nn.Identity() if stem == 3 else nn.MaxPool2d(3, 2, 1)
        self.stages = len(widths)
        for stage, (width, count) in enumerate(zip(widths, counts, strict=True)):
            blocks = []
            for number in range(count):
                made, inside = block(inside, width, 2 if stage and not number else 1)
                blocks.append(made)
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(inside, classes)

    def forward(self, x):
        x = self.pool(F.relu(self.bn1(self.conv1(x))))
        for stage in range(1, self.stages + 1):
            x = getattr(self, f"layer{stage}")(x)
        return self.fc(x.mean((2, 3)))


def CIFARResNet(depth, in_channels=3):
    """Builds a residual network for CIFAR: (N, in_channels, 32, 32) -> (N, 10)."""
    return _ResNet(3, _basic, (16, 32, 64), ((depth - 2) // 6,) * 3, 10, in_channels)


def resnet18():
    """Builds ResNet-18: (N, 3, 224, 224) -> (N, 1000)."""
    return _ResNet(7, _basic, (64, 128, 256, 512), (2, 2, 2, 2), 1000)


def resnet50():
    """Builds ResNet-50: (N, 3, 224, 224) -> (N, 1000)."""
    return _ResNet(7, _bottleneck, (64, 128, 256, 512), (3, 4, 6, 3), 1000)


class KeyValueCache:
    """Keeps the keys and values of the tokens that a GPT has read, as `gpugrad.models.KeyValueCache` does."""

    def __init__(self, positions):
        self.positions, self.length, self.layers = positions, 0, []

    def append(self, layer, k, v):
        """Adds those of new tokens, (N, H, T, D); returns those of all."""
        end = self.length + k.shape[2]
        if layer == len(self.layers):
            shape = (*k.shape[:2], self.positions, k.shape[3])
            self.layers.append((k.new_zeros(shape), v.new_zeros(shape)))
        for whole, new in zip(self.layers[layer], (k, v), strict=True):
            whole[:, :, self.length : end] = new
        return tuple(whole[:, :, :end] for whole in self.layers[layer])


class _Attention(nn.Module):
    def __init__(self, width, heads, bias, causal):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.c_attn, self.c_proj = nn.Linear(width, 3 * width, bias=bias), nn.Linear(width, width)

    def forward(self, x, cache, layer):
        batch, length, width = x.shape
        parts = self.c_attn(x).split(width, dim=2)
        q, k, v = (part.view(batch, length, self.heads, width // self.heads).transpose(1, 2) for part in parts)
        if cache is not None:  # of one token, which sees all
            k, v = cache.append(layer, k, v)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal and cache is None)
        return self.c_proj(mixed.transpose(1, 2).reshape(batch, length, width))


class _Block(nn.Module):
    def __init__(self, width, heads, bias, causal, approximate):
        super().__init__()
        self.ln_1, self.attn = nn.LayerNorm(width), _Attention(width, heads, bias, causal)
        self.ln_2, self.mlp = nn.LayerNorm(width), nn.Sequential()
        self.mlp.add_module("c_fc", nn.Linear(width, 4 * width))
        self.mlp.add_module("act", nn.GELU(approximate))
        self.mlp.add_module("c_proj", nn.Linear(4 * width, width))

    def forward(self, x, cache, layer):
        x = x + self.attn(self.ln_1(x), cache, layer)
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    """Predicts the token after each, or with causal=False encodes: integers (N, n_positions) -> logits.

    With a cache it reads one token.
    """

    def __init__(
        self, vocab_size, n_positions, n_embd, n_layer, n_head, qkv_bias, approximate, tie_weights=False, causal=True
    ):
        super().__init__()
        blocks = [_Block(n_embd, n_head, qkv_bias, causal, approximate) for _ in range(n_layer)]
        tokens, positions = nn.Embedding(vocab_size, n_embd), nn.Embedding(n_positions, n_embd)
        self.transformer = nn.ModuleDict({"wte": tokens, "wpe": positions})
        self.transformer.update({"h": nn.ModuleList(blocks), "ln_f": nn.LayerNorm(n_embd)})
        self.lm_head = nn.Linear(n_embd, vocab_size, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                scale = (2 * n_layer) ** -0.5 if name.endswith("c_proj.weight") else 1
                nn.init.normal_(parameter, std=0.02 * scale)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, tokens, cache=None):
        parts: Any = self.transformer
        positions = parts.wpe.weight
        if cache is not None:
            positions = positions[cache.length : cache.length + 1]
        x = parts.wte(tokens) + positions
        for layer, block in enumerate(parts.h):
            x = block(x, cache, layer)
        if cache is not None:
            cache.length += 1
        return self.lm_head(parts.ln_f(x))


class LSTMLanguageModel(nn.Module):
    """Predicts the token after each: integers (N, T) -> logits (N, T, vocab_size) and the LSTM's state."""

    def __init__(self, vocab_size, embedding_dim, hidden_size):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim)
        self.lstm = nn.LSTM(embedding_dim, hidden_size, batch_first=True)
        self.head = nn.Linear(hidden_size, vocab_size)

    def forward(self, tokens):
        out, state = self.lstm(self.embedding(tokens))
        return self.head(out), state
