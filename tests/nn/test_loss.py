"""Distances, margin losses and connectionist temporal classification against PyTorch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_reference import compare, torch

import gpugrad as gg
import gpugrad.nn.functional as F
from gpugrad.errors import DTypeError, ShapeError

TF = torch.nn.functional
RNG = np.random.default_rng(4)
REDUCTIONS = ["mean", "sum", "none"]


def normal(*shape):
    return RNG.standard_normal(shape)


def signs(*shape):
    return np.where(RNG.random(shape) < 0.5, -1, 1)


@pytest.mark.parametrize(
    ("a", "b", "dim"), [((3, 4), (3, 4), 1), ((5,), (5,), 0), ((2, 3, 4), (3, 1), -2), ((2, 3), (3,), 1)]
)
def test_cosine_similarity(a, b, dim):
    compare(F.cosine_similarity, TF.cosine_similarity, [normal(*a), normal(*b)], dict(dim=dim))
    compare(F.cosine_similarity, TF.cosine_similarity, [normal(*a), normal(*b) * 1e-3], dict(dim=dim, eps=1.0))


@pytest.mark.parametrize("p", [1, 2.0, 3, 0.5, float("inf")])
def test_distances(p):
    x, y = normal(4, 5), normal(4, 5)
    compare(F.pairwise_distance, TF.pairwise_distance, [x, y], dict(p=p, eps=1e-3))
    compare(F.pairwise_distance, TF.pairwise_distance, [x, y[0]], dict(p=p, keepdim=True))
    compare(F.pdist, TF.pdist, [x], dict(p=p))
    assert F.pdist(gg.ones(1, 3), p).shape == (0,)


def test_pdist_of_equal_rows_has_a_gradient():
    x = np.array([[1.0, 2.0], [1.0, 2.0], [0.0, 1.0]])
    compare(F.pdist, TF.pdist, [x])
    with pytest.raises(ShapeError, match=r"expected input \(N, D\)"):
        F.pdist(gg.ones(3))


def margin_losses():
    x, y, z = normal(5, 4), normal(5, 4), normal(5, 4)
    yield "hinge_embedding_loss", [x, signs(5, 4)], {"margin": 0.7}
    yield "margin_ranking_loss", [x, y, signs(5, 4)], {"margin": 0.3}
    yield "cosine_embedding_loss", [x, y, signs(5)], {"margin": 0.1}
    yield "cosine_embedding_loss", [x[0], y[0], np.array(-1)], {}
    yield "soft_margin_loss", [x * 50, signs(5, 4)], {}
    yield "multilabel_soft_margin_loss", [x, (y > 0).astype(np.int64)], {}
    yield "multilabel_soft_margin_loss", [x * 30, (y > 0).astype(np.int64)], {"weight": np.arange(1.0, 5)}
    yield "multi_margin_loss", [x, RNG.integers(0, 4, 5)], {}
    yield "multi_margin_loss", [x, RNG.integers(0, 4, 5)], {"p": 2, "margin": 0.4}
    yield "multi_margin_loss", [x[0], np.array([2])], {}
    yield "multilabel_margin_loss", [x, np.array([[0, 2, -1, 1]] * 3 + [[-1, 0, 1, 2], [3, 1, 0, 2]])], {}
    yield "multilabel_margin_loss", [x[0], np.array([2, 1, -1, 0])], {}
    yield "triplet_margin_loss", [x, y, z], {}
    yield "triplet_margin_loss", [x, y, z], {"p": 1, "margin": 2.0, "swap": True, "eps": 1e-2}
    yield "triplet_margin_loss", [x[0], y[0], z[0]], {"swap": True}
    yield "triplet_margin_with_distance_loss", [x, y, z], {"margin": 0.5, "swap": True}


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(
    ("name", "args", "options"), [pytest.param(*c, id=f"{i}-{c[0]}") for i, c in enumerate(margin_losses())]
)
def test_margin_losses(name, args, options, reduction):
    weight = options.get("weight")
    theirs = {**options, "weight": torch.tensor(weight)} if weight is not None else options
    ours, options = getattr(F, name), {k: v for k, v in options.items() if k != "weight"}
    compare(
        lambda *a, **k: ours(*a, **k, **({} if weight is None else {"weight": gg.tensor(weight)})),
        lambda *a, **k: getattr(TF, name)(*a, **theirs, **{r: v for r, v in k.items() if r not in theirs}),
        args, {**options, "reduction": reduction},
    )  # fmt: skip


def test_multi_margin_loss_with_weights():
    weight = np.array([0.5, 2, 1, 3])
    compare(
        lambda x, t: F.multi_margin_loss(x, t, weight=gg.tensor(weight)),
        lambda x, t: TF.multi_margin_loss(x, t, weight=torch.tensor(weight)), [normal(5, 4), RNG.integers(0, 4, 5)],
    )  # fmt: skip


def test_triplet_loss_of_another_distance():
    for lib, call in ((gg, F), (torch, TF)):
        x, y, z = (lib.tensor(np.arange(6.0).reshape(2, 3) ** k / 9) for k in (1, 2, 3))
        loss = call.triplet_margin_with_distance_loss(x, y, z, distance_function=lambda a, b: abs(a - b).sum(-1))
        assert float(loss) == pytest.approx(5 / 18)  # the mean of 2/9 - 6/9 + 1 and max(0, 38/9 - 204/9 + 1)


@pytest.mark.parametrize("var", [(3, 4), (3, 1), (3,), (1, 4)])
def test_gaussian_losses(var):
    compare(F.gaussian_nll_loss, TF.gaussian_nll_loss, [normal(3, 4), normal(3, 4), abs(normal(*var))])


def test_gaussian_losses_of_a_number_and_of_wrong_variances():
    ours, theirs = ((lambda x, y, f=f: f(x, y, 0.3)) for f in (F.gaussian_nll_loss, TF.gaussian_nll_loss))
    compare(ours, theirs, [normal(3), normal(3)])
    for var, words in ((gg.ones(4), "one axis of 1"), (gg.ones(1, 1), "one axis of 1"), (-gg.ones(3, 2), "negative")):
        with pytest.raises(ShapeError, match=words):
            F.gaussian_nll_loss(gg.ones(3, 2), gg.ones(3, 2), var)


@pytest.mark.parametrize(
    ("name", "shapes", "words"),
    [
        ("margin_ranking_loss", [(3,), (3, 1), (3,)], "same number of axes"),
        ("cosine_embedding_loss", [(3, 2), (3, 2), (3, 2)], "expected inputs"),
        ("soft_margin_loss", [(3,), (4,)], "input's shape"),
        ("multi_margin_loss", [(3, 4), (2,)], "target must be"),
        ("multilabel_margin_loss", [(3, 4), (3,)], "a target like it"),
        ("triplet_margin_loss", [(3, 4), (3, 4), (4,)], "same number of axes"),
    ],
)
def test_margin_losses_refuse(name, shapes, words):
    with pytest.raises(ShapeError, match=words):
        getattr(F, name)(*(gg.ones(*s) for s in shapes))
    with pytest.raises(ShapeError, match="reduction must be"):
        F.hinge_embedding_loss(gg.ones(2), gg.ones(2), reduction="max")
    with pytest.raises(ShapeError, match="p must be 1 or 2"):
        F.multi_margin_loss(gg.ones(2, 2), gg.zeros(2, dtype=gg.int64), p=3)


# Connectionist temporal classification


def through_softmax(lib, function):
    """The loss of logits: PyTorch's gradient is right only there."""
    return lambda x, *rest, **options: function(lib.log_softmax(x, -1), *rest, **options)


OURS, THEIRS = through_softmax(F, F.ctc_loss), through_softmax(TF, TF.ctc_loss)


@given(
    t=st.integers(1, 9), n=st.integers(1, 3), s=st.integers(0, 4), c=st.integers(2, 4), data=st.data(),
    reduction=st.sampled_from(REDUCTIONS), dtype=st.sampled_from(["float64", "float32"]),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_ctc(t, n, s, c, data, reduction, dtype):
    blank = data.draw(st.integers(0, c - 1))
    others = [k for k in range(c) if k != blank]
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    targets, lengths = rng.choice(others, (n, s)), rng.integers(0, s + 1, n)
    inputs = rng.integers(1, t + 1, n)
    args = [rng.standard_normal((t, n, c)) * 3, targets, inputs, lengths]
    options = dict(blank=blank, reduction=reduction, zero_infinity=True)
    compare(OURS, THEIRS, args, options, dtype, rtol=1e-3 if dtype == "float32" else 1e-8)
    apart = np.concatenate([row[:k] for row, k in zip(targets, lengths, strict=True)])
    compare(OURS, THEIRS, [args[0], apart, *args[2:]], options, dtype, rtol=1e-3 if dtype == "float32" else 1e-8)


def test_ctc_by_hand_and_without_a_batch():
    # two steps of (blank, a): "a" is spelled by aa, a-, -a
    p = np.array([[0.4, 0.6], [0.7, 0.3]])
    loss = F.ctc_loss(gg.tensor(np.log(p)), gg.tensor([1]), gg.tensor(2), gg.tensor(1), reduction="none")
    assert loss.shape == ()
    assert float(loss) == pytest.approx(-np.log(0.6 * 0.3 + 0.6 * 0.7 + 0.4 * 0.3))
    x = normal(6, 3)
    compare(OURS, THEIRS, [x, np.array([1, 1]), np.array(6), np.array(2)])
    compare(OURS, lambda x, t, *k: THEIRS(x, t, *map(torch.tensor, k)), [x, np.array([1, 2]), (6,), (2,)])


def test_ctc_of_a_target_that_does_not_fit():
    x = gg.tensor(normal(3, 1, 3), requires_grad=True)
    loss = F.ctc_loss(F.log_softmax(x, -1), gg.tensor([[1, 1, 2]]), [3], [3], reduction="none")
    assert loss.tolist() == [float("inf")]
    loss.sum().backward()
    assert not x.grad.numpy().any()
    assert F.ctc_loss(F.log_softmax(x, -1), gg.tensor([[1, 1, 2]]), [3], [3], zero_infinity=True).item() == 0


def test_ctc_of_certain_labels():
    """Probabilities of exactly 0 and 1 make no NaN."""
    p = np.eye(3)[[1, 0, 2, 2]][:, None]
    with np.errstate(divide="ignore"):
        x = gg.tensor(np.log(p), requires_grad=True)
    loss = F.ctc_loss(x, gg.tensor([[1, 2]]), [4], [2])
    loss.backward()
    assert loss.item() == 0
    np.testing.assert_array_equal(x.grad.numpy()[:, 0], -np.eye(3)[[1, 0, 2, 2]] / 2)


def test_ctc_twice_differentiable(device):
    x = gg.tensor(normal(3, 2, 3), device=device, requires_grad=True)
    labels = gg.tensor(np.array([[1, 2], [2, 0]]), device=device)

    def loss(x):
        return F.ctc_loss(F.log_softmax(x, -1), labels, [3, 2], [2, 1])

    assert gg.autograd.gradcheck(loss, x, fast_mode=True)
    assert gg.autograd.gradgradcheck(loss, x, fast_mode=True)


@pytest.mark.parametrize(
    ("shape", "targets", "inputs", "lengths", "error", "words"),
    [
        ((3,), [[1]], [3], [1], ShapeError, "expected log_probs"),
        ((3, 2, 3), [[1], [2]], [3], [1, 1], ShapeError, "input_lengths must have one number"),
        ((3, 1, 3), [[1]], [3.0], [1], DTypeError, "must be integers"),
        ((3, 1, 3), [[1]], [4], [1], IndexError, "from 0 to 3"),
        ((3, 1, 3), [[1]], [3], [2], IndexError, "from 0 to 1"),
        ((3, 1, 3), [[3]], [3], [1], IndexError, "among 3 classes"),
        ((3, 2, 3), [1, 2, 1], [3, 3], [1, 1], ShapeError, "add up to 2"),
        ((3, 2, 3), [[1]], [3, 3], [1, 1], ShapeError, "expected integer targets"),
    ],
)
def test_ctc_refuses(shape, targets, inputs, lengths, error, words):
    with pytest.raises(error, match=words):
        F.ctc_loss(gg.zeros(*shape), gg.tensor(targets), inputs, lengths)
    with pytest.raises(ShapeError, match="blank must be one of"):
        F.ctc_loss(gg.zeros(3, 1, 2), gg.tensor([[1]]), [3], [1], blank=2)
