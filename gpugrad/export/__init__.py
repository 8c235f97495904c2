"""Functions of gpugrad inside programs that use PyTorch or JAX: `as_torch` and `as_jax`.

A function of Tensors, such as an op with a CUDA kernel that was checked here, becomes a function of their arrays, with
derivatives of every order: `derivatives.py` makes each order a function like the first, and `torch.py` and `jax.py`
lift any such function. Both libraries are imported when they are asked for.
"""

from collections.abc import Callable
from importlib import import_module

from ..optional import need

__all__ = ["as_jax", "as_torch"]


def as_torch(function: Callable) -> Callable:
    """Return an op, or another function of Tensors, as a function of torch.Tensors that PyTorch differentiates.

    Arguments that are torch.Tensors, also in lists, tuples and dicts, take the places of Tensors; the others stay as
    they are. CPU tensors are used where they lie; CUDA tensors too, on PyTorch's current stream, and memory comes from
    its allocator. Gradients of every order are those of the function (`torch.autograd.gradcheck` and `gradgradcheck`
    pass in float64). Under `torch.compile` a call is one opaque op, `torch.ops.gpugrad.apply`, whose backward computes
    the forward again; arguments that are no tensors must be hashable there.

    The function must depend on nothing else that requires a gradient. Results never share memory with arguments.

    >>> softmax = gg.export.as_torch(gg.softmax)
    >>> import torch
    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> y = softmax(x)
    >>> y[1].backward()
    >>> y.detach(), x.grad
    (tensor([0.2689, 0.7311]), tensor([-0.1966,  0.1966]))
    """
    need("torch", "as_torch", "torch")
    return import_module("gpugrad.export.torch").exported(function)


def as_jax(function: Callable) -> Callable:
    """Return an op, or another function of Tensors, as a function of JAX arrays that JAX differentiates and compiles.

    Arguments that are JAX arrays, also in lists, tuples and dicts, take the places of Tensors; the others stay as they
    are. It is a callback to the host (`jax.pure_callback`), whose reverse-mode derivatives of every order are those of
    the function (`jax.custom_vjp`); `jit`, `grad` and `vmap` work, forward mode does not. Shapes are found by a trial.

    The function must depend on nothing else that requires a gradient.

    >>> import jax
    >>> softmax = gg.export.as_jax(gg.softmax)
    >>> gradient = jax.jit(jax.grad(lambda x: softmax(x)[1]))(jax.numpy.array([1.0, 2.0]))
    >>> [round(float(g), 4) for g in gradient]
    [-0.1966, 0.1966]
    """
    need("jax", "as_jax", "jax")
    return import_module("gpugrad.export.jax").exported(function)
