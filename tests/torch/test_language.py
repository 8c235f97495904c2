"""Which language a Tensor, a gradient, a layer and its parameters speak, and the way from one language to the other."""

import copy
import pickle
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch as pytorch

import gpugrad as gg
import gpugrad.torch as torch
import gpugrad.torch.nn.functional as F
from gpugrad import nn as numpy_nn
from gpugrad.errors import OptionError, ShapeError, StateDictError
from gpugrad.torch import nn
from gpugrad.torch.language import TABLE, language_table
from gpugrad.torch.modules import Parameter

X = [[1.0, 5.0], [7.0, 3.0], [2.0, 2.5]]


def speaks_torch(*tensors):
    return all(type(t) in (torch.Tensor, Parameter) for t in tensors)


# Tensors


def test_results_speak_the_language_of_any_input():
    x, plain = torch.tensor(X), gg.tensor(X)
    results = [x + 1, 1 - x, plain * x, x * plain, x.exp(), x[0], x.T, gg.concatenate([plain, x]), gg.max(x, axis=1),
               x.to(torch.float64), x.reshape(-1), *gg.unstack(x), gg.where(x > 2, plain, 0.0), x.data, x.detach(),
               copy.deepcopy(x), pickle.loads(pickle.dumps(x))]  # fmt: skip
    assert speaks_torch(*results)
    assert type(plain + 1) is type(plain.exp()) is gg.Tensor


def test_methods_follow_the_tensor_and_functions_their_namespace():
    x, plain = torch.tensor(X), gg.tensor(X)
    assert x.max(1).indices.tolist() == torch.max(plain, 1)[1].tolist() == [1, 0, 1]
    assert plain.max(1).tolist() == gg.max(x, 1).tolist() == [5.0, 7.0, 2.5]
    assert x.std().item() == pytest.approx(np.std(X, ddof=1)) and plain.std().item() == pytest.approx(np.std(X))
    assert x.size() == (3, 2) and x.size(0) == 3 and plain.size == 6


def test_dtypes_have_the_attributes_of_pytorch_s_and_are_numpy_s():
    names = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool", "complex64", "complex128")
    for name in names:
        mine, theirs = getattr(torch, name), getattr(pytorch, name)
        for attribute in ("is_floating_point", "is_complex", "is_signed", "itemsize"):
            assert getattr(mine, attribute) == getattr(theirs, attribute), (name, attribute)
        assert repr(mine) == repr(theirs) and isinstance(mine, torch.dtype) and pickle.loads(pickle.dumps(mine)) is mine
        assert torch.zeros(1, dtype=mine).dtype is mine == gg.zeros(1, dtype=name).dtype
    assert repr(torch.complex64.to_real()) == "torch.float32" and torch.float64.to_complex() is torch.complex128
    assert np.zeros(1, torch.int32).dtype == torch.int32 != np.float32 and {np.dtype("int8"): 1}[torch.int8] == 1
    assert torch.finfo().max == pytorch.finfo().max and torch.iinfo(torch.int8).min == -128
    assert torch.promote_types(torch.int32, torch.float16) is torch.result_type(torch.ones(1).half(), 2.0)


def test_two_styles_of_one_tensor():
    x = torch.tensor(X, requires_grad=True)
    plain = x.numpy_style()
    assert type(plain) is gg.Tensor and plain.max(1).tolist() == [5.0, 7.0, 2.5] and speaks_torch(plain.torch_style())
    (plain * plain).sum().backward()
    assert speaks_torch(x.grad) and x.grad.tolist() == [[2 * v for v in row] for row in X]
    y = x * 1
    y.numpy_style().mul_(3.0)  # in place, through the view
    y.sum().backward()
    assert x.grad.tolist() == [[2 * v + 3 for v in row] for row in X]


def test_gradients_of_each_order_speak_the_language_of_the_leaf():
    x = torch.tensor(X, requires_grad=True)
    seen = []
    y = (x * 2).exp()
    y.register_hook(lambda gradient: seen.append(gradient.max(1).values))
    (slope,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), [x])
    assert speaks_torch(slope, curvature, *seen)
    np.testing.assert_allclose(curvature.numpy(), 4 * np.exp(2 * np.array(X)), rtol=1e-5)
    torch.utils.checkpoint.checkpoint(lambda t: t.max(1)[0].sum(), x, use_reentrant=False).backward()
    assert speaks_torch(x.grad) and x.grad.tolist() == [[0, 1], [1, 0], [0, 1]]


def test_functions_of_the_user_get_tensors_of_their_language():
    class Top(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            values, ctx.indices = x.max(1)
            ctx.save_for_backward(x)
            return values

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            assert speaks_torch(g, x) and g.size(0) == 3
            return torch.zeros_like(x).scatter_(1, ctx.indices[:, None], g[:, None])

    x = torch.tensor(X, requires_grad=True)
    Top.apply(x).sum().backward()
    assert x.grad.tolist() == [[0, 1], [1, 0], [0, 1]]
    assert torch.vmap(lambda row: row.max(0).values)(torch.tensor(X)).tolist() == [5.0, 7.0, 2.5]


def test_calls_that_both_read_differently_name_both_spellings():
    with pytest.raises(OptionError, match=r"swapaxes\(0, 1\)"):
        gg.tensor(X).transpose(0, 1)
    assert gg.tensor(X).transpose((0, 1)).shape == (3, 2) and gg.tensor(X).transpose(1, 0).shape == (2, 3)


def test_a_pair_that_numpy_does_not_give_is_told():
    with pytest.raises(ShapeError, match=r"max\(dim=1\)"):
        values, indices = gg.tensor(X).max(1)
    first, second = gg.tensor(X).max(0)
    one, two, three = gg.tensor(X)
    assert (first.item(), second.item()) == (7.0, 5.0) and three.tolist() == X[2]


def test_the_readme_has_the_table():
    table = language_table()
    assert table in (Path(torch.__file__).parent / "README.md").read_text()
    assert all(f"`{name}`" in table for name in TABLE) and "it divides by n - 1" in table


# Layers


def test_layers_are_shared_and_their_parameters_speak_torch():
    layer = nn.TransformerEncoderLayer(4, 2)
    assert speaks_torch(*layer.parameters(), *nn.BatchNorm2d(3).buffers())
    assert all(isinstance(m, nn.Module) for m in layer.modules()) and type(layer.linear1) is nn.Linear
    assert isinstance(nn.Linear(2, 3), numpy_nn.Linear) and issubclass(nn.LSTM, nn.RNNBase)
    assert nn.Linear(2, 3).weight.max(1)[1].shape == (3,)
    assert all(type(p) is numpy_nn.Parameter for p in numpy_nn.Linear(2, 3).parameters())


def test_layers_that_ask_for_sizes_take_tensors_that_speak_torch():
    for layer in (nn.Dropout(0.5), nn.Dropout2d(0.5), nn.AlphaDropout(0.5)):
        kept = layer(torch.ones(4, 8, 8, 8)) != 0
        assert speaks_torch(kept) and 0 < kept.float().mean() <= 1
    solved = torch.linalg.tensorsolve(torch.eye(6).reshape(2, 3, 6), torch.ones(2, 3))
    assert speaks_torch(solved) and solved.tolist() == [1.0] * 6


def test_a_function_comes_before_the_module_of_its_name():
    layer = nn.utils.weight_norm(nn.Linear(2, 3))
    assert layer.weight.shape == (3, 2) and callable(nn.utils.spectral_norm)
    assert nn.utils.rnn.pad_sequence([torch.ones(2), torch.ones(1)]).shape == (2, 2)


def test_a_layer_of_gpugrad_is_adopted():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = numpy_nn.Sequential(numpy_nn.Linear(2, 3), numpy_nn.ReLU())
            self.register_buffer("scale", gg.ones(1))

    net = Net()
    assert type(net.body[0]) is nn.Linear and isinstance(net.body, nn.Sequential)
    assert speaks_torch(*net.parameters(), net.scale)


def test_layers_are_copied_pickled_and_fused_as_in_gpugrad():
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    assert net[0]._joined_with(net[1]) is not None  # one op does the work of both
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert type(twin[0]) is nn.Linear and speaks_torch(*twin.parameters())
        assert torch.equal(twin(torch.ones(1, 2)), net(torch.ones(1, 2)))

    class Mine(nn.Linear):
        def forward(self, input):
            return super().forward(input) + 1

    assert not Mine(2, 3)._is_plain(numpy_nn.Linear)
    lazy = nn.LazyLinear(3)
    assert lazy(torch.ones(1, 5)).size(1) == 3 and type(lazy) is nn.Linear and speaks_torch(lazy.weight)


def test_old_words_of_losses():
    x, y = torch.tensor([1.0, 3.0]), torch.tensor([1.0, 1.0])
    assert F.mse_loss(x, y, size_average=False).item() == F.mse_loss(x, y, reduction="sum").item() == 4
    assert F.mse_loss(x, y, reduce=False).tolist() == nn.MSELoss(reduce=False)(x, y).tolist() == [0, 4]
    logits, target = pytorch.tensor(X), pytorch.tensor([0, 1, 0])
    expected = pytorch.nn.functional.cross_entropy(logits, target, pytorch.ones(2), None, 1).item()
    given = torch.tensor(X), torch.tensor([0, 1, 0]), torch.ones(2), None, 1
    assert F.cross_entropy(*given).item() == pytest.approx(expected)


def test_names_below_torch_are_found():
    from gpugrad.torch.nn.modules.batchnorm import _BatchNorm
    from gpugrad.torch.nn.modules.utils import _pair
    from gpugrad.torch.optim.lr_scheduler import StepLR
    from gpugrad.torch.optim.optimizer import Optimizer

    assert isinstance(nn.BatchNorm1d(2), _BatchNorm) and _pair(3) == (3, 3)
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    assert isinstance(optimizer, Optimizer) and StepLR(optimizer, 1).get_last_lr() == [1.0]
    torch.backends.cudnn.benchmark = True
    with pytest.warns(UserWarning, match="changes nothing"):
        assert torch.compile(nn.Linear(1, 1))(torch.ones(1, 1)).shape == (1, 1)
    assert torch.device("cuda", 0).type == "cuda" and isinstance(torch.device("cpu"), torch.device)
    assert torch.FloatTensor([1, 2]).type() == "torch.FloatTensor" == torch.ones(1).type()
    loader = torch.utils.data.DataLoader([(np.ones(2, np.float32), 1), (np.zeros(2, np.float32), 0)], batch_size=2)
    batch, labels = next(iter(loader))
    assert speaks_torch(batch, labels)


def test_distributions_speak_torch():
    from gpugrad.torch.distributions.bernoulli import Bernoulli

    from gpugrad.torch.distributions import Categorical, Normal, kl_divergence

    normal, other = Normal(0.0, 1.0), Normal(torch.tensor([1.0]), 2.0)
    draws = [normal.sample(), normal.rsample((2,)), other.sample(), Categorical(torch.ones(3)).sample((4,)),
             Bernoulli(0.5).sample(), other.mean, normal.loc]  # fmt: skip
    assert speaks_torch(*draws, normal.log_prob(torch.ones(2)), kl_divergence(normal, other))
    theirs = pytorch.distributions
    expected = theirs.kl_divergence(theirs.Normal(0.0, 1.0), theirs.Normal(1.0, 2.0)).item()
    assert kl_divergence(normal, other).item() == pytest.approx(expected)
    log = Categorical(logits=torch.zeros(2, 3, requires_grad=True)).log_prob(torch.tensor([0, 2]))
    assert log.tolist() == pytest.approx([-np.log(3)] * 2) and log.requires_grad


# torch.func


@pytest.mark.filterwarnings("ignore:.*torch.jit")  # PyTorch's own, when it imports torch.func
def test_networks_are_functions_of_their_parameters():
    arrays = [np.random.default_rng(i).standard_normal((3, 2)).astype(np.float32) for i in range(4)]

    def run(library):
        func = import_module(f"{library.__name__}.func")
        nets = [library.nn.Sequential(library.nn.Linear(2, 3, bias=False), library.nn.Tanh()) for _ in range(3)]
        for net, array in zip(nets, arrays, strict=False):
            with library.no_grad():
                net[0].weight.copy_(library.from_numpy(array))
        x = library.from_numpy(arrays[3])
        parameters, buffers = func.stack_module_state(nets)
        assert buffers == {} and list(parameters) == ["0.weight"]

        def loss(parameters, x):
            return (func.functional_call(nets[0], parameters, (x,)) ** 2).sum()

        own = {name: p.detach() for name, p in nets[1].named_parameters()}
        one = func.grad(loss)(own, x)["0.weight"]
        gradient, value = func.grad_and_value(loss)(own, x)
        each = func.vmap(func.grad(loss), in_dims=(0, None))(parameters, x)["0.weight"]
        per_sample = func.vmap(func.grad(loss), in_dims=(None, 0))(own, x)["0.weight"]
        out, pull = func.vjp(library.sin, x)
        curve = func.hessian(lambda v: (v**3).sum())(x[0])
        jacobians = func.jacrev(library.exp)(x[0]), func.jacfwd(library.exp)(x[0])
        pushed = func.jvp(library.sin, (x,), (x,))[1]
        return [one, gradient["0.weight"], value, each, per_sample, out, pull(out)[0], curve, *jacobians, pushed]

    for mine, theirs in zip(run(torch), run(pytorch), strict=True):
        assert type(mine) is torch.Tensor
        np.testing.assert_allclose(mine.detach().numpy(), theirs.detach().numpy(), rtol=1e-4, atol=1e-5)
    net = torch.nn.Linear(2, 1)
    with pytest.raises(StateDictError, match="bias"):
        torch.func.functional_call(net, {"weight": torch.ones(1, 2)}, torch.ones(2), strict=True)
    with pytest.raises(StateDictError, match="wait"):
        torch.func.functional_call(net, {"wait": torch.ones(1, 2)}, torch.ones(2))
