# %% [markdown]
# # Hessian-vector products and Newton's method
#
# The gradient says where a function falls. The *Hessian*, the matrix of its second derivatives, says how the gradient
# turns on the way, and so how far to go. For a million parameters that matrix has $10^{12}$ entries and nobody can
# write it down. The point of this tutorial: nobody has to. A product $Hv$ costs about as much as two gradients, and
# products are all that one needs, to find the direction of Newton's method, or the largest eigenvalue, which is the
# speed limit of gradient descent.

# %%
# %matplotlib inline
import os

import matplotlib.pyplot as plt
import numpy as np

import gpugrad as gg
from gpugrad import nn
from gpugrad.autograd import hessian, hvp

QUICK = bool(os.environ.get("GPUGRAD_QUICK"))  # fewer steps, to see that everything runs

# %% [markdown]
# ## The derivative of a derivative
#
# Rosenbrock's function is the old test: a narrow, curved valley, with the minimum at $(1, 1)$.
#
# $$f(x, y) = (1-x)^2 + 100\,(y - x^2)^2.$$
#
# $\nabla f\cdot v$ is a number, the slope in the direction $v$. Its gradient is the product that we want, for
# $\nabla(\nabla f\cdot v) = Hv$ (Pearlmutter 1994): differentiate, multiply, differentiate again. `create_graph=True`
# makes the first gradient something that can be differentiated.


# %%
def rosenbrock(p):
    x, y = p[..., 0], p[..., 1]
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


p = gg.tensor([-1.0, 1.5], dtype="float64", requires_grad=True)
v = gg.tensor([1.0, 2.0], dtype="float64")
(gradient,) = gg.grad(rosenbrock(p), p, create_graph=True)
(product,) = gg.grad(gradient @ v, p)

x, y = p.tolist()
by_hand = np.array([[2 - 400 * (y - 3 * x**2), -400 * x], [-400 * x, 200]]) @ v.numpy()
print("H v in two gradients:", product.numpy())
print("H v by hand:         ", by_hand)
print("gg.autograd.hvp:     ", hvp(rosenbrock, p.detach(), v)[1].numpy())
print("the whole matrix:    ", hessian(rosenbrock, p.detach()).tolist())
product_error = np.abs(product.numpy() - by_hand).max()

# %% [markdown]
# ## Newton's method, in two dimensions
#
# Near $p$, $f(p+d) \approx f(p) + g\cdot d + \tfrac12 d^\top H d$. That parabola has its minimum where $Hd = -g$;
# Newton's step goes there. Gradient descent knows nothing of $H$ and goes $-\eta g$, with an $\eta$ that must be small
# enough for the steepest direction, and is then far too small along the valley.


# %%
def descend(step, start, count):
    path = [np.array(start)]
    for _ in range(count):
        path.append(path[-1] + step(gg.tensor(path[-1], requires_grad=True)))
    return np.array(path)


def gradient_step(p, rate=0.0015):
    return -rate * gg.grad(rosenbrock(p), p)[0].numpy()


def newton_step(p):
    g = gg.grad(rosenbrock(p), p)[0].numpy()
    return -np.linalg.solve(hessian(rosenbrock, p.detach()).numpy(), g)


start, count = [-1.0, 1.5], 50 if QUICK else 2000
paths = {"gradient descent": descend(gradient_step, start, count), "Newton": descend(newton_step, start, 7)}

figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.6), layout="constrained")
xs, ys = np.meshgrid(np.linspace(-1.6, 1.6, 200), np.linspace(-3.5, 2.2, 200))
heights = rosenbrock(gg.asarray(np.stack([xs, ys], -1))).numpy()
left.contourf(xs, ys, np.log10(heights + 1e-2), levels=25, cmap="Greys_r", alpha=0.8)
for (name, path), style in zip(paths.items(), ("-", ".-"), strict=True):
    left.plot(*path.T, style, label=name, linewidth=1.3, markersize=7)
    distance = np.linalg.norm(path - 1, axis=1)
    right.loglog(np.arange(1, len(path) + 1), distance + 1e-16, style, label=name, linewidth=1.3, markersize=7)
left.plot(1, 1, "*", color="gold", markersize=14, markeredgecolor="black", markeredgewidth=0.5)
left.set(xlim=(-1.6, 1.6), ylim=(-3.5, 2.2))
left.legend(loc="lower center")
right.set(xlabel="step", ylabel="distance to the minimum")
right.grid(alpha=0.3)
plt.show()
print("distances of Newton's steps:", *(f"{np.linalg.norm(q - 1):.1e}" for q in paths["Newton"]))
newton_distance = np.linalg.norm(paths["Newton"][-1] - 1)

# %% [markdown]
# Near the end each of Newton's steps about *squares* the distance: the number of right digits doubles. On the way its
# path does not even follow the valley; the third point is further from the minimum than the first was. So bold a step
# can also fail, and in practice one halves it until the function falls.
#
# ## Without the matrix
#
# Now something larger: multinomial logistic regression on handwritten digits, 650 parameters, with a little decay so
# that the minimum exists. Its Hessian would have 422500 entries; we never form it. $Hd = -g$ is solved by *conjugate
# gradients*, which need only products $Hv$ and, for an $H$ that is positive definite, get closer with each one. That is
# `gg.optim.NewtonCG`. Against it: gradient descent, and L-BFGS, which guesses $H$ from how past gradients differed.

# %%
train, test = gg.data.load_digits(8)
images, labels = (tensor[: 200 if QUICK else None] for tensor in train.tensors)
images = images.reshape(len(images), 64).double()
strength = 1e-2 if QUICK else 1e-4  # of the decay


def new_model():
    gg.manual_seed(1)
    return nn.Linear(64, 10).double()


def loss_of(model):
    decay = sum((p**2).sum() for p in model.parameters())
    return nn.functional.cross_entropy(model(images), labels) + strength * decay


def gradient_descent(steps, rate):
    model, history = new_model(), []
    optimizer = gg.optim.SGD(model.parameters(), lr=rate)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_of(model)
        history.append(loss.item())
        loss.backward()
        optimizer.step()
    return history


def newton(steps):
    model = new_model()
    optimizer = gg.optim.NewtonCG(model.parameters(), cg_iter=100)
    return [optimizer.step(lambda: loss_of(model)).item() for _ in range(steps)], model


def lbfgs(steps):
    model, history = new_model(), []
    optimizer = gg.optim.LBFGS(
        model.parameters(), max_iter=1, max_eval=30, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        return loss

    for _ in range(steps):
        history.append(optimizer.step(closure).item())
    return history


newton_history, fitted = newton(8 if QUICK else 14)
histories = {
    "gradient descent": gradient_descent(30 if QUICK else 600, 0.7),
    "L-BFGS": lbfgs(15 if QUICK else 250),
    "Newton-CG": newton_history,
}
best = min(min(h) for h in histories.values())

figure, axes = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
for name, history in histories.items():
    axes.loglog(np.arange(1, len(history) + 1), np.array(history) - best + 1e-13, label=name)
axes.set(xlabel="step", ylabel="loss above the best one found", ylim=(1e-13, 10))
axes.legend()
axes.grid(alpha=0.3)
plt.show()
for name, history in histories.items():
    print(f"{name:<16} {len(history):4} steps: {history[-1]:.12f}")

# %% [markdown]
# A step of Newton-CG costs as many products as conjugate gradients take, here up to a hundred; but *where precision is
# wanted* its last steps gain digits as in two dimensions. For networks that are trained on noisy batches, precision is
# not wanted, and that is why they are trained by gradients.
#
# How do we know that the point found is a minimum? The gradient is zero there:

# %%
gradients = gg.grad(loss_of(fitted), list(fitted.parameters()))
gradient_norm = sum((g**2).sum() for g in gradients).sqrt().item()
print(f"|gradient| = {gradient_norm:.1e}")

# %% [markdown]
# ## The speed limit
#
# Gradient descent multiplies an error along an eigenvector of $H$ by $1 - \eta\lambda$ in each step. It shrinks only
# while $|1-\eta\lambda| < 1$, that is for
#
# $$\eta < \frac{2}{\lambda_{\max}}.$$
#
# The largest eigenvalue, too, needs only products: start with any $v$, and repeat $v \leftarrow Hv/|Hv|$ (the power
# method). Each product enlarges the part of $v$ along the steepest direction more than all others.

# %%
parameters = list(fitted.parameters())
gradients = gg.grad(loss_of(fitted), parameters, create_graph=True)
gg.manual_seed(0)
v = [gg.randn(*p.shape, dtype="float64") for p in parameters]
estimates = []
for _ in range(20 if QUICK else 60):
    slope = sum((g * u).sum() for g, u in zip(gradients, v, strict=True))
    Hv = gg.grad(slope, parameters, retain_graph=True)
    length = sum((h**2).sum() for h in Hv).sqrt()
    estimates.append((length / sum((u**2).sum() for u in v).sqrt()).item())
    v = [h / length for h in Hv]
largest = estimates[-1]
limit = 2 / largest
print(f"largest eigenvalue {estimates[9]:.4f} after 10 products, {largest:.4f} after {len(estimates)}")
print(f"so the learning rate must be below {limit:.4f}")

# %% [markdown]
# Does it hold? Start near the minimum, a thousandth away along the steepest direction $v$, with rates just below the
# limit and just above it.


# %%
def distances(rate, steps):
    """How far gradient descent is from the minimum, step by step."""
    model = new_model()
    model.load_state_dict(fitted.state_dict())
    with gg.no_grad():
        for p, u in zip(model.parameters(), v, strict=True):
            p += 1e-3 * u
    found = []
    for _ in range(steps):
        offsets = [p.detach() - q.detach() for p, q in zip(model.parameters(), fitted.parameters(), strict=True)]
        found.append(sum((o**2).sum() for o in offsets).sqrt().item())
        gradients = gg.grad(loss_of(model), list(model.parameters()))
        with gg.no_grad():
            for p, g in zip(model.parameters(), gradients, strict=True):
                p -= rate * g
    return found


steps = 30 if QUICK else 120
runs = {f"{share:.2f} of the limit": distances(share * limit, steps) for share in (0.9, 0.98, 1.02, 1.1)}
figure, axes = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
for name, found in runs.items():
    axes.semilogy(found, label=name)
axes.set(xlabel="step", ylabel="distance to the minimum")
axes.legend()
axes.grid(alpha=0.3)
plt.show()

# %% [markdown]
# Two per cent decide between falling and growing, and $2/\lambda_{\max}$ told it without one trial. (Above the limit
# the distance does not grow for ever: away from the minimum $H$ is another.)
#
# The same two gradients work for any network that gpugrad can train, of any layers: every op's gradient rule is itself
# made of ops, so fused kernels have second derivatives too.
