"""Shape, joining, padding, diagonals: values as NumPy's, gradients as PyTorch's or worked out by hand."""

import numpy as np
import pytest
import torch

import gpugrad as gg
from gpugrad.autograd.convert import tensor
from gpugrad.errors import OutOfRangeError, ShapeError

rng = np.random.default_rng(3)
A = rng.standard_normal((2, 3, 4))
M = rng.standard_normal((3, 4))
V = rng.standard_normal(4)


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("reshape", (A, (4, -1)), {}), ("reshape", (A, -1), {}), ("ravel", (A.swapaxes(0, 2),), {}),
        ("transpose", (A,), {}),
        ("transpose", (A, (2, 0, 1)), {}), ("permute_dims", (A, (1, 2, 0)), {}), ("swapaxes", (A, 0, -1), {}),
        ("moveaxis", (A, (0, 1), (-1, 0)), {}), ("matrix_transpose", (A,), {}), ("expand_dims", (A, (0, -1)), {}),
        ("squeeze", (A[:1],), {}), ("squeeze", (A[:, :1, :1], (1, 2)), {}), ("broadcast_to", (V, (3, 4)), {}),
        ("atleast_1d", (V[0],), {}), ("atleast_2d", (V,), {}), ("atleast_3d", (V,), {}), ("atleast_3d", (M,), {}),
        ("atleast_3d", (V[0],), {}),
        ("flip", (A, (0, 2)), {}), ("flip", (A,), {}), ("fliplr", (M,), {}), ("flipud", (M,), {}),
        ("rot90", (M,), {}), ("rot90", (A, 2), {}),
        ("rot90", (A, 3, (2, 0)), {}), ("rot90", (A, -1, (1, 2)), {}), ("rot90", (M, 4), {}), ("roll", (A, 5), {}),
        ("roll", (A, (1, -2), (0, 2)), {}), ("concatenate", ([M, M[:1]],), {}),
        ("concatenate", ([M, V],), {"axis": None}),
        ("stack", ([M, M],), {"axis": -1}), ("vstack", ([V, M],), {}), ("hstack", ([V, V],), {}),
        ("hstack", ([M, M],), {}),
        ("dstack", ([V, V],), {}), ("column_stack", ([V[:3], M],), {}), ("tile", (M, (2, 1, 3)), {}),
        ("tile", (A, 2), {}),
        ("repeat", (M, 3), {}), ("repeat", (M, 2), {"axis": 0}), ("repeat", (M, [0, 2, 1]), {"axis": 0}),
        ("repeat", (V, [0, 2, 1, 3]), {}),
        ("tril", (A, 1), {}), ("triu", (A, -1), {}), ("diag", (M, 1), {}), ("diag", (V, -1), {}),
        ("diagonal", (A, 1, 2, 0), {}),
        ("diagflat", (M, 2), {}), ("trace", (A, 1, 1, 2), {}), ("kron", (M, A), {}), ("pad", (M, 2), {}),
        ("pad", (M, ((1, 2), (0, 3))), {"constant_values": 5}), ("pad", (M, {1: (1, 2)}), {}),
        ("pad", (M, (4, 7)), {"mode": "reflect"}),
        ("pad", (M, (4, 7)), {"mode": "symmetric"}), ("pad", (M, (4, 7)), {"mode": "wrap"}),
        ("pad", (M, (1, 2)), {"mode": "edge"}),
    ],
)  # fmt: skip
def test_values_are_numpys(name, args, kwargs):
    ours, theirs = getattr(gg, name)(*args, **kwargs), getattr(np, name)(*args, **kwargs)
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours.numpy(), theirs)


@pytest.mark.parametrize("name", ["split", "array_split"])
@pytest.mark.parametrize(("where", "axis"), [(3, 0), ([1, 2], 0), ([2, 5], -1), ([2, 1], 0), ([-1], 1)])
def test_split_is_numpys(name, where, axis):
    x = np.arange(18.0).reshape(6, 3)
    for ours, theirs in zip(getattr(gg, name)(x, where, axis), getattr(np, name)(x, where, axis), strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs)


def test_array_split_of_unequal_parts():
    assert [p.shape[0] for p in gg.array_split(np.zeros(7), 3)] == [3, 2, 2]
    assert [p.shape[0] for p in gg.chunk(np.zeros(7), 3)] == [len(p) for p in torch.zeros(7).chunk(3)] == [3, 3, 1]


def test_split_gradient_joins_the_pieces():
    x = tensor(np.arange(6.0), requires_grad=True)
    a, _, c = gg.split(x, 3)
    (a * 2 + c * 3).sum().backward()
    assert x.grad.tolist() == [2, 2, 0, 0, 3, 3]


def test_split_backward_is_one_node_for_all_pieces():
    x = tensor(np.ones(8), requires_grad=True)
    pieces = gg.split(x, 8)
    assert len({id(p.grad_fn.edges[0]) for p in pieces}) == 1


def test_in_place_change_of_a_piece_reaches_the_whole():
    x = tensor(np.ones(4), requires_grad=True)
    y = x * 2
    left, right = gg.split(y, 2)
    left *= 5
    (y * tensor([1.0, 2, 3, 4])).sum().backward()
    assert y.tolist() == [10, 10, 2, 2] and right.tolist() == [2, 2]
    assert x.grad.tolist() == [10, 20, 6, 8]


def test_unstack_and_unbind():
    x = tensor(M, requires_grad=True)
    rows = gg.unstack(x)
    assert len(rows) == 3
    np.testing.assert_array_equal(gg.unbind(x, 1)[2].detach().numpy(), M[:, 2])
    (rows[0] - rows[2]).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.array([1, 0, -1])[:, None] * np.ones(4))


def test_views_share_memory():
    x = tensor(M.copy())
    views = [
        x.reshape(4, 3), x.T, gg.swapaxes(x, 0, 1), gg.moveaxis(x, 0, 1), gg.expand_dims(x, 0), gg.flip(x),
        gg.broadcast_to(x, (2, 3, 4)),
        gg.diagonal(x), gg.ravel(x), gg.flatten(x), gg.rot90(x), gg.expand(x, 2, -1, -1), gg.narrow(x, 1, 1, 2),
        *gg.split(x, 3), *gg.unstack(x),
    ]  # fmt: skip
    for view in views:
        assert np.shares_memory(view.numpy(), x.numpy())


@pytest.mark.parametrize(("mode", "other"), [("reflect", "reflect"), ("edge", "replicate"), ("wrap", "circular")])
def test_pad_gradient_is_torchs(mode, other):
    x, g = rng.standard_normal((1, 2, 4, 5)), rng.standard_normal((1, 2, 7, 9))
    ours, theirs = tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    gg.pad(ours, ((0, 0), (0, 0), (2, 1), (1, 3)), mode).backward(g)
    torch.nn.functional.pad(theirs, (1, 3, 2, 1), other).backward(torch.tensor(g))
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy())


def test_pad_gradient_counts_the_copies():
    x = tensor([1.0, 2.0, 3.0], requires_grad=True)
    gg.pad(x, (2, 4), "symmetric").sum().backward()  # 2 1 | 1 2 3 | 3 2 1 1
    assert x.grad.tolist() == [4, 3, 2]


def test_repeat_gradient_counts_the_copies():
    x = tensor([1.0, 2.0, 3.0], requires_grad=True)
    gg.repeat(x, [3, 0, 1]).sum().backward()
    assert x.grad.tolist() == [3, 0, 1]


@pytest.mark.parametrize("indexing", ["xy", "ij"])
@pytest.mark.parametrize("options", [{}, {"copy": False}, {"sparse": True}])
def test_meshgrid_is_numpys(indexing, options):
    x, y, z = np.arange(2.0), np.arange(3.0), np.arange(4.0)
    found = gg.meshgrid(x, y, z, indexing=indexing, **options)
    for ours, theirs in zip(found, np.meshgrid(x, y, z, indexing=indexing, **options), strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs)


def test_pytorch_names():
    x, t = tensor(A), torch.tensor(A)
    pairs = [
        (gg.flatten(x, 1), t.flatten(1)), (gg.unflatten(x, -1, (2, -1)), t.unflatten(-1, (2, -1))),
        (gg.permute(x, (2, 0, 1)), t.permute(2, 0, 1)),
        (gg.expand(x[:, :1], -1, 3, -1), t[:, :1].expand(-1, 3, -1)),
        (gg.diag_embed(x, 1, 0, 2), t.diag_embed(1, 0, 2)),
        (gg.repeat_interleave(x, 2, dim=1), t.repeat_interleave(2, dim=1)),
        (gg.narrow(x, 2, -3, 2), t.narrow(2, -3, 2)),
        (gg.unsqueeze(x, -1), t.unsqueeze(-1)), (gg.cat([x, x], dim=1), torch.cat([t, t], dim=1)),
        (gg.t(x[0]), t[0].t()),
    ]  # fmt: skip
    for ours, theirs in pairs:
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_concatenate_promotes_and_differentiates():
    x = tensor(np.ones(2, np.float32), requires_grad=True)
    y = tensor(np.ones(3), requires_grad=True)
    out = gg.concatenate([x, y, np.arange(2)])
    assert out.dtype == np.float64
    (out * np.arange(7.0)).sum().backward()
    assert x.grad.dtype == np.float32 and x.grad.tolist() == [0, 1] and y.grad.tolist() == [2, 3, 4]


@pytest.mark.parametrize(
    "call",
    [
        lambda: gg.reshape(M, (5, -1)), lambda: gg.squeeze(M, 0), lambda: gg.broadcast_to(M, (2, 4)),
        lambda: gg.split(M, 2),
        lambda: gg.concatenate([M, A]), lambda: gg.stack([M, V]), lambda: gg.concatenate([]),
        lambda: gg.pad(M, 1, "mirror"), lambda: gg.pad(M, -1),
        lambda: gg.pad(M, (1, 2, 3)), lambda: gg.repeat(V, [1, 2]), lambda: gg.narrow(M, 1, 3, 2),
        lambda: gg.array_split(M, 0),
        lambda: gg.unflatten(M, 1, (3, 2)), lambda: gg.tile(M, -1), lambda: gg.diag(A),
        lambda: gg.broadcast_arrays(M, V[:3]),
        lambda: gg.meshgrid(V, indexing="yx"), lambda: gg.matrix_transpose(V), lambda: gg.t(A),
        lambda: gg.split(M, 1, 5),
        lambda: gg.flatten(A, 2, 1), lambda: gg.expand(V, 2, -1, 3),
    ],
)  # fmt: skip
def test_errors(call):
    with pytest.raises((ShapeError, OutOfRangeError)):
        call()
