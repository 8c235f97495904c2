"""A character-level language model with an LSTM."""

import torch
import torch.nn as nn

TEXT = "the quick brown fox jumps over the lazy dog. pack my box with five dozen liquor jugs. " * 3


class CharLSTM(nn.Module):
    def __init__(self, vocabulary, hidden=24, layers=2):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, 12)
        self.lstm = nn.LSTM(12, hidden, num_layers=layers, batch_first=True)
        self.head = nn.Linear(hidden, vocabulary)

    def forward(self, tokens, state=None):
        out, state = self.lstm(self.embedding(tokens), state)
        return self.head(out), state


def build():
    return CharLSTM(len(set(TEXT)))


def train(model):
    alphabet = sorted(set(TEXT))
    data = torch.tensor([alphabet.index(c) for c in TEXT], dtype=torch.long)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=5e-3)
    losses, state = [], None
    for start in range(0, len(data) - 33, 32):
        x = data[start : start + 32].unsqueeze(0)
        y = data[start + 1 : start + 33]
        if state is not None:
            state = tuple(s.detach() for s in state)
        optimizer.zero_grad()
        logits, state = model(x, state)
        loss = criterion(logits.view(-1, len(alphabet)), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses
