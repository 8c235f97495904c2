"""Recipes of recurrent networks, translation and characters."""

import numpy as np
import pytest
from recipes.runs import quick_run

import gpugrad as gg
from gpugrad.recipes import find


@pytest.mark.parametrize("name", ["seq2seq", "transformer", "char_rnn", "gpt", "copy"])
def test_quick_runs(name, tmp_path):
    run = quick_run(name, tmp_path)
    assert run.losses_fall
    if name == "gpt":
        assert run.figures["the same text without the cache"] == 1
    if name == "seq2seq":
        assert run.figures["beam of 4 at least as likely as greedy"] == 1


def test_vanishing(tmp_path):
    run = quick_run("vanishing", tmp_path)
    left = [run.figures[f"gradient left after 39 steps, {name}"] for name in ("RNN", "GRU", "LSTM")]
    assert left[0] < 1e-6 < left[1] < left[2] < 1


def test_vanishing_gradients_are_products_of_the_recurrent_matrix():
    """A network whose tanh is near its middle is linear: the gradient is v W^k."""
    recipe = find("vanishing")(gg.train.Options(settings={"length": 6, "hidden": 3, "repeats": 1}))
    recipe.model = recipe.build()
    cell = recipe.model["RNN"]
    for parameter in (cell.weight_ih, cell.bias_ih, cell.bias_hh):
        parameter.data.fill_(0)
    random = np.random.default_rng(0)
    random.standard_normal((6, 1, 3))
    direction, matrix = random.standard_normal(3), cell.weight_hh.detach().numpy()
    expected = [np.linalg.norm(direction @ np.linalg.matrix_power(matrix, k)) for k in range(1, 6)]
    np.testing.assert_allclose(recipe.gradients("RNN"), expected, rtol=1e-10)


def test_exact_matches_counts_whole_dates():
    recipe = find("transformer")(gg.train.Options(settings={"test_pairs": 4}))
    truth = recipe.pairs_to_test

    class Knows(gg.nn.Module):
        """Writes the right dates but for the last digit of the first."""

        def forward(self, source, target):
            wanted = truth.targets.copy()
            wanted[0, 9] = 4 if wanted[0, 9] != 4 else 5
            place = target.shape[1] - 1
            return gg.tensor(np.eye(20)[wanted[:, [place]]]), None

    assert recipe.exact_matches(Knows()) == 0.75


def test_copy_asks_for_the_first_symbol():
    from gpugrad.recipes.copy import Sequences

    tokens, symbols = Sequences(1, 50, 7, 0).batch()
    assert tokens.shape == (50, 9)
    assert tokens[:, 0].tolist() == symbols.tolist() and set(symbols.tolist()) == set(range(8))
    assert set(tokens[:, 1:-1].reshape(-1).tolist()) == {8} and set(tokens[:, -1].tolist()) == {9}


def test_bits_per_character_of_a_model_that_knows_nothing():
    """log2 of the number of characters."""
    recipe = find("char_rnn")(gg.train.Options(quick=True, settings={"test_characters": 600, "characters": 3000}))
    recipe.model = recipe.build()
    for parameter in recipe.model.head.parameters():
        parameter.data.fill_(0)
    assert recipe.bits_per_character() == pytest.approx(np.log2(recipe.tokenizer.vocab_size), rel=1e-5)


def test_text_of_the_user_is_read(tmp_path):
    file = tmp_path / "own.txt"
    file.write_text("abcab" * 2000)
    run = quick_run("char_rnn", tmp_path, "--text", file)
    assert run.figures["bits per character of n-grams"] < 0.1
    file.write_text("short")
    with pytest.raises(gg.errors.DataError, match="5 characters are too few"):
        find("char_rnn")(gg.train.Options(text=file)).texts  # noqa: B018
