"""A variational autoencoder; the noise comes from NumPy."""

import numpy as np
import torch
import torch.utils.data
from start import fill
from torch import nn, optim
from torch.nn import functional as F

random = np.random.default_rng(1)


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(36, 20)
        self.fc21 = nn.Linear(20, 4)
        self.fc22 = nn.Linear(20, 4)
        self.fc3 = nn.Linear(4, 20)
        self.fc4 = nn.Linear(20, 36)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.as_tensor(random.standard_normal(std.size()), dtype=std.dtype)
        return mu + eps * std

    def decode(self, z):
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 36))
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    bce = F.binary_cross_entropy(recon_x, x.view(-1, 36), reduction="sum")
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return bce + kld


model = fill(VAE())
optimizer = optim.Adam(model.parameters(), lr=1e-3)
data = torch.tensor(random.random((24, 1, 6, 6)), dtype=torch.float32)
result = []
for start in range(0, 24, 6):
    batch = data[start : start + 6]
    recon_batch, mu, logvar = model(batch)
    loss = loss_function(recon_batch, batch, mu, logvar)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    result.append(loss.item() / len(batch))
with torch.no_grad():
    sample = model.decode(torch.tensor(random.standard_normal((2, 4)), dtype=torch.float)).cpu()
    result += sample.view(2, 1, 6, 6).mean((1, 2, 3)).tolist()
    result += torch.cat([batch[:2], recon_batch.view(6, 1, 6, 6)[:2]]).std(dim=0).flatten().tolist()
