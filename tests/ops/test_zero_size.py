"""0-d and empty arrays: what PyTorch takes has its values, gradients and second derivatives here."""

import warnings
from contextlib import suppress

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.autograd.check.checks import check_op
from gpugrad.autograd.op import op, xp
from gpugrad.errors import GpugradError

torch = pytest.importorskip("torch")
F, T = nn.functional, torch.nn.functional


def z(*shape):
    return np.random.default_rng(1).standard_normal(shape)


def i(*shape):
    return np.zeros(shape, np.int64)


def both(name, *args, ours=None, theirs=None, **kwargs):
    """A call under one name in both libraries; keywords may be those of PyTorch."""
    args = tuple(np.asarray(a) if isinstance(a, np.generic) else a for a in args)
    return pytest.param(ours or name, theirs or name, args, kwargs, id=f"{name}-{_shown(args)}-{_shown(kwargs)}")


def _shown(values):
    items = values.items() if isinstance(values, dict) else enumerate(values)
    return ",".join(str(v.shape).replace(" ", "") if isinstance(v, np.ndarray) else f"{k}={v}" for k, v in items)


POSITIVE = np.array(0.3)
SCALARS = [
    both("argsort", z(), dim=0), both("argsort", z()), both("sort", z(), dim=0),
    both("sort", z(), dim=-1, descending=True),
    both("topk", z(), 1), both("cumsum", z(), dim=0), both("cumprod", z(), dim=0), both("logcumsumexp", z(), dim=0),
    both("max", z(), dim=0), both("min", z(), dim=-1, keepdim=True), both("median", z(), dim=0),
    both("median", np.array(np.nan), dim=0),
    both("index_select", z(), 0, i(1)), both("gather", z(), 0, i()), both("flip", z(), (0,), theirs="flip"),
    both("softmax", z(), dim=0), both("log_softmax", z(), dim=-1), both("logsumexp", z(), 0), both("sum", z(), 0),
    both("mean", z(), -1),
    both("prod", z(), 0), both("amax", z(), 0), both("amin", z(), 0), both("var", z(), dim=0, unbiased=False),
    both("argmax", z(), 0),
    both("std", z(), dim=0, unbiased=False), both("all", z() > 0, 0), both("any", z() > 0, 0),
    both("count_nonzero", z(), 0), both("squeeze", z(), 0),
    both("unsqueeze", z(), 0), both("diff", z()), both("unbind", z()), both("chunk", z(), 2),
    both("split", z(), 1, dim=0), both("trapezoid", z()),
    both("linalg.vector_norm", z(), ord=2, dim=-1), both("linalg.vector_norm", z(), ord=1, dim=0),
    both("linalg.norm", z()),
    both("nn.functional.softmin", z(), 0), both("nn.functional.normalize", z(), 2.0, 0),
    both("nn.functional.prelu", -abs(z()), np.array([0.3])), both("nn.functional.prelu", -abs(z()), np.array(0.3)),
    both("nn.functional.glu", z()), both("nn.functional.kl_div", z(), POSITIVE, reduction="batchmean"),
    both("nn.functional.kl_div", z(), POSITIVE),
    both("nn.functional.multi_margin_loss", z(), i()),
    both("nn.functional.multi_margin_loss", z(), i(), reduction="none"),
    both("nn.functional.multilabel_margin_loss", z(), i()), both("nn.functional.mse_loss", z(), z()),
    both("nn.functional.l1_loss", z(), z() + 1),
    both("nn.functional.huber_loss", z(), z() + 1), both("nn.functional.smooth_l1_loss", z(), z() + 1),
    both("nn.functional.binary_cross_entropy", POSITIVE, POSITIVE),
    both("nn.functional.binary_cross_entropy_with_logits", z(), POSITIVE),
    both("nn.functional.soft_margin_loss", z(), i() + 1),
    both("nn.functional.hinge_embedding_loss", z(), np.array(-1.0)),
    both("nn.functional.margin_ranking_loss", z(), z() + 1, np.array(1.0)),
    both("nn.functional.poisson_nll_loss", z(), POSITIVE),
    both("nn.functional.gaussian_nll_loss", z(), z() + 1, POSITIVE), both("nn.functional.cross_entropy", z(), i()),
    both("nn.functional.nll_loss", z(), i()), both("nn.functional.multilabel_soft_margin_loss", z(), POSITIVE),
    both("nn.functional.cosine_similarity", z(), z(), dim=0), both("nn.functional.pairwise_distance", z(), z() + 1),
    both("nn.functional.gumbel_softmax", z(), hard=True, dim=0), both("nn.functional.one_hot", i(), 3),
    both("nn.functional.dropout", z(), 0.0), both("nn.functional.embedding", i(), z(3, 2)),
    both("outer", z(1), z(1)), both("where", z() > 0, z(), z()), both("clamp", z(), 0.0, 1.0, ours="clip"),
    both("lerp", z(), z() + 1, POSITIVE),
    both("repeat_interleave", z(), 2, theirs="repeat_interleave", ours="repeat"), both("flatten", z()),
    both("ravel", z()), both("roll", z(), 1, 0), both("roll", z(), 1), both("tile", z(), (2,)),
    both("quantile", z(), 0.5), both("quantile", z(), 0.5, 0),
    both("cummax", z(), axis=0, theirs=lambda x, axis: torch.cummax(x, axis)[0]),
    both("take_along_axis", z(), i(), 0, theirs=lambda x, n, d: torch.take_along_dim(x, n, d)),
    both("atleast_2d", z()), both("tril", z()), both("diag", z()), both("trace", z()), both("matmul", z(), z()),
    both("dot", z(), z()), both("kron", z(), z()), both("unique", i()),
    both("nonzero", z(), theirs="argwhere", ours="argwhere"), both("searchsorted", np.array([0.0, 1.0]), z()),
    both("bincount", i()),
    both("scatter_add", z(), 0, i(), z(), ours=lambda x, d, n, s: gg.scatter_add(x, n, s, axis=d)),
    both("masked_fill", z(), z() < 9, 2.0, theirs=lambda x, m, v: x.masked_fill(m, v)), both("nan_to_num", z()),
]  # fmt: skip
E = z(0, 3)
EMPTY = [
    both("nn.functional.glu", z(0, 4)), both("nn.functional.glu", z(3, 0)),
    both("nn.functional.local_response_norm", z(0, 3, 4), 2),
    both("nn.functional.local_response_norm", z(2, 0, 4), 2),
    both("nn.functional.local_response_norm", z(2, 3, 0), 2),
    both("nn.functional.batch_norm", z(0, 3), None, None, z(3), z(3), training=True),
    both("nn.functional.batch_norm", z(0, 3, 2), None, None, training=True),
    both("nn.functional.batch_norm", z(2, 3, 0), None, None, z(3), training=True),
    both("nn.functional.batch_norm", z(0, 3), z(3), abs(z(3)), z(3), z(3)),
    both("nn.functional.layer_norm", z(0, 3), (3,), z(3), z(3)),
    both("nn.functional.layer_norm", z(3, 0), (0,), z(0), z(0)), both("nn.functional.rms_norm", z(0, 3), (3,), z(3)),
    both("nn.functional.group_norm", z(0, 4), 2, z(4), z(4)), both("nn.functional.instance_norm", z(0, 3, 4)),
    both("nn.functional.instance_norm", z(2, 3, 0)),

    *(both(f"nn.functional.{kind}{d}d", z(0, 3, *(4,) * d), 2) for d in (1, 2, 3)
      for kind in ("adaptive_max_pool", "adaptive_avg_pool", "max_pool", "avg_pool")),

    *(both(f"nn.functional.{kind}{d}d", z(0, 3, *(5,) * d), 3) for d in (1, 2, 3)
      for kind in ("adaptive_max_pool", "adaptive_avg_pool")),
    *(both(f"nn.functional.adaptive_max_pool{d}d", z(0, 3, *(4,) * d), 1) for d in (1, 2, 3)),
    both("nn.functional.adaptive_avg_pool2d", z(2, 3, 4, 4), 0), both("nn.functional.lp_pool2d", z(0, 3, 4, 4), 2, 2),
    both("nn.functional.max_pool2d", z(2, 0, 4, 4), 2), both("nn.functional.avg_pool2d", z(2, 0, 4, 4), 2),
    both("nn.functional.conv2d", z(0, 3, 4, 4), z(2, 3, 3, 3), z(2)),
    both("nn.functional.conv_transpose2d", z(0, 3, 4, 4), z(3, 2, 3, 3), z(2)),
    both("nn.functional.conv2d", z(2, 3, 4, 4), z(0, 3, 3, 3)), both("nn.functional.unfold", z(0, 3, 4, 4), 2),
    both("nn.functional.fold", z(0, 12, 9), (4, 4), 2),
    both("linalg.matrix_rank", z(0, 3, 3)), both("linalg.matrix_rank", z(2, 0, 3)),
    both("linalg.matrix_rank", z(0, 0)), both("linalg.matrix_norm", z(0, 3, 3)),
    both("linalg.matrix_norm", z(0, 3, 3), ord="nuc"), both("linalg.matrix_norm", z(0, 3, 3), ord=2),
    both("linalg.matrix_norm", z(2, 0, 3), ord="nuc"), both("linalg.vector_norm", z(0, 3), ord=2, dim=1),
    both("linalg.vector_norm", z(0, 3), ord=float("inf"), dim=1), both("linalg.vector_norm", z(3, 0), ord=2, dim=1),
    both("linalg.norm", z(0, 3)),
    both("linalg.det", z(0, 3, 3)), both("linalg.det", z(2, 0, 0)), both("linalg.inv", z(0, 3, 3)),
    both("linalg.inv", z(2, 0, 0)), both("linalg.solve", z(0, 3, 3), z(0, 3, 2)), both("linalg.svdvals", z(0, 3, 2)),
    both("linalg.svdvals", z(2, 0, 2)), both("linalg.eigvalsh", z(0, 3, 3)), both("linalg.cholesky", z(0, 3, 3)),
    both("linalg.pinv", z(0, 3, 2)), both("linalg.slogdet", z(0, 3, 3)), both("linalg.matrix_power", z(0, 3, 3), 2),
    both("linalg.cross", z(0, 3), z(0, 3)), both("linalg.multi_dot", (z(0, 3), z(3, 2), z(2, 4))),
    both("argsort", E, dim=1), both("argsort", E, dim=0), both("sort", E, dim=0), both("sort", z(3, 0), dim=1),
    both("topk", E, 2), both("topk", z(3, 0), 0), both("cumsum", E, dim=0), both("cumprod", E, dim=0),
    both("logcumsumexp", E, dim=0), both("cumsum", z(3, 0), dim=1), both("diff", E), both("diff", z(3, 0)),
    both("max", E, dim=1), both("max", E, dim=0), both("median", E, dim=1), both("amax", E, 1), both("argmax", E, 1),
    both("argmax", E, 0), both("sum", E), both("sum", E, 0), both("mean", E, 1), both("mean", E), both("prod", E),
    both("prod", z(3, 0), 1), both("var", E, dim=1), both("var", E, dim=0), both("std", E, dim=1),
    both("logsumexp", E, 1), both("logsumexp", E, 0), both("quantile", E, 0.5, 1), both("quantile", E, 0.5, 0),
    both("softmax", E, dim=1), both("softmax", E, dim=0), both("log_softmax", E, dim=0), both("all", E > 0),
    both("any", E > 0, 1),
    both("index_select", z(3, 2), 0, i(0)), both("gather", E, 1, i(0, 2)), both("gather", z(3, 2), 1, i(3, 0)),
    both("take_along_axis", E, i(0, 2), 1, theirs=lambda x, n, d: torch.take_along_dim(x, n, d)),
    both("matmul", z(2, 0), z(0, 3)), both("matmul", z(0, 2), z(2, 3)), both("matmul", z(0, 2, 3), z(3, 2)),
    both("matmul", z(0), z(0)), both("einsum", "ij,jk->ik", z(2, 0), z(0, 3)), both("outer", z(0), z(3)),
    both("kron", z(0, 2), z(2, 2)), both("tensordot", z(2, 0), z(0, 3), 1), both("trapezoid", z(0, 3)),
    both("trapezoid", z(3, 0)), both("flip", E, (0,)), both("roll", E, 1, 0), both("roll", z(3, 0), 1),
    both("tril", E), both("diag", z(0)), both("trace", E), both("diagonal", E), both("stack", (E, E)),
    both("cat", (E, z(2, 3))), both("chunk", E, 2, 1), both("chunk", z(0), 2), both("split", E, 2, dim=1),
    both("unbind", E, 1), both("unique", i(0)), both("bincount", i(0)), both("searchsorted", z(0), z(2)),
    both("searchsorted", z(2), z(0)), both("tile", E, (2, 1)), both("where", E > 0, E, E),
    both("cummax", E, axis=0, theirs=lambda x, axis: torch.cummax(x, axis)[0]),
    both("nn.functional.cross_entropy", z(0, 3), i(0)),
    both("nn.functional.cross_entropy", z(0, 3), i(0), reduction="none"),
    both("nn.functional.cross_entropy", z(0, 3), i(0), reduction="sum"),
    both("nn.functional.cross_entropy", z(0, 3, 2), i(0, 2), reduction="sum"),
    both("nn.functional.cross_entropy", z(0, 3), z(0, 3), reduction="sum"),
    both("nn.functional.nll_loss", z(0, 3), i(0), reduction="sum"), both("nn.functional.nll_loss", z(0, 3), i(0)),
    both("nn.functional.nll_loss", z(2, 3), i(2), ignore_index=0),
    both("nn.functional.cross_entropy", z(2, 3), i(2), ignore_index=0), both("nn.functional.mse_loss", E, E),
    both("nn.functional.mse_loss", E, E, reduction="sum"),
    both("nn.functional.kl_div", E, abs(E), reduction="batchmean"),
    both("nn.functional.kl_div", E, abs(E), reduction="sum"), both("nn.functional.huber_loss", E, E, reduction="sum"),
    both("nn.functional.smooth_l1_loss", E, E, reduction="sum"), both("nn.functional.smooth_l1_loss", E, E),
    both("nn.functional.binary_cross_entropy", E, E),
    both("nn.functional.binary_cross_entropy", E, E, reduction="sum"),
    both("nn.functional.multi_margin_loss", E, i(0), reduction="sum"),
    both("nn.functional.multilabel_margin_loss", E, i(0, 3), reduction="sum"),
    both("nn.functional.multilabel_soft_margin_loss", E, E, reduction="sum"),
    both("nn.functional.cosine_similarity", E, E), both("nn.functional.pairwise_distance", E, E),
    both("nn.functional.pdist", z(1, 3)), both("nn.functional.triplet_margin_loss", E, E, E, reduction="sum"),
    both("nn.functional.cosine_embedding_loss", E, E, z(0), reduction="sum"),
    both("nn.functional.gaussian_nll_loss", E, E, abs(E), reduction="sum"),
    both("nn.functional.linear", z(0, 3), z(2, 3), z(2)), both("nn.functional.linear", z(2, 0), z(3, 0), z(3)),
    both("nn.functional.linear", z(2, 3), z(0, 3), z(0)),
    both("nn.functional.bilinear", z(0, 2), z(0, 3), z(4, 2, 3)), both("nn.functional.embedding", i(0), z(3, 2)),
    both("nn.functional.embedding", i(0, 2), z(3, 2)), both("nn.functional.embedding_bag", i(0, 2), z(3, 2)),
    both("nn.functional.one_hot", i(0), 3), both("nn.functional.interpolate", z(0, 3, 4, 4), scale_factor=2),
    both("nn.functional.interpolate", z(0, 3, 4, 4), size=(3, 3), mode="bilinear"),
    both("nn.functional.pad", z(0, 3), (1, 1)), both("nn.functional.pad", z(0, 3, 4), (1, 1), mode="reflect"),
    both("nn.functional.pad", z(0, 3, 4), (1, 1), mode="replicate"),
    both("nn.functional.pad", z(0, 3, 4), (1, 1), mode="circular"),
    both("nn.functional.pixel_shuffle", z(0, 4, 2, 2), 2), both("nn.functional.pixel_unshuffle", z(0, 1, 4, 4), 2),
    both("nn.functional.channel_shuffle", z(0, 4, 2, 2), 2),
    both("nn.functional.grid_sample", z(0, 3, 4, 4), z(0, 2, 2, 2), align_corners=False),
    both("nn.functional.affine_grid", z(0, 2, 3), (0, 1, 2, 2), align_corners=False),
    both("nn.functional.scaled_dot_product_attention", z(0, 2, 3, 4), z(0, 2, 3, 4), z(0, 2, 3, 4)),
    both("nn.functional.scaled_dot_product_attention", z(1, 2, 0, 4), z(1, 2, 3, 4), z(1, 2, 3, 4)),
    both("nn.functional.scaled_dot_product_attention", z(1, 2, 3, 4), z(1, 2, 0, 4), z(1, 2, 0, 4)),
    both("nn.functional.prelu", z(0, 3), z(3)), both("nn.functional.normalize", E),
    both("nn.functional.softmin", E, 1), both("nn.functional.dropout", E, 0.0),
    both("nn.functional.gumbel_softmax", E, hard=True),
    both("nn.functional.max_unpool2d", z(0, 3, 2, 2), i(0, 3, 2, 2), 2),
]  # fmt: skip


def found(lib, name):
    if callable(name):
        return name
    for part in name.split("."):
        lib = getattr(lib, part)
    return lib


def run(lib, function, args, kwargs):
    """Outputs, gradients, and the gradients' gradients, with weights that depend on shapes alone."""
    leaves = []

    def made(value):
        if isinstance(value, np.ndarray):
            tensor = lib.tensor(value)
            if value.dtype.kind == "f":
                leaves.append(tensor.requires_grad_())
            return tensor
        return tuple(made(v) for v in value) if isinstance(value, tuple) else value

    given = [made(a) for a in args]
    outs = flat(found(lib, function)(*given, **kwargs))
    first = step(lib, outs, leaves)
    try:
        second = step(lib, [g for g in first if g is not None], leaves)
    except RuntimeError:  # PyTorch has none
        second = None
    return outs, first, second


def flat(out):
    return [t for o in out for t in flat(o)] if isinstance(out, (tuple, list)) else [out]


def step(lib, outs, leaves):
    live = [o for o in outs if o.requires_grad]
    if not live or not leaves:
        return [None] * len(leaves)
    weights = [lib.tensor(np.random.default_rng(3).uniform(-1, 1, tuple(o.shape))) for o in live]
    return lib.autograd.grad(live, leaves, weights, create_graph=True, allow_unused=True)


def number(tensor):
    return np.asarray(tensor.detach().clone().numpy())


@pytest.mark.parametrize(("ours", "theirs", "args", "kwargs"), SCALARS + EMPTY)
def test_as_in_pytorch(ours, theirs, args, kwargs):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            want = run(torch, theirs, args, kwargs)
        except (RuntimeError, IndexError, ValueError, TypeError):  # PyTorch refuses: so may we, with an error of ours
            with suppress(GpugradError):
                run(gg, ours, args, kwargs)
            return
        got = run(gg, ours, args, kwargs)
    for what, ours_, theirs_ in zip(("value", "gradient", "second derivative"), got, want, strict=True):
        for a, b in [] if theirs_ is None else zip(ours_, theirs_, strict=True):
            if a is None or b is None:  # a gradient that one of them leaves out is zero in the other
                assert all(t is None or not number(t).any() for t in (a, b)), what
                continue
            assert a.shape == tuple(b.shape), what
            np.testing.assert_allclose(number(a), number(b), rtol=1e-9, atol=1e-10, err_msg=what)


def test_writing_to_a_scalar_everywhere():
    x = gg.tensor(1.0, dtype="float64", requires_grad=True)
    value = gg.tensor(3.0, dtype="float64", requires_grad=True)
    y = x * 2
    y[...] = 5.0
    assert y.item() == 5.0
    (g,) = gg.autograd.grad(y, x)
    assert (g.shape, g.item()) == ((), 0.0)
    y = x * 2
    y[()] = value * value
    (g,) = gg.autograd.grad(y, value, create_graph=True)
    assert (g.item(), gg.autograd.grad(g, value)[0].item()) == (6.0, 2.0)


def test_the_gradient_of_a_scalar_parameter_is_a_scalar_tensor():
    p = nn.Parameter(gg.tensor(2.0))
    calls = (gg.softmax, gg.cumsum, gg.sort, gg.sum, gg.logsumexp)
    for call in (*[lambda x, f=f: f(x, axis=0) for f in calls], gg.exp, lambda x: x.max(dim=0)[0] * x):
        p.grad = None
        call(p).backward()
        assert isinstance(p.grad._array, np.ndarray)
        assert p.grad.shape == ()


def test_other_axes_of_a_scalar_do_not_exist():
    for call in (lambda x: gg.softmax(x, axis=1), lambda x: gg.sum(x, axis=-2), lambda x: gg.sort(x, axis=1)):
        with pytest.raises(GpugradError):
            call(gg.tensor(1.0))


def test_an_empty_batch_leaves_running_statistics_alone():
    layer = nn.BatchNorm1d(3)
    layer(gg.zeros(0, 3))
    np.testing.assert_array_equal(layer.running_mean.numpy(), np.zeros(3))
    np.testing.assert_array_equal(layer.running_var.numpy(), np.ones(3))


# The check of every op of the table that finds such faults


@pytest.fixture
def report(own_ops):
    def messages(body, samples, **rules):
        made = op(body, samples=samples).vjp(**rules)
        return [r.message for r in check_op(made, "cpu", ["sizes"]) if not r.passed]

    return messages


def test_the_check_finds_a_division_by_a_length(report):
    def share(x, *, axis):
        """x over its length along an axis."""
        return x * (1 / x.shape[axis])

    assert any("division by zero" in m for m in report(share, lambda s: [s.case(s(3, 4), axis=1)], x=lambda g: g))


def test_the_check_finds_a_gradient_of_another_shape(report):
    def first_row_less(x):
        """x without the mean of its first row."""
        return x - x.reshape(-1)[:1].sum()

    messages = report(first_row_less, lambda s: [s.case(s(3))], x=lambda g: (g * 1).reshape(-1)[:1])
    assert any("shape" in m for m in messages)


def test_the_check_finds_warnings_about_nothing(report):
    def centred(x):
        """x without its mean."""
        return x - x.mean()

    assert any("Mean of empty slice" in m for m in report(centred, lambda s: [s.case(s(3))], x=lambda g: g - g.mean()))


def test_the_check_finds_nothing_in_a_sound_op(report):
    def scaled(x, *, axis):
        """x over its sum along an axis."""
        return x * (1 / max(x.shape[axis], 1)) + 0 * xp(x).abs(x)

    def rule(g, x, axis):
        return g * (1 / max(x.shape[axis], 1))

    assert report(scaled, lambda s: [s.case(s(3, 4), axis=1)], x=rule) == []
