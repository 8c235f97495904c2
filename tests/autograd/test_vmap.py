"""vmap: every op's samples against a loop, with gradients of it and inside of it; nests, axes, errors."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.autograd.batching import rules
from gpugrad.autograd.check.samples import Sampler
from gpugrad.autograd.op import OPS
from gpugrad.errors import DTypeError, GradientError, ShapeError

OURS = sorted(name for name, op in OPS.items() if op.__module__.startswith("gpugrad.") and op.samples)
# Ops whose results have a shape of their own for each example, and what is not computed from values alone.
NOT_MAPPED = {"argwhere", "flatnonzero", "nonzero", "put_view", "transfer", "unique"}
# Ops, and calls of others, that are called for each example.
LOOPED = set(
    """gamma_sample gamma_slope
    batch_norm bias_activation bincount channel_affine cross_entropy_rows ctc_losses embedding gru_layer histogram
    index_add isin lstm_layer nms resample rnn_layer roi_align roi_align_adjoint roi_pool searchsorted seeded_dropout
    segment_sum take digitize getitem setitem clear put_add pad take_along_axis linear_scan layer_norm add_layer_norm
    rms_norm add_rms_norm cross pad_adjoint""".split()
)


LOOPED |= {name for name in OURS if OPS[name].__module__.startswith("gpugrad.distributed.")}  # each example is sent


def second(value):
    """Another example like `value`: floats a little smaller, which leaves them in every op's domain."""
    return value * 0.96875 if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value


def batches(op):
    """The arguments of two examples and the keywords of each sample; a sequence of arguments is one flat list."""
    for case in op.samples(Sampler()):
        inputs, attributes = op.signature.bind(case.args, dict(case.kwargs))
        inputs = [np.asarray(v) if isinstance(v, (np.ndarray, np.generic, float, int)) else v for v in inputs]
        yield inputs, [second(v) for v in inputs], attributes


def outputs(made):
    return made if isinstance(made, tuple) else (made,)


def called(op, inputs, attributes):
    return outputs(op(list(inputs), **attributes) if op.many else op(*inputs, **attributes))


def weighted(made):
    """A number that depends on all floats of the results, those of two examples alike."""
    total = gg.tensor(0.0, dtype="float64")
    for out in made:
        if out.dtype.kind == "f" and out.requires_grad:
            weights = gg.cos(gg.arange(out._array.size // 2, dtype="float64")).reshape(out.shape[1:])
            total = total + (out * weights).sum()
    return total


def compare(op, mapped, inputs, others, attributes):
    """Compare a call under vmap, where `mapped` says which inputs differ, with one call for each example."""
    free = [i for i, v in enumerate(inputs) if v is not None and v.dtype.kind == "f" and i not in op.fixed]
    free = [i for i in free if op.input_name(i) in op.rules]
    given = [None if v is None else gg.tensor(np.stack([v, o]) if m else v)
             for v, o, m in zip(inputs, others, mapped, strict=True)]  # fmt: skip
    for i in free:
        given[i].requires_grad_()
    axes = tuple(0 if m and v is not None else None for v, m in zip(given, mapped, strict=True))
    made = gg.vmap(lambda *args: called(op, args, attributes), axes)(*given)
    examples = [[v if a is None else v[i] for v, a in zip(given, axes, strict=True)] for i in (0, 1)]
    single = [called(op, example, attributes) for example in examples]
    for ours, *theirs in zip(made, *single, strict=True):
        expected = gg.stack(theirs)
        assert ours.shape == expected.shape and ours.dtype == expected.dtype
        np.testing.assert_allclose(ours.detach().numpy(), expected.detach().numpy(), rtol=1e-9, atol=1e-9)
    total = weighted(made)
    if not total.requires_grad:
        return
    wanted = [given[i] for i in free]
    of_vmap = gg.grad(total, wanted, allow_unused=True, retain_graph=True)
    of_loop = gg.grad(weighted([gg.stack(o) for o in zip(*single, strict=True)]), wanted, allow_unused=True)

    def within(*args):
        leaves = [a.detach().requires_grad_() if i in free else a for i, a in enumerate(args)]
        out = [o[None] for o in called(op, [a for a in leaves], attributes)]
        parts = [o for o in out if o.requires_grad]
        weights = [gg.cos(gg.arange(o._array.size, dtype="float64")).reshape(o.shape) for o in parts]
        found = gg.grad(parts, [leaves[i] for i in free], weights, allow_unused=True)
        return [leaves[i] * 0 if g is None else g for i, g in zip(free, found, strict=True)]

    inside = gg.vmap(within, axes)(*[None if g is None else g.detach() for g in given])
    for i, ours, theirs, example in zip(free, of_vmap, of_loop, inside, strict=True):
        if theirs is not None:
            np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6, atol=1e-7)
            example = example if mapped[i] else example.sum(axis=0)
            np.testing.assert_allclose(example.numpy(), theirs.numpy(), rtol=1e-6, atol=1e-7)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", [name for name in OURS if name not in NOT_MAPPED])
def test_samples_against_a_loop(name, monkeypatch):
    op, looped = OPS[name], []
    loop = rules._loop
    monkeypatch.setattr(rules, "_loop", lambda op, *call: (looped.append(op.name), loop(op, *call))[1])
    calls = [call for call in batches(op) if not call[2].get("dropout_p")]  # which draws anew for each example
    for number, (inputs, others, attributes) in enumerate(calls[:: max(1, len(calls) // 4)]):
        whole = [v is not None for v in inputs]
        first, rest = [w and i == 0 for i, w in enumerate(whole)], [w and i > 0 for i, w in enumerate(whole)]
        compare(op, (whole, first, rest)[number % 3] if sum(whole) > 1 else whole, inputs, others, attributes)
    assert set(looped) <= LOOPED, "a rule that follows from the declaration was not used"


A = gg.tensor(np.arange(6.0).reshape(3, 2))


def test_axes_nests_and_chunks():
    def f(pair, table, scale):
        return {"sum": pair[0].sum() + table["b"], "scaled": (pair[1] * scale, "name")}

    got = gg.vmap(f, ((1, None), {"b": 0}, None), {"sum": 1, "scaled": None})((A, A[0]), {"b": A[:2]}, 3.0)
    assert got["sum"].tolist() == [[6, 11], [7, 12]]  # along axis 1: columns' sums 6 and 9 beside [0, 1] and [2, 3]
    assert got["scaled"][0].tolist() == [0, 3] and got["scaled"][1] == "name"
    for size in (1, 2, 3, 7):
        assert gg.vmap(lambda x: (x * 2, x.sum()), chunk_size=size)(A)[1].tolist() == [1, 5, 9]
    assert gg.vmap(lambda x, *, y: x * y)(A, y=A[0]).tolist() == (A * A[0]).tolist()
    assert gg.vmap(lambda x: A[0])(np.ones(2)).tolist() == [[0, 1], [0, 1]]


def test_vmaps_nest():
    table = gg.vmap(gg.vmap(lambda x, y: x * y, (None, 0)), (0, None))(A[:, 0], A[0])
    assert table.tolist() == np.outer(A[:, 0].numpy(), A[0].numpy()).tolist()
    inner = gg.vmap(lambda row: gg.vmap(lambda x: x * row.sum() + A[0, 1])(row))(A)  # closes over both levels' tensors
    assert inner.tolist() == (A * A.sum(axis=1, keepdims=True) + 1).tolist()


def test_gradients_of_and_inside():
    w = gg.tensor([2.0, 3.0], dtype="float64", requires_grad=True)

    def loss(w, x):
        return (gg.tanh(w * x) ** 2).sum()

    each = gg.vmap(gg.grad(loss), (None, 0))(w, A)  # the gradients of all examples
    for i in range(3):
        np.testing.assert_allclose(each[i].detach().numpy(), gg.grad(loss)(w.detach(), A[i]).numpy(), rtol=1e-12)
    closed = gg.vmap(lambda x: gg.grad(lambda v: loss(v, x))(w))(A)  # of a tensor from outside
    np.testing.assert_allclose(closed.detach().numpy(), each.detach().numpy(), rtol=1e-12)
    gg.vmap(lambda x: loss(w, x))(A).sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), each.sum(axis=0).detach().numpy(), rtol=1e-12)
    assert gg.autograd.gradcheck(lambda w: gg.vmap(gg.grad(loss), (None, 0))(w, A), [w])  # gradients of gradients
    hessians = gg.vmap(gg.hessian(lambda x: loss(w.detach(), x)))(A)
    np.testing.assert_allclose(hessians[1].numpy(), gg.hessian(lambda x: loss(w.detach(), x))(A[1]).numpy(), rtol=1e-9)
    rows = gg.vmap(lambda x: gg.jvp(lambda y: y**2, (x,), (gg.ones(2, dtype="float64"),))[1])(A)
    assert rows.tolist() == (2 * A).tolist()


def test_modules_and_changes_in_place():
    net = gg.nn.Sequential(gg.nn.Linear(2, 4), gg.nn.LayerNorm(4), gg.nn.GELU(), gg.nn.Linear(4, 1))
    x = gg.randn(5, 2)
    np.testing.assert_allclose(gg.vmap(net)(x).detach().numpy(), net(x).detach().numpy(), atol=1e-6)

    def f(x):
        y = gg.zeros(2, dtype="float64") + x
        y[0] = 5.0
        y += x
        y[1:] *= x[0]
        return y

    assert gg.vmap(f)(A).tolist() == [f(row).tolist() for row in A]
    indices = gg.tensor([1, 0, 1])
    assert gg.vmap(lambda x, i: x[i])(A, indices).tolist() == [1, 2, 5]
    assert gg.vmap(lambda i: A[i])(indices).tolist() == A[indices].tolist()


def test_what_cannot_be_mapped():
    for call, error, words in [
        (lambda: gg.vmap(3), DTypeError, "expected a function"),
        (lambda: gg.vmap(lambda x: x, (0, 0))(A), ShapeError, "2 entries for 1 positional"),
        (lambda: gg.vmap(lambda x, y: x)(A, A[0]), ShapeError, "one length, got 3, 2"),
        (lambda: gg.vmap(lambda x: x, 2)(A), ShapeError, "axis 2 is outside"),
        (lambda: gg.vmap(lambda x: x if x.sum() > 0 else -x)(A), GradientError, "the value of a tensor inside of vmap"),
        (lambda: gg.vmap(lambda x: x.numpy())(A), GradientError, "the value of a tensor inside"),
    ]:
        with pytest.raises(error, match=words):
            call()
