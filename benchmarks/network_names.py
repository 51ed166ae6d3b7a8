"""The networks of `docs/networks.md`: by their names, at small sizes, and those of transformers as folders that are made here."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Row:
    """A network by its `name`, asked with images of `size` pixels; `boxes`: it is a detector."""

    name: str
    size: int
    boxes: bool = False


TORCHVISION = (
    Row("torchvision:resnet18", 64),
    Row("torchvision:resnet50", 64),
    Row("torchvision:vgg11_bn", 64),
    Row("torchvision:densenet121", 64),
    Row("torchvision:squeezenet1_1", 64),
    Row("torchvision:shufflenet_v2_x0_5", 64),
    Row("torchvision:mnasnet0_5", 64),
    Row("torchvision:mobilenet_v3_small", 64),
    Row("torchvision:efficientnet_b0", 64),
    Row("torchvision:regnet_y_400mf", 64),
    Row("torchvision:convnext_tiny", 64),
    Row("torchvision:googlenet(init_weights=False)", 64),
    Row("torchvision:swin_t", 64),
    Row("torchvision:vit_b_16(image_size=64)", 64),
)
DETECTORS = (
    Row("torchvision:ssdlite320_mobilenet_v3_large", 64, boxes=True),
    Row("torchvision:retinanet_resnet50_fpn(min_size=64, max_size=64)", 64, boxes=True),
    Row("torchvision:fcos_resnet50_fpn(min_size=64, max_size=64)", 64, boxes=True),
    Row("torchvision:fasterrcnn_mobilenet_v3_large_320_fpn(min_size=64, max_size=64)", 64, boxes=True),
)
TIMM = (
    Row("timm:vit_tiny_patch16_224(img_size=64)", 64),
    Row("timm:deit_tiny_distilled_patch16_224(img_size=64)", 64),
    Row("timm:vit_small_patch14_reg4_dinov2(img_size=56, depth=4)", 56),
    Row("timm:eva02_tiny_patch14_224(img_size=56)", 56),
    Row("timm:swin_tiny_patch4_window7_224(img_size=112)", 112),
    Row("timm:convnext_atto", 64),
    Row("timm:mobilenetv4_conv_small", 64),
    Row("timm:efficientvit_b0", 64),
    Row("timm:mobilevit_xxs", 64),
    Row("timm:levit_128s", 224),
    Row("timm:poolformer_s12", 64),
    Row("timm:mixer_s32_224(img_size=64)", 64),
)


@dataclass(frozen=True)
class Folder:
    """A network of transformers by its `kind`, as in ViT; `named`: what its class does; `config`: its parameters."""

    kind: str
    size: int
    config: dict[str, Any] = field(default_factory=dict)
    named: str = "ForImageClassification"

    def made(self, folder: Path) -> Row:
        """The network with random weights and its preprocessor, as `save_pretrained` writes them."""
        import torch
        import transformers

        torch.manual_seed(0)
        place = folder / f"{self.kind}{self.named}"
        config = getattr(transformers, f"{self.kind}Config")(num_labels=3, **self.config)
        getattr(transformers, f"{self.kind}{self.named}")(config).save_pretrained(place)
        transformers.ViTImageProcessor(size={"height": self.size, "width": self.size}).save_pretrained(place)
        return Row(f"hf:{place}", self.size)


TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
SMALL = {"image_size": 32, "patch_size": 8, **TINY}
TRANSFORMERS = (
    Folder("ViT", 32, SMALL),
    Folder("DeiT", 32, SMALL),
    Folder("Beit", 32, SMALL),
    Folder("Dinov2", 32, {key: value for key, value in SMALL.items() if key != "intermediate_size"}),
    Folder(
        "Swin", 32, {"image_size": 32, "patch_size": 4, "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4}
    ),
    Folder("ConvNext", 64, {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2}),
    Folder("ResNet", 64, {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}),
    Folder("Segformer", 64, {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "decoder_hidden_size": 8}),
    Folder("Segformer", 64, {"hidden_sizes": [8, 8, 8, 8], "depths": [1, 1, 1, 1]}, named="ForSemanticSegmentation"),
)


def rows(folder: Path) -> list[Callable[[], Row]]:
    """Every network; those of transformers are made when it is their turn."""
    named = [lambda row=row: row for row in (*TORCHVISION, *DETECTORS, *TIMM)]
    return [*named, *(lambda one=one: one.made(folder) for one in TRANSFORMERS)]
