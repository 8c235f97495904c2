"""Spells our ops as peers do: what a user of each library would write, not a translation of our code.

An op that is not listed is looked for under its own name. Results are verified before they are timed, so that a
function of the same name that means something else cannot be mistaken for ours.
"""

import math


def _torch_attention(torch, q, k, v, mask, causal, scale, **_):
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, mask, is_causal=causal, scale=scale)


def _torch_masked_softmax(torch, x, mask, causal, scale):
    hidden = torch.ones(x.shape[-2:], dtype=torch.bool, device=x.device).triu(1)
    return torch.softmax((x * scale).masked_fill(hidden, -math.inf), -1)


def _torch_activation(torch, x, bias, activation, axis):
    return getattr(torch.nn.functional, activation)(x + bias)


def _torch_layer_norm(torch, x, weight, bias, ndim, eps):
    return torch.nn.functional.layer_norm(x, x.shape[-ndim:], weight, bias, eps)


def _torch_rms_norm(torch, x, weight, ndim, eps):
    return torch.nn.functional.rms_norm(x, x.shape[-ndim:], weight, eps)


def _torch_batch_norm(torch, x, weight, bias, eps, running=None):
    return torch.nn.functional.batch_norm(x, None, None, weight, bias, training=True, eps=eps)


def _torch_convolution(torch, x, weight, bias, stride, padding, dilation, groups):
    return torch.nn.functional.conv2d(x, weight, bias, stride, [low for low, _ in padding], dilation, groups)


def _torch_max_pool(torch, x, kernel, stride, padding, dilation):
    return torch.nn.functional.max_pool2d(x, kernel, stride)


def _torch_sum_pool(torch, x, kernel, stride, padding):
    return torch.nn.functional.avg_pool2d(x, kernel, stride, divisor_override=1)


def _torch_linear_relu(torch, x, weight, bias):
    return torch.nn.functional.relu(torch.nn.functional.linear(x, weight, bias))


def _torch_linear_gelu(torch, x, weight, bias):
    return torch.nn.functional.gelu(torch.nn.functional.linear(x, weight, bias), approximate="tanh")


def _torch_losses(torch, logits, target, weight, ignore_index, label_smoothing, reduction):
    return torch.nn.functional.cross_entropy(logits, target, reduction=reduction)


TORCH = {
    "gelu": lambda torch, x, approximate: torch.nn.functional.gelu(x, approximate=approximate),
    "softmax": lambda torch, x, axis: torch.softmax(x, axis),
    "log_softmax": lambda torch, x, axis: torch.log_softmax(x, axis),
    "masked_softmax": _torch_masked_softmax,
    "attention": _torch_attention,
    "linear": lambda torch, x, weight, bias: torch.nn.functional.linear(x, weight, bias),
    "linear_relu": _torch_linear_relu,
    "linear_gelu": _torch_linear_gelu,
    "bias_activation": _torch_activation,
    "layer_norm": _torch_layer_norm,
    "rms_norm": _torch_rms_norm,
    "batch_norm": _torch_batch_norm,
    "convolution": _torch_convolution,
    "max_pool": _torch_max_pool,
    "sum_pool": _torch_sum_pool,
    "cross_entropy_rows": _torch_losses,
    "embedding": lambda torch, i, weight, padding_idx: torch.nn.functional.embedding(i, weight),
    "sum": lambda torch, x, axis, **_: torch.sum(x, axis),
    "mean": lambda torch, x, axis, **_: torch.mean(x, axis),
    "prod": lambda torch, x, axis, **_: torch.prod(x, axis),
    "max": lambda torch, x, axis, **_: torch.amax(x, axis),
    "min": lambda torch, x, axis, **_: torch.amin(x, axis),
    "argmax": lambda torch, x, axis, **_: torch.argmax(x, axis),
    "argmin": lambda torch, x, axis, **_: torch.argmin(x, axis),
    "var": lambda torch, x, axis, **_: torch.var(x, axis, unbiased=False),
    "std": lambda torch, x, axis, **_: torch.std(x, axis, unbiased=False),
    "logsumexp": lambda torch, x, axis, **_: torch.logsumexp(x, axis),
    "logcumsumexp": lambda torch, x, axis: torch.logcumsumexp(x, axis),
    "cummax": lambda torch, x, axis: torch.cummax(x, axis)[0],
    "cummin": lambda torch, x, axis: torch.cummin(x, axis)[0],
    "power": lambda torch, x, y: torch.pow(x, y),
}


def _sum_then(norm):
    def function(lib, x, residual, *rest, **attributes):
        total = x + residual
        return norm(lib, total, *rest, **attributes), total

    return function


TORCH["add_layer_norm"] = _sum_then(_torch_layer_norm)
TORCH["add_rms_norm"] = _sum_then(_torch_rms_norm)


# NumPy's names: JAX, MyGrad, HIPS autograd


def _softmax(np, x, axis=-1):
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def _log_softmax(np, x, axis=-1):
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def _layer_norm(np, x, weight, bias, ndim, eps):
    centred = x - np.mean(x, axis=-1, keepdims=True)
    return centred / np.sqrt(np.mean(centred * centred, axis=-1, keepdims=True) + eps) * weight + bias


def _rms_norm(np, x, weight, ndim, eps):
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps) * weight


def _batch_norm(np, x, weight, bias, eps, running=None):
    centred = x - np.mean(x, axis=(0, 2, 3), keepdims=True)
    xhat = centred / np.sqrt(np.mean(centred * centred, axis=(0, 2, 3), keepdims=True) + eps)
    return xhat * np.reshape(weight, (1, -1, 1, 1)) + np.reshape(bias, (1, -1, 1, 1))


def _gelu(np, x, approximate="tanh"):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x))))


def _sigmoid(np, x):
    return 1 / (1 + np.exp(-x))


NUMPY = {
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "layer_norm": _layer_norm,
    "add_layer_norm": _sum_then(_layer_norm),
    "rms_norm": _rms_norm,
    "add_rms_norm": _sum_then(_rms_norm),
    "batch_norm": _batch_norm,
    "linear": lambda np, x, weight, bias: np.matmul(x, np.transpose(weight)) + bias,
    "linear_relu": lambda np, x, weight, bias: np.maximum(np.matmul(x, np.transpose(weight)) + bias, 0),
    "linear_gelu": lambda np, x, weight, bias: _gelu(np, np.matmul(x, np.transpose(weight)) + bias),
    "relu": lambda np, x: np.maximum(x, 0),
    "gelu": _gelu,
    "silu": lambda np, x: x * _sigmoid(np, x),
    "sigmoid": _sigmoid,
    "sum": lambda np, x, axis, **_: np.sum(x, axis=axis),
    "mean": lambda np, x, axis, **_: np.mean(x, axis=axis),
    "prod": lambda np, x, axis, **_: np.prod(x, axis=axis),
    "max": lambda np, x, axis, **_: np.max(x, axis=axis),
    "min": lambda np, x, axis, **_: np.min(x, axis=axis),
    "argmax": lambda np, x, axis, **_: np.argmax(x, axis=axis),
    "argmin": lambda np, x, axis, **_: np.argmin(x, axis=axis),
    "var": lambda np, x, axis, **_: np.var(x, axis=axis),
    "std": lambda np, x, axis, **_: np.std(x, axis=axis),
    "logsumexp": lambda np, x, axis, **_: np.log(np.sum(np.exp(x), axis=axis)),
}


def _jax_convolution(jnp, x, weight, bias, stride, padding, dilation, groups):
    from jax import lax

    out = lax.conv_general_dilated(x, weight, stride, padding, None, dilation, feature_group_count=groups)
    return out + bias.reshape(1, -1, 1, 1)


def _jax_attention(jnp, q, k, v, mask, causal, scale, **_):
    import jax

    q, k, v = (a.swapaxes(1, 2) for a in (q, k, v))
    return jax.nn.dot_product_attention(q, k, v, is_causal=causal, scale=scale).swapaxes(1, 2)


def _jax_pool(jnp, x, kernel, stride, padding, **_):
    from jax import lax

    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, *kernel), (1, 1, *stride), "VALID")


def _jax_losses(jnp, logits, target, weight, ignore_index, label_smoothing):
    return -jnp.take_along_axis(_log_softmax(jnp, logits), target[:, None], 1)[:, 0]


JAX = NUMPY | {
    "convolution": _jax_convolution,
    "attention": _jax_attention,
    "max_pool": _jax_pool,
    "cross_entropy_rows": _jax_losses,
    "embedding": lambda jnp, i, weight, padding_idx: weight[i],
}


# tinygrad: methods of its Tensor

TINYGRAD = {
    "softmax": lambda _, x, axis: x.softmax(axis),
    "log_softmax": lambda _, x, axis: x.log_softmax(axis),
    "layer_norm": lambda _, x, weight, bias, ndim, eps: x.layernorm(eps=eps) * weight + bias,
    "linear": lambda _, x, weight, bias: x.linear(weight.T, bias),
    "matmul": lambda _, x, y: x @ y,
    "relu": lambda _, x: x.relu(),
    "gelu": lambda _, x, approximate: x.gelu(),
    "silu": lambda _, x: x.silu(),
    "sigmoid": lambda _, x: x.sigmoid(),
    "sum": lambda _, x, axis, **k: x.sum(axis),
    "mean": lambda _, x, axis, **k: x.mean(axis),
    "max": lambda _, x, axis, **k: x.max(axis),
    "exp": lambda _, x: x.exp(),
    "add": lambda _, x, y: x + y,
    "multiply": lambda _, x, y: x * y,
}
