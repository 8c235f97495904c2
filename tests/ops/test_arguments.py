"""Arguments by position and by word: NumPy's mean what they mean in NumPy, PyTorch's what they mean in PyTorch."""

import inspect

import numpy as np
import pytest
import torch

import gpugrad as gg
from gpugrad.errors import DTypeError

X = np.array([[3.0, 1.0, 2.0], [0.5, 2.5, 0.5]])
# What NumPy takes in a place where it takes no number or bool cannot be misread: gpugrad's own parameter may be there.
UNLIKE_ANY_OTHER = {"out", "order", "dtype", "overwrite_input"}
SAME = {
    "a": "x",
    "x1": "x",
    "x2": "y",
    "b": "y",
    "arr": "x",
    "ar2": "y",
    "a2": "y",
    "v": "v",
    "test_elements": "test",
    "a_min": "min",
    "a_max": "max",
}
OWN_PLACES = {"cross": "PyTorch's dim comes third", "einsum": "variadic", "full": "PyTorch's size"}


def positional(function):
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in inspect.signature(function).parameters.values() if p.kind in kinds]


def shared():
    for name in sorted(set(gg.__all__) & set(dir(np)) - set(OWN_PLACES)):
        function = getattr(np, name)
        if callable(function) and not inspect.isclass(function) and not isinstance(function, np.ufunc):
            try:
                yield name, positional(function), positional(getattr(gg, name))
            except ValueError:  # a built-in without a signature
                continue


def test_positions_are_numpy_s():
    misread = []
    for name, theirs, ours in shared():
        for their, our in list(zip(theirs, ours, strict=False))[1:]:
            if their in UNLIKE_ANY_OTHER and their != our:
                break
            if SAME.get(their, their).lower() != our:
                misread.append((name, their, our))
    assert misread == []


@pytest.mark.parametrize(
    "name, args",
    [
        ("sort", (X, 0, "stable")), ("argsort", (X, 0, "heapsort")), ("isin", (X, [0.5, 3.0], False, True)),
        ("logspace", (0.0, 2.0, 4, False)), ("linspace", (0.0, 1.0, 4, False)), ("nan_to_num", ([np.nan], True, 2.0)),
        ("average", (X, 1, [1.0, 2.0, 3.0])), ("diff", (X, 0, -1, 5.0)), ("histogram", (X, 3, None, False, X)),
    ],
)  # fmt: skip
def test_numpy_s_positional_arguments(name, args):
    got, want = getattr(gg, name)(*args), getattr(np, name)(*args)
    for a, b in zip(got, want, strict=True) if isinstance(want, tuple) else [(got, want)]:
        np.testing.assert_allclose(a.numpy(), b, rtol=1e-6)


def test_average_returns_the_weights():
    for weights in (None, [1.0, 2.0, 3.0]):
        got, want = gg.average(X, 1, weights, True), np.average(X, 1, weights, True)
        assert all(np.allclose(a.numpy(), b) for a, b in zip(got, want, strict=True))


def test_what_cannot_be_meant_is_refused():
    for call in (lambda: gg.sort(X, 0, "fast"), lambda: gg.nan_to_num(X, False), lambda: gg.softmax(X, alpha=1)):
        with pytest.raises(DTypeError):
            call()


def test_size_is_numpy_s_number_and_pytorch_s_method():
    x = gg.ones(2, 3)
    assert x.size == 6 and x.size + 1 == 7 and isinstance(x.size, int)
    assert x.size() == (2, 3) and x.size(0) == 2 and x.size(-1) == 3
    assert np.size(x) == 6


def test_forms_that_only_pytorch_has():
    ours, theirs = gg.tensor(X), torch.tensor(X)
    for call in (
        lambda lib, x: lib.max(x, 1, True).indices,
        lambda lib, x: lib.max(x, x * 0 + 2),
        lambda lib, x: lib.sort(x, 0, True).values,
        lambda lib, x: lib.cummax(x, 1).indices,
        lambda lib, x: lib.std(x, True),
        lambda lib, x: lib.transpose(x, 0, 1),
        lambda lib, x: lib.add(x, x, alpha=3),
        lambda lib, x: x.clone().sub_(x, alpha=3),
        lambda lib, x: lib.nan_to_num(x * lib.nan, 7.0),
        lambda lib, x: lib.softmax(x, 1, dtype=lib.float32),
        lambda lib, x: lib.logspace(0, 2, 3, 2.0),
        lambda lib, x: lib.norm(x, p=2),
        lambda lib, x: lib.cat([lib.zeros(0), lib.ones(2, 2)], 1),
    ):
        np.testing.assert_allclose(call(gg, ours).numpy(), call(torch, theirs).numpy(), rtol=1e-6)


def test_lists_of_tensors_keep_their_gradients():
    x = gg.tensor([1.0, 2.0], requires_grad=True)
    for call in (lambda: gg.sum([x, x]), lambda: gg.meshgrid([x, x])[0], lambda: gg.asarray([[x], [x]])):
        x.grad = None
        call().sum().backward()
        assert x.grad is not None and x.grad.sum().item() > 0


def test_pieces_that_overlap_add_up_their_gradients():
    x = gg.tensor(np.arange(5.0), requires_grad=True)
    sum(part.sum() for part in gg.split(x, [1, 3, 1])).backward()
    assert x.grad.tolist() == [1, 2, 2, 1, 1]


def test_max_unpool_writes_a_value_once():
    values, indices = gg.nn.functional.max_pool1d(gg.tensor([[[1.0, 5.0, 2.0]]]), 2, 1, return_indices=True)
    assert gg.nn.functional.max_unpool1d(values, indices, 2, 1).tolist() == [[[0, 5, 0]]]


def test_ctc_of_an_input_of_length_0():
    log_probs = gg.nn.functional.log_softmax(gg.randn(4, 2, 3, requires_grad=True), -1)
    loss = gg.nn.functional.ctc_loss(log_probs, gg.tensor([[1], [1]]), (0, 0), (0, 1), reduction="none")
    assert loss.tolist() == [0, float("inf")]
    loss[0].backward()


def test_negative_targets_of_kl_div_have_no_logarithm():
    with np.errstate(invalid="ignore"):
        assert np.isnan(gg.nn.functional.kl_div(gg.zeros(2), gg.tensor([-1.0, 1.0]), reduction="none").tolist()[0])
