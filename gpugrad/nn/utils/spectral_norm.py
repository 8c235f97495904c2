"""Spectral norm, as a parametrization and in PyTorch's older form, with a hook (T. Miyato et al. 2018)."""

from typing import Any

from ...autograd.mode import no_grad
from ...autograd.tensor import Tensor
from ...backend.random import default_generator
from ...errors import OptionError
from ...ops.shape import moveaxis
from .. import functional as F
from ..conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from ..module import Module
from ..parameter import Parameter
from ..state_dict import copy_into
from .norm_hooks import install_hook, remove_hook
from .parametrize import register_parametrization


def _random_unit(size: int, like: Tensor) -> Tensor:
    """Return a random vector of length 1, with the device and the dtype of `like`."""
    values = default_generator().numpy.standard_normal(size)
    return F.normalize(Tensor(values, device=like.device), dim=0).to(dtype=like.dtype)


class _SpectralNorm(Module):
    """Computes W / sigma, where sigma = u^T W v approximates the largest singular value by power iteration."""

    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12):
        super().__init__()
        if not -weight.ndim <= dim < weight.ndim:
            raise IndexError(f"spectral_norm: dim {dim} is not an axis of the weight {weight.shape}")
        if n_power_iterations <= 0:
            raise OptionError(f"spectral_norm: n_power_iterations must be positive, got {n_power_iterations}")
        self.n_power_iterations, self.dim, self.eps = n_power_iterations, dim % weight.ndim, eps
        if weight.ndim > 1:
            matrix = self.matrix(weight.detach())
            self.register_buffer("_u", _random_unit(matrix.shape[0], weight))
            self.register_buffer("_v", _random_unit(matrix.shape[1], weight))
            self.iterate(matrix, self._u, self._v, 15)

    def matrix(self, weight: Tensor) -> Tensor:
        """Return the weight as a matrix whose rows are along `dim`."""
        rows = weight if self.dim == 0 else moveaxis(weight, self.dim, 0)
        return rows.reshape((rows.shape[0], -1))

    def iterate(self, matrix: Tensor, u: Tensor, v: Tensor, count: int, u_first: bool = True) -> None:
        """Improve u and v, in place, by `count` steps of power iteration."""
        with no_grad():
            for step in range(2 * count):
                ours, other, m = (u, v, matrix) if (step % 2 == 0) == u_first else (v, u, matrix.T)
                copy_into(ours, F.normalize(m @ other, dim=0, eps=self.eps), "spectral_norm")

    def scaled(self, weight: Tensor, u: Tensor, v: Tensor) -> Tensor:
        """Return weight / u^T W v. u and v are copied, because the next iteration changes them."""
        u, v = u.detach().clone(), v.detach().clone()
        return weight / (u * (self.matrix(weight) @ v)).sum()

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        if self.training:
            self.iterate(self.matrix(weight.detach()), self._u, self._v, self.n_power_iterations)
        return self.scaled(weight, self._u, self._v)

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def _output_axis(module: Module, dim: int | None) -> int:
    """Return the axis of a weight's outputs, which is `dim` if given."""
    transposed = isinstance(module, (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d))
    return (1 if transposed else 0) if dim is None else dim


def parametrized_spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Compute the parameter `name` as W / sigma(W) at each access; `original` is W, the buffers _u and _v its singular
    vectors.

    Each access in training mode makes n_power_iterations steps. dim is the axis of the outputs (by default 0, and 1 for
    transposed convolutions). Returns the module (T. Miyato et al. 2018, section 2.1).

    >>> layer = nn.utils.parametrizations.spectral_norm(nn.Linear(4, 3)).eval()
    >>> np.linalg.norm(layer.weight.detach().numpy(), 2).round(2)
    np.float32(1.0)
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise OptionError(f"spectral_norm: {type(module).__name__} has no parameter {name!r}")
    made = _SpectralNorm(weight, n_power_iterations, _output_axis(module, dim), eps)
    return register_parametrization(module, name, made)


class SpectralNorm:
    """Sets `name` to name_orig / sigma before each forward, with buffers name_u and name_v."""

    def __init__(self, name: str, n_power_iterations: int, dim: int, eps: float):
        self.name, self.options = name, (n_power_iterations, dim, eps)

    def install(self, module: Module) -> None:
        """Replace the parameter by the original and the two singular vectors."""
        weight = module._parameters[self.name]
        if weight is None:
            raise OptionError(f"spectral_norm: the parameter {self.name!r} of {type(module).__name__} is None")
        self.norm = _SpectralNorm(weight, *self.options)
        delattr(module, self.name)
        module.register_parameter(f"{self.name}_orig", weight)
        setattr(module, self.name, weight.detach())
        matrix = self.norm.matrix(weight)
        module.register_buffer(f"{self.name}_u", _random_unit(matrix.shape[0], weight))
        module.register_buffer(f"{self.name}_v", _random_unit(matrix.shape[1], weight))

    def _vectors(self, module: Module) -> tuple[Tensor, Tensor, Tensor]:
        weight, u, v = (getattr(module, f"{self.name}_{part}") for part in ("orig", "u", "v"))
        return weight, u, v

    def remove(self, module: Module) -> None:
        """Put the parameter back with its present value."""
        value = self.norm.scaled(*self._vectors(module)).detach()
        for name in (self.name, *(f"{self.name}_{part}" for part in ("orig", "u", "v"))):
            delattr(module, name)
        module.register_parameter(self.name, Parameter(value))

    def __call__(self, module: Module, inputs: Any) -> None:
        weight, u, v = self._vectors(module)
        if module.training:
            self.norm.iterate(self.norm.matrix(weight.detach()), u, v, self.options[0], u_first=False)
        setattr(module, self.name, self.norm.scaled(weight, u, v))


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Compute the parameter `name` before each forward as name_orig / sigma, with buffers name_u and name_v.

    `parametrizations.spectral_norm` does the same at each access. Returns the module (T. Miyato et al. 2018, section
    2.1).

    >>> layer = nn.utils.spectral_norm(nn.Linear(4, 3))
    >>> sorted(name for name, _ in layer.named_buffers())
    ['weight_u', 'weight_v']
    """
    return install_hook(module, SpectralNorm(name, n_power_iterations, _output_axis(module, dim), eps), SpectralNorm)


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Undo `spectral_norm`. Raises OptionError if there is none."""
    return remove_hook(module, name, SpectralNorm)
