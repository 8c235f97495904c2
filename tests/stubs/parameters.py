"""The types that stubs give to parameters whose declaration says none: the same name has the same type everywhere."""

from typing import Any

# type -> the parameters that have it, among the attributes of ops and what functions leave as Any
_BY_TYPE = {
    "TensorLike": (
        "B LU _random_samples a abs anchor angle append attn_mask aweights b bias bias_k bias_v bins boxes "
        "condition data fill_value fp fweights grid high imag in_proj_bias in_proj_weight index indices input "
        "input1 input2 input_lengths k_proj_weight key key_padding_mask linear_bias linear_weight log_probs logits "
        "low mask mat1 mat2 mat_a mat_b max mean min negative offs offsets other out_proj_bias out_proj_weight p "
        "per_sample_weights pivots pos_weight positive prepend q q_proj_weight query real repeats rois rtol scores "
        "segments sequences sorter source src start static_k static_v std step stop target target_lengths targets "
        "tau theta to_begin to_end tol v v_proj_weight val vals values var w weight weights window x x1 x2 xp y"
    ),
    "Sequence[TensorLike]": "arrays operands",
    "bool": (
        "aligned as_tuple assume_unique causal ceil_mode center check_errors compute_uv copy count_include_pad deg "
        "density descending endpoint equal_nan full_matrices hermitian include_initial increasing inplace invert "
        "keepdim keepdims largest left non_blocking normalized onesided out_int32 pivot return_complex "
        "return_counts return_index return_indices return_inverse returned reverse right some sorted stable "
        "unbiased unitriangular upper"
    ),
    "int": (
        "axis1 axis2 blank correction ddof decimals dim0 dim1 dim2 dimension divisor_override edge_order groups "
        "hop_length ignore_index ind k length m minlength n n_fft ndim num_segments offset padding_idx "
        "sampling_ratio seed win_length"
    ),
    "float": (
        "alpha atol beta constant_values discont dropout_p dx eps iou_threshold label_smoothing lambd max_val "
        "min_val nan negative_slope neginf norm_type period posinf rcond scale spatial_scale threshold value"
    ),
    "str": (
        "UPLO activation approximate driver indexing kind mode nonlinearity pad_mode reduction rounding_mode side "
        "subscripts trim"
    ),
    "Shape": (
        "axes dilation indices_or_sections kernel kernel_size new_shape normalized_shape output_padding reps shape "
        "shift size sizes split_size split_size_or_sections stride"
    ),
    "Shape | str": "padding",
    "Any": (
        "arg1 arg2 args arrays_and_dtypes dst from_ keys kth kwargs multi_index obj options order stream to type1 type2"
    ),
    "int | Sequence[int | None]": "output_size",
    "float | Sequence[float]": "output_ratio scale_factor",
    "float | str": "ord",
    "tuple[float, float]": "range",
    "int | Sequence[int] | Sequence[Sequence[int]] | dict[int, Any]": "pad_width",
    "DTypeLike": "dtype out_dtype",
    "DeviceLike": "device",
    "float | TensorLike": "default varargs",
    "Sequence[Any]": "choicelist choices condlist funclist",
}
_TYPES = {name: kind for kind, names in _BY_TYPE.items() for name in names.split()}
# Where a name means something else than elsewhere.
_EXCEPTIONS = {
    "moveaxis.source": "Shape", "moveaxis.destination": "Shape", "movedim.source": "Shape",
    "movedim.destination": "Shape", "full.size": "Shape", "masked_fill.value": "TensorLike",
    "tensordot.axes": "int | Sequence[int | Sequence[int]]", "tensordot.dims": "int | Sequence[int | Sequence[int]]",
    "mvlgamma.p": "int", "multigammaln.p": "int", "cond.p": "float | str", "tensorsolve.axes": "Shape",
    "lu_solve.adjoint": "bool", "unfold.size": "int", "unfold.step": "int",
    "histogram.bins": "TensorLike", "interpolate.size": "Shape",
    "broadcast_shapes.shapes": "tuple[int, ...]", "norm.p": "float | str",
    "backward.gradient": "TensorLike", "to.args": "Any",
    "backward.inputs": "Tensor | Sequence[Tensor]", "squeeze.axis": "Axes", "grouped_mm.offs": "TensorLike",
    "copyto.where": "TensorLike", "interp.left": "float | None", "interp.right": "float | None", "polyfit.deg": "int",
    "gradient.spacing": "float | Sequence[Any]", "nanquantile.interpolation": "str",
    "put.ind": "Any", "sort.dim": "int", "median.dim": "int", "scaled_dot_product_attention.value": "TensorLike",
    "multi_head_attention_forward.value": "TensorLike",
    "multi_head_attention_forward.in_proj_weight": "TensorLike | None",
    "multi_head_attention_forward.in_proj_bias": "TensorLike | None",
    "multi_head_attention_forward.bias_k": "TensorLike | None",
    "multi_head_attention_forward.bias_v": "TensorLike | None",
    "multi_head_attention_forward.out_proj_bias": "TensorLike | None",
    "convolution.padding": "Sequence[Sequence[int]]", "max_pool.padding": "Sequence[Sequence[int]]",
    "sum_pool.padding": "Sequence[Sequence[int]]", "batch_norm.running": "Any",
}  # fmt: skip
# The result of ops that have as many outputs as a call asks for.
RESULTS = {name: "tuple[Tensor, ...]" for name in ("nonzero", "unstack")}
# Functions whose result depends on the call: all their forms.
FORMS = {
    **{f"atleast_{n}d": ("(x: TensorLike, /) -> Tensor", "(*arrays: TensorLike) -> tuple[Tensor, ...]") for n in "123"},
    "einsum": ("(subscripts: str, *operands: TensorLike) -> Tensor",),
    "linspace": (
        "(start: TensorLike, stop: TensorLike, num: int = 50, endpoint: bool = True, retstep: Literal[False] = False, "
        "*, dtype: DTypeLike | None = None, device: DeviceLike | None = None, requires_grad: bool = False) -> Tensor",
        "(start: TensorLike, stop: TensorLike, num: int = 50, endpoint: bool = True, *, retstep: Literal[True], "
        "dtype: DTypeLike | None = None, device: DeviceLike | None = None, requires_grad: bool = False) "
        "-> tuple[Tensor, Any]",
    ),
    "unique": (
        "(x: TensorLike, *, axis: Axis = None) -> Tensor",
        "(x: TensorLike, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False, "
        "axis: Axis = None) -> tuple[Tensor, ...]",
    ),
}


def parameter_type(function: str, name: str, default: Any, required: bool) -> str:
    """The type of a parameter of `function`, with None where that is the default."""
    kind = _EXCEPTIONS.get(f"{function}.{name}") or _TYPES.get(name)
    if kind is None and name in ("axis", "dim"):
        kind = "Axes" if default is None or required and name == "axis" else "int" if required else "Axis"
    if kind is None:
        raise LookupError(f"no type is known for the parameter {name!r} of {function}: add it to {__file__}")
    takes_none = kind in ("Any", "Axes", "Axis")
    return f"{kind} | None" if default is None and not required and not takes_none else kind
