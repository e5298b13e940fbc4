"""What people see: lines, tables and bars. Nothing else in the package prints."""

import os
import shlex
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

INTERRUPTED = 130
"""The exit code after Ctrl-C."""

QUIET = os.environ.get("RANK", "0") not in ("", "0")
"""Of several processes that train together one tells; but each of them complains."""

RIGHT = ("ms", "id", "seed", "classes")
"""Titles of the columns of numbers."""


def complain(message: str) -> int:
    """One line on stderr, whatever lines the message has. Returns the exit code of a user's error."""
    first, *more = [line.strip() for line in message.splitlines() if line.strip()] or ["no reason given"]
    who = f"process {os.environ['RANK']}: " if QUIET else ""
    print(f"{who}error: {' '.join([first, '; '.join(more)]).strip()}", file=sys.stderr, flush=True)
    return 2


def tell(line: str) -> None:
    """A line that is never wrapped, so that commands and paths in it can be copied."""
    if not QUIET:
        print(line, flush=True)


def command(*words: object) -> str:
    """A command of ours as one types it, quoted where needed."""
    return shlex.join(["spadework", *map(str, words)])


def console() -> Console:
    """Standard output, for tables and bars."""
    return Console(highlight=False)


def bar(*columns: str) -> Progress:
    """A progress bar with a count; it shows nothing where the output is no terminal."""
    name, *texts = (TextColumn(column, markup=False) for column in ("{task.description}", *columns))
    screen = console()
    return Progress(
        name,
        BarColumn(),
        MofNCompleteColumn(),
        *texts,
        console=screen,
        disable=QUIET or not screen.is_terminal,
    )


def show_table(titles: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> None:
    """Rows under titles; long cells are folded, never cut."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, overflow="fold", justify="right" if title in RIGHT else "left")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    if not QUIET:
        console().print(table)


def swatch(colors: Any, width: int) -> Text:
    """Blocks of the colours, (N, 3) uint8, each `width` characters wide."""
    return Text.assemble(*((" " * width, f"on #{bytes(color).hex()}") for color in colors))
