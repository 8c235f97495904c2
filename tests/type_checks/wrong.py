"""A program with twelve mistakes, which type checkers must find, each in its line, and nothing else."""

import numpy as np

import gpugrad as gg
import gpugrad.nn.functional as F
from gpugrad import Tensor, nn

x = gg.ones(3, 4, requires_grad=True)
images = gg.randn(8, 3, 16, 16)
labels = gg.randint(0, 10, (8,))

a = gg.softmax("x")  # wrong: no array
b = gg.softmax(x, axis="last")  # wrong: an axis is an int
c = x.softmaks()  # wrong: no such method
d = nn.Linear(4, 2)(x, x)  # wrong: the layer takes one argument
e = x.sum(keepdims="yes")  # wrong: a bool
f: int = x.sum()  # wrong: a Tensor is no int
g = x + "1"  # wrong: no number
h = x["first"]  # wrong: no index
i, j = gg.linalg.svd(x)  # wrong: three results
k = F.elu_(x, inplace=False)  # wrong: the function has no such argument
m = F.cross_entropy(images, labels, reduction=None)  # wrong: a word
n = x.grad.sum()  # wrong: there may be no gradient

o: Tensor = x.max(dim=1).values + x.mean()
p: np.ndarray = x.detach().numpy()
model = nn.Linear(4, 2)
print(a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, model(x))
