"""The painter against the generator it was made from: the same pictures, whatever was painted before."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from spadework.fast import bytes as digits
from spadework.fast import cpu as module
from spadework.fast.contexts import symbols_of
from spadework.fast.cpu import Painter, can_paint
from spadework.fast.labels import label_symbols
from spadework.fast.rows import RowStore
from spadework.nn.generator import Generator, GeneratorConfig
from spadework.nn.labels import Labels, SemanticsConfig, instance_edges
from spadework.nn.spectral import fold_spectral_norm

SIZE = (32, 64)
REPLICATE = {"padding": "replicate", "label_padding": "replicate"}


@pytest.fixture(autouse=True, params=["products of float32", "products of bytes"])
def arithmetic(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to multiply, whichever this processor would take."""
    if request.param == "products of float32":
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    elif not digits.multiplies_bytes():
        pytest.skip("this processor has no tiles of bytes (AMX)")
    monkeypatch.setattr(digits, "WORTH", 0)


def generator(**options: object) -> Generator:
    """Random weights, statistics and noise strengths, ready to paint."""
    torch.manual_seed(3)
    config = {"semantic_nc": 5, "size": SIZE, "ngf": 2, "hidden": 6, "z_dim": 4, "noise": True} | options
    net = Generator(GeneratorConfig.model_validate(config))
    for name, parameter in net.named_parameters():
        if name.endswith("noise_strength"):
            nn.init.normal_(parameter)
    for name, buffer in net.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_()
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
    return fold_spectral_norm(net).requires_grad_(False)


def noise(size: tuple[int, int] = SIZE, classes: int = 5, seed: int = 0) -> Tensor:
    return torch.randint(0, classes, (1, *size), generator=torch.Generator().manual_seed(seed))


def blocks(size: tuple[int, int] = SIZE, seed: int = 0) -> Tensor:
    coarse = noise((size[0] // 8, size[1] // 8), seed=seed)
    return coarse.repeat_interleave(8, 1).repeat_interleave(8, 2)


def inputs(net: Generator, size: tuple[int, int], seed: int = 1) -> tuple[Tensor | None, list[Tensor] | None]:
    rng = torch.Generator().manual_seed(seed)
    z = None if net.config.z_dim is None else torch.randn(1, net.config.z_dim, generator=rng)
    return z, net.draw_noise(1, size, rng) if net.config.noise else None


def check(net: Generator, painter: Painter, ids: Tensor, edges: Tensor | None = None, seed: int = 1) -> None:
    size = (ids.shape[1], ids.shape[2])
    segmap = F.one_hot(ids, net.config.semantic_nc).permute(0, 3, 1, 2).float()
    if edges is not None:
        segmap[:, -1] = edges.float()
    z, fields = inputs(net, size, seed)
    ours = painter(symbols_of(ids, net.config.semantic_nc, edges), z, fields)
    bound = 2e-5 if digits.multiplies_bytes() else 1e-5  # plain sums of so few channels are more precise
    torch.testing.assert_close(ours, net(Labels(segmap), z, fields), rtol=0, atol=bound)


@pytest.fixture(params=["as it comes", "all tables", "no tables"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param != "as it comes":
        monkeypatch.setattr(module, "FEW", 16 if request.param == "all tables" else 0)
        monkeypatch.setattr(module, "MOST_DISTINCT", 1.0 if request.param == "all tables" else -1.0)
    return request.param


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"kernel": 5},
        {"z_dim": None, "noise": False},
        {"num_ups": 6, "size": (64, 64), "start": "point", "style_blocks": True},
        {"num_ups": 7, "size": (128, 128), "ngf": 4, "start": "point"},
        {"widths": (6, 6, 5, 4, 4, 3, 3), "hidden": (4, 5, 6, 4, 5, 6, 4)},
        {"padding": "replicate"},
        {"label_padding": "replicate"},
        {**REPLICATE, "kernel": 5, "z_dim": None, "bilinear_ups": 2},
        {"num_ups": 6, "size": (64, 64), **REPLICATE, "bilinear_ups": 4, "style_blocks": True},
        {"bilinear_ups": 5},
    ],
)
def test_every_generator_is_painted_exactly(way: str, options: dict[str, object]) -> None:
    net = generator(**options)
    painter = Painter(net)
    for size in (net.config.size, (128, 256)):
        check(net, painter, blocks(size))
        check(net, painter, noise(size))
        check(net, painter, torch.full((1, *size), 2))


def test_edges_are_painted_exactly(way: str) -> None:
    net = generator()
    check(net, Painter(net, edges=True), blocks() % 4, noise(classes=2) > 0)


@pytest.mark.parametrize("padding", [{}, REPLICATE])
@pytest.mark.parametrize("pixel", [(0, 0), (0, 63), (31, 0), (31, 63), (0, 30), (31, 30), (15, 0), (16, 16)])
def test_a_stroke_of_one_pixel_after_a_picture(pixel: tuple[int, int], padding: dict[str, str]) -> None:
    net = generator(**padding)
    painter, ids = Painter(net), torch.zeros(1, *SIZE, dtype=torch.long)
    check(net, painter, ids)
    ids = ids.clone()
    ids[0, pixel[0], pixel[1]] = 3
    check(net, painter, ids)


RECTANGLES = st.tuples(*(st.integers(0, n) for n in (31, 63, 12, 12, 4)))


@settings(max_examples=12, derandomize=True)
@given(st.lists(RECTANGLES, min_size=1, max_size=4), st.sampled_from([3, 5]), st.booleans())
def test_any_strokes_one_after_another(strokes: list[tuple[int, ...]], kernel: int, edges: bool) -> None:
    net = generator(kernel=kernel, **(REPLICATE if len(strokes) % 2 else {}))
    painter, ids = Painter(net, edges), torch.zeros(1, *SIZE, dtype=torch.long)
    for y, x, height, width, painted in strokes:
        ids = ids.clone()
        ids[0, y : y + height + 1, x : x + width + 1] = painted % (4 if edges else 5)
        check(net, painter, ids, instance_edges(ids) if edges else None)


def test_the_unknown_class_is_painted_exactly() -> None:
    net, config = generator(), SemanticsConfig(label_nc=3, unknown=True, edges=True)
    labels = torch.tensor([0, 1, 2, 255])[blocks() % 4]
    z, fields = inputs(net, SIZE)
    symbols = label_symbols(labels, config)
    ours = Painter(net, edges=True)(symbols, z, fields)
    torch.testing.assert_close(ours, net(Labels.of(labels, config), z, fields), rtol=0, atol=1e-5)


def test_a_picture_does_not_depend_on_what_was_painted_before() -> None:
    net = generator()
    z, fields = inputs(net, SIZE)
    alone = Painter(net)(blocks(seed=5), z, fields)
    painter = Painter(net, cache_bytes=200_000)  # so few that rows leave
    for seed in range(8):
        painter(blocks(seed=seed), *inputs(net, SIZE, seed))
    assert torch.equal(painter(blocks(seed=5), z, fields), alone)
    assert torch.equal(painter(blocks(seed=5), z, fields), alone)


def test_pictures_of_two_sizes_in_turns_repeat_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a preview before every picture has it."""
    net, made = generator(), []
    call = module.PaintedBlock.__call__
    monkeypatch.setattr(
        module.PaintedBlock,
        "__call__",
        lambda s, x, level, *more: made.append(level.size) or call(s, x, level, *more),
    )
    painter, sizes = Painter(net), (SIZE, (64, 128))
    for size in sizes:
        check(net, painter, blocks(size))
    made.clear()
    for size in sizes:
        check(net, painter, blocks(size))
    assert made == []  # every grid is small enough to be kept
    check(net, painter, blocks((32, 32)))
    made.clear()
    check(net, painter, blocks(SIZE))
    assert len(made) == len(painter.blocks)  # the size that was painted longest ago is forgotten


def test_slots_of_another_size_do_not_outlive_rows_that_left() -> None:
    net = generator()
    painter = Painter(net, cache_bytes=100_000)
    for seed in range(6):
        for size in (SIZE, (64, 128)):
            check(net, painter, blocks(size, seed=seed % 2))


def test_a_new_style_computes_no_table_and_a_stroke_only_its_neighbourhood(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net, made = generator(), []
    fill = RowStore._fill
    monkeypatch.setattr(
        RowStore, "_fill", lambda s, places, *more: made.append(len(places)) or fill(s, places, *more)
    )
    painter, ids = Painter(net), blocks()
    check(net, painter, ids)
    first = sum(made)
    made.clear()
    check(net, painter, ids, seed=2)
    assert made == []
    ids = ids.clone()
    ids[0, 9, 9] = (ids[0, 9, 9] + 1) % 5
    check(net, painter, ids)
    assert 0 < sum(made) <= 25
    assert first > 10 * sum(made)


def test_tables_stay_within_their_limit() -> None:
    net = generator()
    painter = Painter(net, cache_bytes=300_000)
    for seed in range(6):
        check(net, painter, blocks(seed=seed))
    check(net, painter, torch.zeros(1, *SIZE, dtype=torch.long))
    assert all(len(block.store) <= max(block.store.most, 25) for block in painter.blocks)


def test_bfloat16_is_near() -> None:
    net = generator(ngf=4)
    z, fields = inputs(net, SIZE)
    exact, near = (
        Painter(net, dtype=dtype)(blocks(), z, fields) for dtype in (torch.float32, torch.bfloat16)
    )
    assert near.dtype == torch.float32
    assert 10 * torch.log10(4 / (exact - near).square().mean()) > 30


def test_what_a_painter_does_not_paint() -> None:
    assert can_paint(generator())
    assert not can_paint(generator(norm="instance", size=(64, 64)))


def test_without_the_kernels_own_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    net = generator()
    painter = Painter(net)
    assert not painter.conv_img.packed
    check(net, painter, blocks())


def test_tables_and_dense_rows_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    net = generator()
    painter = Painter(net)
    for few, share in (
        (16, 1.0),
        (0, -1.0),
        (10**6, 1.0),
        (0, -1.0),
        (16, 1.0),
    ):  # every form from every other
        monkeypatch.setattr(module, "FEW", few)
        monkeypatch.setattr(module, "MOST_DISTINCT", share)
        painter.forget()
        check(net, painter, blocks())


def test_what_is_changed_in_place_between_two_pictures_is_seen() -> None:
    """A painter keeps copies: a map, a style and noise that their owner goes on to edit are new ones."""
    net = generator()
    painter, ids = Painter(net), blocks()
    z, fields = inputs(net, SIZE)
    assert z is not None
    assert fields is not None
    for step in range(5):
        z += 0.3
        ids[:, step : step + 3, 5:20] = step % 5
        fields[0] += 0.1
        segmap = F.one_hot(ids, 5).permute(0, 3, 1, 2).float()
        ours = painter(ids, z, fields)
        assert torch.allclose(ours, net(Labels(segmap), z, fields), atol=2e-5)
