"""A program in PyTorch's language with eight mistakes, which pyright must find, each in its line, and nothing else."""

import gpugrad.torch as torch
import gpugrad.torch.nn.functional as F
from gpugrad.torch import Tensor, nn

x = torch.randn(3, 4)

a = torch.softmaks(x, 1)  # wrong: no such function
b = x.softmaks()  # wrong: no such method
c: int = x.sum()  # wrong: a Tensor is no int
d: Tensor = x.max(1)  # wrong: a pair
e = x + "1"  # wrong: no number
f = nn.Linear(4, 2)(x, x)  # wrong: the layer takes one argument
g = torch.float32.is_float  # wrong: no such attribute
h = F.softmax(x, axes="last")  # wrong: no such argument

i: Tensor = x.max(1).values + x.std(dim=1, unbiased=False)
print(a, b, c, d, e, f, g, h, i)
