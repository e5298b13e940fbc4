"""`spadework batch`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from spadework.cli.loading import Device, Enlarging, Model, Precision
from spadework.cli.paint import size_of
from spadework.cli.telling import INTERRUPTED, bar, complain, tell
from spadework.files import Fault


def batch(
    maps: Annotated[
        list[Path], typer.Argument(metavar="MAPS", help="Label maps (PNG), folders or tars of them.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="For pictures and manifest.")],
    model: Model = "landscape",
    seed: Annotated[int, typer.Option(metavar="N", help="The first picture's of every map.")] = 0,
    seeds: Annotated[int, typer.Option(metavar="N", help="Pictures of every map, seed by seed.")] = 1,
    size: Annotated[
        str | None, typer.Option(metavar="WxH", help="Width x height of the pictures; default: the map's.")
    ] = None,
    processes: Annotated[
        int | None, typer.Option(metavar="N", help="Painting processes, of one thread each; default: cores.")
    ] = None,
    enlarger: Enlarging = "auto",
    device: Device = "auto",
    precision: Precision = "float32",
) -> None:
    """Paint many label maps on all cores; typed again after whatever ended it, it goes on.

    Pictures are those of `spadework paint`, at FOLDER/NAME.png, or NAME-SEED.png with more --seeds. Every
    one is a line of FOLDER/manifest.jsonl: map, seed, picture, style, milliseconds, what was repaired, or the
    error. A map that cannot be read stops nobody else's picture, and is tried again the next time.
    """
    from spadework.bulk.items import items_in
    from spadework.bulk.manifest import NAME, Manifest, Settings

    grid, count = size_of(size), processes or os.cpu_count() or 1
    if seeds < 1 or count < 1:
        raise Fault(f"--seeds {seeds}, --processes {count}", "give 1 or more")
    items = items_in(maps)
    from spadework.bulk.painting import Setup, Task, digest, paint_all
    from spadework.engine import model_file
    from spadework.executor import device_of

    own = None if enlarger == "none" else enlarger
    setup = Setup(model, device_of(device), precision, own, grid, 1, out)
    settings = Settings(
        model=digest(model_file(model)), enlarger=own, precision=precision, seed=seed, seeds=seeds, size=grid
    )
    tasks = [
        Task(item, one, setup.picture(item, one, seeds == 1))
        for item in items
        for one in range(seed, seed + seeds)
    ]
    failed = 0
    with Manifest(out, settings) as manifest, bar("{task.fields[speed]}") as progress:
        todo = [task for task in tasks if (task.item.name, task.seed) not in manifest.done]
        line = progress.add_task("painting", total=len(tasks), completed=len(tasks) - len(todo), speed="")
        try:
            for rows in paint_all(setup, todo, min(count, max(1, len(todo)))):
                manifest.add(rows)
                for error in filter(None, (row.error for row in rows)):
                    failed += bool(complain(error))
                speed = progress.tasks[0].speed
                progress.update(line, advance=len(rows), speed=f"{speed:.2f} a second" if speed else "")
        except KeyboardInterrupt:
            tell("stopped; the same command goes on")
            raise typer.Exit(INTERRUPTED) from None
    tell(f"{len(tasks) - failed} pictures in {out}/, told in {out / NAME}")
    raise typer.Exit(2 if failed else 0)
