# %% [markdown]
# # A transformer that reads dates
#
# "saturday, june 26th, 1993" is to become "1993-06-26". The task is small enough to be learnt in a minute, and has
# everything that translation has: an input and an output of different lengths and orders, things to copy (the year), to
# look up (the month) and to ignore (the weekday). We build up what a transformer is made of, one measurement at a time,
# train one, and look at what it looks at.

# %%
# %matplotlib inline
import os

import matplotlib.pyplot as plt
import numpy as np

import gpugrad as gg
from gpugrad import nn
from gpugrad.nn import functional as F

QUICK = bool(os.environ.get("GPUGRAD_QUICK"))  # a small network and few dates, to see that everything runs

# %% [markdown]
# ## Text as numbers
#
# A vocabulary numbers the characters. 0 is padding, with which sequences of different lengths fit into one array; 1
# starts an output, 2 ends it.

# %%
train = gg.data.DateTranslation(300 if QUICK else 6000, "train")
test = gg.data.DateTranslation(40 if QUICK else 500, "test")  # no date is in both
for text, date in train.texts[:5]:
    print(f"{text:>30}  ->  {date}")
source, target = train[0]
print("source:", source.numpy())
print("target:", target.numpy(), "start, end and padding:", train.target.start, train.target.end, 0)

# %% [markdown]
# ## Attention
#
# Each position asks a question, the *query* $q$. Each position offers a *key* $k$, to be found by, and a *value* $v$.
# The answer is the mean of the values, weighted by how well the keys fit:
#
# $$\mathrm{attention}(Q, K, V) = \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt d}\right)V.$$

# %%
gg.manual_seed(0)
Q, K, V = (gg.randn(5, 64) for _ in range(3))
weights = gg.softmax(Q @ K.T / 64**0.5)
by_formula = weights @ V
fused = F.scaled_dot_product_attention(Q, K, V)
attention_error = abs(by_formula - fused).max().item()
print("each row of weights sums to", weights.sum(axis=1).numpy().round(6))
print(f"the formula and the fused op differ by at most {attention_error:.0e}")

# %% [markdown]
# Why $\sqrt d$? A product $q\cdot k$ adds up $d$ terms of variance 1, so it has a standard deviation of $\sqrt d$.
# Without the division the scores of wide vectors are far apart, the softmax puts all weight on one of them, and its
# gradient vanishes:

# %%
print(f"{'d':>5}{'largest weight of 20':>24}{'the same, divided':>20}")
for d in (4, 64, 1024):
    scores = (gg.randn(500, 1, d) * gg.randn(500, 20, d)).sum(axis=2)
    plain, scaled = (gg.softmax(s).max(axis=1).mean().item() for s in (scores, scores / d**0.5))
    print(f"{d:>5}{plain:>24.2f}{scaled:>20.2f}")

# %% [markdown]
# ## Order
#
# Nothing in the formula knows where a position *is*: shuffle keys and values alike and the answer is the same. So each
# position gets a vector of its own added to what it holds, sines and cosines of many wavelengths,
#
# $$p(t)_{2k} = \sin(\omega_k t),\quad p(t)_{2k+1} = \cos(\omega_k t),\qquad \omega_k = 10000^{-2k/d}.$$
#
# The product $p(t)\cdot p(s) = \sum_k\cos(\omega_k(t-s))$ depends on the distance alone, and is largest for neighbours.

# %%
positions = gg.models.sinusoidal_positions(40, 64)
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.4), layout="constrained")
left.imshow(positions.numpy(), cmap="RdBu", aspect="auto")
left.set(xlabel="feature", ylabel="position", title="$p(t)$")
picture = right.imshow((positions @ positions.T).numpy(), cmap="viridis")
right.set(xlabel="position", ylabel="position", title="$p(t)\\cdot p(s)$")
figure.colorbar(picture, ax=right)
plt.show()

# %% [markdown]
# ## Not looking ahead
#
# The decoder writes one character at a time, given those before. In training the right answer is known, so all
# positions are computed at once: position $t$ gets the right characters *before* $t$ (*teacher forcing*) and is to say
# character $t$. It must not see $t$ itself. A mask sets the scores of later positions to $-\infty$, so that their
# weights are 0.
#
# Is it so? The gradient knows: it is zero exactly where an output does not depend on an input.

# %%
gg.manual_seed(0)
layer = nn.TransformerDecoderLayer(d_model=16, nhead=2, dim_feedforward=32, dropout=0.0, batch_first=True)
written, memory = gg.randn(1, 6, 16, requires_grad=True), gg.randn(1, 4, 16)
mask = nn.Transformer.generate_square_subsequent_mask(6)
answer = layer(written, memory, tgt_mask=mask)
gradients = [gg.grad(answer[0, t, 0], written, retain_graph=True)[0][0] for t in range(6)]
depends = np.array([abs(gradient).sum(axis=1).numpy() > 1e-6 for gradient in gradients])
print("row t: on which inputs output t depends")
print(depends.astype(int))

# %% [markdown]
# ## The network
#
# Encoder and decoder layers, each of attention and a small network per position, each with a residual connection and
# normalisation. It is the network of Vaswani et al. 2017, only small.

# %%
gg.manual_seed(0)
width, layers = (32, 1) if QUICK else (64, 2)
model = gg.models.TransformerTranslator(
    len(train.source), len(train.target), width, heads=4, layers=layers, feedforward=4 * width, dropout=0.0
)
print(f"{sum(p.numel() for p in model.parameters()):,} parameters")

# %% [markdown]
# Two tricks of the paper belong to training. The learning rate *rises* for some steps before it falls: Adam divides by
# the root of a mean square, which at first is a mean of few, and steps that are too large there spoil a transformer.
# And the targets are *smoothed*: 10 % of the probability is spread over all characters, so that the network need not
# become infinitely sure.

# %%
epochs = 2 if QUICK else 8
loader = gg.data.DataLoader(train, batch_size=64, shuffle=True)
optimizer = gg.optim.Adam(model.parameters(), lr=2e-3, betas=(0.9, 0.98))
total = epochs * len(loader)
warmup = max(1, total // 12)
schedule = gg.optim.lr_scheduler.LambdaLR(
    optimizer, lambda step: min(1, (step + 1) / warmup) * (1 - step / (total + 1))
)
losses, rates = [], []
for _ in range(epochs):
    for sources, targets in loader:
        before = gg.pad(
            targets[:, :-1], ((0, 0), (1, 0)), constant_values=train.target.start
        )  # start, y_1, ..., y_{T-1}
        logits, _ = model(sources, before)
        loss = F.cross_entropy(
            logits.reshape(-1, logits.shape[2]), targets.reshape(-1), ignore_index=0, label_smoothing=0.1
        )
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        rates.append(schedule.get_last_lr()[0])
        schedule.step()

figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3), layout="constrained", width_ratios=(2, 1))
left.plot(losses, linewidth=1)
left.set(xlabel="step", ylabel="loss, smoothed targets")
left.grid(alpha=0.3)
right.plot(rates, color="tab:orange")
right.set(xlabel="step", ylabel="learning rate")
right.grid(alpha=0.3)
plt.show()

# %% [markdown]
# (The loss cannot reach 0: smoothed targets have an entropy of their own.)
#
# ## Translate
#
# Now nobody knows the answer: the network writes a character, which becomes part of its input, and so on until it
# writes the end. Only translations without any error count.

# %%
model.eval()
sources, _ = test.batch(np.arange(len(test)))
rows = gg.models.translate(model, sources, test.target.start, test.target.end, max_length=12)
found = ["".join(test.target.decode(row)) for row in rows]
right_ones = [a == b for a, (_, b) in zip(found, test.texts, strict=True)]
exact = float(np.mean(right_ones))
print(f"{exact:.1%} of {len(test)} dates that it has never seen are right in all ten characters\n")
for i in [*range(4), *np.flatnonzero(~np.array(right_ones))[:3]]:
    text, date = test.texts[i]
    print(f"{text:>30}  ->  {found[i]:<10}  {'' if found[i] == date else 'wrong: ' + date}")

# %% [markdown]
# ## What does it look at?
#
# The weights of the last layer's attention from the output to the input, head by head: each row is a character that is
# written, each column one that is read.

# %%
sample = max(range(40), key=lambda i: len(test.texts[i][0]))
text, date = test.texts[sample]
source, target = test[sample]
before = gg.pad(target[None, :-1], ((0, 0), (1, 0)), constant_values=test.target.start)
attended = gg.viz.attention_of(model, source[None], before)
weights = next(w for name, w in reversed(attended.items()) if name.endswith("multihead_attn"))
gg.viz.attention(weights[0, :, : len(date), : len(text)], queries=date, keys=text, columns=2)

# %% [markdown]
# Nobody told it where in the text a year stands, or which month has which number. The rows of the year look at the
# year, digit by digit; those of the month at the letters that tell months apart; and what says nothing, the weekday, is
# hardly looked at.
#
# `gpugrad train transformer` trains a larger one for longer; `gpugrad train seq2seq` does the same task with recurrent
# networks, as it was done before.
