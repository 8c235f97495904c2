"""An argument under two names, or by position and by name, is an error in every call."""

from itertools import islice

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.autograd.check.samples import Sampler
from gpugrad.autograd.op import OPS
from gpugrad.autograd.signature import _TORCH_WORDS
from gpugrad.errors import DTypeError, GpugradError

CALLS = """
    gg.add(x, x, other=x)  x.add(x, other=x)  x.add_(x, other=x)  gg.subtract(x, x, other=x)  x.sub(x, alpha=2, other=x)
    gg.divide(x, x, other=x)  x.div(x, other=x, rounding_mode="floor")  gg.max(x, x, other=x)  gg.max(x, 0, dim=0)
    gg.max(x, axis=0, dim=0)  gg.min(2, x)  gg.softmax(x, 0, dim=1, dtype="float64")
    gg.softmax(x, 0, axis=1, dtype="float64")  gg.softmax(x, axis=0, dim=1, dtype="float64")
    x.var(unbiased=True, correction=0)  x.var(True, unbiased=False)  x.var(ddof=1, correction=0)
    gg.std(x, 0, ddof=1, correction=0)  x.sum(axis=0, dim=0)  x.sum(axis=0, keepdim=True, keepdims=False)
    gg.norm(x, 2, p=2)  gg.split(x, 1, split_size=1)  gg.split(x, split_size=1, split_size_or_sections=1)
    gg.split(x)  x.reshape(9, shape=(9,))  x.reshape(9, size=(9,))  x.tile(1, 1, reps=1)
    gg.index_add(x, 0, gg.tensor([0]), x[:1], src=x[:1])  gg.cat([x], axis=0, dim=0)  gg.tensordot(x, x, axes=1, dims=1)
    gg.einsum("ij->i", x, operands=[x])  x.to("float64", dtype="float32")  x.to("cpu", device="cpu")  x.to("cpu", "cpu")
    x.to("float32", "float64")  x.to(x, "float64")  x.to("cpu", True, True, non_blocking=True)
    x.to("cpu", True, True, True)  layer.to("float64", dtype="float32")  layer.to("cpu", device="cpu")
    gg.linalg.matrix_norm(x, "fro", axis=0, dim=0)
    gg.linalg.vector_norm(x, 2, ord=2)  gg.rot90(x, 1, (0, 1), dims=(0, 1))
""".replace("\n", "  ").split("  ")


@pytest.mark.parametrize("call", [call for call in CALLS if call])
def test_of_a_function_or_method(call):
    with pytest.raises((DTypeError, gg.errors.OptionError)):
        eval(call, {"gg": gg, "x": gg.ones(3, 3), "layer": nn.Linear(2, 2)})


def synonyms():
    """(op, theirs, its arguments, the argument that `theirs` gives again) for each op and each of PyTorch's names."""
    for name in sorted(OPS.keys() & set(gg.__all__)):
        op = OPS[name]
        for theirs, ours in _TORCH_WORDS.items():
            known = [n for n in ours if n in op.signature.parameters]
            for case in islice(op.samples(Sampler()), 1) if known and theirs not in op.signature.parameters else ():
                values = dict(zip(op.signature.parameters, case.args, strict=False)) | case.kwargs
                if known[0] in values:
                    yield name, theirs, case, values[known[0]]


def tensors(value):
    if isinstance(value, np.ndarray):
        return gg.asarray(value)
    return type(value)(tensors(v) for v in value) if type(value) in (list, tuple) else value


def test_of_every_op_under_pytorch_s_names():
    tried, taken = 0, []
    for name, theirs, case, value in synonyms():
        function, tried = getattr(gg, name), tried + 1
        args = [tensors(a) for a in case.args]
        with np.errstate(all="ignore"):
            try:
                function(*args, **case.kwargs, **{theirs: tensors(value)})
            except GpugradError:
                continue
        taken.append(f"{name}({theirs}=)")
    assert taken == [] and tried > 500


def test_the_arguments_of_to_in_any_order():
    x = gg.ones(2)
    assert x.to("cpu", "float64", True).dtype == x.to("float64", "cpu").dtype == np.float64
    assert x.to(None) is x and x.to("cpu", False, True) is not x
    assert nn.Linear(2, 2).to("cpu", "float64", True).weight.dtype == np.float64
    with pytest.raises(DTypeError, match=r"^to: expected a dtype \(bool.*got 'foo'"):
        x.to(dtype="foo")
    with pytest.raises(DTypeError, match=r"^Module.to: expected a dtype \(bool.*got 'foo'"):
        nn.Linear(2, 2).to(dtype="foo")


def test_errors_name_the_method():
    x = gg.ones(2, 2)
    for call, name in ((lambda: x.permute(0, 1, axis=1), "permute"), (lambda: x.expand(2, 2, shape=1), "expand")):
        with pytest.raises(TypeError, match=rf"Tensor\.{name}\(\)"):
            call()
