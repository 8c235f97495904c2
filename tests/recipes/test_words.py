"""Recipes of words, contexts and captions."""

import numpy as np
import pytest
from recipes.runs import quick_run

import gpugrad as gg
from gpugrad.recipes import find


@pytest.mark.parametrize("name", ["word2vec", "elmo", "captioning", "bert"])
def test_quick_runs(name, tmp_path):
    run = quick_run(name, tmp_path)
    assert run.losses_fall
    if name in ("word2vec", "elmo"):
        assert "\nnear " in run.printed


def test_word2vec_reads_a_text_of_the_users(tmp_path):
    """None of the words that the recipe asks for is in it."""
    file = tmp_path / "own.txt"
    file.write_bytes(
        "Die Katze trägt einen Hut. Der Hund trägt keinen Hut! Wer trägt den Hut?\n\n".encode() * 40 + b"\xff"
    )
    run = quick_run("word2vec", tmp_path, "--text", file)
    assert np.isnan(run.figures["odd one out, CBOW"])
    assert "\nnear trägt: " in run.printed or "\nnear hut: " in run.printed
    assert not find("word2vec")(gg.train.Options(text=file)).is_full


def test_features_before_training_do_not_tell_meanings_apart_but_the_task_is_fair():
    """Which word it was is nowhere in the windows."""
    from gpugrad.data import PseudoWords, WordCorpus

    corpus = WordCorpus(["see the cat run", "see the dog run", "the dog sat there", "the cat sat there"], 1)
    made = PseudoWords(corpus, [("cat", "dog")])
    found = made.occurrences(1)
    assert found.meaning.tolist() == [0, 1, 1, 0]
    assert np.unique(found.windows[:, 1]).tolist() == [corpus.number("cat")]
