"""The loss layer of connectionist temporal classification."""

from . import functional as F
from .loss import OptionLoss


class CTCLoss(OptionLoss):
    """-log of the probability of `targets` given log_probs (T, N, C): `functional.ctc_loss` (A. Graves et al. 2006)."""

    function = staticmethod(F.ctc_loss)

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False):
        super().__init__(reduction, blank=blank, zero_infinity=zero_infinity)
