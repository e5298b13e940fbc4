"""The discriminators: patches against their formula, the backbone's shapes and independence."""

import numpy as np
import oracles
import pytest
import torch
from oracles import apart, some
from torch import Tensor, nn

from spadework.nn.discriminator import (
    BackboneConfig,
    BackboneDiscriminator,
    MultiscaleDiscriminator,
    PatchConfig,
    PatchDiscriminator,
    UNetBlock,
    UNetConfig,
    UNetDiscriminator,
)

BACKBONE = BackboneConfig(classes=4, feature_channels=(3, 4, 5, 6, 7), widths=(2, 3, 4, 5, 6), stem=2)


def silent(network: nn.Module) -> list[str]:
    """Parameters without a gradient."""
    return [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]


def test_patch_discriminator_is_its_formula() -> None:
    patch = oracles.randomize(PatchDiscriminator(PatchConfig(in_channels=3, ndf=2))).eval()
    image = some(2, 3, 16, 20)
    x, first, last = oracles.array(image), patch.layers[0], patch.layers[-1]
    x = oracles.leaky(
        oracles.conv(x, oracles.array(first.weight), oracles.array(first.bias), stride=2, pad=2)
    )
    expected = [x]
    for i, stride in ((1, 2), (2, 2), (3, 1)):
        x = oracles.conv(x, oracles.weight_of(patch.layers[i][0]), stride=stride, pad=2)
        x = oracles.leaky(oracles.standardize(x, (2, 3)))
        expected.append(x)
    expected.append(oracles.conv(x, oracles.array(last.weight), oracles.array(last.bias), pad=2))
    assert all(apart(a, b) < 1e-11 for a, b in zip(patch(image), expected, strict=True))


def halved(x: np.ndarray) -> np.ndarray:
    """Mean of the 3x3 neighbours that exist, around every second pixel."""
    rows, columns = ([slice(max(0, i - 1), i + 2) for i in range(0, n, 2)] for n in x.shape[2:])
    return np.stack([np.stack([x[:, :, r, c].mean((2, 3)) for c in columns], 2) for r in rows], 2)


@pytest.mark.parametrize("size", [(32, 32), (31, 45)])
def test_every_scale_sees_the_halved_pair(size: tuple[int, int]) -> None:
    network = oracles.randomize(MultiscaleDiscriminator(PatchConfig(in_channels=7, ndf=1, scales=3))).eval()
    segmap, image = some(2, 4, *size), some(2, 3, *size, seed=2)
    x = oracles.array(torch.cat([segmap, image], 1))
    for outputs, patch in zip(network(segmap, image), network.scales, strict=True):
        for ours, alone in zip(outputs, patch(torch.from_numpy(x)), strict=True):
            assert apart(ours, oracles.array(alone)) < 1e-11
        x = halved(x)


def test_widths_strides_and_biases_are_the_papers() -> None:
    patch = PatchDiscriminator(PatchConfig(in_channels=7, ndf=64, layers=6))
    convs = [layer[0] if isinstance(layer, nn.Sequential) else layer for layer in patch.layers]
    assert [c.out_channels for c in convs] == [64, 128, 256, 512, 512, 512, 1]
    assert [c.stride[0] for c in convs] == [2, 2, 2, 2, 2, 1, 1]
    assert [c.bias is not None for c in convs] == [True, False, False, False, False, False, True]
    assert {(c.kernel_size, c.padding) for c in convs} == {((4, 4), (2, 2))}


def test_every_patch_parameter_gets_a_gradient() -> None:
    torch.manual_seed(0)
    network = MultiscaleDiscriminator(PatchConfig(in_channels=7, ndf=2)).double()
    sum((x * x).sum() for scale in network(some(2, 4, 48, 48), some(2, 3, 48, 48)) for x in scale).backward()
    assert silent(network) == []


def pyramid(batch: int, size: int, seed: int = 3) -> list[Tensor]:
    """Frozen features at strides 2, 4, 8, 16, 32."""
    channels = BACKBONE.feature_channels
    return [
        some(batch, c, -(-size // 2**i), -(-size // 2**i), seed=seed + i) for i, c in enumerate(channels, 1)
    ]


@pytest.mark.parametrize("size", [32, 50])
def test_backbone_judges_pixels_and_patches(size: int) -> None:
    network = BackboneDiscriminator(BACKBONE).double()
    judged = network(some(2, 4, size, size), some(2, 3, size, size), pyramid(2, size))
    assert judged.logits.shape == (2, 5, size, size)
    assert [s.shape[2] for s in judged.scores] == [-(-size // 2**i) for i in (2, 3, 4, 5)]
    assert {s.shape[1] for s in judged.scores} == {1}


def test_every_backbone_parameter_gets_a_gradient() -> None:
    torch.manual_seed(0)
    network = BackboneDiscriminator(BACKBONE).double()
    judged = network(some(2, 4, 64, 64), some(2, 3, 64, 64), pyramid(2, 64))
    sum((x * x).sum() for x in (judged.logits, *judged.scores)).backward()
    assert silent(network) == []


def test_backbone_judges_pictures_of_a_batch_alone() -> None:
    network = oracles.randomize(BackboneDiscriminator(BACKBONE)).eval()
    segmap, image, features = some(2, 4, 32, 32), some(2, 3, 32, 32), pyramid(2, 32)
    both = network(segmap, image, features)
    one = network(segmap[1:], image[1:], [f[1:] for f in features])
    torch.testing.assert_close(both.logits[1:], one.logits, rtol=1e-11, atol=1e-11)
    for a, b in zip(both.scores, one.scores, strict=True):
        torch.testing.assert_close(a[1:], b, rtol=1e-11, atol=1e-11)


def test_patch_scores_depend_on_the_labels_and_pixels_do_not() -> None:
    network = BackboneDiscriminator(BACKBONE).double().eval()
    image, features = some(1, 3, 32, 32), pyramid(1, 32)
    a, b = (network(some(1, 4, 32, 32, seed=s), image, features) for s in (1, 2))
    assert torch.equal(a.logits, b.logits)
    assert not any(torch.equal(x, y) for x, y in zip(a.scores, b.scores, strict=True))


def test_a_patch_head_is_two_convolutions_of_features_and_mean_labels() -> None:
    head = oracles.randomize(BackboneDiscriminator(BACKBONE).heads[0]).eval()
    x, means = some(2, 3, 4, 4), some(2, 4, 4, 4)
    y = np.concatenate([oracles.array(x), oracles.array(means)], 1)
    y = oracles.leaky(oracles.conv(y, oracles.weight_of(head.conv_0), oracles.array(head.conv_0.bias), pad=1))
    y = oracles.conv(y, oracles.weight_of(head.conv_1), oracles.array(head.conv_1.bias), pad=1)
    assert apart(head(x, means), y) < 1e-11


def test_every_patch_head_sees_the_mean_labels_of_its_grid() -> None:
    network = oracles.randomize(BackboneDiscriminator(BACKBONE)).eval()
    seen: list[Tensor] = []
    for head in network.heads:
        head.register_forward_pre_hook(lambda module, given: seen.append(given[1]))
    segmap = some(2, 4, 64, 64)
    network(segmap, some(2, 3, 64, 64), pyramid(2, 64))
    for labels, stride in zip(seen, (4, 8, 16, 32), strict=True):
        n = 64 // stride
        means = oracles.array(segmap).reshape(2, 4, n, stride, n, stride).mean((3, 5))
        assert apart(labels, means) < 1e-12


def test_maps_given_once_stand_for_photos_and_for_paintings() -> None:
    network = oracles.randomize(BackboneDiscriminator(BACKBONE)).eval()
    segmap, image, features = some(2, 4, 32, 32), some(4, 3, 32, 32), pyramid(4, 32)
    once, twice = (network(maps, image, features) for maps in (segmap, torch.cat([segmap, segmap])))
    assert torch.equal(once.logits, twice.logits)
    assert all(torch.equal(a, b) for a, b in zip(once.scores, twice.scores, strict=True))


def test_a_block_of_the_u_net_is_two_convolutions_beside_one() -> None:
    for raw in (True, False):
        block, x = oracles.randomize(UNetBlock(3, 2, raw)).eval(), some(2, 3, 4, 5)
        y = oracles.array(x) if raw else oracles.leaky(oracles.array(x))
        for layer in (block.conv_0, block.conv_1):
            y = y if layer is block.conv_0 else oracles.leaky(y)
            y = oracles.conv(y, oracles.weight_of(layer), oracles.array(layer.bias), pad=1)
        beside = oracles.conv(
            oracles.array(x), oracles.weight_of(block.conv_s), oracles.array(block.conv_s.bias)
        )
        assert apart(block(x), y + beside) < 1e-11


@pytest.mark.parametrize("size", [(32, 32), (56, 64), (64, 128)])
def test_a_u_net_judges_pixels_at_every_size(size: tuple[int, int]) -> None:
    network = UNetDiscriminator(UNetConfig(classes=4, ndf=1)).double()
    assert network(some(2, 3, *size)).shape == (2, 5, *size)


def test_the_u_net_has_oasis_widths() -> None:
    network = UNetDiscriminator(UNetConfig(classes=4, ndf=2))
    down = [block.conv_s.weight.shape[:2] for block in network.down]
    up = [block.conv_s.weight.shape[:2] for block in network.up]
    assert [out for out, _ in down] == [4, 4, 8, 8, 16, 16]
    assert [tuple(shape) for shape in up] == [(16, 16), (8, 32), (8, 16), (4, 16), (4, 8), (2, 8)]


def test_every_u_net_parameter_gets_a_gradient_and_pictures_stand_alone() -> None:
    torch.manual_seed(0)
    network = UNetDiscriminator(UNetConfig(classes=4, ndf=1)).double()
    (network(some(2, 3, 64, 64)) * some(2, 5, 64, 64)).sum().backward()
    assert silent(network) == []
    network.eval()
    both = network(some(2, 3, 64, 64))
    torch.testing.assert_close(both[1:], network(some(2, 3, 64, 64)[1:]), rtol=1e-11, atol=1e-11)


def test_the_u_net_sees_fine_and_coarse() -> None:
    """A pixel's verdict depends on its neighbour, and on the other end of the picture."""
    network = oracles.randomize(UNetDiscriminator(UNetConfig(classes=4, ndf=1))).eval()
    image = some(1, 3, 64, 64)
    before = network(image)
    for place in ((0, 1), (63, 63)):
        other = image.clone()
        other[0, :, place[0], place[1]] += 1
        assert not torch.equal(network(other)[0, :, 0, 0], before[0, :, 0, 0])
