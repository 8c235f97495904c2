"""Ops and functions as PyTorch's: from the op table, and by PyTorch's own checks."""

import numpy as np
import pytest
import torch

import gpugrad as gg
from gpugrad.autograd.check.sample_call import SampleCall
from gpugrad.autograd.check.samples import Sampler
from gpugrad.autograd.op import OPS
from gpugrad.backend.devices import device
from gpugrad.errors import DTypeError
from gpugrad.export import as_torch
from gpugrad.export import torch as lifting

torch.manual_seed(0)
OWN = sorted(name for name, o in OPS.items() if o.__module__.startswith("gpugrad.") and o.rules)
softmax = gg.softmax.as_torch()


def doubles(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("name", OWN)
def test_every_op_gives_its_values_and_gradients(name):
    """The first case that has gradients: the same bits through PyTorch's engine as through ours."""
    for case in OPS[name].samples(Sampler()):
        call = SampleCall(OPS[name], case, device("cpu"), "float64")
        if call.checked:
            break
    else:
        return
    inputs = [torch.from_numpy(t.detach().numpy().copy()) if isinstance(t, gg.Tensor) else t for t in call.inputs]
    for i in call.checked:
        inputs[i].requires_grad_()
    args = (inputs,) if OPS[name].many else inputs
    found = as_torch(OPS[name])(*args, **call.attributes)
    found = found if isinstance(found, tuple) else (found,)
    expected = call()
    for ours, theirs in zip(expected, found, strict=True):
        np.testing.assert_array_equal(theirs.detach().numpy(), ours.detach().numpy())
        assert theirs.requires_grad == ours.requires_grad
    floats = [(o, t) for o, t in zip(expected, found, strict=True) if o.requires_grad]
    if not floats:
        return
    upstream = [np.random.default_rng(1).standard_normal(o.shape).astype(o.dtype) for o, _ in floats]
    ours = gg.autograd.grad(
        [o for o, _ in floats], [call.inputs[i] for i in call.checked], [gg.asarray(u) for u in upstream],
        allow_unused=True,
    )  # fmt: skip
    theirs = torch.autograd.grad(
        [t for _, t in floats], [inputs[i] for i in call.checked], [torch.from_numpy(np.asarray(u)) for u in upstream]
    )
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(b.numpy(), 0 if a is None else a.numpy())


@pytest.mark.parametrize(
    "function, inputs",
    [
        (lambda x: softmax(x, axis=0), [doubles(3, 2)]),
        (lambda x, w, b: gg.layer_norm.as_torch()(x, w, b, ndim=1, eps=1e-5), [doubles(3, 4), doubles(4), doubles(4)]),
        (lambda x, y: gg.concatenate.as_torch()([x, y], axis=1), [doubles(2, 2), doubles(2, 3)]),
        (lambda x: gg.reshape.as_torch()(x, (3, 2)), [doubles(2, 3)]),
        (as_torch(lambda x, y: (x * y, y.sin())), [doubles(3), doubles(3)]),
    ],
)
def test_pytorchs_checks_of_first_and_second_order(function, inputs):
    assert torch.autograd.gradcheck(function, inputs)
    assert torch.autograd.gradgradcheck(function, inputs)


def test_pytorchs_checks_of_the_opaque_op():
    number = lifting._numbered(gg.softmax, ((lifting._PLACE,), {"axis": -1}))
    torch.library.opcheck(lifting.apply, ([doubles(3, 4)], number))


def test_a_compiled_program_has_the_same_values_and_gradients_as_an_eager_one():
    both = as_torch(lambda x, scale: (x * scale, x.exp()))

    def program(x, bias):
        a, b = both(softmax(x * 2, axis=0) + bias, scale=3.0)
        return (a * b).sum()

    compiled = torch.compile(program, fullgraph=True, backend="aot_eager")
    for shape in ((3, 4), (5, 4)):
        x, bias = doubles(*shape), doubles(4)
        expected = torch.autograd.grad(program(x, bias), (x, bias))
        found = torch.autograd.grad(compiled(x, bias), (x, bias))
        assert torch.equal(compiled(x, bias), program(x, bias))
        assert all(map(torch.equal, found, expected))


def test_cpu_memory_is_shared_except_with_results():
    seen = []
    probe = as_torch(lambda x: seen.append(x.numpy()) or x)
    x = torch.ones(3)
    y = probe(x)
    x += 1
    assert seen[0].tolist() == [2, 2, 2] and y.tolist() == [1, 1, 1]
    assert as_torch(gg.broadcast_to)(x, (2, 3)).add_(1).tolist() == [[3, 3, 3]] * 2  # may be written to


def test_sixteen_bit_integers_and_unused_inputs():
    x = torch.randn(3, 4).bfloat16().requires_grad_()
    y = softmax(x)
    y[0, 0].backward()
    assert y.dtype is x.grad.dtype is torch.bfloat16 and x.grad[1].abs().sum() == 0
    index = torch.tensor([0, 0, 1])
    table = doubles(2, 3)
    taken = gg.take.as_torch()(table, index, axis=0)
    taken.sum().backward()
    assert table.grad.tolist() == [[2] * 3, [1] * 3]
    largest = gg.argmax.as_torch()(table)
    assert largest.dtype is torch.int64 and not largest.requires_grad


def test_a_changed_input_is_an_error_as_always_in_pytorch():
    x = doubles(3)
    leaf = x * 1
    y = as_torch(gg.exp)(leaf)
    leaf.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_what_gives_no_tensor_is_refused():
    with pytest.raises(DTypeError, match="must return a Tensor or a tuple of them, got 3"):
        as_torch(lambda x: 3)(torch.ones(2))
