"""A program in PyTorch's language in which pyright finds no mistake."""

import numpy as np

import gpugrad.torch as torch
import gpugrad.torch.nn as nn
import gpugrad.torch.nn.functional as F
from gpugrad.torch import Tensor
from gpugrad.torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self, width: int = 8):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.LayerNorm(width))
        self.head = nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


net = Net().to("cpu")
x = torch.randn(16, 4)
y = torch.randint(0, 3, (16,))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
for images, labels in DataLoader(TensorDataset(x, y), batch_size=8):
    optimizer.zero_grad()
    loss = F.cross_entropy(net(images), labels)
    loss.backward()
    optimizer.step()
scores: Tensor = F.softmax(net(x), dim=1)
values, indices = scores.max(1)
top = torch.topk(scores, 2, dim=1).indices
best: Tensor = torch.max(scores, 1).values + x.max()
size: int = x.size(0)
z: Tensor = x.view(2, -1).permute(1, 0).contiguous().clamp(min=0).exp().unsqueeze(0).float()
mask = (y == 1) & (x.sum(dim=1) > 0)
picked: Tensor = x[mask].masked_fill(x[mask] < 0, 0.0)
zeros = torch.zeros(2, 3, dtype=torch.float64, device="cpu", requires_grad=True)
kind: bool = zeros.dtype.is_floating_point
array: np.ndarray = x.detach().cpu().numpy()
print(values, indices, top, best, size, z, picked, kind, array, torch.cat([x, x], dim=0), x.transpose(0, 1))
print(x.scatter(0, y[:, None], 1.0))
with torch.no_grad():
    x.add_(1).mul_(2.0)
