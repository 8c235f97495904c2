"""The loss layer of connectionist temporal classification."""

from . import functional as F
from .loss import OptionLoss


class CTCLoss(OptionLoss):
    """Computes -log of the probability of `targets` given log_probs (T, N, C): see `functional.ctc_loss`.

    See A. Graves et al. 2006, section 4.

    >>> log_probs = F.log_softmax(gg.zeros((5, 1, 3)), dim=2)
    >>> nn.CTCLoss()(log_probs, gg.tensor([[1, 2]]), gg.tensor([5]), gg.tensor([2])).round(decimals=4)
    tensor(0.9689)
    """

    function = staticmethod(F.ctc_loss)

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False):
        super().__init__(reduction, blank=blank, zero_infinity=zero_infinity)
