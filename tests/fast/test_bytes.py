"""Products out of bytes against PyTorch's own in float64."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from spadework.fast import bytes as digits
from spadework.fast.bytes import (
    Ahead,
    DigitConv,
    DigitProduct,
    Digits,
    WeightDigits,
    multiplies_bytes,
    operators_agree,
)
from spadework.fast.contexts import Level, codes_of
from spadework.fast.convolutions import packed_conv
from spadework.fast.rows import DigitSPADE
from spadework.nn.spade import SPADE

pytestmark = pytest.mark.skipif(
    not operators_agree(), reason="PyTorch has no operators on bytes here, so nothing is painted with them"
)
"""They run on processors without tiles of bytes (AMX) too, where they are slower than float32."""


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def value(x: Digits) -> Tensor:
    """(3, N, C) bytes -> (N, C)."""
    place = torch.tensor([1, 1 / 256, 1 / 256**2], dtype=torch.float64)
    return torch.einsum("pnc,p->nc", x.planes.double() - digits.ZERO, place) * x.unit


def of_integers(rows: Tensor) -> Digits:
    made = Digits.empty(*rows.shape)
    for top, part in enumerate(rows.split(1)):
        made.write_integers(top, part)
    return made


def exact(weight: Tensor, bias: Tensor | None, rows: Tensor, grid: tuple[int, int]) -> Tensor:
    x = rows.double().view(1, *grid, -1).permute(0, 3, 1, 2)
    bias = None if bias is None else bias.double()
    return F.conv2d(x, weight.double(), bias, padding=weight.shape[-1] // 2).permute(0, 2, 3, 1).flatten(0, 2)


@pytest.mark.parametrize("spread", [1e-20, 1.0, -1.0, 1e20])
@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0])
def test_digits_say_what_they_were_made_of(
    spread: float, slope: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digits, "CHUNK", 64)  # in parts, the last of them smaller
    rows = spread * F.leaky_relu(drawn(41, 7), slope)
    error = (value(Digits.of(rows)) - rows).abs().max() / (rows.max() - rows.min())
    assert error <= 1 / 2**23  # rounded as a product, and to an integer
    integers = torch.randint(0, digits.LARGEST + 1, (41, 7)).float()
    assert torch.equal(value(of_integers(integers)).float(), integers)


def test_nothing_has_digits_too() -> None:
    assert torch.equal(value(Digits.of(torch.zeros(3, 5))), torch.zeros(3, 5, dtype=torch.float64))


@pytest.mark.parametrize("side", [1, 3, 5])
@pytest.mark.parametrize("grid", [(8, 8), (5, 9), (1, 1), (2, 70), (40, 33)])
@pytest.mark.parametrize("sums", [digits.SUMS, 200])
@torch.inference_mode()
def test_convolutions_of_any_grid(
    side: int, grid: tuple[int, int], sums: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digits, "SUMS", sums)  # 200: in bands of one row, or of a few
    weight, rows = drawn(5, 7, side, side) / 8, drawn(grid[0] * grid[1], 7)
    bias = drawn(5) if grid[0] > 2 else None
    conv = DigitConv(WeightDigits.of(weight), bias, grid)
    torch.testing.assert_close(
        conv(rows, grid).double(), exact(weight, bias, rows, grid), rtol=0, atol=1e-5 * side
    )
    other = (grid[0] + 2, grid[1])
    rows = drawn(other[0] * other[1], 7)
    torch.testing.assert_close(
        conv(rows, other).double(), exact(weight, bias, rows, other), rtol=0, atol=1e-5 * side
    )


@torch.inference_mode()
def test_as_precise_as_a_plain_sum() -> None:
    """At the width of the published network, after a leaky ReLU as in it."""
    weight, rows = drawn(128, 1024, 3, 3) / 96, F.leaky_relu(drawn(256, 1024), 0.2)
    truth = exact(weight, None, rows, (16, 16))
    plain = F.conv2d(rows.view(1, 16, 16, -1).permute(0, 3, 1, 2), weight, padding=1)
    plain = plain.permute(0, 2, 3, 1).flatten(0, 2)
    ours = DigitConv(WeightDigits.of(weight), None, (16, 16))(rows, (16, 16))
    assert (ours - truth).abs().max() < 1.5 * (plain - truth).abs().max()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@torch.inference_mode()
def test_what_is_not_finite_is_not_hidden(bad: float) -> None:
    rows = drawn(64, 7)
    rows[5, 3] = bad
    conv = DigitConv(WeightDigits.of(drawn(5, 7, 3, 3)), None, (8, 8))
    assert not conv(rows, (8, 8)).isfinite().any()


@torch.inference_mode()
def test_a_product_does_not_depend_on_its_neighbours() -> None:
    weight, bias, rows = drawn(40, 96), drawn(40), torch.randint(0, digits.LARGEST + 1, (300, 96)).float()
    product, made = DigitProduct(WeightDigits.of(weight), bias, 64), of_integers(rows)
    whole = product(made)
    truth = rows.double() @ weight.double().t() + bias
    assert (whole - truth).abs().max() < 2e-6 * truth.abs().max()
    for stretch in (slice(0, 1), slice(7, 20), slice(250, 300)):
        part = Digits(made.planes[:, stretch].contiguous(), made.unit)
        assert torch.equal(product(part), whole[stretch])


def test_weights_are_read_back() -> None:
    weight = WeightDigits.of(drawn(40, 96))
    again = DigitProduct(weight, drawn(40), 64).weight()
    assert torch.equal(again.unit, weight.unit)
    assert all(map(torch.equal, again.digits, weight.digits))


@pytest.mark.parametrize("sums", [digits.SUMS, 200])
@pytest.mark.parametrize("rows", [1, 2, 3, 12])
@torch.inference_mode()
def test_a_convolution_that_is_asked_for_a_stretch_at_a_time(
    rows: int, sums: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digits, "SUMS", sums)  # 200: in bands of 4 rows
    grid, x = (12, 9), drawn(108, 7)
    conv = DigitConv(WeightDigits.of(drawn(5, 7, 3, 3)), drawn(5), grid)
    ahead = Ahead(conv, Digits.of(x, conv.reach * grid[1]), grid)
    step = rows * grid[1]
    made = [ahead(slice(top, top + step)).clone() for top in range(0, len(x), step)]
    assert torch.equal(torch.cat(made), conv(x, grid))


def test_rows_are_gathered_side_by_side() -> None:
    made, index = of_integers(torch.arange(12.0).view(6, 2)), torch.tensor([[5, 0, 2], [1, 1, 3]])
    assert value(made.gather(index)).tolist() == [[10, 11, 0, 1, 4, 5], [2, 3, 2, 3, 6, 7]]
    assert value(made.gather(index[:, :1], 1)).tolist() == [[0, 0], [10, 11], [2, 3], [0, 0]]


@pytest.mark.parametrize("kernel", [3, 5])
@torch.inference_mode()
def test_gamma_and_beta_of_dense_grids_are_those_of_tables(kernel: int) -> None:
    """Bit for bit, so that a stroke which makes a grid dense changes nothing elsewhere."""
    torch.manual_seed(0)
    spade, codes, grid = SPADE(24, 5, 32, kernel).eval(), codes_of(5, edges=False), (40, 36)
    level = Level.of(torch.randint(0, 5, (1, *grid)), codes, kernel)
    folded = DigitSPADE(spade, codes)
    rows, dense = torch.empty(len(level.patches), folded.width), folded.dense(level)
    folded.fill(rows, level.windows, level.taps, few=False)
    made = [dense(slice(top, top + 2 * grid[1])) for top in range(0, len(level.index), 2 * grid[1])]
    assert torch.equal(torch.cat(made), rows[level.index])


def test_which_convolutions_are_made_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    many, few = drawn(128, 256, 3, 3), drawn(128, 128, 3, 3)
    assert isinstance(packed_conv(many, None, (8, 8)), DigitConv)
    assert not isinstance(packed_conv(few, None, (8, 8)), DigitConv)
    assert not isinstance(packed_conv(many.bfloat16(), None, (8, 8)), DigitConv)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert not isinstance(packed_conv(many, None, (8, 8)), DigitConv)


@pytest.mark.parametrize("wrong", ["sums", "arguments"])
def test_operators_that_work_otherwise_are_not_used(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They have no public name: another version may give other sums, or take other arguments."""
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    operators_agree.cache_clear()
    assert multiplies_bytes()

    def changed(self: DigitProduct, rows: Digits) -> Tensor:
        if wrong == "arguments":
            raise TypeError("takes 12 positional arguments but 13 were given")
        return self.bias.repeat(rows.planes.shape[1], 1)

    monkeypatch.setattr(DigitProduct, "__call__", changed)
    operators_agree.cache_clear()
    try:
        assert not multiplies_bytes()
    finally:
        operators_agree.cache_clear()
