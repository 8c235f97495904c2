"""PyTorch's names for the parameters of lazy layers."""

from ..modules import Buffer, Parameter


class UninitializedParameter(Parameter):
    """A parameter whose shape is not known yet; gpugrad's lazy layers make theirs when they are first called."""

    __slots__ = ()


class UninitializedBuffer(Buffer):
    """A buffer whose shape is not known yet."""

    __slots__ = ()
