"""VGG19, frozen: what the paper's perceptual loss compares with, from a file that the user gives. B batch."""

from pathlib import Path

import torch
from torch import Tensor, nn


class VGG19(nn.Module):
    """VGG19 up to relu5_1 (Simonyan & Zisserman 2014) from the user's file: the paper's perceptual net.

    As in the paper's code, pictures in [-1, 1] go in without further normalisation.
    """

    PLAN = (64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512, 512, 512, 512, "M", 512)
    TAPS = (1, 6, 11, 20, 29)  # relu1_1, relu2_1, relu3_1, relu4_1, relu5_1
    WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)

    def __init__(self):
        super().__init__()
        layers: list[nn.Module] = []
        width = 3
        for step in self.PLAN:
            if isinstance(step, int):
                layers += [nn.Conv2d(width, step, 3, padding=1), nn.ReLU()]
                width = step
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.requires_grad_(False)

    @classmethod
    def from_file(cls, path: str | Path) -> "VGG19":
        """Loads a state dict with torchvision's names (.pth, .safetensors); ValueError if it does not fit."""
        net = cls()
        state = load_state(path, "a VGG19 state dict")
        wanted = {k: v for k, v in state.items() if k in net.state_dict()}
        missing = sorted(set(net.state_dict()) - set(wanted))
        if missing:
            raise ValueError(
                f"{path} is not a VGG19 state dict: {len(missing)} entries are missing, "
                f"the first is {missing[0]}; expected torchvision's names of vgg19 (features.0.weight, ...)"
            )
        net.load_state_dict(wanted)
        return net.eval()

    def forward(self, image: Tensor) -> list[Tensor]:
        """Picture (B, 3, H, W) in [-1, 1] -> relu1_1, relu2_1, relu3_1, relu4_1, relu5_1."""
        taps, x = [], image
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in self.TAPS:
                taps.append(x)
        return taps


def load_state(path: str | Path, what: str) -> dict[str, Tensor]:
    """The tensors of a state dict file, nothing else is unpickled. Raises ValueError asking for `what`."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"no weight file at {path}; give the path of {what} (.pth or .safetensors)")
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)
