"""The command line: one module per command. What is heavy is imported by the command that needs it.

A package because every later command adds one module, and none of them should make the others longer.
"""

from typing import Annotated

import typer

from spadework import __version__
from spadework.cli import (
    batch,
    bench,
    compare,
    data,
    evaluate,
    export,
    import_,
    label,
    paint,
    palettes,
    serve,
    studio,
    test,
    train,
)
from spadework.cli.doors import Doors, Settings
from spadework.cli.telling import tell

app = typer.Typer(
    cls=Doors,
    name="spadework",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(paint.paint)
app.command()(batch.batch)
app.command()(studio.studio)
app.command()(serve.serve)
app.command(cls=Settings)(train.train)
app.command()(evaluate.evaluate)
app.command()(compare.compare)
app.command()(test.test)
app.command("import")(import_.import_)
app.command()(export.export)
app.command()(label.label)
app.add_typer(data.data)
app.command()(palettes.palettes)
app.command()(bench.bench)


@app.callback(invoke_without_command=True)
def spadework(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Paint labels, get photographs."""
    if version:
        tell(f"spadework {__version__}")
    elif context.invoked_subcommand is None:
        tell(context.get_help())


def main() -> None:
    """The entry point of the command `spadework`."""
    app(prog_name="spadework")
