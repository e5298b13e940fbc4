"""`spadework batch`."""

import os
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spadework.cli.loading import Device, Enlarging, Model, Precision
from spadework.cli.paint import size_of
from spadework.cli.segmenters import SHIPPED
from spadework.cli.telling import INTERRUPTED, bar, complain, tell
from spadework.files import Fault

if TYPE_CHECKING:
    from spadework.bulk.items import Item
    from spadework.bulk.manifest import Manifest
    from spadework.bulk.outputs import Output
    from spadework.bulk.painting import Setup
    from spadework.bulk.tasks import Painting, Task


def batch(
    maps: Annotated[
        list[Path],
        typer.Argument(metavar="MAPS", help="Label maps: PNGs, folders, tars or Parquet files of them."),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "-o", "--out", metavar="PATH", help="A folder, or a NAME.tar, DIR/%05d.tar, or NAME.parquet."
        ),
    ],
    model: Model = "landscape",
    seed: Annotated[int, typer.Option(metavar="N", help="The first picture's of every map.")] = 0,
    seeds: Annotated[int, typer.Option(metavar="N", help="Pictures of every map, seed by seed.")] = 1,
    size: Annotated[
        str | None, typer.Option(metavar="WxH", help="Width x height of the pictures; default: the map's.")
    ] = None,
    field: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What holds the maps: a column of Parquet, or the ending of members of tars, as labels.png.",
        ),
    ] = None,
    shard: Annotated[
        int, typer.Option(metavar="N", help="Pictures in a tar of DIR/%05d.tar, or in a part of Parquet.")
    ] = 1000,
    scores: Annotated[
        bool, typer.Option("--scores", help="Read every picture by the segmenter, for the manifest.")
    ] = False,
    segmenter: Annotated[str, typer.Option(metavar="NAME|PATH", help="What reads for --scores.")] = SHIPPED,
    processes: Annotated[
        int | None, typer.Option(metavar="N", help="Painting processes, of one thread each; default: cores.")
    ] = None,
    ray: Annotated[bool, typer.Option("--ray", help="Paint by Ray Data on this machine.")] = False,
    address: Annotated[
        str | None, typer.Option(metavar="HOST:PORT|auto", help="Paint by Ray Data on this cluster.")
    ] = None,
    enlarger: Enlarging = "auto",
    device: Device = "auto",
    precision: Precision = "float32",
) -> None:
    """Paint many label maps on all cores; typed again after whatever ended it, it goes on.

    Pictures are those of `spadework paint`, in PATH/NAME.png, or NAME-SEED.png with more --seeds; in tars, as
    of WebDataset, with map and row; or in Parquet files. Every one is a line of PATH/manifest.jsonl: map,
    seed, picture, style, milliseconds, scores, what was repaired, or the error. A map that cannot be read
    stops nobody else's picture, and is tried again the next time. At the end the manifest is also written as
    Parquet, if pyarrow is there.
    """
    from spadework.bulk.outputs import output_of
    from spadework.bulk.sources import items_in
    from spadework.bulk.tasks import tasks_of

    grid, count = size_of(size), processes or os.cpu_count() or 1
    if min(seeds, count, shard) < 1:
        raise Fault(f"--seeds {seeds}, --processes {count}, --shard {shard}", "give 1 or more")
    output, items = output_of(out, shard), items_in(maps, field)
    _demand_apart(maps, items, output)
    tasks = tasks_of(items, range(seed, seed + seeds), output.dots)
    from spadework.bulk.manifest import Manifest, Settings
    from spadework.bulk.painting import Setup, digest
    from spadework.engine import model_file
    from spadework.executor import device_of
    from spadework.segmenter.segmenter import segmenter_file

    own, far = None if enlarger == "none" else enlarger, address is not None and device != "auto"
    reader, place = segmenter if scores else None, device if far else device_of(device)
    setup = Setup(model, place, precision, own, grid, scores=reader)
    settings = Settings(
        output=output.kind,
        model=digest(model_file(model)),
        enlarger=own,
        precision=precision,
        seed=seed,
        seeds=seeds,
        size=grid,
        scores=digest(segmenter_file(reader)) if reader else None,
    )
    with Manifest(output.manifest, settings, output.standing) as manifest:
        todo = [task for task in tasks if (task.item.name, task.seed) not in manifest.done]
        began, count = time.monotonic(), min(count, max(1, len(todo)))
        failed = _paint(_painted(setup, todo, count, ray, address), todo, len(tasks), output, manifest)
        spent = time.monotonic() - began
        table = f" and {manifest.table}" if manifest.write_table() else ""
    speed = f", {len(todo) / spent:.2f} a second" if todo else ""
    tell(f"{len(tasks) - failed} pictures in {out}{speed}, told in {manifest.path}{table}")
    raise typer.Exit(2 if failed else 0)


def _demand_apart(maps: Sequence[Path], items: "Sequence[Item]", output: "Output") -> None:
    """Raises ValueError for pictures that would overwrite maps, or be taken for maps the next time."""
    place = output.place.resolve()
    inside = [source for source in maps if source.is_dir() and place.is_relative_to(source.resolve())]
    files = {Path(item.file) for item in items}
    beside = [file for file in files if place in (file.resolve(), file.resolve().parent)]
    for source in (*inside, *beside):
        raise Fault(f"pictures in {output.place} would lie among the maps of {source}", "choose another -o")


def _painted(
    setup: "Setup", todo: "Sequence[Task]", count: int, ray: bool, address: str | None
) -> "Generator[list[Painting]]":
    """By Ray if that is asked for, else by processes of our own."""
    if ray or address is not None:
        from spadework.bulk import cluster

        return cluster.paint_all(setup, todo, count, address)
    from spadework.bulk import processes

    return processes.paint_all(setup, todo, count)


def _paint(
    paintings: "Generator[list[Painting]]",
    todo: "Sequence[Task]",
    whole: int,
    output: "Output",
    manifest: "Manifest",
) -> int:
    """Stores all of it under a bar; returns how many failed."""
    from spadework.bulk.running import stored

    failed = 0
    with bar("{task.fields[speed]}") as progress:
        line = progress.add_task("painting", total=whole, completed=whole - len(todo), speed="")
        try:
            for rows in stored(paintings, todo, output, manifest):
                for error in filter(None, (row.error for row in rows)):
                    failed += bool(complain(error))
                speed = progress.tasks[0].speed
                progress.update(line, advance=len(rows), speed=f"{speed:.2f} a second" if speed else "")
        except KeyboardInterrupt:
            tell("stopped; the same command goes on")
            raise typer.Exit(INTERRUPTED) from None
    return failed
