"""einops' layers for `gpugrad.torch`: what programs import from `einops.layers.torch`. einops must be installed.

The functions (`rearrange`, `reduce`, `repeat`, ...) are einops' own, which take Tensors.
"""

from __future__ import annotations

from typing import Any

from einops.layers import RearrangeMixin, ReduceMixin
from einops.layers._einmix import _EinmixMixin

from ..nn.init import uniform_
from ..ops.creation import zeros
from .language import TABLE
from .modules import Module, Parameter

__all__ = ["EinMix", "Rearrange", "Reduce"]


class Rearrange(RearrangeMixin, Module):
    """Is `einops.rearrange` as a layer.

    >>> import gpugrad.torch as torch
    >>> from gpugrad.torch.einops import Rearrange
    >>> torch.nn.Sequential(Rearrange("b c h w -> b (c h w)"), torch.nn.Linear(4, 2))(torch.ones(3, 1, 2, 2)).shape
    torch.Size([3, 2])
    """

    def forward(self, input: Any) -> Any:
        """Return the elements in their new axes."""
        return self._apply_recipe(input)


class Reduce(ReduceMixin, Module):
    """Is `einops.reduce` as a layer.

    >>> import gpugrad.torch as torch
    >>> torch.einops.Reduce("b c h w -> b c", "mean")(torch.ones(3, 2, 4, 4)).shape
    torch.Size([3, 2])
    """

    def forward(self, input: Any) -> Any:
        """Return the reduction over the axes that are left out."""
        return self._apply_recipe(input)


class EinMix(_EinmixMixin, Module):
    """Is einops' linear layer, whose pattern says which axes are mixed.

    >>> import gpugrad.torch as torch
    >>> mix = torch.einops.EinMix("b c -> b d", weight_shape="c d", bias_shape="d", c=3, d=2)
    >>> mix(torch.ones(4, 3)).shape, [name for name, _ in mix.named_parameters()]
    (torch.Size([4, 2]), ['weight', 'bias'])
    """

    def _create_parameters(self, weight_shape: Any, weight_bound: float, bias_shape: Any, bias_bound: float) -> None:
        def made(shape: Any, bound: float) -> Any:
            return None if shape is None else Parameter(uniform_(zeros(*shape), -bound, bound))

        self.weight, self.bias = made(weight_shape, weight_bound), made(bias_shape, bias_bound)

    def _create_rearrange_layers(self, pattern_before: Any, lengths_before: Any, pattern: Any, lengths: Any) -> None:
        self.pre_rearrange = None if pattern_before is None else Rearrange(pattern_before, **lengths_before)
        self.post_rearrange = None if pattern is None else Rearrange(pattern, **lengths)

    def forward(self, input: Any) -> Any:
        """Return the mixed axes, with the bias if there is one."""
        input = input if self.pre_rearrange is None else self.pre_rearrange(input)
        result = TABLE["einsum"].function(self.einsum_pattern, input, self.weight)
        result = result if self.bias is None else result + self.bias
        return result if self.post_rearrange is None else self.post_rearrange(result)
