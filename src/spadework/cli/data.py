"""`spadework data`."""

from pathlib import Path
from typing import Annotated

import typer

from spadework.cli.telling import bar, show_table, tell

data = typer.Typer(
    name="data", help="Look at data sets, and complete them.", rich_markup_mode=None, no_args_is_help=True
)


@data.callback()
def _data() -> None:
    """Look at data sets, and complete them."""


@data.command()
def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder or tar of images/ and labels/.")],
    palette: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The palette of its ids: a name, or a .json file."),
    ] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the findings there too.")] = None,
    dataset_mode: Annotated[
        str | None,
        typer.Option("--dataset_mode", help="Its published layout: coco, ade20k, cityscapes or facades."),
    ] = None,
) -> None:
    """Say whether a training on DIR would succeed. Exit code 1 when it would fail."""
    from spadework.data.doctor import diagnose
    from spadework.files import atomic_write
    from spadework.nvlabs.layouts import PublishedLayout
    from spadework.sketch.palette import Palette

    known = palette or _palette_of(dataset_mode)
    layout = PublishedLayout(dataset_mode) if dataset_mode else None
    found = diagnose(folder, Palette.load(known) if known else None, layout=layout)
    rows = [
        ["pairs", ", ".join(f"{split} {count:,}" for split, count in found.pairs.items()) or "none"],
        ["sizes", ", ".join(f"{size} ({count})" for size, count in found.sizes.items())],
        ["label_nc", str(found.label_nc)],
        ["unknown id", "none" if found.unknown is None else str(found.unknown)],
        ["ids", ", ".join(f"{name} {share:.1%}" for name, share in list(found.shares.items())[:20])],
        ["loading", f"{found.images_per_s} images/s"],
    ]
    show_table(["what", "found"], rows)
    for kind, lines in (("fault", found.faults), ("warning", found.warnings)):
        for line in lines:
            tell(f"{kind}: {line}")
    if json is not None:
        atomic_write(json, f"{found.model_dump_json(indent=1)}\n".encode())
        tell(f"findings: {json}")
    tell("training would fail: mend the faults" if found.faults else "training can begin")
    raise typer.Exit(1 if found.faults else 0)


def _palette_of(mode: str | None) -> str | None:
    from spadework.nvlabs.layouts import LAYOUTS
    from spadework.sketch.palette import near_misses

    if mode is None:
        return None
    if mode not in LAYOUTS:
        known = ", ".join(LAYOUTS)
        raise ValueError(f"no layout {mode!r}: choose one of {known}.{near_misses(mode, LAYOUTS)}")
    return {"coco": "coco_stuff"}.get(mode, mode)


@data.command("coco-instances")
def coco_instances(
    annotations: Annotated[
        Path, typer.Argument(metavar="ANNOTATIONS.json", help="Such as instances_val2017.json.")
    ],
    labels: Annotated[Path, typer.Option(metavar="DIR", help="The label maps, such as val_label.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where they go, such as val_inst.")],
) -> None:
    """Build the instance maps of COCO-Stuff from COCO's annotations.

    Each is the label map with the instances painted over it by their running numbers, crowds left out, as
    the published code has them. Needs pycocotools: pip install 'spadework[coco]'.
    """
    from spadework.nvlabs.coco_instances import write_instances

    written = instances = 0
    with bar() as progress:
        task = progress.add_task("instance maps", total=None)
        for written, (_, found) in enumerate(write_instances(annotations, labels, out), 1):
            instances += found
            progress.update(task, completed=written)
    tell(f"{written:,} instance maps with {instances:,} instances in {out}")
