# %% [markdown]
# # Mixed precision
#
# A 16-bit float takes half the memory of a 32-bit one, and a GPU's tensor cores multiply 16-bit matrices many times
# faster. But 16 bits do not hold much. This tutorial looks at what is lost, shows training fail because of it, and then
# puts the three remedies together that make up *mixed precision* (Micikevicius et al. 2018): master weights in float32,
# a table of which operations may run in 16 bits, and a scale for the loss. Everything runs on the CPU, in the same bits
# as elsewhere; what the CPU cannot show is the speed.

# %%
# %matplotlib inline
import os
import warnings

import matplotlib.pyplot as plt
import numpy as np

import gpugrad as gg
from gpugrad import nn
from gpugrad.nn import functional as F

QUICK = bool(os.environ.get("GPUGRAD_QUICK"))  # few steps, to see that everything runs
warnings.filterwarnings(
    "ignore", category=RuntimeWarning
)  # NumPy's, of numbers that become infinite: we want to see them

# %% [markdown]
# ## Sixteen bits, two ways to spend them
#
# A float is $\pm m\cdot2^e$. The bits of the exponent $e$ decide how large and small a number can be, those of the
# mantissa $m$ how far apart neighbours are. **float16** has 5 and 10 of them, **bfloat16** 8 and 7: the range of
# float32, with two to three decimal digits.

# %%
names = ["float32", "float16", "bfloat16"]
print(f"{'':>10}{'largest':>12}{'smallest normal':>18}{'gap above 1':>14}")
for name in names:
    info = gg.finfo(name)
    print(f"{name:>10}{float(info.max):>12.3g}{float(info.smallest_normal):>18.3g}{float(info.eps):>14.3g}")

# %%
values = np.logspace(-12, 6, 300)
several = values[:, None] * np.random.default_rng(0).uniform(1, 1.1, (300, 30))  # thirty numbers near each
figure, axes = plt.subplots(figsize=(6.5, 3.4), layout="constrained")
for name in names:
    stored = gg.asarray(several).to(dtype=name).double().numpy()
    error = np.max(np.abs(stored - several) / several, axis=1)
    axes.loglog(values, np.where(np.isfinite(error), error, np.nan), linewidth=1.5, label=name)
axes.set(xlabel="number", ylabel="largest relative error", ylim=(1e-9, 3))
axes.legend(loc="lower left", ncols=3)
axes.grid(alpha=0.3)
plt.show()

# %% [markdown]
# Where float16's curve rises, numbers below $6\cdot10^{-5}$ lose their digits one by one (they are *subnormal*), and
# below $3\cdot10^{-8}$ nothing is left; where it ends, at 65504, numbers become infinite. bfloat16 is bad everywhere,
# evenly.
#
# Two accidents follow from it. **A small update is lost.** A weight of 1 to which 0.0001 is added a thousand times:

# %%
step = 1e-4
for name in names:
    weight = gg.ones((), dtype=name)
    for _ in range(1000):
        weight = weight + gg.tensor(step, dtype=name)
    print(f"{name:>9}: 1 + 1000 x {step} = {weight.item():.4f}")
lost = weight.item() == 1.0

# %% [markdown]
# Each single sum is rounded back to 1: the update is smaller than half the gap. Hence the first remedy: **weights are
# kept in float32**, and only their copies are in 16 bits.
#
# **A small gradient is lost.** For that we need a network that has been trained for a while. Ours is an autoencoder,
# which squeezes images of 400 pixels through 24 numbers and is judged by the mean squared error over all pixels. Its
# training, once for all that follows (the last four arguments become clear below; for now everything is float32):

# %%
train, test = gg.data.load_digits(20)
images = train.tensors[0].reshape(-1, 400)


def autoencoder():
    gg.manual_seed(0)
    return nn.Sequential(
        nn.Linear(400, 128),
        nn.Tanh(),
        nn.Linear(128, 24),
        nn.Tanh(),
        nn.Linear(24, 128),
        nn.Tanh(),
        nn.Linear(128, 400),
    )


def fit(steps, dtype="float32", autocast=None, scaler=None):
    """Train by Adam; returns the network, and the loss and the scale of each step."""
    model = autoencoder().to(dtype=dtype)
    optimizer = gg.optim.Adam(model.parameters(), lr=2e-3)
    scaler = scaler or gg.amp.GradScaler("cpu", enabled=False)  # which changes nothing
    loader = gg.data.DataLoader(gg.data.TensorDataset(images.to(dtype=dtype)), 256, shuffle=True, drop_last=True)
    losses, scales = [], []
    while len(losses) < steps:
        for (batch,) in loader:
            optimizer.zero_grad()
            with gg.autocast("cpu", dtype=autocast, enabled=autocast is not None):
                loss = F.mse_loss(model(batch), batch)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            losses.append(loss.item())
            scales.append(scaler.get_scale())
    return model, losses[:steps], scales[:steps]


steps = 20 if QUICK else 400
runs = {"float32": fit(steps)}
model = runs["float32"][0]
print(f"mean squared error {runs['float32'][1][0]:.4f} -> {runs['float32'][1][-1]:.4f}")

# %% [markdown]
# And now the gradients of its activations, for the whole training set at once. The mean divides each by 1438 x 400, and
# the errors themselves have become small:

# %%
activations, x = [], images
for layer in model:
    x = layer(x)
    x.retain_grad()
    activations.append(x)
F.mse_loss(x, images).backward()
sizes = np.concatenate([np.abs(a.grad.numpy()).ravel() for a in activations])
sizes = sizes[sizes > 0]
flushed, subnormal = (sizes < 2**-25).mean(), ((sizes >= 2**-25) & (sizes < 2**-14)).mean()

figure, axes = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
axes.hist(np.log2(sizes), bins=80, color="tab:blue", alpha=0.8)
axes.axvspan(-45, -25, color="tab:red", alpha=0.2, linewidth=0, label=f"zero in float16 ({flushed:.0%})")
axes.axvspan(-25, -14, color="tab:orange", alpha=0.2, linewidth=0, label=f"subnormal in float16 ({subnormal:.0%})")
axes.set(xlabel="$\\log_2$ |gradient|", ylabel="how many", xlim=(-45, 16), yticks=[])
axes.axvline(16, color="tab:red", linewidth=3, label="infinite in float16")
axes.legend(loc="upper right")
plt.show()

# %% [markdown]
# Nothing of it lies where float16 is good, and to the right there is room for a factor of a billion. That suggests the
# second remedy. The chain rule is linear: if the *loss* is multiplied by $S$, so is every gradient. Backward runs on
# $S\cdot L$, and the gradients are divided by $S$ in float32, before the step. With $S = 2^{12}$ the whole histogram
# moves twelve to the right:

# %%
for power in (0, 6, 12, 24, 36):
    kept = gg.asarray(sizes * 2.0**power).to(dtype="float16").double().numpy()
    print(f"scale 2^{power:<2}: {(kept == 0).mean():6.2%} lost, {np.isinf(kept).mean():6.2%} infinite")

# %% [markdown]
# ## What runs in 16 bits
#
# The third remedy is a table. Matrix products and convolutions gain most from 16 bits, and lose least: they add up in
# float32 inside. Losses, norms and powers need the range or the digits, and run in float32. Each op declares for each
# kind of device to which sort it belongs; the table is PyTorch's (a CPU is trusted with more, because it computes
# inside in float32 anyway).

# %%
print(f"{'':>15}{'cpu':>10}{'cuda':>10}")
for function in (gg.matmul, gg.convolution, gg.softmax, gg.exp, gg.sum, gg.add):
    policy = getattr(function, "autocast", {})
    print(f"{function.__name__:>15}{policy.get('cpu', '-'):>10}{policy.get('cuda', '-'):>10}")

# %% [markdown]
# *low* runs in 16 bits, *float32* in 32; an op without an entry takes what it is given, and of two dtypes the wider
# one. Inside of `gg.autocast` it looks so:

# %%
a = gg.rand(4, 4, requires_grad=True)
with gg.autocast("cpu", dtype="float16"):
    product = a @ a
    mixed_sum = product + a
    loss = F.mse_loss(product, a)
loss.backward()
print(f"a: {a.dtype}, a @ a: {product.dtype}, a @ a + a: {mixed_sum.dtype}, the loss: {loss.dtype}")
print(f"the gradient of a: {a.grad.dtype}")
low, high = product.dtype.name, loss.dtype.name

# %% [markdown]
# The weight stayed in float32, and so is its gradient: the cast is an op like any other, whose rule casts back.
#
# ## Train, four ways
#
# The same autoencoder, the same start, the same batches:
#
# * **float32**, for comparison;
# * **all float16**: weights, gradients, the optimizer's means and all;
# * **float16 mixed**: autocast, and `GradScaler`, which finds $S$ by itself;
# * **bfloat16 mixed**: autocast alone, since its range is float32's.
#
# `GradScaler` begins with a large $S$. If a gradient became infinite, it skips the step and halves $S$; after a number
# of good steps it doubles $S$ to try again.

# %%
scaler = gg.amp.GradScaler("cpu", init_scale=2.0**40, growth_interval=40)
runs["all float16"] = fit(steps, dtype="float16")
runs["float16 mixed"] = fit(steps, autocast="float16", scaler=scaler)
runs["bfloat16 mixed"] = fit(steps, autocast="bfloat16")

figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.4), layout="constrained")
for kind, (_, losses, _) in runs.items():
    left.semilogy(losses, label=kind, linewidth=1)
left.set(xlabel="step", ylabel="mean squared error")
left.legend()
left.grid(alpha=0.3)
right.semilogy(runs["float16 mixed"][2], base=2, color="tab:green")
right.set(xlabel="step", ylabel="scale of the loss")
right.grid(alpha=0.3)
plt.show()
finals = {kind: float(np.mean(losses[-10:])) for kind, (_, losses, _) in runs.items()}
for kind, final in finals.items():
    print(f"{kind:>15}: {final:.5f}, {final / finals['float32']:.2f} of float32's")

# %% [markdown]
# The mixed runs follow float32's curve. The pure one explodes within a few steps, though it has the same sixteen bits
# for its products. Adam divides by the root of the mean *square* of a gradient; the gradients are near $10^{-5}$, their
# squares $10^{-10}$, which is 0 in float16, as is the $\epsilon = 10^{-8}$ that was to guard against division by 0.
#
# On the right the scaler at work: it comes down from a scale that was far too large within a few steps, and then feels
# upwards for the limit again and again, at the price of a skipped step each time.
#
# The pictures say the same. Above what went in, then what the four networks make of it from 24 numbers:

# %%
originals = test.tensors[0][:10]
rows = [originals]
for model, *_ in runs.values():
    given = originals.reshape(10, 400).to(dtype=model[0].weight.dtype)
    with gg.no_grad():
        rows.append(model(given).float().reshape(10, 1, 20, 20))
gg.viz.image_grid(gg.concatenate(rows), columns=10, side=0.8)

# %% [markdown]
# ## What it saves
#
# What backward needs is kept from forward: mostly activations, and these are now half as large. (On this small network
# Python and the copies of the weights cost more than that; on a large one activations are what fills the memory.)


# %%
def kept_bytes(loss):
    """The bytes of the arrays that the graph keeps for backward, each counted once."""
    found, seen, stack = {}, set(), [loss.grad_fn]
    while stack:
        node = stack.pop()
        for value in getattr(node, "saved", {}).values():
            if hasattr(value, "nbytes") and getattr(value, "ndim", 0):
                found[id(value)] = value.nbytes
        for edge in node.edges:
            if edge is not None and edge not in seen:
                seen.add(edge)
                stack.append(edge)
    return sum(found.values())


model, batch = autoencoder(), images[:256]
full = kept_bytes(F.mse_loss(model(batch), batch))
with gg.autocast("cpu", dtype="bfloat16"):
    mixed = kept_bytes(F.mse_loss(model(batch), batch))
print(f"kept for backward: {full / 1024:.0f} KiB in float32, {mixed / 1024:.0f} KiB mixed")

# %% [markdown]
# In short: bfloat16 with autocast where the hardware has it, for it needs no scale; float16 with autocast and a scaler
# elsewhere; never all in 16 bits. On a GPU the words are the same, with `"cuda"` in place of `"cpu"`.
