"""Recurrent layers on cuda: the ops' own bodies, with one backward for all inputs instead of one rule for each."""

from typing import Any

from ...autograd.op import Op
from . import gru_gradients, gru_layer, lstm_gradients, lstm_layer, rnn_gradients, rnn_layer


def _bind(layer: Op, gradients: Any) -> None:
    path = layer.path("cuda")(lambda *arrays, **attributes: (layer.forward(*arrays, **attributes), {}))
    path.low = False  # 16-bit floats are raised to float32
    path.backward(gradients)


_bind(lstm_layer, lstm_gradients)
_bind(gru_layer, gru_gradients)
_bind(rnn_layer, rnn_gradients)
