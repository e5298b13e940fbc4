"""Every setting of the training of an enlarger."""

from typing import Literal

from pydantic import Field

from spadework.enlarger.network import EnlargerConfig
from spadework.nn.labels import SemanticsConfig
from spadework.training.painter_recipe import Beta, Count, Share, Weight
from spadework.training.settings import Free, RunSettings
from spadework.training.views import ViewConfig


class EnlargerRecipe(RunSettings):
    """One training of an enlarger, complete. `size` is that of the enlarged picture."""

    trains: Literal["enlarger"] = Field("enlarger", description="what the run makes")
    painter: str = Field("landscape", min_length=1, description="model whose paintings are enlarged")
    painted_share: Free[Share] = Field(
        0.5, description="share of a batch that enlarges paintings; the rest enlarges photos made small"
    )
    sketch_share: Free[Share] = Field(
        0.2, description="share of batches whose maps are simplified to sketches"
    )
    sample_every: Free[int] = Field(8000, ge=1, description="images between sample grids")
    width: Count = Field(48, description="channels of the enlarger on the small grid")
    fine: Count = Field(24, description="channels of the enlarger on the large grid")
    blocks: int = Field(8, ge=1, le=9, description="residual blocks of the enlarger")
    backbone: Literal[1, 2] = Field(2, description="EfficientNet-Lite variant the discriminator stands on")
    discriminator_widths: tuple[Count, Count, Count, Count, Count] = Field(
        (32, 64, 96, 128, 192), description="channels per level of the discriminator"
    )
    betas: tuple[Beta, Beta] = Field((0.0, 0.99), description="decay of Adam's two averages")
    decay_from: Free[Share] = Field(
        0.6, description="share of the training after which lr falls linearly to 0"
    )
    warm_up: Free[int] = Field(
        4000, ge=0, description="images over which lr rises, while the discriminator learns"
    )
    lambda_keep: Weight = Field(10.0, description="L1 of the picture made small again to the small picture")
    lambda_photo: Weight = Field(1.0, description="L1 to the photo whose small self was enlarged")
    lambda_gan: Weight = Field(1.0, description="weight of the adversarial term")
    lambda_pixel: Weight = Field(0.2, description="cross-entropy of the picture to its labels")
    lambda_statistics: Weight = Field(3.0, description="means and deviations of features per label region")
    lambda_phase: Weight = Field(1.0, description="gradients alike in all rows and columns modulo 4")
    lambda_spectrum: Weight = Field(0.3, description="power by frequency as photos have it")
    zoom: Free[Share] = Field(
        0.4, description="share of batches seen through half of each side, enlarged twice"
    )
    crop: Free[Share] = Field(0.4, description="share of batches seen through 7/8 of each side")
    jitter: Free[Share] = Field(0.5, description="share of batches seen in another light")
    cutout: Free[Share] = Field(0.25, description="share of batches seen with a hole")

    @property
    def semantics(self) -> SemanticsConfig:
        """How ids become channels."""
        return SemanticsConfig(label_nc=self.label_nc, unknown=self.unknown, unknown_id=self.unknown_id)

    @property
    def network(self) -> EnlargerConfig:
        """The enlarger's config."""
        shape = {"width": self.width, "fine": self.fine, "blocks": self.blocks}
        return EnlargerConfig(semantic_nc=self.semantics.semantic_nc, **shape)

    @property
    def view(self) -> ViewConfig:
        """How the discriminator looks at a batch."""
        return ViewConfig(zoom=self.zoom, crop=self.crop, jitter=self.jitter, cutout=self.cutout)

    def demand_networks(self) -> None:
        """ValueError where the settings make no network."""
        _ = self.network
