"""Measures a model on held-out pairs: one candidate, seed 0, every map, nothing selected."""

from collections.abc import Callable, Sequence

import numpy as np
import PIL
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from spadework import __version__
from spadework.data.sample import Sample
from spadework.engine import Engine
from spadework.evaluation import consistency
from spadework.evaluation.canvases import MOODS, Canvas, canvas_table, frequent, paint_canvas
from spadework.evaluation.measures import MEASURES, Measure, Table, take
from spadework.evaluation.metrics import RESAMPLES, bootstrap_error
from spadework.evaluation.observing import Instruments, Observer, Shown
from spadework.evaluation.protocols import SHAPES, Protocol
from spadework.evaluation.texture import quotient, structure
from spadework.files import Fault
from spadework.model import Checkpoint
from spadework.segmenter.scores import class_ious
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette
from spadework.training.export import machine


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
    seed: int = Field(default=0, description="of the one candidate that all figures but diversity are of")
    seeds: int = Field(description="pictures per map for diversity: seeds 0, 1, ...")
    resize: dict[str, str] = Field(description="by network: how pictures come to its size")
    inception: str | None = Field(description="hash of the weight file")
    segmenter: str | None = Field(description="what reads the pictures; of a file its name and hash")
    referee: str | None = Field(description="the segmenter that judges what the first one has ordered")
    candidates: int = Field(description="pictures that `best` is the best of")
    moods: int = Field(
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
    images_seen: int
    terms: Terms
    departs: str = Field(description="what is not as in the publication that the protocol follows")
    figures: dict[str, Figure]
    classes: dict[str, ClassScore]
    textures: dict[str, ClassTexture] = Field(default={}, description="by class, the most frequent first")
    statistics_gap: float | None = Field(description="see consistency.py; None without batch norm")
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
        return flat | {"images": self.terms.images, "seed": self.terms.seed, "protocol": self.terms.protocol}


class Names(_Frozen):
    """What the report calls the things that it was given."""

    data: str
    inception: str | None = None
    segmenter: str | None = None
    referee: str | None = None


def evaluate(
    checkpoint: Checkpoint,
    pairs: Sequence[Sample],
    protocol: Protocol,
    names: Names,
    instruments: Instruments,
    seeds: int | None = None,
    candidates: int = 1,
    device: str = "cpu",
    listener: Callable[[Shown], None] = lambda shown: None,
    canvas_listener: Callable[[Canvas], None] = lambda canvas: None,
) -> Report:
    """Paints every map at the model's own size and compares with the photos; the listener sees each map.

    Then every class that is in the maps is painted alone, at most `canvases.MOST` of them.

    `seeds` overrides the protocol's. Raises ValueError for fewer than 4 pairs, for instruments that the
    protocol or the candidates need and that are missing, for a segmenter that judges its own choice, and as
    `Engine.paint` does.
    """
    _demand_complete(len(pairs), protocol, instruments, candidates)
    _demand_independent(names)
    engine = Engine(checkpoint, device)
    size = checkpoint.card.generator.size
    observer = Observer(engine, instruments, seeds or protocol.seeds, candidates)
    maps: list[LabelMap] = []
    for i in range(len(pairs)):
        shown = observer.observe(protocol.shaped(pairs[i], size))
        maps += [shown.sketch] if len(maps) < consistency.MAPS else []
        listener(shown)
    table = observer.table()
    canvases: list[Canvas] = []
    for name in frequent(table["pixels"], engine.palette):
        canvases.append(paint_canvas(engine, name))
        canvas_listener(canvases[-1])
    gap = consistency.statistics_gap(checkpoint, engine, maps)
    terms = _terms(protocol, names, instruments, observer, len(pairs), size)
    return Report(
        model=checkpoint.card.name,
        images_seen=checkpoint.card.training.images_seen,
        terms=terms,
        departs=protocol.departs,
        figures=_figures(table) | _figures(canvas_table(canvases)),
        classes=_classes(table, engine.palette),
        textures=_textures(table, canvases, engine.palette),
        statistics_gap=None if gap is None else round(gap, 4),
        warnings=tuple(filter(None, [consistency.warning(gap)])),
        made_with=_made_with(),
    )


def _demand_complete(pairs: int, protocol: Protocol, instruments: Instruments, candidates: int) -> None:
    if pairs < 4:
        raise Fault(f"{pairs} pairs are too few to measure a distance", "give at least 4, better 500")
    if protocol.inception and instruments.inception is None:
        raise Fault(
            f"protocol {protocol.name} is FID, for which the standard Inception weights are needed",
            "give --inception pt_inception-2015-12-05-6726825d.pth (nothing is downloaded)",
        )
    if candidates > 1 and (instruments.reader is None or instruments.referee is None):
        raise Fault(
            f"{candidates} candidates are ordered by one segmenter and judged by another",
            "give --segmenter and --referee",
        )


def _demand_independent(names: Names) -> None:
    if names.referee is not None and names.referee == names.segmenter:
        raise Fault(
            f"segmenter {names.segmenter} would judge what it has ordered itself",
            "give another --referee",
        )


def _figures(table: Table) -> dict[str, Figure]:
    """What can be measured of a table; without the figures of which it has nothing, as of blank photos."""
    found = {measure.name: _figure(measure, table) for measure in MEASURES if measure.measurable(table)}
    return {name: figure for name, figure in found.items() if figure is not None}


def _figure(measure: Measure, table: Table) -> Figure | None:
    seen = {key: table[key] for key in measure.needs}
    value = measure.value(seen)
    if not np.isfinite(value):
        return None
    count = len(seen[measure.needs[0]])
    reach = 1.96 * bootstrap_error(lambda rows: measure.value(take(seen, rows)), count)
    real = float("nan") if measure.real is None else measure.real(seen)
    rounded = [round(number, measure.digits) for number in (value, value - reach, value + reach, real)]
    value, low, high, real = rounded
    return Figure(value=value, low=low, high=high, real=real if np.isfinite(real) else None)


def _classes(table: Table, palette: Palette) -> dict[str, ClassScore]:
    """The classes that are in some map, the most frequent first."""
    if "read/first" not in table:
        return {}
    painted, real = (table[f"read/{role}"].sum(0) for role in ("first", "photo"))
    shares, ious, of_real = quotient(painted.sum(1), painted.sum()), class_ious(painted), class_ious(real)
    found = {
        c.name: ClassScore(iou=_four(ious[i]), real=_four(of_real[i]), share=_four(shares[i]))
        for i, c in enumerate(palette.classes)
        if shares[i] > 0
    }
    return dict(sorted(found.items(), key=lambda item: -item[1].share))


def _textures(table: Table, canvases: Sequence[Canvas], palette: Palette) -> dict[str, ClassTexture]:
    """The classes that are in some map, the most frequent first."""
    total = {key: table[key].sum(0) for key in ("pixels", "windows", "inside/painted", "inside/photo")}
    shares, photos = total["pixels"] / len(table["pixels"]), quotient(total["inside/photo"], total["windows"])
    deviations = quotient(total["inside/painted"], total["inside/photo"])
    alone = {canvas.name: canvas.rows() for canvas in canvases}
    nothing = dict.fromkeys(("apart", "spread", "detail", "alone"), np.full(1, np.nan))
    found = {}
    for i, name in enumerate(c.name for c in palette.classes):
        if shares[i] > 0:
            rows = alone.get(name, nothing)
            found[name] = ClassTexture(
                share=_four(shares[i]),
                photos=_known(photos[i]),
                deviation=_known(deviations[i]),
                alone=_known(quotient(rows["alone"].mean(), photos[i])),
                structure=_known(structure(rows["apart"], rows["spread"])),
                detail=_known(rows["detail"].mean()),
            )
    return dict(sorted(found.items(), key=lambda item: -item[1].share))


def _four(value: float) -> float:
    """Of four digits."""
    return round(float(value), 4)


def _known(value: NDArray | float) -> float | None:
    """Of four digits; None for nan."""
    return _four(float(value)) if np.isfinite(value) else None


def _terms(
    protocol: Protocol,
    names: Names,
    instruments: Instruments,
    observer: Observer,
    images: int,
    size: tuple[int, int],
) -> Terms:
    nets = {"lite0": instruments.lite0, "inception": instruments.inception}
    return Terms(
        protocol=protocol.name,
        reference=f"{names.data}: {protocol.reference}",
        reference_hash=observer.reference_hash(),
        images=images,
        size=size,
        shape=SHAPES[protocol.shape],
        seeds=observer.seeds,
        resize={name: net.resize for name, net in nets.items() if net is not None},
        inception=names.inception,
        segmenter=names.segmenter,
        referee=names.referee,
        candidates=observer.candidates,
    )


def _made_with() -> dict[str, str]:
    return {
        "spadework": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "pillow": PIL.__version__,
        "machine": machine(),
    }


def compare(a: Report, b: Report) -> list[tuple[str, Figure, Figure, bool]]:
    """The figures that both have: name, a's, b's, and whether their intervals are apart.

    Raises ValueError with the reasons where they were not measured alike.
    """
    terms = zip(a.terms, b.terms, strict=True)
    faults = [f"{name} is {one!r} and {other!r}" for (name, one), (_, other) in terms if one != other]
    if faults:
        reasons = "; ".join(faults)
        raise ValueError(f"these reports cannot be compared: {reasons}: evaluate both models alike")
    both = [name for name in a.figures if name in b.figures]
    figures = [(name, a.figures[name], b.figures[name]) for name in both]
    return [(name, one, other, one.high < other.low or other.high < one.low) for name, one, other in figures]
