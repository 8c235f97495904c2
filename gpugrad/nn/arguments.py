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
    text,
)  # fmt: skip
from ..autograd.explain import TOLD, retell

_FLAGS = (
    "add_bias_kv add_zero_attn affine antialias average_attn_weights batch_first bias bidirectional ceil_mode "
    "count_include_pad elementwise_affine enable_gqa full hard head_bias inplace is_causal keepdim log_input log_target "
    "norm_first return_indices scale_grad_by_freq sparse swap track_running_stats training zero_infinity"
)
_COUNTS = (
    "embedding_dim hidden_size in1_features in2_features in_channels in_features input_size num_channels "
    "num_embeddings num_features out_channels out_features"
)
_POSITIVE_COUNTS = (
    "d_model dim_feedforward downscale_factor embed_dim embed_dim_to_check groups n_classes nhead num_groups num_heads "
    "num_layers num_parameters size upscale_factor"
)
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
    "p": number,
    "approximate": choice("none", "tanh"),
    "nonlinearity": choice("tanh", "relu"),
    "reduction": choice("mean", "sum", "none"),
    # Where a layer or function differs:
    "BatchNorm.eps": positive,
    "CELU.alpha": not_zero,
    "celu.alpha": not_zero,
    "Conv.padding": optional(lambda op, name, value: value),
    "Convolution.padding": optional(lambda op, name, value: value),
    "KLDivLoss.reduction": choice("mean", "sum", "none", "batchmean"),
    "LPPool.norm_type": not_zero,
    "LinearCrossEntropyLoss.out_features": non_negative_ints,
    "LinearCrossEntropyLoss.ignore_index": optional(integer),
    "RMSNorm.eps": optional(non_negative),
    "SmoothL1Loss.beta": non_negative,
    "Softshrink.lambd": non_negative,
    "ConstantPad.value": number,
    "pad.value": optional(number),
    "kl_div.reduction": choice("mean", "sum", "none", "batchmean"),
    "rms_norm.eps": optional(non_negative),
}  # fmt: skip


def checks_for(owner: str) -> dict[str, Callable]:
    """Return the table as it is for one layer or function: `owner` is its name, or that of its base class."""
    own = {n.partition(".")[2]: check for n, check in ARGUMENTS.items() if n.startswith(f"{owner}.")}
    return {**ARGUMENTS, **own}


def checked(construct: Callable) -> Callable:
    """Return the `__init__` of a layer with its arguments checked, and errors that name the layer."""
    checks = checks_for(re.sub(r"^_|\dd$", "", construct.__qualname__.partition(".")[0]))
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
