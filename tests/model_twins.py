"""The architectures written with torch.nn, with the names of their parameters, as small as a comparison allows."""

from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional as F


class _Stacked(nn.Module):
    """Scores images by `features`, an average over parts of the image, and `classifier`."""

    def __init__(self, features, side, classifier):
        super().__init__()
        self.features, self.avgpool = nn.Sequential(*features), nn.AdaptiveAvgPool2d(side)
        self.classifier = nn.Sequential(*classifier)

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def _alexnet(first, wide, padding, norm, hidden):
    layers = []
    shapes = [(3, first[0], 11, 4, padding), (*first, 5, 1, 2), (first[1], 384, 3, 1, 1), (384, wide, 3, 1, 1),
              (wide, 256, 3, 1, 1)]  # fmt: skip
    for number, shape in enumerate(shapes):
        layers += [nn.Conv2d(*shape), nn.ReLU()] + ([nn.MaxPool2d(3, 2)] if number in (0, 1, 4) else [])
        layers += [nn.LocalResponseNorm(5, 5e-4, 0.75, 2.0)] if norm and number < 2 else []
    head = [nn.Dropout(0), nn.Linear(9216, hidden), nn.ReLU(), nn.Dropout(0), nn.Linear(hidden, hidden), nn.ReLU()]
    return _Stacked(layers, 6, [*head, nn.Linear(hidden, 10)])


def alexnet(hidden):
    return _alexnet((64, 192), 256, 2, False, hidden)


def alexnet_2012(hidden):
    return _alexnet((48, 256), 384, 0, True, hidden)


def vgg(stages, batch_norm, hidden):
    layers, inside = [], 3
    for channels, count in stages:
        for _ in range(count):
            layers += [nn.Conv2d(inside, channels, 3, padding=1)]
            layers += [nn.BatchNorm2d(channels), nn.ReLU()] if batch_norm else [nn.ReLU()]
            inside = channels
        layers.append(nn.MaxPool2d(2))
    head = [nn.Linear(49 * inside, hidden), nn.ReLU(), nn.Dropout(0), nn.Linear(hidden, hidden), nn.ReLU()]
    return _Stacked(layers, 7, [*head, nn.Dropout(0), nn.Linear(hidden, 10)])


class _Block(nn.Module):
    """Convolutions with batch norm, shapes (inside, outside, size, stride), added to the input unless `plain`."""

    def __init__(self, *shapes, plain=False):
        super().__init__()
        self.plain, self.count = plain, len(shapes)
        for number, (inside, outside, size, stride) in enumerate(shapes, 1):
            self.add_module(f"conv{number}", nn.Conv2d(inside, outside, size, stride, size // 2, bias=False))
            self.add_module(f"bn{number}", nn.BatchNorm2d(outside))
        inside, outside, stride = shapes[0][0], shapes[-1][1], max(shape[3] for shape in shapes)
        self.downsample = None
        if not plain and (inside != outside or stride > 1):
            self.downsample = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x):
        y = x
        for number in range(1, self.count + 1):
            y = F.relu(y) if number > 1 else y
            y = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(y))
        shortcut = x if self.downsample is None else self.downsample(x)
        return F.relu(y if self.plain else y + shortcut)


class _ResNet(nn.Module):
    def __init__(self, stem, widths, counts, kind):
        super().__init__()
        inside = widths[0]
        self.conv1 = nn.Conv2d(3, inside, stem, 1 if stem == 3 else 2, stem // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(inside)
        self.maxpool = nn.Identity() if stem == 3 else nn.MaxPool2d(3, 2, 1)
        self.stages = len(widths)
        for number, (width, count) in enumerate(zip(widths, counts, strict=True), 1):
            blocks = []
            for i in range(count):
                stride = 2 if number > 1 and i == 0 else 1
                if kind == "bottleneck":
                    blocks.append(_Block((inside, width, 1, 1), (width, width, 3, stride), (width, 4 * width, 1, 1)))
                    inside = 4 * width
                else:
                    blocks.append(_Block((inside, width, 3, stride), (width, width, 3, 1), plain=kind == "plain"))
                    inside = width
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
        self.fc = nn.Linear(inside, 10)

    def forward(self, x):
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        for number in range(1, self.stages + 1):
            x = getattr(self, f"layer{number}")(x)
        return self.fc(x.mean((2, 3)))


def resnet(counts, kind):
    return _ResNet(7, (64, 128, 256, 512), counts, kind)


def cifar_resnet(depth, width, kind):
    return _ResNet(3, (width, 2 * width, 4 * width), ((depth - 2) // 6,) * 3, kind)


class _Conv(nn.Module):
    def __init__(self, inside, outside, size, stride=1, padding=0):
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outside, eps=0.001)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


class Inception(nn.Module):
    def __init__(self, inside, one, three, five, pooled):
        super().__init__()
        self.branch1 = _Conv(inside, one, 1)
        self.branch2 = nn.Sequential(_Conv(inside, three[0], 1), _Conv(*three, 3, 1, 1))
        self.branch3 = nn.Sequential(_Conv(inside, five[0], 1), _Conv(*five, 3, 1, 1))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), _Conv(inside, pooled, 1))

    def forward(self, x):
        return torch.cat([branch(x) for branch in (self.branch1, self.branch2, self.branch3, self.branch4)], 1)


class _Auxiliary(nn.Module):
    def __init__(self, inside):
        super().__init__()
        self.conv, self.fc1, self.fc2 = _Conv(inside, 128, 1), nn.Linear(2048, 1024), nn.Linear(1024, 10)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(self.conv(F.adaptive_avg_pool2d(x, 4)).flatten(1))))


INCEPTIONS = {
    "3a": (192, 64, (96, 128), (16, 32), 32), "3b": (256, 128, (128, 192), (32, 96), 64),
    "4a": (480, 192, (96, 208), (16, 48), 64), "4b": (512, 160, (112, 224), (24, 64), 64),
    "4c": (512, 128, (128, 256), (24, 64), 64), "4d": (512, 112, (144, 288), (32, 64), 64),
    "4e": (528, 256, (160, 320), (32, 128), 128), "5a": (832, 256, (160, 320), (32, 128), 128),
    "5b": (832, 384, (192, 384), (48, 128), 128),
}  # fmt: skip


class GoogLeNet(nn.Module):
    """Gives the scores of the network, of its second head and of its first, side by side: (N, 30)."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2, self.conv3 = _Conv(3, 64, 7, 2, 3), _Conv(64, 64, 1), _Conv(64, 192, 3, 1, 1)
        for name, shape in INCEPTIONS.items():
            self.add_module(f"inception{name}", Inception(*shape))
        self.aux1, self.aux2, self.fc = _Auxiliary(512), _Auxiliary(528), nn.Linear(1024, 10)

    def forward(self, x):
        def pool(x, size=3):
            return F.max_pool2d(x, size, 2, ceil_mode=True)

        x = pool(self.conv3(self.conv2(pool(self.conv1(x)))))
        heads = []
        for name in INCEPTIONS:
            x = pool(x) if name == "4a" else pool(x, 2) if name == "5a" else x
            x = getattr(self, f"inception{name}")(x)
            heads += [self.aux1(x)] if name == "4a" else [self.aux2(x)] if name == "4d" else []
        return torch.cat([self.fc(x.mean((2, 3))), heads[1], heads[0]], 1)


def _activated(inside, outside, size=1, stride=1, groups=1):
    conv = nn.Conv2d(inside, outside, size, stride, size // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outside), nn.ReLU6())


class InvertedResidual(nn.Module):
    def __init__(self, inside, outside, stride, expansion):
        super().__init__()
        wide = inside * expansion
        layers = [_activated(inside, wide)] if expansion > 1 else []
        layers += [_activated(wide, wide, 3, stride, wide), nn.Conv2d(wide, outside, 1, bias=False)]
        self.conv = nn.Sequential(*layers, nn.BatchNorm2d(outside))
        self.adds = stride == 1 and inside == outside

    def forward(self, x):
        return x + self.conv(x) if self.adds else self.conv(x)


def mobilenet_v2(stages):
    layers, inside = [_activated(3, 32, 3, 2)], 32
    for expansion, outside, count, stride in stages:
        for number in range(count):
            layers.append(InvertedResidual(inside, outside, 1 if number else stride, expansion))
            inside = outside
    return _Stacked([*layers, _activated(inside, 1280)], 1, [nn.Dropout(0), nn.Linear(1280, 10)])


class _EncoderBlock(nn.Module):
    def __init__(self, width, heads, mlp):
        super().__init__()
        self.ln_1 = nn.LayerNorm(width, 1e-6)
        self.self_attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(width, 1e-6)
        self.mlp = nn.Sequential(nn.Linear(width, mlp), nn.GELU(), nn.Dropout(0), nn.Linear(mlp, width), nn.Dropout(0))

    def forward(self, x):
        y = self.ln_1(x)
        x = x + self.self_attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class _Encoder(nn.Module):
    def __init__(self, length, layers, width, heads, mlp):
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.empty(1, length, width).normal_(std=0.02))
        blocks = [(f"encoder_layer_{number}", _EncoderBlock(width, heads, mlp)) for number in range(layers)]
        self.layers, self.ln = nn.Sequential(OrderedDict(blocks)), nn.LayerNorm(width, 1e-6)

    def forward(self, x):
        return self.ln(self.layers(x + self.pos_embedding))


class VisionTransformer(nn.Module):
    def __init__(self, size, patch, layers, heads, width, mlp):
        super().__init__()
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.conv_proj = nn.Conv2d(3, width, patch, patch)
        self.encoder = _Encoder((size // patch) ** 2 + 1, layers, width, heads, mlp)
        self.heads = nn.Sequential(OrderedDict(head=nn.Linear(width, 10)))

    def forward(self, x):
        x = self.conv_proj(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], 1)
        return self.heads(self.encoder(x)[:, 0])
