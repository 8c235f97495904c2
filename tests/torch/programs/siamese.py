"""A siamese network: pairs by a Dataset of its own, triplet and cosine losses, exponential decay."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from start import fill
from torch.utils.data import DataLoader, Dataset

random = np.random.default_rng(11)


class Pairs(Dataset):
    def __init__(self, n=12):
        super().__init__()
        self.data = torch.from_numpy(random.standard_normal((n, 1, 8, 8)).astype(np.float32))
        self.classes = random.integers(0, 3, n).tolist()

    def __len__(self):
        return self.data.shape[0]

    def __getitem__(self, index):
        other = (index * 5 + 1) % len(self)
        target = torch.tensor(float(self.classes[index] == self.classes[other]), dtype=torch.float)
        return {"first": self.data[index], "second": self.data[other], "target": target, "name": f"{index}-{other}"}


class SiameseNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.PReLU(), nn.AdaptiveAvgPool2d((2, 2)), nn.Flatten())
        self.fc = nn.Sequential(nn.Linear(32, 8), nn.ReLU(inplace=True), nn.Linear(8, 1))
        self.sigmoid = nn.Sigmoid()

    def forward_once(self, x):
        output = self.body(x)
        return output.view(output.size()[0], -1)

    def forward(self, first, second):
        a, b = self.forward_once(first), self.forward_once(second)
        return self.sigmoid(self.fc(torch.cat((a, b), 1))), a, b


net = fill(SiameseNetwork())
criterion, cosine = nn.BCELoss(), nn.CosineEmbeddingLoss(margin=0.2)
optimizer = torch.optim.RMSprop(net.parameters(), lr=0.01, alpha=0.9)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9)
result = []
for _epoch in range(2):
    for batch in DataLoader(Pairs(), batch_size=6, num_workers=0, drop_last=True):
        outputs, a, b = net(batch["first"], batch["second"])
        loss = criterion(outputs.squeeze(), batch["target"]) + cosine(a, b, 2 * batch["target"] - 1)
        loss = loss + F.triplet_margin_loss(a, b, a.roll(1, 0), margin=1.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        pred = torch.where(outputs > 0.5, 1, 0)
        result += [loss.item(), pred.float().mean().item(), F.pairwise_distance(a, b).sum().item(), len(batch["name"])]
    scheduler.step()
similarity = F.cosine_similarity(a[:, None], b[None], dim=-1)
result += similarity.detach().flatten()[:4].tolist() + torch.cdist(a, b).detach()[0].tolist()
