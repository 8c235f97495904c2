"""Optimizers that search (L-BFGS, Newton-CG), Lion, hooks, and the signatures of all."""

import inspect

import numpy as np
import pytest
import torch

import gpugrad as gg
from gpugrad import nn, optim
from gpugrad.autograd.functional import hessian
from gpugrad.errors import GradientError
from gpugrad.optim.line_search import Point, _inside, cubic


def rosenbrock(x, y):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2).sum() + ((1 - x[:-1]) ** 2).sum() + ((y - x[0]) ** 2).sum() * 0.5


def problem(library, parameter):
    """Two parameters far from the minimum, and what makes the closure of an optimizer."""
    x, y = parameter(np.array([-1.2, 1.0, -0.5, 0.8])), parameter(np.array([[2.0], [-1.0]]))

    def closure(optimizer):
        def run():
            optimizer.zero_grad()
            loss = rosenbrock(x, y)
            loss.backward()
            return loss

        return run

    return [x, y], closure


def ours():
    return problem(gg, lambda v: nn.Parameter(gg.tensor(v)))


def theirs():
    return problem(torch, lambda v: torch.nn.Parameter(torch.tensor(v)))


LBFGS = [
    {"line_search_fn": "strong_wolfe"},
    {"line_search_fn": "strong_wolfe", "history_size": 2, "max_iter": 4, "lr": 0.5},
    {"lr": 1e-3, "max_iter": 3},
    {"lr": 1e-3, "history_size": 3, "max_eval": 7},
]


@pytest.mark.parametrize("options", LBFGS)
def test_lbfgs_agrees_with_torch(options):
    (p, make), (q, remake) = ours(), theirs()
    a, b = optim.LBFGS(p, **options), torch.optim.LBFGS(q, **options)
    for i in range(50):
        loss, expected = a.step(make(a)), b.step(remake(b))
        assert loss.item() == pytest.approx(expected.item(), rel=1e-9, abs=1e-12)
        for mine, other in zip(p, q, strict=True):
            np.testing.assert_allclose(mine.detach().numpy(), other.detach().numpy(), rtol=1e-6, atol=1e-9)
        s, t = (next(iter(o.state.values())) for o in (a, b))
        assert (s["n_iter"], s["func_evals"]) == (t["n_iter"], t["func_evals"])
        # Rounding grows along the valley, so the next step begins from the same state in both libraries.
        (load_ours if i % 2 else load_theirs)(a, b)
        for mine, other in zip(p, q, strict=True):
            mine.detach().copy_(gg.tensor(other.detach().numpy()))
    if options is LBFGS[0]:
        assert loss.item() < 1e-8


def load_ours(a, b):
    a.load_state_dict(b.state_dict())


def load_theirs(a, b):
    given = a.state_dict()
    for state in given["state"].values():
        state.update({name: as_torch(value) for name, value in state.items()})
    b.load_state_dict(given)


def as_torch(value):
    if isinstance(value, list):
        return [as_torch(v) for v in value]
    return torch.tensor(value.numpy()) if isinstance(value, gg.Tensor) else value


def test_lbfgs_stops_at_a_minimum_and_keeps_what_has_no_gradient():
    x, unused = nn.Parameter(gg.zeros(2)), nn.Parameter(gg.ones(3))
    a = optim.LBFGS([x, unused], max_iter=7)
    calls = []

    def closure():
        calls.append(1)
        a.zero_grad()
        loss = ((x - 1) ** 2).sum()
        loss.backward()
        return loss

    a.step(closure)
    a.step(closure)
    assert len(calls) < 7
    np.testing.assert_allclose(x.detach().numpy(), [1, 1], atol=1e-6)
    assert unused.tolist() == [1, 1, 1]
    with pytest.raises(ValueError, match="one group"):
        optim.LBFGS([{"params": [x]}, {"params": [unused]}])
    with pytest.raises(ValueError, match="'armijo'"):
        optim.LBFGS([x], line_search_fn="armijo")


def test_cubic_interpolation():
    """Through (0, 0) and (1, 0) with slopes -1 and 2: x^3 - x has its minimum at 1/sqrt(3)."""
    a, b = Point(0.0, 0.0, None, -1.0), Point(1.0, 0.0, None, 2.0)
    assert cubic(a, b) == pytest.approx(3**-0.5)
    assert cubic(b, a) == pytest.approx(3**-0.5)
    assert cubic(a, b, (0.7, 0.9)) == 0.7
    assert cubic(a, a) == 0
    assert cubic(Point(0.0, 0.0, None, 1.0), Point(1.0, 1.0, None, 1.0), (0.0, 0.8)) == 0.4  # a straight line


def test_a_step_keeps_away_from_the_ends_of_a_bracket():
    assert _inside(0.5, 0.0, 1.0, True) == (0.5, False)
    assert _inside(0.95, 0.0, 1.0, False) == (0.95, True)
    assert _inside(0.95, 0.0, 1.0, True) == (0.9, False)
    assert _inside(0.0, 0.0, 1.0, False) == (0.1, False)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_newton_solves_a_quadratic_at_once(device, dtype):
    random = np.random.default_rng(0)
    a = random.standard_normal((6, 6))
    matrix, b = gg.tensor(a @ a.T + np.eye(6), device=device, dtype=dtype), gg.ones(6, device=device, dtype=dtype)
    x = nn.Parameter(gg.zeros(6, device=device, dtype=dtype))
    optimizer = optim.NewtonCG([x], cg_iter=40)
    first = optimizer.step(lambda: x @ matrix @ x / 2 - b @ x)
    for _ in range(6):
        optimizer.step(lambda: x @ matrix @ x / 2 - b @ x)
    assert first.item() == 0
    np.testing.assert_allclose(x.tolist(), np.linalg.solve(a @ a.T + np.eye(6), np.ones(6)), rtol=1e-4, atol=1e-4)


def test_newton_descends_where_the_loss_curves_down():
    (x, y), _ = ours()
    optimizer = optim.NewtonCG([x, y])
    losses = [optimizer.step(lambda: rosenbrock(x, y)).item() for _ in range(60)]
    assert all(b <= a for a, b in zip(losses, losses[1:], strict=False))
    assert losses[-1] < 1e-12
    assert abs(x.grad).max().item() < 1e-5


def test_a_newton_step_is_the_hessians():
    x = nn.Parameter(gg.tensor(np.array([0.3, -0.2, 0.5])))

    def loss(x):
        return (x**4).sum() + (x * x).sum() + (x[0] - x[1] * x[2]) ** 2

    start, damping = x.detach().clone(), 0.1
    second = hessian(loss, start).numpy() + damping * np.eye(3)
    optimizer = optim.NewtonCG([x], damping=damping, cg_iter=3)
    optimizer.step(lambda: loss(x))
    (gradient,) = gg.grad(loss(s := start.clone().requires_grad_()), s)
    step = -np.linalg.solve(second, gradient.numpy())
    got = x.detach().numpy() - start.numpy()
    assert got @ step / np.linalg.norm(got) / np.linalg.norm(step) > 0.95
    np.testing.assert_allclose(x.grad.numpy(), gradient.numpy(), rtol=1e-12)


def test_newton_refuses_a_closure_that_calls_backward():
    (x, y), make = ours()
    optimizer = optim.NewtonCG([x, y])
    with pytest.raises(GradientError, match="freed|must return a loss"):
        optimizer.step(make(optimizer))
    with pytest.raises(GradientError, match="must return a loss"):
        optimizer.step(lambda: 3.0)


@pytest.mark.parametrize("maximize", [False, True])
def test_lion_is_the_papers(maximize):
    """Chen et al. 2023, algorithm 2, written out."""
    random = np.random.default_rng(0)
    start = random.standard_normal(20)
    p, expected, m = nn.Parameter(gg.tensor(start)), start.copy(), np.zeros(20)
    optimizer = optim.Lion([p], lr=0.01, betas=(0.8, 0.95), weight_decay=0.1, maximize=maximize)
    for _ in range(50):
        g = random.standard_normal(20)
        p.grad = gg.tensor(g)
        optimizer.step()
        g = -g if maximize else g
        expected = expected - 0.01 * (np.sign(0.8 * m + 0.2 * g) + 0.1 * expected)
        m = 0.95 * m + 0.05 * g
    np.testing.assert_allclose(p.detach().numpy(), expected, rtol=1e-12, atol=1e-12)


def test_lbfgs_on_each_device(device):
    x = nn.Parameter(gg.tensor([-1.2, 1.0], device=device, dtype="float64"))
    a = optim.LBFGS([x], line_search_fn="strong_wolfe")

    def closure():
        a.zero_grad()
        loss = 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2
        loss.backward()
        return loss

    for _ in range(5):
        a.step(closure)
    np.testing.assert_allclose(x.tolist(), [1, 1], atol=1e-3)


TORCHS = "ASGD Adadelta Adafactor Adagrad Adam AdamW Adamax LBFGS NAdam RAdam RMSprop Rprop SGD".split()


@pytest.mark.parametrize("name", TORCHS)
def test_signatures_and_options_are_torchs(name):
    mine, other = getattr(optim, name), getattr(torch.optim, name)
    shown = [[(p.name, p.default, p.kind) for p in inspect.signature(c).parameters.values()] for c in (mine, other)]
    assert shown[0] == shown[1]
    a, b = mine([nn.Parameter(gg.ones(2))]), other([torch.nn.Parameter(torch.ones(2))])
    chosen = {"foreach", "fused", "capturable", "differentiable"}
    assert {k: v for k, v in a.defaults.items()} == {k: v for k, v in b.defaults.items() if k not in chosen}


def test_hooks_are_called_in_order():
    p, q = nn.Parameter(gg.ones(1)), torch.nn.Parameter(torch.ones(1))
    logs = []
    for tensor, made in ((p, optim.SGD([p], lr=0.5)), (q, torch.optim.SGD([q], lr=0.5))):
        log = []
        logs.append(log)
        made.register_step_pre_hook(
            lambda o, args, kwargs, log=log: log.append(("before", args[-1:] == (None,), kwargs))
        )
        handle = made.register_step_post_hook(lambda o, args, kwargs, log=log: log.append(("after", kwargs)))
        made.register_state_dict_pre_hook(lambda o, log=log: log.append("saving"))
        made.register_state_dict_post_hook(lambda o, state, log=log: {**state, "more": 1})
        made.register_load_state_dict_pre_hook(lambda o, state, log=log: log.append(("loading", sorted(state))))
        made.register_load_state_dict_post_hook(lambda o, log=log: log.append("loaded"))
        made.register_load_state_dict_post_hook(lambda o, log=log: log.append("first"), prepend=True)
        tensor.grad = tensor.detach() * 1
        made.step(closure=None)
        handle.remove()
        made.step()
        made.load_state_dict(made.state_dict())
    assert logs[0] == logs[1]
    assert p.item() == q.item() == 0.0


def test_a_hook_can_change_the_arguments():
    p = nn.Parameter(gg.ones(1))
    made = optim.SGD([p], lr=0.5)
    made.register_step_pre_hook(lambda o, args, kwargs: ((lambda: 7,), {}))
    assert made.step() == 7


def test_names_of_parameters_and_options_as_tensors():
    model = nn.Linear(2, 2)
    made = optim.Adam(model.named_parameters(), lr=gg.tensor(0.5))
    assert made.param_groups[0]["param_names"] == ["weight", "bias"]
    assert made.param_groups[0]["lr"] == 0.5
    with pytest.raises(GradientError, match="differentiable"):
        optim.Adam(model.parameters(), differentiable=True)


def test_optimizers_of_ones_own():
    """Written for PyTorch: defaults, groups, state, `step` under no_grad; schedulers and hooks work with it."""

    class Plain(optim.Optimizer):
        def __init__(self, params, lr=0.1):
            super().__init__(params, {"lr": lr})

        @gg.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    self.state[p]["count"] = self.state[p].get("count", 0) + 1
                    p.sub_(p.grad * group["lr"])

    p = nn.Parameter(gg.ones(2))
    made, log = Plain([p]), []
    made.register_step_post_hook(lambda o, args, kwargs: log.append(1))
    schedule = optim.lr_scheduler.StepLR(made, 1)
    p.grad = gg.ones(2)
    made.step()
    schedule.step()
    assert p.tolist() == pytest.approx([0.9, 0.9]) and log == [1] and made.state[p]["count"] == 1
