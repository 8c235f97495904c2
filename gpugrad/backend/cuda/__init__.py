"""CUDA devices through CuPy. Everything here runs only once a cuda device was asked for."""

from .device import connect, is_available

__all__ = ["connect", "is_available"]
