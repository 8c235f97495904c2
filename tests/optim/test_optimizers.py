"""Optimizers: PyTorch's numbers, state dicts, groups, clipping, and what they do to the graph."""

import math

import numpy as np
import pytest
import torch

import gpugrad as gg
from gpugrad import nn, optim
from gpugrad.backend.cpu import blas, loops
from gpugrad.errors import DTypeError, GradientError, InplaceError, OptionError, ShapeError, StateDictError
from gpugrad.optim import blocks

SHAPES = [(300, 200), (7,), (), (2, 3, 4), (0, 3)]
CASES = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "maximize": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("Adam", {"lr": 0.01}),
    ("Adam", {"lr": 0.01, "weight_decay": 0.1, "betas": (0.8, 0.9), "eps": 1e-3}),
    ("Adam", {"lr": 0.01, "amsgrad": True, "maximize": True}),
    ("Adam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.01, "amsgrad": True, "maximize": True}),
    ("NAdam", {"lr": 0.01}),
    ("NAdam", {"lr": 0.01, "weight_decay": 0.1, "momentum_decay": 0.1, "betas": (0.8, 0.9), "maximize": True}),
    ("NAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True, "eps": 1e-3}),
    ("RAdam", {"lr": 0.01}),
    ("RAdam", {"lr": 0.01, "weight_decay": 0.1, "betas": (0.8, 0.9), "eps": 1e-3}),
    ("RAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("Adamax", {"lr": 0.01}),
    ("Adamax", {"lr": 0.01, "weight_decay": 0.1, "betas": (0.8, 0.9), "eps": 1e-3, "maximize": True}),
    ("Adagrad", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5, "maximize": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.8, "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
    ("RMSprop", {"lr": 0.01}),
    ("RMSprop", {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1, "maximize": True}),
    ("RMSprop", {"lr": 0.01, "centered": True, "alpha": 0.8, "eps": 1e-3}),
    ("RMSprop", {"lr": 0.01, "centered": True, "momentum": 0.5, "eps": 1e-2}),
    ("Rprop", {"lr": 0.01}),
    ("Rprop", {"lr": 0.01, "etas": (0.4, 1.5), "step_sizes": (5e-3, 0.02), "maximize": True}),
    ("ASGD", {"lr": 0.01}),
    ("ASGD", {"lr": 0.1, "lambd": 0.1, "alpha": 0.6, "t0": 10, "weight_decay": 0.1, "maximize": True}),
    ("Adafactor", {"lr": 0.1}),
    (
        "Adafactor",
        {"lr": 0.1, "beta2_decay": -0.5, "eps": (1e-3, 0.1), "d": 1.5, "weight_decay": 0.1, "maximize": True},
    ),
]
IDS = [f"{name}-{'-'.join(options)}" for name, options in CASES]


def shapes_of(name):
    return SHAPES[:-1] if name == "Adafactor" else SHAPES  # whose norms PyTorch divides by the number of elements


def pair(random, dtype=np.float64, shapes=SHAPES):
    values = [np.asarray(random.standard_normal(shape), dtype) for shape in shapes]
    return [nn.Parameter(gg.tensor(v)) for v in values], [torch.nn.Parameter(torch.tensor(v)) for v in values]


def step(random, ours, theirs, a, b):
    for p, q in zip(ours, theirs, strict=True):
        g = np.asarray(random.standard_normal(p.shape), p.dtype)
        p.grad, q.grad = gg.tensor(g), torch.tensor(g)
    a.step()
    b.step()


def check(ours, theirs, rtol):
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=rtol, atol=rtol)


@pytest.fixture(autouse=True)
def counts_in_float64():
    """PyTorch keeps the counts and products in its state in the default dtype."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_fifty_steps_agree_with_torch(name, options):
    random = np.random.default_rng(0)
    ours, theirs = pair(random, shapes=shapes_of(name))
    a, b = getattr(optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options)
    for _ in range(50):
        step(random, ours, theirs, a, b)
    check(ours, theirs, 1e-12)
    for p, q in zip(ours, theirs, strict=True):
        for name, value in b.state[q].items():
            mine = a.state[p][name]
            np.testing.assert_allclose(getattr(mine, "tolist", lambda m=mine: m)(), value.tolist(), 1e-12, 1e-12)


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_state_dicts_go_both_ways(name, options):
    random = np.random.default_rng(0)
    ours, theirs = pair(random, shapes=shapes_of(name))
    a, b = getattr(optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options)
    for _ in range(3):
        step(random, ours, theirs, a, b)
    a2, b2 = getattr(optim, name)(ours, lr=0.5), getattr(torch.optim, name)(theirs, lr=0.5)
    a2.load_state_dict(b.state_dict())
    given = a.state_dict()
    for number, state in b.state_dict()["state"].items():
        assert state.keys() == given["state"][number].keys()
    for state in given["state"].values():
        state.update({k: torch.tensor(v.numpy()) for k, v in state.items() if isinstance(v, gg.Tensor)})
    b2.load_state_dict(given)
    for _ in range(3):
        step(random, ours, theirs, a2, b2)
    check(ours, theirs, 1e-12)


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_layouts_on_each_device(device, name, options):
    """Transposed gradients and parameters are updated by the formula itself, on cuda as well."""
    random = np.random.default_rng(0)
    start = random.standard_normal((4, 6))
    p, q = nn.Parameter(gg.tensor(start, device=device).T), torch.nn.Parameter(torch.tensor(start).T)
    a, b = getattr(optim, name)([p], **options), getattr(torch.optim, name)([q], **options)
    for _ in range(4):
        g = random.standard_normal((6, 4))
        p.grad, q.grad = gg.tensor(g, device=device), torch.tensor(g)
        a.step()
        b.step()
    np.testing.assert_allclose(p.detach().cpu().numpy(), q.detach().numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("threads", "small", "block"), [(2, 0, 64), (3, 0, 64), (2, 10, 64), (3, 10, 8)])
def test_blocks_and_threads_do_not_change_the_result(monkeypatch, threads, small, block):
    shapes = [(100, 70), (), (3, 0), (7,), (70, 100), (1,)]

    def made(random, i):
        array = random.standard_normal(shapes[i], np.float32)
        return gg.from_numpy(array.T if i == 4 else np.asarray(array))

    def run():
        random = np.random.default_rng(0)
        parameters = [nn.Parameter(made(random, i)) for i in range(len(shapes))]
        optimizer = optim.Adam(parameters, lr=0.1, fused=True)
        for _ in range(3):
            for i, p in enumerate(parameters):
                p.grad = made(random, i)
            optimizer.step()
        return [p.detach().numpy() for p in parameters]

    whole = run()
    for name, value in {
        "BLOCK_SIZE": block,
        "THREAD_SIZE": 1,
        "LARGE_ARRAY": 1,
        "CALL_COST": 1,
        "SMALL_ARRAY": small,
    }.items():
        monkeypatch.setattr(blocks, name, value)
    monkeypatch.setattr("gpugrad.backend.cpu.threads._count", threads)
    for cut, expected in zip(run(), whole, strict=True):
        np.testing.assert_array_equal(cut, expected)


@pytest.mark.parametrize(("setting", "first"), [("off", 292485), ("on", 292480)])
def test_the_blocks_of_an_mlp(monkeypatch, setting, first):
    """The example of `blocks`: three updates, of which two threads take equal parts; a loop's is whole vectors."""
    if setting == "on" and loops.problem():
        pytest.skip(f"loops are not compiled: {loops.problem()}")
    monkeypatch.setattr("gpugrad.backend.cpu.threads._count", 2)
    parameters = [p for n, m in ((784, 512), (512, 256), (256, 10)) for p in nn.Linear(n, m).parameters()]
    optimizer = optim.Adam(parameters)
    for p in parameters:
        p.grad = gg.ones(p.shape)
    given = []
    monkeypatch.setattr(blocks.threads, "parallel", lambda task, parts: given.extend(list(part) for part in parts))
    update = blocks.GroupUpdate(optimizer, optimizer.param_groups[0])
    with loops.switched(setting):
        update.add(parameters)
        update.run()
    sizes = [[[arrays[0].size for arrays in members] for _, _, members, _ in part] for part in given]
    assert sizes == [[[first]], [[401408 - first], [131072], [512, 256, 2560, 10]]]
    assert update._parts() == [slice(0, 292485), slice(292485, 584970)]


@pytest.mark.parametrize("name", ["SGD", "AdamW", "RMSprop", "ASGD"])
def test_a_blas_that_cannot_add_arrays_does_not_change_the_result(monkeypatch, name):
    def run():
        p = nn.Parameter(gg.from_numpy(np.random.default_rng(0).standard_normal(1000)))
        options = {"momentum": 0.9} if name in ("SGD", "RMSprop") else {}
        optimizer = getattr(optim, name)([p], lr=0.1, **options)
        for _ in range(3):
            p.grad = p.detach() ** 3
            optimizer.step()
        return p.detach().numpy()

    with_blas = run()
    monkeypatch.setattr(blas, "axpby", lambda *args: False)
    np.testing.assert_allclose(run(), with_blas, 1e-14, 1e-14)


def test_a_step_of_length_zero_still_shows_nan():
    p = nn.Parameter(gg.tensor([1.0, 2.0, 3.0]))
    p.grad = gg.tensor([0.0, 1.0, math.nan])
    optim.SGD([p], lr=0.0).step()
    np.testing.assert_array_equal(p.detach().numpy(), [1.0, 2.0, math.nan])  # to BLAS, 0 times NaN is nothing


def test_transposed_gradients_and_parameters():
    random = np.random.default_rng(0)
    w, g = random.standard_normal((2, 300, 400))
    for transposed in (w.T, np.ascontiguousarray(w.T)):
        p = nn.Parameter(gg.from_numpy(transposed.copy("K")))
        p.grad = gg.from_numpy(g.T)
        optim.SGD([p], lr=0.1).step()
        np.testing.assert_allclose(p.detach().numpy(), w.T - 0.1 * g.T)


@pytest.mark.parametrize("dtype", [gg.float16, "bfloat16"])
def test_sixteen_bit_parameters_are_rounded_once(dtype):
    p = nn.Parameter(gg.tensor([1.0, 2.0, 3.0], dtype=dtype))
    p.grad = gg.tensor([0.5, 0.25, 0.125], dtype=dtype)
    optim.SGD([p], lr=0.1).step()
    expected = gg.tensor(np.float32([1.0, 2.0, 3.0]) - np.float32(0.1) * np.float32([0.5, 0.25, 0.125]), dtype=dtype)
    assert p.dtype == expected.dtype
    assert p.tolist() == expected.tolist()


def test_groups_and_parameters_without_a_gradient():
    a, b, c = (nn.Parameter(gg.ones(2)) for _ in range(3))
    optimizer = optim.SGD([{"params": [a]}, {"params": b, "lr": 1.0}], lr=0.1)
    optimizer.add_param_group({"params": [c]})
    a.grad, b.grad = gg.ones(2), gg.ones(2)
    optimizer.step()
    assert a.tolist() == pytest.approx([0.9, 0.9])
    assert b.tolist() == [0, 0]
    assert c.tolist() == [1, 1]
    assert optimizer.state_dict()["param_groups"][1]["params"] == [1]
    with pytest.raises(ValueError, match="given twice"):
        optimizer.add_param_group({"params": [a]})


def test_closure_and_zero_grad():
    p = nn.Parameter(gg.tensor([3.0]))
    optimizer = optim.SGD([p], lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with gg.no_grad():
        assert optimizer.step(closure).item() == 9
    assert p.item() == 0
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0]
    optimizer.zero_grad()
    assert p.grad is None


def test_a_graph_from_before_the_step_is_stale():
    p = nn.Parameter(gg.tensor([3.0]))
    loss = (p * p).sum()
    p.grad = gg.ones(1)
    optim.SGD([p], lr=0.5).step()
    with pytest.raises(InplaceError, match=r"SGD\.step changed it at .*test_optim"):
        loss.backward()


def test_wrong_arguments():
    p = nn.Parameter(gg.ones(2))
    for make in (
        lambda: optim.SGD([p], lr=-1),
        lambda: optim.SGD([p], nesterov=True),
        lambda: optim.Adam([p], betas=(1, 0)),
    ):
        with pytest.raises(ValueError, match=r"SGD|Adam"):
            make()
    with pytest.raises(ValueError, match="no parameters"):
        optim.SGD([])
    with pytest.raises(TypeError, match="one tensor"):
        optim.SGD(p)
    with pytest.raises(ValueError, match="not a leaf"):
        optim.SGD([p * 2])
    other = optim.Adam([nn.Parameter(gg.ones(3))])
    other.param_groups[0]["params"][0].grad = gg.ones(3)
    other.step()
    with pytest.raises(StateDictError, match=r"shape \(3,\)"):
        optim.Adam([p]).load_state_dict(other.state_dict())
    with pytest.raises(StateDictError, match=r"\[1\].*\[2\]"):
        optim.Adam([p, nn.Parameter(gg.ones(1))]).load_state_dict(other.state_dict())


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("SGD", {"lr": math.nan}, "lr must not be negative, got nan"),
        ("SGD", {"lr": -1}, "lr must not be negative, got -1"),
        ("SGD", {"lr": "0.1"}, "lr must be a number, got '0.1'"),
        ("SGD", {"dampening": math.nan}, "dampening must be a number, got nan"),
        ("SGD", {"nesterov": True}, "nesterov needs a momentum above 0 .* got momentum=0"),
        ("Adam", {"betas": (0.9,)}, r"betas must be two numbers .* got \(0.9,\)"),
        ("Adam", {"betas": (0.9, 1.0)}, r"betas must be .* below 1, got \(0.9, 1.0\)"),
        ("Adam", {"betas": (0.9, math.nan)}, "betas must be two numbers"),
        ("Adam", {"betas": 0.9}, "betas must be two numbers"),
        ("AdamW", {"eps": -1e-8}, "eps must not be negative, got -1e-08"),
        ("Adadelta", {"rho": 2.0}, "rho must be between 0 and 1, got 2.0"),
        ("Rprop", {"etas": (0.5, 0.9)}, "etas must be"),
        ("Rprop", {"step_sizes": (1.0, 0.5)}, "step_sizes must be"),
        ("Adafactor", {"d": 0.5}, "d at least 1"),
        ("Muon", {"ns_coefficients": (1, 2)}, "3 ns_coefficients"),
        ("LBFGS", {"line_search_fn": "armijo"}, "'armijo'"),
    ],
)
def test_options_are_checked_on_construction_in_groups_and_on_load(name, options, message):
    cls = getattr(optim, name)
    a, b = nn.Parameter(gg.ones(2, 2)), nn.Parameter(gg.ones(2, 2))
    with pytest.raises(OptionError, match=f"{name}: .*{message}"):
        cls([a], **options)
    with pytest.raises(OptionError, match=f"{name}: .*{message}"):
        cls([{"params": [a], **options}])
    optimizer = cls([a])
    state = optimizer.state_dict()
    state["param_groups"][0].update(options)
    with pytest.raises(OptionError, match=f"{name}: .*{message}"):
        optimizer.load_state_dict(state)
    assert optimizer.param_groups[0].items() >= optimizer.defaults.items()  # nothing was taken over
    with pytest.raises(OptionError, match=f"{name}: .*{'one group' if name == 'LBFGS' else message}"):
        optimizer.add_param_group({"params": [b], **options})
    assert len(optimizer.param_groups) == 1


def test_options_that_belong_to_others_are_kept():
    p = nn.Parameter(gg.ones(2))
    optimizer = optim.SGD([{"params": [p], "scale": -1, "lr": np.float32(0.5)}], weight_decay=gg.tensor(0.25))
    group = optimizer.param_groups[0]
    assert group["scale"] == -1
    assert (type(group["lr"]), group["lr"]) == (float, 0.5)
    assert (type(group["weight_decay"]), group["weight_decay"]) == (float, 0.25)


def test_the_gradient_of_a_scalar_parameter_is_an_array():
    p = nn.Parameter(gg.tensor(2.0))
    for create_graph in (False, True):
        p.grad = None
        for _ in range(2):
            (gg.tensor([3.0, 4.0]) * p).sum().backward(create_graph=create_graph)
        assert isinstance(p.grad._array, np.ndarray)
        p.grad = p.grad.detach()
        p.grad.mul_(2)
        assert p.grad.item() == 28
        assert nn.utils.clip_grad_norm_([p], 7.0).item() == 28
        assert p.grad.item() == pytest.approx(7)
    (g,) = gg.grad((gg.tensor([3.0, 4.0]) * p).sum(), p)
    assert g.mul_(2).item() == 14


@pytest.mark.parametrize(
    ("gradient", "error", "message"),
    [
        (gg.ones(1), ShapeError, r"shape \(3,\) .*got shape \(1,\)"),
        (gg.ones(3, 1), ShapeError, r"got shape \(3, 1\)"),
        (gg.ones(3, dtype="float64"), DTypeError, "dtype float32 .*got dtype float64"),
        (1.0, DTypeError, "expected a Tensor .*got a float"),
        (np.ones(3, np.float32), DTypeError, "expected a Tensor .*got a ndarray"),
    ],
)
def test_a_gradient_must_be_like_its_tensor(gradient, error, message):
    for p in (nn.Parameter(gg.ones(3)), gg.ones(3, requires_grad=True)):
        with pytest.raises(error, match=f"grad: .*{message}"):
            p.grad = gradient
        assert p.grad is None


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_clipping_of_sixteen_bit_gradients(device, dtype):
    """The squares of 300 and 400 are infinite in float16."""
    p = nn.Parameter(gg.zeros(2, dtype=dtype, device=device))
    p.grad = gg.tensor([300.0, 400.0], dtype=dtype, device=device)
    norm = nn.utils.clip_grad_norm_([p], 1.0)
    assert norm.item() == 500 and norm.dtype == gg.float32
    np.testing.assert_allclose(p.grad.float().cpu().numpy(), [0.6, 0.8], rtol=2**-8)


def test_norms_of_empty_gradients():
    norms = [nn.utils.get_total_norm([gg.ones(0), gg.tensor([3.0])], p).item() for p in (0, 2, math.inf, -math.inf)]
    assert norms == [1, 3, 3, 3]


@pytest.mark.parametrize("norm_type", [0.0, 1.0, 2.0, 3.0, float("inf"), -float("inf")])
@pytest.mark.parametrize("max_norm", [0.5, 1e6])
def test_clip_grad_norm(norm_type, max_norm):
    random = np.random.default_rng(0)
    ours, theirs = pair(random)
    for p, q in zip(ours[:4], theirs[:4], strict=True):
        g = np.asarray(random.standard_normal(p.shape))
        p.grad, q.grad = gg.tensor(g), torch.tensor(g)
    norm = nn.utils.clip_grad_norm_(ours, max_norm, norm_type)
    expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type)
    assert norm.item() == pytest.approx(expected.item(), rel=1e-12)
    check([p.grad for p in ours[:4]], [q.grad for q in theirs[:4]], 1e-12)


def test_clip_grad_value_and_nonfinite_norms():
    p = nn.Parameter(gg.zeros(3))
    p.grad = gg.tensor([-2.0, 0.5, 2.0])
    nn.utils.clip_grad_value_([p], 1.0)
    assert p.grad.tolist() == [-1, 0.5, 1]
    p.grad = gg.tensor([np.nan, 0.0, 0.0])
    with pytest.raises(GradientError, match="nan"):
        nn.utils.clip_grad_norm_(p, 1.0, error_if_nonfinite=True)


def test_parameters_as_a_vector():
    a, b = nn.Parameter(gg.ones(2, 2)), nn.Parameter(gg.zeros(1))
    assert nn.utils.parameters_to_vector([a, b]).tolist() == [1, 1, 1, 1, 0]
    nn.utils.vector_to_parameters(gg.arange(5.0), [a, b])
    assert a.tolist() == [[0, 1], [2, 3]]
    assert b.tolist() == [4]
    with pytest.raises(ValueError, match="5 values expected"):
        nn.utils.vector_to_parameters(gg.ones(4), [a, b])
