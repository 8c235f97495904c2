"""Learning rate schedules and weight averages: PyTorch's numbers and state dicts, step for step."""

import copy
import warnings

import numpy as np
import pytest
import torch

import gpugrad as gg
from gpugrad import nn, optim
from gpugrad.errors import OptionError, StateDictError
from gpugrad.optim import lr_scheduler as ours
from gpugrad.optim import swa_utils

theirs = torch.optim.lr_scheduler


class Halving:
    """A callable object, whose attributes belong to a state dict."""

    def __init__(self, start=1.0):
        self.start, self.calls = start, 0

    def __call__(self, epoch):
        self.calls += 1
        return self.start * 0.9**epoch


CASES = [
    ("LambdaLR", {"lr_lambda": lambda epoch: 0.95**epoch}),
    ("LambdaLR", {"lr_lambda": [Halving(), Halving(0.5)]}),
    ("MultiplicativeLR", {"lr_lambda": lambda epoch: 0.95}),
    ("StepLR", {"step_size": 7, "gamma": 0.5}),
    ("MultiStepLR", {"milestones": [3, 10, 10, 30], "gamma": 0.3}),
    ("ConstantLR", {}),
    ("ConstantLR", {"factor": 0.5, "total_iters": 20}),
    ("LinearLR", {}),
    ("LinearLR", {"start_factor": 0.9, "end_factor": 0.1, "total_iters": 30}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("PolynomialLR", {}),
    ("PolynomialLR", {"total_iters": 40, "power": 2.0}),
    ("CosineAnnealingLR", {"T_max": 20}),
    ("CosineAnnealingLR", {"T_max": 7, "eta_min": 0.01}),
    ("CosineAnnealingWarmRestarts", {"T_0": 6}),
    ("CosineAnnealingWarmRestarts", {"T_0": 4, "T_mult": 2, "eta_min": 0.001}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 6}),
    (
        "CyclicLR",
        {"base_lr": [0.01, 0.02], "max_lr": 0.1, "step_size_up": 6, "step_size_down": 3, "mode": "triangular2"},
    ),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 5, "mode": "exp_range", "gamma": 0.95}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 5, "scale_fn": Halving(), "cycle_momentum": False}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 51}),
    ("OneCycleLR", {"max_lr": [0.5, 0.1], "epochs": 3, "steps_per_epoch": 20, "three_phase": True, "pct_start": 0.2}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 60, "anneal_strategy": "linear", "cycle_momentum": False}),
    ("SWALR", {"swa_lr": 0.03}),
    ("SWALR", {"swa_lr": [0.03, 0.04], "anneal_epochs": 0, "anneal_strategy": "linear"}),
]
IDS = [f"{name}-{'-'.join(options)}" for name, options in CASES]
FAMILIES = [("SGD", {"lr": 0.1, "momentum": 0.9}), ("Adam", {"lr": 0.1})]


def optimizers(family=FAMILIES[0], gradients=True):
    """One of each library, with two groups; without gradients their steps change nothing."""
    name, options = family
    made = []
    for library, tensor in (
        (optim, lambda: nn.Parameter(gg.ones(2))),
        (torch.optim, lambda: torch.ones(2).requires_grad_()),
    ):
        made.append(getattr(library, name)([{"params": [tensor()]}, {"params": [tensor()], "lr": 0.07}], **options))
    return made


def make(library, optimizer, name, options):
    if name == "SWALR":
        return (swa_utils if library is ours else torch.optim.swa_utils).SWALR(optimizer, **options)
    return getattr(library, name)(optimizer, **copy.deepcopy(options))


def same(a, b):
    """The groups of two optimizers agree, whatever a schedule may have put there."""
    for mine, other in zip(a.param_groups, b.param_groups, strict=True):
        for key in ("lr", "initial_lr", "momentum", "betas", "max_lr", "min_lr", "max_momentum", "base_momentum"):
            assert (key in mine) == (key in other), key
            if key in mine:
                assert mine[key] == pytest.approx(other[key], rel=1e-13, abs=1e-300), key


def advance(a, b, s, t, *args):
    a.step(), b.step()
    s.step(*args), t.step(*args)
    same(a, b)
    assert s.get_last_lr() == pytest.approx(t.get_last_lr(), rel=1e-13, abs=1e-300)


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f[0])
@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_fifty_steps_agree_with_torch(name, options, family):
    a, b = optimizers(family)
    s, t = make(ours, a, name, options), make(theirs, b, name, options)
    same(a, b)
    for _ in range(50):
        advance(a, b, s, t)


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_state_dicts_go_both_ways(name, options):
    a, b = optimizers()
    s, t = make(ours, a, name, options), make(theirs, b, name, options)
    for _ in range(8):
        advance(a, b, s, t)
    mine, other = s.state_dict(), t.state_dict()
    assert mine.keys() == other.keys()
    a2, b2 = optimizers()
    s2, t2 = make(ours, a2, name, options), make(theirs, b2, name, options)
    s2.load_state_dict(copy.deepcopy(other))
    t2.load_state_dict(copy.deepcopy(mine))
    a2.load_state_dict(a.state_dict())
    b2.load_state_dict(b.state_dict())
    for _ in range(20):
        advance(a2, b2, s2, t2)
        advance(a, b, s, t)
    same(a, a2)


CLOSED = ["StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR", "PolynomialLR", "CosineAnnealingLR"]


@pytest.mark.filterwarnings("ignore:The epoch parameter")
@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_an_epoch_can_be_given(name, options):
    if name == "SWALR":
        pytest.skip("it only counts its own steps")
    a, b = optimizers()
    s, t = make(ours, a, name, options), make(theirs, b, name, options)
    for epoch in (1, 5, 2, 17, 40):
        advance(a, b, s, t, epoch)


def test_warm_restarts_take_fractions_of_epochs():
    a, b = optimizers()
    s, t = (library.CosineAnnealingWarmRestarts(o, 3, 2) for library, o in ((ours, a), (theirs, b)))
    for i in range(50):
        s.step(i / 4), t.step(i / 4)
        same(a, b)
    with pytest.raises(ValueError, match="-1"):
        s.step(-1)


@pytest.mark.parametrize("options", [
    {}, {"patience": 2, "cooldown": 3, "factor": 0.5}, {"mode": "max", "patience": 1},
    {"threshold_mode": "abs", "patience": 1},
    {"mode": "max", "threshold_mode": "abs", "patience": 0, "min_lr": [0.01, 0.02], "threshold": 0.3},
])  # fmt: skip
def test_plateau(options):
    random = np.random.default_rng(0)
    a, b = optimizers()
    s, t = ours.ReduceLROnPlateau(a, **options), theirs.ReduceLROnPlateau(b, **options)
    assert s.state_dict() == t.state_dict()
    for i in range(50):
        metric = random.standard_normal() + 3 * 0.9**i
        advance(a, b, s, t, metric)
        assert s.state_dict() == t.state_dict()
        if i == 20:
            state = s.state_dict()
            s, t = ours.ReduceLROnPlateau(a), theirs.ReduceLROnPlateau(b)
            s.load_state_dict(state)
            t.load_state_dict(state)
    s.step(gg.tensor(1.0))
    assert s.last_epoch == 51


def sequence(library, optimizer):
    inner = library.SequentialLR(
        optimizer, [library.ConstantLR(optimizer, 0.5, 3), library.StepLR(optimizer, 4)], milestones=[5]
    )
    warm = library.LinearLR(optimizer, 0.1, total_iters=6)
    cosine = library.CosineAnnealingLR(optimizer, 20)
    return library.SequentialLR(optimizer, [inner, warm, cosine], milestones=[12, 20])


def chain(library, optimizer):
    return library.ChainedScheduler([library.LinearLR(optimizer, 0.1), library.ExponentialLR(optimizer, 0.9)])


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("build", [sequence, chain])
def test_combined_schedules(build):
    a, b = optimizers()
    s, t = build(ours, a), build(theirs, b)
    same(a, b)
    for i in range(50):
        advance(a, b, s, t)
        if i in (3, 10, 30):
            mine, other = s.state_dict(), t.state_dict()
            assert mine.keys() == other.keys()
            assert [m.keys() for m in mine["_schedulers"]] == [o.keys() for o in other["_schedulers"]]
            s, t = build(ours, optimizers()[0]), build(theirs, optimizers()[1])
            for scheduler, optimizer, state in ((s, a, other), (t, b, mine)):
                scheduler.load_state_dict(copy.deepcopy(state))
                attach(scheduler, optimizer)


def attach(scheduler, optimizer):
    scheduler.optimizer = optimizer
    for inner in getattr(scheduler, "_schedulers", ()):
        attach(inner, optimizer)


def test_last_epoch_continues_a_schedule():
    a, b = optimizers()
    with pytest.raises(KeyError, match="initial_lr"):
        ours.StepLR(a, 3, last_epoch=5)
    for o in (a, b):
        for group in o.param_groups:
            group["initial_lr"] = 0.3
    s, t = ours.CosineAnnealingLR(a, 10, last_epoch=5), theirs.CosineAnnealingLR(b, 10, last_epoch=5)
    for _ in range(5):
        advance(a, b, s, t)


def test_schedulers_of_ones_own():
    class Mine(ours.LRScheduler):
        def get_lr(self):
            return [base / (1 + self.last_epoch) for base in self.base_lrs]

    a, _ = optimizers()
    s = Mine(a)
    a.step()
    s.step()
    assert s.get_last_lr() == [0.05, 0.035]


def test_warnings_and_errors():
    a, b = optimizers()
    s = ours.StepLR(a, 3)
    with pytest.warns(UserWarning, match=r"before optimizer\.step"):
        s.step()
    with pytest.warns(UserWarning, match="get_last_lr"):
        s.get_lr()
    for build, kind, text in [
        (lambda: ours.StepLR(b, 3), TypeError, "expected an Optimizer, got SGD"),
        (lambda: ours.LambdaLR(a, [lambda e: 1.0]), ValueError, "as there are groups"),
        (lambda: ours.MultiplicativeLR(a, 0.5), TypeError, "must be a function, got float"),
        (lambda: ours.ConstantLR(a, 2), ValueError, "between 0 and 1, got 2"),
        (lambda: ours.CosineAnnealingLR(a, 0), OptionError, "CosineAnnealingLR: T_max must be a number above 0, got 0"),
        (lambda: ours.StepLR(a, 0), OptionError, "step_size must be a number above 0, got 0"),
        (lambda: ours.LinearLR(a, total_iters=0), OptionError, "total_iters must be a number above 0, got 0"),
        (lambda: ours.PolynomialLR(a, 0), OptionError, "total_iters must be a number above 0, got 0"),
        (lambda: ours.CyclicLR(a, 0.1, 1, 0), OptionError, "step_size_up must be a number above 0, got 0"),
        (lambda: ours.CyclicLR(a, 0.1, 1, 1, 0), OptionError, "step_size_down must be a number above 0, got 0"),
        (lambda: ours.OneCycleLR(a, 0.1, 3, div_factor=0), OptionError, "div_factor must be a number above 0, got 0"),
        (lambda: ours.LinearLR(a, 0), ValueError, "start_factor"),
        (lambda: ours.CosineAnnealingWarmRestarts(a, 0), ValueError, "T_0"),
        (lambda: ours.CyclicLR(a, 0.1, 1, mode="square"), ValueError, "'square'"),
        (lambda: ours.OneCycleLR(a, 0.1), ValueError, "total_steps"),
        (lambda: ours.OneCycleLR(a, 0.1, total_steps=-1), ValueError, "positive"),
        (lambda: ours.OneCycleLR(a, 0.1, total_steps=3, pct_start=2.0), ValueError, "pct_start"),
        (lambda: ours.ReduceLROnPlateau(a, factor=1), ValueError, "below 1"),
        (lambda: ours.ReduceLROnPlateau(a, "low"), ValueError, "'low'"),
        (lambda: ours.SequentialLR(a, [], []), ValueError, "got none"),
        (lambda: ours.SequentialLR(a, [s], [3]), ValueError, "1 schedulers need 0"),
        (lambda: ours.SequentialLR(a, [s, ours.ChainedScheduler([s])], [3]), ValueError, "only be first"),
        (lambda: ours.ChainedScheduler([ours.ReduceLROnPlateau(a)]), ValueError, "metric"),
        (lambda: ours.ChainedScheduler([s, ours.StepLR(optimizers()[0], 2)]), ValueError, "another optimizer"),
        (lambda: swa_utils.SWALR(a, 0.1, anneal_strategy="sin"), ValueError, "'sin'"),
    ]:
        with pytest.raises(kind, match=text):
            build()
    cycle = ours.OneCycleLR(a, 0.1, total_steps=2)
    a.step()
    cycle.step(), cycle.step()
    with pytest.raises(ValueError, match="step 3 of a schedule of 2"):
        cycle.step()


def test_lengths_of_zero_inside_a_schedule():
    a, _ = optimizers()
    cycle = ours.OneCycleLR(a, 0.1, total_steps=2, pct_start=0.5)  # its first phase ends at step 0
    assert cycle.get_last_lr() == [0.1, 0.1]
    a, _ = optimizers()
    constant = ours.ConstantLR(a, factor=0, total_iters=1)
    assert constant.get_last_lr() == [0, 0]
    a.step()
    constant.step()
    assert constant.get_last_lr() == constant.base_lrs


def grown(library, scheduler, options, ones):
    """The learning rates of two groups, of which the second is added after two steps."""
    optimizer = library.SGD([ones(1, requires_grad=True)], lr=0.1, momentum=0.9)
    schedule = scheduler(optimizer, **options)
    for i in range(8):
        if i == 2:
            optimizer.add_param_group({"params": [ones(1, requires_grad=True)], "lr": 0.2})
        optimizer.step()
        schedule.step()
    assert schedule.get_last_lr() == [group["lr"] for group in optimizer.param_groups]
    return [group["lr"] for group in optimizer.param_groups]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("StepLR", {"step_size": 3}),
        ("MultiStepLR", {"milestones": [3, 5]}),
        ("ConstantLR", {}),
        ("LinearLR", {}),
        ("ExponentialLR", {"gamma": 0.9}),
        ("PolynomialLR", {"total_iters": 40}),
        ("CosineAnnealingLR", {"T_max": 20}),
    ],
)
def test_a_group_that_is_added_later_follows_as_in_torch(name, options):
    mine = grown(optim, getattr(ours, name), options, gg.ones)
    np.testing.assert_allclose(mine, grown(torch.optim, getattr(theirs, name), options, torch.ones), 1e-12)


@pytest.mark.parametrize(
    ("scheduler", "options", "ratio"),
    [
        (ours.LambdaLR, {"lr_lambda": lambda epoch: 0.95**epoch}, 2),
        (ours.MultiplicativeLR, {"lr_lambda": lambda epoch: 0.95}, 2 / 0.95**2),
        (ours.CosineAnnealingWarmRestarts, {"T_0": 6}, 2),
        (ours.CyclicLR, {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 6}, 1),
        (ours.OneCycleLR, {"max_lr": 0.5, "total_steps": 51}, 1),
        (swa_utils.SWALR, {"swa_lr": 0.03, "anneal_epochs": 4}, 1),
    ],
)
def test_a_group_that_is_added_later_follows_where_torch_fails(scheduler, options, ratio):
    first, second = grown(optim, scheduler, options, gg.ones)
    assert second == pytest.approx(ratio * first, rel=1e-12)


def test_a_cycled_momentum_of_an_added_group():
    for scheduler, options in (
        (ours.CyclicLR, {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 6}),
        (ours.OneCycleLR, {"max_lr": 0.5, "total_steps": 51}),
    ):
        optimizer = optim.SGD([gg.ones(1, requires_grad=True)], lr=0.1, momentum=0.5)
        schedule = scheduler(optimizer, **options)
        optimizer.add_param_group({"params": [gg.ones(1, requires_grad=True)]})
        optimizer.step()
        schedule.step()
        first, second = optimizer.param_groups
        assert first["momentum"] == second["momentum"] < first["max_momentum"] == second["max_momentum"]


def test_added_groups_without_a_value_of_their_own():
    for build, name in (
        (lambda a: ours.LambdaLR(a, [Halving(), Halving(0.5)]), "LambdaLR: lr_lambda"),
        (lambda a: ours.CyclicLR(a, [0.01, 0.02], 0.1), "CyclicLR: base_lr"),
        (lambda a: ours.CyclicLR(a, 0.01, [0.1, 0.2]), "CyclicLR: max_lr"),
        (lambda a: ours.OneCycleLR(a, [0.1, 0.2], 9), "OneCycleLR: initial_lr"),
        (lambda a: swa_utils.SWALR(a, [0.1, 0.2]), "SWALR: swa_lr"),
    ):
        a, _ = optimizers()
        schedule = build(a)
        a.step()
        a.add_param_group({"params": [nn.Parameter(gg.ones(1))]})
        with pytest.raises(OptionError, match=f"{name} differs among the 2 groups"):
            schedule.step()


def test_a_state_of_more_groups_and_rates_of_fewer():
    a, _ = optimizers()
    one = optim.SGD([gg.ones(1, requires_grad=True)], lr=0.1)
    with pytest.raises(StateDictError, match="the state is of 2 groups, the optimizer has 1"):
        ours.StepLR(one, 3).load_state_dict(ours.StepLR(a, 3).state_dict())

    class Short(ours.LRScheduler):
        def get_lr(self):
            return [0.1]

    with pytest.raises(OptionError, match=r"Short: get_lr\(\) returned 1 rates for 2 groups"):
        Short(a)


# Averages


def models():
    mine = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    other = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2))
    mine.load_state_dict({name: value.numpy() for name, value in other.state_dict().items()})
    return mine, other


def check_models(mine, other):
    for (name, p), (also, q) in zip(mine.state_dict().items(), other.state_dict().items(), strict=True):
        assert name == also
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-5, atol=1e-6)


AVERAGES = [
    lambda u: {}, lambda u: {"avg_fn": u.get_ema_avg_fn(0.9)}, lambda u: {"multi_avg_fn": u.get_ema_multi_avg_fn(0.9)},
    lambda u: {"multi_avg_fn": u.get_swa_multi_avg_fn()}, lambda u: {"avg_fn": u.get_swa_avg_fn()},
]  # fmt: skip


@pytest.mark.parametrize("options", AVERAGES)
def test_averaged_models(options):
    torch.manual_seed(0)
    mine, other = models()
    a = swa_utils.AveragedModel(mine, **options(swa_utils))
    b = torch.optim.swa_utils.AveragedModel(other, **options(torch.optim.swa_utils))
    random = np.random.default_rng(0)
    for _ in range(5):
        for p, q in zip(mine.parameters(), other.parameters(), strict=True):
            value = random.standard_normal(p.shape).astype(np.float32)
            p.detach().copy_(gg.tensor(value))
            q.detach().copy_(torch.tensor(value))
        a.update_parameters(mine)
        b.update_parameters(other)
        check_models(a, b)
    assert a.n_averaged.item() == 5
    data = [random.standard_normal((8, 3)).astype(np.float32) for _ in range(3)]
    swa_utils.update_bn([gg.tensor(x) for x in data], a)
    torch.optim.swa_utils.update_bn([(torch.tensor(x), 0) for x in data], b)
    check_models(a, b)
    again = swa_utils.AveragedModel(mine, **options(swa_utils))
    again.load_state_dict({name: value.numpy() for name, value in b.state_dict().items()})
    check_models(again, b)
    x = gg.tensor(data[0])
    np.testing.assert_allclose(again.eval()(x).detach().numpy(), a.eval()(x).detach().numpy(), rtol=1e-5)


def test_averages_of_buffers_and_wrong_averages():
    model = nn.BatchNorm1d(2)
    average = swa_utils.AveragedModel(model, use_buffers=True, avg_fn=swa_utils.get_ema_avg_fn(0.5))
    average.update_parameters(model)
    model.running_mean.copy_(gg.ones(2))
    average.update_parameters(model)
    assert average.module.running_mean.tolist() == [0.5, 0.5]
    with pytest.raises(ValueError, match="got both"):
        swa_utils.AveragedModel(model, avg_fn=swa_utils.get_swa_avg_fn(), multi_avg_fn=swa_utils.get_swa_multi_avg_fn())
    with pytest.raises(ValueError, match="between 0 and 1"):
        swa_utils.get_ema_avg_fn(1.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        swa_utils.update_bn([gg.ones(2, 2)], nn.Linear(2, 2))


def test_averages_on_each_device(device):
    model = nn.Linear(2, 2).to(device)
    average = swa_utils.AveragedModel(model)
    start = model.weight.detach().clone()
    average.update_parameters(model)
    model.weight.detach().copy_(start + 1)
    average.update_parameters(model)
    assert average.module.weight.device == model.weight.device
    np.testing.assert_allclose((average.module.weight - start).tolist(), np.full((2, 2), 0.5), rtol=1e-5)
