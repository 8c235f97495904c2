"""A vision transformer of nn.TransformerEncoder, warmed up by LambdaLR."""

import numpy as np
import torch
from start import fill
from torch import nn


class ViT(nn.Module):
    def __init__(self, image_size=8, patch=4, dim=12, depth=2, heads=3, classes=4):
        super().__init__()
        self.patch = patch
        self.embed = nn.Linear(3 * patch * patch, dim)
        self.cls = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos = nn.Parameter(torch.zeros(1, (image_size // patch) ** 2 + 1, dim))
        layer = nn.TransformerEncoderLayer(dim, heads, 2 * dim, dropout=0.0, activation="gelu", batch_first=True,
                                           norm_first=True)  # fmt: skip
        self.encoder = nn.TransformerEncoder(layer, depth, norm=nn.LayerNorm(dim), enable_nested_tensor=False)
        self.head = nn.Linear(dim, classes)

    def forward(self, x):
        p, (b, c) = self.patch, x.shape[:2]
        x = x.unfold(2, p, p).unfold(3, p, p).permute(0, 2, 3, 1, 4, 5).reshape(b, -1, c * p * p)
        x = torch.cat((self.cls.expand(b, -1, -1), self.embed(x)), dim=1) + self.pos
        return self.head(self.encoder(x)[:, 0])


random = np.random.default_rng(7)
images = torch.as_tensor(random.standard_normal((5, 3, 8, 8)).astype(np.float32))
labels = torch.as_tensor(random.integers(0, 4, (5,)))
net = fill(ViT())
optimizer = torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.1)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 3))
result = []
for _ in range(5):
    logits = net(images)
    loss = nn.functional.cross_entropy(logits, labels)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    total = torch.norm(torch.stack([p.grad.detach().norm(2) for p in net.parameters()]), 2)
    optimizer.step()
    scheduler.step()
    values, indices = logits.softmax(-1).topk(2)
    result += [loss.item(), total.item(), values[:, 0].mean().item(), *indices[0].tolist()]
