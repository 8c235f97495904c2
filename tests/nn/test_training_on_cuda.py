"""Whole training steps on cuda agree with the CPU's, step by step, and every op that has kernels used them."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.autograd.op import OPS
from gpugrad.models.lenet import LeNet
from gpugrad.nn import functional as F


def conv_net():
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.AvgPool2d(2),
        nn.Conv2d(6, 6, 3, padding=1, groups=6), nn.SiLU(), nn.Conv2d(6, 8, 1, stride=2), nn.GroupNorm(2, 8),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10),
    )  # fmt: skip


class Block(nn.Module):
    """A transformer's block over the rows of an image, pre-norm, causal."""

    def __init__(self, width=28, heads=2):
        super().__init__()
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.wide, self.narrow, self.head = (
            nn.Linear(width, 4 * width),
            nn.Linear(4 * width, width),
            nn.Linear(width, 10),
        )

    def forward(self, images):
        x = images[:, 0]
        mask = gg.ones(28, 28, dtype="bool", device=x.device).triu(1)
        h = self.before(x)
        x = x + self.attention(h, h, h, attn_mask=mask, need_weights=False)[0]
        x = x + self.narrow(F.gelu(self.wide(self.after(x))))
        return self.head(x.mean(axis=1))


# AdamW makes steps of one size out of gradients that are zero but for rounding, so it is compared in float64.
OPTIMIZERS = {
    "sgd": (lambda p: gg.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=1e-3), "float32", 2e-5),
    "adamw": (lambda p: gg.optim.AdamW(p, lr=1e-3), "float64", 1e-8),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("make", [LeNet, conv_net, Block])
def test_steps_agree_with_the_cpus(cuda, make, optimizer):
    images = np.random.default_rng(1).random((3, 4, 1, 28, 28), np.float32)
    labels = np.random.default_rng(2).integers(0, 10, (3, 4))
    (make_optimizer, dtype, tolerance), runs = OPTIMIZERS[optimizer], {}
    for device in ("cpu", cuda):
        gg.manual_seed(0)
        model = make().to(device, dtype)
        step = make_optimizer(model.parameters())
        runs[str(device)] = seen = []
        for x, y in zip(images, labels, strict=True):
            loss = F.cross_entropy(model(gg.tensor(x, dtype, device)), gg.tensor(y, device=device))
            step.zero_grad()
            loss.backward()
            step.step()
            seen.append([loss.item(), *(p.detach().cpu().numpy().copy() for p in model.parameters())])
    for host, there in zip(runs["cpu"], runs["cuda:0"], strict=True):
        for a, b in zip(host, there, strict=True):
            np.testing.assert_allclose(b, a, rtol=10 * tolerance, atol=tolerance)


def test_lenet_runs_on_kernels(cuda):
    names = ["convolution", "max_pool", "linear_relu", "linear", "cross_entropy_rows"]
    before = {name: OPS[name].paths["cuda"].runs for name in names}
    test_steps_agree_with_the_cpus(cuda, LeNet, "sgd")
    assert all(OPS[name].paths["cuda"].runs > runs for name, runs in before.items())
