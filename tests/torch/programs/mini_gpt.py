"""A small GPT with rotary positions, RMS norm, causal attention of PyTorch's own, sampling with top-k and top-p."""

import inspect
import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn as nn
from start import fill
from torch.nn import functional as F


@dataclass
class Config:
    block_size: int = 12
    vocab_size: int = 17
    n_layer: int = 2
    n_head: int = 2
    n_embd: int = 16


def rotate_half(x):
    x1, x2 = x.chunk(2, dim=-1)
    return torch.cat((-x2, x1), dim=-1)


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        assert config.n_embd % config.n_head == 0
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd, bias=False)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd, bias=False)
        self.n_head = config.n_head
        dim = config.n_embd // config.n_head
        inv_freq = 1.0 / (10000 ** (torch.arange(0, dim, 2).float() / dim))
        angles = torch.outer(torch.arange(config.block_size).float(), inv_freq)
        self.register_buffer("cos", torch.cat((angles, angles), -1).cos()[None, None], persistent=False)
        self.register_buffer("sin", torch.cat((angles, angles), -1).sin()[None, None], persistent=False)

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = self.c_attn(x).split(C, dim=2)
        q, k, v = (t.view(B, T, self.n_head, C // self.n_head).transpose(1, 2) for t in (q, k, v))
        cos, sin = self.cos[:, :, :T], self.sin[:, :, :T]
        q, k = q * cos + rotate_half(q) * sin, k * cos + rotate_half(k) * sin
        if hasattr(torch.nn.functional, "scaled_dot_product_attention"):
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=None, dropout_p=0, is_causal=True)
        return self.c_proj(y.transpose(1, 2).contiguous().view(B, T, C))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.ln_1, self.ln_2 = nn.RMSNorm(config.n_embd, eps=1e-6), nn.RMSNorm(config.n_embd, eps=1e-6)
        self.attn = Attention(config)
        self.mlp = nn.ModuleDict({"up": nn.Linear(config.n_embd, 32), "gate": nn.Linear(config.n_embd, 32),
                                  "down": nn.Linear(32, config.n_embd)})  # fmt: skip

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        h = self.ln_2(x)
        return x + self.mlp["down"](F.silu(self.mlp.gate(h)) * self.mlp.up(h))


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.transformer = nn.ModuleDict(dict(wte=nn.Embedding(config.vocab_size, config.n_embd),
            h=nn.ModuleList([Block(config) for _ in range(config.n_layer)]), ln_f=nn.RMSNorm(config.n_embd, eps=1e-6),
        ))  # fmt: skip
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.transformer.wte.weight = self.lm_head.weight

    def forward(self, idx, targets=None):
        x = self.transformer.wte(idx)
        for block in self.transformer.h:
            x = block(x)
        logits = self.lm_head(self.transformer.ln_f(x))
        if targets is None:
            return logits[:, [-1], :], None
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1)

    def configure_optimizers(self, weight_decay, learning_rate):
        params = {pn: p for pn, p in self.named_parameters() if p.requires_grad}
        groups = [{"params": [p for p in params.values() if p.dim() >= 2], "weight_decay": weight_decay},
                  {"params": [p for p in params.values() if p.dim() < 2], "weight_decay": 0.0}]  # fmt: skip
        assert "fused" in inspect.signature(torch.optim.AdamW).parameters
        return torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.95))


def allowed(logits, top_k, top_p):
    v, _ = torch.topk(logits, min(top_k, logits.size(-1)))
    logits[logits < v[:, [-1]]] = -float("Inf")
    sorted_logits, sorted_indices = torch.sort(logits, descending=True)
    remove = sorted_logits.softmax(dim=-1).cumsum(dim=-1) > top_p
    remove[..., 1:] = remove[..., :-1].clone()
    remove[..., 0] = 0
    return logits.masked_fill(remove.scatter(1, sorted_indices, remove), -float("Inf"))


random = np.random.default_rng(15)
torch.manual_seed(1337)
model = fill(GPT(Config()))
optimizer = model.configure_optimizers(0.1, 3e-2)
data = torch.from_numpy((np.cumsum(random.integers(0, 4, 80)) % 17).astype(np.int64))
result = []
for it in range(5):
    ix = random.integers(0, 60, 4)
    x = torch.stack([data[i : i + 12] for i in ix])
    y = torch.stack([data[i + 1 : i + 1 + 12] for i in ix])
    lr = 3e-2 * 0.5 * (1.0 + math.cos(math.pi * it / 5))
    for group in optimizer.param_groups:
        group["lr"] = lr
    logits, loss = model(x, y)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    result.append(loss.item())
model.eval()
with torch.no_grad():
    idx = torch.zeros((1, 1), dtype=torch.long)
    for _ in range(6):
        logits, _ = model(idx)
        logits = allowed(logits[:, -1, :] / 0.8, 5, 0.9)
        probs = F.softmax(logits, dim=-1)
        idx = torch.cat((idx, probs.argmax(-1, keepdim=True)), dim=1)
        result += [(probs > 0).sum().item(), probs.max().item()]
result += idx[0].tolist()
