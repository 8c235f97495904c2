"""What the attributes of the library's own ops may be, by their names: the same word has the same range everywhere.

CHECKED are those that an op would take and compute nonsense with, or fail in the middle of: they are checked when a
call gives them. Of EXPLAINED the array libraries do refuse what is wrong, but in their own words: they are looked at
only when a call has failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ..arguments import (
    choice,
    flag,
    fraction,
    int_array,
    integer,
    ints,
    non_negative,
    non_negative_int,
    not_zero,
    number,
    number_or_nan,
    optional,
    pad_widths,
    positive_int,
    positive_ints,
    text,
)  # fmt: skip

_FLAGS = (
    "causal density descending equal_nan full_matrices hermitian invert keepdims largest return_counts return_index "
    "return_inverse reverse right sorted stable upper"
)
CHECKED: dict[str, Callable | None] = {
    **dict.fromkeys(_FLAGS.split(), flag),
    **dict.fromkeys("dilation kernel stride".split(), positive_ints),
    **dict.fromkeys("groups ndim share".split(), positive_int),
    **dict.fromkeys("atol eps lambd rtol".split(), non_negative),
    **dict.fromkeys("dropout_p label_smoothing p".split(), fraction),
    **dict.fromkeys("alpha beta ddof negative_slope threshold".split(), number),
    **dict.fromkeys("nan value".split(), number_or_nan),
    **dict.fromkeys("max_val min_val".split(), number),
    "correction": optional(number),
    **dict.fromkeys("neginf posinf".split(), optional(number_or_nan)),
    **dict.fromkeys("minlength num_segments".split(), non_negative_int),
    **dict.fromkeys("blank ignore_index k".split(), integer),
    **dict.fromkeys("padding_idx".split(), optional(integer)),
    **dict.fromkeys("shift".split(), int_array),
    "pad_width": pad_widths,
    "attention.scale": optional(number),
    "masked_softmax.scale": number,
    "rcond": optional(number),
    "softplus.beta": not_zero,
    "UPLO": choice("L", "U", "l", "u"),
    "nonlinearity": choice("tanh", "relu"),
    "subscripts": text,
    **dict.fromkeys(("pinv.rtol", "pinv.atol")),  # numbers or arrays, or None
    "celu.alpha": not_zero,
    "hardshrink.lambd": number,
    "logit.eps": optional(non_negative),
}  # fmt: skip
EXPLAINED: dict[str, Callable | None] = {
    **dict.fromkeys("axes axis dims reps".split(), optional(ints)),
    **dict.fromkeys("axis1 axis2 decimals destination indices_or_sections offset padding shape source".split(), ints),
    "step": not_zero,
    **CHECKED,
}


def checks_of(
    op: str, module: str | None, attributes: Iterable[str], table: Mapping[str, Callable | None]
) -> dict[str, Callable]:
    """Return attribute -> check of the table's checks that hold for this op; of the library's ops, not of a user's."""
    if not (module or "").startswith("gpugrad."):  # a function that was executed from a text has no module
        return {}
    found = {name: table.get(f"{op}.{name}", table.get(name)) for name in attributes}
    return {name: check for name, check in found.items() if check is not None}
