"""Texts of the standard library, vocabularies, dates, words and captions."""

import datetime

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import data
from gpugrad.errors import DataError, OptionError


def test_files_of_the_source_are_in_one_part():
    train, test = data.python_source()
    assert len(test) > 100_000 and (train + test).isascii()
    assert test[1000:1400] not in train
    assert data.python_source() == (train, test)


def test_source_of_the_user_is_cut_near_its_end(tmp_path):
    file = tmp_path / "text"
    file.write_text("x" * 900 + "y" * 100)
    assert data.python_source(file) == ("x" * 900, "y" * 100)
    file.write_text("")
    with pytest.raises(DataError, match="0 characters are too few"):
        data.python_source(file)


def test_docstrings_are_sentences_of_words():
    sentences = data.docstrings(["random", "json"])
    assert len(set(sentences)) == len(sentences)
    assert all(s.replace(" ", "").isalpha() and s == s.lower() and len(s.split()) > 2 for s in sentences)
    assert "shuffle list x in place and return none" in sentences
    with pytest.raises(DataError, match="none in 'nothing'"):
        data.docstrings(["nothing"])


def test_vocabulary():
    vocabulary = data.Vocabulary("aba")
    assert len(vocabulary) == 6
    assert vocabulary.encode("abz") == [4, 5, 3, 2]
    assert vocabulary.decode([1, 5, 0, 3, 2, 4]) == ["b", "?"]


def test_dates_are_right_and_parts_have_none_in_common():
    names = [datetime.date(2000, m, 1).strftime("%B").lower() for m in range(1, 13)]
    train, test = data.DateTranslation(3000), data.DateTranslation(500, "test")
    for words, iso in train.texts[:300] + test.texts[:100]:
        date = datetime.date.fromisoformat(iso)
        assert str(date.year) in words
        if "." in words:
            assert words == f"{date.day}.{date.month}.{date.year}"
        else:
            assert names[date.month - 1][:3] in words
            assert str(date.day) in words.replace(str(date.year), "")
            if "day," in words:
                assert words.startswith(date.strftime("%A").lower())
    assert not {iso for _, iso in train.texts} & {iso for _, iso in test.texts}
    source, target = train.batch(np.arange(50))
    assert 3 not in source.numpy() and 3 not in target.numpy()  # nothing is unknown
    assert (target.numpy() == 2).sum(axis=1).tolist() == [1] * 50
    assert data.DateTranslation(50, seed=1).texts == data.DateTranslation(50, seed=1).texts
    with pytest.raises(DataError, match="part must be"):
        data.DateTranslation(5, "all")


def test_words_that_are_rare_are_left_out():
    corpus = data.WordCorpus(["a b a", "c a b"], least=2)
    assert (corpus.words, corpus.counts.tolist()) == (["a", "b"], [3, 2])
    assert corpus.tokens.tolist() == [0, 1, 0, 0, 1] and corpus.sentences.tolist() == [0, 0, 0, 1, 1]
    with pytest.raises(DataError, match="the word 'c' is not one of the 2"):
        corpus.number("c")
    with pytest.raises(DataError, match="no word occurs 5 times in 0 sentences"):
        data.WordCorpus([])


def test_subsampling_keeps_the_square_root():
    corpus = data.WordCorpus(["a " * 4000 + "b " * 1000], least=1)
    kept = corpus.subsampled(np.random.default_rng(0), t=0.05)
    shares = [kept[corpus.tokens == word].mean() for word in (0, 1)]
    np.testing.assert_allclose(shares, np.sqrt([0.05 / 0.8, 0.05 / 0.2]), atol=0.04)


def test_contexts_stay_within_sentence_and_window():
    tokens, sentences = [1, 2, 3, 4, 5, 6], [0, 0, 0, 0, 1, 1]
    pairs = data.WordContexts(tokens, sentences, window=2)
    given, wanted = pairs.batch(np.arange(len(pairs)))
    found = sorted(zip(given.tolist(), wanted.tolist(), strict=True))
    near = [(a, b) for a in tokens for b in tokens if 0 < abs(a - b) <= 2 and (a > 4) == (b > 4)]
    assert found == sorted(near)
    rows, middle = data.WordContexts(tokens, sentences, 2, "cbow", padding=9).batch(np.arange(6))
    assert middle.tolist() == tokens
    assert rows.tolist() == [[9, 9, 2, 3], [9, 1, 3, 4], [1, 2, 4, 9], [2, 3, 9, 9], [9, 9, 6, 9], [9, 5, 9, 9]]
    with pytest.raises(OptionError, match="kind must be"):
        data.WordContexts(tokens, sentences, 2, "other")
    with pytest.raises(DataError, match="none is beside another"):
        data.WordContexts([1, 2], [0, 1], 2)


def test_pairs_of_pseudo_words_have_no_word_in_common():
    corpus = data.WordCorpus(["a b c"], 1)
    with pytest.raises(DataError, match="in common"):
        data.PseudoWords(corpus, [("a", "b"), ("b", "c")])


def test_sentences_of_scenes():
    """By hand: which is left, which above; near the diagonal there is none."""
    from gpugrad.data.captions import described
    from gpugrad.data.scenes import Scene

    def scene(*corners):
        boxes = [(x, y, x + 10, y + 10) for x, y in corners]
        none = gg.zeros(2, 40, 40, dtype="bool")
        return Scene(gg.zeros(3, 40, 40), gg.tensor(boxes), gg.tensor([7, 2]), none, gg.tensor([0, 2]))

    assert described(scene((0, 5), (25, 0))) == "a red seven left of a blue two"
    assert described(scene((25, 5), (0, 0))) == "a blue two left of a red seven"
    assert described(scene((5, 28), (0, 0))) == "a blue two above a red seven"
    assert described(scene((0, 0), (20, 18))) is None


def test_captions_fit_the_scenes():
    captions = data.SceneCaptions(30, seed=4)
    assert len(captions) == 30 and captions.images.shape == (30, 3, 40, 40)
    assert [" ".join(captions.vocabulary.decode(row)) for row in captions.tokens] == captions.texts
    other = data.SceneCaptions(30, part="test", seed=4)
    assert not (other.images[:, None] == captions.images[None]).all((2, 3, 4)).any()


def test_word_pieces_are_the_same_each_time():
    texts = data.docstrings(["random"])
    tokenizer, again = (data.train_wordpiece(texts, 200) for _ in range(2))
    assert tokenizer.vocab_size == 200
    assert tokenizer.tokenizer.get_vocab() == again.tokenizer.get_vocab()
    assert [tokenizer.tokenizer.token_to_id(name) for name in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")] == [
        *range(5)
    ]
    assert tokenizer.decode(tokenizer.encode(texts[3])) == texts[3]
    assert tokenizer.encode("é").tolist() == [tokenizer.tokenizer.token_to_id("e")]
    assert tokenizer.encode("β").tolist() == [1]
    with pytest.raises(DataError, match="1 texts have no letter"):
        data.train_wordpiece([" 1 "])


def test_shares_of_masked_tokens():
    """15 % are chosen; of these 80 % are hidden, 10 % another token, 10 % as they were. Special tokens stay."""
    tokens = np.where(np.arange(100_000) % 10, 7, np.arange(100_000) // 10 % 5)
    given, wanted = data.mask_tokens(tokens, 1000, np.random.default_rng(0))
    chosen = wanted != -100
    assert chosen.sum() / (tokens == 7).sum() == pytest.approx(0.15, abs=0.005)
    assert (wanted[chosen] == 7).all() and (given[~chosen] == tokens[~chosen]).all()
    shares = [(given[chosen] == 4).mean(), (~np.isin(given[chosen], [4, 7])).mean(), (given[chosen] == 7).mean()]
    np.testing.assert_allclose(shares, [0.8, 0.1, 0.1], atol=0.015)
    assert given[chosen].min() >= 4


def test_samples_of_two_parts_are_cut_and_padded():
    samples = data.PieceSamples([[7, 8], [9]], [[5, 6, 5, 6], []], [0, 1], length=7)
    assert samples.tokens.tolist() == [[2, 7, 8, 3, 5, 6, 5], [2, 9, 3, 0, 0, 0, 0]]
    assert samples.segments.tolist() == [[0, 0, 0, 0, 1, 1, 1], [0] * 7]


def test_next_sentences_are_next_where_the_target_says_so():
    words = [f"word{chr(97 + i)}" for i in range(20)]
    encode = lambda text: np.array([words.index(word) + 5 for word in text.split()])  # noqa: E731
    texts = [[words[i], words[i + 1]] for i in range(0, 18, 2)] + [[" ".join(words[18:])]]
    samples = data.next_sentences(encode, texts, 5, seed=1)
    assert len(samples) == 10 and 0 < samples.targets.sum() < 10
    for row, wrong in zip(samples.tokens, samples.targets, strict=True):
        assert (row[3] != row[1] + 1) == wrong


def test_spans_are_the_words_from_one_to_the_other():
    tokenizer = data.train_wordpiece(data.docstrings(["random"]), 100)
    sentences = data.docstrings(["random"])[:60]
    samples = data.asked_spans(tokenizer.encode, sentences, 64)
    assert len(samples) > 30
    for row, (first, last) in zip(samples.tokens, samples.targets, strict=True):
        question = row[1 : list(row).index(3)].tolist()
        span = row[first : last + 1].tolist()
        assert any(
            span[:n] == question[:n] and span[n - len(question) :] == question[n:] for n in range(1, len(question))
        )


def test_subjects_are_by_module():
    encode = data.ByteTokenizer().encode
    samples = data.subjects(encode, ["random", "json"], 300)
    own = [set(data.docstrings([name])) for name in ("random", "json")]
    for row, target in zip(samples.tokens[::7], samples.targets[::7], strict=True):
        text = bytes(row[1 : list(row).index(3)].tolist()).decode()
        assert text in own[target]
