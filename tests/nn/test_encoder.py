"""The style encoder against its formula, and drawing from what it returns."""

from typing import Any

import numpy as np
import oracles
import pytest
import torch
from oracles import apart, some
from torch import nn

from spadework.nn.encoder import StyleEncoder, StyleEncoderConfig, reparameterize


def encoder(**changes: Any) -> StyleEncoder:
    return StyleEncoder(
        StyleEncoderConfig.model_validate({"ngf": 1, "z_dim": 5, "size": 32, "layers": 5, **changes})
    )


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_encoder_is_its_formula(norm: str) -> None:
    network = oracles.randomize(encoder(norm=norm, size=64)).eval()
    image = some(2, 3, 64, 64)
    x = oracles.array(image)
    for conv, normalize in network.layers:
        x = oracles.conv(x, oracles.weight_of(conv), stride=2, pad=1)
        x = oracles.standardize(x, (2, 3)) if norm == "instance" else oracles.batch_eval(normalize, x)
        x = oracles.leaky(x)
    assert x.shape == (2, 8, 2, 2)
    for ours, fc in zip(network(image), (network.fc_mu, network.fc_var), strict=True):
        expected = x.reshape(2, -1) @ oracles.array(fc.weight).T + oracles.array(fc.bias)
        assert apart(ours, expected) < 1e-11


def bilinear(x: np.ndarray, size: int) -> np.ndarray:
    """Pixel centres on pixel centres, edges repeated, without antialiasing."""
    for axis in (2, 3):
        count = x.shape[axis]
        at = np.clip((np.arange(size) + 0.5) * count / size - 0.5, 0, count - 1)
        low = np.floor(at).astype(int)
        high, part = np.minimum(low + 1, count - 1), at - low
        part = part[:, None] if axis == 2 else part
        x = x.take(low, axis) * (1 - part) + x.take(high, axis) * part
    return x


def test_other_sizes_are_resized_bilinearly() -> None:
    network = oracles.randomize(encoder(norm="batch")).eval()
    image = some(1, 3, 45, 20)
    square = torch.from_numpy(bilinear(oracles.array(image), 32))
    for ours, expected in zip(network(image), network(square), strict=True):
        assert apart(ours, oracles.array(expected)) < 1e-11


def test_layers_are_the_papers() -> None:
    convs = [layer[0] for layer in encoder(ngf=4, size=256, layers=6).layers]
    assert [c.out_channels for c in convs] == [4, 8, 16, 32, 32, 32]
    assert {(c.kernel_size, c.stride, c.padding, c.bias) for c in convs} == {((3, 3), (2, 2), (1, 1), None)}
    assert encoder(ngf=4, size=256, layers=6).fc_mu.in_features == 8 * 4 * 4 * 4
    assert encoder(size=50).fc_mu.in_features == 8 * 2 * 2  # 50, 25, 13, 7, 4, 2


def test_every_parameter_gets_a_gradient() -> None:
    torch.manual_seed(0)
    network = encoder(size=96, ngf=2).double()
    sum((x * some(2, 5)).sum() for x in network(some(2, 3, 96, 96))).backward()
    assert [
        name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0
    ] == []


@torch.no_grad()
def test_batch_norm_keeps_what_instance_norm_forgets() -> None:
    """A brighter copy of a picture has, almost, the same style under instance norm only."""
    image = some(1, 3, 32, 32)
    change = {}
    for norm in ("instance", "batch"):
        network = oracles.randomize(encoder(norm=norm, size=64)).eval()
        nn.init.zeros_(network.fc_mu.bias)
        a, b = network(image)[0], network(2 * image)[0]
        change[norm] = float((a - b).norm() / a.norm())
    assert change["instance"] < 0.01 < change["batch"]


def test_reparameterize_is_mean_plus_deviation_times_noise() -> None:
    mu, logvar = some(3, 5).requires_grad_(), some(3, 5, seed=2).requires_grad_()
    z = reparameterize(mu, logvar, torch.Generator().manual_seed(4))
    eps = torch.randn((3, 5), generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    deviation = np.exp(oracles.array(logvar) / 2)
    assert apart(z, oracles.array(mu) + oracles.array(eps) * deviation) < 1e-15
    z.sum().backward()
    assert apart(mu.grad, np.ones((3, 5))) == 0
    assert apart(logvar.grad, oracles.array(eps) * deviation / 2) < 1e-15


def test_reparameterize_draws_the_named_distribution() -> None:
    count = 40_000
    mu, logvar = torch.tensor([1.0, -2.0]), torch.tensor([0.0, 2 * np.log(3)])
    z = reparameterize(mu.expand(count, 2), logvar.expand(count, 2).float(), torch.Generator().manual_seed(0))
    torch.testing.assert_close(z.mean(0), mu, rtol=0, atol=0.05)
    torch.testing.assert_close(z.std(0), torch.tensor([1.0, 3.0]), rtol=0.02, atol=0)
