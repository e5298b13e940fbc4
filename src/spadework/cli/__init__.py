"""The command line: one module per command. What is heavy is imported by the command that needs it.

A package because every later command adds one module, and none of them should make the others longer.
"""

from typing import Annotated

import typer

from spadework import __version__
from spadework.cli.benching import bench
from spadework.cli.checking import data
from spadework.cli.doors import Doors, Settings
from spadework.cli.evaluating import compare, evaluate
from spadework.cli.exporting import export
from spadework.cli.importing import import_
from spadework.cli.labelling import label
from spadework.cli.painting import paint
from spadework.cli.palettes import palettes
from spadework.cli.studio import studio
from spadework.cli.telling import tell
from spadework.cli.testing import test
from spadework.cli.training import train

app = typer.Typer(
    cls=Doors,
    name="spadework",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(paint)
app.command()(studio)
app.command(cls=Settings)(train)
app.command()(evaluate)
app.command()(compare)
app.command()(test)
app.command("import")(import_)
app.command()(export)
app.command()(label)
app.add_typer(data)
app.command()(palettes)
app.command()(bench)


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
