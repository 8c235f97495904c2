"""AlexNet: its layers in their order, narrow, for images of 32x32 pixels."""

from ..models.alexnet import response_norm
from ..nn import Conv2d, Dropout, Flatten, Linear, MaxPool2d, Module, ReLU, Sequential, init
from ..train import DigitClassification, Goal


class AlexNet(DigitClassification):
    """Reads handwritten digits with AlexNet's layers in small: five convolutions, local response norm, dropout."""

    notes = ("5.1.3.2 AlexNet",)
    minutes = 3
    goals = {"test accuracy": Goal(0.985)}
    quick = {"epochs": 3, "train_samples": 300, "batch_size": 20}
    epochs = 25
    batch_size = 32
    lr = 0.02
    weight_decay = 5e-4

    def build(self) -> Module:
        model = Sequential(
            Conv2d(1, 16, 5, padding=2), ReLU(), MaxPool2d(3, 2), response_norm(),  # 32 x 32 -> 15 x 15
            Conv2d(16, 32, 5, padding=2), ReLU(), MaxPool2d(3, 2), response_norm(),  # -> 7 x 7
            Conv2d(32, 48, 3, padding=1), ReLU(),
            Conv2d(48, 48, 3, padding=1), ReLU(),
            Conv2d(48, 32, 3, padding=1), ReLU(), MaxPool2d(3, 2),  # -> 3 x 3
            Flatten(),
            Linear(3 * 3 * 32, 256), ReLU(), Dropout(),
            Linear(256, 256), ReLU(), Dropout(),
            Linear(256, 10),
        )  # fmt: skip
        for parameter in model.parameters():
            if parameter.ndim > 1:
                init.kaiming_normal_(parameter, nonlinearity="relu")  # keeps the signal through eight layers
        return model
