"""`spadework evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from spadework.cli.telling import bar, show_table, tell


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
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report there too.")] = None,
    card: Annotated[bool, typer.Option("--card", help="Write the figures on the model file's card.")] = False,
) -> None:
    """Measure a model on held-out pairs.

    Every map is painted once, with seed 0; nothing is selected. The network that measures is in no
    training loss.
    """
    if data is None:
        raise ValueError("no --data: give the folder that holds images/ and labels/")
    from spadework.data.folder import PairedFolder
    from spadework.engine import Engine, model_file
    from spadework.evaluation.report import Report
    from spadework.evaluation.report import evaluate as measure
    from spadework.files import atomic_write

    engine = Engine.load(model)
    pairs = PairedFolder(data, split, short_side=max(engine.card.generator.size)).decode()
    with bar() as progress:
        task = progress.add_task("painting", total=len(pairs))
        report = measure(engine, pairs, lambda done, total: progress.update(task, completed=done))
    described = {name: field.description or name for name, field in Report.model_fields.items()}
    show_table(["measure", "value", "meaning"], [[k, str(v), described[k]] for k, v in report])
    if json is not None:
        atomic_write(json, f"{report.model_dump_json(indent=1)}\n".encode())
        tell(f"report: {json}")
    if card:
        from spadework.checkpoint import write_metrics

        write_metrics(model_file(model), report.model_dump(exclude={"model", "size"}, exclude_none=True))
        tell(f"the card of {model_file(model)} has these figures now")
