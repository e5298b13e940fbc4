"""`spadework evaluate`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spadework.cli.loading import Device
from spadework.cli.segmenters import SHIPPED, load_segmenter, shipped_segmenter
from spadework.cli.telling import bar, show_table, tell

if TYPE_CHECKING:
    from spadework.data.folder import PairedFolder
    from spadework.evaluation.canvases import Canvas
    from spadework.evaluation.evaluate import Names
    from spadework.evaluation.observing import Instruments, Shown
    from spadework.evaluation.report import Report
    from spadework.sketch.palette import Palette

    Measuring = tuple[PairedFolder, Callable[[Callable[[Shown], None], Callable[[Canvas], None]], Report]]

MODEL = "landscape"
"""What is measured where nothing is named."""


def evaluate(
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help=f"A shipped model, or a .safetensors file; else {MODEL}."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder or tar of images/ and labels/.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which split of DIR, if it has any.")
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Measure the pictures in DIR, named as the maps, and no model."),
    ] = None,
    own_style: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="With --pictures: others, in the styles of the maps' photos."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="With --pictures: the method; else the folder's name."),
    ] = None,
    palette: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="With --pictures: the classes of the maps; else the segmenter's."),
    ] = None,
    protocol: Annotated[
        str, typer.Option(metavar="NAME", help="spadework, spade, oasis or gan-compression.")
    ] = "spadework",
    seeds: Annotated[
        int | None, typer.Option(metavar="N", help="Pictures per map, for diversity; else the protocol's.")
    ] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report there too.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="DIR", help="Write a gallery there.")] = None,
    every: Annotated[int, typer.Option(metavar="N", help="Every Nth map goes into the gallery.")] = 1,
    no_photos: Annotated[
        bool, typer.Option("--no-photos", help="Leave the real photos out of the gallery.")
    ] = False,
    write: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the pictures there: seed-0/, ..., and own-style/."),
    ] = None,
    card: Annotated[bool, typer.Option("--card", help="Write the figures on the model file's card.")] = False,
    inception: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="pt_inception-2015-12-05-6726825d.pth, for FID and KID."),
    ] = None,
    segmenter: Annotated[
        str | None, typer.Option(metavar="NAME|PATH", help=f"For mIoU and accuracy; else {SHIPPED}.")
    ] = None,
    candidates: Annotated[
        int, typer.Option(metavar="N", help="Measure also the best of N seeds against the first.")
    ] = 1,
    referee: Annotated[
        str | None, typer.Option(metavar="NAME|PATH", help="A second segmenter, to judge those candidates.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Measure a model on held-out pairs, or with --pictures what another method painted of them.

    Every map is painted; all figures but diversity are of the one candidate with seed 0, and nothing is
    selected. The networks that measure are in no training loss. Beside each figure stands the same measure
    of real photos. In the end every class is painted alone: the sheet of that lies beside the report and in
    the gallery. Of given pictures what needs the model itself, or several pictures of a map, is left out.
    """
    if data is None:
        raise ValueError("no --data: give the folder that holds images/ and labels/")
    from spadework.engine import model_file
    from spadework.evaluation.canvases import Canvas, write_sheet
    from spadework.evaluation.gallery import Gallery

    against = Against(data, split, protocol, inception, segmenter, referee)
    if pictures is None:
        _demand_absent(
            {"--own-style": own_style, "--name": name, "--palette": palette}, "goes with --pictures"
        )
        model = model or MODEL
        pairs, measure = _of_model(model, against, seeds, candidates, device)
    else:
        several = {"--seeds": seeds, "--candidates": candidates > 1, "--referee": referee}
        only = {"MODEL": model, "--card": card, "--write": write} | several
        _demand_absent(only, "is of a model, and --pictures measures what is there")
        pairs, measure = _of_pictures(pictures, own_style, name, palette, against)
    gallery = None if html is None else Gallery(html, every, photos=not no_photos, given=pictures is not None)
    canvases: list[Canvas] = []
    with bar() as progress:
        task = progress.add_task("measuring" if pictures else "painting", total=len(pairs))

        def listen(shown: "Shown") -> None:
            if gallery is not None:
                gallery.add(shown)
            if write is not None:
                _write_pictures(write, shown)
            progress.advance(task)

        def listen_alone(canvas: Canvas) -> None:
            canvases.append(canvas)
            progress.update(task, description=f"{canvas.name} alone")

        report = measure(listen, listen_alone)
    _show(report)
    if gallery is not None:
        tell(f"gallery: {gallery.write(report, canvases)}")
    _keep(report, json, model_file(model) if card and model else None)
    if json is not None and canvases:
        tell(f"every class alone: {write_sheet(json.with_suffix('.flood.jpg'), canvases)}")


def _demand_absent(options: dict[str, object], why: str) -> None:
    """ValueError where one of these was given."""
    for option, value in options.items():
        if value not in (None, False):
            raise ValueError(f"{option} {why}: leave it out")


@dataclass(frozen=True)
class Against:
    """On what pairs is measured, by whose rules, and with which networks."""

    data: Path
    split: str | None
    protocol: str
    inception: Path | None
    segmenter: str | None
    referee: str | None

    def pairs(self, size: tuple[int, int], palette: "Palette") -> "PairedFolder":
        """Photos and maps, kept as large as pictures of that size (H, W) need them."""
        from spadework.data.folder import PairedFolder

        pairs = PairedFolder(self.data, self.split, max(size), palette)
        for line in pairs.notes:
            tell(line)
        return pairs

    def instruments(self, palette: "Palette", pairs: "PairedFolder") -> "tuple[Instruments, Names]":
        """What measures, and what the report calls it."""
        from spadework.evaluation.evaluate import Names
        from spadework.evaluation.metrics import InceptionFeatures
        from spadework.evaluation.observing import Instruments

        reader = load_segmenter(self.segmenter, palette) if self.segmenter else shipped_segmenter(palette)
        if reader is None:
            tell("no segmenter for these classes: mIoU and accuracy are left out")
        judge = load_segmenter(self.referee, palette) if self.referee else None
        net = InceptionFeatures(self.inception) if self.inception else None
        names = Names(
            data=" ".join(filter(None, [pairs.root.resolve().name, pairs.split])),
            inception=_identity(self.inception),
            segmenter=_identity(self.segmenter or SHIPPED) if reader else None,
            referee=_identity(self.referee),
        )
        return Instruments(inception=net, reader=reader, referee=judge), names


def _of_model(model: str, against: Against, seeds: int | None, candidates: int, device: str) -> "Measuring":
    """The pairs, and what measures the pictures that a model paints of them."""
    from spadework.engine import model_file
    from spadework.evaluation import protocols
    from spadework.evaluation.evaluate import evaluate as measure
    from spadework.executor import device_of
    from spadework.model import load_checkpoint

    rules, checkpoint = protocols.named(against.protocol), load_checkpoint(model_file(model))
    pairs = against.pairs(checkpoint.card.generator.size, checkpoint.card.palette)
    instruments, names = against.instruments(checkpoint.card.palette, pairs)
    pairs.decode()
    where = device_of(device)
    return pairs, lambda listen, alone: measure(
        checkpoint, pairs, rules, names, instruments, seeds, candidates, where, listen, alone
    )


def _of_pictures(
    folder: Path, own_style: Path | None, name: str | None, palette: str | None, against: Against
) -> "Measuring":
    """The pairs, and what measures the pictures of them in a folder."""
    from spadework.data.listing import list_pairs
    from spadework.evaluation import protocols
    from spadework.evaluation.evaluate import evaluate_pictures
    from spadework.evaluation.pictures import GivenPictures
    from spadework.segmenter.segmenter import Segmenter
    from spadework.sketch.palette import Palette

    rules = protocols.named(against.protocol)
    known = Palette.load(palette) if palette else Segmenter.load(against.segmenter or SHIPPED).palette
    maps = [pair.name for pair in list_pairs(against.data, against.split).pairs]
    given = GivenPictures(folder, maps, known, own_style)
    pairs = against.pairs(given.size, known)
    for line in given.notes:
        tell(line)
    instruments, names = against.instruments(known, pairs)
    pairs.decode()
    pairs.check_ids(known.ids().tolist())
    method = name or folder.resolve().name
    return pairs, lambda listen, _: evaluate_pictures(method, given, pairs, rules, names, instruments, listen)


def _write_pictures(folder: Path, shown: "Shown") -> None:
    """So that --pictures measures the same."""
    from spadework.picture import Picture

    named = {f"seed-{seed}": pixels for seed, pixels in enumerate(shown.pictures)}
    named |= {} if shown.own is None else {"own-style": shown.own}
    for kind, pixels in named.items():
        path = folder / kind / f"{shown.name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Picture(pixels).save(path)


def _identity(name_or_path: str | Path | None) -> str | None:
    """A shipped name as it is; of a file its name and a hash of what is in it."""
    from hashlib import sha256

    if name_or_path is None or not Path(name_or_path).is_file():
        return None if name_or_path is None else str(name_or_path)
    path = Path(name_or_path)
    return f"{path.name} {sha256(path.read_bytes()).hexdigest()[:16]}"


def _show(report: "Report") -> None:
    from spadework.evaluation.measures import MEASURES

    meanings = {measure.name: measure.means for measure in MEASURES}
    rows = [
        [name, str(f.value), f"{f.low} to {f.high}", "" if f.real is None else str(f.real), meanings[name]]
        for name, f in report.figures.items()
    ]
    show_table(["measure", "value", "95 %", "real photos", "meaning"], rows)
    if report.classes:
        scores = report.classes.items()
        rows = [[name, f"{s.iou:.3f}", f"{s.real:.3f}", f"{s.share:.1%}"] for name, s in scores]
        show_table(["class", "IoU", "real photos", "share"], rows)
    if report.textures:
        show_table(*report.texture_table())
    for name, value in report.terms.words():
        tell(f"{name}: {value}")
    tell(f"not as published: {report.departs}")
    for what in report.left_out:
        tell(f"left out: {what}")
    for warning in report.warnings:
        tell(f"warning: {warning}")


def _keep(report: "Report", json: Path | None, model: Path | None) -> None:
    """Writes the report to a file and its figures on the model's card."""
    from spadework.files import atomic_write
    from spadework.model import write_metrics

    if json is not None:
        atomic_write(json, f"{report.model_dump_json(indent=1)}\n".encode())
        tell(f"report: {json}")
    if model is not None:
        write_metrics(model, report.metrics())
        tell(f"the card of {model} has these figures now")
