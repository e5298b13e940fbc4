"""The enlarger's network: what it begins as, what it depends on, and how far it sees."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from spadework.enlarger.network import REACH, EnlargerConfig, EnlargerNet

CONFIG = EnlargerConfig(semantic_nc=3, width=6, fine=4, blocks=9)


def inputs(height: int, width: int, seed: int = 0) -> tuple[Tensor, Tensor, list[Tensor]]:
    rng = torch.Generator().manual_seed(seed)
    image = torch.rand(1, 3, height, width, generator=rng, dtype=torch.float64) - 0.5
    ids = torch.randint(3, (1, 2 * height, 2 * width), generator=rng)
    noise = [torch.randn(1, 1, k * height, k * width, generator=rng, dtype=torch.float64) for k in (1, 2)]
    return image, F.one_hot(ids, 3).permute(0, 3, 1, 2).double(), noise


@pytest.fixture(scope="module")
def net() -> EnlargerNet:
    """Every weight at random, so that every input tells."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        net = EnlargerNet(CONFIG).double()
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(0.15 * torch.randn_like(parameter))
    return net.requires_grad_(False)


def test_untrained_it_is_bicubic() -> None:
    image, segmap, noise = inputs(5, 7)
    expected = F.interpolate(image, scale_factor=2, mode="bicubic").clamp(-1, 1)
    assert torch.equal(EnlargerNet(CONFIG).double()(image, segmap, noise), expected)


def test_every_input_tells(net: EnlargerNet) -> None:
    image, segmap, noise = inputs(6, 8)
    large = net(image, segmap, noise)
    assert large.shape == (1, 3, 12, 16)
    assert not torch.equal(net(image.flip(3), segmap, noise), large)
    assert not torch.equal(net(image, segmap.flip(2), noise), large)
    assert not torch.equal(net(image, segmap, [noise[0] + 1, noise[1]]), large)
    assert not torch.equal(net(image, segmap, [noise[0], noise[1] + 1]), large)


def test_noise_is_drawn_where_none_is_given(net: EnlargerNet) -> None:
    image, segmap, _ = inputs(4, 4)
    assert not torch.equal(net(image, segmap), net(image, segmap))


def test_it_sees_no_farther_than_its_reach(net: EnlargerNet) -> None:
    """A change of everything beyond REACH pixels changes nothing here; without this, tiles would show."""
    image, segmap, noise = inputs(8, 2 * REACH + 8)
    large = net(image, segmap, noise)
    changed = [x.clone() for x in (image, segmap, *noise)]
    other = inputs(8, 2 * REACH + 8, seed=9)
    for x, y, k in zip(changed, (other[0], other[1], *other[2]), (1, 2, 1, 2), strict=True):
        x[..., k * (REACH + 4) :] = y[..., k * (REACH + 4) :]
    again = net(changed[0], changed[1], changed[2:])
    assert torch.equal(again[..., :8], large[..., :8])
    assert not torch.equal(again[..., 2 * REACH :], large[..., 2 * REACH :])


def test_every_weight_learns() -> None:
    torch.manual_seed(0)
    net = EnlargerNet(EnlargerConfig(semantic_nc=3, width=6, fine=4, blocks=2)).double()
    torch.nn.init.normal_(net.conv_img.weight, std=0.1)
    for block in net.blocks:
        torch.nn.init.normal_(block.labels.weight, std=0.1)  # type: ignore[union-attr]
    net(*inputs(6, 6)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_more_blocks_than_it_may_reach_are_refused() -> None:
    with pytest.raises(ValueError, match="less than or equal to 9"):
        EnlargerConfig(semantic_nc=3, blocks=10)
