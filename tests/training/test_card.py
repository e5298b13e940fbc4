"""Which share of a GPU's peak a training reaches."""

import pytest
import torch
from torch.nn import functional as F

from spadework.training.card import PEAKS, Card


def step() -> None:
    weight = torch.randn(8, 4, 3, 3, requires_grad=True)
    F.conv2d(torch.randn(2, 4, 10, 10), weight).sum().backward()


def test_the_share_is_operations_by_speed_over_the_peak() -> None:
    card = Card("NVIDIA H200")
    with card.counting(2):
        step()
    forward = 2 * 2 * 8 * 4 * 9 * 64  # a multiplication and an addition each
    assert card.per_image == 2 * forward / 2  # forward, and the weight's gradient
    assert card.share(1000) == pytest.approx(forward * 1000 / 989e12)


def test_only_the_first_step_is_counted() -> None:
    card = Card("NVIDIA A100-SXM4-80GB")
    for _ in range(2):
        with card.counting(1):
            step()
    assert card.per_image == 2 * 2 * 2 * 8 * 4 * 9 * 64


@pytest.mark.parametrize("name", [None, "Unheard-of 9000"])
def test_nothing_is_counted_without_a_known_card(name: str | None) -> None:
    card = Card(name)
    with card.counting(1):
        step()
    assert card.share(5) is None
    assert Card.of("cpu").peak is None


def test_longer_names_come_first() -> None:
    assert Card("NVIDIA H100 PCIe").peak == PEAKS["H100 PCIe"]
    assert Card("NVIDIA L40S").peak == PEAKS["L40S"]
    assert Card("NVIDIA A100 80GB PCIe").peak == PEAKS["A100"]
