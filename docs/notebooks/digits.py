# %% [markdown]
# # Handwritten digits
#
# The first network that most people train, with every part in view: the data, a model, a loss, the loop, and then a
# long look at what was learnt and where it fails. The names are PyTorch's, so what you know from there works here.

# %%
# %matplotlib inline
import os
import tempfile

import matplotlib.pyplot as plt
import numpy as np

import gpugrad as gg
from gpugrad import nn
from gpugrad.nn import functional as F

QUICK = bool(os.environ.get("GPUGRAD_QUICK"))  # few samples and passes, to see that everything runs

# %% [markdown]
# ## The data
#
# scikit-learn brings 1797 small images of digits; a fifth of them is set aside, to be looked at when training is over.
# What a network does on images that it learnt from says little.

# %%
train, test = gg.data.load_digits(20)
if QUICK:
    train = gg.data.TensorDataset(*(tensor[:300] for tensor in train.tensors))
images, labels = train.tensors
print(f"{len(train)} images to learn from, {len(test)} to test on; a batch of images is {images.shape}, {images.dtype}")
gg.viz.image_grid(images[:20], titles=[str(label) for label in labels[:20].tolist()], columns=10, side=0.8)

# %% [markdown]
# A large Tensor shows what one wants to know of it first:

# %%
images

# %% [markdown]
# ## How good is simple?
#
# Before a network, a yardstick: a linear model, $z = Wx + b$, whose scores become probabilities by the softmax.
# Training minimises the cross-entropy, the mean of $-\ln p_{\text{right}}$ (for ten classes and no knowledge at all it
# is $\ln 10 = 2.30$). The loop is the same for every model that follows:
#
# 1. **zero_grad**, because gradients add up until they are cleared;
# 2. **forward**: scores, then the loss;
# 3. **backward**: the gradient of the loss with respect to every parameter;
# 4. **step**: move the parameters against it.


# %%
def fit(model, epochs, rate, augment=None):
    """Train on random batches of 64 by SGD with momentum; returns the loss of each step."""
    gg.manual_seed(0)
    loader = gg.data.DataLoader(train, batch_size=64, shuffle=True)
    optimizer = gg.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    schedule = gg.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    losses = []
    model.train()
    for _ in range(epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            scores = model(images if augment is None else augment(images))
            loss = F.cross_entropy(scores, labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        schedule.step()
    return losses


def predictions(model):
    """The probabilities of the test images' classes."""
    model.eval()
    with gg.no_grad():
        return gg.softmax(model(test.tensors[0]), axis=1).numpy()


truth = test.tensors[1].numpy()
gg.manual_seed(0)
linear = nn.Sequential(nn.Flatten(), nn.Linear(400, 10))
linear_losses = fit(linear, 2 if QUICK else 25, 0.05)
linear_accuracy = (predictions(linear).argmax(1) == truth).mean()
print(f"linear model: {linear_accuracy:.1%} of the test images, loss {linear_losses[0]:.2f} -> {linear_losses[-1]:.2f}")

# %% [markdown]
# Each row of $W$ is as large as an image, so it can be looked at: red where ink speaks for the digit, blue where it
# speaks against it. A linear model has one template per class, and a digit that is moved by two pixels fits none.

# %%
templates = linear[1].weight.detach().reshape(10, 1, 20, 20)
gg.viz.image_grid(
    gg.viz.stretched(templates, symmetric=True),
    titles=[str(i) for i in range(10)],
    columns=10,
    side=0.8,
    colors="coolwarm",
)

# %% [markdown]
# ## A network that looks at neighbourhoods
#
# A convolution applies one small filter at every place: fewer weights, and a stroke is found wherever it is. Pooling
# keeps the strongest answer of each 2 x 2, so that a pixel more or less does not matter. Two such layers, then two
# linear ones: LeNet.

# %%
gg.manual_seed(0)
model = gg.models.LeNet(size=20)
model

# %%
nn.summary(model, (1, 1, 20, 20))

# %% [markdown]
# 1400 images are few for so many weights. But we know changes that leave a digit what it is: turned a little, moved,
# stretched, sheared. Drawn anew in each step, they make sure that the network never sees the same image twice.

# %%
augment = gg.data.RandomAffine(degrees=12, translate=0.08, scale=0.1, shear=0.15)
gg.manual_seed(0)
gg.viz.image_grid(augment(images[:1].broadcast_to((10, 1, 20, 20))), columns=10, side=0.8)

# %%
losses = fit(model, 2 if QUICK else 25, 0.05, augment)
probabilities = predictions(model)
accuracy = (probabilities.argmax(1) == truth).mean()
print(f"LeNet: {accuracy:.1%} of the test images")
gg.viz.curves({"linear": linear_losses, "LeNet, on changed images": losses})

# %% [markdown]
# ## What does it get wrong?
#
# One number hides everything. The confusion matrix counts what each digit was taken for:

# %%
confusion = np.zeros((10, 10), int)
np.add.at(confusion, (truth, probabilities.argmax(1)), 1)

figure, axes = plt.subplots(figsize=(4.4, 4), layout="constrained")
axes.imshow(np.sqrt(confusion), cmap="Blues")
for (row, column), count in np.ndenumerate(confusion):
    if count:
        dark = count > confusion.max() / 4
        axes.text(column, row, count, ha="center", va="center", fontsize=8, color="white" if dark else "black")
axes.set(xlabel="taken for", ylabel="digit", xticks=range(10), yticks=range(10))
plt.show()

# %% [markdown]
# And the images themselves: the eight that it was least sure about. Above each stand the digit, the probability that
# the network gave it, and what the network says. Could you do better?

# %%
right = probabilities[np.arange(len(truth)), truth]
hardest = np.argsort(right)[:8]
titles = [f"{truth[i]}: {right[i]:.0%}\nsays {probabilities[i].argmax()}" for i in hardest]
figure, grid = plt.subplots(1, 8, figsize=(9, 1.7), layout="constrained")
for axes, i, title in zip(grid, hardest, titles, strict=True):
    axes.imshow(test.tensors[0][int(i), 0].numpy(), cmap="gray")
    axes.set_title(title, fontsize=9)
    axes.axis("off")
plt.show()

# %% [markdown]
# ## What does it look at?
#
# The gradient with respect to the *input* says which pixels, changed a little, would change the score of the digit
# most. It is the same backward pass, only that we ask for another gradient.

# %%
some = [int(np.flatnonzero(truth == digit)[0]) for digit in range(10)]
shown = test.tensors[0][some]
saliency = gg.viz.saliency(model, shown, gg.asarray(truth[some]))
heat = saliency / saliency.max(axis=(1, 2, 3), keepdims=True)
gg.viz.image_grid(gg.viz.overlay(shown, heat.reshape(10, 1, 20, 20), 0.7), columns=10, side=0.8)

# %% [markdown]
# ## Keep it
#
# Checkpoints are safetensors, with PyTorch's names for the weights; what is loaded gives the same answers to the bit.

# %%
with tempfile.TemporaryDirectory() as folder:
    gg.io.save(f"{folder}/digits.safetensors", model.state_dict())
    again = gg.models.LeNet(size=20)
    again.load_state_dict(gg.io.load_weights(f"{folder}/digits.safetensors"))
same = bool((predictions(again) == probabilities).all())
print("the loaded network gives the same bits:", same)

# %% [markdown]
# `gpugrad train digits` is this program with a progress bar, a checkpoint after each pass and Ctrl-C that can be
# resumed. With `model.cuda()` and batches on `"cuda"` it runs on a GPU.
