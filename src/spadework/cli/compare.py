"""`spadework compare`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spadework.cli.telling import show_table, tell

if TYPE_CHECKING:
    from spadework.evaluation.report import Figure, Report


def compare(
    reports: Annotated[
        list[Path],
        typer.Argument(metavar="A.json B.json ...", help="Reports of `evaluate --json`."),
    ],
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a leaderboard in Markdown.")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="Print a leaderboard in LaTeX (booktabs).")] = False,
) -> None:
    """Lay reports side by side, if they were measured alike.

    Two are shown with all figures and their intervals; more, or --markdown and --latex, make a leaderboard: a
    row per method, marked where no other one is better and apart from it. Reports of different protocols,
    pairs, sizes, seeds, filters or networks are refused with the reasons.
    """
    from spadework.evaluation.leaderboard import Leaderboard

    if markdown and latex:
        raise ValueError("--markdown and --latex print different tables: give one of them")
    read = [_read(path) for path in reports]
    if len(read) < 2 and not (markdown or latex):
        raise ValueError("one report is compared with nothing: give two or more, or --markdown or --latex")
    if markdown or latex:
        board = Leaderboard.of(read)
        tell(board.markdown() if markdown else board.latex())
    elif len(read) == 2:
        _side_by_side(reports, *read)
    else:
        show_table(*Leaderboard.of(read).plain())


def _side_by_side(paths: list[Path], a: "Report", b: "Report") -> None:
    from spadework.evaluation.report import compare as compared

    told = {True: "yes", False: "no"}
    names = [f"{path.name}: {report.model}" for path, report in zip(paths, (a, b), strict=True)]
    rows = [[name, _text(one), _text(other), told[apart]] for name, one, other, apart in compared(a, b)]
    show_table(["measure", *names, "intervals apart"], rows)


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
