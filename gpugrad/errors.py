"""The exceptions of gpugrad. Each is also an instance of the built-in error that NumPy or PyTorch would raise.

A message names the op and the argument, what was given and what is allowed:

>>> try:
...     gg.ones(2, 3) @ gg.ones(2, 3)
... except gg.errors.ShapeError as error:
...     print(isinstance(error, ValueError), "matmul" in str(error), "(2, 3)" in str(error))
True True True
"""


class GpugradError(Exception):
    """The base of every exception below."""


class ShapeError(GpugradError, ValueError):
    """Shapes, axes or sizes that do not fit the op."""


class DTypeError(GpugradError, TypeError):
    """A dtype or type of argument that the op does not take."""


class OptionError(GpugradError, ValueError):
    """An option whose value is not allowed: of a wrong type, out of its range, or at odds with another option."""


class MissingOptionError(GpugradError, KeyError):
    """An option that is needed and was not given."""

    __str__ = Exception.__str__  # KeyError would show the message in quotes


class LinAlgError(ShapeError):
    """A matrix that cannot be inverted or decomposed as asked."""


class OutOfRangeError(GpugradError, IndexError):
    """An index outside its axis."""


class DeviceError(GpugradError, RuntimeError):
    """Tensors on different devices, or a device that this machine cannot use."""


class KernelError(GpugradError, RuntimeError):
    """A CUDA kernel that does not compile, or a launch that its parameters or the device do not allow."""


class EmulatorError(KernelError):
    """A fault that a kernel made while the CPU ran it: a race, an access out of bounds, a barrier not all reach."""


class OutOfMemoryError(DeviceError, MemoryError):
    """A device without room for an array; the message says what is held and what to try."""


class CaptureError(DeviceError):
    """A step that cannot be captured as a CUDA graph; the message says what it does, and on which line."""


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
    """A checkpoint file that cannot be read, truncated or of another format; or one that could not be, once written."""


class DataError(GpugradError, RuntimeError):
    """Data that cannot be read: a bad file or sample, or a loader's worker that died."""


class TrainingError(GpugradError, RuntimeError):
    """Training that cannot go on: a loss or gradient that is not finite, or a network that does not learn."""


class DistributedError(GpugradError, RuntimeError):
    """A collective that cannot be done: ranks that disagree, one that is missing or late, no process group."""


class MissingPackageError(GpugradError, ImportError):
    """An optional package that is not installed; the message says how to get it."""


class UsageError(GpugradError, ValueError):
    """A command that cannot be carried out as it was given: exit status 2."""
