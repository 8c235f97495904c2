"""DeepDream: what the layers of a network see in a photograph, made stronger."""

from ..autograd.tensor import Tensor
from ..data import load_photograph
from ..errors import OptionError
from ..train import Goal, PhotoNetwork, cut_after, layer_names
from ..viz import activations, deep_dream, image_grid


class DeepDream(PhotoNetwork):
    """Dreams: changes a photograph until a layer's activations in it are strong, in octaves and with jitter.

    A VGG-shaped network learns the photographs' textures (or is VGG-19: --weights). Then, for sizes from small to
    large: move the image a little at random, run to the layer, set delta to the activations, apply the gradient, move
    back. `layers` are any of its layers, conv1_1 to pool4. Measured: by how much the layer's mean squared activation
    grows; what it would be without octaves and without jitter is drawn beside.
    """

    notes = ("5.4 Deep Dream",)
    minutes = 3
    goals = {"activations grew, least of the layers": Goal(2, form=".2f")}
    quick = {"epochs": 1, "patches": 128, "height": 48, "steps": 2}
    height = 160
    steps = 10
    octaves = 4
    jitter = 8
    photograph = "china"
    layers = "relu2_2 relu3_3 relu4_2"

    def train(self) -> None:
        super().train()
        names = layer_names(self.model)
        if unknown := set(self.layers.split()) - names.keys():
            raise OptionError(f"deepdream: the network has no layer {sorted(unknown)}; it has {', '.join(names)}")
        original = load_photograph(self.photograph, self.height).to(device=self.device)
        self.images: list[Tensor] = []
        self.record["grew"] = {}
        for layer in self.layers.split():
            features, name = cut_after(self.model, [names[layer]]), names[layer]
            whole, one, still = (
                deep_dream(features, original, name, octaves=octaves, steps=self.steps, jitter=jitter)
                for octaves, jitter in ((self.octaves, self.jitter), (1, self.jitter), (self.octaves, 0))
            )
            self.images += [original, whole, one, still]
            strength = [
                float((activations(features, name, image[None]).detach() ** 2).mean()) for image in (original, whole)
            ]
            self.record["grew"][layer] = strength[1] / strength[0]

    def evaluate(self) -> dict[str, float]:
        known = {} if self.options.weights is not None else {"patches told apart": super().evaluate()["test accuracy"]}
        grew = self.record["grew"]
        return {
            "activations grew, least of the layers": min(grew.values()),
            **{f"activations of {layer} grew": value for layer, value in grew.items()},
            **known,
        }

    def draw(self) -> None:
        rows = [
            [self.photograph, layer, f"{layer}, one octave", f"{layer}, no jitter"] for layer in self.layers.split()
        ]
        image_grid(self.images, self.picture("dreams"), titles=sum(rows, []), columns=4, side=3)
