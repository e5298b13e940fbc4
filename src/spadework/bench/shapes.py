"""The networks that are measured."""

from pydantic import BaseModel

from spadework.nn.generator import GeneratorConfig
from spadework.nn.labels import SemanticsConfig

SQUARE, WIDE = (256, 256), (256, 512)

LANDSCAPE = GeneratorConfig(
    semantic_nc=16,
    num_ups=6,
    widths=(384, 384, 320, 192, 96, 32, 16),
    hidden=(64, 64, 64, 64, 64, 32, 32),
    z_dim=64,
    start="point",
    style_blocks=True,
    noise=True,
    padding="replicate",
    label_padding="replicate",
    bilinear_ups=4,
)
"""The shape of the model that ships."""


class Shape(BaseModel):
    """A network to measure: how ids become channels, and the generator; `model` is a shipped one's name."""

    name: str
    semantics: SemanticsConfig
    generator: GeneratorConfig
    model: str | None = None


def _published(name: str, size: tuple[int, int] = SQUARE, **semantics_config: object) -> Shape:
    config = SemanticsConfig.model_validate(semantics_config)
    ups = 6 if name == "cityscapes" else 5
    generator = GeneratorConfig(semantic_nc=config.semantic_nc, size=size, num_ups=ups)
    return Shape(name=name, semantics=config, generator=generator)


FIFTEEN = SemanticsConfig(label_nc=15, unknown=True)
SHAPES = {
    "coco": _published("coco", label_nc=182, unknown=True, edges=True),
    "ade20k": _published("ade20k", label_nc=150, unknown=True),
    "cityscapes": _published("cityscapes", WIDE, label_nc=35, edges=True),
    "wide": Shape(name="landscape", semantics=FIFTEEN, generator=GeneratorConfig(semantic_nc=16, z_dim=256)),
    "landscape": Shape(name="landscape", semantics=FIFTEEN, generator=LANDSCAPE, model="landscape"),
    "tiny": Shape(
        name="landscape",
        semantics=FIFTEEN,
        generator=GeneratorConfig(semantic_nc=16, size=(64, 64), ngf=2, z_dim=8),
    ),
}
