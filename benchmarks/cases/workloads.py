"""Declares what is measured: each workload, written once for both libraries, with the ratio of times it should reach.

Learning rates are small, so that a network stays near its start and the thousandth step does the same work.
"""

from functools import partial

from .case import Case, Workload, network, operation, training


def add(lib, inputs):
    """Computes y = x + x on one element, without gradients, a thousand times."""

    def repeated(x):
        x = x.detach()
        for _ in range(1000):
            y = x + x
        return y

    return operation(lib, repeated, None, inputs.normal(1))


def chain(lib, inputs):
    """Adds one element a thousand times, each sum to the one before, and goes the way back."""

    def repeated(x):
        y = x
        for _ in range(1000):
            y = y + x
        return y

    return operation(lib, repeated, inputs.normal(1), inputs.normal(1))


def mlp(lib, inputs, optimizer, **options):
    """Trains the multilayer perceptron for a step, batch 256."""
    model, images = network(lib, "MLP", 784, 512, 256, 10), inputs.normal(256, 784)
    return training(lib, model, images, inputs.integers(10, 256), optimizer, **options)


def lenet(lib, inputs):
    """Trains LeNet for a step, batch 64."""
    images, labels = inputs.normal(64, 1, 32, 32), inputs.integers(10, 64)
    return training(lib, network(lib, "LeNet", size=32), images, labels, "SGD", lr=1e-3, momentum=0.9)


def resnet20(lib, inputs, batch=64):
    """Trains ResNet-20 for a step."""
    images, labels = inputs.normal(batch, 3, 32, 32), inputs.integers(10, batch)
    return training(lib, network(lib, "CIFARResNet", depth=20), images, labels, "SGD", lr=1e-3, momentum=0.9)


def digits(lib, inputs, model, batch=64, pixels=32, **options):
    """Trains a classifier of digits for a step, as the recipes do."""
    shown, labels = inputs.normal(batch, 1, pixels, pixels), inputs.integers(10, batch)
    return training(lib, network(lib, model, **options), shown, labels, "SGD", lr=1e-3, momentum=0.9)


def images(lib, inputs, model, batch, **options):
    """Trains an ImageNet classifier for a step."""
    shown, labels = inputs.normal(batch, 3, 224, 224), inputs.integers(1000, batch)
    return training(lib, network(lib, model, **options), shown, labels, "SGD", lr=1e-4, momentum=0.9)


def language(lib, inputs, batch, length, vocabulary=256, **sizes):
    """Trains a transformer for a step, on `batch` sequences of `length` tokens."""
    tokens, following = inputs.integers(vocabulary, batch, length), inputs.integers(vocabulary, batch * length)
    # A bias of the keys has no gradient to compare: softmax does not see what is added to all scores of a row.
    options = {"tie_weights": False, "qkv_bias": False, "approximate": "none"}
    model = network(lib, "GPT", vocab_size=vocabulary, n_positions=length, **options, **sizes)
    return training(lib, model, tokens, following, "AdamW", lr=1e-4)


def generation(lib, inputs, count, vocabulary=256, **sizes):
    """Reads `count` tokens one after the other with a cache of keys and values, as a text is written."""
    options = {"tie_weights": False, "qkv_bias": False, "approximate": "none"}
    model = network(lib, "GPT", vocab_size=vocabulary, n_positions=count, **options, **sizes).to(inputs.device)
    tokens = inputs.integers(vocabulary, 1, count)

    def read():
        with lib.no_grad():
            cache = network(lib, "KeyValueCache", positions=count)
            for place in range(count):
                logits = model(tokens[:, place : place + 1], cache=cache)
        return logits

    return Case(model, read)


def char_lstm(lib, inputs, length=64, embedding_dim=256):
    """Trains the LSTM language model for a step, on 32 sequences of `length` characters."""
    tokens, following = inputs.integers(96, 32, length), inputs.integers(96, 32 * length)
    model = network(lib, "LSTMLanguageModel", vocab_size=96, embedding_dim=embedding_dim, hidden_size=256)
    return training(lib, model, tokens, following, "Adam", logits_of=lambda outputs: outputs[0], lr=1e-4)


def lstm(lib, inputs):
    """Runs one LSTM layer, with gradients of the inputs and of all weights."""
    layer, x = lib.nn.LSTM(128, 128).to(inputs.device), inputs.normal(64, 32, 128).requires_grad_()
    return Case(layer, lambda: layer(x)[0], inputs.normal(64, 32, 128))


def conv2d(lib, inputs):
    """Convolves by 3x3, with gradients of input, weight and bias."""
    function = partial(lib.nn.functional.conv2d, padding=1)
    image, upstream = inputs.normal(32, 64, 32, 32), inputs.normal(32, 64, 32, 32)
    return operation(lib, function, upstream, image, inputs.normal(64, 64, 3, 3), inputs.normal(64))


def softmax(lib, inputs):
    """Takes the softmax of rows of 1024."""
    function = partial(lib.nn.functional.softmax, dim=-1)
    return operation(lib, function, inputs.normal(4096, 1024), inputs.normal(4096, 1024))


def layer_norm(lib, inputs):
    """Normalises rows of 1024 as layers, with gradients of input, weight and bias."""

    def function(x, weight, bias):
        return lib.nn.functional.layer_norm(x, (1024,), weight, bias)

    leaves = inputs.normal(4096, 1024), inputs.normal(1024), inputs.normal(1024)
    return operation(lib, function, inputs.normal(4096, 1024), *leaves)


def attention(lib, inputs):
    """Attends causally, with gradients of queries, keys and values."""
    function = partial(lib.nn.functional.scaled_dot_product_attention, is_causal=True)
    upstream, *qkv = (inputs.normal(4, 8, 512, 64) for _ in range(4))
    return operation(lib, function, upstream, *qkv)


def max_pool2d(lib, inputs):
    """Max-pools by 2x2."""
    function = partial(lib.nn.functional.max_pool2d, kernel_size=2)
    return operation(lib, function, inputs.normal(64, 64, 28, 28), inputs.normal(64, 64, 56, 56))


def cross_entropy(lib, inputs):
    """Takes the cross-entropy over a large vocabulary."""
    function = partial(lib.nn.functional.cross_entropy, target=inputs.integers(32000, 4096))
    return operation(lib, function, inputs.normal(), inputs.normal(4096, 32000))


BASE = {"n_embd": 768, "n_layer": 12, "n_head": 12}  # GPT-2 124M and BERT-base


def _picture_models():
    """Yields AlexNet to ResNet-50: a batch that a CPU can hold, and on a GPU a larger one as well.

    Nothing is dropped, since both libraries must compute the same.
    """
    alexnet, vgg16 = (partial(images, model=model, dropout=0.0) for model in ("AlexNet", "vgg16"))
    resnet18, resnet50 = (partial(images, model=model) for model in ("resnet18", "resnet50"))
    named = [("alexnet", "AlexNet", alexnet), ("vgg16", "VGG-16", vgg16)]
    named += [("resnet18", "ResNet-18", resnet18), ("resnet50", "ResNet-50", resnet50)]
    for batch, device, suffix in ((4, "", ""), (64, "cuda", "-64")):
        for name, title, build in named:
            yield Workload(
                name + suffix, f"{title}, {batch} x 3 x 224 x 224", None, partial(build, batch=batch),
                items=batch, unit="images", device=device,
            )  # fmt: skip


def _recipes():
    """Yields the steps of training programs whose network has a twin, with the programs' sizes: "train NAME"."""
    for name, build in {
        "digits": partial(digits, model="LeNet", pixels=20, size=20),
        "lenet": partial(digits, model="LeNet5"),
        "resnet20": partial(digits, model="CIFARResNet", batch=32, depth=20, in_channels=1),
        "char_rnn": partial(char_lstm, length=128, embedding_dim=64),
        "gpt": partial(language, batch=8, length=128, vocabulary=96, n_embd=160, n_layer=4, n_head=5),
    }.items():
        yield Workload(f"train {name}", f"a step of `gpugrad train {name}`", None, build, level="full")


WORKLOADS = [
    Workload("add", "`y = x + x`, one element", 1.2, add, operations=1000, level="quick"),
    Workload("chain", "1000 chained adds, forward + backward, per add", 0.9, chain, operations=1000, level="quick"),
    Workload(
        "mlp-sgd", "MLP 784-512-256-10, batch 256, SGD step", 1.0, partial(mlp, optimizer="SGD", lr=1e-2),
        items=256, unit="images", level="quick",
    ),
    Workload("mlp-adam", "MLP 784-512-256-10, batch 256, Adam step", 0.7, partial(mlp, optimizer="Adam", lr=1e-4)),
    Workload(
        "lenet", "LeNet, 64 x 1 x 32 x 32, SGD momentum step", 0.75, lenet, items=64, unit="images", level="quick",
    ),
    Workload("conv2d", "conv 3x3 64 -> 64, 32 x 64 x 32 x 32, forward + backward", 1.1, conv2d),
    Workload("resnet20", "ResNet-20, 64 x 3 x 32 x 32, SGD momentum step", 1.7, resnet20, items=64, unit="images"),
    Workload(
        "gpt-mini", "GPT, batch 8, T 128, d 128, 4 layers, 4 heads, AdamW step", 1.1,
        partial(language, batch=8, length=128, n_embd=128, n_layer=4, n_head=4),
        items=8 * 128, unit="tokens", level="quick",
    ),
    Workload("softmax", "softmax (4096, 1024), forward + backward", 1.7, softmax),
    Workload("layer-norm", "layer norm (4096, 1024), forward + backward", 2.2, layer_norm),
    Workload("attention", "causal attention (4, 8, 512, 64), forward + backward", 0.8, attention),
    Workload("max-pool2d", "max-pool 2x2 (64, 64, 56, 56), forward + backward", 0.4, max_pool2d),
    Workload("cross-entropy", "cross-entropy (4096, 32000), forward + backward", 0.2, cross_entropy),
    *_picture_models(),
    *_recipes(),
    Workload(
        "gpt-write", "GPT, 256 tokens one by one with a cache, d 128, 4 layers, 4 heads", None,
        partial(generation, count=256, n_embd=128, n_layer=4, n_head=4), items=256, unit="tokens",
    ),
    Workload("lstm", "LSTM, T 64, batch 32, 128 -> 128, forward + backward", None, lstm),
    Workload("char-lstm", "char-LSTM, 32 x 64, d 256, Adam step", None, char_lstm, items=2048, unit="tokens"),
    Workload(
        "bert-mini", "BERT, batch 8, T 128, d 256, 4 layers, 4 heads, AdamW step", None,
        partial(language, batch=8, length=128, n_embd=256, n_layer=4, n_head=4, causal=False),
        items=8 * 128, unit="tokens",
    ),
    Workload(
        "gpt2", "GPT-2 124M, batch 4, T 1024, AdamW step", None,
        partial(language, batch=4, length=1024, vocabulary=50257, **BASE),
        items=4 * 1024, unit="tokens", device="cuda",
    ),
    Workload(
        "bert-base", "BERT-base, batch 16, T 128, AdamW step", None,
        partial(language, batch=16, length=128, vocabulary=30522, causal=False, **BASE),
        items=16 * 128, unit="tokens", device="cuda",
    ),
]  # fmt: skip
GEOMETRIC_MEAN_GOAL = 0.9
