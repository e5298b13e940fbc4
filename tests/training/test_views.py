"""How batches are looked at: photos, paintings and labels through the same window, floods, twins."""

import pytest
import torch
from torch import Tensor

from spadework.training.views import WHOLE, View, ViewConfig, draw_view

SIZE = (64, 96)


def numbered(batch: int = 4) -> tuple[Tensor, Tensor]:
    """Channels 0 to 6 in blocks of 16 pixels, and pictures whose brightness is the channel's number."""
    rng = torch.Generator().manual_seed(1)
    blocks = torch.randint(0, 7, (batch, SIZE[0] // 16, SIZE[1] // 16), generator=rng)
    channels = blocks.repeat_interleave(16, 1).repeat_interleave(16, 2)
    return channels, channels[:, None].expand(-1, 3, -1, -1).float().contiguous()


def test_without_views_everything_is_as_it_is() -> None:
    channels, _ = numbered()
    before = torch.get_rng_state()
    assert draw_view(ViewConfig(), channels, 7) == (WHOLE, channels)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("config", [ViewConfig(zoom=1), ViewConfig(crop=1), ViewConfig(cutout=1)])
def test_labels_and_pictures_stay_pixel_on_pixel(config: ViewConfig) -> None:
    channels, picture = numbered()
    torch.manual_seed(3)
    view, painted = draw_view(config, channels, 7)
    seen, labels = view.image(picture), view.channels(channels, 9)
    assert painted is channels
    assert seen.shape[2:] == labels.shape[1:]
    assert (
        tuple(labels.shape[1:])
        == {"zoom": SIZE, "crop": (56, 84), "cutout": SIZE}[next(key for key, value in config if value)]
    )
    hidden = labels == 9
    assert hidden.any() == bool(config.cutout)
    assert not seen[:, 0][hidden].any()
    apart = (seen[:, 0] - labels)[~hidden].abs()
    assert (apart > 1e-4).float().mean() < (0.25 if config.zoom else 1e-9)  # enlarged outlines are blends


def test_every_picture_has_its_own_window_enlarged_twice() -> None:
    channels, picture = numbered()
    torch.manual_seed(0)
    view, _ = draw_view(ViewConfig(zoom=1), channels, 7)
    assert view.corners is not None
    assert len({tuple(corner) for corner in view.corners.tolist()}) > 1
    for i, (top, left) in enumerate(view.corners.tolist()):
        window = picture[i : i + 1, :, top : top + 32, left : left + 48]
        expected = torch.nn.functional.interpolate(window, scale_factor=2.0, mode="bilinear")
        torch.testing.assert_close(view.image(picture)[i : i + 1], expected)


def test_jitter_is_brightness_contrast_and_saturation() -> None:
    x = torch.rand(2, 3, 4, 4)
    grey = x.mean(1, keepdim=True)
    expected = (grey + (x - grey) * 1.3) * 0.9 + 0.1
    torch.testing.assert_close(View(light=(0.1, 0.9, 1.3)).image(x), expected)


def test_a_view_passes_gradients() -> None:
    channels, picture = numbered()
    picture.requires_grad_()
    torch.manual_seed(1)
    view, _ = draw_view(ViewConfig(zoom=1, jitter=1, cutout=1), channels, 7)
    view.image(picture).sum().backward()
    assert picture.grad is not None
    assert 0.1 < (picture.grad != 0).float().mean() < 0.26  # a quarter of the picture, less the hole


def test_windows_of_one_class_are_painted_from_floods() -> None:
    channels = torch.zeros(6, *SIZE, dtype=torch.long)
    channels[:, :, 64:] = 3  # class 0 on two thirds: windows of 48 columns fit in; class 3 holds none
    channels[5] = numbered(1)[0][0]  # nothing pure
    torch.manual_seed(2)
    view, painted = draw_view(ViewConfig(zoom=1, flood=1), channels, 7)
    assert view.corners is not None
    assert (painted[:5] == 0).all()
    assert torch.equal(painted[5], channels[5])
    assert (view.channels(channels, 9)[:5] == 0).all()
    _, never = draw_view(ViewConfig(zoom=1), channels, 7)
    assert never is channels


def test_the_unknown_class_is_never_a_flood() -> None:
    channels = torch.full((3, *SIZE), 7)
    _, painted = draw_view(ViewConfig(zoom=1, flood=1), channels, 7)
    assert torch.equal(painted, channels)


@pytest.mark.parametrize("seed", range(4))
def test_twins_share_window_and_flood(seed: int) -> None:
    channels = torch.zeros(6, *SIZE, dtype=torch.long)
    channels[:, :, 64:] = 3
    torch.manual_seed(seed)
    view, painted = draw_view(ViewConfig(zoom=1, flood=0.5), channels, 7, twins=2)
    assert view.corners is not None
    assert torch.equal(view.corners[:2], view.corners[2:4])
    assert torch.equal(painted[:2], painted[2:4])


def test_views_repeat_with_torchs_random_state() -> None:
    channels, picture = numbered()
    config = ViewConfig(zoom=0.4, crop=0.4, jitter=0.5, cutout=0.5)
    torch.manual_seed(5)
    first = [draw_view(config, channels, 7)[0].image(picture) for _ in range(6)]
    torch.manual_seed(5)
    again = [draw_view(config, channels, 7)[0].image(picture) for _ in range(6)]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert len({x.shape for x in first}) > 1
