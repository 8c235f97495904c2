"""The networks of segmentation written with torch.nn, with the names of their parameters."""

import torch
from torch import nn
from torch.nn import functional as F


def double_conv(inside, outside, between=None):
    between = between or outside
    layers = []
    for a, b in ((inside, between), (between, outside)):
        layers += [nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU()]
    return nn.Sequential(*layers)


class SegNet(nn.Module):
    def __init__(self, classes, width):  # of depth 2
        super().__init__()
        self.encoder = nn.ModuleList([double_conv(1, width), double_conv(width, 2 * width)])
        self.decoder = nn.ModuleList([double_conv(2 * width, width, 2 * width), double_conv(width, width)])
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x):
        x, first = F.max_pool2d(self.encoder[0](x), 2, return_indices=True)
        x, second = F.max_pool2d(self.encoder[1](x), 2, return_indices=True)
        x = self.decoder[0](F.max_unpool2d(x, second, 2))
        return self.head(self.decoder[1](F.max_unpool2d(x, first, 2)))


class FCN(nn.Module):
    def __init__(self, classes, width):  # of depth 3 with 1 skip
        super().__init__()
        sizes = [(1, width), (width, 2 * width), (2 * width, 4 * width)]
        self.encoder = nn.ModuleList([double_conv(*size) for size in sizes])
        self.scores = nn.ModuleList([nn.Conv2d(4 * width, classes, 1), nn.Conv2d(2 * width, classes, 1)])
        self.enlarge = nn.ModuleList([nn.ConvTranspose2d(classes, classes, 4, 2, 1, bias=False)])
        self.final = nn.ConvTranspose2d(classes, classes, 8, 4, 2, bias=False)

    def forward(self, x):
        two = F.max_pool2d(self.encoder[1](F.max_pool2d(self.encoder[0](x), 2)), 2)
        three = F.max_pool2d(self.encoder[2](two), 2)
        return self.final(self.enlarge[0](self.scores[0](three)) + self.scores[1](two))


class UNet(nn.Module):
    def __init__(self, classes, width):  # of depth 2
        super().__init__()
        sizes = [(1, width), (width, 2 * width), (2 * width, 4 * width)]
        self.down = nn.ModuleList([double_conv(*size) for size in sizes])
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, 2) for w in (2 * width, width))
        self.merge = nn.ModuleList([double_conv(4 * width, 2 * width), double_conv(2 * width, width)])
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x):
        one = self.down[0](x)
        two = self.down[1](F.max_pool2d(one, 2))
        x = self.up[0](self.down[2](F.max_pool2d(two, 2)))
        x = self.up[1](self.merge[0](torch.cat([two, x], 1)))
        return self.head(self.merge[1](torch.cat([one, x], 1)))
