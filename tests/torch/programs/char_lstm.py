"""A character model with an LSTM: hidden states carried on, gradients clipped, text drawn greedily."""

import torch
import torch.nn as nn
from start import fill
from torch.nn.utils import clip_grad_norm_

text = "the quick brown fox jumps over the lazy dog and the cat sat on the mat. "
chars = sorted(set(text))
ids = torch.tensor([chars.index(c) for c in text]).view(4, -1)


class RNNLM(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, num_layers):
        super(RNNLM, self).__init__()  # noqa: UP008 - as old programs write it
        self.embed = nn.Embedding(vocab_size, embed_size)
        self.lstm = nn.LSTM(embed_size, hidden_size, num_layers, batch_first=True)
        self.linear = nn.Linear(hidden_size, vocab_size)

    def forward(self, x, h):
        out, (h, c) = self.lstm(self.embed(x), h)
        out = out.reshape(out.size(0) * out.size(1), out.size(2))
        return self.linear(out), (h, c)


def detach(states):
    return [state.detach() for state in states]


model = fill(RNNLM(len(chars), 8, 16, 2))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
result = []
for _epoch in range(2):
    states = (torch.zeros(2, 4, 16), torch.zeros(2, 4, 16))
    for i in range(0, ids.size(1) - 6, 6):
        inputs, targets = ids[:, i : i + 6], ids[:, (i + 1) : (i + 1) + 6]
        states = detach(states)
        outputs, states = model(inputs, states)
        loss = criterion(outputs, targets.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        norm = clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        result += [loss.item(), float(norm)]
with torch.no_grad():
    state = (torch.zeros(2, 1, 16), torch.zeros(2, 1, 16))
    token = torch.zeros(1, 1).fill_(3).long()
    for _ in range(8):
        output, state = model(token, state)
        token.fill_(output.exp().max(1)[1].item())
        result.append(token.item())
