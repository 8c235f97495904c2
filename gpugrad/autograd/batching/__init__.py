"""`vmap`: a function of single examples, run on a whole batch at once.

Inside of it a Tensor holds a `Batched` array (batched.py), which shows the shape of one example and keeps all of them
in a Tensor outside. An op on such Tensors is one call of the same op on the Tensors outside, with its axes moved past
the batch's: rules.py has how, for each op or as it follows from the op's declaration. An op without a rule is called
for each example. So nested vmaps, gradients inside of vmap and of vmap need nothing of their own.
"""

from .vmap import vmap

__all__ = ["vmap"]
