"""VGG11 of any width, for regression and classification (Simonyan & Zisserman 2015, arXiv:1409.1556)."""

from math import sqrt

from torch import Tensor, nn
from torchvision.models.vgg import make_layers

from ownmark.errors import ModelError

POOLED = 7  # height and width of the map before the linear layers
FULL = 64  # width in the paper


class VGG11(nn.Module):
    """Outputs (n, outputs) for colour images (n, 3, height, width) in [0, 1]; with one output it is a regressor.

    With width 64 it equals torchvision's `vgg11` (`vgg11_bn` with `norm`), layer names included, except for scaling: it
    takes (image - 0.5) / 0.25, and outputs `middle` plus `spread` times its last layer, so that it learns an age in years.
    """

    def __init__(
        self, outputs: int = 1, *, width: int = FULL, norm: bool = False, middle: float = 0.0, spread: float = 1.0
    ) -> None:
        super().__init__()
        if min(outputs, width) < 1 or not spread > 0:
            raise ModelError(f"VGG11: expected sizes of at least 1 and a spread above 0, got {outputs=}, {width=}, {spread=}")
        one, two, four, eight = (width * times for times in (1, 2, 4, 8))
        hidden = 64 * width
        self.width, self.middle, self.spread = width, middle, spread
        self.features = make_layers([one, "M", two, "M", four, four, "M", eight, eight, "M", eight, eight, "M"], batch_norm=norm)
        self.avgpool = nn.AdaptiveAvgPool2d(POOLED)
        self.classifier = nn.Sequential(
            *(nn.Linear(eight * POOLED**2, hidden), nn.ReLU(inplace=True), nn.Dropout()),
            *(nn.Linear(hidden, hidden), nn.ReLU(inplace=True), nn.Dropout()),
            nn.Linear(hidden, outputs),
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Re-initialises all weights: with torch's defaults, a network without normalisation learns little."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01 * sqrt(FULL / self.width))
            if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        features = self.avgpool(self.features((images - 0.5) / 0.25))
        answers: Tensor = self.classifier(features.flatten(1))
        return self.middle + self.spread * answers
