"""The transformer on the same translation: attention alone, with sinusoidal positions, warm-up and smoothing."""

from ..data import DateTranslation
from ..models import TransformerTranslator
from ..nn import Module
from ..train import DatesToNumbers, Goal
from ..viz import attention, attention_of


class TransformerOnDates(DatesToNumbers):
    """Translates dates from words to numbers with a small transformer; label smoothing and warm-up are the paper's.

    Vaswani et al. 2017, "Attention is all you need", sections 3 and 5.
    """

    minutes = 4
    goals = {"exact": Goal(0.99)}
    quick = {"pairs": 256, "test_pairs": 20, "width": 32, "feedforward": 64, "epochs": 3, "warmup": 1}
    epochs = 12
    lr = 1e-3
    width = 64
    heads = 4
    layers = 2
    feedforward = 256
    smoothing = 0.1

    def build(self) -> Module:
        sizes = len(DateTranslation.source), len(DateTranslation.target)
        return TransformerTranslator(*sizes, self.width, self.heads, self.layers, self.feedforward, dropout=0.0)

    def train(self) -> None:
        self.fit_translator(self.model, smoothing=self.smoothing).draw(self.picture("loss"))

    def evaluate(self) -> dict[str, float]:
        return {"exact": self.exact_matches(self.model)}

    def draw(self) -> None:
        text, date = self.pairs_to_test.texts[0]
        source, target = (part.expand_dims(0).to(device=self.device) for part in self.pairs_to_test[0])
        found = attention_of(self.model, source, target)
        last = next(weights for name, weights in reversed(found.items()) if name.endswith("multihead_attn"))
        attention(
            last[0, :, : len(date) - 1, : len(text)], self.picture("attention"), queries=date[1:], keys=text, columns=2
        )
