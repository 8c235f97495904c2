"""The course notes' own listings run on gpugrad, unchanged but for the import."""

import numpy
import pytest

import gpugrad as gg

pyplot = pytest.importorskip("matplotlib.pyplot")

PERCEPTRON = """
# 1. Create a range of input values, 0 to 1 with n_steps:
n_steps = 120
# Get a set of 2D points covering the unit square:
x = torch.linspace(-1, 1, n_steps)
y = torch.linspace(-1, 1, n_steps)
# Create a grid of points:
X, Y = torch.meshgrid(x, y)
# Flatten the grid to get a list of 2D points:
points = torch.stack([X.flatten(), Y.flatten()], dim=1)
points.shape

# Define a layer of the network with a randomly initialized weight vector:
weights = torch.randn(2, 1)
# Define biases:
biases = torch.randn(1)
weights.shape

plt.figure(figsize=(6, 6))
z = torch.heaviside(torch.matmul(points, weights) + biases, values=torch.tensor([0.0]))
# Plot xy, and z as a color:
plt.contourf(X, Y, z.reshape(X.shape), 50, cmap='jet')

plt.grid()
plt.xlabel('x')
plt.ylabel('y')

# Plot x,y,z on a 3D plot:
from mpl_toolkits.mplot3d import Axes3D
fig = plt.figure(figsize=(6, 6))
ax = fig.add_subplot(111, projection='3d')
ax.scatter(points[:, 0], points[:, 1], z[:, 0])
ax.set_xlabel('x')
ax.set_ylabel('y')
ax.set_zlabel('z')
# Rotate the plot:
ax.view_init(30, 30)
# make interactive:
plt.show()
"""

# The notes leave out how the first layer and the grid of 200 x 200 points are made; that they have 400 units, they say.
LEFT_OUT = """
x = torch.linspace(-1, 1, 200)
X, Y = torch.meshgrid(x, x)
points = torch.stack([X.flatten(), Y.flatten()], dim=1)
hidden_dim = 400
w_layer1 = torch.randn(2, hidden_dim)
b_layer1 = torch.randn(hidden_dim)
"""

MLP = """
# Pass the input through the layer:
out_layer1 = torch.matmul(points, w_layer1) + b_layer1
# Apply a non-linear activation function:
out_layer1 = activation(out_layer1)
out_layer1.shape

# Define weights for second layer:
w_layer2 = torch.randn(hidden_dim, 1)
# Define biases:
b_layer2 = torch.randn(1)

# Pass the output of the first layer through the second layer:
out_layer2 = torch.matmul(out_layer1, w_layer2) + b_layer2
# Apply a non-linear activation function:
out_layer2 = activation(out_layer2)

plt.figure(figsize=(6, 6))
z = out_layer2
# Plot xy, and z as a color:
# plt.scatter(points[:, 0], points[:, 1], c=z[:, 0])
# use interpolation:
plt.contourf(X, Y, z.reshape(X.shape), 50, cmap='jet')

plt.grid()
plt.xlabel('x')
plt.ylabel('y')
plt.colorbar()

# Plot x,y,z on a 3D plot:
from mpl_toolkits.mplot3d import Axes3D
fig = plt.figure(figsize=(6, 6))
ax = fig.add_subplot(111, projection='3d')
ax.scatter(points[:, 0], points[:, 1], z[:, 0], c=z[:, 0])
ax.set_xlabel('x')
ax.set_ylabel('y')
ax.set_zlabel('z')
# Rotate the plot:
ax.view_init(30, 30)
"""

FORWARD = """
# forward-pass of a 3-layer neural network:
f = lambda x: 1.0/(1.0 + np.exp(-x)) # activation function (use sigmoid)
x = np.random.randn(3, 1) # random input vector of three numbers (3x1)
h1 = f(np.dot(W1, x) + b1) # calculate first hidden layer activations (4x1)
h2 = f(np.dot(W2, h1) + b2) # calculate second hidden layer activations (4x1)
out = np.dot(W3, h2) + b3 # output neuron (1x1)
"""

# xrange and the print statement are Python 2: here they are range and print(), and there are fewer attempts.
RANDOM_SEARCH = """
bestloss = float("inf") # Python assigns the highest possible float value
for num in range(20):
    W = np.random.randn(10, 3073) * 0.0001 # generate random parameters
    loss = L(X_train, Y_train, W) # get the loss over the entire training set
    if loss < bestloss: # keep track of the best solution
        bestloss = loss
        bestW = W
    print('in attempt %d the loss was %f, best %f' % (num, loss, bestloss))
"""

MINIBATCH = """
# Vanilla Minibatch Gradient Descent

while True:
    data_batch = sample_training_data(data, 256) # sample 256 examples
    weights_grad = evaluate_gradient(loss_fun, data_batch, weights)
    weights += - step_size * weights_grad # perform parameter update
"""

TWENTY_LINES = """
N, D_in, H, D_out = 64, 1000, 100, 10
x, y = randn(N, D_in), randn(N, D_out)
w1, w2 = randn(D_in, H), randn(H, D_out)

for t in range(2000):
    h = 1 / (1 + np.exp(-x.dot(w1)))
    y_pred = h.dot(w2)
    loss = np.square(y_pred - y).sum()
    print(t, loss)

    grad_y_pred = 2.0 * (y_pred - y)
    grad_w2 = h.T.dot(grad_y_pred)
    grad_h = grad_y_pred.dot(w2.T)
    grad_w1 = x.T.dot(grad_h * h * (1 - h))

    w1 -= 1e-4 * grad_w1
    w2 -= 1e-4 * grad_w2
"""


@pytest.fixture
def plt():
    pyplot.switch_backend("agg")
    yield pyplot
    pyplot.close("all")


def run(listing, **names):
    """The names after running a listing."""
    exec(compile(listing, "listing", "exec"), names)
    return names


def test_the_perceptron_on_a_grid(plt):
    found = run(PERCEPTRON, torch=gg, plt=plt)
    assert found["points"].shape == (14400, 2) and found["weights"].shape == (2, 1)
    assert isinstance(found["z"], gg.Tensor)
    scores = found["points"].numpy() @ found["weights"].numpy() + found["biases"].numpy()
    numpy.testing.assert_array_equal(found["z"].numpy(), scores > 0)
    drawn = found["ax"].collections[0]._offsets3d
    numpy.testing.assert_array_equal(drawn[2], found["z"][:, 0].numpy())
    assert len(plt.get_fignums()) == 2


@pytest.mark.parametrize("name", ["step", "sigmoid"])
def test_the_mlp_on_a_grid(plt, name):
    activation = {"step": lambda x: gg.heaviside(x, values=gg.tensor([0.0])), "sigmoid": gg.sigmoid}[name]
    found = run(LEFT_OUT + MLP, torch=gg, plt=plt, activation=activation)
    assert found["out_layer1"].shape == (40000, 400)
    z = found["z"].numpy()
    assert z.min() >= 0 and z.max() <= 1 and (name == "sigmoid" or set(z.ravel().tolist()) <= {0.0, 1.0})
    assert len(plt.get_fignums()) == 2


def test_the_three_layer_network():
    random = numpy.random.default_rng(0)
    sizes = {"W1": (4, 3), "b1": (4, 1), "W2": (4, 4), "b2": (4, 1), "W3": (1, 4), "b3": (1, 1)}
    weights = {name: random.standard_normal(size).astype(numpy.float32) for name, size in sizes.items()}
    found = run(FORWARD, np=gg, **{name: gg.tensor(value) for name, value in weights.items()})
    x, w = found["x"].numpy(), weights

    def f(x):
        return 1 / (1 + numpy.exp(-x))

    expected = w["W3"] @ f(w["W2"] @ f(w["W1"] @ x + w["b1"]) + w["b2"]) + w["b3"]
    assert found["out"].shape == (1, 1) and found["x"].shape == (3, 1)
    assert found["out"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_random_search(capsys):
    gg.manual_seed(0)
    samples, labels = gg.randn(3073, 50), gg.randint(0, 10, (50,))
    losses = []

    def loss(inputs, targets, weights):
        """The multi-class SVM's."""
        losses.append(gg.nn.functional.multi_margin_loss((weights @ inputs).T, targets) * 10)
        return losses[-1]

    found = run(RANDOM_SEARCH, np=gg, L=loss, X_train=samples, Y_train=labels)
    assert found["bestloss"].item() == min(value.item() for value in losses)
    assert found["bestW"].shape == (10, 3073)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 20 and lines[0].startswith(f"in attempt 0 the loss was {losses[0].item():.6f}, best ")
    assert losses[0].item() == pytest.approx(9, abs=0.5)  # weights near zero: each of nine classes is a margin of 1


class Enough(Exception):
    """Ends the endless loop."""


def test_minibatch_descent():
    gg.manual_seed(0)
    inputs, truth = gg.randn(1000, 5), gg.randn(5)
    targets, batches = inputs @ truth, []

    def sample(data, count):
        if len(batches) == 200:
            raise Enough
        batches.append(gg.randint(0, len(data), (count,)))
        return batches[-1]

    def gradient(loss, batch, weights):
        weights = weights.clone().requires_grad_()
        return gg.grad(loss(weights, batch), weights)[0]

    def squared_error(weights, batch):
        return ((inputs[batch] @ weights - targets[batch]) ** 2).mean()

    weights = gg.zeros(5)
    with pytest.raises(Enough):
        run(
            MINIBATCH, data=inputs, weights=weights, step_size=0.1, loss_fun=squared_error,
            sample_training_data=sample, evaluate_gradient=gradient,
        )  # fmt: skip
    assert len(batches[0]) == 256
    numpy.testing.assert_allclose(weights.numpy(), truth.numpy(), atol=1e-4)


@pytest.fixture
def like_numpy():
    """Numbers are float64, as NumPy's are; small matrix products are faster on one thread."""
    before = gg.get_num_threads(), gg.default_dtype()
    gg.set_num_threads(1)
    gg.set_default_dtype("float64")
    yield
    gg.set_num_threads(before[0])
    gg.set_default_dtype(before[1])


def drawn():
    gg.manual_seed(0)
    n, d_in, h, d_out = 64, 1000, 100, 10
    return [gg.random.randn(*size) for size in ((n, d_in), (n, d_out), (d_in, h), (h, d_out))]


def test_twenty_lines(like_numpy):
    """2000 steps with the hand-written gradients have the losses that automatic differentiation gives, and NumPy's."""
    losses, of_numpy = [], []
    gg.manual_seed(0)
    run(TWENTY_LINES, np=gg, randn=gg.random.randn, print=lambda t, loss: losses.append(loss.item()))
    assert len(losses) == 2000 and losses[-1] < 0.01 * losses[0]

    arrays = [value.numpy() for value in drawn()]
    given = iter(arrays)
    names = {"randn": lambda *size: next(given), "range": lambda n: range(n // 40)}
    run(TWENTY_LINES, np=numpy, print=lambda t, loss: of_numpy.append(loss), **names)
    assert losses[:50] == pytest.approx(of_numpy, rel=1e-10)

    x, y, w1, w2 = drawn()
    w1.requires_grad_()
    w2.requires_grad_()
    for step in range(2000):
        loss = (((1 / (1 + gg.exp(-x @ w1))) @ w2 - y) ** 2).sum()
        assert loss.item() == pytest.approx(losses[step], rel=1e-8), f"step {step}"
        loss.backward()
        with gg.no_grad():
            w1 -= 1e-4 * w1.grad
            w2 -= 1e-4 * w2.grad
        w1.grad = w2.grad = None
