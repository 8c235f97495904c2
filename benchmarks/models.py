"""The networks of the benchmark, written once against the names that gpugrad and PyTorch share.

Each function takes the library (the module `gpugrad` or `torch`) and returns an ordinary `nn.Module`.
"""


def mlp(lib):
    """784-512-256-10 with ReLU: (N, 784) -> (N, 10)."""
    nn = lib.nn
    return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10))


def lenet(lib):
    """LeNet: two 5x5 convolutions, each max-pooled, and two linear layers: (N, 1, 32, 32) -> (N, 10)."""
    nn, F = lib.nn, lib.nn.functional

    class LeNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(1, 20, 5)
            self.conv2 = nn.Conv2d(20, 50, 5)
            self.fc1 = nn.Linear(50 * 5 * 5, 500)
            self.fc2 = nn.Linear(500, 10)

        def forward(self, x):
            x = F.max_pool2d(self.conv1(x), 2)
            x = F.max_pool2d(self.conv2(x), 2)
            return self.fc2(F.relu(self.fc1(x.reshape(-1, 50 * 5 * 5))))

    return LeNet()


def _conv_norm(nn, inside, outside, size, stride=1):
    """A convolution that keeps the size (or divides it by the stride), and batch norm."""
    convolution = nn.Conv2d(inside, outside, size, stride=stride, padding=size // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outside))


def resnet20(lib):
    """ResNet-20 in its CIFAR form (He et al. 2015, section 4.2), 1x1 shortcuts: (N, 3, 32, 32) -> (N, 10)."""
    nn, F = lib.nn, lib.nn.functional

    class Block(nn.Module):
        def __init__(self, inside, outside, stride):
            super().__init__()
            self.first = _conv_norm(nn, inside, outside, 3, stride)
            self.second = _conv_norm(nn, outside, outside, 3)
            self.shortcut = nn.Identity() if inside == outside else _conv_norm(nn, inside, outside, 1, stride)

        def forward(self, x):
            return F.relu(self.second(F.relu(self.first(x))) + self.shortcut(x))

    class ResNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = _conv_norm(nn, 3, 16, 3)
            shapes = [(16, 16, 1)] * 3 + [(16, 32, 2)] + [(32, 32, 1)] * 2 + [(32, 64, 2)] + [(64, 64, 1)] * 2
            self.blocks = nn.Sequential(*(Block(*shape) for shape in shapes))
            self.head = nn.Linear(64, 10)

        def forward(self, x):
            return self.head(self.blocks(F.relu(self.stem(x))).mean((2, 3)))

    return ResNet()


def transformer(lib, vocabulary, length, width, layers, heads, causal=True):
    """A pre-norm transformer: token numbers (N, length) -> logits (N, length, vocabulary).

    A decoder as GPT-2, or with causal=False an encoder of BERT's sizes."""
    nn, F = lib.nn, lib.nn.functional

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv = nn.Linear(width, 3 * width, bias=False)  # a key bias has no gradient to compare
            self.out = nn.Linear(width, width)

        def forward(self, x):
            parts = self.qkv(x).split(width, dim=2)
            q, k, v = (part.view(-1, length, heads, width // heads).transpose(1, 2) for part in parts)
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
            return self.out(mixed.transpose(1, 2).reshape(-1, length, width))

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.attention = nn.LayerNorm(width), Attention()
            self.norm2 = nn.LayerNorm(width)
            self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

        def forward(self, x):
            x = x + self.attention(self.norm1(x))
            return x + self.mlp(self.norm2(x))

    class Transformer(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens = nn.Embedding(vocabulary, width)
            self.positions = nn.Parameter(lib.randn(length, width))
            self.blocks = nn.Sequential(*(Block() for _ in range(layers)))
            self.norm = nn.LayerNorm(width)
            self.head = nn.Linear(width, vocabulary, bias=False)

        def forward(self, tokens):
            return self.head(self.norm(self.blocks(self.tokens(tokens) + self.positions)))

    return Transformer()


# The networks of "CPU against GPU" charts, as torchvision has them, without dropout: both libraries must agree.


def _classifier(nn, sizes):
    layers = [layer for i, o in zip(sizes, sizes[1:], strict=False) for layer in (nn.Linear(i, o), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def alexnet(lib):
    """AlexNet (Krizhevsky 2014): (N, 3, 224, 224) -> (N, 1000)."""
    nn, shapes = lib.nn, [(3, 64, 11, 4, 2), (64, 192, 5, 1, 2), (192, 384, 3, 1, 1), (384, 256, 3, 1, 1)]
    layers = []
    for number, (i, o, size, stride, padding) in enumerate([*shapes, (256, 256, 3, 1, 1)]):
        layers += [nn.Conv2d(i, o, size, stride=stride, padding=padding), nn.ReLU()]
        layers += [nn.MaxPool2d(3, 2)] if number in (0, 1, 4) else []
    return nn.Sequential(*layers, nn.Flatten(), _classifier(nn, (256 * 6 * 6, 4096, 4096, 1000)))


def vgg16(lib):
    """VGG-16 (Simonyan and Zisserman 2014): (N, 3, 224, 224) -> (N, 1000)."""
    nn, layers, inside = lib.nn, [], 3
    for width, times in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(times):
            layers += [nn.Conv2d(inside, width, 3, padding=1), nn.ReLU()]
            inside = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), _classifier(nn, (512 * 7 * 7, 4096, 4096, 1000)))


def resnet(lib, depths, bottleneck):
    """ResNet for ImageNet (He et al. 2015, table 1): (N, 3, 224, 224) -> (N, 1000)."""
    nn, F = lib.nn, lib.nn.functional

    class Block(nn.Module):
        def __init__(self, inside, width, stride):
            super().__init__()
            shapes = [(inside, width, 3, stride), (width, width, 3, 1)]
            if bottleneck:
                shapes = [(inside, width, 1, 1), (width, width, 3, stride), (width, 4 * width, 1, 1)]
            outside = shapes[-1][1]
            self.steps = nn.ModuleList([_conv_norm(nn, *shape) for shape in shapes])
            same = inside == outside and stride == 1
            self.shortcut = nn.Identity() if same else _conv_norm(nn, inside, outside, 1, stride)

        def forward(self, x):
            y = x
            for number, step in enumerate(self.steps):
                y = step(F.relu(y) if number else y)
            return F.relu(y + self.shortcut(x))

    blocks, inside = [], 64
    for stage, depth in enumerate(depths):
        for number in range(depth):
            blocks.append(Block(inside, 64 << stage, 2 if stage and not number else 1))
            inside = (64 << stage) * (4 if bottleneck else 1)
    stem = [_conv_norm(nn, 3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inside, 1000))


def char_lstm(lib, vocabulary=96, width=256):
    """An LSTM over characters, (N, T) -> (N, T, vocabulary)."""
    nn = lib.nn

    class CharLSTM(nn.Module):
        def __init__(self):
            super().__init__()
            self.characters = nn.Embedding(vocabulary, width)
            self.lstm = nn.LSTM(width, width, batch_first=True)
            self.head = nn.Linear(width, vocabulary)

        def forward(self, characters):
            return self.head(self.lstm(self.characters(characters))[0])

    return CharLSTM()
