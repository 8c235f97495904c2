"""Style: the content of one photograph in the style of the other."""

from ..autograd.convert import asarray
from ..autograd.tensor import Tensor
from ..backend.random import default_generator
from ..data import load_photograph
from ..errors import OptionError
from ..train import Goal, PhotoNetwork, cut_after, layer_names
from ..viz import StyleTransfer, curves, image_grid

PAIRS = (("china", "flower"), ("flower", "china"))  # (content, style)
OPTIMIZERS = {"lbfgs": "L-BFGS", "adam": "Adam"}


class Style(PhotoNetwork):
    """Paints one photograph in the style of the other, by L-BFGS and by Adam, from noise.

    A VGG-shaped network learns the photographs' textures (or is VGG-19: --weights). Then x = argmin L_style(x) +
    L_content(x) + L_variation(x): the Gram matrices of several layers are to be the style's, the features of one layer
    the content's, and neighbouring pixels alike. Measured: by how much both losses fall, the least of both pictures.
    """

    notes = ("5.5 Style Transfer",)
    minutes = 4
    goals = {
        f"{loss} loss fell by {optimizer}": Goal(10, form=".1f")
        for optimizer in OPTIMIZERS.values()
        for loss in ("content", "style")
    }
    quick = {"epochs": 1, "patches": 128, "height": 32, "steps": 10}
    height = 112
    steps = 120
    content_layer = "relu3_1"
    style_layers = "relu1_1 relu2_1 relu3_1 relu4_1"
    content_weight = 1.0
    style_weight = 1.0
    variation_weight = 1.0

    def train(self) -> None:
        super().train()
        names = layer_names(self.model)
        wanted = [self.content_layer, *self.style_layers.split()]
        if unknown := set(wanted) - names.keys():
            raise OptionError(f"style: the network has no layer {sorted(unknown)}; it has {', '.join(names)}")
        features = cut_after(self.model, [names[name] for name in wanted])
        photographs = {name: load_photograph(name, self.height).to(device=self.device) for name, _ in PAIRS}
        layers = {names[name]: 1.0 for name in self.style_layers.split()}
        weights = (self.content_weight, self.style_weight, self.variation_weight)
        self.images: list[Tensor] = []
        self.record["losses"] = {}
        for content, style in PAIRS:
            pair = (photographs[content], photographs[style])
            transfer = StyleTransfer(features, *pair, names[self.content_layer], layers, weights)
            noise = default_generator().numpy.random(pair[0].shape, "float32")
            self.images += pair
            for optimizer in OPTIMIZERS:
                image, losses = transfer.run(asarray(noise, device=self.device), self.steps, optimizer)
                self.images.append(image)
                self.record["losses"][f"{content}, {OPTIMIZERS[optimizer]}"] = losses

    def evaluate(self) -> dict[str, float]:
        fell = {
            f"{loss} loss fell by {optimizer}": min(
                losses[loss][0] / losses[loss][-1]
                for run, losses in self.record["losses"].items()
                if run.endswith(optimizer)
            )
            for optimizer in OPTIMIZERS.values()
            for loss in ("content", "style")
        }
        known = {} if self.options.weights is not None else {"patches told apart": super().evaluate()["test accuracy"]}
        return {**fell, **known}

    def draw(self) -> None:
        titles = ["content", "style", *OPTIMIZERS.values()] * len(PAIRS)
        image_grid(self.images, self.picture("images"), titles=titles, columns=2 + len(OPTIMIZERS), side=3)
        history = self.record["losses"]
        named = {f"{run}: {loss}": history[run][loss] for run in history for loss in ("content", "style")}
        curves(named, self.picture("losses"))
