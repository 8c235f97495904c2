"""Sequence to sequence: dates in words become dates in numbers, with attention and without."""

from ..autograd.mode import no_grad
from ..data import DateTranslation
from ..models import Seq2Seq, translate_by_beams
from ..nn import Module, ModuleDict
from ..train import DatesToNumbers, Goal
from ..viz import attention, curves

VARIANTS = {
    "no attention": None, "attention dot": "dot", "attention multiplicative": "multiplicative",
    "attention with values": "values", "attention learned": "learned",
}  # fmt: skip


class SequenceToSequence(DatesToNumbers):
    """Translates dates from words to numbers with a recurrent encoder and decoder, with attention and without.

    Sutskever et al. 2014 (encoder and decoder), Bahdanau et al. 2015 and Luong et al. 2015 (attention); the notes'
    sections on seq2seq, its bottleneck, and attention's variants. A beam is never less likely than the greedy result.
    """

    minutes = 5
    goals = {
        "exact, attention multiplicative": Goal(0.99),
        "beam of 4 at least as likely as greedy": Goal(1.0),
    }
    quick = {"pairs": 256, "test_pairs": 20, "width": 24, "epochs": 3, "beams": 2, "warmup": 1, "lr": 0.01}
    epochs = 7
    width = 128
    beams = 100  # sequences that are searched for with a beam

    def build(self) -> Module:
        sizes = len(DateTranslation.source), len(DateTranslation.target)
        return ModuleDict({name: Seq2Seq(*sizes, self.width, variant) for name, variant in VARIANTS.items()})

    def train(self) -> None:
        losses = {name: self.fit_translator(model, name).losses for name, model in self.model.items()}
        curves(losses, self.picture("loss"))

    def evaluate(self) -> dict[str, float]:
        exact = {f"exact, {name}": self.exact_matches(model) for name, model in self.model.items()}
        return {**exact, "beam of 4 at least as likely as greedy": self.beams_keep_up()}

    def beams_keep_up(self) -> float:
        """Return the share of dates for which the best of four beams is at least as likely as the greedy result.

        The model without attention is taken, which errs more often.
        """
        test, kept, plain = self.pairs_to_test, 0, self.model["no attention"]
        count = min(self.beams, len(test))
        for i in range(count):
            source = test[i][0].to(device=self.device)
            beams = [
                translate_by_beams(plain, source, test.target.start, test.target.end, width, 12)[0] for width in (1, 4)
            ]
            kept += beams[1].log_probability >= beams[0].log_probability - 1e-5
        return kept / count

    def draw(self) -> None:
        text, date = self.pairs_to_test.texts[0]
        source, target = (part.expand_dims(0).to(device=self.device) for part in self.pairs_to_test[0])
        with no_grad():
            found = {name: model(source, target)[1] for name, model in self.model.items() if model.attention}
        shown = [weights[0, :-1, : len(text)].cpu().numpy() for weights in found.values()]
        attention(shown, self.picture("alignment"), queries=date[1:], keys=text, titles=list(found), columns=2)
