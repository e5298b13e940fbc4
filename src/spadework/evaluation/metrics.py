"""Measures of painted pictures against photos. B or N pictures, F features.

The networks here are in no training loss.
"""

from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from spadework.frozen.efficientnet import EfficientNetLite
from spadework.frozen.inception import InceptionV3
from spadework.nn.pixels import to_unit

Rows = NDArray[np.float64]
"""Features, one row per picture: (N, F)."""

RESAMPLES = 100
"""So many times pictures are drawn anew, with repeats, to see how far a figure scatters."""


class Lite0Features:
    """EfficientNet-Lite0 on pictures brought to 224 px."""

    side = 224
    resize = "bicubic to 224x224 (Pillow, antialiased, bytes)"

    def __init__(self) -> None:
        self.net = EfficientNetLite(0).eval().requires_grad_(False)

    @torch.no_grad()
    def __call__(self, images: NDArray[np.uint8]) -> tuple[Rows, list[Tensor]]:
        """(B, H, W, 3) -> pooled features (B, 1280), and unit features (B, C, h, w) at five scales."""
        resized = np.stack([self._resized(image) for image in images])
        stages = self.net(to_unit(resized))
        pooled = self.net.head(stages[-1]).mean((2, 3)).double().numpy()
        return pooled, [F.normalize(stage, dim=1) for stage in stages]

    def _resized(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.asarray(Image.fromarray(image).resize((self.side, self.side), Image.Resampling.BICUBIC))


class InceptionFeatures:
    """The FID's Inception-v3 with the user's weights, fed as pytorch-fid feeds it."""

    side = 299
    resize = "bilinear to 299x299 (half-pixel centres, no antialiasing, floats)"

    def __init__(self, weights: str | Path) -> None:
        self.net = InceptionV3.from_file(weights)

    @torch.no_grad()
    def __call__(self, images: NDArray[np.uint8]) -> Rows:
        """(B, H, W, 3) -> pooled features (B, 2048)."""
        x = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255
        x = F.interpolate(x, (self.side, self.side), mode="bilinear", align_corners=False)
        return self.net(2 * x - 1).double().numpy()


def frechet_distance(a: Rows, b: Rows) -> float:
    """|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)), Heusel et al. 2017 (1706.08500), equation 6.

    The last trace is the sum of singular values of A B^T, where C_a = A^T A and C_b = B^T B: exact, and small
    where there are fewer pictures than features.
    """
    root_a, root_b = _root(a), _root(b)
    product = root_a @ root_b.T
    singular = np.sqrt(np.linalg.eigvalsh(product @ product.T).clip(min=0))
    gap = a.mean(0) - b.mean(0)
    return float(gap @ gap + (root_a**2).sum() + (root_b**2).sum() - 2 * singular.sum())


def _root(rows: Rows) -> Rows:
    """A with A^T A the covariance of the rows, and not more rows than needed."""
    centred = (rows - rows.mean(0)) / np.sqrt(len(rows) - 1)
    return centred if len(rows) <= rows.shape[1] else np.asarray(np.linalg.qr(centred, mode="r"))


def kernel_distance(a: Rows, b: Rows) -> float:
    """The unbiased MMD^2 with kernel (x.y / F + 1)^3 over all pictures, Binkowski et al. 2018 (1801.01401).

    Its mean does not depend on the number of pictures; the paper's average over subsets estimates the same.
    """
    within = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (_kernel(a, a), _kernel(b, b))]
    return float(sum(within) - 2 * _kernel(a, b).mean())


def _kernel(a: Rows, b: Rows) -> Rows:
    return (a @ b.T / a.shape[1] + 1) ** 3


def perceptual_distance(a: Sequence[Tensor], b: Sequence[Tensor]) -> float:
    """Squared distance of two pictures' unit features (C, h, w), mean over places, then over scales: 0 to 4.

    As LPIPS (Zhang et al. 2018, 1801.03924, equation 1) with w = 1: another network and no learned weights,
    so its figures are not LPIPS figures.
    """
    return float(np.mean([(x - y).square().sum(0).mean().item() for x, y in zip(a, b, strict=True)]))


def diversity(pictures: Sequence[Sequence[Tensor]]) -> float:
    """Mean perceptual distance over all pairs of one map's pictures; 0 for a single one."""
    return float(np.mean([perceptual_distance(a, b) for a, b in combinations(pictures, 2)] or [0]))


def bootstrap_error(measure: Callable[[NDArray[np.intp]], float], count: int) -> float:
    """The standard error of `measure` (of indices of pictures), over RESAMPLES draws of `count` of them.

    Only the spread of the draws is used: a draw repeats pictures, which makes a distance of distributions
    larger, so percentiles of the draws would lie beside the figure. A draw of which `measure` knows nothing
    (nan) does not count. Seed 0: it repeats.
    """
    rng = np.random.default_rng(0)
    return float(np.nanstd([measure(rng.integers(count, size=count)) for _ in range(RESAMPLES)], ddof=1))


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


def style_followed(photos: Rows, paintings: Rows) -> NDArray[np.bool_]:
    """Whether mean Lab colours (N, 3) of paintings are nearer to their style photo than to the one before."""
    own = np.linalg.norm(paintings - photos, axis=1)
    return own < np.linalg.norm(paintings - np.roll(photos, 1, axis=0), axis=1)
