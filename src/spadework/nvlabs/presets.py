"""What the published code takes for granted about each of its data sets."""

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spadework.files import Fault, Misfit
from spadework.nn.labels import SemanticsConfig
from spadework.sketch.palette import Category, Palette, near_misses

Mode = Literal[
    "resize_and_crop",
    "crop",
    "scale_width",
    "scale_width_and_crop",
    "scale_shortside",
    "scale_shortside_and_crop",
    "fixed",
    "none",
]

Pixels = Annotated[int, Field(ge=32)]
Ratio = Annotated[float, Field(gt=0)]


class Preset(BaseModel):
    """The defaults of a data set. `crop_size` is the width in pixels, `aspect_ratio` width / height.

    `palette` names the classes of maps with just `label_nc` classes. `raw_ids`: the code means to shift
    the ids by one, drops the shifted copy, and so trains on ids 0 (unknown) to `label_nc`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    label_nc: int = Field(ge=1, le=255)
    contain_dontcare_label: bool = False
    instances: bool = False
    raw_ids: bool = False
    preprocess_mode: Mode = "resize_and_crop"
    load_size: Pixels = 256
    train_load_size: Pixels = 286
    crop_size: Pixels = 256
    aspect_ratio: Ratio = 1.0
    palette: str | None = None

    @property
    def semantics(self) -> SemanticsConfig:
        """How ids become channels."""
        if self.raw_ids:
            return SemanticsConfig(label_nc=self.label_nc + 1, edges=self.instances)
        return SemanticsConfig(
            label_nc=self.label_nc, unknown=self.contain_dontcare_label, edges=self.instances
        )

    def changed(self, **values: object) -> "Preset":
        """With the values that are not None, checked."""
        try:
            return Preset.model_validate(
                self.model_dump() | {k: v for k, v in values.items() if v is not None}
            )
        except ValidationError as error:
            first = Misfit.first_of(error)
            raise ValueError(f"--{first.key} {first.came}: {first.said}") from error

    def colors(self) -> Palette | None:
        """The shipped palette where the number of classes is the published one: what colours mean."""
        named = self.palette is not None and self.label_nc == NAMED[self.palette]
        return Palette.load(self.palette) if named else None  # type: ignore[arg-type]

    def names(self) -> Palette:
        """The shipped palette where the number of classes is the published one, else plain numbers."""
        if palette := self.colors():
            return palette
        classes = tuple(Category(id=i, name=f"class {i}") for i in range(min(self.label_nc, 255)))
        return Palette(
            name=f"{self.name}_{self.label_nc}",
            unknown=255 if self.contain_dontcare_label else None,
            classes=classes,
        )


NAMED = {"coco_stuff": 182, "ade20k": 150, "cityscapes": 35, "facades": 12}
"""How many classes the published code counts where a palette of ours names them."""

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(name="coco", label_nc=182, contain_dontcare_label=True, instances=True, palette="coco_stuff"),
        Preset(name="ade20k", label_nc=150, contain_dontcare_label=True, raw_ids=True, palette="ade20k"),
        Preset(
            name="cityscapes",
            label_nc=35,
            instances=True,
            preprocess_mode="fixed",
            load_size=512,
            train_load_size=512,
            crop_size=512,
            aspect_ratio=2.0,
            palette="cityscapes",
        ),
        Preset(name="facades", label_nc=13, palette="facades"),
        Preset(name="custom", label_nc=13, instances=True),
    )
}


def preset(name: str) -> Preset:
    """The preset of a data set. Raises ValueError with near misses."""
    if name not in PRESETS:
        hint = near_misses(name, PRESETS)
        raise Fault(f"no data set {name!r}", f"choose one of {', '.join(PRESETS)}.{hint}")
    return PRESETS[name]


def label_colors() -> NDArray[np.uint8]:
    """The published table for label maps on screen: (256, 3) uint8, by channel.

    Row i is i + 1 with its bits dealt to red, green and blue in turn, the lowest bit the brightest. It serves
    every data set: the tables of COCO and Cityscapes are there, but never reached.
    """
    numbers = np.arange(1, 257)
    table = np.zeros((256, 3), np.uint8)
    for turn in range(8):
        for color in range(3):
            table[:, color] |= ((numbers >> (3 * turn + color) & 1) << (7 - turn)).astype(np.uint8)
    return table


def colored(ids: NDArray[np.uint8], semantics: SemanticsConfig) -> NDArray[np.uint8]:
    """Ids (H, W) as the published pages show them: (H, W, 3) uint8."""
    channels = np.where(ids == 255, semantics.label_nc, ids) if semantics.unknown else ids
    return label_colors()[channels]
