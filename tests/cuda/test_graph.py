"""Whole steps as CUDA graphs: replays give what steps without a graph give, bit for bit, and refusals say why."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import CaptureError, DeviceError, ShapeError
from gpugrad.models.resnet import BasicBlock

F = nn.functional


def mlp():
    model = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.LayerNorm(16), nn.Linear(16, 4)).to("cuda")
    optimizer = gg.optim.AdamW(model.parameters(), lr=0.01)

    def step(x, target):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), target)
        loss.backward()
        optimizer.step()
        return loss

    return model, optimizer, step, [(gg.randn(6, 8), gg.randint(0, 4, (6,))) for _ in range(5)]


def resnet():
    stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2))
    stages = nn.Sequential(BasicBlock(4, 4), BasicBlock(4, 8, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model = nn.Sequential(stem, stages, nn.Linear(8, 3)).to("cuda")
    optimizer = gg.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, dampening=0.1, weight_decay=1e-3)
    schedule = gg.optim.lr_scheduler.StepLR(optimizer, 2)

    def step(x, target):
        loss = F.cross_entropy(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        return {"loss": loss}

    return model, optimizer, step, [(gg.randn(2, 3, 8, 8), gg.randint(0, 3, (2,))) for _ in range(5)]


class Block(nn.Module):
    """A small GPT of one block, with dropout wherever GPT-2 has it."""

    def __init__(self, vocabulary=17, length=8, width=32):
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 64), nn.GELU("tanh"), nn.Linear(64, width))
        self.drop, self.norm, self.head = nn.Dropout(0.2), nn.LayerNorm(width), nn.Linear(width, vocabulary)

    def forward(self, tokens):
        n, t = tokens.shape
        x = self.drop(self.tokens(tokens) + self.places(gg.arange(t, device=tokens.device)))
        q, k, v = self.qkv(self.norm(x)).reshape(n, t, 3, 2, -1).permute(2, 0, 3, 1, 4).unbind(0)
        heads = F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=0.2)
        x = x + self.drop(self.out(heads.swapaxes(1, 2).reshape(n, t, -1)))
        return self.head(x + self.drop(self.mlp(x)))


def gpt():
    """Mixed precision whose scale overflows in the first steps, clipping, dropout everywhere, a schedule inside."""
    model = Block().to("cuda")
    optimizer = gg.optim.AdamW(model.parameters(), lr=0.01)
    schedule = gg.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)
    scaler = gg.amp.GradScaler("cuda", init_scale=2.0**18, growth_interval=2)

    def step(tokens, target):
        optimizer.zero_grad()
        with gg.amp.autocast("cuda", dtype="float16"):
            loss = F.cross_entropy(model(tokens).reshape(-1, 17), target)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        schedule.step()
        return loss, [norm]

    step.scaler = scaler
    return model, optimizer, step, [(gg.randint(0, 17, (2, 8)), gg.randint(0, 17, (16,))) for _ in range(8)]


def moved(value):
    return value.to("cuda")


def values(out):
    """All numbers in what a step returned."""
    items = out.values() if isinstance(out, dict) else out if isinstance(out, (tuple, list)) else [out]
    return [v for item in items for v in ([item.tolist()] if isinstance(item, gg.Tensor) else values(item))]


def trained(network, captured):
    gg.manual_seed(1)
    model, optimizer, step, data = network()
    graph = gg.cuda.graph(step) if captured else step
    results, scales = [], []
    for x, target in data:
        results.append(values(graph(moved(x), moved(target))))
        scales.append(step.scaler.get_scale() if hasattr(step, "scaler") else None)
    state = optimizer.state_dict()
    numbers = [
        *(p.tolist() for p in model.state_dict().values()), *(p.grad.tolist() for p in model.parameters()),
        *({k: v.tolist() if isinstance(v, gg.Tensor) else v for k, v in s.items()} for s in state["state"].values()),
        [group["lr"] for group in state["param_groups"]], gg.rand(1).item(),
    ]  # fmt: skip
    return results, scales, numbers, graph


@pytest.mark.filterwarnings(
    "ignore:overflow", "ignore:invalid", "ignore:scheduler.step"
)  # what the scale of the loss is meant to find
@pytest.mark.parametrize("network", [mlp, resnet, gpt], ids=lambda n: n.__name__)
def test_replays_give_the_same_bits(cuda, network):
    results, scales, numbers, _ = trained(network, captured=False)
    replayed, replayed_scales, replayed_numbers, graph = trained(network, captured=True)
    assert str(replayed) == str(results) and replayed_scales == scales  # str: NaN is as good as NaN
    assert str(replayed_numbers) == str(numbers)
    assert graph.captures == 1
    if network is gpt:  # some steps were skipped, some were not
        changes = np.diff(np.log2(scales))
        assert (changes < 0).any() and (changes > 0).any()


@pytest.fixture
def emulated(cuda):
    if not gg.cuda.is_emulated():
        pytest.skip("a GPU does not list what a graph holds")
    return cuda


def test_what_a_graph_holds(emulated):
    """One launch updates all parameters; the table of their addresses is no work of the graph; nothing waits."""
    _, optimizer, step, data = mlp()
    graph = gg.cuda.graph(step)
    before = gg.cuda.emulator.waits()
    for x, target in data[:3]:
        graph(x, target)
    assert gg.cuda.emulator.waits() == before
    (captured,) = graph._ready.values()
    work = captured._capture.graph.work
    assert [w.name for w in work if w.kind == "kernel"][-1] == "optimizer_step<Adam, float, 2>"
    assert {w.kind for w in work} == {"kernel", "product", "call"}
    address = emulated.address
    inputs = {address(tensor._array) for tensor in captured._inputs}
    parameters = {address(p._array) for group in optimizer.param_groups for p in group["params"] if p.ndim == 2}
    used = {a for w in work for a in w.addresses}
    assert inputs <= used and parameters <= used
    assert not {address(t._array) for t in data[0] if t.device == "cuda"} & used


def test_new_shapes_and_settings_are_captured_anew(cuda):
    model = nn.Linear(3, 2).to(cuda)
    graph = gg.cuda.graph(lambda x, scale=1: model(x["of"]) * scale)
    for rows in (2, 5, 2, 5, 5):
        x = gg.randn(rows, 3, device=cuda)
        assert graph({"of": x}).tolist() == model(x).tolist()
    assert graph.captures == 2
    for _ in range(3):
        assert graph({"of": x}, scale=3).tolist() == (model(x) * 3).tolist()
    assert graph.captures == 3
    with gg.no_grad():
        graph({"of": x})
        graph({"of": x})
    assert graph.captures == 4
    graph.reset()
    graph({"of": x})
    assert graph.captures == 4


def test_results_are_copies(cuda):
    graph = gg.cuda.graph(lambda x: (x + 1, [x * 2]))
    found = [graph(gg.full((2,), float(i), device=cuda)) for i in range(4)]
    assert [(a.tolist(), b.tolist()) for a, (b,) in found] == [([i + 1.0] * 2, [i * 2.0] * 2) for i in range(4)]


def test_a_loaded_state_is_captured_anew(cuda):
    _, optimizer, step, data = mlp()
    graph = gg.cuda.graph(step)
    for x, target in data[:3]:
        graph(x, target)
    optimizer.load_state_dict(optimizer.state_dict())
    for x, target in data[:3]:
        graph(x, target)
    assert graph.captures == 2 and optimizer.state_dict()["state"][0]["step"] == 6


def test_options_of_the_optimizer_may_change_between_replays(cuda):
    w = nn.Parameter(gg.ones(2, device=cuda))
    optimizer = gg.optim.SGD([w], lr=0.5)

    @gg.cuda.graph
    def step():
        w.sum().backward()
        optimizer.step()

    for lr in (0.5, 0.25, 0.125):
        optimizer.param_groups[0]["lr"] = lr
        optimizer.zero_grad()
        step()
    assert w.tolist() == [0.125, 0.125] and step.captures == 1


def test_the_first_update_may_be_captured(cuda):
    """The first gradient enters the momentum whole, whatever the dampening; here a second parameter's comes late."""
    found = []
    for decorate in (gg.cuda.graph, lambda step: step):
        w, late = nn.Parameter(gg.ones(2, device=cuda)), nn.Parameter(gg.ones(2, device=cuda))
        optimizer = gg.optim.SGD([w, late], lr=0.5, momentum=0.5, dampening=0.25)
        late.requires_grad = False

        @decorate
        def step(x, w=w, late=late, optimizer=optimizer):
            optimizer.zero_grad()
            (w * x + late * x * x).sum().backward()
            optimizer.step()

        for i in range(4):
            step(gg.full((2,), 1.0 + i, device=cuda))
            late.requires_grad = True
        found.append([w.tolist(), late.tolist(), optimizer.state_dict()["state"][1]["momentum_buffer"].tolist()])
    assert found[0] == found[1]


def test_backward_through_a_changed_parameter_is_an_error(cuda):
    w = nn.Parameter(gg.ones(2, device=cuda))
    optimizer = gg.optim.SGD([w], lr=0.5)

    @gg.cuda.graph
    def step():
        optimizer.zero_grad()
        w.sum().backward()
        optimizer.step()

    step()
    step()
    loss = (w * w).sum()
    step()
    with pytest.raises(gg.errors.InplaceError, match="multiply: 'x'"):
        loss.backward()


def noisy(x):
    return x + gg.randn(3, device="cuda")


def listed(x):
    return x * gg.tensor([1.0, 2.0, 3.0], device="cuda")


def branching(x):
    return x if (x > 0).all() else -x


def added_up(x):
    WEIGHT.grad = gg.ones(3, device="cuda") if WEIGHT.grad is None else WEIGHT.grad
    (WEIGHT * x).sum().backward()


def without_kernel(x):
    WEIGHT.grad = None
    (WEIGHT * x).sum().backward()
    gg.optim.Adafactor([WEIGHT]).step()


def two_scales(x):
    for _ in range(2):
        WEIGHT.grad = None
        SCALER.scale((WEIGHT * x).sum()).backward()
        SCALER.step(OPTIMIZER)
        SCALER.update()


def plateau(x):
    PLATEAU.step(x.sum())


WEIGHT = OPTIMIZER = SCALER = PLATEAU = None
REFUSED = [
    (lambda x: x * x.sum().item(), "waits for a value", "x.sum().item()"),
    (branching, "waits for a value", "if (x > 0).all()"),
    (lambda x: x[x > 0], "getitem: .*number of elements", "x[x > 0]"),
    (lambda x: gg.nonzero(x), "nonzero: .*number of elements", "gg.nonzero(x)"),
    (lambda x: gg.sort(x), "sort: sort waits for the device", "gg.sort(x)"),
    (lambda x: x.long() @ x.long(), "matmul: matmul calls a library", "x.long() @"),
    (lambda x: gg.linalg.inv(x * gg.eye(3, device="cuda")), "inv: inv calls a library", "gg.linalg.inv("),
    (lambda x: F.dropout(x.long(), 0.5), "seeded_dropout: a seed is needed by value", "F.dropout("),
    (noisy, r"copies an array of shape \(3,\) from the host", "gg.randn(3"),
    (listed, r"copies an array of shape \(3,\) from the host", "gg.tensor("),
    (lambda x: x.cpu(), "waits for a value", "x.cpu()"),
    (lambda x: gg.cuda.synchronize(), "waits for the device", "gg.cuda.synchronize()"),
    (added_up, "added to the one from before the step", ".backward()"),
    (without_kernel, "Adafactor.step: its step is not one kernel", ".step()"),
    (two_scales, "GradScaler.update: the scale after it", "SCALER.update()"),
    (plateau, "ReduceLROnPlateau.step: it needs the value of a tensor", "PLATEAU.step("),
]


@pytest.mark.parametrize("function, reason, line", REFUSED, ids=[line for *_, line in REFUSED])
def test_refusals_say_why_and_where(emulated, monkeypatch, function, reason, line):
    weight = nn.Parameter(gg.ones(3, device="cuda"))
    optimizer = gg.optim.SGD([weight], lr=0.1)
    for name, value in {
        "WEIGHT": weight, "OPTIMIZER": optimizer, "SCALER": gg.amp.GradScaler("cuda", init_scale=8.0),
        "PLATEAU": gg.optim.lr_scheduler.ReduceLROnPlateau(optimizer),
    }.items():  # fmt: skip
        monkeypatch.setitem(globals(), name, value)
    graph = gg.cuda.graph(function)
    x = gg.tensor([1.0, 2.0, 3.0], device="cuda")
    graph(x)
    with pytest.raises(CaptureError, match=f"cannot be captured: .*{reason}") as raised:
        graph(x)
    assert "test_graph.py:" in str(raised.value) and line in str(raised.value).split("\n  at ")[1]
    assert (x + 1).tolist() == [2, 3, 4]  # the device is as before
    with pytest.raises(CaptureError):  # and nothing was kept of the capture
        graph(x)


def test_errors_of_the_step_are_its_own(cuda):
    graph, x = gg.cuda.graph(lambda x, y: x @ y), gg.ones(2, 3, device=cuda)
    with pytest.raises(ShapeError, match="matmul"):
        graph(x, x)
    with pytest.raises(CaptureError, match="hashable values; got a set"):
        graph({1, 2})
    with pytest.raises(CaptureError, match="requires a gradient"):
        for _ in range(2):
            graph(x.detach().requires_grad_(), gg.ones(3, 2, device=cuda))
    with pytest.raises(DeviceError, match="expected a cuda device, got cpu"):
        gg.cuda.graph(lambda: None, device="cpu")()


def test_what_arguments_alone_decide_is_made_once(cuda):
    """Numbers from Python and ranges: memory that each replay finds filled."""
    graph = gg.cuda.graph(
        lambda x: (x + gg.arange(3, device=cuda) * gg.full((3,), 2.0, device=cuda), gg.repeat(x, [2, 0, 1]))
    )
    for i in range(3):
        a, b = graph(gg.full((3,), float(i), device=cuda))
        assert a.tolist() == [i, i + 2, i + 4] and b.tolist() == [i, i, i]


def test_graphs_inside_of_graphs_are_part_of_them(cuda):
    inner = gg.cuda.graph(lambda x: x + 1)
    outer = gg.cuda.graph(lambda x: inner(x) * 2)
    assert [outer(gg.full((1,), float(i), device=cuda)).item() for i in range(3)] == [2, 4, 6]
    assert outer.captures == 1
