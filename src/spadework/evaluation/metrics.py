"""Measures of painted pictures against photos. B pictures, F features.

The networks here are in no training loss.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

from ..nn.features import EfficientNetLite


class Lite0Features(nn.Module):
    """EfficientNet-Lite0's pooled features of pictures reduced or enlarged to 224 px, bicubic."""

    num_features = 1280
    side = 224

    def __init__(self):
        super().__init__()
        self.net = EfficientNetLite(0).eval().requires_grad_(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) uint8 -> (B, 1280)."""
        resized = np.stack([self._resize(i) for i in images.permute(0, 2, 3, 1).cpu().numpy()])
        return self.net.pooled(torch.from_numpy(resized).permute(0, 3, 1, 2).float() / 127.5 - 1)

    def _resize(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.asarray(Image.fromarray(image).resize((self.side, self.side), Image.Resampling.BICUBIC))


class FrechetDistance:
    """Distance of Gaussians fitted to features of photos and paintings (Heusel et al. 2017, 1706.08500)."""

    def __init__(self, features: nn.Module):
        self.metric = FrechetInceptionDistance(feature=features)

    def add(self, images: NDArray[np.uint8], real: bool) -> None:
        """(B, H, W, 3) uint8 pictures, photos or paintings."""
        self.metric.update(torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2), real=real)

    def value(self) -> float:
        """The distance; 0 for equal distributions."""
        return float(self.metric.compute())


def lab_mean(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean colour of (H, W, 3) sRGB bytes in CIE L*a*b* (D65): (3,)."""
    srgb = image.astype(np.float64) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _RGB_TO_XYZ.T / _RGB_TO_XYZ.sum(1)
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    lab = np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)
    return lab.mean((0, 1))


_RGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)  # IEC 61966-2-1, sRGB primaries
