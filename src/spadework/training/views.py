"""How the discriminator looks at a batch: at photos and paintings alike, through one window, light and hole.

With 9,750 photos a discriminator learns them by heart; with views it cannot (Zhao et al. 2020, arXiv
2006.10738). Windows enlarged twice show it single pixels, which its first frozen layer, of stride 2, does not
see. And where a window holds one class, the painter may be given a whole map of that class: so canvases that
a person floods are judged, which no photo's map is.

Everything random is drawn from torch's own generator on the CPU, which a state file keeps, and nothing waits
for a GPU. Shapes: B batch, C channels, (H, W) pixels, (h, w) the window.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from spadework.data.sample import moved
from spadework.training.sharing import Roles, drawn

BLOCK = 16
"""Windows for floods begin at multiples of so many pixels."""

PURE = 0.985
"""A window with this share of one class counts as one of that class."""


class ViewConfig(BaseModel):
    """How often what is done: shares of batches, except `flood`, a share of the windows of one class."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    zoom: float = 0.0  # half of each side, at any offset, enlarged twice
    crop: float = 0.0  # 7/8 of each side, at any offset
    jitter: float = 0.0  # brightness, contrast, saturation
    cutout: float = 0.0  # a third of each side is hidden
    flood: float = 0.0


@dataclass(frozen=True)
class View:
    """A window for every picture, and one light and one hole for all.

    corners: (B, 2) top and left; None: the whole picture. side: (h, w). light: brightness, contrast and
    saturation. hole: top, left, height, width in the window as it is seen.
    """

    corners: Tensor | None = None
    side: tuple[int, int] = (0, 0)
    twice: bool = False
    light: tuple[float, float, float] | None = None
    hole: tuple[int, int, int, int] | None = None

    def image(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 3, h, w) or twice that, differentiable."""
        if self.corners is not None:
            x = _windows(x, self.corners, self.side)
        if self.twice:
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        if self.light is not None:
            brightness, contrast, saturation = self.light
            grey = x.mean(1, keepdim=True)
            x = torch.lerp(grey, x, saturation) * contrast + brightness
        if self.hole is not None:
            x = x * self._open(x)
        return x.contiguous(memory_format=torch.channels_last)

    def channels(self, c: Tensor, hidden: int) -> Tensor:
        """Channel numbers (B, H, W) -> those seen; in the hole it is `hidden`."""
        if self.corners is not None:
            c = _windows(c[:, None], self.corners, self.side)[:, 0]
        if self.twice:
            c = c.repeat_interleave(2, 1).repeat_interleave(2, 2)
        if self.hole is None:
            return c
        return torch.where(self._open(c[:, None])[:, 0] > 0, c, hidden)

    def _open(self, x: Tensor) -> Tensor:
        """1 outside of the hole, 0 in it: (1, 1, h, w)."""
        assert self.hole is not None
        top, left, height, width = self.hole
        mask = x.new_ones(1, 1, *x.shape[2:])
        mask[..., top : top + height, left : left + width] = 0
        return mask


WHOLE = View()
"""Everything as it is."""


def _windows(x: Tensor, corners: Tensor, side: tuple[int, int]) -> Tensor:
    """(B, C, H, W) -> (B, C, h, w) from each picture's own corner."""
    rows, columns = (
        corners[:, axis, None] + torch.arange(length, device=x.device) for axis, length in enumerate(side)
    )
    batch = torch.arange(len(x), device=x.device)[:, None, None]
    return x.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)


def draw_view(
    config: ViewConfig, channels: Tensor, classes: int, twins: int = 0, roles: Roles | None = None
) -> tuple[View, Tensor]:
    """A random view of a batch's channel numbers (B, H, W), and the maps that are to be painted.

    These are the same, but for windows of one of the first `classes` channels, which may be floods. The
    first `twins` pictures and the next so many share windows and floods. `roles`: of the whole batch that
    several processes share; without them it is no larger than these.
    """
    roles = roles or Roles(len(channels))
    if config == ViewConfig():
        return WHOLE, channels
    chance = _uniform()
    corners, side, twice, painted = None, (0, 0), False, channels
    height, width = channels.shape[1:]
    if chance < config.zoom:
        side, twice = (height // 2, width // 2), True
        corners, painted = _flooded(config, channels, side, classes, roles)
    elif chance < config.zoom + config.crop:
        side = height * 7 // 8, width * 7 // 8
        corner = _corner(height - side[0], width - side[1])
        corners = moved(corner, channels.device).expand(len(channels), 2)
    seen = (height, width) if corners is None or twice else side
    light = hole = None
    if _uniform() < config.jitter:
        light = _uniform(-0.2, 0.2), _uniform(0.8, 1.2), _uniform(0.6, 1.4)
    if _uniform() < config.cutout:
        third = seen[0] // 3, seen[1] // 3
        top, left = _corner(seen[0] - third[0], seen[1] - third[1]).tolist()
        hole = top, left, *third
    if corners is not None:
        corners = alike(corners, twins)
    return View(corners, side, twice, light, hole), painted if painted is channels else alike(painted, twins)


def alike(x: Tensor, twins: int) -> Tensor:
    """The next `twins` entries as the first."""
    return torch.cat([x[:twins], x[:twins], x[2 * twins :]]) if twins else x


def _flooded(
    config: ViewConfig, channels: Tensor, side: tuple[int, int], classes: int, roles: Roles
) -> tuple[Tensor, Tensor]:
    """Windows (B, 2), and the maps; those whose window holds one class alone may be floods of it."""
    height, width = channels.shape[1:]
    corner = lambda: _corner(height - side[0], width - side[1])  # noqa: E731
    anywhere = drawn(lambda count: torch.stack([corner() for _ in range(count)]), roles)
    anywhere = moved(anywhere, channels.device)
    blocks = side[0] // BLOCK, side[1] // BLOCK
    if not config.flood or min(blocks) < 1:
        return anywhere, channels
    share, number = F.avg_pool2d(_shares(channels, classes), blocks, 1).max(1)  # of each window's main class
    pure = (share > PURE).flatten(1)
    tried = moved(drawn(lambda count: torch.rand(count, pure.shape[1]), roles), channels.device)
    place = (pure + tried).argmax(1)  # a pure window, if there is any
    number = number.flatten(1).gather(1, place[:, None])[:, 0]
    dice = moved(drawn(torch.rand, roles), channels.device)
    flooded = pure.gather(1, place[:, None])[:, 0] & (dice < config.flood)
    across = width // BLOCK - blocks[1] + 1
    corners = torch.stack([place // across, place % across], 1) * BLOCK
    painted = torch.where(flooded[:, None, None], number[:, None, None], channels)
    return torch.where(flooded[:, None], corners, anywhere), painted


def _shares(channels: Tensor, classes: int) -> Tensor:
    """Shares of the first `classes` channels in every block: (B, classes, H / BLOCK, W / BLOCK)."""
    number = torch.arange(classes, device=channels.device)[:, None, None]
    return F.avg_pool2d((channels[:, None] == number).float(), BLOCK)


def _uniform(low: float = 0.0, high: float = 1.0) -> float:
    return low + (high - low) * float(torch.rand(()))


def _corner(height: int, width: int) -> Tensor:
    """A random top and left, at most these."""
    return torch.stack([torch.randint(height + 1, ()), torch.randint(width + 1, ())])
