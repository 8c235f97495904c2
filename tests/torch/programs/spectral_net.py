"""A spectral network: convolution by the Fourier transform, weights of low frequencies, spectral norm beside it."""

import numpy as np
import torch
import torch.fft
import torch.nn as nn
from start import fill


class SpectralConv1d(nn.Module):
    def __init__(self, channels, modes):
        super().__init__()
        self.modes = modes
        self.weight = nn.Parameter(torch.rand(channels, channels, modes, 2))

    def forward(self, x):
        batch, channels, length = x.shape
        spectrum = torch.fft.rfft(x)
        weight = torch.view_as_complex(self.weight)
        low = torch.einsum("bim,iom->bom", spectrum[:, :, : self.modes], weight)
        out = torch.zeros(batch, channels, length // 2 + 1, dtype=torch.cfloat)
        out[:, :, : self.modes] = low
        return torch.fft.irfft(out, n=length)


class FNO(nn.Module):
    def __init__(self, width=4, modes=3):
        super().__init__()
        self.lift = nn.Linear(2, width)
        self.spectral = nn.ModuleList([SpectralConv1d(width, modes) for _ in range(2)])
        self.pointwise = nn.ModuleList([nn.Conv1d(width, width, 1) for _ in range(2)])
        self.project = nn.Linear(width, 1)

    def forward(self, u, grid):
        x = self.lift(torch.stack((u, grid.expand_as(u)), dim=-1)).permute(0, 2, 1)
        for spectral, pointwise in zip(self.spectral, self.pointwise, strict=True):
            x = nn.functional.gelu(spectral(x) + pointwise(x))
        return self.project(x.transpose(1, 2)).squeeze(-1)


random = np.random.default_rng(16)
grid = torch.linspace(0, 1, 16 + 1)[:-1]
u = torch.from_numpy(np.cumsum(random.standard_normal((4, 16)), 1)).float()
u = (u - u.mean(1, keepdim=True)) / u.std(1, keepdim=True)
target = torch.roll(u, shifts=2, dims=1)
net = fill(FNO())
optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
result = []
for _ in range(5):
    out = net(u, grid)
    loss = torch.norm(out - target, dim=1).div(torch.norm(target, dim=1)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    result += [loss.item(), net.spectral[0].weight.grad.abs().sum().item()]
power = torch.fft.rfft(out.detach()).abs().pow(2).mean(0)
result += power[:5].tolist()
