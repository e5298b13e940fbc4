"""What was measured, against what and with what, and when two of it may be compared."""

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field

from spadework.evaluation.canvases import MOODS
from spadework.evaluation.metrics import RESAMPLES


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Figure(_Frozen):
    """A measured value, its 95 % interval over the maps, and the same measure of real photos."""

    value: float
    low: float
    high: float
    real: float | None


class ClassScore(_Frozen):
    """One class as the segmenter reads it: IoU in paintings and in photos, and its share of the maps."""

    iou: float
    real: float
    share: float


class ClassTexture(_Frozen):
    """One class: its share of the maps, local deviation inside its regions, and what its canvases show.

    None: no window lies inside a region of it, or it got no canvas.
    """

    share: float
    photos: float | None = Field(description="local deviation of photos, of [-1, 1]")
    deviation: float | None = Field(description="that of paintings, over that of photos")
    alone: float | None = Field(description="that of canvases of this class, over that of photos")
    structure: float | None = Field(description="two draws on a canvas: 0 the same place, 1 another")
    detail: float | None = Field(description="mean difference of two draws on a canvas, of [-1, 1]")


class Terms(_Frozen):
    """What figures depend on besides the model: two reports are compared only where all of it is equal."""

    protocol: str = Field(description="the rules by which it was done")
    reference: str = Field(description="the pairs, and what the distances are taken to")
    reference_hash: str = Field(description="of all maps and photos as they were compared")
    images: int = Field(description="pairs; every map is painted")
    size: tuple[int, int] = Field(description="H, W of photos and paintings")
    shape: str = Field(description="how the pairs came to that size")
    seed: int | None = Field(
        default=0, description="of the one candidate that all figures but diversity are of"
    )
    seeds: int | None = Field(default=None, description="pictures per map for diversity: seeds 0, 1, ...")
    resize: dict[str, str] = Field(description="by network: how pictures come to its size")
    inception: str | None = Field(description="hash of the weight file")
    segmenter: str | None = Field(description="what reads the pictures; of a file its name and hash")
    referee: str | None = Field(
        default=None, description="the segmenter that judges what the first one has ordered"
    )
    candidates: int | None = Field(default=None, description="pictures that `best` is the best of")
    moods: int | None = Field(
        default=MOODS, description="styles (seeds 0, 1, ...) in which canvases of one class are painted twice"
    )
    intervals: str = Field(
        default=f"1.96 bootstrap standard errors, {RESAMPLES} resamples of maps or moods, seed 0",
        description="how far the intervals reach",
    )

    def words(self) -> list[tuple[str, str]]:
        """For people: what is stated, and its value."""
        given = {name: value for name, value in self if value is not None}
        given |= {
            "size": "{1}x{0}".format(*self.size),
            "resize": "; ".join(map(": ".join, self.resize.items())),
        }
        return [(name.replace("_", " "), str(value)) for name, value in given.items()]


class Report(_Frozen):
    """What was measured, against what, with what. No times are in it: the same run gives the same report."""

    model: str
    images_seen: int | None = Field(description="in training; None of pictures that were given")
    terms: Terms
    departs: str = Field(description="what is not as in the publication that the protocol follows")
    figures: dict[str, Figure]
    classes: dict[str, ClassScore]
    textures: dict[str, ClassTexture] = Field(default={}, description="by class, the most frequent first")
    statistics_gap: float | None = Field(description="see consistency.py; None without batch norm")
    left_out: tuple[str, ...] = Field(default=(), description="figures that given pictures cannot have")
    warnings: tuple[str, ...]
    made_with: dict[str, str]

    def texture_table(self) -> tuple[list[str], list[list[str]]]:
        """For people: titles, and a row of cells per class."""
        rows = [
            [name, f"{texture.share:.1%}", *("" if v is None else f"{v:.3f}" for _, v in list(texture)[1:])]
            for name, texture in self.textures.items()
        ]
        return ["class", *ClassTexture.model_fields], rows

    def metrics(self) -> dict[str, float | str]:
        """For a model's card: every figure with what it is beside."""
        flat: dict[str, float | str] = {name: figure.value for name, figure in self.figures.items()}
        flat |= {f"{n}_real": f.real for n, f in self.figures.items() if f.real is not None}
        terms = self.terms
        return flat | {"images": terms.images, "seed": terms.seed or 0, "protocol": terms.protocol}


OF_DRAWS = ("seed", "seeds", "referee", "candidates", "moods")
"""Terms on which nothing depends that can be measured of given pictures."""


def demand_alike(a: Report, b: Report) -> None:
    """ValueError with the reasons where two reports were not measured alike."""
    faults = [
        f"{name} is {one!r} and {other!r}" for name, one, other in _shared(a.terms, b.terms) if one != other
    ]
    if faults:
        reasons = "; ".join(faults)
        raise ValueError(f"these reports cannot be compared: {reasons}: evaluate both models alike")


def _shared(a: Terms, b: Terms) -> Iterator[tuple[str, object, object]]:
    """Name and values of the terms on which figures of both reports depend."""
    given = a.seeds is None or b.seeds is None
    for (name, one), (_, other) in zip(a, b, strict=True):
        if not (given and name in OF_DRAWS):
            yield name, one, other


def apart(one: Figure, other: Figure) -> bool:
    """Whether the intervals of two figures do not touch."""
    return one.high < other.low or other.high < one.low


def compare(a: Report, b: Report) -> list[tuple[str, Figure, Figure, bool]]:
    """The figures that both have: name, a's, b's, and whether their intervals are apart.

    Raises ValueError with the reasons where they were not measured alike.
    """
    demand_alike(a, b)
    figures = [(name, a.figures[name], b.figures[name]) for name in a.figures if name in b.figures]
    return [(name, one, other, apart(one, other)) for name, one, other in figures]
