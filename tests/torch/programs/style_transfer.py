"""Style transfer: Gram matrices of features, forward hooks, and an image as the parameter of LBFGS."""

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from start import fill

random = np.random.default_rng(9)
cnn = fill(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(),
                         nn.AvgPool2d(2), nn.Conv2d(6, 6, 3, padding=1), nn.ReLU(inplace=False))).eval()  # fmt: skip
for param in cnn.parameters():
    param.requires_grad = False
mean = torch.tensor([0.485, 0.456, 0.406]).view(-1, 1, 1)
std = torch.tensor([0.229, 0.224, 0.225]).view(-1, 1, 1)
features = {}


def keep(name):
    def hook(module, input, output):
        features[name] = output

    return hook


handles = [cnn[i].register_forward_hook(keep(i)) for i in (1, 3, 6)]


def gram_matrix(y):
    (b, ch, h, w) = y.size()
    f = y.view(b, ch, w * h)
    return f.bmm(f.transpose(1, 2)) / (ch * h * w)


def features_of(image):
    cnn((image - mean) / std)
    return dict(features)


content = torch.tensor(random.random((1, 3, 8, 8)), dtype=torch.float32)
style = torch.tensor(random.random((1, 3, 8, 8)), dtype=torch.float32)
wanted = features_of(content)[6].detach()
grams = {i: gram_matrix(f).detach() for i, f in features_of(style).items()}
image = content.clone().requires_grad_(True)
optimizer = optim.LBFGS([image], max_iter=4)
result = []


def closure():
    with torch.no_grad():
        image.clamp_(0, 1)
    optimizer.zero_grad()
    found = features_of(image)
    loss = nn.functional.mse_loss(found[6], wanted)
    loss = loss + 50 * sum(nn.functional.mse_loss(gram_matrix(found[i]), gram) for i, gram in grams.items())
    loss.backward()
    result.append(loss.item())
    return loss


for _ in range(2):
    optimizer.step(closure)
for handle in handles:
    handle.remove()
result = [*result[:6], image.data.clamp(0, 1).mean().item()]
