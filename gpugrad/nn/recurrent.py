"""Recurrent layers and cells, with PyTorch's parameters. Each direction of a layer is one op (`ops.recurrent`)."""

import warnings
from collections.abc import Sequence
from typing import Any

from ..autograd.tensor import Tensor, wrap
from ..errors import DTypeError, OptionError, ShapeError
from ..ops.join import concatenate, stack
from ..ops.recurrent import gru_layer, lstm_layer, rnn_layer
from ..ops.recurrent.packed_steps import packed_steps
from . import functional as F
from . import init
from .module import Module
from .parameter import empty
from .utils.rnn import PackedSequence

MODES: dict[str, tuple[Any, int, dict]] = {  # op, gates, attributes
    "LSTM": (lstm_layer, 4, {}), "GRU": (gru_layer, 3, {}),
    "RNN_TANH": (rnn_layer, 1, {"nonlinearity": "tanh"}), "RNN_RELU": (rnn_layer, 1, {"nonlinearity": "relu"}),
}  # fmt: skip


def _initial_states(name: str, given: Any, shapes: Sequence[tuple], like: Tensor) -> tuple[Tensor, ...]:
    """Return the states at the start: those given (one, or a tuple for LSTM), else zeros. Raises ShapeError for other
    shapes."""
    if given is None:
        return tuple(
            wrap(like.device.xp.zeros(shape, like.dtype), like.device, None, like._language) for shape in shapes
        )
    states = tuple(given) if len(shapes) > 1 else (given,)
    found = [tuple(state.shape) for state in states]
    if found != list(shapes):
        raise ShapeError(f"{name}: expected hidden states of the shapes {list(shapes)}, got {found}")
    return states


class RNNBase(Module):
    """Is the base of RNN, LSTM and GRU: `num_layers` layers, in one or both directions of time.

    The input is (T, N, input_size), (N, T, input_size) with batch_first, (T, input_size), or a PackedSequence. The
    output is the last layer's states in the input's form, with the two directions side by side, and the last state of
    every layer and direction, (layers * directions, N, H). Layer k has the parameters weight_ih_l{k} (gates * H,
    width), weight_hh_l{k} (gates * H, H), bias_ih_l{k} and bias_hh_l{k} (gates * H), with the suffix _reverse for the
    way back. Dropout acts on the outputs of all layers but the last one.

    >>> output, state = nn.RNNBase("GRU", 4, 8)(gg.ones((5, 2, 4)))
    >>> output.shape, state.shape
    ((5, 2, 8), (1, 2, 8))
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self.mode, self.input_size, self.hidden_size, self.num_layers = mode, input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional, self.proj_size = bidirectional, proj_size
        self._check_arguments()
        self._names: list[list[str]] = []
        rows, width = MODES[mode][1] * hidden_size, proj_size or hidden_size
        for layer in range(num_layers):
            inputs = input_size if layer == 0 else width * (1 + bidirectional)
            for suffix in ("", "_reverse")[: 1 + bidirectional]:
                shapes = {"weight_ih": (rows, inputs), "weight_hh": (rows, width)}
                shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)} if bias else {}
                shapes |= {"weight_hr": (proj_size, hidden_size)} if proj_size else {}
                self._names.append([f"{name}_l{layer}{suffix}" for name in shapes])
                for name, shape in zip(self._names[-1], shapes.values(), strict=True):
                    self.register_parameter(name, empty(shape, device, dtype))
        self.reset_parameters()

    def _check_arguments(self) -> None:
        name = type(self).__name__
        if self.mode not in MODES:
            raise OptionError(f"{name}: unknown mode {self.mode!r}; known: {', '.join(MODES)}")
        for size in ("input_size", "hidden_size", "num_layers"):
            if not isinstance(getattr(self, size), int):
                raise DTypeError(f"{name}: {size} must be an int, got {getattr(self, size)!r}")
            if getattr(self, size) <= 0:
                raise OptionError(f"{name}: {size} must be positive, got {getattr(self, size)}")
        if not 0 <= self.dropout <= 1:
            raise OptionError(f"{name}: dropout must be between 0 and 1, got {self.dropout}")
        if not 0 <= self.proj_size < self.hidden_size:
            raise OptionError(f"{name}: proj_size must be from 0 to hidden_size - 1, got {self.proj_size}")
        if self.dropout and self.num_layers == 1:
            warnings.warn(f"{name}: dropout acts between layers, and there is only one", stacklevel=6)

    def reset_parameters(self) -> None:
        """Draw new start values, uniform within 1 / sqrt(hidden_size)."""
        for parameter in self.parameters():
            init.uniform_(parameter, -(self.hidden_size**-0.5), self.hidden_size**-0.5)

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """Return the parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._names]

    def flatten_parameters(self) -> None:
        """Do nothing: there is no cuDNN whose order the weights would have to be in."""

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        if isinstance(input, PackedSequence):
            rows, sizes = input.data, tuple(input.batch_sizes.tolist())
            self._check_width(rows)
            out, states = self._layers(rows, sizes, self._states(hx, sizes[0], rows, input.sorted_indices))
            if input.unsorted_indices is not None:
                states = tuple(state[:, input.unsorted_indices] for state in states)
            return input._replace(data=out), self._as_returned(states)
        if input.ndim not in (2, 3):
            raise ShapeError(f"{type(self).__name__}: expected an input of 2 or 3 axes, got shape {input.shape}")
        self._check_width(input)
        batched = input.ndim == 3
        if not batched:
            input = input[:, None]
            hx = hx if hx is None else _map_states(hx, lambda state: state[:, None])
        elif self.batch_first:
            input = input.swapaxes(0, 1)
        length, count, width = input.shape
        if not length:
            raise ShapeError(f"{type(self).__name__}: expected at least one step, got shape {input.shape}")
        states = self._states(hx, count, input)
        out, states = self._layers(input.reshape((length * count, width)), (count,) * length, states)
        out = out.reshape((length, count, out.shape[1]))
        if not batched:
            return out[:, 0], self._as_returned(tuple(state[:, 0] for state in states))
        return out.swapaxes(0, 1) if self.batch_first else out, self._as_returned(states)

    def _check_width(self, input: Tensor) -> None:
        if input.shape[-1] != self.input_size:
            raise ShapeError(f"{type(self).__name__}: expected {self.input_size} features, got shape {input.shape}")

    def _states(self, hx: Any, count: int, like: Tensor, order: Tensor | None = None) -> tuple[Tensor, ...]:
        lead = (self.num_layers * (1 + self.bidirectional), count)
        shapes = [(*lead, self.proj_size or self.hidden_size), (*lead, self.hidden_size)]
        states = _initial_states(type(self).__name__, hx, shapes[: 1 + (self.mode == "LSTM")], like)
        return states if order is None or hx is None else tuple(state[:, order] for state in states)

    def _as_returned(self, states: tuple) -> Any:
        return states if self.mode == "LSTM" else states[0]

    def _layers(self, x: Tensor, sizes: tuple, states: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the last layer's outputs (S, directions * H), and the last states of all layers."""
        layer, _, attributes = MODES[self.mode]
        ends, outs = [], []
        for k, weights in enumerate(self.all_weights):
            back = self.bidirectional and k % 2 == 1
            if self.proj_size and not self.bias:
                weights = [*weights[:2], None, None, *weights[2:]]
            found = layer(x, *(state[k] for state in states), *weights, sizes=sizes, reverse=back, **attributes)
            found = found if isinstance(found, tuple) else (found,)
            ends.append([packed_steps(sizes, back).last(each) for each in found])
            outs.append(found[0])
            if len(outs) == 1 + self.bidirectional:
                x, outs = outs[0] if len(outs) == 1 else concatenate(outs, axis=1), []
                if k + 1 < len(self._names):
                    x = F.dropout(x, self.dropout, self.training)
        return x, tuple(stack(list(each)) for each in zip(*ends, strict=True))

    def extra_repr(self) -> str:
        defaults = {"proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0}
        defaults["bidirectional"] = False
        changed = [f"{n}={getattr(self, n)}" for n, default in defaults.items() if getattr(self, n) != default]
        return ", ".join([str(self.input_size), str(self.hidden_size), *changed])


def _map_states(states: Any, change: Any) -> Any:
    """Apply `change` to the state, or to each of several."""
    return tuple(map(change, states)) if isinstance(states, (tuple, list)) else change(states)


class RNN(RNNBase):
    """Computes h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu of it, at each step (J. Elman 1990).

    The arguments are RNN(input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False,
    dropout=0.0, bidirectional=False).

    >>> output, state = nn.RNN(4, 8)(gg.ones((5, 2, 4)))
    >>> output.shape, state.shape
    ((5, 2, 8), (1, 2, 8))
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh", *args, **kw):
        if nonlinearity not in ("tanh", "relu"):
            raise OptionError(f"RNN: nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}")
        self.nonlinearity = nonlinearity
        super().__init__(
            f"RNN_{nonlinearity.upper()}", input_size, hidden_size, num_layers, *args, **_without_projection(kw)
        )


class LSTM(RNNBase):
    """Computes a long short-term memory, whose states are (h, c) (S. Hochreiter and J. Schmidhuber 1997, section 4).

    The arguments are LSTM(input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
    bidirectional=False, proj_size=0). With proj_size, weight_hr_l{k} (proj_size, H) projects h to that many values (H.
    Sak et al. 2014, section 2). `gpugrad.ops.recurrent` gives the gates and the formula.

    >>> output, (h, c) = nn.LSTM(4, 8, num_layers=2)(gg.ones((5, 2, 4)))
    >>> output.shape, h.shape, c.shape
    ((5, 2, 8), (2, 2, 8), (2, 2, 8))
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__("LSTM", *args, **kwargs)


class GRU(RNNBase):
    """Computes a gated recurrent unit; `gpugrad.ops.recurrent` gives the gates and the formula.

    The arguments are GRU(input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
    bidirectional=False). See K. Cho et al. 2014, section 2.3.

    >>> output, state = nn.GRU(4, 8, bidirectional=True)(gg.ones((5, 2, 4)))
    >>> output.shape, state.shape
    ((5, 2, 16), (2, 2, 8))
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__("GRU", *args, **_without_projection(kwargs))


def _without_projection(options: dict) -> dict:
    """Return the options. Raises OptionError if proj_size is among them."""
    if "proj_size" in options:
        raise OptionError("proj_size: only LSTM has a projection")
    return options


class RNNCellBase(Module):
    """Is the base of the cells, which take one step: (N, input_size) or (input_size,), and the states before it.

    The parameters are weight_ih (gates * H, input_size), weight_hh (gates * H, H), and bias_ih and bias_hh (gates * H)
    or None.

    >>> issubclass(nn.GRUCell, nn.RNNCellBase), nn.RNNCellBase(4, 8, bias=True, num_chunks=3).weight_ih.shape
    (True, (24, 4))
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None, dtype: Any = None
    ):
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = num_chunks * hidden_size
        self.weight_ih = empty((rows, input_size), device, dtype)
        self.weight_hh = empty((rows, hidden_size), device, dtype)
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, empty((rows,), device, dtype) if bias else None)
        self.reset_parameters()

    reset_parameters = RNNBase.reset_parameters

    def _step(self, mode: str, input: Tensor, hx: Any, states: int = 1) -> Any:
        """Return the new states: one, or a tuple of several."""
        name = type(self).__name__
        if input.ndim not in (1, 2) or input.shape[-1] != self.input_size:
            raise ShapeError(f"{name}: expected (N, {self.input_size}) or ({self.input_size},), got {input.shape}")
        lead, x = input.shape[:-1], input if input.ndim == 2 else input[None]
        before = _initial_states(name, hx, [(*lead, self.hidden_size)] * states, input)
        before = [state.reshape((x.shape[0], self.hidden_size)) for state in before]
        layer, _, attributes = MODES[mode]
        weights = self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh
        found = layer(x, *before, *weights, sizes=(x.shape[0],), **attributes)
        return found if lead else _map_states(found, lambda state: state[0])

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        text += "" if self.bias else ", bias=False"
        return text if getattr(self, "nonlinearity", "tanh") == "tanh" else f"{text}, nonlinearity={self.nonlinearity}"


class RNNCell(RNNCellBase):
    """Takes one step of `RNN`: forward(input, hx=None) returns h.

    >>> nn.RNNCell(4, 8)(gg.ones((2, 4))).shape
    (2, 8)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        if self.nonlinearity not in ("tanh", "relu"):
            raise OptionError(f"RNNCell: nonlinearity must be 'tanh' or 'relu', got {self.nonlinearity!r}")
        return self._step(f"RNN_{self.nonlinearity.upper()}", input, hx)


class LSTMCell(RNNCellBase):
    """Takes one step of `LSTM`: forward(input, (h, c)=None) returns (h, c).

    >>> h, c = nn.LSTMCell(4, 8)(gg.ones((2, 4)))
    >>> h.shape, c.shape
    ((2, 8), (2, 8))
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None):
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        return self._step("LSTM", input, hx, states=2)


class GRUCell(RNNCellBase):
    """Takes one step of `GRU`: forward(input, hx=None) returns h.

    >>> nn.GRUCell(4, 8)(gg.ones((2, 4))).shape
    (2, 8)
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None):
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step("GRU", input, hx)
