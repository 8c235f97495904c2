"""Translation: a GRU encoder, a decoder with attention, teacher forcing, padded batches."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from start import fill
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

PAD, SOS, EOS = 0, 1, 2


class Encoder(nn.Module):
    def __init__(self, size, hidden):
        super().__init__()
        self.embedding = nn.Embedding(size, hidden, padding_idx=PAD)
        self.gru = nn.GRU(hidden, hidden, bidirectional=True)

    def forward(self, src, lengths):
        packed = pack_padded_sequence(self.embedding(src), lengths, enforce_sorted=False)
        outputs, hidden = self.gru(packed)
        outputs, _ = pad_packed_sequence(outputs)
        half = outputs.size(2) // 2
        return outputs[:, :, :half] + outputs[:, :, half:], hidden[:1] + hidden[1:]


class Decoder(nn.Module):
    def __init__(self, size, hidden):
        super().__init__()
        self.embedding = nn.Embedding(size, hidden)
        self.attn = nn.Linear(hidden * 2, hidden)
        self.v = nn.Parameter(torch.ones(hidden) / hidden)
        self.gru = nn.GRU(hidden * 2, hidden)
        self.out = nn.Linear(hidden * 2, size)

    def forward(self, token, hidden, memory):
        embedded = self.embedding(token).unsqueeze(0)
        steps = hidden.repeat(memory.size(0), 1, 1)
        energy = torch.tanh(self.attn(torch.cat((steps, memory), 2))).transpose(0, 1)
        v = self.v.repeat(memory.size(1), 1).unsqueeze(1)
        weights = F.softmax(torch.bmm(v, energy.transpose(1, 2)).squeeze(1), dim=1).unsqueeze(1)
        context = weights.bmm(memory.transpose(0, 1)).transpose(0, 1)
        output, hidden = self.gru(torch.cat([embedded, context], 2), hidden)
        output = self.out(torch.cat([output.squeeze(0), context.squeeze(0)], 1))
        return F.log_softmax(output, dim=1), hidden


sources = [torch.tensor(s) for s in ([3, 4, 5, 2], [6, 3, 2], [4, 4, 7, 5, 2])]
targets = pad_sequence([s.flip(0)[1:] for s in sources], padding_value=PAD)
lengths = torch.tensor([len(s) for s in sources])
batch = pad_sequence(sources)
encoder, decoder = fill(Encoder(8, 10)), fill(Decoder(8, 10), 1)
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.01)
result = []
for _ in range(4):
    memory, hidden = encoder(batch, lengths)
    token = torch.full((3,), SOS, dtype=torch.long)
    loss = 0
    for t in range(targets.size(0)):
        output, hidden = decoder(token, hidden, memory)
        loss = loss + F.nll_loss(output, targets[t], ignore_index=PAD)
        _, best = output.data.topk(1)
        token = targets[t] if t % 2 else best.squeeze(1).detach()
    optimizer.zero_grad()
    loss.backward()
    grad_norm = nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
    optimizer.step()
    result += [loss.item(), grad_norm.item()]
