"""Measures pictures of held-out maps: those that a model paints, or those of another method's folder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import PIL
import torch
from numpy.typing import NDArray

from spadework import __version__
from spadework.data.sample import Sample
from spadework.engine import Engine
from spadework.evaluation import consistency
from spadework.evaluation.canvases import MOODS, Canvas, canvas_table, frequent, paint_canvas
from spadework.evaluation.measures import MEASURES, Measure, Table, take
from spadework.evaluation.metrics import bootstrap_error
from spadework.evaluation.observing import Instruments, Observer, Shown
from spadework.evaluation.pictures import GivenPictures, PaintedPictures
from spadework.evaluation.protocols import SHAPES, Protocol
from spadework.evaluation.report import ClassScore, ClassTexture, Figure, Report, Terms
from spadework.evaluation.texture import quotient, structure
from spadework.files import Fault
from spadework.model import Checkpoint
from spadework.segmenter.scores import class_ious
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette
from spadework.training.export import machine

LEFT_OUT = (
    "diversity: several pictures of every map would be needed",
    "structure, detail, statistics gap: the model itself would be needed",
)
"""What is not measured of given pictures, and why."""

NOT_STYLED = "fd_own_style, style_followed: pictures in the styles of the maps' photos would be needed"


@dataclass(frozen=True)
class Names:
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

    One candidate, seed 0, every map, nothing selected. Then every class that is in the maps is painted
    alone, at most `canvases.MOST` of them.

    `seeds` overrides the protocol's. Raises ValueError for fewer than 4 pairs, for instruments that the
    protocol or the candidates need and that are missing, for a segmenter that judges its own choice, and as
    `Engine.paint` does.
    """
    _demand_complete(len(pairs), protocol, instruments, candidates)
    _demand_independent(names)
    engine, size = Engine(checkpoint, device), checkpoint.card.generator.size
    seeds = seeds or protocol.seeds
    observer = Observer(PaintedPictures(engine, seeds, candidates, instruments.reader), instruments)
    maps: list[LabelMap] = []

    def listen(shown: Shown) -> None:
        maps.extend([shown.sketch] if len(maps) < consistency.MAPS else [])
        listener(shown)

    table = _observed(observer, pairs, protocol, size, listen)
    canvases: list[Canvas] = []
    for name in frequent(table["pixels"], engine.palette):
        canvases.append(paint_canvas(engine, name))
        canvas_listener(canvases[-1])
    gap = consistency.statistics_gap(checkpoint, engine, maps)
    terms = _terms(protocol, names, instruments, observer, len(pairs), size)
    drawn = {"seed": 0, "seeds": seeds, "candidates": candidates, "moods": MOODS, "referee": names.referee}
    return Report(
        model=checkpoint.card.name,
        images_seen=checkpoint.card.training.images_seen,
        terms=terms.model_copy(update=drawn),
        departs=protocol.departs,
        figures=_figures(table) | _figures(canvas_table(canvases)),
        classes=_classes(table, engine.palette),
        textures=_textures(table, canvases, engine.palette),
        statistics_gap=None if gap is None else round(gap, 4),
        warnings=tuple(filter(None, [consistency.warning(gap)])),
        made_with=_made_with(),
    )


def evaluate_pictures(
    name: str,
    pictures: GivenPictures,
    pairs: Sequence[Sample],
    protocol: Protocol,
    names: Names,
    instruments: Instruments,
    listener: Callable[[Shown], None] = lambda shown: None,
) -> Report:
    """As `evaluate`, to the last digit, of pictures that are there, at their own size.

    `name` is what the report calls the method. Diversity, classes alone and the gap of statistics are left
    out. Raises ValueError as `evaluate`, and as `GivenPictures.of`.
    """
    _demand_complete(len(pairs), protocol, instruments, candidates=1)
    observer = Observer(pictures, instruments)
    table = _observed(observer, pairs, protocol, pictures.size, listener)
    styled = () if "own" in pictures.roles else (NOT_STYLED,)
    return Report(
        model=name,
        images_seen=None,
        terms=_terms(protocol, names, instruments, observer, len(pairs), pictures.size),
        departs=protocol.departs,
        figures=_figures(table),
        classes=_classes(table, pictures.palette),
        textures=_textures(table, (), pictures.palette),
        statistics_gap=None,
        left_out=(*LEFT_OUT, *styled),
        warnings=(),
        made_with=_made_with(),
    )


def _observed(
    observer: Observer,
    pairs: Sequence[Sample],
    protocol: Protocol,
    size: tuple[int, int],
    listener: Callable[[Shown], None],
) -> Table:
    """What the observer finds in all maps."""
    for i in range(len(pairs)):
        listener(observer.observe(protocol.shaped(pairs[i], size)))
    return observer.table()


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
    """Those of given pictures; what says how many were drawn is None."""
    nets = {"lite0": instruments.lite0, "inception": instruments.inception}
    return Terms(
        protocol=protocol.name,
        reference=f"{names.data}: {protocol.reference}",
        reference_hash=observer.reference_hash(),
        images=images,
        size=size,
        shape=SHAPES[protocol.shape],
        resize={name: net.resize for name, net in nets.items() if net is not None},
        inception=names.inception,
        segmenter=names.segmenter,
        seed=None,
        moods=None,
    )


def _made_with() -> dict[str, str]:
    return {
        "spadework": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "pillow": PIL.__version__,
        "machine": machine(),
    }
