"""Weight norm, as a parametrization and in PyTorch's older form, with a hook (T. Salimans and D. Kingma 2016)."""

from functools import partial
from typing import Any

from ...autograd.mode import no_grad
from ...autograd.tensor import Tensor
from ...ops.norm import vector_norm
from ..module import Module
from ..parameter import Parameter
from .norm_hooks import install_hook, remove_hook
from .parametrize import register_parametrization


def norm_except_dim(weight: Tensor, dim: int | None) -> Tensor:
    """Return the norms of the slices of `weight` along `dim`, with axes of length 1 for the others; of all for None or
    -1."""
    if dim is None or dim == -1:
        return vector_norm(weight)
    axes = tuple(i for i in range(weight.ndim) if i != dim % weight.ndim)
    return vector_norm(weight, axis=axes, keepdims=True)


class _WeightNorm(Module):
    """Computes g v / ||v||, the norm taken over all axes but `dim`: a weight from its direction v and its length g."""

    def __init__(self, dim: int | None = 0):
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return weight_v * (weight_g / norm_except_dim(weight_v, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except_dim(weight, self.dim), weight


def parametrized_weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Compute the parameter `name` as g v / ||v|| at each access; original0 is g and original1 is v.

    dim is the axis along which each slice has a norm of its own; None means one norm for all. Returns the module (T.
    Salimans and D. Kingma 2016, section 2).

    >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(4, 3))
    >>> sorted(name for name, _ in layer.named_parameters())
    ['bias', 'parametrizations.weight.original0', 'parametrizations.weight.original1']
    """
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)
    module.register_load_state_dict_pre_hook(partial(_translate, name))
    return module


def _translate(name: str, module: Module, state: dict, prefix: str, *_: Any) -> None:
    """Rename the entries of a state dict of the older form."""
    for i, part in enumerate("gv"):
        if f"{prefix}{name}_{part}" in state:
            state[f"{prefix}parametrizations.{name}.original{i}"] = state.pop(f"{prefix}{name}_{part}")


class WeightNorm:
    """Sets `name` to name_g name_v / ||name_v|| before each forward."""

    def __init__(self, name: str, dim: int | None):
        self.name, self.norm = name, _WeightNorm(dim)

    def compute_weight(self, module: Module) -> Tensor:
        """Return the weight that the present parameters give."""
        return self.norm(getattr(module, f"{self.name}_g"), getattr(module, f"{self.name}_v"))

    def install(self, module: Module) -> None:
        """Replace the parameter by its length and its direction."""
        weight = module._parameters.pop(self.name)
        assert weight is not None
        with no_grad():
            for part, value in zip("gv", self.norm.right_inverse(weight), strict=True):
                module.register_parameter(f"{self.name}_{part}", Parameter(value.detach()))
        self(module, ())

    def remove(self, module: Module) -> None:
        """Put the parameter back with its present value."""
        value = self.compute_weight(module).detach()
        for name in (self.name, f"{self.name}_g", f"{self.name}_v"):
            delattr(module, name)
        module.register_parameter(self.name, Parameter(value))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module))


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Compute the parameter `name` before each forward as name_g name_v / ||name_v||.

    `parametrizations.weight_norm` does the same at each access. Returns the module (T. Salimans and D. Kingma 2016,
    section 2).

    >>> layer = nn.utils.weight_norm(nn.Linear(4, 3))
    >>> sorted(name for name, _ in layer.named_parameters())
    ['bias', 'weight_g', 'weight_v']
    """
    return install_hook(module, WeightNorm(name, dim), WeightNorm)


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Undo `weight_norm`. Raises OptionError if there is none."""
    return remove_hook(module, name, WeightNorm)
