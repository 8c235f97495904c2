"""Whole networks in the benchmark suite: what differs from PyTorch is found, and what nn's classes cost is told."""

from functools import partial

import numpy as np
import pytest

import gpugrad

pytest.importorskip("benchmarks.cli", reason="needs the checkout")
from benchmark_suite.fixed_limits import EFFORT

from benchmarks.cases import raw_ops, workloads
from benchmarks.cases.case import Workload, network, operation
from benchmarks.measuring import verify
from benchmarks.measuring.verify import ResultError

torch = pytest.importorskip("torch")
LIBS = {"gpugrad": gpugrad, "torch": torch}
NETWORKS = {
    "mlp": partial(workloads.mlp, optimizer="Adam", lr=1e-4),
    "resnet": partial(workloads.resnet20, batch=4),  # deep, with batch norm, so that rounding grows
}


def check(build):
    workload = Workload("planted", "", None, build)
    verify.verify(workload, LIBS, "cpu")


@pytest.mark.parametrize("name", NETWORKS)
def test_what_agrees_is_accepted(name):
    check(NETWORKS[name])


@pytest.mark.parametrize("name", NETWORKS)
def test_a_planted_error_of_the_gradients_is_found(name):
    def build(lib, inputs):
        case = NETWORKS[name](lib, inputs)
        right = case.forward

        def forward():  # the same value, its gradient a tenth too long
            loss = right()
            return loss + 0.1 * (loss - loss.detach())

        case.forward = forward if lib is gpugrad else right
        return case

    with pytest.raises(ResultError, match="gradient of .* away from float64"):
        check(build)


def test_a_planted_error_of_the_output_is_found():
    with pytest.raises(ResultError, match="output of the first step is 1.0e-02"):
        check(lambda lib, inputs: _doubled(lib, inputs, 2.02 if lib is gpugrad else 2.0))


def test_a_planted_error_of_the_optimizer_is_found():
    def build(lib, inputs):
        return workloads.mlp(lib, inputs, "Adam", lr=1.02e-4 if lib is gpugrad else 1e-4)

    with pytest.raises(ResultError, match="update of"):
        check(build)


def test_a_missing_gradient_and_a_wrong_dtype_are_found():
    right = {"x": np.ones(3)}
    with pytest.raises(ResultError, match="there is gradient of"):
        verify.compare("gradient", {}, right, right)
    with pytest.raises(ResultError, match="is float16"):
        verify.compare("gradient", {"x": np.ones(3, np.float16)}, right, right)
    with pytest.raises(ResultError, match="is nan"):
        verify.compare("gradient", {"x": np.full(3, np.nan)}, right, right)


def test_what_is_allowed_follows_the_furthest_of_the_peers():
    right = {"x": np.ones(3), "y": np.ones(3)}
    peer = {"x": np.full(3, 1.01), "y": np.ones(3)}
    verify.compare("gradient", {"x": np.ones(3), "y": np.full(3, 1.034)}, peer, right)
    with pytest.raises(ResultError, match="gradient of y is 3.6e-02"):
        verify.compare("gradient", {"x": np.ones(3), "y": np.full(3, 1.036)}, peer, right)


def _doubled(lib, inputs, by):
    return operation(lib, lambda x: x * by, inputs.normal(8), inputs.normal(8))


def test_the_reference_is_in_float64_throughout():
    workload = Workload("doubled", "", None, partial(_doubled, by=2.0))
    case = workload.prepare(torch, "cpu", "float64")
    assert case.step().dtype == torch.float64 and case.upstream.dtype == torch.float64
    case = Workload("mlp", "", None, NETWORKS["mlp"]).prepare(torch, "cpu", "float64")
    assert case.step().dtype == torch.float64
    assert all(value.dtype == torch.float64 for value in case.model.state_dict().values())


# nn's classes against raw ops


@pytest.mark.parametrize("name", raw_ops.NETWORKS)
def test_raw_ops_compute_what_the_classes_do(name):
    (row,) = raw_ops.rows_of(name, "cpu", EFFORT)
    assert row["id"] == f"classes {name} cpu" and row["goal"] == 1.05 and "verdict" in row
    assert list(row["peers"]) == ["raw ops"]


@pytest.mark.parametrize("planted", ["network", "optimizer"])
def test_a_step_that_differs_is_not_timed(planted, monkeypatch):
    name, network, batch, optimizer = raw_ops.NETWORKS["mlp"]
    if planted == "network":
        changed = (name, lambda *given: network(*given) * 1.001, batch, optimizer)
    else:
        changed = (name, network, batch, partial(gpugrad.optim.SGD, lr=1.001e-2))
    monkeypatch.setitem(raw_ops.NETWORKS, "mlp", changed)
    with pytest.raises(ResultError):
        list(raw_ops.rows_of("mlp", "cpu", EFFORT))


@pytest.mark.parametrize(("seconds", "verdict"), [(1.04, "met"), (1.06, "missed")])
def test_what_classes_cost_is_reported(monkeypatch, seconds, verdict):
    cases_of = raw_ops.cases_of

    def clocked(*given):
        cases = cases_of(*given)
        for each, case in zip((seconds, 1.0), cases.values(), strict=True):
            case.clock = lambda case, steps, each=each: each * steps
        return cases

    monkeypatch.setattr(raw_ops, "cases_of", clocked)
    (row,) = raw_ops.rows_of("mlp", "cpu", EFFORT)
    assert row["verdict"] == verdict and row["peers"]["raw ops"]["ratio"]["p20"] == pytest.approx(seconds)


# The networks of gpugrad.models and their twins

GPT_SIZES = {"vocab_size": 11, "n_positions": 6, "n_embd": 8, "n_layer": 2, "n_head": 2}
GPT_OPTIONS = {"tie_weights": False, "qkv_bias": True, "approximate": "tanh"}
TWINS = {  # name, sizes, options, shape of the input or the number of tokens
    "mlp": ("MLP", (7, 5, 3), {}, (4, 7)),
    "lenet": ("LeNet", (), {"size": 32}, (2, 1, 32, 32)),
    "alexnet": ("AlexNet", (), {"dropout": 0.0}, (1, 3, 224, 224)),
    "resnet18": ("resnet18", (), {}, (2, 3, 64, 64)),
    "resnet50": ("resnet50", (), {}, (2, 3, 64, 64)),
    "resnet32": ("CIFARResNet", (), {"depth": 32}, (2, 3, 32, 32)),
    "gpt": ("GPT", (), GPT_SIZES | GPT_OPTIONS, 11),
    "encoder": ("GPT", (), GPT_SIZES | GPT_OPTIONS | {"causal": False, "approximate": "none"}, 11),
    "lstm": ("LSTMLanguageModel", (), {"vocab_size": 11, "embedding_dim": 4, "hidden_size": 5}, 11),
}


@pytest.mark.parametrize("name", TWINS)
def test_a_twin_has_our_names_and_computes_the_same(name):
    network_name, sizes, options, shape = TWINS[name]
    random = np.random.default_rng(0)
    given = random.integers(0, shape, (3, 6)) if isinstance(shape, int) else random.standard_normal(shape)
    ours, twin = (network(lib, network_name, *sizes, **options).to(lib.float64) for lib in (gpugrad, torch))
    assert {k: v.shape for k, v in ours.state_dict().items()} == {k: v.shape for k, v in twin.state_dict().items()}
    assert [k for k, _ in ours.named_parameters()] == [k for k, _ in twin.named_parameters()]
    ours.load_state_dict({key: gpugrad.tensor(value.numpy()) for key, value in twin.state_dict().items()})
    found, expected = (model(lib.tensor(given)) for lib, model in ((gpugrad, ours), (torch, twin)))
    if isinstance(found, tuple):
        found, expected = found[0], expected[0]
    np.testing.assert_allclose(found.detach().numpy(), expected.detach().numpy(), rtol=1e-9, atol=1e-9)
