"""Products, decompositions, solvers and norms: values as NumPy's, gradients as PyTorch's and as finite differences'."""

import sys

import numpy as np
import pytest
import torch

import gpugrad as gg
from gpugrad import linalg
from gpugrad.autograd import gradcheck, gradgradcheck
from gpugrad.autograd.convert import tensor
from gpugrad.autograd.op import OPS
from gpugrad.errors import ShapeError

rng = np.random.default_rng(5)


def random(*shape):
    return rng.standard_normal(shape)


def spd(*shape):
    a = random(*shape, shape[-1])
    return a @ a.swapaxes(-1, -2) + np.eye(shape[-1])


def same_as_torch(ours, theirs, *arrays):
    """Values and gradients, for a random upstream gradient of each output."""
    mine = [tensor(a, requires_grad=True) for a in arrays]
    other = [torch.tensor(a, requires_grad=True) for a in arrays]
    out, expected = ours(*mine), theirs(*other)
    out, expected = (out, expected) if isinstance(out, tuple) else ((out,), (expected,))
    total, wanted = 0, 0
    for a, b in zip(out, expected, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-10)
        g = random(*a.shape)
        total, wanted = total + (a * g).sum(), wanted + (b * torch.tensor(g)).sum()
    total.backward()
    wanted.backward()
    for a, b in zip(mine, other, strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((3, 4), (4, 2)), ((4,), (4,)), ((4,), (4, 3)), ((3, 4), (4,)), ((5, 3, 4), (4, 2)), ((5, 3, 4), (4,)),
        ((4,), (5, 4, 3)),
        ((5, 3, 4), (5, 4, 2)), ((3, 4), (5, 4, 2)), ((2, 1, 3, 4), (5, 4, 2)), ((0, 3), (3, 2)), ((2, 0), (0, 3)),
    ],
)  # fmt: skip
def test_matmul(a, b):
    same_as_torch(gg.matmul, torch.matmul, random(*a), random(*b))


def test_matmul_of_many_rows_is_one_product(monkeypatch):
    shapes = []
    module = sys.modules["gpugrad.ops.matmul"]
    monkeypatch.setattr(module, "dense", lambda x, w, dense=module.dense: (shapes.append(x.shape), dense(x, w))[1])
    x, y = tensor(random(4, 3, 5), requires_grad=True), tensor(random(5, 2), requires_grad=True)
    gg.matmul(x, y).backward(np.ones((4, 3, 2)))
    assert (12, 5) in shapes and (12, 2) in shapes  # forward, and the gradient of x
    np.testing.assert_allclose(y.grad.numpy(), np.einsum("bti->i", x.detach().numpy())[:, None] * np.ones(2))


@pytest.mark.parametrize("shape", [(3, 4), (4,), (2, 3, 4), (0, 4)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear(shape, bias):
    arrays = [random(*shape), random(5, 4)] + [random(5)] * bias
    runs = OPS["linear"].paths["cpu"].runs
    same_as_torch(gg.linear, torch.nn.functional.linear, *arrays)
    assert OPS["linear"].paths["cpu"].runs == runs + 1


def test_linear_computes_only_what_is_needed():
    w = tensor(random(5, 4), requires_grad=True)
    node = gg.linear(random(3, 4), w).grad_fn
    assert [g is None for g in node.backward(random(3, 5), None, False)] == [True, False, True][: len(node.edges)]


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("ij,jk->ik", [(3, 4), (4, 2)]), ("ij,jk", [(3, 4), (4, 2)]), ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]),
        ("ij->ji", [(3, 4)]),
        ("ii->i", [(3, 3)]), ("ii", [(3, 3)]), ("i,j->ij", [(3,), (4,)]), ("bij,bij->b", [(2, 3, 4), (2, 3, 4)]),
        ("...ij,...jk->...ik", [(2, 3, 4), (4, 5)]),
        ("b...,b...->...", [(2, 3, 4), (2, 3, 4)]), ("ij,jk,kl->il", [(3, 4), (4, 2), (2, 3)]),
        ("iji->j", [(3, 2, 3)]), ("ij,ik->k", [(3, 4), (3, 2)]),
        ("ij,k->", [(3, 4), (2,)]), ("bhqd,bhkd->bhqk", [(2, 2, 3, 4), (2, 2, 5, 4)]), ("i...->...", [(3, 4)]),
        ("ba", [(2, 3)]),
    ],
)  # fmt: skip
def test_einsum(subscripts, shapes):
    arrays = [random(*shape) for shape in shapes]
    np.testing.assert_allclose(gg.einsum(subscripts, *arrays).numpy(), np.einsum(subscripts, *arrays))
    same_as_torch(lambda *a: gg.einsum(subscripts, *a), lambda *a: torch.einsum(subscripts, *a), *arrays)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("dot", (random(3, 4), random(4, 2))), ("dot", (random(2, 3, 4), random(5, 4, 2))),
        ("dot", (random(3, 4), random(4))), ("dot", (2.0, random(3))),
        ("vdot", (random(2, 3), random(2, 3))), ("inner", (random(2, 3), random(4, 3))),
        ("outer", (random(2, 3), random(4))),
        ("kron", (random(2, 3), random(3, 2))), ("kron", (random(2), random(3, 2))),
        ("tensordot", (random(2, 3, 4), random(4, 3, 2), ([1, 2], [1, 0]))),
        ("tensordot", (random(2, 3), random(2, 3))), ("tensordot", (random(2), random(3), 0)),
        ("vecdot", (random(2, 3), random(3))),
        ("matvec", (random(2, 3, 4), random(4))), ("vecmat", (random(2, 3), random(3, 4))),
        ("cross", (random(2, 3), random(3))),
    ],
)  # fmt: skip
def test_products_are_numpys(name, args):
    np.testing.assert_allclose(getattr(gg, name)(*args).numpy(), getattr(np, name)(*args))


def test_addmm():
    same_as_torch(
        lambda c, a, b: gg.addmm(c, a, b, beta=0.5, alpha=2),
        lambda c, a, b: torch.addmm(c, a, b, beta=0.5, alpha=2),
        *(random(2), random(3, 4), random(4, 2)),
    )


@pytest.mark.parametrize(
    ("name", "arrays"),
    [
        ("solve", (spd(3), random(3))), ("solve", (spd(2, 3), random(2, 3, 2))), ("solve", (spd(3), random(2, 3, 2))),
        ("inv", (spd(2, 3),)),
        ("det", (random(2, 3, 3),)), ("pinv", (random(4, 2),)), ("pinv", (random(2, 2, 3),)),
        ("cholesky", (spd(2, 3),)), ("eigvalsh", (spd(2, 3),)), ("svdvals", (random(3, 2),)),
        ("matrix_exp", (random(3, 3) * 4,)), ("qr", (random(4, 3),)),
        ("matrix_norm", (random(3, 2),)), ("vector_norm", (random(3, 2),)), ("multi_dot", None),
        ("cross", (random(2, 3), random(2, 3))),
    ],
)  # fmt: skip
def test_gradients_are_torchs(name, arrays):
    if name == "multi_dot":
        chain = [random(3), random(3, 4), random(4, 2)]
        return same_as_torch(lambda *a: linalg.multi_dot(a), lambda *a: torch.linalg.multi_dot(a), *chain)
    ours = getattr(linalg, name)
    theirs = getattr(torch.linalg, name)
    wrap = tuple if name == "qr" else lambda out: out
    same_as_torch(ours, lambda *a: wrap(theirs(*a)), *arrays)
    return None


def test_det_gradient_at_a_singular_matrix_is_the_cofactors():
    x = tensor([[1.0, 2.0], [2.0, 4.0]], dtype="float64", requires_grad=True)
    linalg.det(x).backward()
    np.testing.assert_allclose(x.grad.numpy(), [[4, -2], [-2, 1]], atol=1e-12)


SYMMETRIC = {
    "cholesky": lambda s: linalg.cholesky(s), "upper cholesky": lambda s: linalg.cholesky(s, upper=True),
    "eigh": lambda s: linalg.eigh(s),
    "eigh U": lambda s: linalg.eigh(s, UPLO="U"), "eigvalsh": lambda s: linalg.eigvalsh(s),
}  # fmt: skip


@pytest.mark.parametrize("name", SYMMETRIC)
def test_gradients_among_symmetric_matrices(name):
    x = tensor(spd(3) + np.diag([0.0, 2, 5]), requires_grad=True)

    def of_symmetric(a):
        return SYMMETRIC[name]((a + a.mT) / 2)

    assert gradcheck(of_symmetric, (x,)) and gradgradcheck(of_symmetric, (x,))


def test_triangles_are_read_as_by_numpy():
    x = random(3, 3) + 5 * np.eye(3)
    for uplo in "LU":
        np.testing.assert_allclose(linalg.eigvalsh(x, UPLO=uplo).numpy(), np.linalg.eigvalsh(x, uplo))
        np.testing.assert_allclose(linalg.eigh(x, UPLO=uplo)[0].numpy(), np.linalg.eigh(x, uplo)[0])
    np.testing.assert_allclose(linalg.cholesky(x).numpy(), np.linalg.cholesky(x))
    np.testing.assert_allclose(linalg.cholesky(x, upper=True).numpy(), np.linalg.cholesky(x, upper=True))


def test_equal_eigenvalues_and_singular_values_have_finite_gradients():
    x = tensor(np.eye(3), requires_grad=True)
    w, _ = linalg.eigh(x)
    (w.sum() + linalg.svd(x)[1].sum()).backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * np.eye(3), atol=1e-12)


@pytest.mark.parametrize("shape", [(4, 2), (2, 4), (3, 3), (2, 3, 2)])
@pytest.mark.parametrize("full", [True, False])
def test_svd(shape, full):
    x = random(*shape)
    u, s, vh = linalg.svd(x, full_matrices=full)
    for ours, theirs in zip((u, s, vh), np.linalg.svd(x, full_matrices=full), strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs)

    def product(a):
        u, s, vh = linalg.svd(a, full_matrices=full)
        k = s.shape[-1]
        return (u[..., :, :k] * gg.expand_dims(s**2, -2)) @ vh[..., :k, :]

    assert gradcheck(product, (tensor(x, requires_grad=True),))


def test_slogdet_and_logdet():
    x = random(2, 3, 3)
    sign, logarithm = linalg.slogdet(x)
    np.testing.assert_allclose(sign.numpy() * np.exp(logarithm.numpy()), np.linalg.det(x))
    same_as_torch(linalg.logdet, torch.logdet, spd(2, 3))
    assert np.isnan(linalg.logdet(np.diag([1.0, -1.0])).item())


@pytest.mark.parametrize("n", [0, 1, 2, 5, -3])
def test_matrix_power(n):
    x = spd(2, 2)
    np.testing.assert_allclose(linalg.matrix_power(x, n).numpy(), np.linalg.matrix_power(x, n))


@pytest.mark.parametrize("upper", [True, False])
def test_solve_triangular(upper):
    a, b = random(3, 3) + 4 * np.eye(3), random(3, 2)
    theirs = torch.linalg.solve_triangular
    same_as_torch(
        lambda a, b: linalg.solve_triangular(a, b, upper=upper),
        lambda a, b: theirs(torch.triu(a) if upper else torch.tril(a), b, upper=upper),
        *(a, b),
    )


@pytest.mark.parametrize(("a", "b"), [((5, 2), (5,)), ((5, 2), (5, 3)), ((2, 4), (2,)), ((3, 3), (3, 1))])
def test_lstsq(a, b):
    a, b = random(*a), random(*b)
    for ours, theirs in zip(linalg.lstsq(a, b), np.linalg.lstsq(a, b), strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-12)
    same_as_torch(lambda a, b: linalg.lstsq(a, b)[0], lambda a, b: torch.linalg.pinv(a) @ b, a, b)


def test_matrix_rank():
    assert linalg.matrix_rank(np.outer([1.0, 2], [1.0, 3])).item() == 1
    assert linalg.matrix_rank(np.stack([np.eye(2), np.zeros((2, 2))])).tolist() == [2, 0]


@pytest.mark.parametrize(("ord", "axis"), [
    (None, None), (None, 1), (None, (0, 2)), (1, 0), (2, -1), (3, 1), (0.5, 1), (0, 1), (np.inf, 2), (-np.inf, 0),
    ("fro", (1, 2)), ("nuc", (0, 2)),
    (1, (0, 1)), (-1, (1, 0)), (2, (0, 1)), (-2, (1, 2)), (np.inf, (2, 1)), (-np.inf, (0, 1)),
])  # fmt: skip
@pytest.mark.parametrize("keepdims", [False, True])
def test_norm_is_numpys(ord, axis, keepdims):
    x = random(2, 3, 4)
    ours, theirs = linalg.norm(x, ord, axis, keepdims), np.linalg.norm(x, ord, axis, keepdims)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours.numpy(), theirs)


@pytest.mark.parametrize("ord", [1, 2, 3, 1.5, 0.5, 0, -1, float("inf")])
def test_norm_gradient_at_zero_is_zero(ord):
    x = tensor(np.zeros((2, 3)), requires_grad=True)
    with np.errstate(divide="ignore"):
        linalg.vector_norm(x, axis=1, ord=ord).sum().backward()
    assert x.grad.tolist() == np.zeros((2, 3)).tolist()


def test_norm_shares_the_gradient_among_ties():
    x = tensor([3.0, -3.0, 1.0], requires_grad=True)
    linalg.vector_norm(x, ord=float("inf")).backward()
    assert x.grad.tolist() == [0.5, -0.5, 0]


def test_trace_and_diagonal_of_stacks():
    x = random(2, 3, 4)
    np.testing.assert_allclose(linalg.trace(x, offset=1).numpy(), np.linalg.trace(x, offset=1))
    np.testing.assert_array_equal(linalg.diagonal(x, offset=-1).numpy(), np.linalg.diagonal(x, offset=-1))


def test_expm_of_a_rotation():
    turn = linalg.matrix_exp(np.array([[0.0, -np.pi / 2], [np.pi / 2, 0.0]]))
    np.testing.assert_allclose(turn.numpy(), [[0, -1], [1, 0]], atol=1e-14)


@pytest.mark.parametrize(
    "call",
    [
        lambda: gg.matmul(random(2, 3), random(2, 3)), lambda: gg.matmul(1.0, random(2)),
        lambda: gg.linear(random(2, 3), random(3, 2)), lambda: gg.linear(random(2, 3), random(4, 3), random(3)),
        lambda: gg.einsum("ij,jk", random(2, 3), random(2, 3)), lambda: gg.einsum("ij", random(2)),
        lambda: gg.einsum("i,i", random(2)), lambda: gg.einsum("i->j", random(2)),
        lambda: gg.einsum("i->ii", random(2)), lambda: gg.einsum("i1->i", random(2, 2)),
        lambda: linalg.inv(np.zeros((2, 2))), lambda: linalg.solve(random(2, 3), random(2)),
        lambda: linalg.cholesky(-np.eye(2)), lambda: linalg.norm(random(2, 2, 2), 1),
        lambda: linalg.norm(random(3), "fro"), lambda: linalg.qr(random(2, 2), "raw"),
        lambda: linalg.matrix_norm(random(2, 2), ord=3), lambda: linalg.cross(random(2), random(2)),
        lambda: linalg.matrix_power(random(2, 3), 2), lambda: linalg.multi_dot([random(2)]),
        lambda: gg.tensordot(random(2, 3), random(2, 3), 1), lambda: gg.vecdot(random(3), random(2)),
    ],
)  # fmt: skip
def test_errors(call):
    with pytest.raises(ShapeError):
        call()
