"""Whole networks in the benchmark suite: what differs from PyTorch is found, and what nn's classes cost is told."""

from functools import partial

import numpy as np
import pytest

import gpugrad

pytest.importorskip("benchmarks.cli", reason="needs the checkout")
from benchmarks import layers, measure, models, verify, workloads
from benchmarks.verify import ResultError

torch = pytest.importorskip("torch")
LIBS = {"gpugrad": gpugrad, "torch": torch}
EFFORT = measure.Effort(5, 0.002, 0, 5.0)


def small_resnet(lib, inputs, **options):
    """ResNet-20 on 4 pictures: deep, with batch norm, so that rounding grows."""
    images, labels = inputs.normal(4, 3, 32, 32), inputs.integers(10, 4)
    options = {"lr": 1e-3, "momentum": 0.9} | options
    return workloads.training(lib, models.resnet20(lib), images, labels, "SGD", **options)


NETWORKS = {"mlp": partial(workloads.mlp, optimizer="Adam", lr=1e-4), "resnet": small_resnet}


def check(build):
    workload = workloads.Workload("planted", "", None, build)
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
    return workloads.operation(lib, lambda x: x * by, inputs.normal(8), inputs.normal(8))


def test_the_reference_is_in_float64_throughout():
    workload = workloads.Workload("doubled", "", None, partial(_doubled, by=2.0))
    case = workload.prepare(torch, "cpu", "float64")
    assert case.step().dtype == torch.float64 and case.upstream.dtype == torch.float64
    case = workloads.Workload("mlp", "", None, NETWORKS["mlp"]).prepare(torch, "cpu", "float64")
    assert case.step().dtype == torch.float64
    assert all(value.dtype == torch.float64 for value in case.model.state_dict().values())


# nn's classes against raw ops


@pytest.mark.parametrize("name", layers.NETWORKS)
def test_raw_ops_compute_what_the_classes_do(name):
    (row,) = layers.rows_of(name, "cpu", EFFORT)
    assert row["id"] == f"classes {name} cpu" and row["goal"] == 1.05 and "verdict" in row
    assert list(row["peers"]) == ["raw ops"]


@pytest.mark.parametrize("planted", ["network", "optimizer"])
def test_a_step_that_differs_is_not_timed(planted, monkeypatch):
    name, network, batch, optimizer = layers.NETWORKS["mlp"]
    if planted == "network":
        changed = (name, lambda *given: network(*given) * 1.001, batch, optimizer)
    else:
        changed = (name, network, batch, partial(gpugrad.optim.SGD, lr=1.001e-2))
    monkeypatch.setitem(layers.NETWORKS, "mlp", changed)
    with pytest.raises(ResultError):
        list(layers.rows_of("mlp", "cpu", EFFORT))


@pytest.mark.parametrize(("seconds", "verdict"), [(1.04, "met"), (1.06, "missed")])
def test_what_classes_cost_is_reported(monkeypatch, seconds, verdict):
    cases_of = layers.cases_of

    def clocked(*given):
        cases = cases_of(*given)
        for each, case in zip((seconds, 1.0), cases.values(), strict=True):
            case.clock = lambda case, steps, each=each: each * steps
        return cases

    monkeypatch.setattr(layers, "cases_of", clocked)
    (row,) = layers.rows_of("mlp", "cpu", EFFORT)
    assert row["verdict"] == verdict and row["peers"]["raw ops"]["ratio"]["p20"] == pytest.approx(seconds)
