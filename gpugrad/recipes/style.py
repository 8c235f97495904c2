"""Style: the content of one photograph in the style of the other."""

from ..autograd.convert import asarray
from ..autograd.tensor import Tensor
from ..backend.random import default_generator
from ..data import load_photograph
from ..errors import OptionError
from ..train import Goal, PhotoNetwork, cut_after, layer_names
from ..viz import StyleTransfer, curves, image_grid, with_colors_of

OPTIMIZERS = {"lbfgs": "L-BFGS", "adam": "Adam"}


class Style(PhotoNetwork):
    """Paints one photograph in the style of the other, by L-BFGS and by Adam, from noise.

    A VGG-shaped network learns the photographs' textures (or is VGG-19: --weights). Then x = argmin L_style(x) +
    L_content(x) + L_variation(x): the Gram matrices of several layers are to be the style's, the features of one layer
    the content's, and neighbouring pixels alike; small images first, enlarged for the next. The style picture is given
    the content's colors first, or else a dark style and a bright content ask for opposite things (keep_colors=False
    shows it). Measured: by how much both losses fall from those of noise.
    """

    notes = ("5.5 Style Transfer",)
    minutes = 4
    goals = {
        f"{loss} loss fell by {optimizer}": Goal(10, form=".1f")
        for optimizer in OPTIMIZERS.values()
        for loss in ("content", "style")
    }
    quick = {"epochs": 1, "patches": 128, "height": 32, "steps": 10}
    content = "china"
    style = "flower"
    height = 96
    steps = 200
    content_layer = "relu2_2"
    style_layers = "relu1_1 relu2_1 relu3_1 relu4_1"
    content_weight = 1.0
    style_weight = 1.0
    variation_weight = 0.1
    keep_colors = True
    scales = 3

    def train(self) -> None:
        super().train()
        names = layer_names(self.model)
        wanted = [self.content_layer, *self.style_layers.split()]
        if unknown := set(wanted) - names.keys():
            raise OptionError(f"style: the network has no layer {sorted(unknown)}; it has {', '.join(names)}")
        features = cut_after(self.model, [names[name] for name in wanted], average=True)
        content, style = (load_photograph(n, self.height).to(device=self.device) for n in (self.content, self.style))
        if self.keep_colors:
            style = with_colors_of(style, content)
        layers = {names[name]: 1.0 for name in self.style_layers.split()}
        transfer = StyleTransfer(features, content, style, names[self.content_layer], layers)
        noise = asarray(default_generator().numpy.random(content.shape, "float32"), device=self.device)
        first = {loss: value.item() for loss, value in transfer.losses(noise)._asdict().items()}
        # Each loss by its value for noise, so that the weights say how much of each is to go.
        given = (self.content_weight, self.style_weight, self.variation_weight)
        transfer.weights = tuple(weight / value for weight, value in zip(given, first.values(), strict=True))
        self.images: list[Tensor] = [content, style]
        self.record["losses"] = {}
        for optimizer, title in OPTIMIZERS.items():
            image, losses = transfer.run(noise, self.steps, optimizer, scales=self.scales)
            self.images.append(image)
            self.record["losses"][title] = {loss: [first[loss], *values] for loss, values in losses.items()}

    def evaluate(self) -> dict[str, float]:
        fell = {
            f"{loss} loss fell by {optimizer}": losses[loss][0] / losses[loss][-1]
            for optimizer, losses in self.record["losses"].items()
            for loss in ("content", "style")
        }
        known = {} if self.options.weights is not None else {"patches told apart": super().evaluate()["test accuracy"]}
        return {**fell, **known}

    def draw(self) -> None:
        titles = [f"content: {self.content}", f"style: {self.style}", *OPTIMIZERS.values()]
        image_grid(self.images, self.picture("images"), titles=titles, columns=2, side=5)
        history = self.record["losses"]
        named = {f"{run}: {loss}": history[run][loss] for run in history for loss in ("content", "style")}
        curves(named, self.picture("losses"))
