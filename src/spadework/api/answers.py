"""What /v1 answers, where that is no file; see `wire` for what is in it."""

from typing import Any, Literal

from spadework.api.wire import Refused, Runs, StyleNumbers, Wire

NOTHING = 254
"""The id of a pixel where a layer is empty; no palette has it."""


class SeedStyle(Wire):
    """The style of a seed for a sketch."""

    seed: int
    style: StyleNumbers


class NamedMood(SeedStyle):
    """A mood for a sketch; `face` is a small PNG of the sketch in it, in base64."""

    name: str
    face: str


class FoundMoods(Wire):
    """The moods that a model has for a sketch. `light`: a seed to begin with, which is not near black."""

    moods: tuple[NamedMood, ...]
    light: int


class ReadLayer(Wire):
    """A layer of a map: `runs` as those of the map, NOTHING where the layer is empty."""

    name: str
    hidden: bool
    locked: bool
    runs: Runs


class ReadMap(Wire):
    """A label map in the classes of a model.

    `palette`: what it was read with. `report`: sentences for a person to check; none if nothing had to be
    done. `layers`: what it is made of, the lowest first, if that is told.
    """

    palette: str
    runs: Runs
    report: tuple[str, ...]
    layers: tuple[ReadLayer, ...] = ()


class OpenedFile(Wire):
    """What a file is. A photograph may come with the label map that it could be, or with why it is none.

    `project`: a drawing as the studio saves it.
    """

    kind: Literal["drawing", "labels", "photo", "nothing"]
    project: dict[str, Any] | None = None
    labels: ReadMap | None = None
    problem: Refused | None = None


class PaletteClass(Wire):
    """A class: its id in a map, its name, its color, #rrggbb, and other words to find it by."""

    id: int
    name: str
    color: str
    aliases: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()


class PaletteInfo(Wire):
    """A palette and its classes."""

    name: str
    classes: tuple[PaletteClass, ...]


class ServedModel(Wire):
    """A model that can be named in requests. `size`: (H, W) that it was trained for.

    `styles`, `photo_styles`: whether it has any, and reads them from photos. `photo_labels`: whether a
    segmenter of its palette is here. `psd`: whether Photoshop's files are written here.
    """

    name: str
    model: str
    version: str
    images_seen: int
    licence_weights: str
    size: tuple[int, int]
    styles: bool
    photo_styles: bool
    photo_labels: bool
    psd: bool
    loaded: bool
    palette: PaletteInfo


class PaintedSize(Wire):
    """What the network paints of a sketch, and how often the enlarger doubles that."""

    width: int
    height: int
    doublings: int


class Start(Wire):
    """A sketch that was composed."""

    title: str
    runs: Runs


class Example(Wire):
    """A sketch to start from; `url`: where its label PNG is."""

    name: str
    title: str
    url: str
