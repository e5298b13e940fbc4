"""`spadework evaluate` and `spadework compare`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spadework.cli.loading import Device
from spadework.cli.segmenters import SHIPPED, load_segmenter, shipped_segmenter
from spadework.cli.telling import bar, show_table, tell

if TYPE_CHECKING:
    from spadework.evaluation.observing import Instruments
    from spadework.evaluation.report import Figure, Names, Report
    from spadework.sketch.palette import Palette


def evaluate(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A shipped model, or a .safetensors file.")
    ] = "landscape",
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder or tar of images/ and labels/.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which split of DIR, if it has any.")
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
    """Measure a model on held-out pairs.

    Every map is painted; all figures but diversity are of the one candidate with seed 0, and nothing is
    selected. The networks that measure are in no training loss. Beside each figure stands the same measure
    of real photos. In the end every class is painted alone: the sheet of that lies beside the report and in
    the gallery.
    """
    if data is None:
        raise ValueError("no --data: give the folder that holds images/ and labels/")
    from spadework.data.folder import PairedFolder
    from spadework.engine import model_file
    from spadework.evaluation import protocols
    from spadework.evaluation.canvases import Canvas, write_sheet
    from spadework.evaluation.gallery import Gallery
    from spadework.evaluation.report import evaluate as measure
    from spadework.executor import device_of
    from spadework.model import load_checkpoint

    rules = protocols.named(protocol)
    checkpoint = load_checkpoint(model_file(model))
    pairs = PairedFolder(data, split, max(checkpoint.card.generator.size), checkpoint.card.palette)
    for line in pairs.notes:
        tell(line)
    instruments, names = _instruments(checkpoint.card.palette, pairs, inception, segmenter, referee)
    gallery = None if html is None else Gallery(html, every, photos=not no_photos)
    pairs.decode()
    with bar() as progress:
        task = progress.add_task("painting", total=len(pairs))

        def listen(shown) -> None:
            if gallery is not None:
                gallery.add(shown)
            progress.advance(task)

        def listen_alone(canvas: Canvas) -> None:
            canvases.append(canvas)
            progress.update(task, description=f"{canvas.name} alone")

        canvases: list[Canvas] = []
        where = device_of(device)
        report = measure(
            checkpoint, pairs, rules, names, instruments, seeds, candidates, where, listen, listen_alone
        )
    _show(report)
    if gallery is not None:
        tell(f"gallery: {gallery.write(report, canvases)}")
    _keep(report, json, model_file(model) if card else None)
    if json is not None and canvases:
        tell(f"every class alone: {write_sheet(json.with_suffix('.flood.jpg'), canvases)}")


def compare(
    first: Annotated[Path, typer.Argument(metavar="A.json", help="A report of `spadework evaluate --json`.")],
    second: Annotated[Path, typer.Argument(metavar="B.json", help="Another one.")],
) -> None:
    """Lay two reports side by side, if they were measured alike.

    Reports of different protocols, pairs, sizes, seeds, filters or networks are refused with the reasons.
    """
    from spadework.evaluation.report import compare as compared

    a, b = _read(first), _read(second)
    rows = compared(a, b)
    told = {True: "yes", False: "no"}
    titles = ["measure", f"{first.name}: {a.model}", f"{second.name}: {b.model}", "intervals apart"]
    show_table(titles, [[name, _text(one), _text(other), told[apart]] for name, one, other, apart in rows])


def _instruments(
    palette: "Palette", pairs, inception: Path | None, segmenter: str | None, referee: str | None
) -> "tuple[Instruments, Names]":
    """What measures, and what the report calls it."""
    from spadework.evaluation.metrics import InceptionFeatures
    from spadework.evaluation.observing import Instruments
    from spadework.evaluation.report import Names

    reader = load_segmenter(segmenter, palette) if segmenter else shipped_segmenter(palette)
    if reader is None:
        tell("no segmenter for these classes: mIoU and accuracy are left out")
    judge = load_segmenter(referee, palette) if referee else None
    net = InceptionFeatures(inception) if inception else None
    data = " ".join(filter(None, [pairs.root.resolve().name, pairs.split]))
    names = Names(
        data=data,
        inception=_identity(inception),
        segmenter=_identity(segmenter or SHIPPED) if reader else None,
        referee=_identity(referee),
    )
    return Instruments(inception=net, reader=reader, referee=judge), names


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


def _read(path: Path) -> "Report":
    from pydantic import ValidationError

    from spadework.evaluation.report import Report
    from spadework.files import read_bytes

    try:
        return Report.model_validate_json(read_bytes(path))
    except ValidationError as error:
        raise ValueError(f"{path} is no report of this version: write it with `evaluate --json`") from error


def _text(figure: "Figure") -> str:
    return f"{figure.value} ({figure.low} to {figure.high})"
