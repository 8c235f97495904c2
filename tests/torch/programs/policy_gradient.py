"""Policy gradient with a baseline: returns normalised with std, log-probabilities of chosen actions."""

from collections import deque

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from start import fill

random = np.random.default_rng(5)
eps = np.finfo(np.float32).eps.item()


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.affine1 = nn.Linear(4, 16)
        self.action_head = nn.Linear(16, 2)
        self.value_head = nn.Linear(16, 1)
        self.saved_actions, self.rewards = [], []

    def forward(self, x):
        x = F.relu(self.affine1(x))
        return F.softmax(self.action_head(x), dim=-1), self.value_head(x)


def step(state, action):
    """A cart that is to stay near 0."""
    x, v, _, _ = state
    v = v + (0.1 if action else -0.1) + 0.02 * random.standard_normal()
    x = x + v
    return np.array([x, v, np.sin(x), 1.0]), 1.0 - min(abs(x), 1.0)


model = fill(Policy())
optimizer = optim.Adam(model.parameters(), lr=3e-2)
result = []
for _episode in range(3):
    state = np.array([0.1, 0.0, 0.1, 1.0])
    for _ in range(8):
        probs, state_value = model(torch.from_numpy(state).float().unsqueeze(0))
        action = int(random.random() < probs[0, 1].item())
        model.saved_actions.append((torch.log(probs.gather(1, torch.tensor([[action]]))).squeeze(), state_value))
        state, reward = step(state, action)
        model.rewards.append(reward)
    returns, total = deque(), 0
    for r in model.rewards[::-1]:
        total = r + 0.99 * total
        returns.appendleft(total)
    returns = torch.tensor(returns)
    returns = (returns - returns.mean()) / (returns.std() + eps)
    policy_losses, value_losses = [], []
    for (log_prob, value), total in zip(model.saved_actions, returns, strict=True):
        policy_losses.append(-log_prob * (total - value.item()))
        value_losses.append(F.smooth_l1_loss(value, torch.tensor([[total]])))
    optimizer.zero_grad()
    loss = torch.stack(policy_losses).sum() + torch.stack(value_losses).sum()
    loss.backward()
    optimizer.step()
    result += [loss.item(), sum(model.rewards)]
    del model.rewards[:], model.saved_actions[:]
