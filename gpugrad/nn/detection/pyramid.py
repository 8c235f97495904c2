"""The feature pyramid network, and regions from the level that fits their size."""

import math
from collections.abc import Mapping, Sequence

from ...autograd.tensor import Tensor
from ...errors import ShapeError
from ...ops.creation import zeros
from ...ops.elementwise import clip, floor, log2
from ...ops.sort import nonzero
from .. import init
from ..container import ModuleList, Sequential
from ..conv import Conv2d
from ..functional import interpolate
from ..module import Module
from .boxes import box_area
from .regions import as_rois, roi_align


class FeaturePyramidNetwork(Module):
    """Brings what deep feature maps know to the shallow, fine ones: a mapping of names to (N, C_i, H_i, W_i), fine
    first, -> the same names with (N, out_channels, H_i, W_i).

    1x1 convolutions bring all maps to `out_channels`; from the coarsest on, each is enlarged and added to the next
    finer; 3x3 convolutions follow (T. Lin et al. 2017, "Feature pyramid networks", section 3). Parameters have
    torchvision's names.

    >>> pyramid = nn.detection.FeaturePyramidNetwork([8, 16], out_channels=4)
    >>> found = pyramid({"fine": gg.zeros(1, 8, 6, 6), "coarse": gg.zeros(1, 16, 3, 3)})
    >>> {name: feature.shape for name, feature in found.items()}
    {'fine': (1, 4, 6, 6), 'coarse': (1, 4, 3, 3)}
    """

    def __init__(self, in_channels_list: Sequence[int], out_channels: int):
        super().__init__()
        self.inner_blocks = ModuleList([Sequential(Conv2d(channels, out_channels, 1)) for channels in in_channels_list])
        self.layer_blocks = ModuleList(
            [Sequential(Conv2d(out_channels, out_channels, 3, padding=1)) for _ in in_channels_list]
        )
        for layer in self.modules():
            if isinstance(layer, Conv2d):
                init.kaiming_uniform_(layer.weight, a=1)
                init.zeros_(layer.bias)

    def forward(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        if len(features) != len(self.inner_blocks):
            raise ShapeError(f"FeaturePyramidNetwork: made for {len(self.inner_blocks)} maps, got {len(features)}")
        found: dict[str, Tensor] = {}
        above = None
        for number, (name, feature) in reversed(list(enumerate(features.items()))):
            inner = self.inner_blocks[number](feature)
            if above is not None:
                inner = inner + interpolate(above, size=inner.shape[2:], mode="nearest")
            found[name], above = self.layer_blocks[number](inner), inner
        return {name: found[name] for name in features}


class MultiScaleRoIAlign(Module):
    """Calls `roi_align` for each region on the level that fits its size: (features, rois, image_size) -> (K, C, *size).

    features: from fine to coarse, each half as large as the one before. A region whose area has the root
    `canonical_scale` goes to the level `canonical_level`, one half as large to the level before (T. Lin et al. 2017,
    equation (1)). Level k has 2^k image pixels for each of its own.

    >>> align = nn.detection.MultiScaleRoIAlign(2, sampling_ratio=2)
    >>> features = [gg.zeros(1, 3, 8, 8), gg.zeros(1, 3, 4, 4)]
    >>> align(features, [gg.tensor([[0.0, 0.0, 8.0, 8.0]])], (32, 32)).shape
    (1, 3, 2, 2)
    """

    def __init__(
        self,
        output_size: int | tuple[int, int],
        sampling_ratio: int,
        canonical_scale: float = 224,
        canonical_level: int = 4,
    ):
        super().__init__()
        self.output_size, self.sampling_ratio = output_size, sampling_ratio
        self.canonical_scale, self.canonical_level = canonical_scale, canonical_level

    def forward(
        self, features: Sequence[Tensor], rois: Tensor | Sequence[Tensor], image_size: tuple[int, int]
    ) -> Tensor:
        rois = as_rois(rois, "MultiScaleRoIAlign")
        scales = [feature.shape[2] / image_size[0] for feature in features]
        finest = round(-math.log2(scales[0]))
        level = floor(self.canonical_level + log2(box_area(rois[:, 1:]) ** 0.5 / self.canonical_scale + 1e-6))
        level = clip(level - finest, 0, len(features) - 1)
        size = self.output_size if isinstance(self.output_size, tuple) else (self.output_size, self.output_size)
        out = zeros(len(rois), features[0].shape[1], *size, device=rois.device, dtype=features[0].dtype)
        for number, (feature, scale) in enumerate(zip(features, scales, strict=True)):
            (chosen,) = nonzero(level == number)
            out[chosen] = roi_align(feature, rois[chosen], size, scale, self.sampling_ratio)
        return out
