"""Defines the vision transformer: an image is a sequence of patches, which a Transformer's encoder reads."""

import math
from functools import partial

from ..autograd.tensor import Tensor
from ..errors import ShapeError
from ..nn import GELU, Conv2d, Dropout, LayerNorm, Linear, Module, MultiheadAttention, Parameter, Sequential, init
from ..ops.creation import zeros
from ..ops.join import concatenate
from ..ops.shape import broadcast_to
from .architecture import Network, architecture

_Norm = partial(LayerNorm, eps=1e-6)


class EncoderBlock(Module):
    """Adds self-attention and a two-layer network to its input, each after layer norm: (N, T, E) -> (N, T, E).

    >>> import gpugrad as gg
    >>> gg.models.vit.EncoderBlock(2, 8, 16, 0.0)(gg.zeros(1, 5, 8)).shape
    (1, 5, 8)
    """

    def __init__(self, heads: int, width: int, mlp_width: int, dropout: float):
        super().__init__()
        self.ln_1 = _Norm(width)
        self.self_attention = MultiheadAttention(width, heads, batch_first=True)
        self.dropout = Dropout(dropout)
        self.ln_2 = _Norm(width)
        first, second = Linear(width, mlp_width), Linear(mlp_width, width)
        self.mlp = Sequential(first, GELU(), Dropout(dropout), second, Dropout(dropout))
        for layer in (first, second):
            init.xavier_uniform_(layer.weight)
            init.normal_(layer.bias, std=1e-6)

    def forward(self, input: Tensor) -> Tensor:
        x = self.ln_1(input)
        x = input + self.dropout(self.self_attention(x, x, x, need_weights=False)[0])
        return x + self.mlp(self.ln_2(x))


class Encoder(Module):
    """Adds learned positions, applies the blocks and layer norm: (N, T, E) -> (N, T, E).

    >>> import gpugrad as gg
    >>> gg.models.vit.Encoder(5, 1, 2, 8, 16, 0.0)(gg.zeros(1, 5, 8)).shape
    (1, 5, 8)
    """

    def __init__(self, length: int, layers: int, heads: int, width: int, mlp_width: int, dropout: float):
        super().__init__()
        self.pos_embedding = Parameter(zeros(1, length, width))
        init.normal_(self.pos_embedding, std=0.02)
        self.dropout, self.layers = Dropout(dropout), Sequential()
        for number in range(layers):
            self.layers.add_module(f"encoder_layer_{number}", EncoderBlock(heads, width, mlp_width, dropout))
        self.ln = _Norm(width)

    def forward(self, input: Tensor) -> Tensor:
        return self.ln(self.layers(self.dropout(input + self.pos_embedding)))


class VisionTransformer(Network):
    """Scores images: (N, 3, image_size, image_size) -> (N, num_classes) (Dosovitskiy et al. 2020, section 3.1).

    Patches of patch_size x patch_size pixels become vectors of hidden_dim; a learned class token is put before them,
    and what the encoder makes of it is scored. The names in the state dict and their shapes are torchvision's. Raises
    ShapeError for images of another size, which the positions are not for.

    >>> import gpugrad as gg
    >>> model = gg.models.VisionTransformer(32, 8, num_layers=1, num_heads=2, hidden_dim=12, mlp_dim=24, num_classes=10)
    >>> model(gg.zeros(2, 3, 32, 32)).shape
    (2, 10)
    """

    def __init__(
        self,
        image_size: int,
        patch_size: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        dropout: float = 0.0,
        num_classes: int = 1000,
    ):
        super().__init__()
        if image_size % patch_size:
            raise ShapeError(
                f"VisionTransformer: image_size must be a multiple of patch_size, got {image_size} and {patch_size}"
            )
        self.image_size = image_size
        self.class_token = Parameter(zeros(1, 1, hidden_dim))
        self.conv_proj = Conv2d(3, hidden_dim, patch_size, stride=patch_size)
        length = (image_size // patch_size) ** 2 + 1
        self.encoder = Encoder(length, num_layers, num_heads, hidden_dim, mlp_dim, dropout)
        self.heads = Sequential()
        self.heads.add_module("head", head := Linear(hidden_dim, num_classes))
        init.trunc_normal_(self.conv_proj.weight, std=math.sqrt(1 / (3 * patch_size**2)))
        for tensor in (self.conv_proj.bias, head.weight, head.bias):
            init.zeros_(tensor)

    def forward(self, input: Tensor) -> Tensor:
        if input.shape[1:] != (3, self.image_size, self.image_size):
            raise ShapeError(
                f"VisionTransformer: expected images (N, 3, {self.image_size}, {self.image_size}), got {input.shape}"
            )
        patches = self.conv_proj(input).flatten(2).swapaxes(1, 2)
        token = broadcast_to(self.class_token, (len(patches), 1, patches.shape[2]))
        return self.heads(self.encoder(concatenate([token, patches], 1))[:, 0])


@architecture
def vit_b_16(num_classes: int = 1000, dropout: float = 0.0) -> VisionTransformer:
    """Build the base vision transformer with patches of 16 x 16: (N, 3, 224, 224) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> with gg.nn.init.skip_filling():
    ...     gg.models.vit_b_16().encoder.pos_embedding.shape
    (1, 197, 768)
    """
    return VisionTransformer(224, 16, 12, 12, 768, 3072, dropout, num_classes)
