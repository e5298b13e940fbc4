"""Spectral norm against algorithm 1 of its paper and against the singular value itself."""

import copy

import numpy as np
import oracles
import pytest
import torch
from torch import nn

from spadework.nn.spectral import spectral_norm


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x)


def test_training_is_algorithm_1() -> None:
    conv = oracles.randomize(spectral_norm(nn.Conv2d(3, 4, 3))).train()
    parts = conv.parametrizations.weight
    matrix, u = oracles.array(parts.original).reshape(4, -1), oracles.array(parts[0]._u)
    for _ in range(3):
        v = unit(matrix.T @ u)
        u = unit(matrix @ v)
        expected = matrix / (u @ matrix @ v)
        assert np.abs(oracles.array(conv.weight).reshape(4, -1) - expected).max() < 1e-14
    assert np.abs(oracles.array(parts[0]._u) - u).max() < 1e-15


def test_eval_keeps_the_vectors() -> None:
    conv = spectral_norm(nn.Conv2d(3, 4, 3)).eval()
    before = {k: v.clone() for k, v in conv.state_dict().items()}
    assert torch.equal(conv.weight, conv.weight)
    assert all(torch.equal(v, before[k]) for k, v in conv.state_dict().items())


def test_it_converges_to_the_largest_singular_value() -> None:
    conv = spectral_norm(nn.Conv2d(5, 6, 3)).train()
    for _ in range(200):
        weight = conv.weight
    assert torch.linalg.matrix_norm(weight.flatten(1), 2).item() == pytest.approx(1, abs=1e-5)


def test_two_forwards_share_one_backward() -> None:
    """The second call's power iteration must not disturb the first call's gradient."""
    conv = spectral_norm(nn.Conv2d(2, 2, 1)).double().train()
    x = torch.randn(1, 2, 3, 3, dtype=torch.float64)
    (conv(x).sum() + 2 * conv(x).sum()).backward()
    assert conv.parametrizations.weight.original.grad is not None


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_gradient_is_that_of_the_quotient(memory: torch.memory_format) -> None:
    conv = spectral_norm(nn.Conv2d(2, 3, (2, 3))).double().eval().to(memory_format=memory)  # type: ignore[call-overload]
    parts = conv.parametrizations.weight
    u, v = parts[0]._u, parts[0]._v
    weights = torch.linspace(-1, 1, 36, dtype=torch.float64).view(3, 2, 2, 3)

    def formula(weight: torch.Tensor) -> torch.Tensor:
        return (weights * weight / (u @ weight.flatten(1) @ v)).sum()

    assert torch.autograd.gradcheck(formula, parts.original)
    (expected,) = torch.autograd.grad(formula(parts.original), parts.original)
    (weights * conv.weight).sum().backward()
    torch.testing.assert_close(parts.original.grad, expected, rtol=1e-13, atol=1e-14)


def test_the_order_of_memory_changes_nothing() -> None:
    conv = spectral_norm(nn.Conv2d(3, 4, (2, 3))).double().train()
    other = copy.deepcopy(conv).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for _ in range(2):
        torch.testing.assert_close(other.weight, conv.weight, rtol=1e-13, atol=1e-14)
    for name, value in conv.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], value, rtol=1e-13, atol=1e-14)


def test_its_precision_does_not_follow_autocast() -> None:
    conv = spectral_norm(nn.Conv2d(3, 4, 3)).eval()
    with torch.autocast("cpu", torch.bfloat16):
        inside = conv.weight
    assert torch.equal(inside, conv.weight)
    assert inside.dtype == torch.float32


def test_names_of_the_state() -> None:
    assert spectral_norm(nn.Conv2d(3, 4, 3, bias=False)).state_dict().keys() == {
        "parametrizations.weight.original",
        "parametrizations.weight.0._u",
        "parametrizations.weight.0._v",
    }
