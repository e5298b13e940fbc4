"""The uncurated gallery: every n-th map with all that was painted of it, the worst marked like the best.

One folder with a page and its pictures, which works from the disk and without a network. (H, W) pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spadework.evaluation.canvases import SHOWN, Canvas, write_sheet
from spadework.evaluation.measures import MEASURES
from spadework.evaluation.observing import Shown
from spadework.evaluation.report import Report
from spadework.files import Fault, atomic_write
from spadework.sketch.labelmap import LabelMap

PAGE = Path(__file__).with_suffix(".html")

QUALITY = 80
"""Of the lossy WebP pictures."""

SCORES = {
    "obedience": ("obedience", "share of pixels in which the segmenter sees what was sketched", 1),
    "realism": ("realism", "what the segmenter says of likeness to photos", 1),
    "distance": ("distance", "perceptual distance to the real photo", -1),
}
"""By key of `Shown.scores`: its word, its meaning, and 1 where more is better, -1 where less is."""

MARKED = 3
"""So many pictures are marked as the worst, and as the best."""


@dataclass(frozen=True)
class _Entry:
    name: str
    classes: dict[str, str]  # name -> colour
    pictures: dict[str, str]  # caption -> file, relative to the page
    scores: dict[str, float]


class Gallery:
    """Writes the pictures of every `every`-th map that it is shown, and then the page.

    `photos`: whether the real photos are shown too; leave them out of pages that are published. `given`: the
    pictures are another method's, of no seed that we know.
    """

    def __init__(self, folder: Path, every: int = 1, photos: bool = True, given: bool = False) -> None:
        if every < 1:
            raise Fault(f"every {every}th map is impossible", "give 1 or more")
        self.folder, self.every, self.photos, self.given = folder, every, photos, given
        self._seen = 0
        self._entries: list[_Entry] = []

    def add(self, shown: Shown) -> None:
        """Takes a map, or leaves it out as the rule says."""
        self._seen += 1
        if (self._seen - 1) % self.every:
            return
        pictures = {"sketch": shown.sketch.colorize()}
        names = ["picture"] if self.given else [f"seed {seed}" for seed in range(len(shown.pictures))]
        pictures |= dict(zip(names, shown.pictures, strict=True))
        if shown.read is not None:
            share = 1 - shown.scores["obedience"]
            pictures[f"disobeyed: {share:.0%}"] = disobedience(shown.pictures[0], shown.sketch, shown.read)
        if self.photos:
            pictures["real photo"] = shown.photo
        number = len(self._entries)
        files = {caption: self._write(f"{number}-{i}", p) for i, (caption, p) in enumerate(pictures.items())}
        palette = shown.sketch.palette
        colors = {name: bytes(palette.colors()[palette.id_of(name)]).hex() for name in shown.sketch.counts()}
        self._entries.append(_Entry(shown.name, colors, files, shown.scores))

    def rule(self) -> str:
        """How the maps were chosen."""
        which = "Every map" if self.every == 1 else f"Every {self.every}th map, beginning with the first,"
        seed = "as given" if self.given else "seed 0"
        return f"{which} of {self._seen} in the order of their names; {seed}. Nothing was selected."

    def write(self, report: Report, canvases: Sequence[Canvas] = ()) -> Path:
        """The page, when all maps were added; with their sheet, if there are any `canvases`."""
        ranked = sorted(self._entries, key=_goodness)
        few = MARKED if len(ranked) >= 4 * MARKED else min(1, len(ranked) // 2)
        marks = {entry.name: "worst" for entry in ranked[:few]}
        marks |= {entry.name: "best" for entry in ranked[len(ranked) - few :]}
        keys = [key for key in SCORES if key in ranked[0].scores] if ranked else []
        classes = sorted({name for entry in self._entries for name in entry.classes})
        parts = {
            "title": escape(f"{report.model}: painted from {len(self._entries)} maps"),
            "about": _about(self.rule(), report, keys),
            "figures": _figures(report),
            "flood": _flood(self.folder, canvases),
            "sorts": _sorts(keys),
            "classes": "".join(f"<option>{escape(name)}</option>" for name in classes),
            "articles": "\n".join(
                _article(number, entry, marks.get(entry.name)) for number, entry in enumerate(self._entries)
            ),
        }
        page = PAGE.read_text()
        for key, text in parts.items():
            page = page.replace(f"{{{{{key}}}}}", text)
        atomic_write(self.folder / "index.html", page.encode())
        return self.folder / "index.html"

    def _write(self, name: str, pixels: NDArray[np.uint8]) -> str:
        file = self.folder / "pictures" / f"{name}.webp"
        file.parent.mkdir(parents=True, exist_ok=True)
        flat = name.endswith("-0")  # a sketch has few colours and hard edges
        Image.fromarray(pixels).save(file, lossless=flat, quality=QUALITY, method=4)
        return quote(file.relative_to(self.folder).as_posix())


def disobedience(picture: NDArray[np.uint8], sketch: LabelMap, read: LabelMap) -> NDArray[np.uint8]:
    """The picture (H, W, 3) pale and grey, and in the colour of what is read where that was not sketched."""
    grey = picture.mean(2, keepdims=True).repeat(3, 2) * 0.5 + 110
    known = np.isin(sketch.ids, [c.id for c in sketch.palette.classes])
    wrong = (known & (sketch.ids != read.ids))[..., None]
    return np.where(wrong, 0.35 * grey + 0.65 * read.colorize(), grey).astype(np.uint8)


def _goodness(entry: _Entry) -> float:
    """By the first of SCORES that there is."""
    key = next(key for key in SCORES if key in entry.scores)
    return SCORES[key][2] * entry.scores[key]


def _about(rule: str, report: Report, keys: list[str]) -> str:
    scores = [f"{SCORES[key][0].capitalize()}: {SCORES[key][1]}." for key in keys]
    overlay = "Disobeyed: where the segmenter sees another class than was sketched, in that class's colour."
    lines = [rule, *scores, *([overlay] if "obedience" in keys else [])]
    lines += [f"Worst and best are marked by {SCORES[key][0]}." for key in keys[:1]]
    lines += [f"Warning: {warning}." for warning in report.warnings]
    return "\n".join(f"<p>{escape(line)}</p>" for line in lines)


def _figures(report: Report) -> str:
    meanings = {measure.name: measure.means for measure in MEASURES}
    rows = [
        f"<tr><th>{name}</th><td class=number>{f.value}</td><td class=number>{f.low} to {f.high}</td>"
        f"<td class=number>{'' if f.real is None else f.real}</td><td>{escape(meanings[name])}</td></tr>"
        for name, f in report.figures.items()
    ]
    terms = [f"<tr><th>{key}</th><td>{escape(value)}</td></tr>" for key, value in report.terms.words()]
    head = "<tr><th></th><th>value</th><th>95 %</th><th>real photos</th><th></th></tr>"
    tables = [f"<table>{head}{''.join(rows)}</table>", *_textures(report)]
    return "<br>".join([*tables, f"<table>{''.join(terms)}</table>"])


def _textures(report: Report) -> list[str]:
    """A table of the classes, if there is any."""
    titles, rows = report.texture_table()
    head = "".join(f"<th>{title}</th>" for title in titles)
    lines = [
        f"<tr><th>{escape(name)}</th>{''.join(f'<td class=number>{cell}</td>' for cell in cells)}</tr>"
        for name, *cells in rows
    ]
    return [f"<table><tr>{head}</tr>{''.join(lines)}</table>"] if lines else []


def _flood(folder: Path, canvases: Sequence[Canvas]) -> str:
    """Writes the flood-fill sheet; the part of the page that shows it."""
    if not canvases:
        return ""
    file = write_sheet(folder / "flood.jpg", canvases).name
    text = f"Every class alone: {SHOWN} draws of one style, {SHOWN} moods"
    image = f'<img loading="lazy" src="{file}" alt="{text}">'
    return f'<details open><summary>{text}</summary><a href="{file}">{image}</a></details>'


def _sorts(keys: list[str]) -> str:
    """Values are a key and a sign: 1 for the smallest first."""
    options = {"order of names": "number 1"}
    for key in keys:
        word, _, sign = SCORES[key]
        options |= {f"{word}, worst first": f"{key} {sign}", f"{word}, best first": f"{key} {-sign}"}
    return "".join(f'<option value="{value}">{text}</option>' for text, value in options.items())


def _article(number: int, entry: _Entry, mark: str | None) -> str:
    scores = "".join(f' data-{key}="{value:.5f}"' for key, value in entry.scores.items())
    told = ", ".join(f"{SCORES[key][0]} {entry.scores[key]:.3g}" for key in SCORES if key in entry.scores)
    badge = f'<span class="{mark}">{mark}</span>, ' if mark else ""
    figures = "".join(_figure(entry.name, caption, file) for caption, file in entry.pictures.items())
    classes = " ".join(
        f'<i style="background:#{color}"></i>{escape(name)}' for name, color in entry.classes.items()
    )
    return (
        f'<article data-number="{number}" data-classes="{escape("|".join(entry.classes))}"{scores}>'
        f'<h2>{escape(entry.name)}</h2><div class="scores">{badge}{told}<br>{classes}</div>'
        f'<div class="row">{figures}</div></article>'
    )


def _figure(name: str, caption: str, file: str) -> str:
    image = f'<img loading="lazy" src="{file}" alt="{escape(f"{name}: {caption}")}">'
    return (
        f'<figure><button type="button">{image}</button><figcaption>{escape(caption)}</figcaption></figure>'
    )
