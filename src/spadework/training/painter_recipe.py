"""Every setting of the training of a painter.

A recipe is flat, so that `--set ngf=32 --set z_dim=64` reaches everything; the networks' configs are derived.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from spadework.nn.discriminator import BackboneConfig, PatchConfig, UNetConfig
from spadework.nn.encoder import StyleEncoderConfig
from spadework.nn.generator import GeneratorConfig
from spadework.nn.labels import SemanticsConfig
from spadework.nn.spade import Modulation, Norm, Padding
from spadework.training.settings import Free, RunSettings
from spadework.training.sharing import Roles
from spadework.training.views import ViewConfig

Count = Annotated[int, Field(ge=1)]
Weight = Free[Annotated[float, Field(ge=0)]]
Share = Annotated[float, Field(ge=0, le=1)]
Beta = Annotated[float, Field(ge=0, lt=1)]


STRIDES = (2, 4, 8, 16, 32)
"""Of the frozen classifier's features, finest first."""

Strides = tuple[Literal[2, 4, 8, 16, 32], ...]


class Recipe(RunSettings):
    """One training of a painter, complete."""

    edges: bool = Field(False, description="one more channel marks the edges of instances")
    sketch_share: Free[float] = Field(
        0.0, ge=0, le=1, description="share of batches whose maps are simplified to sketches"
    )
    accumulate: Free[int] = Field(
        1, ge=1, description="parts a batch is computed in; gradients are summed over them"
    )
    recompute: Free[bool] = Field(
        False,
        description="generator blocks compute their features again for the gradient: the same weights with "
        "less memory, in more time",
    )
    # optimisation
    ttur: bool = Field(
        False, description="two time scales (arXiv 1706.08500): generator lr / 2, discriminator lr x 2"
    )
    betas: tuple[Beta, Beta] = Field((0.0, 0.9), description="decay of Adam's two averages")
    decay_from: Free[float] = Field(
        1.0, ge=0, le=1, description="share of total_images after which lr falls linearly to 0"
    )
    warm_up: Free[int] = Field(
        0,
        ge=0,
        description="images over which the generator's lr rises, while the discriminator learns",
    )
    contexts: bool = Field(
        True, description="label contexts in the generator wherever few neighbourhoods are distinct"
    )
    init_gain: float | None = Field(
        0.02, gt=0, description="of Xavier's initial weights; None: PyTorch's own"
    )
    # generator and style encoder
    ngf: int = Field(64, ge=1, description="width unit of the generator")
    num_ups: Literal[5, 6, 7] = Field(5, description="doublings from the first grid to the picture")
    widths: tuple[Count, ...] | None = Field(
        None, description="output channels of every generator block; None: the paper's multiples of ngf"
    )
    hidden: Count | tuple[Count, ...] = Field(
        128, description="channels between labels and modulation, one number or one per block"
    )
    kernel: Literal[3, 5] = Field(3, description="kernel size of the modulation")
    norm: Norm = Field("batch", description="normalisation inside the generator")
    z_dim: int | None = Field(256, ge=1, description="length of the style; None: start from the map")
    start: Literal["grid", "point"] = Field(
        "grid",
        description="the style gives every cell of the first grid (as published), or one value for all",
    )
    style_blocks: bool = Field(False, description="the style also scales and shifts every block's input")
    noise: bool = Field(False, description="one random value per pixel before every block")
    padding: Padding = Field("zeros", description="beyond the border: nothing, or features as they are at it")
    label_padding: Padding = Field(
        "zeros",
        description="the same of labels; with both replicate nothing tells where a canvas ends, and noise "
        "alone decides what lies where",
    )
    modulation: Modulation = Field(
        "spade",
        description="what follows a norm: the labels' scale and shift at every place, or one learned pair a "
        "channel (affine); then the map enters at the first grid, and nowhere else",
    )
    z_map: bool = Field(
        False,
        description="the style lies beside the map at every pixel (OASIS's 3D noise), and no photo's is read",
    )
    bilinear_ups: int = Field(0, ge=0, description="first doublings that are bilinear, not nearest")
    encoder_ngf: Count = Field(64, description="width unit of the style encoder")
    encoder_size: Count = Field(256, description="pixels a side at which the style encoder sees a photo")
    encoder_norm: Literal["instance", "batch"] = Field(
        "instance", description="normalisation inside the style encoder"
    )
    # the discriminator, and what each term weighs
    discriminator: Literal["patch", "backbone", "unet"] = Field(
        "patch",
        description="discriminator: the paper's on patches, one over a frozen classifier, or OASIS's U-Net",
    )
    gan_loss: Literal["hinge", "ls", "original"] = Field("hinge", description="adversarial loss (patch)")
    ndf: Count = Field(64, description="width unit of the discriminator (patch, unet)")
    scales: Count = Field(2, description="scales of the discriminator (patch)")
    backbone: Literal[1, 2] = Field(
        2, description="EfficientNet-Lite variant under the discriminator (backbone)"
    )
    discriminator_widths: tuple[Count, Count, Count, Count, Count] = Field(
        (32, 64, 96, 128, 192), description="channels per level of the discriminator (backbone)"
    )
    lambda_gan: Weight = Field(1.0, description="weight of the adversarial term")
    lambda_feat: Weight = Field(10.0, description="weight of feature matching")
    feat_strides: Strides = Field(STRIDES, description="features that are matched cell by cell (backbone)")
    lambda_statistics: Weight = Field(
        0.0,
        description="means and deviations of features per label region, to the photo's (backbone)",
    )
    statistics_strides: Strides = Field((2, 4, 8), description="of these features")
    lambda_means: Weight = Field(
        0.0, description="means of features per label region, to the photo's (backbone)"
    )
    means_strides: Strides = Field((16, 32), description="of these features")
    lambda_perceptual: Weight = Field(
        10.0, description="weight of the perceptual loss (patch with VGG weights)"
    )
    lambda_pixel: Weight = Field(
        0.0, description="cross-entropy of the painting to its labels (backbone and unet)"
    )
    lambda_mix: Weight = Field(
        0.0,
        description="LabelMix: collages of photo and painting are judged as their parts (unet)",
    )
    quiet: Free[int] = Field(
        0,
        ge=0,
        description="pixels on either side of an outline that may show any class (not patch)",
    )
    lambda_color: Weight = Field(0.0, description="L1 of local means, painting to photo")
    color_grid: Count = Field(16, description="divisions of each side for these means")
    lambda_region_color: Weight = Field(0.0, description="L1 of mean colors per label region (backbone)")
    lambda_phase: Weight = Field(0.0, description="gradients alike in all rows and columns modulo 4")
    lambda_spectrum: Weight = Field(0.0, description="power by frequency as photos have it")
    lambda_style: Weight = Field(
        0.0, description="L1 of a painting's encoded style to the other photo's whose style it was given"
    )
    lambda_seek: Weight = Field(
        0.0, description="two draws of noise for one map and style are to differ (backbone)"
    )
    # how photos and paintings are looked at
    zoom: Free[Share] = Field(
        0.0, description="share of batches seen through half of each side, enlarged twice"
    )
    crop: Free[Share] = Field(0.0, description="share of batches seen through 7/8 of each side")
    jitter: Free[Share] = Field(0.0, description="share of batches seen in another light")
    cutout: Free[Share] = Field(0.0, description="share of batches seen with a hole")
    flood: Free[Share] = Field(
        0.0, description="share of enlarged windows of one class that are painted from a map of it alone"
    )
    swap_share: Free[float] = Field(
        0.0, ge=0, le=0.5, description="share of a batch that is painted in another photo's style"
    )
    noise_gain: float = Field(1.0, gt=0, description="times the strengths of noise that --from begins with")
    coarse_noise_gain: float = Field(
        1.0, gt=0, description="times those of blocks on grids of an eighth of the size and less, once more"
    )
    lambda_kl: Weight = Field(0.05, description="weight of the style's KL divergence")
    vgg: str | None = Field(None, description="file of VGG19 weights for the perceptual loss (patch)")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.batch_size % self.accumulate:
            raise ValueError(
                f"accumulate {self.accumulate} does not divide batch_size {self.batch_size}: "
                "all parts of a batch must be of one size"
            )
        if self.z_dim and not self.z_map and self.encoder_norm == "instance" and self.encoder_size <= 32:
            raise ValueError(
                f"encoder_size {self.encoder_size} ends in one pixel, which has no instance norm: "
                "use 33 or more, or encoder_norm=batch"
            )
        self._demand_sense()
        return self

    def _demand_sense(self) -> None:
        """ValueError for terms and views that would do nothing, or something else."""
        if self.zoom + self.crop > 1:
            raise ValueError(
                f"zoom {self.zoom} and crop {self.crop} are shares of the same batches: at most 1"
            )
        if self.edges and (self.zoom or self.crop or self.cutout):
            raise ValueError("zoom, crop and cutout do not know edges: set them to 0, or edges=false")
        if self.cutout and not self.unknown:
            raise ValueError("cutout makes pixels unknown: set unknown=true, or cutout=0")
        if self.swap_share and self.encoder is None:
            raise ValueError("swap_share needs photos' styles: set z_dim and z_map=false, or swap_share=0")
        if self.discriminator == "unet" and not self.lambda_pixel:
            raise ValueError("discriminator=unet has nothing to say but classes: set lambda_pixel=1")
        if (self.lambda_style or self.lambda_seek) and not self.swap_share:
            raise ValueError("lambda_style and lambda_seek are of swapped styles: set swap_share=0.5")
        if self.lambda_seek and not (self.noise and self.discriminator == "backbone"):
            raise ValueError("lambda_seek tells draws apart: set noise=true and discriminator=backbone")
        part = self.batch_size // self.accumulate
        if part < self.least_part and (self.lambda_style or self.lambda_seek):
            raise ValueError(
                f"in parts of {part} (batch_size / accumulate) no picture is painted in another's style, or "
                "none of these twice, as lambda_style and lambda_seek need: use parts of "
                f"{self.least_part} and more, or set both to 0"
            )

    @property
    def semantics(self) -> SemanticsConfig:
        """How ids become channels."""
        known = {"label_nc": self.label_nc, "unknown": self.unknown, "unknown_id": self.unknown_id}
        return SemanticsConfig(**known, edges=self.edges)

    @property
    def generator(self) -> GeneratorConfig:
        """The generator's config."""
        semantic_nc = (
            self.semantics.semantic_nc
        )  # all else is a setting of the same name: none may be missing
        shape = {key: getattr(self, key) for key in GeneratorConfig.model_fields.keys() - {"semantic_nc"}}
        return GeneratorConfig(semantic_nc=semantic_nc, **shape)

    @property
    def encoder(self) -> StyleEncoderConfig | None:
        """The style encoder's config; None where no photo's style is read."""
        if self.z_dim is None or self.z_map:
            return None
        layers = 6 if self.encoder_size >= 256 else 5
        return StyleEncoderConfig(
            ngf=self.encoder_ngf,
            z_dim=self.z_dim,
            size=self.encoder_size,
            layers=layers,
            norm=self.encoder_norm,
        )

    def roles(self, length: int) -> Roles:
        """What the pictures of a part of a batch are for."""
        swapped = int(length * self.swap_share)
        return Roles(length, swapped, swapped // 2 if self.lambda_seek else 0)

    @property
    def least_part(self) -> int:
        """The fewest pictures at once among which there are some of every role."""
        wanted = self.roles(64)
        roles = ((n, self.roles(n)) for n in range(1, 65))
        return next(
            n
            for n, r in roles
            if bool(r.swapped) >= bool(wanted.swapped) and bool(r.twins) >= bool(wanted.twins)
        )

    @property
    def view(self) -> ViewConfig:
        """How the discriminator looks at a batch."""
        return ViewConfig(
            zoom=self.zoom, crop=self.crop, jitter=self.jitter, cutout=self.cutout, flood=self.flood
        )

    @property
    def patch(self) -> PatchConfig:
        """The patch discriminator's config."""
        return PatchConfig(in_channels=self.semantics.semantic_nc + 3, ndf=self.ndf, scales=self.scales)

    @property
    def unet(self) -> UNetConfig:
        """The U-Net discriminator's config."""
        return UNetConfig(classes=self.label_nc, ndf=self.ndf)

    def demand_networks(self) -> None:
        """ValueError where the settings make no networks."""
        _ = self.encoder
        if min(block.out_channels for block in self.generator.blocks) < 1:
            raise ValueError(f"ngf {self.ngf} leaves the last block without channels: use 2 or more")

    def over_backbone(self, feature_channels: tuple[int, ...]) -> BackboneConfig:
        """The backbone discriminator's config over features of these widths."""
        return BackboneConfig(
            classes=self.semantics.semantic_nc,
            feature_channels=feature_channels,
            widths=self.discriminator_widths,
        )
