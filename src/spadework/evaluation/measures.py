"""The figures of a report: each named, explained and computed in one place. N maps, F features, K classes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spadework.evaluation.metrics import Rows, frechet_distance, kernel_distance
from spadework.evaluation.texture import BANDS, PERIODS, phases, quotient, structure
from spadework.segmenter.scores import accuracy, mean_iou

Table = Mapping[str, NDArray]
"""What was observed: by key an array with a row per map (N, ...), or per mood of the canvases (S, K).

See `observing.Observer` and `canvases.canvas_table`.
"""


@dataclass(frozen=True)
class Measure:
    """A figure of a table. `real`: the same measure of real photos, the mark for a model."""

    name: str
    means: str
    needs: tuple[str, ...]
    value: Callable[[Table], float]
    real: Callable[[Table], float] | None = None
    digits: int = 4

    def measurable(self, table: Table) -> bool:
        """Whether all was observed that it needs."""
        return all(key in table for key in self.needs)


def take(table: Table, maps: NDArray[np.intp]) -> Table:
    """The rows of some maps, which may repeat."""
    return {key: rows[maps] for key, rows in table.items()}


Distance = Callable[[Rows, Rows], float]
Score = Callable[[NDArray[np.int64]], float]
Gain = Callable[[NDArray, NDArray, NDArray], float]


def _distance(
    name: str, means: str, of: Distance, network: str, painted: str = "first", half: bool = False
) -> Measure:
    """A distance of distributions. `half`: of every second photo to the paintings of the other maps."""
    photo, paint = f"{network}/photo", f"{network}/{painted}"
    return Measure(
        name,
        means,
        (photo, paint),
        (lambda t: of(t[photo][::2], t[paint][1::2])) if half else (lambda t: of(t[photo], t[paint])),
        lambda t: of(t[photo][::2], t[photo][1::2]),
        2 if of is frechet_distance else 5,
    )


def _mean(name: str, means: str, key: str, real: str | None = None) -> Measure:
    """The mean of a score per map."""
    if real is None:
        return Measure(name, means, (key,), lambda t: float(t[key].mean()))
    return Measure(name, means, (key, real), lambda t: float(t[key].mean()), lambda t: float(t[real].mean()))


def _read(name: str, means: str, score: Score, painted: str, real: str) -> Measure:
    """A score of confusion counts (N, K, K + 1), summed over all maps."""
    value, of_real = (lambda t, key=key: score(t[key].sum(0)) for key in (painted, real))
    return Measure(name, means, (painted, real), value, of_real)


def _gain(name: str, means: str, key: str, digits: int, gain: Gain) -> Measure:
    """How much better the best candidate is than the first."""
    needs = (f"{key}/photo", f"{key}/first", f"{key}/best")
    return Measure(name, means, needs, lambda t: gain(*(t[need] for need in needs)), digits=digits)


Summary = Callable[[NDArray], NDArray | float]
"""Of the rows (N, ...) of all maps."""


def _to_photos(name: str, means: str, key: str, of: Summary) -> Measure:
    """A summary of the paintings' rows over that of the photos', so that 1 is as photos have it."""
    paint, photo = f"{key}/painted", f"{key}/photo"

    def ratio(t: Table, role: str) -> float:
        return float(quotient(np.asarray(of(t[role])), np.asarray(of(t[photo]))))

    return Measure(name, means, (paint, photo), lambda t: ratio(t, paint), lambda t: ratio(t, photo))


def _phase(key: str, period: int, end: str) -> Measure:
    """The smallest or the largest step of a lattice over the mean step: 1 where there is no lattice."""
    extreme, word = {"low": (np.min, "smallest"), "high": (np.max, "largest")}[end]
    value, of_photo = (
        lambda t, role=role: float(extreme(phases(t[role].mean(0), period)))
        for role in (f"{key}/painted", f"{key}/photo")
    )
    means = f"{word} step between {key} mod {period}, over the mean step"
    needs = (f"{key}/painted", f"{key}/photo")
    return Measure(f"{key}_{period}_{end}", means, needs, value, of_photo)


_HALVES = "beside it: photos to photos, half as many, which makes it larger"
_INCEPTION = "Inception-v3 with the standard weights, fed as by pytorch-fid"

_TEXTURE = (
    _to_photos("deviation_inside", "local deviation inside regions, to photos'", "inside", np.sum),
    _to_photos("deviation_outlines", "the same on outlines", "outline", np.sum),
    *(
        _to_photos(
            f"power_{low}_{high}",
            f"power at {low} to {high} cycles per 256 px, to photos'",
            "power",
            lambda rows, band=band: rows[:, band].sum(),
        )
        for band, (low, high) in enumerate(BANDS)
    ),
    *(
        _phase(key, period, end)
        for key in ("rows", "columns")
        for period in PERIODS
        for end in ("low", "high")
    ),
    _to_photos(
        "border_row",
        "step of the whole first row to the second, to photos'",
        "border",
        lambda rows: np.median(rows[:, 0]),
    ),
    _to_photos("border", "the same of all four sides", "border", lambda rows: np.median(rows.mean(1))),
    Measure(
        "structure",
        "two draws on canvases of one class: 0 the same place, 1 another",
        ("apart", "spread"),
        lambda t: float(structure(t["apart"], t["spread"]).mean()),
    ),
    _mean("detail", "mean difference of two draws on these canvases, of [-1, 1]", "detail"),
)

MEASURES = (
    _distance("fd", f"Fréchet distance, EfficientNet-Lite0; {_HALVES}", frechet_distance, "lite0"),
    _distance("fd_half", "the same, one half to the other", frechet_distance, "lite0", half=True),
    _distance("fd_own_style", "fd with every map in its own photo's style", frechet_distance, "lite0", "own"),
    _distance("kd", "kernel distance, Lite0; does not depend on how many", kernel_distance, "lite0"),
    _distance("fid", f"Fréchet distance, {_INCEPTION}; {_HALVES}", frechet_distance, "inception"),
    _distance("fid_half", "the same, one half to the other", frechet_distance, "inception", half=True),
    _distance("kid", f"kernel distance, {_INCEPTION}", kernel_distance, "inception"),
    _read("accuracy", "share of pixels read as sketched", accuracy, "read/first", "read/photo"),
    _read("miou", "mean IoU of the sketched classes", mean_iou, "read/first", "read/photo"),
    _mean("realism", "what the segmenter says of likeness to photos", "realism/first", "realism/photo"),
    _mean("photo_distance", "perceptual distance to the photo; beside it: of two", "to_photo", "to_other"),
    _mean("diversity", "perceptual distance of seeds; beside it: of two photos", "diversity", "to_other"),
    _mean("style_followed", "paintings nearer in colour to their style photo than to another", "followed"),
    _distance("best_fd", "fd of the best candidates", frechet_distance, "lite0", "best"),
    _gain(
        "best_fd_gain",
        "how much smaller than fd that is",
        "lite0",
        2,
        lambda photo, first, best: frechet_distance(photo, first) - frechet_distance(photo, best),
    ),
    _read("best_accuracy", "accuracy of the best, by the referee", accuracy, "referee/best", "referee/photo"),
    _gain(
        "best_accuracy_gain",
        "how much higher than that of the first, by the referee",
        "referee",
        4,
        lambda photo, first, best: accuracy(best.sum(0)) - accuracy(first.sum(0)),
    ),
    *_TEXTURE,
)  # fmt: skip
"""Every figure there is; a report has those for which there was an instrument."""
