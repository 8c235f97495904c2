"""Positions, attention's variants, translators, vectors of words, ELMo, the captioner."""

import numpy as np
import pytest
import torch

import gpugrad as gg
from gpugrad import models
from gpugrad.errors import OptionError, ShapeError

RNG = np.random.default_rng(0)


def test_sinusoidal_positions_have_the_four_properties():
    """Unique, consistent distances, bounded for longer sequences, deterministic."""
    p = models.sinusoidal_positions(3000, 64).numpy().astype(np.float64)
    short = p[:400]
    distances = np.linalg.norm(short[:, None] - short[None], axis=2)
    assert distances[~np.eye(400, dtype=bool)].min() > 0.1  # unique
    for step in (1, 7, 50):  # the same distance wherever the two are
        between = np.linalg.norm(p[step:] - p[:-step], axis=1)
        assert np.ptp(between) < 1e-3 * between.mean()
    assert np.abs(p).max() <= 1  # bounded
    np.testing.assert_array_equal(models.sinusoidal_positions(10, 64).numpy(), p[:10].astype(np.float32))
    t, k = 5, 3
    assert p[t, 2 * k] == pytest.approx(np.sin(t / 10000 ** (2 * k / 64)), abs=1e-6)
    assert p[t, 2 * k + 1] == pytest.approx(np.cos(t / 10000 ** (2 * k / 64)), abs=1e-6)
    with pytest.raises(ShapeError, match="even, got 5"):
        models.sinusoidal_positions(3, 5)


@pytest.mark.parametrize("kind", ["sinusoidal", "learned", "time"])
@pytest.mark.parametrize("combine", ["add", "concatenate"])
def test_encodings_tell_places_apart(kind, combine):
    encode = models.PositionalEncoding(8, kind, combine, positions=16)
    same = gg.ones(2, 6, 8)
    out = encode(same).detach().numpy()
    assert out.shape == (2, 6, 8) and (out[0] == out[1]).all()
    assert min(np.abs(out[0, i] - out[0, j]).max() for i in range(6) for j in range(i)) > 1e-4
    if kind == "time":
        np.testing.assert_allclose(encode.encoding(6, same).numpy()[:, 0], np.arange(6) / 16)
    joined = np.concatenate([np.ones((6, 8)), encode.encoding(6, same).detach().numpy()], axis=1)
    if combine == "concatenate" or kind == "time":
        expected = joined @ encode.joined.weight.detach().numpy().T + encode.joined.bias.detach().numpy()
    else:
        expected = joined[:, :8] + joined[:, 8:]
    np.testing.assert_allclose(out[0], expected, rtol=1e-4, atol=1e-6)


def test_wrong_encodings():
    with pytest.raises(OptionError, match="kind must be sinusoidal, learned or time"):
        models.PositionalEncoding(8, "other")
    with pytest.raises(OptionError, match="combine must be add or concatenate"):
        models.PositionalEncoding(8, combine="other")
    with pytest.raises(ShapeError, match="the table has 4 positions, the sequence 5 vectors"):
        models.PositionalEncoding(8, "learned", positions=4)(gg.ones(1, 5, 8))


def test_rotary_products_depend_on_the_distance_only():
    q, k = (gg.tensor(RNG.standard_normal((1, 16))) for _ in range(2))

    def product(i, j):
        return (models.rotate_positions(q, start=i) * models.rotate_positions(k, start=j)).sum().item()

    for distance in (0, 1, 5, 40):
        found = [product(start + distance, start) for start in (0, 3, 100)]
        np.testing.assert_allclose(found, found[0], rtol=1e-5, atol=1e-5)
    assert abs(product(0, 0) - product(3, 0)) > 1e-3
    whole = gg.tensor(RNG.standard_normal((2, 7, 16)))
    turned = models.rotate_positions(whole).numpy()
    np.testing.assert_allclose(turned[:, 3:], models.rotate_positions(whole[:, 3:], start=3).numpy(), rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(turned, axis=2), np.linalg.norm(whole.numpy(), axis=2), rtol=1e-5)
    pair = turned[0, 2, [1, 9]]  # by hand: turned by 2 / 10000^(2/16)
    angle, (x, y) = 2 / 10000 ** (2 / 16), whole.numpy()[0, 2, [1, 9]]
    expected = [x * np.cos(angle) - y * np.sin(angle), y * np.cos(angle) + x * np.sin(angle)]
    np.testing.assert_allclose(pair, expected, rtol=1e-5)


@pytest.mark.parametrize("variant", ["dot", "multiplicative", "values", "learned"])
def test_attention_by_hand(variant):
    gg.manual_seed(0)
    attention = models.Attention(3, variant)
    states, memory = RNG.standard_normal((2, 2, 3)), RNG.standard_normal((2, 4, 3))
    mask = np.arange(4) < np.array([[4], [2]])
    context, weights = attention(gg.tensor(states), gg.tensor(memory), gg.tensor(mask))
    matrix = {name: p.detach().numpy().astype(np.float64) for name, p in attention.named_parameters()}
    for n in range(2):
        for t in range(2):
            length = mask[n].sum()
            q, h = states[n, t], memory[n, :length]
            if variant == "dot":
                e = h @ q / 3**0.5
            elif variant == "learned":
                inside = matrix["query.weight"] @ q + matrix["query.bias"] + h @ matrix["key.weight"].T
                e = np.tanh(inside) @ matrix["score.weight"][0]
            else:
                e = (h @ matrix["key.weight"].T) @ q / 3**0.5
            a = np.exp(e) / np.exp(e).sum()
            values = h @ matrix["value.weight"].T if variant == "values" else h
            np.testing.assert_allclose(weights.detach().numpy()[n, t], [*a, *[0] * (4 - length)], atol=1e-5)
            np.testing.assert_allclose(context.detach().numpy()[n, t], a @ values, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", ["int64", "float32"])
def test_masks_of_numbers(dtype):
    memory, mask = gg.tensor(np.random.default_rng(0).random((1, 3, 4), np.float32)), gg.tensor([[True, False, True]])
    layer = models.Attention(4)
    expected = layer(gg.ones(1, 2, 4), memory, mask)[1].detach().numpy()
    np.testing.assert_array_equal(layer(gg.ones(1, 2, 4), memory, mask.astype(dtype))[1].detach().numpy(), expected)


def test_wrong_attention():
    with pytest.raises(OptionError, match="variant must be one of dot"):
        models.Attention(4, "other")
    with pytest.raises(ShapeError, match=r"mask must have the shape \(1, 3\), got \(1, 2\)"):
        models.Attention(4)(gg.ones(1, 2, 4), gg.ones(1, 3, 4), gg.ones(1, 2, dtype="bool"))


@pytest.mark.parametrize("attention", [None, "dot", "learned"])
def test_padding_changes_no_translation(attention):
    model = models.Seq2Seq(20, 15, 8, attention)
    source, target = RNG.integers(1, 20, (1, 6)), gg.tensor([[1, 4, 5]])
    with gg.no_grad():
        plain, padded = (model(gg.tensor(np.pad(source, ((0, 0), (0, more)))), target)[0].numpy() for more in (0, 3))
    np.testing.assert_allclose(plain, padded, rtol=1e-5, atol=1e-6)


def test_transformer_translates_as_torchs():
    """The same embeddings, positions and weights through torch.nn.Transformer; padding is hidden."""
    gg.manual_seed(0)
    model = models.TransformerTranslator(20, 15, 16, 2, 2, 32).eval()
    twin = torch.nn.Transformer(16, 2, 2, 2, 32, batch_first=True).eval()
    twin.encoder.use_nested_tensor = False
    twin.load_state_dict({n: torch.tensor(v.numpy()) for n, v in model.transformer.state_dict().items()})
    source, target = RNG.integers(1, 20, (2, 7)), RNG.integers(1, 15, (2, 5))
    source[1, 4:] = 0
    places = models.sinusoidal_positions(7, 16).numpy()

    def embedded(table, tokens):
        return torch.tensor(table.weight.detach().numpy()[tokens] * 4 + places[: tokens.shape[1]])

    hidden = torch.tensor(source == 0)
    with torch.no_grad():
        states = twin(
            embedded(model.source, source), embedded(model.target, target),
            tgt_mask=torch.nn.Transformer.generate_square_subsequent_mask(5),
            src_key_padding_mask=hidden, memory_key_padding_mask=hidden,
        )  # fmt: skip
        expected = states.numpy() @ model.head.weight.detach().numpy().T + model.head.bias.detach().numpy()
    with gg.no_grad():
        found, _ = model(gg.tensor(source), gg.tensor(target))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-3, atol=1e-4)


def test_a_beam_of_one_translates_greedily():
    gg.manual_seed(3)
    model = models.Seq2Seq(20, 9, 8, "dot")
    with gg.no_grad():
        for parameter in model.parameters():
            parameter.data.mul_(4)
    for row in RNG.integers(1, 20, (5, 6)):
        source = gg.tensor(row)
        greedy = models.translate(model, source.expand_dims(0), 1, 2, 8)[0].tolist()
        greedy = greedy[: greedy.index(2)] if 2 in greedy else greedy
        one, four = (models.translate_by_beams(model, source, 1, 2, width, 8)[0] for width in (1, 4))
        assert one.tokens == greedy
        assert four.log_probability >= one.log_probability - 1e-6
    with pytest.raises(OptionError, match="width 10 is beyond the vocabulary of 9"):
        models.translate_by_beams(model, source, 1, 2, 10, 8)


def test_losses_of_word2vec_by_hand():
    model = models.Word2Vec([5, 3, 2], width=4).double()
    for table in (model.vectors, model.contexts):
        table.weight.data.copy_(gg.tensor(RNG.standard_normal(table.weight.shape)))
    model.vectors.weight.data[3] = 0
    v, u = (table.weight.detach().numpy() for table in (model.vectors, model.contexts))
    expected = -np.log(np.exp(u[2] @ v[0]) / np.exp(u @ v[0]).sum())
    assert model.full_softmax_loss(gg.tensor([0]), gg.tensor([2])).item() == pytest.approx(expected)
    mean = (v[0] + v[1]) / 2  # of CBOW, whose third place is empty
    expected = -np.log(np.exp(u[2] @ mean) / np.exp(u @ mean).sum())
    assert model.full_softmax_loss(gg.tensor([[0, 3, 1]]), gg.tensor([2])).item() == pytest.approx(expected)
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    expected = -np.log(sigmoid(u[2] @ v[0])) - np.log(sigmoid(-u[1] @ v[0])) - np.log(sigmoid(-u[0] @ v[0]))
    found = model.negative_sampling_loss(gg.tensor([0]), gg.tensor([2]), gg.tensor([[1, 0]]))
    assert found.item() == pytest.approx(expected)


def test_negatives_are_drawn_by_the_power_of_three_quarters():
    drawn = models.Word2Vec([16, 1, 81]).draw((200, 100), np.random.default_rng(0))
    np.testing.assert_allclose(np.bincount(drawn.reshape(-1)) / 20000, np.array([8, 1, 27]) / 36, atol=0.01)
    for wrong in ([], [1, 0], [[1, 2]]):
        with pytest.raises(OptionError, match="counts must be positive"):
            models.Word2Vec(wrong)


def test_odd_one_out_counts():
    """Words of a group are alike: all are found. By chance a quarter is."""
    vectors = np.repeat(np.eye(3), 4, axis=0)
    groups = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert models.odd_one_out(models.cosines(vectors), groups) == (96, 96)
    right = [models.odd_one_out(models.cosines(RNG.standard_normal((12, 9))), groups)[0] for _ in range(40)]
    assert np.mean(right) / 96 == pytest.approx(0.25, abs=0.06)
    assert gg.train.neighbours(models.cosines(vectors), list("abcdefghijkl"), "f", 3) == ["e", "g", "h"]


def test_elmo_looks_one_way_in_each_direction():
    gg.manual_seed(0)
    model = models.ELMo(9, 6)
    tokens = RNG.integers(0, 9, (1, 7))
    other = tokens.copy()
    other[0, 3] = (other[0, 3] + 1) % 9
    with gg.no_grad():
        found = zip(model(gg.tensor(tokens)), model(gg.tensor(other)), strict=True)
        changed = [(a != b).numpy().any(axis=2)[0].tolist() for a, b in found]
    assert changed == [[False] * 3 + [True] * 4, [True] * 4 + [False] * 3]


def test_elmos_layers_are_torchs():
    gg.manual_seed(0)
    model = models.ELMo(9, 6, layers=1)
    twin = torch.nn.LSTM(6, 6, batch_first=True, bidirectional=True)
    state = {name: torch.tensor(v.numpy()) for name, v in model.forwards[0].state_dict().items()}
    state |= {f"{name}_reverse": torch.tensor(v.numpy()) for name, v in model.backwards[0].state_dict().items()}
    twin.load_state_dict(state)
    tokens = RNG.integers(0, 9, (2, 7))
    words = model.words.weight.detach().numpy()[tokens]
    expected, _ = twin(torch.tensor(words))
    found = model.states(gg.tensor(tokens))
    np.testing.assert_allclose(found[0].detach().numpy(), np.concatenate([words, words], axis=2))
    np.testing.assert_allclose(found[1].detach().numpy(), expected.detach().numpy(), rtol=1e-4, atol=1e-6)


def test_mix_of_layers_by_hand():
    mix = models.ScalarMix(3)
    mix.scores.data.copy_(gg.tensor(np.log([1.0, 2.0, 5.0])))
    mix.gamma.data.fill_(2)
    states = [gg.tensor([value]) for value in (8.0, 4.0, 16.0)]
    assert mix(states).item() == pytest.approx(2 * (8 + 2 * 4 + 5 * 16) / 8)
    with pytest.raises(ShapeError, match="states of 3 layers, got 2"):
        mix(states[:2])


def test_captioner_sees_the_picture_and_no_word_to_come():
    gg.manual_seed(0)
    model = models.Captioner(12, 24, 16, 2, 1).eval()
    image, words = gg.tensor(RNG.random((1, 3, 24, 24))), np.array([[1, 4, 5, 6]])
    with gg.no_grad():
        first = model(image, gg.tensor(words))[0].numpy()
        words[0, 2] = 7
        second, third = (model(x, gg.tensor(words))[0].numpy() for x in (image, image.flip(3)))
    np.testing.assert_allclose(first[:, :2], second[:, :2], rtol=1e-5, atol=1e-6)
    assert np.abs(first[:, 2] - second[:, 2]).max() > 1e-4 < np.abs(second - third).max()
    with pytest.raises(ShapeError, match=r"Captioner: expected images \(N, 3, \d+, \d+\), got \(1, 3, 64, 64\)"):
        model(gg.zeros(1, 3, 64, 64), gg.tensor(words))


def test_features_of_bert_from_any_layer_or_a_mix():
    """A mix that counts one layer only is that layer; the first are the embeddings."""
    model = models.BertModel(30, 8, 2, 2).eval()
    with gg.no_grad():
        output = model(gg.tensor([[5, 6, 7]]))
    assert len(output.hidden_states) == 3
    np.testing.assert_array_equal(output.hidden_states[-1].numpy(), output.last_hidden_state.numpy())
    mix = models.ScalarMix(3)
    mix.scores.data.copy_(gg.tensor([0.0, 100.0, 0.0]))
    np.testing.assert_allclose(
        mix(output.hidden_states).detach().numpy(), output.hidden_states[1].detach().numpy(), rtol=1e-5
    )
    mix(output.hidden_states).sum().backward()
    assert np.isfinite(mix.scores.grad.numpy()).all()
