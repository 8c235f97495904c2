"""A language model of characters: an LSTM reads source code and writes some."""

import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..models import LSTMLanguageModel, sample
from ..nn import Module
from ..train import Goal, LanguageModeling


class CharacterRNN(LanguageModeling):
    """Learns Python's source code character by character with an LSTM, and writes some.

    p(x_1 ... x_T) = prod_t p(x_t | x_1 ... x_{t-1}), each factor from the state of the network (the notes on recurrent
    networks: language models, autoregressive sampling).
    """

    minutes = 5
    goals = {
        "fewer than gzip": Goal(0, form=".3f"),
        "fewer than n-grams": Goal(0, form=".3f"),
    }
    quick = {"characters": 20_000, "test_characters": 5000, "hidden": 64, "length": 32}
    epochs = 4
    hidden = 256
    temperature = 0.7

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
        self.picture("sample", ".txt").write_text(self.write("def ", 600))
