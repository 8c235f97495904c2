"""What the arguments of layers and network functions may be, by their names.

A layer is checked when it is made, which happens once. A network function looks at the table when a call has failed;
those that would take what is not allowed and compute nonsense check it themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from ..arguments import (
    choice,
    flag,
    fraction,
    integer,
    ints,
    non_negative,
    non_negative_int,
    non_negative_ints,
    not_zero,
    number,
    optional,
    positive,
    positive_int,
    sizes,
    sizes_or_none,
    text,
)  # fmt: skip
from ..autograd.explain import TOLD, retell, told

_FLAGS = (
    "add_bias_kv add_zero_attn affine antialias average_attn_weights batch_first bias bidirectional ceil_mode "
    "count_include_pad elementwise_affine enable_gqa full hard head_bias inplace is_causal keepdim log_input "
    "log_target norm_first return_indices scale_grad_by_freq sparse swap track_running_stats training zero_infinity"
)
_COUNTS = (
    "embedding_dim hidden_size in1_features in2_features in_channels in_features input_size num_channels "
    "num_embeddings num_features out_channels out_features"
)
_POSITIVE_COUNTS = (
    "d_model dim_feedforward downscale_factor embed_dim embed_dim_to_check groups n_classes nhead num_groups num_heads "
    "num_layers num_parameters upscale_factor"
)


def _anything(op: str, name: str, value: Any) -> Any:
    """What the layer itself looks at."""
    return value


ARGUMENTS: dict[str, Callable] = {
    **dict.fromkeys(_FLAGS.split(), optional(flag)),
    **dict.fromkeys(_COUNTS.split(), non_negative_int),
    **dict.fromkeys(_POSITIVE_COUNTS.split(), positive_int),
    **dict.fromkeys("kdim vdim".split(), optional(positive_int)),
    **dict.fromkeys("num_decoder_layers num_encoder_layers proj_size".split(), non_negative_int),
    **dict.fromkeys("dilation kernel_size".split(), sizes),
    **dict.fromkeys("stride".split(), optional(sizes)),
    **dict.fromkeys("divisor_override".split(), optional(not_zero)),
    **dict.fromkeys("dropout dropout_p label_smoothing".split(), fraction),
    **dict.fromkeys("eps layer_norm_eps".split(), non_negative),
    **dict.fromkeys("alpha beta init k lower margin max_val min_val negative_slope norm_type upper".split(), number),
    **dict.fromkeys("threshold value".split(), number),
    **dict.fromkeys("max_norm momentum scale".split(), optional(number)),
    **dict.fromkeys("delta div_value tau".split(), positive),
    **dict.fromkeys("end_dim ignore_index start_dim".split(), integer),
    **dict.fromkeys("pad padding".split(), ints),
    **dict.fromkeys("output_padding".split(), non_negative_ints),
    **dict.fromkeys("dim padding_idx".split(), optional(ints)),
    **dict.fromkeys("mode padding_mode".split(), text),
    **dict.fromkeys("blank".split(), integer),
    **dict.fromkeys("cutoffs normalized_shape unflattened_size".split(), ints),
    **dict.fromkeys("output_size size".split(), sizes_or_none),
    "p": number,
    "approximate": choice("none", "tanh"),
    "nonlinearity": choice("tanh", "relu"),
    "reduction": choice("mean", "sum", "none"),
    # Where a layer or function differs:
    "BatchNorm.eps": positive,
    "CELU.alpha": not_zero,
    "celu.alpha": not_zero,
    "Conv.padding": _anything,
    "Convolution.padding": _anything,
    "CrossMapLRN.size": positive_int,
    "LocalResponseNorm.size": positive_int,
    "KLDivLoss.reduction": choice("mean", "sum", "none", "batchmean"),
    "LPPool.norm_type": not_zero,
    "LinearCrossEntropyLoss.out_features": non_negative_ints,
    "LinearCrossEntropyLoss.ignore_index": optional(integer),
    "RMSNorm.eps": optional(non_negative),
    "SmoothL1Loss.beta": non_negative,
    "Softshrink.lambd": non_negative,
    "ConstantPad.value": number,
    "pad.value": optional(number),
    "linear_cross_entropy.ignore_index": optional(integer),
    "local_response_norm.size": positive_int,
    "rms_norm.eps": optional(non_negative),
    "cosine_similarity.dim": integer,
}  # fmt: skip
# What is an option of a layer and a tensor of a function.
_TENSORS_OF_FUNCTIONS = frozenset(("bias", "value"))
# What every network function that has it checks itself, however it is given.
_CHECKED_BY_FUNCTIONS = frozenset(
    "dilation dropout_p groups kernel_size output_padding padding p reduction stride".split()
)


def checks_for(owner: str) -> dict[str, Callable]:
    """Return the table as it is for one layer or function: `owner` is its name, or that of its base class."""
    owner = re.sub(r"^_|\dd(_with_indices)?$", "", owner)
    own = {n.partition(".")[2]: check for n, check in ARGUMENTS.items() if n.startswith(f"{owner}.")}
    return {**ARGUMENTS, **own}


def function_checks(name: str) -> dict[str, Callable]:
    """Return the table as it is for a network function, or for the call of a layer."""
    return {
        n: check
        for n, check in checks_for(name).items()
        if n not in _TENSORS_OF_FUNCTIONS or f"{name}.{n}" in ARGUMENTS
    }


def named(function: Callable) -> Callable:
    """Return a network function with errors that name it, and with its options checked where a call names them."""
    checks = function_checks(function.__name__)
    return told(function, checks, {n: c for n, c in checks.items() if n not in _CHECKED_BY_FUNCTIONS})


def checked(construct: Callable) -> Callable:
    """Return the `__init__` of a layer with its arguments checked, and errors that name the layer."""
    checks = checks_for(construct.__qualname__.partition(".")[0])
    code = construct.__code__
    names = code.co_varnames[1 : code.co_argcount]

    @wraps(construct)
    def construct_checked(self: Any, *args: Any, **kwargs: Any) -> None:
        layer = type(self).__name__
        for name, value in (*zip(names, args, strict=False), *kwargs.items()):
            if name in checks:
                checks[name](layer, name, value)
        try:
            return construct(self, *args, **kwargs)
        except TOLD as caught:
            error = caught
        retell(construct, layer, error, checks, (self, *args), kwargs)

    return construct_checked
