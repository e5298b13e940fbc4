"""The SPADE generator: a style (or the smallest label map) grows into a picture, labels modulating each step.

Shapes: B batch, K semantic channels, C features, (H, W) the picture, Z style.
"""

from itertools import pairwise
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, model_validator
from torch import Tensor, nn

from spadework.nn.labels import Labels
from spadework.nn.recompute import recomputed
from spadework.nn.spade import Affine, Modulation, Norm, Padding, SPADEResBlock, upsample
from spadework.nn.spectral import spectral_norm

# name -> the block upsamples first, for 5, 6 and 7 doublings ("normal", "more", "most" of the paper's code)
PLANS: dict[int, dict[str, bool]] = {
    ups: {
        "head_0": False,
        "G_middle_0": True,
        "G_middle_1": ups >= 6,
        **{f"up_{i}": True for i in range(5 if ups == 7 else 4)},
    }
    for ups in (5, 6, 7)
}


Doubling = Literal["nearest", "bilinear"]


class BlockPlan(NamedTuple):
    """A residual block of a generator. doubling: how it doubles the grid before it; None: not at all."""

    name: str
    in_channels: int
    out_channels: int
    hidden: int
    doubling: Doubling | None


class GeneratorConfig(BaseModel):
    """Everything that shapes a generator. `size` is (H, W) in pixels at training; others may be painted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    semantic_nc: int
    size: tuple[int, int] = (256, 256)
    num_ups: Literal[5, 6, 7] = 5
    ngf: int = 64
    # output channels of every block; None: the paper's 16 16 16 8 4 2 1 (1/2) x ngf
    widths: tuple[int, ...] | None = None
    hidden: int | tuple[int, ...] = 128  # width of mlp_shared, one for all or one per block
    kernel: Literal[3, 5] = 3
    norm: Norm = "batch"
    z_dim: int | None = None  # None: start from the downsampled label map instead of a style
    # the style gives every cell of the start grid, as published, or one for all
    start: Literal["grid", "point"] = "grid"
    style_blocks: bool = (
        False  # the style also scales and shifts every block's input (AdaIN, arXiv 1703.06868)
    )
    noise: bool = False
    padding: Padding = "zeros"  # "replicate": features go on beyond the border
    label_padding: Padding = "zeros"  # "replicate": labels too, so nothing tells where a canvas ends
    # "affine": the whole map enters at the start grid, and no norm sees it
    modulation: Modulation = "spade"
    z_map: bool = False  # the style lies beside the map at every pixel: OASIS's 3D noise (arXiv 2012.04781)
    bilinear_ups: int = 0  # the first so many doublings are bilinear, the others repeat the nearest pixel

    @model_validator(mode="after")
    def _consistent(self) -> "GeneratorConfig":
        blocks = len(PLANS[self.num_ups])
        for name in ("widths", "hidden"):
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != blocks:
                raise ValueError(
                    f"{name} has {len(value)} entries; {self.num_ups} doublings have {blocks} blocks"
                )
        if self.z_map and (self.z_dim is None or self.modulation != "spade"):
            raise ValueError("z_map lays a style beside what SPADE sees: set z_dim, and modulation=spade")
        self.start_size(self.size)
        return self

    @property
    def tabular(self) -> bool:
        """Whether labels alone decide on all gamma and beta, so that tables of label contexts hold them."""
        return self.modulation == "spade" and not self.z_map

    @property
    def blocks(self) -> tuple[BlockPlan, ...]:
        """The residual blocks in order."""
        names, doubled, plans = PLANS[self.num_ups], 0, []
        paper = tuple(16 * self.ngf // d for d in (1, 1, 1, 2, 4, 8, 16, 32))
        widths = self.widths or paper[: len(names)]
        hiddens = (self.hidden,) * len(names) if isinstance(self.hidden, int) else self.hidden
        for i, (name, doubles) in enumerate(names.items()):
            doubling = ("bilinear" if doubled < self.bilinear_ups else "nearest") if doubles else None
            plans.append(BlockPlan(name, widths[max(0, i - 1)], widths[i], hiddens[i], doubling))
            doubled += doubles
        return tuple(plans)

    def start_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The grid of the first block for a picture of `size` (H, W); ValueError if it does not divide."""
        step = 2**self.num_ups
        if size[0] % step or size[1] % step or min(size) < step:
            fitting = [max(step, round(side / step) * step) for side in size]
            raise ValueError(
                f"size {size[0]}x{size[1]} does not fit {self.num_ups} doublings: use multiples of {step}, "
                f"for example {fitting[0]}x{fitting[1]}"
            )
        return size[0] // step, size[1] // step

    def grids(self, size: tuple[int, int]) -> list[tuple[int, int]]:
        """The grid (h, w) of every block for a picture of `size` (H, W)."""
        h, w = self.start_size(size)
        grids = []
        for block in self.blocks:
            h, w = (2 * h, 2 * w) if block.doubling else (h, w)
            grids.append((h, w))
        return grids


def style_features(config: GeneratorConfig, fc: nn.Module, z: Tensor, size: tuple[int, int]) -> Tensor:
    """Style (B, Z) -> the start grid (B, C, h, w), stretched to `size` from that of training."""
    if config.start == "point":
        return fc(z)[:, :, None, None].expand(-1, -1, *size)
    trained = config.start_size(config.size)
    x = fc(z).view(len(z), -1, *trained)
    return x if size == trained else F.interpolate(x, size=size, mode="bilinear", align_corners=False)


class MapEncoder(nn.Module):
    """The label map (B, K, H, W) -> the start grid's features: a convolution, then one for every halving.

    Its widths are the generator's backwards. Behind plain norms nothing else says what is to be painted.
    """

    def __init__(self, config: GeneratorConfig):
        super().__init__()
        outer = [block.out_channels for block in reversed(config.blocks) if block.doubling]
        around: dict[str, Any] = {"padding": 1, "padding_mode": config.label_padding}
        widths = [*outer, config.blocks[0].in_channels]
        self.first = spectral_norm(nn.Conv2d(config.semantic_nc, widths[0], 3, **around))
        self.norms = nn.ModuleList(Affine(width, config.norm) for width in outer)
        self.convs = nn.ModuleList(
            spectral_norm(nn.Conv2d(fin, fout, 3, stride=2, **around)) for fin, fout in pairwise(widths)
        )

    def forward(self, segmap: Tensor) -> Tensor:
        x = self.first(segmap)
        for norm, conv in zip(self.norms, self.convs, strict=True):
            x = conv(F.leaky_relu(norm(x, segmap), 0.2))
        return x


class Generator(nn.Module):
    """Paints (B, 3, H, W) in [-1, 1] from a label map and a style.

    recompute: whether blocks compute their features again for the gradient, and keep only what goes in.
    """

    def __init__(self, config: GeneratorConfig):
        super().__init__()
        self.config = config
        blocks, start = config.blocks, config.start_size(config.size)
        first, last = blocks[0].in_channels, blocks[-1].out_channels
        seen = config.semantic_nc + (config.z_dim or 0) * config.z_map
        self.enter = MapEncoder(config) if config.modulation == "affine" else None
        if config.z_map or (config.z_dim is None and self.enter is None):
            self.fc = nn.Conv2d(seen, first, 3, padding=1, padding_mode=config.label_padding)
        elif config.z_dim is not None:
            cells = start[0] * start[1] if config.start == "grid" else 1
            self.fc = nn.Linear(config.z_dim, first * cells)
        self.blocks = nn.ModuleDict()
        self.styles = nn.ModuleDict()
        for block in blocks:
            self.blocks[block.name] = SPADEResBlock(
                block.in_channels,
                block.out_channels,
                seen,
                block.hidden,
                config.kernel,
                config.norm,
                config.noise,
                config.padding,
                config.label_padding,
                config.modulation,
            )
            if config.z_dim is not None and config.style_blocks:
                self.styles[block.name] = nn.Linear(config.z_dim, 2 * block.in_channels)
        self.recompute = False
        self.conv_img = nn.Conv2d(last, 3, 3, padding=1, padding_mode=config.padding)

    def style_layers(self) -> list[nn.Linear]:
        """The layers that read the style."""
        first = [] if self.config.z_dim is None or self.config.z_map else [self.fc]
        return [*first, *self.styles.values()]  # type: ignore[list-item]

    def start(self, labels: Labels, z: Tensor | None) -> Tensor:
        """The first features (B, C, h, w): from the style or the map, or from both where no norm sees it."""
        size = self.config.start_size(labels.size)
        if self.config.z_map or (z is None and self.enter is None):
            return self.fc(labels.resized(size))
        parts = [] if z is None else [style_features(self.config, self.fc, z, size)]
        parts += [] if self.enter is None else [self.enter(labels.segmap)]
        return sum(parts[1:], parts[0])

    def draw_noise(
        self, batch: int, size: tuple[int, int], rng: torch.Generator | None = None
    ) -> list[Tensor]:
        """Standard normal noise (B, 1, h, w) for every block; `rng` makes it repeatable on every device."""
        device = self.conv_img.weight.device
        where = device if rng is None else rng.device
        fields = [
            torch.randn(batch, 1, h, w, generator=rng, device=where) for h, w in self.config.grids(size)
        ]
        return [field.to(device) for field in fields]

    def forward(self, labels: Labels, z: Tensor | None = None, noise: list[Tensor] | None = None) -> Tensor:
        """Label maps, style (B, Z)[, a noise field per block] -> picture (B, 3, H, W) in [-1, 1].

        Without `z` or `noise` they are drawn at random where the config has them.
        """
        if noise is None and self.config.noise:
            noise = self.draw_noise(len(labels), labels.size)
        if z is None and self.config.z_dim is not None:
            weight = self.fc.weight
            z = torch.randn(len(labels), self.config.z_dim, device=weight.device, dtype=weight.dtype)
        if self.config.z_map and z is not None:
            labels = labels.beside(z)
        x = self.start(labels, z if self.config.z_dim is not None else None)
        for i, (name, *_, doubling) in enumerate(self.config.blocks):
            if name in self.styles:
                scale, shift = self.styles[name](z)[:, :, None, None].chunk(2, 1)
                x = torch.addcmul(shift, x, 1 + scale)
            x = upsample(x, doubling == "bilinear") if doubling else x
            given = x, labels, noise[i] if noise else None
            again = self.recompute and torch.is_grad_enabled()
            x = recomputed(self.blocks[name], *given) if again else self.blocks[name](*given)
        return torch.tanh(self.conv_img(F.leaky_relu(x, 0.2)))
