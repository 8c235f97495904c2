# %% [markdown]
# # Style transfer
#
# A picture with the *content* of one photograph and the *style* of another: a temple as if it were made of petals. No
# network is trained to do it. A network only *judges* pictures, and we differentiate its judgement with respect to the
# **pixels** and change them until the judgement is good (Gatys et al. 2015). Everything hangs on one question: what, in
# numbers, is content, and what is style?

# %%
# %matplotlib inline
import os

import matplotlib.pyplot as plt
import numpy as np

import gpugrad as gg
from gpugrad import nn
from gpugrad.nn import functional as F

QUICK = bool(os.environ.get("GPUGRAD_QUICK"))  # small pictures and few steps, to see that everything runs

height = 32 if QUICK else 72
content = gg.data.load_photograph("china", height)
flower = gg.data.load_photograph("flower", height)
gg.viz.image_grid([content, flower], titles=["content", "style"], side=3.6)

# %% [markdown]
# The flower is dark and the temple bright, and one picture cannot be both. So the flower first gets the temple's
# colors: a linear map of its colors, $x \mapsto D^{1/2}C^{-1/2}(x-\mu_C)+\mu_D$, gives them the mean and the covariance
# of the other's.

# %%
style = gg.viz.with_colors_of(flower, content)
gg.viz.image_grid([style], titles=["style, in the content's colors"], side=3.6)

# %% [markdown]
# ## A judge
#
# The judge has to know textures. Usually that is VGG-19, trained on a million photographs. Here a small network of the
# same shape learns in a minute, from two: it is shown patches and has to tell from which of 48 places of the
# photographs they come. (With VGG-19's weights in a file, `gpugrad train style --weights FILE` does what follows with
# those, and better.)

# %%
gg.manual_seed(0)
judge = nn.Sequential()
judge.add_module("standardize", nn.BatchNorm2d(3, affine=False))  # the mean and the spread of the colors
judge.add_module("features", gg.models.VGG([(16, 2), (32, 2), (48, 2), (64, 1)], batch_norm=True, hidden=1).features)
judge.add_module("head", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 48)))

patches = gg.data.PhotoPatches(64 if QUICK else 1500, size=24)
images, places = zip(*(patches[i] for i in range(len(patches))), strict=True)
patches = gg.data.TensorDataset(gg.stack(list(images)), gg.asarray(np.array(places)))
gg.viz.image_grid(list(images[:12]), columns=12, side=0.7)

# %%
epochs = 1 if QUICK else 4
loader = gg.data.DataLoader(patches, batch_size=64, shuffle=True)
optimizer = gg.optim.SGD(judge.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
schedule = gg.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(loader))
learnt = []
for _ in range(epochs):
    for x, place in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(judge(x), place)
        loss.backward()
        optimizer.step()
        schedule.step()
        learnt.append(loss.item())
judge.eval()
print(f"cross-entropy {np.mean(learnt[:3]):.2f} -> {np.mean(learnt[-3:]):.2f}; knowing nothing it is {np.log(48):.2f}")

# %% [markdown]
# ## Content: features, place by place
#
# Let $f^\ell_{k}(x)$ be the output of channel $k$ of layer $\ell$. Two pictures have the same content if a layer says
# the same about them *at every place*:
#
# $$L_{\text{content}}(x) = \mathrm{mean}_{k,\,\text{places}}\bigl(f_k(x) - f_k(\text{content})\bigr)^2.$$
#
# A deep layer is wanted, which knows that there is an edge but not exactly which pixels make it.
#
# ## Style: which features occur together
#
# A texture is what stays when you forget *where* things are. So forget it, by averaging over all places; but average
# **products** of features, which still tell what occurs *together*, such as stripes with green. That is the Gram
# matrix,
#
# $$G_{km}(x) = \mathrm{mean}_{\text{places}}\; f_k(x)\,f_m(x),\qquad
# L_{\text{style}}(x) = \sum_\ell \mathrm{mean}_{k,m}\bigl(G^\ell_{km}(x) - G^\ell_{km}(\text{style})\bigr)^2.$$


# %%
def gram(features):
    """(1, K, h, w) -> (K, K)"""
    flat = features.reshape(features.shape[1], -1)
    return flat @ flat.T / flat.shape[1]


names = gg.train.layer_names(judge)  # such as relu2_1, the first of the second stage
content_layer, style_layers = "relu2_2", ["relu1_1", "relu2_1", "relu3_1", "relu4_1"]
features = gg.train.cut_after(judge, [names[name] for name in [content_layer, *style_layers]], average=True)
transfer = gg.viz.StyleTransfer(
    features, content, style, names[content_layer], {names[name]: 1.0 for name in style_layers}
)

with gg.no_grad():
    seen = {which: transfer.features(picture[None]) for which, picture in (("content", content), ("style", style))}
layer = names["relu2_1"]
gram_error = abs(gram(seen["style"][layer]) - gg.viz.gram_matrix(seen["style"][layer])[0]).max().item()

figure, grid = plt.subplots(1, 3, figsize=(9.5, 2.9), layout="constrained", width_ratios=(1, 1, 1.4))
for axes, (which, found) in zip(grid, seen.items(), strict=False):
    axes.imshow(gram(found[layer]).numpy() ** 0.5, cmap="magma")
    axes.set(title=f"root of the Gram matrix: {which}", xlabel="feature", ylabel="feature")
rolled = style[
    :, :, list(range(20, style.shape[2])) + list(range(20))
]  # the same, moved: its left 20 columns at the right
with gg.no_grad():
    moved = transfer.features(rolled[None])
changes = {}
for name in style_layers:
    one, other, third = (found[names[name]] for found in (seen["style"], moved, seen["content"]))
    changes[name] = [abs(gram(a) - gram(one)).mean().item() / gram(one).mean().item() for a in (other, third)]
bars = np.arange(len(changes))
grid[2].bar(bars - 0.2, [c[0] for c in changes.values()], 0.4, label="the same, moved")
grid[2].bar(bars + 0.2, [c[1] for c in changes.values()], 0.4, label="the other picture")
grid[2].set(xticks=bars, title="change of the Gram matrix")
grid[2].set_xticklabels(list(changes))
grid[2].legend(fontsize=8)
plt.show()

# %% [markdown]
# On the right is what we wanted: moving a picture changes hardly anything about its Gram matrices, another picture
# much.
#
# `gg.viz.StyleTransfer` computes both losses, each divided by its size so that weights mean something, and a third, the
# *total variation*: neighbours should be alike, or the result is full of noise that the judge does not see. Its style
# loss is our formula:

# %%
gg.manual_seed(1)
noise = gg.rand(*content.shape)
start = {name: value.item() for name, value in transfer.losses(noise)._asdict().items()}
with gg.no_grad():
    of_noise = transfer.features(noise[None])
    by_formula = 0.0
    for name in style_layers:
        wanted = gram(seen["style"][names[name]])
        by_formula += (((gram(of_noise[names[name]]) - wanted) ** 2).mean() / (wanted**2).mean()).item()
same_losses = abs(by_formula / start["style"] - 1) < 1e-4
print(f"style loss of noise: {start['style']:.4f}, by the formula {by_formula:.4f}")

# %% [markdown]
# ## Descend in pixels
#
# Now minimise, beginning with noise. The weights of the network stay; the only thing that has a gradient is the
# picture:
#
# $$x^* = \arg\min_x\; \alpha\,L_{\text{content}}(x) + \beta\,L_{\text{style}}(x) + \gamma\,L_{\text{variation}}(x).$$
#
# There are few unknowns and no noise in the loss, so L-BFGS, which learns the curvature from the gradients, is the
# right optimizer. The search begins with the pictures at a quarter of their size and enlarges what it finds, so that
# large structures come first.
#
# Three answers: content alone, style alone, and both.

# %%
steps = 4 if QUICK else 50


def paint(alpha, beta):
    """The picture that L-BFGS finds, and its losses. Each loss counts by its value for noise."""
    given = (alpha, beta, 0.1)
    transfer.weights = tuple(weight / value for weight, value in zip(given, start.values(), strict=True))
    return transfer.run(noise, steps, "lbfgs", scales=3)


only_content, _ = paint(1.0, 0.0)
only_style, _ = paint(0.0, 1.0)
painted, history = paint(1.0, 1.0)
shown = {"content alone": only_content, "style alone": only_style, "both": painted}
gg.viz.image_grid(list(shown.values()), titles=list(shown), side=3.1, columns=3)

# %% [markdown]
# *Content alone* is the photograph again, a little softer: the layer forgot little. *Style alone* has the flower's
# bright and dark shapes in no order. With both, the order is the temple's.
#
# The colors have become garish: so small a judge, which was taught with colors changed at random, does not mind them.
# But colors are easily kept. The eye sees shape in the brightness $y = 0.299\,r + 0.587\,g + 0.114\,b$; so take only
# the brightness from the painting, and let the colors be the photograph's (Gatys et al. 2016).


# %%
def brightness(image):
    return (image * gg.tensor([0.299, 0.587, 0.114]).reshape(3, 1, 1)).sum(axis=0, keepdims=True)


def in_colors_of_content(painting):
    return content + brightness(painting) - brightness(content)


gg.viz.image_grid([content, in_colors_of_content(painted)], titles=["photograph", "painting"], side=4.6)

# %% [markdown]
# The losses on the way. The first point is noise, the second what the smaller pictures have brought already:

# %%
figure, axes = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
for name in ("content", "style"):
    axes.semilogy(np.array([start[name], *history[name]]) / start[name], label=name)
axes.set(xlabel="evaluation, at the full size", ylabel="loss, noise = 1")
axes.legend()
axes.grid(alpha=0.3)
plt.show()

# %% [markdown]
# ## How much of each
#
# The ratio $\beta/\alpha$ is a matter of taste. More style from left to right:

# %%
ratios = [1.0] if QUICK else [0.1, 1.0, 10.0]
pictures = [in_colors_of_content(painted if ratio == 1.0 else paint(1.0, ratio)[0]) for ratio in ratios]
gg.viz.image_grid(pictures, titles=[f"style x {ratio:g}" for ratio in ratios], side=3.1, columns=3)

# %% [markdown]
# The same few lines, other losses: with the score of a class in place of content and style they make DeepDream
# (`gg.viz.deep_dream`), with a single neuron's answer they show what it is looking for (`gg.viz.maximize`).
