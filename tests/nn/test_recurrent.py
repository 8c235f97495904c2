"""Recurrent layers, cells and packed sequences against PyTorch's with the same weights."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gpugrad as gg
from gpugrad import nn
from gpugrad.autograd.op import OPS
from gpugrad.errors import ShapeError
from gpugrad.nn.utils import rnn
from gpugrad.ops.recurrent.cpu import time_loop

RNG = np.random.default_rng(1)
LAYERS = {
    "RNN": [{}, {"nonlinearity": "relu"}], "GRU": [{}, {"bias": False}],
    "LSTM": [{}, {"proj_size": 2}, {"proj_size": 1, "bias": False}],
}  # fmt: skip


def values(*shape):
    return RNG.standard_normal(shape)


def twins(name, *args, **options):
    """The same layer in both libraries, in float64."""
    theirs = getattr(torch.nn, name)(*args, **options).double()
    ours = getattr(nn, name)(*args, **options).double()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def flat(outputs):
    """The tensors in nested tuples; of packed sequences, the data."""
    if isinstance(outputs, (rnn.PackedSequence, torch.nn.utils.rnn.PackedSequence)):
        return [outputs.data]
    if isinstance(outputs, (tuple, list)):
        return [t for each in outputs for t in flat(each)]
    return [outputs]


def close(ours, theirs, what=""):
    np.testing.assert_allclose(ours.cpu().detach().numpy(), theirs.detach().numpy(), 1e-9, 1e-10, err_msg=what)


def agree(ours, theirs, *arrays, call=lambda layer, lib, *inputs: layer(*inputs), device="cpu"):
    """Outputs, gradients of the inputs and of the parameters are the same."""
    ours.to(device)
    inputs = [gg.tensor(a, device=device, requires_grad=True) for a in arrays]
    expected = [torch.tensor(a, requires_grad=True) for a in arrays]
    got, want = flat(call(ours, gg, *inputs)), flat(call(theirs, torch, *expected))
    assert len(got) == len(want)
    rng = np.random.default_rng(2)
    upstream = [rng.standard_normal(tuple(w.shape)) for w in want]
    gg.autograd.backward(got, [gg.tensor(u, device=device) for u in upstream])
    torch.autograd.backward(want, [torch.tensor(u) for u in upstream])
    for a, b in zip(got, want, strict=True):
        close(a, b, "output")
    for a, b in zip(inputs, expected, strict=True):
        close(a.grad, b.grad, "gradient of an input")
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        close(a.grad, b.grad, f"gradient of {name}")


def states(name, layers, count, hidden, projected=0):
    shape = (layers, count) if count else (layers,)
    first = values(*shape, projected or hidden)
    return [first, values(*shape, hidden)] if name == "LSTM" else [first]


def with_states(layer, lib, x, *hx):
    return layer(x, hx if len(hx) == 2 else hx[0])


@pytest.mark.parametrize(("name", "options"), [(name, o) for name, all_ in LAYERS.items() for o in all_])
@pytest.mark.parametrize("more", [{}, {"num_layers": 2, "bidirectional": True, "batch_first": True}])
def test_layers_agree_with_torch(name, options, more, device):
    options = {**options, **more}
    ours, theirs = twins(name, 3, 4, **options)
    assert repr(ours) == repr(theirs)
    x = values(5, 2, 3)
    agree(ours, theirs, x, device=device)
    batch = 5 if options.get("batch_first") else 2
    hx = states(name, 4 if more else 1, batch, 4, options.get("proj_size", 0))
    ours.zero_grad(), theirs.zero_grad()
    agree(ours, theirs, x, *hx, call=with_states, device=device)


@pytest.mark.parametrize("name", LAYERS)
def test_one_sequence_without_a_batch(name):
    ours, theirs = twins(name, 3, 4, 2, bidirectional=True)
    agree(ours, theirs, values(6, 3))
    ours.zero_grad(), theirs.zero_grad()
    agree(ours, theirs, values(6, 3), *states(name, 4, 0, 4), call=with_states)


@pytest.mark.parametrize("name", LAYERS)
def test_an_empty_batch(name):
    ours, theirs = twins(name, 3, 4)
    agree(ours, theirs, values(5, 0, 3))


@pytest.mark.parametrize("name", LAYERS)
@settings(deadline=None, max_examples=15)
@given(
    lengths=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    bidirectional=st.booleans(), batch_first=st.booleans(), given_states=st.booleans(),
)  # fmt: skip
def test_packed_sequences_agree_with_torch(name, lengths, bidirectional, batch_first, given_states):
    ours, theirs = twins(name, 3, 4, 2, bidirectional=bidirectional, batch_first=batch_first)
    shape = (len(lengths), max(lengths)) if batch_first else (max(lengths), len(lengths))
    hx = states(name, 4 if bidirectional else 2, len(lengths), 4) if given_states else []

    def call(layer, lib, x, *hx):
        utils = rnn if lib is gg else torch.nn.utils.rnn
        packed = utils.pack_padded_sequence(x, lengths, batch_first, enforce_sorted=False)
        out, last = layer(packed, *([hx if len(hx) == 2 else hx[0]] if hx else []))
        padded, found = utils.pad_packed_sequence(out, batch_first, -1.0, max(lengths) + 1)
        assert found.tolist() == lengths
        return padded, last

    agree(ours, theirs, values(*shape, 3), *hx, call=call)


@pytest.mark.parametrize("name", ["RNNCell", "GRUCell", "LSTMCell"])
@pytest.mark.parametrize("options", [{}, {"bias": False}])
@pytest.mark.parametrize("lead", [(2,), ()])
def test_cells_agree_with_torch(name, options, lead, device):
    ours, theirs = twins(name, 3, 4, **options)
    assert repr(ours) == repr(theirs)
    agree(ours, theirs, values(*lead, 3), device=device)
    ours.zero_grad(), theirs.zero_grad()
    hx = [values(*lead, 4) for _ in range(1 + name.startswith("LSTM"))]
    agree(ours, theirs, values(*lead, 3), *hx, call=with_states, device=device)


def test_relu_cell():
    ours, theirs = twins("RNNCell", 3, 4, nonlinearity="relu")
    assert repr(ours) == repr(theirs)
    agree(ours, theirs, values(2, 3))


def test_a_cell_step_by_step_is_the_layer():
    layer, cell = nn.LSTM(3, 4), nn.LSTMCell(3, 4)
    cell.load_state_dict({name.removesuffix("_l0"): p for name, p in layer.state_dict().items()})
    x, hx, outs = gg.tensor(values(5, 2, 3), dtype="float32"), None, []
    for row in x:
        hx = cell(row, hx)
        outs.append(hx[0])
    np.testing.assert_allclose(gg.stack(outs).detach().numpy(), layer(x)[0].detach().numpy(), 1e-5, 1e-6)


def test_dropout_acts_between_layers_in_training_only():
    layer = nn.GRU(3, 4, 2, dropout=1.0).double()
    x = gg.tensor(values(5, 2, 3))
    blind = layer(x * 0)[0], layer(x)[0]
    np.testing.assert_array_equal(blind[0].detach().numpy(), blind[1].detach().numpy())
    assert not np.array_equal(layer.eval()(x)[0].detach().numpy(), blind[1].detach().numpy())
    with pytest.warns(UserWarning, match="only one"):
        nn.LSTM(3, 4, dropout=0.5)


def test_weights_are_listed_by_layer_and_direction():
    layer = nn.LSTM(3, 4, 2, bidirectional=True, proj_size=2)
    theirs = torch.nn.LSTM(3, 4, 2, bidirectional=True, proj_size=2)
    assert [[w.shape for w in ws] for ws in layer.all_weights] == [
        [tuple(w.shape) for w in ws] for ws in theirs.all_weights
    ]
    twin = copy.deepcopy(layer)
    assert all(a is not b for a, b in zip(layer.parameters(), twin.parameters(), strict=True))
    assert max(abs(p.detach().numpy()).max() for p in layer.parameters()) <= 0.5


def test_second_order_gradients_agree_with_torch():
    ours, theirs = twins("LSTM", 2, 3)
    grads = []
    for lib, layer in ((gg, ours), (torch, theirs)):
        x = lib.tensor(np.random.default_rng(0).standard_normal((4, 2, 2)), requires_grad=True)
        (first,) = lib.autograd.grad((layer(x)[0] ** 2).sum(), [x], create_graph=True)
        (first**2).sum().backward()
        grads.append([x.grad, *(p.grad for p in layer.parameters())])
    for a, b in zip(*grads, strict=True):
        close(a, b)


def test_each_direction_of_a_layer_is_one_op():
    path = OPS["lstm_layer"].paths["cpu"]
    before = path.runs
    nn.LSTM(3, 4, 2, bidirectional=True)(gg.ones((5, 2, 3)))
    assert path.runs == before + 4


@pytest.mark.parametrize("name", LAYERS)
def test_a_batch_that_is_cut_over_threads_gives_the_same(name, monkeypatch):
    packed = rnn.pack_sequence([gg.tensor(values(n, 3)) for n in (5, 4, 4, 2, 1)])
    layer, found = getattr(nn, name)(3, 4, bidirectional=True).double(), []
    threads = gg.get_num_threads()
    for share in (1 << 24, 0):
        monkeypatch.setattr(time_loop, "SHARE", share)
        gg.set_num_threads(3)
        try:
            layer.zero_grad()
            out, _ = layer(packed)
            (out.data**2).sum().backward()
        finally:
            gg.set_num_threads(threads)
        found.append([out.data, *(p.grad for p in layer.parameters())])
    for a, b in zip(*found, strict=True):
        close(a, b)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("count", [1, 2])
def test_products_beside_the_loop_give_the_same(name, count, monkeypatch):
    monkeypatch.setattr(time_loop, "PIECE", 64)
    ours, theirs = twins(name, 3, 4, bidirectional=True)
    threads = gg.get_num_threads()
    gg.set_num_threads(count)
    try:
        agree(ours, theirs, values(11, 2, 3))
    finally:
        gg.set_num_threads(threads)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.LSTM(3, 4)(gg.ones((5, 2, 4))), "expected 3 features"),
        (lambda: nn.LSTM(3, 4)(gg.ones((3,))), "2 or 3 axes"),
        (lambda: nn.GRU(3, 4)(gg.ones((5, 2, 3)), gg.ones((1, 3, 4))), "hidden states"),
        (lambda: nn.RNN(3, 4)(gg.ones((0, 2, 3))), "at least one step"),
        (lambda: nn.LSTMCell(3, 4)(gg.ones((2, 2))), "LSTMCell: expected"),
        (lambda: nn.GRU(3, 4, proj_size=2), "projection"),
        (lambda: nn.LSTM(3, 4, proj_size=4), "proj_size"),
        (lambda: nn.LSTM(3, 0), "hidden_size"),
        (lambda: nn.RNN(3, 4, nonlinearity="gelu"), "nonlinearity"),
        (lambda: rnn.pack_padded_sequence(gg.ones((5, 2, 3)), [2, 3]), "enforce_sorted"),
        (lambda: rnn.pack_padded_sequence(gg.ones((5, 2, 3)), [3, 0]), "at least one element"),
        (lambda: rnn.pack_padded_sequence(gg.ones((5, 2, 3)), [6, 2]), "do not fit"),
        (lambda: rnn.pack_padded_sequence(gg.ones((5, 2, 3)), [3]), "2 lengths"),
        (lambda: OPS["rnn_layer"](*map(gg.ones, [(3, 2), (1, 3), (3, 2), (3, 3)]), sizes=(1, 2)), "never grows"),
        (lambda: OPS["gru_layer"](*map(gg.ones, [(4, 2), (2, 3), (9, 2), (9, 2)]), sizes=(2, 2)), "w_hh"),
    ],
)  # fmt: skip
def test_errors_say_what_does_not_fit(call, message):
    with pytest.raises((ShapeError, ValueError), match=message):
        call()


# Padding and packing


def both(function, *args, **options):
    """What `function` of both libraries gives for lists of arrays, flattened to NumPy."""
    results = []
    for lib, utils in ((gg, rnn), (torch, torch.nn.utils.rnn)):
        made = [[lib.tensor(a) for a in arg] if isinstance(arg, list) else arg for arg in args]
        results.append(function(utils, *made, **options))
    return results


@pytest.mark.parametrize("options", [{}, {"batch_first": True, "padding_value": 2.5}, {"padding_side": "left"}])
def test_pad_sequence(options):
    sequences = [values(n, 2) for n in (2, 4, 1, 4)]
    ours, theirs = both(lambda utils, s: utils.pad_sequence(s, **options), sequences)
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    if "padding_side" not in options:
        first = options.get("batch_first", False)
        for a, b in zip(rnn.unpad_sequence(ours, gg.tensor([2, 4, 1, 4]), first), sequences, strict=True):
            np.testing.assert_array_equal(a.numpy(), b)


def test_pack_and_unpack_sequences():
    sequences = [values(n, 2) for n in (2, 4, 1, 4)]
    ours, theirs = both(lambda utils, s: utils.pack_sequence(s, enforce_sorted=False), sequences)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    for a, b in zip(rnn.unpack_sequence(ours), sequences, strict=True):
        np.testing.assert_array_equal(a.numpy(), b)
    assert ours.to("float32").data.dtype == gg.float32
    assert rnn.invert_permutation(None) is None
    np.testing.assert_array_equal(rnn.invert_permutation(ours.sorted_indices).numpy(), ours.unsorted_indices.numpy())


def test_packed_sequences_on_the_device(device):
    sequences = [gg.tensor(values(n, 3), device=device, dtype="float32") for n in (2, 4, 1)]
    packed = rnn.pack_sequence(sequences, enforce_sorted=False)
    assert packed.is_cuda == (device.type == "cuda")
    assert packed.batch_sizes.device.type == "cpu"
    layer = nn.GRU(3, 4, bidirectional=True).to(device)
    out, last = layer(packed)
    for k, row in enumerate(rnn.unpack_sequence(out)):
        alone, end = layer(sequences[k])
        np.testing.assert_allclose(row.cpu().detach().numpy(), alone.cpu().detach().numpy(), 1e-5, 1e-6)
        np.testing.assert_allclose(last[:, k].cpu().detach().numpy(), end.cpu().detach().numpy(), 1e-5, 1e-6)
