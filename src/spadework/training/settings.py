"""What every training needs to know, whatever it trains."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from spadework.sketch.palette import Palette


@dataclass(frozen=True)
class _Free:
    """Marks a setting that a resumed run may change; others shape the networks, or what they have seen."""


UNKNOWN = 255
"""The id of unknown pixels, where no palette says another."""

T = TypeVar("T")
Free = Annotated[T, _Free()]


FORMERLY = {"judge": "discriminator", "judge_widths": "discriminator_widths"}
"""What settings were called before."""


def today(key: str) -> str:
    """What a setting is called now."""
    return FORMERLY.get(key, key)


class RunSettings(BaseModel):
    """The settings that all recipes share. Sizes are (H, W) in pixels, lengths in images."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(min_length=1, description="name of the recipe")
    # what is seen
    palette: str | Palette | None = Field(
        None,
        description="of the label maps: a shipped one's name, or a whole one; None: ids 0 to label_nc - 1",
    )
    label_nc: int = Field(ge=1, le=256, description="number of classes")
    unknown: bool = Field(
        False,
        description="pixels may be unknown (255, or the palette's id): a channel of painters",
    )
    size: tuple[int, int] = Field((256, 256), description="H, W of a training crop")
    flip: Free[bool] = Field(True, description="mirror half of the pairs")
    scale: Free[tuple[float, float] | None] = Field(
        (1.0, 1.2), description="random enlargement before the crop; None: a crop of the photo's own pixels"
    )
    repeat_below: Free[Annotated[float, Field(ge=0, le=1)]] = Field(
        0.0,
        description="pairs with a class that fewer than this share of pairs show are drawn more often, by "
        "the root of how much fewer; 0: all alike",
    )
    # how long
    seed: int = Field(0, ge=0, description="decides the first weights and the order of the photos")
    batch_size: int = Field(8, ge=1, description="photos per step")
    total_images: Free[int] = Field(ge=1, description="photos seen until the end")
    save_every: Free[int] = Field(5000, ge=1, description="images between saved states")
    sample_every: Free[int] = Field(5000, ge=1, description="images between sample grids")
    # optimisation
    lr: Free[float] = Field(2e-4, gt=0, description="learning rate of Adam")
    ema: Free[float] = Field(
        0.999, ge=0, lt=1, description="decay of the moving average of what learns, per step"
    )
    precision: Free[Literal["bfloat16", "float32", "float64"]] = Field(
        "bfloat16", description="of the arithmetic (autocast); float64 is for checks"
    )

    @property
    def short_side(self) -> int:
        """Pixels of the short side at which photos are kept."""
        return max(self.size)

    @property
    def classes(self) -> Palette | None:
        """The palette, if there is one."""
        return Palette.load(self.palette) if isinstance(self.palette, str) else self.palette

    @property
    def unknown_id(self) -> int:
        """The id of pixels without a class, where there may be any."""
        known = self.classes
        return UNKNOWN if known is None or known.unknown is None else known.unknown

    @property
    def legal_ids(self) -> set[int]:
        """What label maps may hold."""
        return {*range(self.label_nc), *([self.unknown_id] if self.unknown else [])}

    @classmethod
    def may_change(cls, key: str) -> bool:
        """Whether a resumed run may change this setting."""
        return any(isinstance(mark, _Free) for mark in cls.model_fields[key].metadata)

    @model_validator(mode="before")
    @classmethod
    def _today(cls, values: Any) -> Any:
        """Runs and light states of before have settings under their names of then."""
        return {today(key): value for key, value in values.items()} if isinstance(values, dict) else values

    @model_validator(mode="after")
    def _legal(self) -> Self:
        if self.scale is not None and not 1 <= self.scale[0] <= self.scale[1]:
            raise ValueError(f"scale is {list(self.scale)}: expected [low, high] with 1 <= low <= high")
        known = self.classes
        if known is not None and known.label_nc > self.label_nc:
            raise ValueError(
                f"palette {known.name} has {known.label_nc} classes, label_nc is "
                f"{self.label_nc}: set label_nc to that, or palette=null"
            )
        return self
