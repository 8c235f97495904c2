"""LU, eigenvalues of general matrices, condition numbers and kin: values and gradients as PyTorch's."""

import numpy as np
import pytest
import torch

import gpugrad as gg
from gpugrad.errors import DTypeError, ShapeError

rng = np.random.default_rng(8)


def real(*shape):
    return rng.standard_normal(shape)


def complex_numbers(*shape):
    return real(*shape) + 1j * real(*shape)


def spd(x):
    return x @ x.swapaxes(-1, -2).conj() + np.eye(x.shape[-1])


def of_vectors(m, x):
    """What eigenvectors do not choose: their sizes, and the matrix put together again."""
    w, v = m.linalg.eig(x)
    return m.abs(v).sum(-1) * m.abs(w), (v * w[..., None, :]) @ m.linalg.inv(v)


def sizes(m, x):
    return m.abs(m.linalg.eigvals(x)).sum(-1)


def condition(m, x, p):
    """PyTorch's own has no gradient for these norms: its node fails."""
    if m is gg or p in (None, 2, -2):
        return m.linalg.cond(x, p)
    return m.linalg.matrix_norm(x, p) * m.linalg.matrix_norm(m.linalg.inv(x), p)


def solved(m, a, b, **how):
    return m.linalg.lu_solve(*m.linalg.lu_factor(a), b, **how)


A, C = real(2, 3, 3), complex_numbers(3, 3)
CASES = {
    "eig": (of_vectors, A), "eig, complex": (of_vectors, C), "eigvals": (sizes, A), "eigvals, complex": (sizes, C),
    "lu": (lambda m, x: tuple(m.linalg.lu(x)), A), "lu, tall": (lambda m, x: tuple(m.linalg.lu(x)), real(4, 2)),
    "lu, wide": (lambda m, x: tuple(m.linalg.lu(x)), complex_numbers(2, 4)),
    "lu_factor": (lambda m, x: tuple(m.linalg.lu_factor(x)), A), "lu_solve": (solved, A, real(2, 3, 2)),
    "lu_solve, adjoint": (lambda m, a, b: solved(m, a, b, adjoint=True), C, complex_numbers(3, 2)),
    "lu_solve, right": (lambda m, a, b: solved(m, a, b, left=False), C, complex_numbers(2, 3)),
    **{f"cond {p}": (lambda m, x, p=p: condition(m, x, p), A) for p in (None, 2, -2, 1, -1, np.inf, "fro", "nuc")},
    "cholesky_ex": (lambda m, x: tuple(m.linalg.cholesky_ex(x)), spd(real(3, 3))),
    "inv_ex": (lambda m, x: tuple(m.linalg.inv_ex(x)), A),
    "solve_ex": (lambda m, a, b: tuple(m.linalg.solve_ex(a, b)), A, real(2, 3, 2)),
    "solve_ex, right": (lambda m, a, b: m.linalg.solve_ex(a, b, left=False)[0], A, real(2, 2, 3)),
    "lu_factor_ex": (lambda m, x: tuple(m.linalg.lu_factor_ex(x)), A),
    "tensorinv": (lambda m, x: m.linalg.tensorinv(x, ind=2), real(2, 3, 6)),
    "tensorsolve": (lambda m, a, b: m.linalg.tensorsolve(a, b), real(2, 3, 6), real(2, 3)),
    "tensorsolve, dims": (lambda m, a, b: m.linalg.tensorsolve(a, b, dims=(0, 2)), real(2, 3, 6), real(3, 2)),
    "householder_product": (lambda m, x, t: m.linalg.householder_product(x, t), real(4, 3), real(2)),
    "householder_product, complex": (
        lambda m, x, t: m.linalg.householder_product(x, t), complex_numbers(3, 2), complex_numbers(2)
    ),
}  # fmt: skip


def outcome(library, function, *arrays, device=None):
    tensors = [library.tensor(a, requires_grad=True, device=device) for a in arrays]
    outs = function(library, *tensors)
    outs = outs if isinstance(outs, tuple) else (outs,)
    draw, loss = np.random.default_rng(1), 0
    for out in outs:
        g = draw.standard_normal(tuple(out.shape)) + 1j * draw.standard_normal(tuple(out.shape))
        if out.requires_grad:
            g = library.tensor(g if out.is_complex() else g.real, device=device)
            loss = loss + (library.conj(g) * out).real.sum()
    loss.backward()
    host = [t.detach().cpu() for t in (*outs, *(t.grad for t in tensors))]
    return [(t.resolve_conj() if library is torch else t).numpy() for t in host]


@pytest.mark.parametrize("name", CASES)
def test_as_in_torch(name):
    got, expected = outcome(gg, *CASES[name]), outcome(torch, *CASES[name])
    for a, b in zip(got, expected, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", ["eig", "lu", "lu_solve, adjoint", "cholesky_ex", "inv_ex"])
def test_on_cuda(name, cuda):
    for a, b in zip(outcome(gg, *CASES[name], device="cuda"), outcome(gg, *CASES[name]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)


def test_broken_matrices_are_reported_and_the_others_computed():
    x = gg.tensor([[[1.0, 2.0], [2.0, 4.0]], [[4.0, 0.0], [0.0, 4.0]]])
    inverse, info = gg.linalg.inv_ex(x)
    assert info.tolist() == [2, 0]
    assert inverse[1].tolist() == [[0.25, 0], [0, 0.25]]
    assert gg.isnan(inverse[0]).all()
    factor, info = gg.linalg.cholesky_ex(x)
    assert info.tolist() == [2, 0]
    assert factor[1].tolist() == [[2, 0], [0, 2]]
    assert gg.linalg.lu_factor_ex(x).info.tolist() == [2, 0]
    assert gg.linalg.solve_ex(x, gg.ones(2, 2, 1)).info.tolist() == [2, 0]
    with pytest.raises(ShapeError, match=r"inv_ex: .* info is \[2, 0\]"):
        gg.linalg.inv_ex(x, check_errors=True)


def test_errors():
    with pytest.raises(DTypeError, match="lu: .*pivot=False"):
        gg.linalg.lu(gg.eye(2), pivot=False)
    with pytest.raises(ShapeError, match="tensorinv: the sizes"):
        gg.linalg.tensorinv(gg.ones(2, 3))
    with pytest.raises(ShapeError, match="tensorsolve: a"):
        gg.linalg.tensorsolve(gg.ones(2, 3), gg.ones(2))
    with pytest.raises(ShapeError, match="expected square"):
        gg.linalg.eigvals(gg.ones(2, 3))
    with pytest.raises(ShapeError, match="householder_product: expected M >= N >= K"):
        gg.linalg.householder_product(gg.ones(2, 3), gg.ones(2))
