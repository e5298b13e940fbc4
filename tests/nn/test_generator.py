"""The generator: its start, its plan of blocks, the sizes it paints, and what it depends on."""

import numpy as np
import oracles
import pytest
import torch
from oracles import apart, some
from pydantic import ValidationError
from torch import nn

from spadework.nn.generator import Generator, GeneratorConfig
from spadework.nn.labels import Labels

WITHIN = 1e-12


def config(**changes: object) -> GeneratorConfig:
    return GeneratorConfig.model_validate(
        {"semantic_nc": 4, "size": (32, 64), "ngf": 1, "hidden": 3, **changes}
    )


def segmap(height: int, width: int, batch: int = 2) -> torch.Tensor:
    ids = torch.randint(4, (batch, height, width), generator=torch.Generator().manual_seed(0))
    return nn.functional.one_hot(ids, 4).permute(0, 3, 1, 2).double()


def painted(
    generator: nn.Module, z: torch.Tensor | None = None, size: tuple[int, int] = (32, 64)
) -> torch.Tensor:
    return generator.double().eval()(Labels(segmap(*size)), z)


def test_it_starts_from_the_smallest_map() -> None:
    generator = oracles.randomize(Generator(config()))
    smallest = oracles.nearest(oracles.array(segmap(32, 64)), 1, 2)
    expected = oracles.conv(
        smallest, oracles.array(generator.fc.weight), oracles.array(generator.fc.bias), pad=1
    )
    assert apart(generator.start(Labels(segmap(32, 64)), None), expected) < WITHIN


def test_it_starts_from_a_style() -> None:
    generator = oracles.randomize(Generator(config(z_dim=5)))
    z = some(2, 5)
    flat = oracles.array(z) @ oracles.array(generator.fc.weight).T + oracles.array(generator.fc.bias)
    assert apart(generator.start(Labels(segmap(32, 64)), z), flat.reshape(2, 16, 1, 2)) < WITHIN


def test_another_size_stretches_the_style_grid() -> None:
    """Bilinear to twice the grid: a row of the values a and b becomes a, (3a + b) / 4, (a + 3b) / 4, b."""
    generator = oracles.randomize(Generator(config(z_dim=5)))
    trained = oracles.array(generator.start(Labels(segmap(32, 64)), some(2, 5)))
    a, b = trained[..., :1], trained[..., 1:]
    row = np.concatenate([a, (3 * a + b) / 4, (a + 3 * b) / 4, b], axis=3)
    assert apart(generator.start(Labels(segmap(64, 128)), some(2, 5)), np.repeat(row, 2, axis=2)) < WITHIN


def test_the_whole_generator_is_its_blocks_in_order() -> None:
    generator = oracles.randomize(Generator(config(size=(32, 32), widths=(3, 2, 2, 2, 2, 1, 1)))).eval()
    labels = oracles.array(segmap(32, 32, batch=1))
    x = oracles.array(generator.start(Labels(segmap(32, 32, batch=1)), None))
    for name, block in generator.blocks.items():
        if name not in ("head_0", "G_middle_1"):
            x = np.kron(x, np.ones((1, 1, 2, 2)))
        x = oracles.resblock(block, x, labels)
    last = generator.conv_img
    expected = np.tanh(
        oracles.conv(oracles.leaky(x), oracles.array(last.weight), oracles.array(last.bias), pad=1)
    )
    assert apart(generator(Labels(segmap(32, 32, batch=1))), expected) < 1e-9


@pytest.mark.parametrize(
    ("ups", "widths", "grids"),
    [
        (5, (16, 16, 16, 8, 4, 2, 1), (1, 2, 2, 4, 8, 16, 32)),
        (6, (16, 16, 16, 8, 4, 2, 1), (1, 2, 4, 8, 16, 32, 64)),
        (7, (16, 16, 16, 8, 4, 2, 1, 0), (1, 2, 4, 8, 16, 32, 64, 128)),
    ],
)
def test_widths_and_grids_are_the_papers(ups: int, widths: tuple[int, ...], grids: tuple[int, ...]) -> None:
    doubled = GeneratorConfig(semantic_nc=4, num_ups=ups, ngf=2)
    assert tuple(block.out_channels for block in doubled.blocks) == tuple(2 * w or 1 for w in widths)
    step = 2**ups
    assert doubled.grids((step, 3 * step)) == [(g, 3 * g) for g in grids]


@pytest.mark.parametrize("ups", [5, 6, 7])
@pytest.mark.parametrize("z_dim", [None, 3])
def test_every_number_of_doublings_paints_at_any_aspect(ups: int, z_dim: int | None) -> None:
    size = (2**ups, 2 ** (ups + 1))
    generator = Generator(config(num_ups=ups, size=size, ngf=2, z_dim=z_dim))
    x = painted(generator, size=size)
    assert x.shape == (2, 3, *size)
    assert x.abs().max() <= 1


@pytest.mark.parametrize(
    "changes", [{"kernel": 5}, {"norm": "instance"}, {"norm": "batch"}, {"hidden": (3,) * 7}]
)
def test_variants_paint(changes: dict[str, object]) -> None:
    assert painted(Generator(config(**changes))).shape == (2, 3, 32, 64)


def test_a_style_from_a_point_is_the_same_everywhere() -> None:
    generator = Generator(config(z_dim=3, start="point"))
    z = some(2, 3).float()
    x = generator.start(Labels(segmap(64, 96).float()), z)
    assert x.shape[2:] == (2, 3)
    torch.testing.assert_close(x, generator.fc(z)[:, :, None, None].expand_as(x))


def test_the_style_scales_and_shifts_every_blocks_input() -> None:
    generator = Generator(config(z_dim=3, style_blocks=True)).double().eval()
    maps, z = Labels(segmap(32, 64)), some(2, 3)
    seen: list[torch.Tensor] = []
    for block in generator.blocks.values():
        block.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    generator(maps, z)
    scale, shift = generator.styles["head_0"](z)[:, :, None, None].chunk(2, 1)
    torch.testing.assert_close(seen[0], generator.start(maps, z) * (1 + scale) + shift)
    with torch.no_grad():
        for layer in generator.styles.values():
            layer.weight.zero_()
            layer.bias.zero_()
    plain = Generator(config(z_dim=3)).double().eval()
    plain.load_state_dict({k: v for k, v in generator.state_dict().items() if not k.startswith("styles.")})
    torch.testing.assert_close(generator(maps, z), plain(maps, z))
    assert len(generator.style_layers()) == 1 + len(generator.blocks)


def test_a_style_beside_the_map_is_more_channels_of_it() -> None:
    generator = oracles.randomize(Generator(config(z_dim=3, z_map=True))).eval()
    plain = Generator(config(semantic_nc=7)).double().eval()
    plain.load_state_dict(generator.state_dict())
    z = some(2, 3)
    field = z[:, :, None, None].expand(-1, -1, 32, 64)
    both = torch.cat([segmap(32, 64), field], 1)
    torch.testing.assert_close(painted(generator, z), plain(Labels(both)), rtol=WITHIN, atol=WITHIN)


def test_with_plain_norms_the_map_enters_whole_at_the_start_alone() -> None:
    generator = oracles.randomize(Generator(config(modulation="affine", z_dim=3))).eval()
    enter, maps, z = generator.enter, segmap(32, 64), some(2, 3)
    assert enter is not None
    x = oracles.conv(
        oracles.array(maps), oracles.weight_of(enter.first), oracles.array(enter.first.bias), pad=1
    )
    for norm, layer in zip(enter.norms, enter.convs, strict=True):
        plain = oracles.batch_eval(norm.param_free_norm, x)
        x = oracles.leaky(
            plain * (1 + oracles.array(norm.gamma)[:, None, None]) + oracles.array(norm.beta)[:, None, None]
        )
        x = oracles.conv(x, oracles.weight_of(layer), oracles.array(layer.bias), stride=2, pad=1)
    assert x.shape == (2, 16, 1, 2)
    styled = oracles.array(z) @ oracles.array(generator.fc.weight).T + oracles.array(generator.fc.bias)
    assert apart(generator.start(Labels(maps), z), x + styled.reshape(2, 16, 1, 2)) < WITHIN
    other = Labels(segmap(32, 64).flip(0))
    features = some(2, 16, 1, 2)
    head = generator.blocks["head_0"]
    assert torch.equal(head(features, Labels(maps)), head(features, other))


def test_custom_widths_and_hidden_widths_reach_the_blocks() -> None:
    widths, hidden = (6, 5, 4, 4, 3, 2, 2), (7, 6, 5, 4, 3, 2, 1)
    generator = Generator(config(widths=widths, hidden=hidden))
    blocks = list(generator.blocks.values())
    assert tuple(b.conv_1.out_channels for b in blocks) == widths
    assert tuple(b.norm_0.mlp_gamma.in_channels for b in blocks) == hidden
    assert generator.conv_img.in_channels == 2


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"size": (48, 64)}, "size 48x64 does not fit 5 doublings: use multiples of 32, for example 64x64"),
        ({"size": (16, 64)}, "size 16x64 does not fit 5 doublings: use multiples of 32, for example 32x64"),
        ({"size": (0, 64)}, "size 0x64 does not fit"),
        (
            {"num_ups": 7, "size": (64, 64)},
            "does not fit 7 doublings: use multiples of 128, for example 128x128",
        ),
        ({"widths": (8, 8)}, "widths has 2 entries; 5 doublings have 7 blocks"),
        (
            {"hidden": (8, 8), "num_ups": 7, "size": (128, 128)},
            "hidden has 2 entries; 7 doublings have 8 blocks",
        ),
        ({"z_map": True}, "z_map lays a style beside what SPADE sees: set z_dim, and modulation=spade"),
        ({"z_map": True, "z_dim": 3, "modulation": "affine"}, "and modulation=spade"),
        ({"num_ups": 4}, "num_ups"),
        ({"kernel": 4}, "kernel"),
        ({"norm": "group"}, "norm"),
        ({"ngff": 4}, "ngff"),
    ],
)
def test_what_does_not_fit_is_told(changes: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        config(**changes)


def test_a_map_of_an_illegal_size_is_told() -> None:
    with pytest.raises(ValueError, match="size 48x64 does not fit 5 doublings: use multiples of 32"):
        painted(Generator(config()), size=(48, 64))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"z_dim": 3},
        {"z_dim": 3, "start": "point", "style_blocks": True},
        {"z_dim": 3, "z_map": True},
        {"modulation": "affine"},
        {"z_dim": 3, "modulation": "affine"},
    ],
)
@pytest.mark.parametrize("noise", [False, True])
def test_every_parameter_gets_a_gradient(changes: dict[str, object], noise: bool) -> None:
    torch.manual_seed(0)
    generator = Generator(config(noise=noise, size=(64, 64), ngf=2, **changes)).double()
    (generator(Labels(segmap(64, 64))) * some(2, 3, 64, 64)).sum().backward()
    silent = [
        name for name, p in generator.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0
    ]
    assert silent == []


def test_pictures_of_a_batch_do_not_depend_on_each_other() -> None:
    generator = oracles.randomize(Generator(config(z_dim=3))).eval()
    maps, z = segmap(32, 64, batch=3), some(3, 3)
    alone = torch.cat([generator(Labels(maps[i : i + 1]), z[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(generator(Labels(maps), z), alone, rtol=1e-12, atol=1e-12)


def test_the_style_is_drawn_when_none_is_given() -> None:
    generator = Generator(config(z_dim=3))
    torch.manual_seed(1)
    first, second = painted(generator), painted(generator)
    torch.manual_seed(1)
    assert torch.equal(painted(generator), first)
    assert not torch.equal(first, second)


def test_noise_is_drawn_by_grid_and_repeats_with_its_generator() -> None:
    generator = Generator(config(noise=True))
    drawn = [generator.draw_noise(2, (64, 64), torch.Generator().manual_seed(3)) for _ in range(2)]
    assert [tuple(n.shape) for n in drawn[0]] == [(2, 1, g, g) for g in (2, 4, 4, 8, 16, 32, 64)]
    assert all(torch.equal(a, b) for a, b in zip(*drawn, strict=True))


def test_features_that_are_computed_again_are_not_kept() -> None:
    """Bytes that wait for the gradient, and the gradients, which are the same."""
    generator = Generator(config(ngf=4, z_dim=4)).eval()
    z, gradients, kept = torch.randn(2, 4), [], []
    for generator.recompute in (False, True):
        waiting: dict[int, int] = {}

        def pack(t: torch.Tensor, waiting: dict[int, int] = waiting) -> torch.Tensor:
            waiting[t.data_ptr()] = t.numel() * t.element_size()
            return t

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
            picture = generator(Labels(segmap(32, 64).float()), z)
        kept.append(sum(waiting.values()))
        generator.zero_grad()
        picture.square().mean().backward()
        gradients.append([p.grad.clone() for p in generator.parameters() if p.grad is not None])
    assert kept[1] < kept[0] / 3
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))
    with torch.no_grad():
        assert torch.equal(generator(Labels(segmap(32, 64).float()), z), picture)
