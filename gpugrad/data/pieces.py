"""Word pieces, learned from text, and the samples that BERT learns from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..autograd.convert import asarray
from ..autograd.tensor import Tensor
from ..errors import DataError
from ..optional import need
from .dataset import Dataset
from .text import HuggingFaceTokenizer

PAD, UNKNOWN, CLS, SEP, MASK = range(5)
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def train_wordpiece(texts: Sequence[str], vocab_size: int = 2000) -> HuggingFaceTokenizer:
    """Learn at most `vocab_size` pieces of words from texts (Wu et al. 2016, section 4.1), with `tokenizers`.

    The first five are [PAD], [UNK], [CLS], [SEP] and [MASK]; pieces that go on a word begin with ##. Raises DataError
    for texts without a letter.

    >>> tokenizer = gg.data.train_wordpiece(["low lower lowest"] * 5, vocab_size=30)
    >>> tokenizer.decode(tokenizer.encode("lower low"))
    'lower low'
    """
    module = need("tokenizers", "learning word pieces", "train")
    if not any(character.isalpha() for text in texts for character in text):
        raise DataError(f"train_wordpiece: {len(texts)} texts have no letter")
    # Pieces of one character are given, since the trainer would number them in the order of a hash table.
    single = sorted({character for text in texts for character in text.lower() if not character.isspace()})
    given = [*_SPECIAL, *single, *(f"##{character}" for character in single)]
    learning = _wordpiece(module, {})
    trainer = module.trainers.WordPieceTrainer(vocab_size=vocab_size, special_tokens=given, show_progress=False)
    learning.train_from_iterator(texts, trainer)
    return HuggingFaceTokenizer(_wordpiece(module, learning.get_vocab()))


def _wordpiece(module: Any, vocabulary: dict[str, int]) -> Any:
    tokenizer = module.Tokenizer(module.models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = module.normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = module.pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = module.decoders.WordPiece()
    return tokenizer


def mask_tokens(
    tokens: np.ndarray, vocab_size: int, random: np.random.Generator, share: float = 0.15
) -> tuple[np.ndarray, np.ndarray]:
    """Hide a share of tokens (N, T), and return what is left and what is to be found (-100 elsewhere).

    Of those chosen 80 % become [MASK], 10 % another token, and 10 % stay (Devlin et al. 2019, section 3.1). The special
    tokens, below 5, are not chosen.

    >>> tokens = np.full((1, 1000), 7)
    >>> given, wanted = gg.data.mask_tokens(tokens, 50, np.random.default_rng(0))
    >>> bool(100 < (wanted == 7).sum() < 200), bool(80 < (given == 4).sum() < 160)
    (True, True)
    """
    chosen = (tokens > MASK) & (random.random(tokens.shape) < share)
    fate = random.random(tokens.shape)
    others = random.integers(MASK + 1, vocab_size, tokens.shape)
    given = np.where(chosen & (fate < 0.8), MASK, np.where(chosen & (fate >= 0.9), others, tokens))
    return given, np.where(chosen, tokens, -100)


class PieceSample(NamedTuple):
    """Tokens, their segments, and what is to be found: int64 (N, T), (N, T), and (N,), (N, T) or (N, 2).

    >>> gg.data.PieceSample(gg.ones(1, 2), gg.zeros(1, 2), gg.ones(1)).target.shape
    (1,)
    """

    tokens: Tensor
    segments: Tensor
    target: Tensor


class PieceSamples(Dataset):
    """Holds texts of one or two parts, [CLS] first [SEP] second [SEP], with targets.

    firsts, seconds: the parts' tokens, where the seconds may be empty. targets: (N, ...); those of (N, T) are of each
    token. Longer ones than `length` are cut at their end, shorter ones padded.

    >>> samples = gg.data.PieceSamples([[7, 8]], [[9]], [1], length=8)
    >>> samples[0].tokens.tolist(), samples[0].segments.tolist()
    ([2, 7, 8, 3, 9, 3, 0, 0], [0, 0, 0, 0, 1, 1, 0, 0])
    """

    def __init__(self, firsts: Sequence[Sequence[int]], seconds: Sequence[Sequence[int]], targets: object, length: int):
        self.targets = np.asarray(targets, np.int64)
        self.tokens, self.segments = (np.zeros((len(firsts), length), np.int64) for _ in range(2))
        for row, (first, second) in enumerate(zip(firsts, seconds, strict=True)):
            whole = [CLS, *first, SEP, *second, *([SEP] if len(second) else [])][:length]
            self.tokens[row, : len(whole)] = whole
            self.segments[row, len(first) + 2 : len(whole)] = 1

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: int) -> PieceSample:
        return PieceSample(*(part[0] for part in self.batch(np.array([index]))))

    def batch(self, indices: np.ndarray) -> PieceSample:
        """Return the samples `indices`."""
        return PieceSample(
            *(asarray(part[indices], device="cpu") for part in (self.tokens, self.segments, self.targets))
        )
