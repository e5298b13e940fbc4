"""`spadework paint`."""

import json
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spadework.cli.loading import Device, Enlarging, Model, Precision, Threads, load
from spadework.cli.segmenters import SHIPPED, load_segmenter
from spadework.cli.telling import bar, complain, show_table, tell

if TYPE_CHECKING:
    from spadework.engine import Engine
    from spadework.lights import Style
    from spadework.picture import Picture
    from spadework.project import Project
    from spadework.segmenter.segmenter import Segmenter
    from spadework.sketch.labelmap import LabelMap

OTHER_PICTURES = (".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")


def paint(
    sketches: Annotated[list[Path], typer.Argument(metavar="SKETCH", help="PNG files, or folders of them.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="PATH", help="Folder for the pictures, or one .png file.")
    ] = Path("out"),
    model: Model = "landscape",
    seed: Annotated[
        int | None,
        typer.Option(metavar="N", help="Decides place and light, 0 by default; same seed, same picture."),
    ] = None,
    style: Annotated[
        str | None,
        typer.Option(
            metavar="PHOTO|seed:N",
            help="Take the light from a photo, from a picture painted here, or from another seed.",
        ),
    ] = None,
    palette: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of the sketches, a name or a .json file, where it is another."),
    ] = None,
    size: Annotated[
        str | None, typer.Option(metavar="WxH", help="Width x height of the picture; default: the sketch's.")
    ] = None,
    upscale: Annotated[
        int, typer.Option(metavar="N", help="Make the picture N times as large as the sketch.")
    ] = 1,
    enlarger: Enlarging = "auto",
    candidates: Annotated[
        int, typer.Option(metavar="N", help="Paint N seeds, from --seed on, and keep the best.")
    ] = 1,
    keep_all: Annotated[
        bool, typer.Option("--keep-all", help="Keep every candidate, as PATH/SKETCH/SEED.png.")
    ] = False,
    segmenter: Annotated[str, typer.Option(metavar="NAME|PATH", help="What orders candidates.")] = SHIPPED,
    device: Device = "auto",
    precision: Precision = "float32",
    threads: Threads = None,
) -> None:
    """Turn sketches into photographs.

    A sketch is a PNG of class ids, or one painted in the colours of the palette (see `spadework palettes
    landscape`), or a drawing of the studio: its project, or a picture that it saved. A drawing has its own
    seed and style, unless --seed or --style is given. So has a picture that was painted here. The photograph
    is as large as the sketch and goes to PATH/SKETCH.png; beyond 256 pixels an enlarger adds the detail. The
    seed decides the place, which is what lies where inside the regions, and the light; with --style only the
    place. Of candidates the one goes there that obeys the sketch and is like a photo; the scores of all go to
    PATH/SKETCH.json.
    """
    found = _targets(sketches, out, seed or 0, candidates, keep_all)
    targets = [replace(target, palette=palette) for target in found]
    seeded = re.fullmatch(r"seed:(\d{1,10})", style or "")
    photo = Path(style) if style and not seeded else None
    _demand_inputs_safe(targets, photo)
    grid = size_of(size)
    from spadework.picture import Picture

    engine = load(model, device, precision, threads, enlarger)
    reader = load_segmenter(segmenter, engine.palette) if candidates > 1 else None
    look = engine.style_of(Picture.read(photo), f"photo {photo.name}") if photo else None
    light = look or (int(seeded[1]) if seeded else None)
    rows, failed = [], 0
    with bar() as progress:
        for target in progress.track(targets, description="painting"):
            try:
                rows += _paint(engine, target, seed, light, grid, upscale, reader)
            except Unreadable as error:
                failed = complain(str(error))
    if rows:
        show_table(["sketch", "seed", "picture", "width x height", "ms"], rows)
        tell(f"{len(rows)} picture{'s' * (len(rows) > 1)} in {out if out.is_file() else f'{out}/'}")
    raise typer.Exit(failed)


class Unreadable(ValueError):
    """One sketch cannot be read; the others can be painted all the same."""


@dataclass(frozen=True)
class Target:
    """A sketch, its seeds, where the picture goes, and the folder of all candidates if they are kept."""

    sketch: Path
    seeds: range
    picture: Path
    folder: Path | None = None
    palette: str | None = None  # of the sketch; None: the model's

    @property
    def scores(self) -> Path:
        """Where the candidates' scores go."""
        return self.picture.with_suffix(".json")

    def files(self) -> list[Path]:
        """Every file that is written."""
        kept = [self.folder / f"{seed}.png" for seed in self.seeds] if self.folder else []
        return [self.picture, *kept, *([self.scores] if len(self.seeds) > 1 else [])]


def _targets(sketches: Sequence[Path], out: Path, seed: int, candidates: int, keep_all: bool) -> list[Target]:
    """Every sketch with its own place below `out`. Raises ValueError where two would share one."""
    if candidates < 1:
        raise ValueError(f"--candidates {candidates}: give 1 or more")
    files = [file for sketch in sketches for file in _files(sketch)]
    single, seeds = _is_file_name(out), range(seed, seed + candidates)
    if single and len(files) > 1:
        raise ValueError(f"-o {out} is one file for {len(files)} sketches: give a folder")
    places: dict[str, Path] = {}
    for file in files:
        stem = file.stem.removesuffix(".spadework")  # of NAME.spadework.json
        if stem in places:
            both = f"{places[stem]} and {file}"
            raise ValueError(f"{both} would both become {out / stem}.png: rename one, or paint it alone")
        places[stem] = file
    pictures = {file: out if single else out / f"{stem}.png" for stem, file in places.items()}
    keep = keep_all and candidates > 1
    return [
        Target(file, seeds, picture, picture.with_suffix("") if keep else None)
        for file, picture in pictures.items()
    ]


def _is_file_name(out: Path) -> bool:
    """Whether -o names one picture. Raises ValueError if that picture would be no PNG."""
    if out.suffix.lower() in OTHER_PICTURES and not out.is_dir():
        raise ValueError(f"-o {out}: only PNG is written: give {out.with_suffix('.png').name}, or a folder")
    return out.suffix.lower() == ".png" and not out.is_dir()


def _files(sketch: Path) -> list[Path]:
    """The file itself, or the PNGs of a folder."""
    if not sketch.is_dir():
        return [sketch]
    shown = [f for f in sorted(sketch.iterdir()) if f.is_file() and not f.name.startswith(".")]
    files = [f for f in shown if f.suffix.lower() == ".png"]
    others = Counter(f.suffix or "without ending" for f in shown if f not in files)
    if files and others:
        told = ", ".join(f"{count} {suffix}" for suffix, count in others.most_common())
        tell(f"{sketch}: passed over, as of other types: {told}")
    if not files:
        raise ValueError(f"no PNG in folder {sketch}: give sketches saved as PNG")
    return files


def _demand_inputs_safe(targets: Sequence[Target], style: Path | None) -> None:
    inputs = {
        file.resolve(): file for file in [*(target.sketch for target in targets), *([style] if style else [])]
    }
    for file in (file for target in targets for file in target.files()):
        if file.resolve() in inputs:
            raise ValueError(f"{inputs[file.resolve()]} would be overwritten: choose another place with -o")


def size_of(text: str | None) -> tuple[int, int] | None:
    """(H, W) of "512x256", which is width x height."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,6})x(\d{1,6})", text.strip().lower())
    if not found:
        raise ValueError(f"--size {text}: give width x height, for example --size 512x256")
    return int(found[2]), int(found[1])


def _paint(
    engine: "Engine",
    target: Target,
    seed: int | None,
    light: "Style | int | None",
    size: tuple[int, int] | None,
    upscale: int,
    reader: "Segmenter | None",
) -> list[list[str]]:
    """Rows for the table. `light`: a style, or the seed that finds one for the sketch.

    Raises Unreadable for a bad sketch, ValueError for what no sketch would survive.
    """
    try:
        project = _drawing(target.sketch)
        sketch = project.sketch(engine.palette) if project else _sketch(engine, target.sketch, target.palette)
        style = engine.sample_style(light, sketch) if isinstance(light, int) else light
        lights = project.lights(engine, sketch) if project and seed is None and style is None else None
        if project and seed is None:
            target = replace(target, seeds=range(project.seed, project.seed + len(target.seeds)))
            style = style or project.style(engine, sketch)
    except ValueError as error:
        raise Unreadable(str(error)) from error
    began = time.perf_counter()
    painted = {
        seed: _carrying(
            engine.paint(sketch, seed, style, size, upscale, lights), sketch, project if lights else None
        )
        for seed in target.seeds
    }
    spent = time.perf_counter() - began
    if reader is None:
        picture, seed = painted[target.seeds[0]], target.seeds[0]
        _save(picture, target.picture)
    else:
        picture, seed = _keep_best(target, sketch, painted, reader)
    height, width = picture.size
    return [[target.sketch.name, str(seed), target.picture.name, f"{width}x{height}", f"{1000 * spent:.0f}"]]


def _carrying(picture: "Picture", sketch: "LabelMap", project: "Project | None") -> "Picture":
    """The picture with its sketch, seed and style in its text, so that it can be painted again.

    `project`: the drawing itself, where it says more than these.
    """
    from spadework.project import Project

    if project is not None:
        return project.placed(picture.provenance["seed"]).carried_by(picture)
    if sketch.instances is not None:
        return picture  # a drawing knows no instances
    return Project.of(sketch, picture).carried_by(picture)


def _keep_best(
    target: Target, sketch: "LabelMap", painted: "dict[int, Picture]", reader: "Segmenter"
) -> "tuple[Picture, int]":
    """Writes the best candidate, all if they are kept, and all scores; returns the best and its seed."""
    from spadework.candidates import ORDER, ordered
    from spadework.files import atomic_write

    rivals = ordered(sketch, painted, reader)
    _save(rivals[0].picture, target.picture)
    if target.folder is not None:
        for rival in rivals:
            _save(rival.picture, target.folder / f"{rival.seed}.png")
    told = {"sketch": target.sketch.name, "order": ORDER, "candidates": [rival.scores() for rival in rivals]}
    atomic_write(target.scores, f"{json.dumps(told, indent=1)}\n".encode())
    return rivals[0].picture, rivals[0].seed


def _drawing(file: Path) -> "Project | None":
    """The drawing in a file of the studio. Raises ValueError for a damaged one."""
    from spadework.files import read_bytes
    from spadework.project import project_in

    return project_in(read_bytes(file), str(file))


def _save(picture: "Picture", target: Path) -> None:
    _make_folder(target)
    picture.save(target)


def _sketch(engine: "Engine", file: Path, palette: str | None) -> "LabelMap":
    """The map in the engine's classes: its own, or another shipped palette's by name. Tells what was changed.

    Only blended edges are repaired; raises ValueError for all else.
    """
    from spadework.files import read_bytes
    from spadework.sketch.opening import Policy, open_map
    from spadework.sketch.palette import Palette

    source = Palette.load(palette) if palette else None
    opened = open_map(read_bytes(file), engine.palette, Policy.EDGES, source, str(file), file)
    for line in opened.report:
        tell(f"{file.name}: {line}")
    return opened.sketch


def _make_folder(target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise ValueError(f"cannot make the folder {target.parent} ({reason}): choose another -o") from error
