"""SPADE and its residual block against the equations of the paper."""

from typing import Any

import numpy as np
import oracles
import pytest
import torch
from oracles import apart, some
from torch import nn

from spadework.nn.labels import Labels
from spadework.nn.spade import SPADE, Affine, SPADEResBlock, upsample
from spadework.nn.together import BatchNorm

WITHIN = 1e-12


@pytest.mark.parametrize("padding", ["zeros", "replicate"])
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize(
    ("norm", "train"), [("batch", True), ("batch", False), ("instance", True), ("instance", False)]
)
def test_spade_is_equation_1(padding: Any, kernel: int, norm: Any, train: bool) -> None:
    layer = oracles.randomize(SPADE(3, 4, hidden=5, kernel=kernel, norm=norm, padding=padding)).train(train)
    x, segmap = some(2, 3, 4, 6), some(2, 4, 8, 9, seed=2)
    values = oracles.array(x)
    if norm == "instance":
        normalized = oracles.standardize(values, (2, 3))
    else:
        # before the forward in training, which moves the running statistics
        normalized = (
            oracles.standardize(values, (0, 2, 3))
            if train
            else oracles.batch_eval(layer.param_free_norm, values)
        )
    expected = oracles.spade(layer, values, oracles.array(segmap), normalized)
    assert apart(layer(x, segmap), expected) < WITHIN


def test_spade_has_no_weights_in_its_norm() -> None:
    layer = SPADE(3, 4, hidden=5)
    assert {name.split(".")[0] for name, _ in layer.named_parameters()} == {
        "mlp_shared",
        "mlp_gamma",
        "mlp_beta",
    }


def test_syncbatch_is_pytorchs() -> None:
    assert isinstance(SPADE(3, 4, hidden=5, norm="syncbatch").param_free_norm, BatchNorm)


def test_a_zero_modulation_only_normalizes() -> None:
    layer = SPADE(3, 4, hidden=5, norm="instance").double()
    for mlp in (layer.mlp_gamma, layer.mlp_beta):
        nn.init.zeros_(mlp.weight)
        nn.init.zeros_(mlp.bias)
    x = some(2, 3, 5, 5)
    assert apart(layer(x, some(2, 4, 5, 5)), oracles.standardize(oracles.array(x), (2, 3))) < WITHIN


@pytest.mark.parametrize("padding", ["zeros", "replicate"])
@pytest.mark.parametrize(("channels_in", "channels_out"), [(3, 3), (5, 2), (2, 4)])
def test_resblock_is_figure_4(padding: Any, channels_in: int, channels_out: int) -> None:
    block = oracles.randomize(
        SPADEResBlock(channels_in, channels_out, 4, hidden=3, padding=padding, label_padding=padding)
    ).eval()
    x, segmap = some(2, channels_in, 3, 4), some(2, 4, 6, 8, seed=2)
    expected = oracles.resblock(block, oracles.array(x), oracles.array(segmap))
    assert apart(block(x, Labels(segmap)), expected) < WITHIN
    assert block.learned_shortcut == (channels_in != channels_out)
    assert block.conv_0.out_channels == min(channels_in, channels_out)


def test_noise_starts_silent_and_is_scaled_per_channel() -> None:
    block = oracles.randomize(SPADEResBlock(2, 3, 4, hidden=3, noise=True)).eval()
    plain = SPADEResBlock(2, 3, 4, hidden=3).double().eval()
    plain.load_state_dict({k: v for k, v in block.state_dict().items() if k != "noise_strength"})
    x, segmap, noise = some(2, 2, 3, 4), some(2, 4, 6, 8, seed=2), some(2, 1, 3, 4, seed=3)
    strength = block.noise_strength.detach()
    expected = plain(x + strength * noise, Labels(segmap))
    torch.testing.assert_close(block(x, Labels(segmap), noise), expected, rtol=1e-12, atol=1e-12)
    assert torch.equal(block(x, Labels(segmap)), plain(x, Labels(segmap)))
    assert SPADEResBlock(2, 3, 4, noise=True).noise_strength.abs().sum() == 0


def test_upsample_repeats_pixels() -> None:
    x = some(2, 3, 4, 5)
    assert apart(upsample(x), np.kron(oracles.array(x), np.ones((1, 1, 2, 2)))) == 0


def test_a_bilinear_upsample_lies_between_pixels() -> None:
    x = some(2, 3, 4, 5)
    assert apart(upsample(x, bilinear=True), oracles.bilinear_double(oracles.array(x))) < WITHIN


def test_affine_is_a_norm_with_one_scale_and_shift_a_channel() -> None:
    layer, x = oracles.randomize(Affine(3)), some(2, 3, 5, 4)
    normal = oracles.standardize(oracles.array(x), (0, 2, 3))
    gamma, beta = (oracles.array(p)[:, None, None] for p in (layer.gamma, layer.beta))
    assert apart(layer(x, torch.zeros(2, 4, 10, 8)), normal * (1 + gamma) + beta) < WITHIN
    assert torch.equal(layer(x, some(2, 4, 7, 7)), layer(x, torch.zeros(2, 4, 10, 8)))
