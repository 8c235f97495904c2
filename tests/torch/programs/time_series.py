"""Sine waves by LSTM cells: double precision, LBFGS, steps into the future."""

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from start import fill


class Sequence(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm1 = nn.LSTMCell(1, 9)
        self.lstm2 = nn.LSTMCell(9, 9)
        self.linear = nn.Linear(9, 1)

    def forward(self, input, future=0):
        outputs = []
        h_t = torch.zeros(input.size(0), 9, dtype=torch.double)
        c_t = torch.zeros(input.size(0), 9, dtype=torch.double)
        h_t2, c_t2 = torch.zeros_like(h_t), torch.zeros_like(c_t)
        for input_t in input.split(1, dim=1):
            h_t, c_t = self.lstm1(input_t, (h_t, c_t))
            h_t2, c_t2 = self.lstm2(h_t, (h_t2, c_t2))
            output = self.linear(h_t2)
            outputs += [output]
        for _ in range(future):
            h_t, c_t = self.lstm1(output, (h_t, c_t))
            h_t2, c_t2 = self.lstm2(h_t, (h_t2, c_t2))
            output = self.linear(h_t2)
            outputs += [output]
        return torch.cat(outputs, dim=1)


phases = np.array([0.0, 1.3, 2.1])[:, None]
data = np.sin((np.arange(14) + 4 * phases) / 3.0).astype("float64")
input, target = torch.from_numpy(data[1:, :-1]), torch.from_numpy(data[1:, 1:])
test_input, test_target = torch.from_numpy(data[:1, :-1]), torch.from_numpy(data[:1, 1:])
seq = fill(Sequence()).double()
criterion = nn.MSELoss()
optimizer = optim.LBFGS(seq.parameters(), lr=0.8, max_iter=3)
result = []


def closure():
    optimizer.zero_grad()
    loss = criterion(seq(input), target)
    result.append(loss.item())
    loss.backward()
    return loss


for _ in range(2):
    optimizer.step(closure)
    with torch.no_grad():
        pred = seq(test_input, future=5)
        result.append(criterion(pred[:, :-5], test_target).item())
        result += pred.detach().numpy()[0, -5:].tolist()
