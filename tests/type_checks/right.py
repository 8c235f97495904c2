"""A program as users write them, which type checkers must find nothing wrong with."""

import numpy as np

import gpugrad as gg
import gpugrad.nn.functional as F
from gpugrad import Tensor, nn
from gpugrad.typing import TensorLike

# Tensors and where they are
x = gg.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
counts = gg.arange(6, dtype=gg.int64).reshape(2, 3)
grid = gg.linspace(0, 1, 5, dtype="float64", device="cpu")
shared = gg.from_numpy(np.ones((2, 3), np.float32))
rows, columns = x.shape
length: int = x.size(0) + x.ndim + x.numel() + len(x)
on_cpu: bool = x.device == gg.device("cpu")
converted: Tensor = x.to("cpu").to(gg.float64).float().to(dtype="float16", device=x.device)
array: np.ndarray = x.detach().numpy()

# Arithmetic, with numbers, arrays and sequences
y: Tensor = (2 * x + x / 3 - 1) ** 2 @ gg.ones(3, 2) + -x.T.mT[:, :1]
y += 1
y *= y
mask: Tensor = (x > 2) & ~(x == 5)
both: Tensor = gg.add(x, np.ones(3)) + gg.maximum(x, [1.0, 2.0, 3.0])
power: Tensor = x.pow(2).add(1).clip(0, 10).clip(min=0)
logarithm: Tensor = gg.exp(-(x**2)) * gg.sin(3 * x) + gg.log(x)

# Reductions, in NumPy's words and in PyTorch's
total: Tensor = x.sum() + x.sum(1).sum() + x.sum(axis=(0, 1), keepdims=True) + x.sum(dim=1, keepdim=True)
largest, where = x.max(dim=1)
best = x.max(dim=1, keepdim=True).indices
values, indices = x.topk(2, dim=-1)
spread: Tensor = x.std(dim=0, unbiased=False) + gg.var(x, axis=0, ddof=1)
shares: Tensor = gg.softmax(x, axis=-1) + x.softmax(dim=1) + F.softmax(x, dim=-1)
number: float = float(x.mean()) + x.sum().item()

# Shapes
moved = x.reshape(3, 2).reshape((2, 3)).swapaxes(0, 1).permute(1, 0).unsqueeze(0).expand_dims(axis=0).squeeze()
joined = gg.concatenate([x, shared], axis=0) + gg.cat((x, x), dim=0) + gg.stack([x[0], x[1], x[0], x[1]])
first, second = x.split(1, dim=0)
pieces: list[Tensor] = gg.split(x, 2)
places = gg.nonzero(mask)
turned = gg.rot90(gg.flip(x, axis=1), k=2)
u, s, vh = gg.linalg.svd(x)
sign, logarithm_of_determinant = gg.linalg.slogdet(gg.eye(3))
contracted = gg.einsum("ij,kj->ik", x, x)

# Indexing
corner: Tensor = x[0, 1] + x[..., -1][0] + x[mask].sum() + x[gg.tensor([0, 1])][0, 0] + x[None, :, 1:][0, 0, 0]
counts[0] = 7
counts[:, 1:] = gg.zeros(2, 2, dtype=gg.int64)
for row in counts:
    row.fill_(1).add_(2)


# Networks
class Net(nn.Module):
    def __init__(self, classes: int = 10):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 5, padding=2)
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(6 * 14 * 14, 32), nn.ReLU(), nn.Linear(32, classes))

    def forward(self, images: Tensor) -> Tensor:
        hidden = F.max_pool2d(F.relu(self.conv(images)), kernel_size=2)
        return self.head(F.dropout(hidden, p=0.1, training=self.training))


def loss_of(model: nn.Module, images: Tensor, labels: TensorLike) -> Tensor:
    return F.cross_entropy(model(images), labels, label_smoothing=0.1)


model = Net().train()
scores: Tensor = model(gg.zeros(1, 1, 28, 28))
optimizer = gg.optim.AdamW(model.parameters(), lr=1e-3)
images, labels = gg.randn(8, 1, 28, 28), gg.randint(0, 10, (8,))
for _ in range(2):
    optimizer.zero_grad()
    loss = loss_of(model, images, labels)
    loss.backward()
    optimizer.step()
pooled, at = F.max_pool2d(images, 2, return_indices=True)
with gg.no_grad():
    accuracy = float((model.eval()(images).argmax(axis=1) == labels).float().mean())

# Gradients
(slope,) = gg.grad(x.sum(), [x])
if x.grad is not None:
    x.grad.zero_()


@gg.op(samples=lambda s: [s.case(s(3, 4))])
def cube(x):
    return x * x * x


cube.vjp(x=lambda g, x: 3 * g * x * x)
print(f"{number:.2f} {accuracy:.1%}", cube(x), loss)
