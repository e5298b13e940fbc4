"""Several reports as one table, for a README or a paper: a row per method, what was best in bold."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spadework.evaluation.measures import MEASURES
from spadework.evaluation.report import Figure, Report, apart, demand_alike

BETTER = {
    "fd": min,
    "fd_own_style": min,
    "kd": min,
    "fid": min,
    "kid": min,
    "accuracy": max,
    "miou": max,
    "diversity": max,
}
"""The figures of the table, in order, and which of two values is the better one."""

OF_PHOTOS = ("kd", "kid", "accuracy", "miou", "diversity")
"""Figures whose column may hold those of the photos: not distances that grow with fewer pictures."""


DIGITS = {measure.name: measure.digits for measure in MEASURES}
"""After the point, by figure."""


@dataclass(frozen=True)
class Cell:
    """A figure, or nothing; `best`: no other method's is better and apart from it."""

    figure: Figure | None
    digits: int
    best: bool = False

    def words(self, plus_minus: str = "±") -> str:
        """The value and how far its interval reaches to each side; "" for nothing."""
        if self.figure is None:
            return ""
        reach = (self.figure.high - self.figure.low) / 2
        return f"{self.figure.value:.{self.digits}f} {plus_minus} {reach:.{self.digits}f}"


@dataclass(frozen=True)
class Leaderboard:
    """`rows`: the names of methods and their cells, one per title. `photos`: the cells of the real photos."""

    titles: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    photos: tuple[str, ...]

    @classmethod
    def of(cls, reports: Sequence[Report]) -> "Leaderboard":
        """Raises ValueError with the reasons where they were not measured alike."""
        for report in reports[1:]:
            demand_alike(reports[0], report)
        titles = tuple(name for name in BETTER if any(name in report.figures for report in reports))
        columns = [_column(name, reports) for name in titles]
        rows = tuple((r.model, tuple(column[i] for column in columns)) for i, r in enumerate(reports))
        return cls(titles, rows, tuple(_of_photos(name, reports) for name in titles))

    def plain(self) -> tuple[list[str], list[list[str]]]:
        """For the screen, turned on its side: a row per figure, the best marked by a star."""
        columns = [[f"{cell.words()}{' *' * cell.best}" for cell in cells] for _, cells in self.rows]
        rows = zip(self._arrows("↓", "↑"), *columns, self.photos, strict=True)
        return ["measure", *(name for name, _ in self.rows), "real photos"], [list(row) for row in rows]

    def markdown(self) -> str:
        """A table of GitHub's Markdown."""
        lines = [["method", *self._arrows("↓", "↑")], ["---", *["---:"] * len(self.titles)]]
        for name, cells in self.rows:
            words = [f"**{c.words()}**" if c.best else c.words() for c in cells]
            lines.append([name.replace("|", "\\|"), *words])
        lines.append(["real photos", *self.photos])
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def latex(self) -> str:
        """A tabular with the rules of the package booktabs."""
        head = ["method", *self._arrows(r"$\downarrow$", r"$\uparrow$")]
        lines = [
            rf"\begin{{tabular}}{{l{'r' * len(self.titles)}}}",
            r"\toprule",
            _latex_row([_escaped(head[0]), *(title.replace("_", r"\_") for title in head[1:])]),
            r"\midrule",
        ]
        for name, cells in self.rows:
            words = [f"${c.words(chr(92) + 'pm')}$" if c.figure else "" for c in cells]
            bold = [rf"{{\boldmath{w}}}" if c.best else w for w, c in zip(words, cells, strict=True)]
            lines.append(_latex_row([_escaped(name), *bold]))
        lines += [r"\midrule", _latex_row(["real photos", *self.photos]), r"\bottomrule", r"\end{tabular}"]
        return "\n".join(lines)

    def _arrows(self, down: str, up: str) -> list[str]:
        """Titles that say where better is."""
        return [f"{name} {down if BETTER[name] is min else up}" for name in self.titles]


def _column(name: str, reports: Sequence[Report]) -> list[Cell]:
    figures = [report.figures.get(name) for report in reports]
    best = BETTER[name]((figure for figure in figures if figure), key=lambda figure: figure.value)
    first = [figure is not None and len(reports) > 1 and not apart(figure, best) for figure in figures]
    return [Cell(figure, DIGITS[name], mark) for figure, mark in zip(figures, first, strict=True)]


def _of_photos(name: str, reports: Iterable[Report]) -> str:
    found = [report.figures[name].real for report in reports if name in report.figures]
    return f"{found[0]:.{DIGITS[name]}f}" if name in OF_PHOTOS and found[0] is not None else ""


def _latex_row(cells: Sequence[str]) -> str:
    return rf"{' & '.join(cells)} \\"


def _escaped(text: str) -> str:
    """Words in which nothing is a command of LaTeX."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(sign) or (f"\\{sign}" if sign in "&%$#_{}" else sign) for sign in text)
