"""Bits of n-grams by hand, streams of windows, truncated backpropagation, scheduled sampling."""

import math

import numpy as np
import pytest
import torch

import gpugrad as gg
from gpugrad import train
from gpugrad.errors import DataError
from gpugrad.models import LSTMLanguageModel


def test_ngram_bits_by_hand():
    """Of 0 0 1: without context p(0) = (2 + 2/2) / (3 + 2), after 0 seen are 0 and 1: p(0 | 0) = (1 + 2 p(0)) / 4."""
    one = train.ngram_bits([0, 0, 1], [0, 1], order=1)
    assert one == pytest.approx(-(math.log2(3 / 5) + math.log2(2 / 5)) / 2)
    two = train.ngram_bits([0, 0, 1], [0, 0, 1, 1], order=2)
    after_zero = [(1 + 2 * 3 / 5) / 4, (1 + 2 * 2 / 5) / 4]
    after_one = 2 / 5  # of which nothing is known
    assert two == pytest.approx(-(math.log2(after_zero[0]) + math.log2(after_zero[1]) + math.log2(after_one)) / 3)


def test_ngrams_are_probabilities():
    text = np.random.default_rng(0).integers(0, 3, 200)
    context = text[50:53]
    bits = [train.ngram_bits(text, [*context, token], order=4) for token in range(3)]
    assert sum(2 ** -np.array(bits)) == pytest.approx(1)


def test_texts_that_are_too_short():
    with pytest.raises(DataError, match="0 and 5 tokens are too few for order 2"):
        train.ngram_bits([], [0] * 5, order=2)
    with pytest.raises(DataError, match="beyond what 64 bits"):
        train.ngram_bits([1000] * 20, [0] * 20, order=9)
    with pytest.raises(DataError, match="empty"):
        train.gzip_bits("")


def test_streams_go_on_from_batch_to_batch():
    windows = gg.data.TokenDataset(np.arange(41), 5)
    loader = gg.data.DataLoader(windows, batch_sampler=train.Streams(len(windows), 2))
    batches = [x.numpy() for x, _ in loader]
    assert len(batches) == 4
    rows = np.concatenate(batches, axis=1)
    assert rows.tolist() == [list(range(20)), list(range(20, 40))]


def torch_twin(model):
    """The same network of PyTorch's layers."""
    layers = torch.nn.ModuleDict({
        "embedding": torch.nn.Embedding(*model.embedding.weight.shape),
        "lstm": torch.nn.LSTM(4, 6, batch_first=True), "head": torch.nn.Linear(6, 7),
    })  # fmt: skip
    layers.load_state_dict({name: torch.tensor(value.numpy()) for name, value in model.state_dict().items()})
    return layers


def test_truncated_backpropagation_is_torchs():
    """The state goes on, its gradient does not."""
    gg.manual_seed(0)
    model = LSTMLanguageModel(7, 4, 6)
    twin = torch_twin(model)
    text = np.random.default_rng(0).integers(0, 7, (2, 11))
    trainer = train.TruncatedBackpropagation(model, gg.optim.SGD(model.parameters(), lr=0.1), progress=False)
    state = None
    for start in (0, 5):
        x, y = text[:, start : start + 5], text[:, start + 1 : start + 6]
        model.zero_grad()
        twin.zero_grad()
        loss = trainer.loss_of((gg.tensor(x), gg.tensor(y)))
        loss.backward()
        out, state = twin["lstm"](twin["embedding"](torch.tensor(x)), state)
        expected = torch.nn.functional.cross_entropy(twin["head"](out).reshape(-1, 7), torch.tensor(y).reshape(-1))
        expected.backward()
        state = tuple(part.detach() for part in state)
        assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
        for name, parameter in twin.named_parameters():
            ours = dict(model.named_parameters())[name].grad.numpy()
            np.testing.assert_allclose(ours, parameter.grad.numpy(), rtol=1e-4, atol=1e-6)


def test_scheduled_sampling_gives_the_models_own_tokens():
    """A model that is sure of the next token, which is the last plus one, sees its own; with share 0 the right ones."""
    seen = []

    class Sure(gg.nn.Module):
        def forward(self, tokens, state):
            seen.append(tokens.numpy())
            logits = np.eye(9)[(tokens.numpy() + 1) % 9] * 100
            return gg.tensor(logits), (gg.zeros(1, len(tokens), 1),)

    trainer = train.TruncatedBackpropagation(Sure(), None, progress=False)
    trainer.sampled, trainer.rising, trainer.step = 1.0, 1, 1
    batch = gg.tensor([[4, 0, 0, 0], [7, 7, 7, 7]]), gg.tensor([[5, 6, 7, 8], [8, 0, 1, 2]])
    loss = trainer.loss_of(batch)
    assert np.concatenate(seen, axis=1).tolist() == [[4, 5, 6, 7], [7, 8, 0, 1]]
    assert loss.item() < 1e-6
    seen.clear()
    trainer.step = 0
    trainer.loss_of(batch)
    assert np.concatenate(seen, axis=1).tolist() == [[4, 0, 0, 0], [7, 7, 7, 7]]


def test_label_smoothing_and_padding_of_a_translation():
    class Fixed(gg.nn.Module):
        def forward(self, source, target):
            assert target.tolist() == [[1, 4]]  # the start, then what came before
            return gg.tensor([[[0.0, 1, 2, 3, 4], [5.0, 5, 5, 5, 5]]]), None

    trainer = train.Translation(Fixed(), None, progress=False)
    trainer.smoothing = 0.1
    scores = torch.tensor([[0.0, 1, 2, 3, 4]])
    expected = torch.nn.functional.cross_entropy(scores, torch.tensor([4]), label_smoothing=0.1)
    loss = trainer.loss_of((gg.tensor([[3, 2]]), gg.tensor([[4, 0]])))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
