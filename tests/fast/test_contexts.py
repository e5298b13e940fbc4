"""Label contexts against the two convolutions that they replace, in float64, values and gradients."""

import copy
from collections.abc import Iterator
from typing import get_args

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor, nn

from spadework.fast import contexts, labels
from spadework.fast.contexts import Level
from spadework.fast.labels import ContextLabels
from spadework.nn.generator import Generator, GeneratorConfig
from spadework.nn.labels import Labels, SemanticsConfig, channel_of_ids
from spadework.nn.spade import SPADE, Padding

PADDINGS: tuple[Padding, ...] = get_args(Padding)
EXACT = {"rtol": 0, "atol": 1e-10}


def noise(*shape: int, classes: int = 4, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, classes, shape))


def one_hot(channels: Tensor, classes: int, edges: Tensor | None = None) -> Tensor:
    """The dense map (B, K, H, W) in float64; edge bits are one more channel."""
    segmap = F.one_hot(channels, classes).permute(0, 3, 1, 2).double()
    return segmap if edges is None else torch.cat([segmap, edges[:, None].double()], 1)


def forced(
    channels: Tensor,
    classes: int,
    size: tuple[int, int],
    edges: Tensor | None = None,
    kernel: int = 3,
    padding: Padding = "zeros",
) -> ContextLabels:
    """Contexts of one grid, however many neighbourhoods are distinct."""
    segmap = one_hot(channels, classes, edges)
    symbols = contexts.symbols_of(channels, segmap.shape[1], edges)
    codes = contexts.codes_of(segmap.shape[1], edges is not None)
    level = Level.of(contexts.resized(symbols, size), codes, kernel, padding)
    return ContextLabels(segmap, {size: level})


def gradients(module: nn.Module, out: Tensor, *inputs: Tensor) -> list[Tensor]:
    """Of a fixed random projection of `out`, to every parameter and input."""
    weight = torch.randn(out.shape, generator=torch.Generator().manual_seed(7), dtype=out.dtype)
    return list(torch.autograd.grad((out * weight).sum(), [*module.parameters(), *inputs]))


def check(
    channels: Tensor,
    classes: int = 4,
    size: tuple[int, int] | None = None,
    edges: Tensor | None = None,
    kernel: int = 3,
    padding: Padding = "zeros",
) -> None:
    """SPADE gives and learns the same from the contexts as from the dense map."""
    size = size or (channels.shape[1], channels.shape[2])
    made = forced(channels, classes, size, edges, kernel, padding)
    torch.manual_seed(1)
    spade = SPADE(3, made.segmap.shape[1], hidden=5, kernel=kernel, norm="instance", padding=padding).double()
    x = torch.randn(len(channels), 3, *size, dtype=torch.float64, requires_grad=True)
    table, dense = made.modulate([spade], x, [1.0])[0], spade(x, made.segmap)
    torch.testing.assert_close(table, dense, **EXACT)
    pairs = zip(gradients(spade, table, x), gradients(spade, dense, x), strict=True)
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, **EXACT)


@pytest.mark.parametrize("padding", ["zeros", "replicate"])
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("shape", [(2, 9, 11), (1, 2, 40), (1, 31, 3), (3, 1, 20), (1, 5, 5), (1, 16, 64)])
def test_noise_equals_dense(shape: tuple[int, int, int], kernel: int, padding: Padding):
    check(noise(*shape), kernel=kernel, padding=padding)


@pytest.mark.parametrize("kernel", [3, 5])
def test_one_class_equals_dense(kernel: int):
    check(torch.full((2, 12, 13), 2), kernel=kernel)
    few = forced(torch.full((2, 12, 13), 2), 4, (12, 13), kernel=kernel).levels[12, 13]
    assert (
        len(few.patches) == (2 * kernel - 1) ** 2
    )  # so many ways to lie near the border, and one far from it
    check(torch.full((2, 12, 13), 2), kernel=kernel, padding="replicate")
    one = forced(torch.full((2, 12, 13), 2), 4, (12, 13), kernel=kernel, padding="replicate").levels[12, 13]
    assert len(one.patches) == 1  # a map that goes on has no border


@pytest.mark.parametrize(
    "pixel", [(0, 0), (0, 12), (9, 0), (9, 12), (0, 6), (9, 6), (5, 0), (5, 12), (1, 1), (5, 6)]
)
def test_a_stroke_of_one_pixel_equals_dense(pixel: tuple[int, int]):
    channels = torch.zeros(1, 10, 13, dtype=torch.long)
    channels[0, pixel[0], pixel[1]] = 3
    check(channels)
    check(channels, padding="replicate")


@pytest.mark.parametrize("kernel", [3, 5])
def test_edge_bits_equal_dense(kernel: int):
    for padding in PADDINGS:
        check(noise(2, 8, 9), edges=noise(2, 8, 9, classes=2, seed=5).bool(), kernel=kernel, padding=padding)


def test_edges_and_the_unknown_class_of_real_ids_equal_dense():
    config = SemanticsConfig(label_nc=3, unknown=True, edges=True)
    ids = torch.tensor([0, 1, 2, 255], dtype=torch.uint8)[noise(2, 12, 16)]
    instances = noise(2, 12, 16, classes=2, seed=3).int()
    segmap = Labels.of(ids, config, instances, torch.float64).segmap
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labels, "DEAREST", 10.0)
        patch.setattr(labels, "SMALLEST", 1)
        made = ContextLabels.on(segmap, channel_of_ids(ids, config), [(12, 16)], segmap[:, -1] > 0)
    spade = SPADE(2, config.semantic_nc, hidden=4, norm="instance").double()
    x = torch.randn(2, 2, 12, 16, dtype=torch.float64)
    assert (12, 16) in made.levels
    torch.testing.assert_close(made.modulate([spade], x, [1.0])[0], spade(x, segmap), **EXACT)


def test_maps_of_a_batch_share_their_contexts():
    one = torch.from_numpy(np.kron(noise(1, 4, 5).numpy(), np.ones((1, 4, 4), np.int64)))
    alone, shared = (forced(one.repeat(n, 1, 1), 4, (16, 20)).levels[16, 20] for n in (1, 3))
    assert len(alone.patches) == len(shared.patches)
    assert shared.distinct == alone.distinct / 3
    check(torch.cat([one, one.flip(2), one]))


@pytest.mark.parametrize("size", [(5, 7), (12, 18), (48, 72), (13, 36), (24, 36), (1, 3), (31, 100)])
def test_other_resolutions_pick_the_pixels_that_interpolate_picks(size: tuple[int, int]):
    channels = noise(2, 24, 36)
    picked = one_hot(contexts.resized(channels, size), 4)
    assert torch.equal(picked, F.interpolate(one_hot(channels, 4), size=size, mode="nearest"))
    check(channels, size=size)


@given(st.integers(1, 700), st.integers(1, 700))
def test_nearest_agrees_with_interpolate_for_every_length(source: int, target: int):
    line = torch.arange(source)
    expected = F.interpolate(line.float().expand(1, 1, 2, -1), size=(2, target), mode="nearest")[0, 0].long()
    assert torch.equal(contexts.resized(line.expand(1, 2, -1), (2, target))[0], expected)


maps = hnp.arrays(
    np.int64, st.tuples(st.integers(1, 2), st.integers(2, 7), st.integers(2, 7)), elements=st.integers(0, 2)
)


@settings(max_examples=40)
@given(maps, st.sampled_from([3, 5]))
def test_any_small_map_equals_dense(channels: np.ndarray, kernel: int):
    check(torch.from_numpy(channels), classes=3, kernel=kernel)


def windows(symbols: Tensor, outside: int, side: int) -> Iterator[tuple[int, ...]]:
    """The neighbourhood of every pixel, row by row, in plain Python."""
    reach = side // 2
    for grid in symbols.tolist():
        height, width = len(grid), len(grid[0])
        for y in range(height):
            for x in range(width):
                yield tuple(
                    grid[j][i] if 0 <= j < height and 0 <= i < width else outside
                    for j in range(y - reach, y + reach + 1)
                    for i in range(x - reach, x + reach + 1)
                )


def check_partition(symbols: Tensor, count: int, kernel: int) -> None:
    """Pixels share a context exactly when their neighbourhoods are equal; the patch is that neighbourhood."""
    level = Level.of(symbols, torch.zeros(count + 1, 1), kernel)
    found = list(windows(symbols, count, 2 * kernel - 1))
    numbers: dict[tuple[int, ...], int] = {}
    for window, number in zip(found, level.index.tolist(), strict=True):
        assert numbers.setdefault(window, number) == number
        assert level.patches[number].tolist() == list(window)
    assert len(numbers) == len(level.patches) == len(set(numbers.values()))
    assert level.distinct == len(numbers) / symbols.numel()


@given(maps, st.sampled_from([3, 5]))
def test_contexts_are_the_distinct_neighbourhoods(symbols: np.ndarray, kernel: int):
    check_partition(torch.from_numpy(symbols), 3, kernel)


@pytest.mark.parametrize("kernel", [3, 5])
def test_many_classes_do_not_overflow_the_keys(kernel: int):
    assert 241**9 > 2**64  # what a run of nine symbols needs at kernel 5
    check_partition(noise(2, 12, 14, classes=240), 240, kernel)
    check_partition(239 - noise(1, 12, 14, classes=2), 240, kernel)


@pytest.mark.parametrize("kernel", [3, 5])
def test_numbering_is_exact_by_table_and_by_sorting(monkeypatch: pytest.MonkeyPatch, kernel: int):
    calls = []
    renumber = contexts._renumber
    monkeypatch.setattr(
        contexts, "_renumber", lambda keys, bound: calls.append(bound) or renumber(keys, bound)
    )
    monkeypatch.setattr(contexts, "_LOOKUP_LIMIT", 10**4)
    check_partition(noise(2, 9, 10, classes=3), 3, kernel)
    by_table = len(calls)
    monkeypatch.setattr(contexts, "_LOOKUP_LIMIT", 0)
    check_partition(noise(2, 9, 10, classes=3), 3, kernel)
    assert len(calls) - by_table > by_table  # more than once in each direction


def level_of_sizes(*counts: int) -> Level:
    """A level whose context number i has `counts[i]` pixels, in mixed order."""
    index = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    index = index[torch.randperm(len(index), generator=torch.Generator().manual_seed(0))]
    n, long = len(counts), torch.long
    shapes = (n, 25), (1, 9), (n, 9), (1, 3, len(index) + 2)
    patches, windows, taps, places = (torch.zeros(*shape, dtype=long) for shape in shapes)
    return Level((1, len(index)), index, patches, windows, taps, places, torch.zeros(2, 1))


@pytest.mark.parametrize("counts", [(1, 2, 3), (511, 512, 513), (1600, 1, 1024, 7), (5000,)])
def test_the_sum_by_context_equals_a_loop(counts: tuple[int, ...]):
    level = level_of_sizes(*counts)
    rows = torch.randn(len(level.index), 3, dtype=torch.float64)
    expected = torch.zeros(len(counts), 3, dtype=torch.float64)
    for row, context in zip(rows, level.index.tolist(), strict=True):
        expected[context] += row
    torch.testing.assert_close(level.pixels.sum(rows), expected, **EXACT)


def test_bfloat16_sums_do_not_stall():
    level = level_of_sizes(500, 20_000)
    assert level.pixels.sum(torch.ones(20_500, 2, dtype=torch.bfloat16), torch.float32).tolist() == [
        [500] * 2,
        [20_000] * 2,
    ]


def test_bfloat16_is_as_near_as_the_dense_layer():
    channels = torch.from_numpy(np.kron(noise(2, 8, 8).numpy(), np.ones((1, 4, 4), np.int64)))
    made = forced(channels, 4, (32, 32))
    spade = SPADE(8, 4, hidden=16, norm="instance")
    x = torch.randn(2, 8, 32, 32, requires_grad=True)
    exact = copy.deepcopy(spade).double()
    truth = exact(x.double(), made.segmap)
    truths = [truth.detach(), *gradients(exact, truth, x)]

    def errors(labels: Labels) -> list[float]:
        with torch.autocast("cpu", torch.bfloat16):
            out = labels.modulate([spade], x, [1.0])[0]
        found = [out.detach(), *gradients(spade, out.double(), x)]
        return [float((a - b).norm() / b.norm()) for a, b in zip(found, truths, strict=True)]

    for ours, theirs in zip(errors(made), errors(Labels(made.segmap.float())), strict=True):
        assert ours < max(1.5 * theirs, 0.01)


def generator(z_dim: int | None, size: tuple[int, int], **options: object) -> Generator:
    torch.manual_seed(2)
    config = GeneratorConfig(
        semantic_nc=4,
        size=(32, 64),
        widths=(6, 6, 5, 4, 4, 3, 3),
        hidden=4,
        z_dim=z_dim,
        noise=True,
        **options,
    )
    net = Generator(config).double()
    for name, parameter in net.named_parameters():
        if name.endswith("noise_strength"):
            nn.init.normal_(parameter)
    return net


@pytest.mark.parametrize(
    ("z_dim", "kernel", "padding"),
    [(3, 3, "zeros"), (None, 3, "replicate"), (3, 5, "zeros"), (3, 3, "replicate")],
)
def test_the_generator_paints_and_learns_the_same(
    monkeypatch: pytest.MonkeyPatch, z_dim: int | None, kernel: int, padding: Padding
):
    monkeypatch.setattr(labels, "DEAREST", 10.0)
    monkeypatch.setattr(labels, "SMALLEST", 1)
    net = generator(z_dim, (32, 64), kernel=kernel, padding=padding, label_padding=padding, bilinear_ups=2)
    twin = copy.deepcopy(net)  # spectral norm moves at every call
    channels, size = noise(2, 64, 32), (64, 32)  # another shape than it was trained at
    segmap = one_hot(channels, 4)
    made = ContextLabels.on(segmap, channels, net.config.grids(size), kernel=kernel, padding=padding)
    assert set(made.levels) == set(net.config.grids(size))
    z = None if z_dim is None else torch.randn(2, z_dim, dtype=torch.float64)
    fields = [field.double() for field in net.draw_noise(2, size)]
    table, dense = net(made, z, fields), twin(Labels(segmap), z, fields)
    torch.testing.assert_close(table, dense, **EXACT)
    for ours, theirs in zip(gradients(net, table), gradients(twin, dense), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-10)


def test_busy_maps_stay_dense_and_plain_ones_do_not():
    sizes = [(32, 32), (64, 64)]
    busy, plain = noise(1, 64, 64), torch.zeros(1, 64, 64, dtype=torch.long)
    assert ContextLabels.on(one_hot(busy, 4), busy, sizes).levels == {}
    assert set(ContextLabels.on(one_hot(plain, 4), plain, [(16, 16), *sizes]).levels) == set(sizes)
    plain[0, :33] = busy[0, :33]
    mixed = ContextLabels.on(one_hot(plain, 4), plain, sizes)
    assert set(mixed.levels) == {(64, 64)}
    costs = [forced(plain, 4, size).levels[size].cost for size in sizes]
    assert costs[1] < contexts.DEAREST < costs[0]
    assert mixed.size == (64, 64)
    assert len(mixed) == 1


def test_a_grid_without_contexts_uses_the_dense_map():
    channels = noise(1, 16, 16)
    made = forced(channels, 4, (16, 16))
    spade = SPADE(2, 4, hidden=3, norm="instance").double()
    x = torch.randn(1, 2, 8, 8, dtype=torch.float64)
    assert torch.equal(made.modulate([spade], x, [1.0])[0], spade(x, made.segmap))
