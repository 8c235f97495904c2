"""The exceptions gpugrad raises, each also an instance of the built-in error that NumPy or PyTorch would raise."""


class GpugradError(Exception):
    """The base of every exception below."""


class ShapeError(GpugradError, ValueError):
    """Shapes, axes or sizes that do not fit the op."""


class DTypeError(GpugradError, TypeError):
    """A dtype or type of argument that the op does not take."""


class LinAlgError(ShapeError):
    """A matrix that cannot be inverted or decomposed as asked."""


class OutOfRangeError(GpugradError, IndexError):
    """An index outside its axis."""


class DeviceError(GpugradError, RuntimeError):
    """Tensors on different devices, or a device that this machine cannot use."""


class GradientError(GpugradError, RuntimeError):
    """A backward pass that cannot be done."""


class InplaceError(GradientError):
    """An in-place change that would make a gradient wrong."""


class AnomalyError(GradientError):
    """A NaN gradient found under `detect_anomaly`."""


class GradcheckError(GpugradError, AssertionError):
    """A gradient that differs from its numerical estimate."""


class StateDictError(GpugradError, RuntimeError):
    """A state dict whose names or shapes do not fit the module or optimizer it is loaded into."""


class CheckpointError(GpugradError, OSError):
    """A checkpoint file that cannot be read: truncated, or of another format."""


class MissingPackageError(GpugradError, ImportError):
    """An optional package that is not installed; the message says how to get it."""
