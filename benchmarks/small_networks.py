"""Small networks of other kinds than the students' benchmark's own, for images of 40x40, by the names `small_networks:KIND`."""

from functools import partial

from torch import nn
from torchvision.models import MobileNetV3, VisionTransformer
from torchvision.models.mobilenetv3 import InvertedResidualConfig
from torchvision.models.vision_transformer import ConvStemConfig

BLOCKS = ((16, 64, 32, 2), (32, 96, 32, 1), (32, 96, 48, 2), (48, 144, 64, 1))  # inputs, inside, outputs, stride


def mobilenet(classes: int) -> nn.Module:
    """Five inverted residuals of MobileNetV3, all but the first with squeeze-and-excitation."""
    block = partial(InvertedResidualConfig, width_mult=1.0, dilation=1)
    first = block(16, 3, 32, 16, use_se=False, activation="RE", stride=1)
    rest = [block(at, 3, wide, to, use_se=True, activation="HS", stride=step) for at, wide, to, step in BLOCKS]
    usual = partial(nn.BatchNorm2d, eps=0.001)  # torchvision's own keeps statistics over far more steps than are made here
    model: nn.Module = MobileNetV3([first, *rest], 128, num_classes=classes, dropout=0.0, norm_layer=usual)
    return model


def vit(classes: int) -> nn.Module:
    """Four blocks of width 64 on 5x5 patches behind a stem of three convolutions (Xiao et al. 2021, arXiv:2106.14881)."""
    stem = [ConvStemConfig(24, 3, 2), ConvStemConfig(48, 3, 2), ConvStemConfig(64, 3, 2)]
    model: nn.Module = VisionTransformer(40, 8, 4, 4, 64, 128, num_classes=classes, conv_stem_configs=stem)
    nn.init.trunc_normal_(model.get_parameter("heads.head.weight"), std=0.02)  # torchvision's are all zeros
    return model
