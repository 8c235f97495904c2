"""The Trainer, and what looks into a network while it trains."""

import re
import signal
import sys

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.data import DataLoader, TensorDataset
from gpugrad.errors import MissingPackageError, StateDictError, TrainingError
from gpugrad.nn.functional import cross_entropy, mse_loss
from gpugrad.optim import SGD, AdamW
from gpugrad.optim.lr_scheduler import ReduceLROnPlateau
from gpugrad.train import Trainer, dead_units, falling, gradient_norms, nan_watch


def network(device="cpu"):
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3)).to(device)


@pytest.fixture(autouse=True)
def interrupts():
    """Ctrl-C raises KeyboardInterrupt, also where the tests run in the background of a shell, which has it ignored, and
    so does SIGTERM, as under the command line."""
    before = {n: signal.signal(n, signal.default_int_handler) for n in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def data():
    x = gg.randn(30, 4)
    return TensorDataset(x, x[:, :3].argmax(1))


def trainer(model, lr=0.02, **options):
    options = {"progress": False, **options}
    return Trainer(model, AdamW(model.parameters(), lr=lr), cross_entropy, **options)


@pytest.mark.parametrize("watch", [False, True])
def test_it_is_the_plain_loop(data, device, watch):
    gg.manual_seed(1)
    model = network(device)
    loader, optimizer, expected = DataLoader(data, 7, shuffle=True, device=device), AdamW(model.parameters(), 0.02), []
    for _ in range(3):
        for x, y in loader:
            loss = cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            expected.append(loss.item())
    gg.manual_seed(1)
    run = trainer(network(device), watch=watch, device=device)
    assert run.fit(DataLoader(data, 7, shuffle=True), 3) == expected
    assert (run.epoch, run.step) == (3, 15)
    assert sum(expected[-5:]) < sum(expected[:5])


def test_it_waits_rarely_without_watch(data):
    """Without `watch`, a GPU is waited for once in twenty steps."""
    if not gg.cuda.is_available():
        pytest.skip("needs a cuda device")
    from gpugrad.backend.cuda import is_emulated

    if not is_emulated():
        pytest.skip("counts the emulator's waits")
    from gpugrad.backend.cuda.emulator.arrays import waits

    run = trainer(network("cuda"), watch=False, device="cuda")
    run.fit(DataLoader(data, 7), 1)
    before = waits()
    run.fit(DataLoader(data, 7), 5)
    assert waits() - before == 4  # once for each epoch of five steps


def test_schedulers_validation_and_clipping(data):
    class Count:
        """Counts steps, with the metric that it is given, if it asks for one."""

        def __init__(self):
            self.seen = []

        def step(self, metrics):
            self.seen.append(metrics)

    class Steps:
        count = 0

        def step(self):
            self.count += 1

    plateau, steps, loader = Count(), Steps(), DataLoader(data, 10)
    run = trainer(network(), scheduler=plateau)
    run.fit(loader, 2, DataLoader(data, 8))
    assert plateau.seen == run.validation and len(run.validation) == 2
    model = run.model.eval()
    x, y = data.tensors
    np.testing.assert_allclose(run.validation[1], cross_entropy(model(x), y).item(), rtol=1e-5)
    run = trainer(network(), scheduler=plateau)
    run.fit(loader, 1)
    np.testing.assert_allclose(plateau.seen[2], np.mean(run.losses))
    trainer(network(), scheduler=steps, scheduled="step").fit(loader, 2)
    assert steps.count == 6
    with pytest.raises(ValueError, match="scheduled must be"):
        trainer(network(), scheduled="hour")
    model = network()
    before = model[0].weight.detach().numpy().copy()
    run = Trainer(model, SGD(model.parameters(), lr=1.0), cross_entropy, clip=1e-3, progress=False)
    run.fit(DataLoader(data, 30), 1)
    assert 0 < np.linalg.norm(model[0].weight.detach().numpy() - before) <= 1.1e-3


def test_a_subclass_has_its_own_batches(data):
    class Reconstruct(Trainer):
        def loss_of(self, batch):
            return mse_loss(self.model(batch["x"]), batch["x"])

    model = nn.Linear(4, 4)
    run = Reconstruct(model, SGD(model.parameters(), lr=0.1), progress=False)
    losses = run.fit([{"x": gg.randn(20, 4)} for _ in range(50)], 2)
    assert losses[-1] < 0.5 * losses[0]
    with pytest.raises(TrainingError, match="define loss_of"):
        Trainer(model, None, progress=False).loss_of(None)


def test_a_scaler_is_used_as_pytorch_says(data):
    class Scaler:
        calls = []

        def scale(self, loss):
            self.calls.append("scale")
            return loss * 4

        def __getattr__(self, name):
            def call(optimizer=None):
                self.calls.append(name)
                if name == "step":
                    optimizer.step()

            return call

    model = network()
    run = Trainer(model, SGD(model.parameters(), 0.1), cross_entropy, scaler=Scaler(), clip=1.0, progress=False)
    loss = run.train_step(data.tensors)
    assert Scaler.calls == ["scale", "unscale_", "step", "update"]
    assert loss.item() < 3  # the loss itself, not the scaled one


def test_a_run_goes_on(data, tmp_path):
    def make():
        return trainer(network(), checkpoint=tmp_path / "run"), DataLoader(data, 7, shuffle=True)

    run, loader = make()
    run.fit(loader, 2)
    expected = trainer(network())
    expected.load(tmp_path / "run", again := DataLoader(data, 7, shuffle=True))
    expected.fit(again, 4)
    gg.manual_seed(77)
    other, loader = make()
    other.load(tmp_path / "run", loader)
    assert (other.epoch, other.step, other.losses) == (2, 10, run.losses)
    assert other.fit(loader, 4) == expected.losses and len(other.losses) == 20
    other.draw(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


class Interrupted(Trainer):
    """Is interrupted in its step `at`, by the signal of Ctrl-C or an error."""

    at, press = 3, staticmethod(lambda: signal.raise_signal(signal.SIGINT))

    def loss_of(self, batch):
        loss = super().loss_of(batch)
        if self.model.training and len(self.losses) + 1 == self.at:
            self.at = None
            self.press()
        return loss


def terminate():
    signal.raise_signal(signal.SIGTERM)


def raise_interrupt():
    raise KeyboardInterrupt


def fail():
    raise RuntimeError("no memory")


def interrupted_run(data, path, **settings):
    """The losses of a run that is interrupted, saved, and gone on with by others."""

    def make(kind):
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        plateau = ReduceLROnPlateau(optimizer := AdamW(model.parameters(), lr=0.02), patience=0, threshold=0.5)
        run = kind(model, optimizer, cross_entropy, scheduler=plateau, progress=False)
        return run, DataLoader(data, 7, shuffle=True)

    gg.manual_seed(1)
    run, loader = make(Interrupted)
    for name, value in settings.items():
        setattr(run, name, value)
    with pytest.raises((KeyboardInterrupt, RuntimeError)):
        run.fit(loader, 4)
    run.save(path)
    gg.manual_seed(2)
    other, loader = make(Trainer)
    other.load(path, loader)
    other.fit(loader, 4)
    return run, other


@pytest.mark.parametrize(
    "press",
    [Interrupted.press, terminate, raise_interrupt, fail],
    ids=["ctrl-c", "SIGTERM", "KeyboardInterrupt", "error"],
)
@pytest.mark.parametrize("at", [1, 3, 5, 13])
def test_a_run_that_is_interrupted_in_a_step_loses_no_batch(data, tmp_path, at, press):
    _, expected = interrupted_run(data, tmp_path / "run", at=20, press=fail)  # in its last step
    run, other = interrupted_run(data, tmp_path / "run", at=at, press=press)
    assert len(other.losses) == other.step == 20 and other.epoch == 4
    assert other.losses == expected.losses
    assert len(run.losses) == (at if press in (Interrupted.press, terminate) else at - 1)  # they wait for the step
    for number in (signal.SIGINT, signal.SIGTERM):
        assert signal.getsignal(number) is signal.default_int_handler


def test_a_second_ctrl_c_does_not_wait(data):
    run, loader = trainer(network()), DataLoader(data, 7)

    def press(batch):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    run.loss_of = press
    with pytest.raises(KeyboardInterrupt):
        run.fit(loader, 1)
    assert run.step == 0 and loader.state_dict()["batches"] == 0


def test_an_interrupted_fit_goes_on(data):
    """The same trainer takes up the batch whose step was broken off."""
    model, loader = network(), DataLoader(data, 7)
    run = Interrupted(model, AdamW(model.parameters()), cross_entropy, progress=False)
    run.press = raise_interrupt
    with pytest.raises(KeyboardInterrupt):
        run.fit(loader, 2)
    assert run.step == 2
    assert len(run.fit(loader, 2)) == 10 and run.epoch == 2


def test_an_interruption_between_pass_and_epoch(data, tmp_path):
    """Interrupted in its validation, a run goes on with it: no step is made twice, the epoch's end is not left out."""
    run, loader = trainer(network()), DataLoader(data, 7, shuffle=True)

    def broken():
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        run.fit(loader, 2, validation=broken())
    run.save(tmp_path / "run")
    other, loader = trainer(network()), DataLoader(data, 7, shuffle=True)
    other.load(tmp_path / "run", loader)
    assert (other.epoch, other.step) == (0, 5)
    assert len(other.fit(loader, 2, validation=[data.tensors])) == 10 and len(other.validation) == 2


def test_states_that_are_none(data):
    run = trainer(network())
    run.fit(DataLoader(data, 7), 1)
    good = run.state_dict()
    trainer(network()).load_state_dict({n: good[n] for n in ("epoch", "step", "losses", "validation")})  # an older file
    for odd in ({}, {"epoch": "x"}, {"epoch": -1}, {"losses": [[1.0]]}, {"losses": ["a"]}, {"validation": None}):
        with pytest.raises(StateDictError, match="Trainer: "):
            run.load_state_dict({**good, **odd} if odd else {})
        assert run.epoch == 1 and len(run.losses) == 5


def test_a_long_run_can_be_saved(data, tmp_path):
    run = trainer(network())
    run.losses, run.step = [0.5] * 3_000_000, 3_000_000
    run.save(tmp_path / "run")
    other = trainer(network())
    other.load(tmp_path / "run")
    assert other.losses == run.losses


@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_nan_is_named_before_it_spreads(device):
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 3))).to(device)
    run = trainer(model, device=device)
    x, y = gg.ones(6, 4), gg.tensor([0, 1, 2, 0, 1, 2])
    run.fit([(x, y)], 1)
    before = [p.tolist() for p in model.parameters()]
    bad = x.clone()
    bad._array[2, 1] = np.nan
    with pytest.raises(
        TrainingError,
        match=r"step 2: the loss is nan; the output \(6, 4\) of layer '0' \(Linear\) .*: 4 of 24 .*input is not finite",
    ):
        run.fit([(bad, y)], 2)
    assert [p.tolist() for p in model.parameters()] == before
    model[2][1].weight.data[1, 1] = float("inf")
    with pytest.raises(TrainingError, match=r"layer '2\.1' \(Linear\).*its input is finite; its weight is not finite"):
        run.fit([(x, y)], 2)
    assert not model(x.to(device=device)).isfinite().all()  # no hook is left


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_a_bad_gradient_is_named(device):
    class Root(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(3, 3)

        def forward(self, x):
            return self.inner(x * 0).sum(1, keepdims=True) * gg.ones(1, 3, device=x.device)

    model = nn.Sequential(nn.Linear(4, 3), Root()).to(device)
    model[1].inner.bias.data[...] = 0
    run = Trainer(model, SGD(model.parameters(), 0.1), lambda out, y: (out.sum() ** 2).sqrt(), progress=False)
    message = r"step 1: the gradient of 'bias' in layer '1\.inner' \(Linear\) is not finite, and those of 3"
    with pytest.raises(TrainingError, match=message):
        run.fit([(gg.ones(2, 4, device=device), None)], 1)
    with pytest.raises(TrainingError, match="though every layer's output is finite"):
        run.loss = lambda out, y: out.sum() * float("nan")
        run.fit([(gg.ones(2, 4, device=device), None)], 1)


def test_gradient_norms(device):
    model = network(device)
    assert gradient_norms(model) == {}
    model(gg.ones(5, 4, device=device)).sum().backward()
    norms = gradient_norms(model)
    assert list(norms) == [name for name, _ in model.named_parameters()]
    for name, norm in norms.items():
        np.testing.assert_allclose(norm, np.linalg.norm(model.get_parameter(name).grad.cpu().numpy()), rtol=1e-5)


def test_nan_watch_leaves_good_networks_alone(device):
    model = network(device)
    with nan_watch(model):
        model(gg.ones(2, 4, device=device))
    with pytest.raises(TrainingError, match="layer '3'"), nan_watch(model):
        model[3].bias.data[0] = float("nan")
        model(gg.ones(2, 4, device=device))


def test_dead_units(device):
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 4), nn.ReLU(), nn.Linear(4, 2))
    model.to(device)
    model[0].bias.data[1] = -100.0
    model[3].bias.data[...] = gg.tensor([50.0, -100.0, 50.0, -100.0], device=device)
    model[0].weight.data[2] = 1.0
    model[0].bias.data[2] = -8.5  # alive for the first images only
    images = gg.rand(20, 1, 4, 4, device=device)
    images._array[:10] = 1
    found = dead_units(model, [(images[:10], None), images[10:]])
    assert [(u.layer, u.units) for u in found] == [("1", 3), ("4", 4)]
    assert 1 in found[0].dead and 2 not in found[0].dead and found[1].dead == [1, 3]
    assert str(found[1]) == "4: 2 of 4 units are dead (50%)"
    assert model.training


def test_overfit(data):
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    run = trainer(model, lr=0.1)
    before, state = [p.tolist() for p in model.parameters()], run.optimizer.state_dict()
    losses = run.overfit((data.tensors[0][:4], data.tensors[1][:4]), steps=150, to=0.2)
    assert losses[-1] < 0.2 * losses[0] and len(losses) == 150
    assert [p.tolist() for p in model.parameters()] == before and run.optimizer.state_dict() == state
    assert all(p.grad is None for p in model.parameters()) and run.losses == []

    class Cut(nn.Sequential):
        def forward(self, x):
            return self[1](self[0](x).detach()) * 0

    model = Cut(nn.Linear(4, 5), nn.Linear(5, 3))
    with pytest.raises(
        TrainingError, match=r"after 5 steps on one batch the loss is 1\.099.*no gradient reaches 0\.weight, 0\.bias"
    ):
        trainer(model).overfit(data.tensors, steps=5)


def test_the_bar(data, capsys):
    trainer(network(), progress=True).fit(DataLoader(data, 10), 2)
    shown = capsys.readouterr().err
    assert "6/6" in shown and re.search(r"step/s, epoch=\d, loss=\d\.\d{4}", shown)


def test_optional_packages(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(MissingPackageError, match=r"tensorboardX: pip install 'gpugrad\[train\]'"):
        trainer(network(), log_dir=tmp_path)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(MissingPackageError, match="the progress bar needs tqdm"):
        trainer(network(), progress=True).fit([], 1)


def test_the_progress_bar_is_a_widget_in_a_notebook_and_text_elsewhere(data, monkeypatch, capsys):
    auto = pytest.importorskip("tqdm.auto")
    trainer(network(), progress=True).fit(DataLoader(data, 10), 1)
    assert re.search(r"100%\|█+\| (\d+)/\1 .*loss=\d", capsys.readouterr().err)
    shown = []

    class Widget(auto.tqdm):  # what tqdm.auto gives in a notebook is another class
        def update(self, n=1):
            shown.append(n)

    monkeypatch.setattr(auto, "tqdm", Widget)
    assert len(trainer(network(), progress=True).fit(DataLoader(data, 10), 1)) == sum(shown)


@pytest.mark.filterwarnings("ignore")
def test_tensorboard(data, tmp_path):
    board = pytest.importorskip("tensorboardX")
    run = trainer(network(), log_dir=tmp_path)
    for epochs in (1, 2):
        run.fit(DataLoader(data, 10), epochs, DataLoader(data, 10))
    files = sorted(tmp_path.iterdir(), key=lambda file: file.name.rpartition(".")[2])
    assert len(files) == 2
    seen = {}
    for record in (record for file in files for record in _records(file)):
        event = board.proto.event_pb2.Event.FromString(record)
        for value in event.summary.value:
            seen.setdefault(value.tag, []).append((event.step, value.simple_value))
    np.testing.assert_allclose([v for _, v in seen["loss"]], run.losses, rtol=1e-6)
    assert [step for step, _ in seen["loss"]] == [step for step, _ in seen["gradient_norm"]] == list(range(1, 7))
    np.testing.assert_allclose([v for _, v in seen["validation_loss"]], run.validation, rtol=1e-6)
    assert [step for step, _ in seen["0.weight"]] == [3, 6]


def _records(file):
    """The records of a TensorBoard file: length, its checksum, content, checksum."""
    content = file.read_bytes()
    while content:
        size = int.from_bytes(content[:8], "little")
        yield content[12 : 12 + size]
        content = content[16 + size :]


def test_streams_of_unknown_length(data):
    run = trainer(network(), progress=True)
    assert len(run.fit((batch for batch in [data.tensors] * 3), 1)) == 3


@pytest.mark.parametrize(("steps", "warmup"), [(0, 1), (3, 0), (0, 0)])
def test_a_schedule_of_no_steps(steps, warmup):
    optimizer = gg.optim.SGD([gg.nn.Parameter(gg.ones(1))], lr=0.5)
    falling(optimizer, steps, warmup)
    assert optimizer.param_groups[0]["lr"] == 0.5
