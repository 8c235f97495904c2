"""Denoising diffusion: noise schedules by index, a U-shaped network with time embeddings, one sampled image, an EMA."""

import copy
import math

import numpy as np
import torch
import torch.nn.functional as F
from start import fill
from torch import nn

random = np.random.default_rng(8)


def noise(shape):
    return torch.from_numpy(random.standard_normal(tuple(shape))).float()


class TimeEmbedding(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, t):
        half = self.dim // 2
        freqs = torch.exp(torch.arange(half, device=t.device) * -(math.log(10000) / (half - 1)))
        args = t[:, None] * freqs[None, :]
        return torch.cat((args.sin(), args.cos()), dim=-1)


class UNet(nn.Module):
    def __init__(self, c=8):
        super().__init__()
        self.time = nn.Sequential(TimeEmbedding(c), nn.Linear(c, c), nn.SiLU(), nn.Linear(c, c))
        self.inc = nn.Conv2d(1, c, 3, padding=1)
        self.down = nn.Sequential(nn.GroupNorm(2, c), nn.SiLU(), nn.Conv2d(c, c, 4, 2, 1))
        self.mid = nn.MultiheadAttention(c, 2, batch_first=True)
        self.up = nn.ConvTranspose2d(c, c, 4, 2, 1)
        self.out = nn.Conv2d(2 * c, 1, 1)

    def forward(self, x, t):
        first = self.inc(x) + self.time(t)[:, :, None, None]
        h = self.down(first)
        b, c, height, width = h.shape
        seq = h.flatten(2).transpose(1, 2)
        h = h + self.mid(seq, seq, seq, need_weights=False)[0].transpose(1, 2).view(b, c, height, width)
        return self.out(torch.cat([self.up(h), first], dim=1))


T = 10
betas = torch.linspace(1e-4, 0.2, T)
alphas = 1.0 - betas
alphas_cumprod = torch.cumprod(alphas, dim=0)
alphas_cumprod_prev = F.pad(alphas_cumprod[:-1], (1, 0), value=1.0)
posterior_variance = betas * (1.0 - alphas_cumprod_prev) / (1.0 - alphas_cumprod)


def extract(a, t, x_shape):
    return a.gather(-1, t).reshape(t.shape[0], *((1,) * (len(x_shape) - 1)))


model = fill(UNet())
ema = copy.deepcopy(model).eval().requires_grad_(False)
optimizer = torch.optim.Adam(model.parameters(), 1e-2)
x0 = noise((4, 1, 8, 8)).clamp(-1, 1)
result = []
for _ in range(4):
    t = torch.from_numpy(random.integers(0, T, 4)).long()
    eps = noise(x0.shape)
    x_t = extract(alphas_cumprod.sqrt(), t, x0.shape) * x0 + extract((1 - alphas_cumprod).sqrt(), t, x0.shape) * eps
    loss = F.smooth_l1_loss(model(x_t, t), eps)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for p, q in zip(ema.parameters(), model.parameters(), strict=True):
            p.mul_(0.9).add_(q, alpha=0.1)
    result.append(loss.item())


@torch.no_grad()
def sample(shape):
    x = noise(shape)
    for i in reversed(range(T)):
        t = torch.full((shape[0],), i, dtype=torch.long)
        scale = extract(betas, t, x.shape) / extract(torch.sqrt(1.0 - alphas_cumprod), t, x.shape)
        x = extract(torch.sqrt(1.0 / alphas), t, x.shape) * (x - scale * ema(x, t))
        x = x + extract(posterior_variance, t, x.shape).sqrt() * noise(shape) if i else x
    return x


image = sample((2, 1, 8, 8))
result += [image.mean().item(), image.std().item(), image.abs().max().item(), *image[0, 0, 0].tolist()]
