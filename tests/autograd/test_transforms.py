"""Derivatives of functions as functions, in JAX's and HIPS autograd's form."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.errors import DTypeError, ShapeError

A = np.array([1.0, 2.0, 3.0])


def cubes(x):
    return (x**3).sum()


def test_arguments_by_number():
    def f(x, y):
        return (x * x * y).sum()

    assert gg.grad(f)(A, 2.0).tolist() == [4, 8, 12]
    assert gg.grad(f, 1)(A, 2.0).item() == 14 and gg.grad(f, argnum=1)(A, 2.0).item() == 14
    one, other = gg.grad(f, argnums=(1, 0))(A, 2.0)
    assert one.item() == 14 and other.tolist() == [4, 8, 12]
    value, (g, _) = gg.value_and_grad(f, (0, 1))(A, 2.0)
    assert value.item() == 28 and not value.requires_grad and g.tolist() == [4, 8, 12]


def test_nests_and_auxiliary_outputs():
    def f(p, scale):
        return (p["w"] * scale).sum() + p["b"][0] ** 2, {"seen": p["w"]}

    (value, aux), g = gg.value_and_grad(f, has_aux=True)({"w": A, "b": (3.0, 1.0)}, 2.0)
    assert value.item() == 21 and aux["seen"].tolist() == A.tolist() and not aux["seen"].requires_grad
    assert g["w"].tolist() == [2, 2, 2] and [b.item() for b in g["b"]] == [6, 0]
    assert gg.grad(f, has_aux=True)({"w": A, "b": (3.0, 1.0)}, 2.0)[1]["seen"].tolist() == A.tolist()


def test_they_nest_over_what_is_closed_over():
    assert gg.grad(gg.grad(gg.grad(lambda x: x**4)))(2.0).item() == 48
    assert gg.grad(lambda y: gg.grad(lambda x: x * y * y)(1.0))(3.0).item() == 6
    w = gg.tensor(A, requires_grad=True)
    gg.grad(lambda x: (w * w * x).sum())(A).sum().backward()
    assert w.grad.tolist() == [2, 4, 6]
    assert not gg.grad(cubes)(A).requires_grad
    with gg.no_grad():
        assert not gg.grad(lambda x: (w * x).sum())(A).requires_grad


def test_products_with_vectors():
    out, pull = gg.vjp(lambda x, y: {"p": x * y, "s": x.sum()}, A, 2 * A)
    assert out["p"].tolist() == [2, 8, 18]
    for _ in range(2):
        x, y = pull({"p": np.ones(3), "s": 1.0})
        assert x.tolist() == [3, 5, 7] and y.tolist() == A.tolist()
    out, product, aux = gg.jvp(lambda x: (x**2, "aux"), (A,), (np.ones(3),), has_aux=True)
    assert out.tolist() == [1, 4, 9] and product.tolist() == [2, 4, 6] and aux == "aux"
    third = gg.grad(lambda x: gg.jvp(gg.grad(cubes), (x,), (A,))[1].sum())(A)  # 6 x a, differentiated by x
    assert third.tolist() == (6 * A).tolist()


def test_matrices():
    def f(x):
        return gg.stack([x[0] * x[1], x[2] ** 2])

    wanted = [[2, 1, 0], [0, 0, 6]]
    assert gg.jacobian(f)(A).tolist() == gg.jacrev(f)(A).tolist() == gg.jacfwd(f)(A).tolist() == wanted
    both = gg.jacobian(lambda x, y: x * y, (0, 1))(A[:2], A[1:])
    assert both[0].tolist() == [[2, 0], [0, 3]] and both[1].tolist() == [[1, 0], [0, 2]]
    assert gg.hessian(cubes)(A).tolist() == np.diag(6 * A).tolist()
    assert gg.elementwise_grad(gg.sin)(A).tolist() == pytest.approx(np.cos(A).tolist())


def test_pytorchs_form_is_still_there():
    x = gg.tensor(A, requires_grad=True)
    assert gg.grad(cubes(x), x)[0].tolist() == [3, 12, 27]
    assert gg.autograd.jacobian(lambda x: x * x, gg.tensor(A)).tolist() == np.diag(2 * A).tolist()


def test_calls_that_do_not_fit():
    for call, error, words in [
        (lambda: gg.grad(lambda x: x)(A), ShapeError, r"one element, got shape \(3,\); see jacobian"),
        (lambda: gg.grad(cubes)(np.array([1, 2])), DTypeError, "int64, by which nothing is differentiated"),
        (lambda: gg.grad(cubes, 1)(A), DTypeError, "argnums is an int or a tuple of ints below 1"),
        (lambda: gg.value_and_grad(cubes, has_aux=True)(A), DTypeError, r"returns \(output, aux\)"),
        (lambda: gg.hessian(3), DTypeError, "expected a function, got a int"),
        (lambda: gg.vjp(cubes, A)[1](A), ShapeError, r"the vectors have shapes \(3,\), expected \(\)"),
        (lambda: gg.jacfwd(lambda x: (x, x))(A), DTypeError, "takes one array"),
    ]:
        with pytest.raises(error, match=words):
            call()
