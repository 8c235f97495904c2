"""GPT-2 and BERT against Hugging Face's, generation with a cache, sampling, beam search."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import models
from gpugrad.errors import OptionError, ShapeError, StateDictError

SIZES = {"n_positions": 24, "n_embd": 24, "n_layer": 3, "n_head": 3}
BERT = {
    "vocab_size": 50, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 40,
    "max_position_embeddings": 20,
}  # fmt: skip


@pytest.fixture(scope="module")
def hugging_face():
    return pytest.importorskip("transformers")


def randomised(theirs):
    """The same network with random numbers in all parameters, so that none hides behind a zero."""
    import torch

    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.2)
    return theirs.eval()


def tensors_of(theirs):
    return {name: gg.tensor(value.numpy()) for name, value in theirs.state_dict().items()}


def same(ours, theirs, tolerance=1e-4):
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=tolerance, atol=tolerance)


def test_gpt2_is_hugging_faces(hugging_face):
    import torch

    theirs = randomised(
        hugging_face.GPT2LMHeadModel(
            hugging_face.GPT2Config(vocab_size=50, attn_pdrop=0, embd_pdrop=0, resid_pdrop=0, **SIZES)
        )
    )
    ours = models.GPT(50, **SIZES)
    ours.load_hugging_face(tensors_of(theirs))
    tokens = np.random.default_rng(0).integers(0, 50, (2, 20))
    logits, expected = ours(gg.tensor(tokens)), theirs(torch.tensor(tokens)).logits
    same(logits, expected)
    weights = np.random.default_rng(1).standard_normal(expected.shape).astype(np.float32)
    (logits * weights).sum().backward()
    (expected * torch.tensor(weights)).sum().backward()
    grads = {name: p.grad for name, p in theirs.named_parameters()}
    for name, parameter in ours.named_parameters():
        grad = grads[name]
        conv = ".c_" in name and name.endswith("weight")
        scale = float(grad.abs().max())
        same(parameter.grad / scale, (grad.T if conv else grad) / scale)


def test_a_file_of_gpt2_in_its_published_form(hugging_face):
    """Without the prefix and the tied layer, with the masks of old files."""
    ours = models.GPT(50, **SIZES)
    named = {}
    for name, value in ours.state_dict().items():
        if name != "lm_head.weight":
            conv = ".c_" in name and name.endswith("weight")
            named[name.removeprefix("transformer.")] = (value.T if conv else value).detach() + 1
    named["h.0.attn.bias"] = gg.ones(1, 1, 24, 24)
    before = ours.transformer.h[1].attn.c_attn.weight.detach().numpy().copy()
    ours.load_hugging_face(named)
    np.testing.assert_allclose(ours.transformer.h[1].attn.c_attn.weight.detach().numpy(), before + 1)
    with pytest.raises(StateDictError, match="h.2"):
        models.GPT(50, **{**SIZES, "n_layer": 2}).load_hugging_face(named)


def test_gpt2_from_a_users_files(hugging_face, tmp_path):
    """A folder as Hugging Face writes it: model.safetensors and tokenizer.json; what is written is the same text."""
    import torch
    from tokenizers import Tokenizer, pre_tokenizers
    from tokenizers.models import WordLevel

    words = Tokenizer(WordLevel({f"w{i}": i for i in range(50)}, unk_token="w0"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.save(str(tmp_path / "tokenizer.json"))
    theirs = randomised(hugging_face.GPT2LMHeadModel(hugging_face.GPT2Config(vocab_size=50, **SIZES)))
    theirs.save_pretrained(tmp_path)
    ours, tokenizer = models.GPT(50, **SIZES), gg.data.HuggingFaceTokenizer(tmp_path / "tokenizer.json")
    ours.load_hugging_face(gg.io.load_weights(tmp_path / "model.safetensors"))
    start = tokenizer.encode("w3 w1 w4 w1 w5").reshape(1, -1)
    written = models.generate(ours, start, 12, temperature=0)[0]
    expected = theirs.generate(
        torch.tensor(start.numpy()), attention_mask=torch.ones(1, 5), max_new_tokens=12, do_sample=False,
        pad_token_id=0, eos_token_id=49,
    )  # fmt: skip
    assert tokenizer.decode(written) == tokenizer.decode(expected[0].tolist())


def test_bert_is_hugging_faces(hugging_face):
    import torch

    theirs = randomised(hugging_face.BertModel(hugging_face.BertConfig(**BERT)))
    ours = models.BertModel(**BERT)
    names = [name for name in theirs.state_dict() if "position_ids" not in name]
    assert sorted(ours.state_dict()) == sorted(names)
    ours.load_state_dict({name: value for name, value in tensors_of(theirs).items() if name in names})
    ours.eval()
    random = np.random.default_rng(0)
    tokens, segments = random.integers(1, 50, (3, 12)), random.integers(0, 2, (3, 12))
    mask = np.arange(12) < np.array([[12], [7], [1]])
    found = ours(gg.tensor(tokens), gg.tensor(mask.astype(np.int64)), gg.tensor(segments))
    expected = theirs(
        torch.tensor(tokens), torch.tensor(mask.astype(np.int64)), torch.tensor(segments), output_hidden_states=True
    )
    for ours_state, their_state in zip(found.hidden_states, expected.hidden_states, strict=True):
        same(ours_state[0], their_state[0])
    same(found.pooler_output, expected.pooler_output)
    found.pooler_output.sum().backward()
    expected.pooler_output.sum().backward()
    grads = {name: p.grad for name, p in theirs.named_parameters()}
    largest = max(float(grad.abs().max()) for grad in grads.values())
    for name, parameter in ours.named_parameters():
        scale = max(float(grads[name].abs().max()), 1e-3 * largest)  # that of the keys' bias is 0 but for rounding
        same(parameter.grad / scale, grads[name] / scale)


HEADS = {
    "BertForPreTraining": {}, "BertForMaskedLM": {}, "BertForSequenceClassification": {"num_labels": 3},
    "BertForTokenClassification": {"num_labels": 3}, "BertForQuestionAnswering": {},
}  # fmt: skip


@pytest.mark.parametrize("name", HEADS)
def test_berts_heads_are_hugging_faces(hugging_face, name):
    import torch

    theirs = randomised(getattr(hugging_face, name)(hugging_face.BertConfig(**BERT, **HEADS[name])))
    ours = getattr(models, name)(**BERT, **HEADS[name])
    given = tensors_of(theirs)
    ours.load_state_dict({key: given[key] for key in ours.state_dict()})
    ours.eval()
    tokens = np.random.default_rng(0).integers(1, 50, (2, 9))
    found, expected = ours(gg.tensor(tokens)), theirs(torch.tensor(tokens)).to_tuple()
    for mine, their in zip(found if isinstance(found, tuple) else [found], expected, strict=True):
        same(mine, their)


def test_gpt_with_a_cache_equals_gpt_without():
    gg.manual_seed(0)
    model = models.GPT(30, **SIZES)
    tokens = gg.tensor(np.random.default_rng(0).integers(0, 30, (2, 20)))
    with gg.no_grad():
        whole, cache = model(tokens), models.KeyValueCache(24)
        parts = [model(tokens[:, start:end], cache=cache) for start, end in ((0, 7), (7, 8), (8, 13), (13, 20))]
    np.testing.assert_allclose(np.concatenate([p.numpy() for p in parts], 1), whole.numpy(), rtol=1e-4, atol=1e-5)
    with pytest.raises(ShapeError, match="at most 24 tokens.*got 27"):
        model(tokens[:, :7], cache=cache)


@pytest.mark.parametrize("options", [{"temperature": 0}, {"top_k": 5, "seed": 3}, {"top_p": 0.7, "seed": 1}])
def test_what_is_generated_is_the_same_with_a_cache(options):
    gg.manual_seed(1)
    model = models.GPT(30, **SIZES)
    start = gg.tensor([[1, 2, 3], [4, 5, 6]])
    cached, uncached = (models.generate(model, start, 20, cache=cache, **options) for cache in (True, False))
    assert cached.tolist() == uncached.tolist()
    with pytest.raises(ShapeError, match="3 tokens and 22 more are beyond the model's 24 positions"):
        models.generate(model, start, 22)
    with pytest.raises(ShapeError, match=r"at least one token, got shape \(1, 0\)"):
        models.generate(model, gg.zeros(1, 0, dtype="int64"), 2)


def test_nothing_follows_the_end():
    model = models.GPT(5, **SIZES)
    written = models.generate(model, gg.tensor([[1]] * 20), 15, end=2, seed=0).numpy()
    for row in written:
        places = np.flatnonzero(row == 2)
        assert not len(places) or (row[places[0] :] == 2).all()
    assert (written == 2).any()


def test_shares_of_samples():
    logits = np.log([[0.5, 0.25, 0.125, 0.125]])
    random = np.random.default_rng(0)

    def shares(**options):
        drawn = models.sample(np.repeat(logits, 20000, 0), random=random, **options)
        return np.bincount(drawn, minlength=4) / 20000

    np.testing.assert_allclose(shares(), [0.5, 0.25, 0.125, 0.125], atol=0.02)
    np.testing.assert_allclose(shares(top_k=2), [2 / 3, 1 / 3, 0, 0], atol=0.02)
    np.testing.assert_allclose(shares(top_p=0.6), [2 / 3, 1 / 3, 0, 0], atol=0.02)
    np.testing.assert_allclose(shares(top_p=0.5), [1, 0, 0, 0])
    np.testing.assert_allclose(shares(temperature=0.5), np.array([16, 4, 1, 1]) / 22, atol=0.02)
    nan = float("nan")
    for wrong in (
        {"temperature": -1},
        {"temperature": nan},
        {"top_k": 0},
        {"top_k": 1.5},
        {"top_p": 0.0},
        {"top_p": nan},
    ):
        with pytest.raises(OptionError, match="sample: "):
            models.sample(logits, **wrong)
    with pytest.raises(ShapeError, match=r"logits \(N, V\) of at least one token, got shape \(4,\)"):
        models.sample(logits[0])


def table_score(table):
    nothing = np.full(4, 1e-300)  # after a token that there is not
    return lambda beginnings: np.log([table.get(tuple(row[1:]), nothing) for row in beginnings])


def random_language(seed, depth=4, vocabulary=4):
    """A table of next-token probabilities for every beginning of up to `depth` tokens; the last token is the end."""
    random, table = np.random.default_rng(seed), {}
    beginnings = [()]
    for _ in range(depth):
        for beginning in beginnings:
            table[beginning] = random.dirichlet(np.full(vocabulary, 0.4)) + 1e-6
        beginnings = [(*b, t) for b in beginnings for t in range(vocabulary - 1)]
    return table


@pytest.mark.parametrize("seed", range(20))
def test_beam_search_against_all_sequences(seed):
    table = random_language(seed)
    score = table_score(table)
    everything = {}

    def visit(beginning, log):
        for token, p in enumerate(table[beginning]):
            if token == 3 or len(beginning) == 3:
                everything[beginning if token == 3 else (*beginning, token)] = log + np.log(p)
            else:
                visit((*beginning, token), log + np.log(p))

    visit((), 0.0)
    greedy, narrow = (models.beam_search(score, 9, 3, width, max_length=4)[0] for width in (1, 2))
    exact = models.beam_search(lambda rows: np.pad(score(rows), ((0, 0), (0, 60)), constant_values=-1e9), 9, 3, 64, 4)[
        0
    ]
    assert exact.log_probability == pytest.approx(max(everything.values()))
    assert exact.log_probability >= narrow.log_probability >= greedy.log_probability - 1e-12
    beginning, log = (), 0.0
    while len(beginning) < 4:
        token = int(np.argmax(table[beginning]))
        log += np.log(table[beginning][token])
        if token == 3:
            break
        beginning = (*beginning, token)
    assert greedy.tokens == list(beginning) and greedy.log_probability == pytest.approx(log)


def test_length_is_normalised():
    table = {(): [0.01, 0.59, 0.4], (1,): [0.05, 0.05, 0.9], (1, 1): [0, 0, 1.0], (0,): [0, 0, 1.0]}
    score = lambda rows: np.log(np.array([table.get(tuple(row[1:]), [0, 0, 1.0]) for row in rows]) + 1e-12)  # noqa: E731
    short = {(): [0.5, 0.05, 0.45], (0,): [0.9, 0.05, 0.05], (0, 0): [0.01, 0.01, 0.98]}
    other = lambda rows: np.log(np.array([short.get(tuple(row[1:]), [0, 0, 1.0]) for row in rows]) + 1e-12)  # noqa: E731
    assert models.beam_search(score, 9, 2, 2)[0].tokens == [1]
    assert models.beam_search(other, 9, 2, 2)[0].tokens == []  # 0.45 beats 0.5 * 0.9 * 0.98
    assert models.beam_search(other, 9, 2, 2, length_penalty=1.0)[0].tokens == [0, 0]
    with pytest.raises(OptionError, match="width 4 is beyond the vocabulary of 3 tokens"):
        models.beam_search(other, 9, 2, 4)
    for wrong in ({"width": 0}, {"width": 2.5}, {"max_length": -1}, {"length_penalty": float("nan")}):
        with pytest.raises(OptionError, match=f"beam_search: .*got .*{next(iter(wrong.values()))}"):
            models.beam_search(other, 9, 2, **wrong)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: models.GPT(5, 8, 8, 1, 2)(gg.tensor([[7]])), "7 in a table of 5 rows"),
        (lambda: models.BertModel(5, 8, 1, 2)(gg.tensor([[9]])), "9 in a table of 5 rows"),
        (lambda: models.GPT(5, 8, 8, 1, 2)(gg.tensor([1])), r"GPT: expected sequences.*got shape \(1,\)"),
        (lambda: models.BertModel(5, 8, 1, 2)(gg.ones(1, 0)), r"BertModel: expected sequences.*got shape \(1, 0\)"),
        (lambda: models.ELMo(5, 4, 1)(gg.ones(2, 0)), r"ELMo: expected sequences.*got shape \(2, 0\)"),
        (lambda: models.LSTMLanguageModel(5, 4, 4)(gg.tensor([1])), "LSTMLanguageModel: expected sequences"),
        (lambda: models.Seq2Seq(5, 5, 4)(gg.ones(2, 0), gg.ones(2, 1)), "Seq2Seq: expected sequences"),
        (lambda: models.TransformerTranslator(5, 5, 4, 2, 1, 4)(gg.ones(3), gg.ones(1, 1)), "Translator: expected seq"),
        (lambda: models.Seq2Seq(5, 5, 4)(gg.ones(2, 3), gg.ones(1, 1)), "a beginning for each of 2 sources, got 1"),
        (lambda: models.generate(models.GPT(5, 8, 8, 1, 2), [[1]], -1), "count must be at least 0, got -1"),
        (lambda: models.Seq2Seq(5, 5, 4)(gg.tensor([[0, 0]]), gg.tensor([[1]])), r"at least one element.*\[0\]"),
        (lambda: gg.data.CharTokenizer(""), "the text is empty"),
        (lambda: gg.data.TokenDataset([], 5), r"tokens \(0,\) are too few for a window of 5"),
        (lambda: models.KeyValueCache(2).append(0, gg.ones(1, 1, 3, 2), gg.ones(1, 1, 3, 2)), "2 tokens, 3 are given"),
    ],
)  # fmt: skip
def test_unknown_tokens_and_empty_texts(call, message):
    with pytest.raises(gg.errors.GpugradError, match=message):
        call()


def test_berts_wrong_inputs():
    model = models.BertModel(**BERT)
    with pytest.raises(ShapeError, match="at most 20 tokens, got 21"):
        model(gg.ones(1, 21, dtype="int64"))
    with pytest.raises(ShapeError, match=r"attention_mask must have the tokens' shape \(1, 4\), got \(1, 3\)"):
        model(gg.ones(1, 4, dtype="int64"), gg.ones(1, 3))
    with pytest.raises(ShapeError, match=r"token_type_ids must have the tokens' shape \(1, 4\), got \(1, 5\)"):
        model(gg.ones(1, 4, dtype="int64"), token_type_ids=gg.ones(1, 5, dtype="int64"))
    with pytest.raises(ShapeError, match="multiple of num_attention_heads, got 10 and 3"):
        models.BertModel(hidden_size=10, num_attention_heads=3)
