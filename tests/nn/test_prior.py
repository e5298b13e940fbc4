"""The prior: a seed draws references, a map takes the style of the nearest layout."""

import torch
from torch import nn

from spadework.nn.prior import StylePrior, StylePriorConfig

K, GRID, R = 3, 2, 20


def maps(*rows: tuple[int, int]) -> torch.Tensor:
    """One-hot maps (B, K, 8, 8): one class above, one below."""
    ids = torch.stack([torch.tensor(row).repeat_interleave(4)[:, None].expand(8, 8) for row in rows])
    return nn.functional.one_hot(ids, K).permute(0, 3, 1, 2).float()


def prior(drawn: int = R) -> StylePrior:
    """References 0..9 are class 0 over 1, 10..19 class 0 over 2; a style is its reference's number."""
    net = StylePrior(StylePriorConfig(semantic_nc=K, z_dim=1, references=R, drawn=drawn, grid=GRID))
    net.remember(maps(*[(0, 1)] * 10), torch.arange(10.0)[:, None], 0)
    net.remember(maps(*[(0, 2)] * 10), torch.arange(10.0, 20.0)[:, None], 10)
    return net


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_layout_is_the_share_of_each_class_per_cell() -> None:
    layout = prior().layout(maps((0, 1), (2, 2))).view(2, K, GRID, GRID)
    expected = torch.zeros(2, K, GRID, GRID)
    expected[0, 0, 0] = expected[0, 1, 1] = 1
    expected[1, 2] = 1
    torch.testing.assert_close(layout, expected)


def test_a_map_takes_a_style_of_the_nearest_layout() -> None:
    net = prior()
    for seed in range(20):
        assert 0 <= net.draw(maps((0, 1)), seeded(seed)).item() < 10
        assert 10 <= net.draw(maps((0, 2)), seeded(seed)).item() < 20


def test_seeds_repeat_and_differ_and_a_small_stroke_changes_nothing() -> None:
    net = prior()
    drawn = [net.draw(maps((0, 1)), seeded(seed)).item() for seed in range(30)]
    assert drawn == [net.draw(maps((0, 1)), seeded(seed)).item() for seed in range(30)]
    assert len(set(drawn)) > 5
    touched = maps((0, 1))
    touched[0, :, 0, 0] = torch.tensor([0.0, 0.0, 1.0])
    assert drawn == [net.draw(touched, seeded(seed)).item() for seed in range(30)]


def test_only_the_drawn_references_are_considered() -> None:
    net = prior(drawn=1)
    picks = [int(torch.randperm(R, generator=seeded(seed))[0]) for seed in range(10)]
    assert [int(net.draw(maps((0, 1)), seeded(seed))) for seed in range(10)] == picks
