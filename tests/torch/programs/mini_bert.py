"""Masked words by a small BERT: padding masks, masked_fill with finfo, parameter groups without decay, accumulation."""

import math

import numpy as np
import torch
import torch.nn as nn
from start import fill

random = np.random.default_rng(14)


class SelfAttention(nn.Module):
    def __init__(self, hidden, heads):
        super().__init__()
        self.heads, self.size = heads, hidden // heads
        self.query, self.key, self.value = (
            nn.Linear(hidden, hidden),
            nn.Linear(hidden, hidden),
            nn.Linear(hidden, hidden),
        )
        self.dense, self.norm = nn.Linear(hidden, hidden), nn.LayerNorm(hidden, eps=1e-12)

    def transpose_for_scores(self, x):
        x = x.view(x.size()[:-1] + (self.heads, self.size))
        return x.permute(0, 2, 1, 3)

    def forward(self, states, mask):
        q, k, v = (self.transpose_for_scores(layer(states)) for layer in (self.query, self.key, self.value))
        scores = torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(self.size) + mask
        probs = nn.functional.softmax(scores, dim=-1)
        context = torch.matmul(probs, v).permute(0, 2, 1, 3).contiguous()
        context = context.view(*context.size()[:-2], -1)
        return self.norm(self.dense(context) + states)


class Bert(nn.Module):
    def __init__(self, vocab=20, hidden=12, layers=2):
        super().__init__()
        self.word_embeddings = nn.Embedding(vocab, hidden, padding_idx=0)
        self.position_embeddings = nn.Embedding(16, hidden)
        self.LayerNorm = nn.LayerNorm(hidden)
        self.register_buffer("position_ids", torch.arange(16).expand((1, -1)), persistent=False)
        self.layer = nn.ModuleList([SelfAttention(hidden, 3) for _ in range(layers)])
        self.ffn = nn.ModuleList(
            nn.Sequential(nn.Linear(hidden, 24), nn.GELU(), nn.Linear(24, hidden)) for _ in range(layers)
        )
        self.bias = nn.Parameter(torch.zeros(vocab))

    def forward(self, input_ids, attention_mask=None):
        length = input_ids.shape[1]
        x = self.word_embeddings(input_ids) + self.position_embeddings(self.position_ids[:, :length])
        x = self.LayerNorm(x)
        extended = attention_mask[:, None, None, :].to(dtype=x.dtype)
        extended = (1.0 - extended) * torch.finfo(x.dtype).min
        for attention, ffn in zip(self.layer, self.ffn, strict=True):
            x = attention(x, extended)
            x = x + ffn(x)
        return nn.functional.linear(x, self.word_embeddings.weight, self.bias)


ids = torch.tensor(random.integers(3, 20, (4, 10)))
lengths = torch.tensor([10, 7, 9, 4])
mask = (torch.arange(10)[None, :] < lengths[:, None]).long()
ids = ids.masked_fill(mask == 0, 0)
chosen = torch.from_numpy(random.random((4, 10)) < 0.3) & mask.bool()
labels = torch.where(chosen, ids, torch.full_like(ids, -100))
inputs = ids.clone()
inputs[chosen] = 2
model = fill(Bert())
no_decay = ["bias", "LayerNorm.weight"]
groups = [
    {"params": [p for n, p in model.named_parameters() if not any(nd in n for nd in no_decay)], "weight_decay": 0.01},
    {"params": [p for n, p in model.named_parameters() if any(nd in n for nd in no_decay)], "weight_decay": 0.0},
]
optimizer = torch.optim.AdamW(groups, lr=5e-3)
result = [len(groups[0]["params"]), len(groups[1]["params"]), chosen.sum().item()]
for _ in range(4):
    for part in range(2):
        rows = slice(2 * part, 2 * part + 2)
        logits = model(inputs[rows], attention_mask=mask[rows])
        loss = nn.CrossEntropyLoss()(logits.view(-1, logits.size(-1)), labels[rows].view(-1)) / 2
        loss.backward()
        result.append(loss.item())
    optimizer.step()
    model.zero_grad()
hits = (logits.argmax(-1) == labels[rows])[chosen[rows]]
result += [hits.float().mean().item(), *logits[0, 0, :4].tolist()]
