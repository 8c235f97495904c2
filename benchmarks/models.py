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


def resnet20(lib):
    """ResNet-20 in its CIFAR form (He et al. 2015, section 4.2), 1x1 shortcuts: (N, 3, 32, 32) -> (N, 10)."""
    nn, F = lib.nn, lib.nn.functional

    def conv_norm(inside, outside, size, stride=1):
        convolution = nn.Conv2d(inside, outside, size, stride=stride, padding=size // 2, bias=False)
        return nn.Sequential(convolution, nn.BatchNorm2d(outside))

    class Block(nn.Module):
        def __init__(self, inside, outside, stride):
            super().__init__()
            self.first = conv_norm(inside, outside, 3, stride)
            self.second = conv_norm(outside, outside, 3)
            self.shortcut = nn.Identity() if inside == outside else conv_norm(inside, outside, 1, stride)

        def forward(self, x):
            return F.relu(self.second(F.relu(self.first(x))) + self.shortcut(x))

    class ResNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = conv_norm(3, 16, 3)
            shapes = [(16, 16, 1)] * 3 + [(16, 32, 2)] + [(32, 32, 1)] * 2 + [(32, 64, 2)] + [(64, 64, 1)] * 2
            self.blocks = nn.Sequential(*(Block(*shape) for shape in shapes))
            self.head = nn.Linear(64, 10)

        def forward(self, x):
            return self.head(self.blocks(F.relu(self.stem(x))).mean((2, 3)))

    return ResNet()


def gpt_mini(lib, vocabulary=256, length=128, width=128, layers=4, heads=4):
    """A pre-norm decoder-only transformer: token numbers (N, length) -> logits (N, length, vocabulary)."""
    nn, F = lib.nn, lib.nn.functional

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv = nn.Linear(width, 3 * width, bias=False)  # a key bias has no gradient to compare
            self.out = nn.Linear(width, width)

        def forward(self, x):
            parts = self.qkv(x).split(width, dim=2)
            q, k, v = (part.view(-1, length, heads, width // heads).transpose(1, 2) for part in parts)
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
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

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens = nn.Embedding(vocabulary, width)
            self.positions = nn.Parameter(lib.randn(length, width))
            self.blocks = nn.Sequential(*(Block() for _ in range(layers)))
            self.norm = nn.LayerNorm(width)
            self.head = nn.Linear(width, vocabulary, bias=False)

        def forward(self, tokens):
            return self.head(self.norm(self.blocks(self.tokens(tokens) + self.positions)))

    return GPT()
