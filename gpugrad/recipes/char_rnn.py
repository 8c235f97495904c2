"""A language model of characters: an LSTM reads source code and writes some."""

import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..data import DataLoader, TokenDataset
from ..models import LSTMLanguageModel, sample
from ..nn import Module
from ..train import Goal, LanguageModeling, Streams, TruncatedBackpropagation


class CharacterRNN(LanguageModeling):
    """Learns Python's source code character by character with an LSTM, and writes some.

    p(x_1 ... x_T) = prod_t p(x_t | x_1 ... x_{t-1}), each factor from the state of the network (the notes on recurrent
    networks: language models, autoregressive sampling). The text is read in windows: the state goes on, the gradient
    does not. `--set sampled=0.25`: a quarter of the tokens given are the network's own in the end.
    """

    minutes = 5
    goals = {
        "fewer than gzip": Goal(0, form=".3f"),
        "fewer than n-grams": Goal(0, form=".3f"),
    }
    kind = TruncatedBackpropagation
    quick = {
        "characters": 8000, "test_characters": 2000, "hidden": 32, "length": 16, "test_length": 200, "epochs": 2,
    }  # fmt: skip
    epochs = 4
    hidden = 256
    temperature = 0.7
    test_length = 1000
    sampled = 0.0  # the probability of scheduled sampling at the end

    def loader(self) -> DataLoader:
        windows = TokenDataset(self.tokens[0], self.length)
        return DataLoader(windows, batch_sampler=Streams(len(windows), self.batch_size))

    def prepare(self, trainer: TruncatedBackpropagation, steps: int) -> None:
        trainer.sampled, trainer.rising = self.sampled, steps

    def build(self) -> Module:
        return LSTMLanguageModel(self.tokenizer.vocab_size, 64, self.hidden)

    def write(self, beginning: str, count: int, seed: int = 0) -> str:
        """Continue a text by `count` characters."""
        random, state = np.random.default_rng(seed), None
        tokens = self.tokenizer.encode(beginning).numpy()[None]
        written = [tokens[0]]
        with no_grad():
            for _ in range(count):
                logits, state = self.model(asarray(tokens, device=self.device), state)
                tokens = sample(logits[:, -1], self.temperature, random=random)[:, None]
                written.append(tokens[0])
        return self.tokenizer.decode(np.concatenate(written))

    def draw(self) -> None:
        self.picture("sample", ".txt").write_text(self.write(self.beginning, 600))
