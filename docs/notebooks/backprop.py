# %% [markdown]
# # Backpropagation by hand, and by gpugrad
#
# A network is a function of its weights, and training needs the derivative of that function. *Backpropagation* is the
# chain rule, applied from the end to the beginning. In this tutorial you do it by hand, first for one neuron and then
# for a network with a hidden layer; gpugrad does it too, and each time the two must agree to the last digits. At the
# end you know what an automatic differentiation library does for you, because you have done it yourself.

# %%
# %matplotlib inline
import os

import matplotlib.pyplot as plt
import numpy as np

import gpugrad as gg

QUICK = bool(os.environ.get("GPUGRAD_QUICK"))  # fewer steps, to see that everything runs
random = np.random.default_rng(0)

# %% [markdown]
# ## One neuron
#
# A neuron with one input computes $a = wx + b$ and passes it through the logistic function,
# $p = \sigma(a) = 1/(1+e^{-a})$. It was to say $t$; how wrong it was is the loss $L = (p - t)^2$. Take some numbers,
# and go **forward**:

# %%
x, t, w, b = 1.5, 1.0, 0.8, -0.4
a = w * x + b
p = 1 / (1 + np.exp(-a))
L = (p - t) ** 2
print(f"a = {a:.4f}, p = {p:.4f}, L = {L:.4f}")

# %% [markdown]
# By how much does $L$ change if $w$ changes a little? $w$ acts on $L$ only by way of $a$ and $p$, so by the chain rule
#
# $$\frac{dL}{dw} = \frac{dL}{dp}\,\frac{dp}{da}\,\frac{da}{dw}
# = \underbrace{2(p-t)}_{\text{loss}}\;\underbrace{p\,(1-p)}_{\text{logistic}}\;\underbrace{x}_{\text{product}}.$$
#
# Each factor belongs to *one* step of the computation and needs only what that step has seen. We multiply from the
# left, **backward**, because the products on the way are shared: $dL/da$ serves $w$ and $b$ alike.

# %%
dL_dp = 2 * (p - t)
dL_da = dL_dp * p * (1 - p)
dL_dw, dL_db = dL_da * x, dL_da
print(f"dL/dw = {dL_dw:.6f}, dL/db = {dL_db:.6f}")

# %% [markdown]
# And gpugrad. `requires_grad=True` says with respect to what we differentiate; every operation then leaves a note in a
# graph, and `backward()` reads the notes from the last to the first.
#
# The notes can be read. Each *node* knows the nodes that its inputs came from, and keeps what its rule will need and
# nothing else: the sigmoid its own output, because $\sigma' = \sigma(1-\sigma)$; the sum before it nothing at all.

# %%
weight, bias = (gg.tensor(value, dtype="float64", requires_grad=True) for value in (w, b))
loss = ((weight * x + bias).sigmoid() - t) ** 2

node = loss.grad_fn
while node.edges:
    print(f"{node.name:<8} keeps {', '.join(node.saved) or 'nothing'}")
    node = node.edges[0]

# %%
loss.backward()
print(f"dL/dw = {weight.grad.item():.6f}, dL/db = {bias.grad.item():.6f}")
neuron_difference = max(abs(weight.grad.item() - dL_dw), abs(bias.grad.item() - dL_db))

# %% [markdown]
# ## A network with a hidden layer
#
# Now a task that no straight line solves: two interleaved half moons.

# %%
count = 100 if QUICK else 300
angle = random.uniform(0, np.pi, count)
labels = np.arange(count) % 2
X = np.stack([np.cos(angle), np.sin(angle)], 1)
X[labels == 1] = [1.0, 0.4] - X[labels == 1]
X += random.normal(0, 0.1, X.shape)
Y = np.eye(2)[labels]  # the class as a vector: one-hot

figure, axes = plt.subplots(figsize=(5, 3.2), layout="constrained")
axes.scatter(*X.T, c=labels, cmap="coolwarm", s=14)
axes.set_aspect("equal")
plt.show()

# %% [markdown]
# The network, for all $N$ points at once (a point is a row of $X$):
#
# $$A = XW_1 + b_1,\qquad H = \tanh A,\qquad Z = HW_2 + b_2,\qquad P = \mathrm{softmax}(Z),\qquad
# L = -\frac1N\sum_{n,k} Y_{nk}\ln P_{nk}.$$
#
# Backward, with $\bar M$ for $\partial L/\partial M$. Two facts make it short:
#
# * softmax and cross-entropy together have a derivative that is simpler than either alone: $\bar Z = (P - Y)/N$;
# * a product $Z = HW$ sends back $\bar H = \bar Z W^\top$ and $\bar W = H^\top\bar Z$. (No need to remember which is
#   which: only one order of the factors fits the shapes.)
#
# So
#
# $$\bar Z = \tfrac1N(P-Y),\quad \bar W_2 = H^\top\bar Z,\quad \bar b_2 = \sum_n\bar Z_n,\quad
# \bar A = (\bar Z W_2^\top)\odot(1-H^2),\quad \bar W_1 = X^\top\bar A,\quad \bar b_1 = \sum_n\bar A_n.$$


# %%
def initial(width=16):
    draw = np.random.default_rng(1)
    return [draw.normal(0, 1, (2, width)), np.zeros(width), draw.normal(0, width**-0.5, (width, 2)), np.zeros(2)]


def by_hand(parameters):
    """The loss, and its gradient with respect to each parameter."""
    W1, b1, W2, b2 = parameters
    H = np.tanh(X @ W1 + b1)
    Z = H @ W2 + b2
    E = np.exp(Z - Z.max(1, keepdims=True))
    P = E / E.sum(1, keepdims=True)
    loss = -(Y * np.log(P)).sum() / len(X)

    dZ = (P - Y) / len(X)
    dA = (dZ @ W2.T) * (1 - H**2)
    return loss, [X.T @ dA, dA.sum(0), H.T @ dZ, dZ.sum(0)]


def by_gpugrad(parameters):
    tensors = [gg.tensor(p, requires_grad=True) for p in parameters]
    W1, b1, W2, b2 = tensors
    Z = gg.tanh(gg.asarray(X) @ W1 + b1) @ W2 + b2
    loss = gg.nn.functional.cross_entropy(Z, gg.asarray(labels))
    return loss.item(), [g.numpy() for g in gg.grad(loss, tensors)]


hand_loss, hand = by_hand(initial())
our_loss, ours = by_gpugrad(initial())
network_difference = max(np.abs(a - b).max() for a, b in zip(hand, ours, strict=True))
print(f"losses {hand_loss:.12f} and {our_loss:.12f}; the gradients differ by at most {network_difference:.1e}")

# %% [markdown]
# They agree to rounding. That makes two opinions that might share a mistake: both come from formulas.
#
# ## A third opinion: differences
#
# A derivative can be *measured*. Move the parameters a step $h$ along a direction $v$ and look at the loss:
#
# $$\nabla L\cdot v \;\approx\; \frac{L(\theta + hv) - L(\theta - hv)}{2h}.$$
#
# How small should $h$ be? The formula is wrong by about $h^2$ (what the Taylor series leaves out), so: small. But the
# two losses are rounded to a relative $\varepsilon\approx10^{-16}$, and their difference is divided by $h$: an error of
# about $\varepsilon/h$. The best step is where the two meet, at about $\varepsilon^{1/3}$.

# %%
v = [random.normal(size=p.shape) for p in initial()]
slope = sum((g * d).sum() for g, d in zip(hand, v, strict=True))


def moved(h):
    return by_hand([p + h * d for p, d in zip(initial(), v, strict=True)])[0]


steps = np.logspace(-12, 0, 37)
errors = [abs((moved(h) - moved(-h)) / (2 * h) - slope) / abs(slope) for h in steps]

figure, axes = plt.subplots(figsize=(6, 3.4), layout="constrained")
axes.loglog(steps, errors, ".-", label="measured")
axes.loglog(steps, steps**2, ":", label="$h^2$")
axes.loglog(steps, 2e-16 / steps, ":", label=r"$\varepsilon/h$")
axes.axvline(np.finfo(float).eps ** (1 / 3), color="gray", linewidth=0.8)
axes.set(xlabel="step $h$", ylabel="relative error", ylim=(1e-13, 10))
axes.legend()
axes.grid(alpha=0.3)
plt.show()
best_error = min(errors)
print(f"at best the measured slope differs from backpropagation's by {best_error:.0e}")

# %% [markdown]
# The V has the slopes that the argument says, and its lowest point is near the grey line. Differences are a good
# *check* and a bad *method*: the network has 82 parameters and would need two passes for each, where backpropagation
# needs one backward pass for all. (`gg.autograd.gradcheck` makes this check for any function.)
#
# ## Train it, twice
#
# The same descent, $\theta \leftarrow \theta - \eta\,\bar\theta$, with either gradient. If they are the same, so must
# be the whole curve of the losses.


# %%
def descend(gradients, steps, rate=0.7):
    parameters, losses = initial(), []
    for _ in range(steps):
        loss, grads = gradients(parameters)
        parameters = [p - rate * g for p, g in zip(parameters, grads, strict=True)]
        losses.append(loss)
    return parameters, losses


steps = 150 if QUICK else 1500
by_hand_parameters, hand_losses = descend(by_hand, steps)
_, our_losses = descend(by_gpugrad, steps)
curve_difference = np.abs(np.subtract(hand_losses, our_losses)).max()
print(
    f"after {steps} steps: {hand_losses[-1]:.6f} and {our_losses[-1]:.6f}; never more than {curve_difference:.0e} apart"
)


def classes(points):
    W1, b1, W2, b2 = by_hand_parameters
    return np.tanh(points @ W1 + b1) @ W2 + b2


grid = np.stack(np.meshgrid(np.linspace(-1.6, 2.6, 200), np.linspace(-1.1, 1.5, 140)), -1)
scores = classes(grid)
accuracy = (classes(X).argmax(1) == labels).mean()

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
left.semilogy(hand_losses, label="by hand", linewidth=4, alpha=0.4)
left.semilogy(our_losses, label="by gpugrad", linewidth=1)
left.set(xlabel="step", ylabel="loss")
left.legend()
left.grid(alpha=0.3)
probability = 1 / (1 + np.exp(scores[..., 0] - scores[..., 1]))
right.imshow(probability, extent=(-1.6, 2.6, -1.1, 1.5), origin="lower", cmap="coolwarm", alpha=0.6)
right.scatter(*X.T, c=labels, cmap="coolwarm", s=12, edgecolors="white", linewidths=0.4)
right.set(title=f"{accuracy:.1%} right", aspect="equal")
plt.show()

# %% [markdown]
# ## Where the hand stops
#
# By hand, each new layer is a new derivation; a mistake in it does not crash, it only trains badly. And the gradient
# above is a *number*. gpugrad's can be a function again: with `create_graph=True` the backward pass leaves notes too,
# and can be differentiated. For the neuron, $d^2L/dw^2$ by hand would be
#
# $$\frac{d^2L}{dw^2} = 2x^2\,s\,\bigl(s + (p-t)(1-2p)\bigr),\qquad s = p(1-p).$$

# %%
loss = ((weight * x + bias).sigmoid() - t) ** 2
(first,) = gg.grad(loss, weight, create_graph=True)
(second,) = gg.grad(first, weight)
s = p * (1 - p)
by_formula = 2 * x**2 * s * (s + (p - t) * (1 - 2 * p))
print(f"by gpugrad {second.item():.12f}\nby hand    {by_formula:.12f}")
second_difference = abs(second.item() - by_formula)

# %% [markdown]
# The tutorial on Hessian-vector products makes use of it. How the engine itself is built, from a tape of two dozen
# lines on, is told in `gpugrad/autograd/README.md`.
