"""Packed convolutions and products against PyTorch's own, in float64."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from spadework.fast.convolutions import PackedConv, PackedProduct, WinogradConv, packed_conv


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def exact(weight: Tensor, bias: Tensor | None, rows: Tensor, grid: tuple[int, int]) -> Tensor:
    x = rows.double().view(1, *grid, -1).permute(0, 3, 1, 2)
    made = F.conv2d(
        x, weight.double(), None if bias is None else bias.double(), padding=weight.shape[-1] // 2
    )
    return made.permute(0, 2, 3, 1).reshape(len(rows), -1)


@pytest.mark.parametrize("conv", [PackedConv, WinogradConv])
@pytest.mark.parametrize("grid", [(8, 8), (5, 9), (1, 1), (2, 70), (40, 33)])
@pytest.mark.parametrize("biased", [True, False])
@torch.inference_mode()
def test_convolutions_of_any_grid(conv: type, grid: tuple[int, int], biased: bool) -> None:
    weight, rows = drawn(5, 7, 3, 3) / 8, drawn(grid[0] * grid[1], 7)
    bias = drawn(5) if biased else None
    made = conv(weight, bias, grid)(rows, grid).double()
    torch.testing.assert_close(made, exact(weight, bias, rows, grid), rtol=0, atol=2e-6)
    other = (grid[0] + 2, grid[1])
    rows = drawn(other[0] * other[1], 7)
    again = conv(weight, bias, grid)(rows, other).double()
    torch.testing.assert_close(again, exact(weight, bias, rows, other), rtol=0, atol=2e-6)


@torch.inference_mode()
def test_winograd_rounds_no_more_than_the_plain_sum() -> None:
    weight, rows = drawn(64, 256, 3, 3) / 48, drawn(256, 256)
    truth = exact(weight, None, rows, (16, 16))
    plain, ours = (
        float((conv(weight, None, (16, 16))(rows, (16, 16)) - truth).abs().max())
        for conv in (PackedConv, WinogradConv)
    )
    assert ours < 2 * plain


def test_winograd_is_for_many_channels_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert isinstance(packed_conv(drawn(1024, 1024, 3, 3), None, (32, 32)), WinogradConv)
    assert isinstance(packed_conv(drawn(1024, 1024, 3, 3), None, (16, 16)), PackedConv)
    for weight, grid in ((drawn(64, 64, 3, 3), (256, 256)), (drawn(512, 512, 3, 3).bfloat16(), (32, 32))):
        assert isinstance(packed_conv(weight, None, grid), PackedConv)


@pytest.mark.parametrize("count", [1, 4, 7, 12])
@torch.inference_mode()
def test_products_of_any_number_of_rows(count: int) -> None:
    weight, bias, rows = drawn(6, 5), drawn(6), drawn(count, 5)
    product = PackedProduct(weight, bias, 4)
    torch.testing.assert_close(product(rows), F.linear(rows, weight, bias), rtol=0, atol=1e-5)
    alone = torch.cat([product(row[None]) for row in rows])
    assert torch.equal(product(rows), alone)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_weights_are_read_back(dtype: torch.dtype) -> None:
    weight = drawn(128, 64, 3, 3).to(dtype)
    assert torch.equal(PackedConv(weight, None, (16, 16)).unpacked(), weight)
