"""Networks of the course notes."""

from .lenet import LeNet

__all__ = ["LeNet"]
