"""Every setting of the training of a segmenter."""

from typing import Literal

from pydantic import Field

from spadework.segmenter.network import TRUNKS, Group, SegmenterConfig
from spadework.segmenter.segmenter import SHORT
from spadework.training.settings import Free, RunSettings


class SegmenterRecipe(RunSettings):
    """One training of a segmenter, complete."""

    trains: Literal["segmenter"] = Field("segmenter", description="what the run makes")
    backbone: Literal[1, 2] = Field(1, description="EfficientNet-Lite variant the segmenter starts from")
    trunk: tuple[Group, ...] | None = Field(
        None, description="blocks of the segmenter's trunk, with random weights; None: those of the backbone"
    )
    width: int = Field(96, ge=1, description="channels of the segmenter's pyramid")
    trunk_lr: Free[float] = Field(
        0.3, gt=0, description="learning rate of the segmenter's trunk, as a share of lr"
    )
    warm_up: Free[float] = Field(0.05, ge=0, lt=1, description="share of total_images in which lr rises")
    weight_decay: Free[float] = Field(0.01, ge=0, description="of AdamW")
    balance: float = Field(0.4, ge=0, le=1, description="0: every pixel counts alike, 1: every class does")
    jitter: Free[float] = Field(0.3, ge=0, lt=1, description="random change of light, contrast and colour")

    @property
    def short_side(self) -> int:
        """Photos are kept as large as the segmenter reads them; crops may be smaller."""
        return max(SHORT, *self.size)

    @property
    def network(self) -> SegmenterConfig:
        """The segmenter's config."""
        return SegmenterConfig(
            classes=self.label_nc, trunk=self.trunk or TRUNKS[self.backbone], width=self.width
        )

    def demand_networks(self) -> None:
        """ValueError where the settings make no network."""
        _ = self.network
