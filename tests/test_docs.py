"""Pages that are made from the code: cli.md, http.md, spoiled.md, and tables of others.

Write them anew with `make docs`, or `python tests/test_docs.py`.
"""

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import http_page
import pytest
import spoiled
from misread import SPOILT
from typer.main import get_command
from typer.testing import CliRunner

from spadework.cli import app
from spadework.engine import MODELS
from spadework.evaluation.measures import MEASURES
from spadework.evaluation.protocols import PROTOCOLS
from spadework.evaluation.report import Terms
from spadework.model import ModelCard
from spadework.modelfile import read_model
from spadework.training.enlarger_recipe import EnlargerRecipe
from spadework.training.painter_recipe import Recipe
from spadework.training.recipes import ENLARGERS, RECIPES, SEGMENTERS
from spadework.training.segmenter_recipe import SegmenterRecipe
from spadework.training.settings import RunSettings

DOCS = Path(__file__).parents[1] / "docs"
AGAIN = "type: make docs"


def cli_page() -> str:
    """The help of every command."""
    group = get_command(app)
    parts = [f"# Commands\n\nMade from the commands' own help; {AGAIN}.\n"]
    commands = getattr(group, "commands", {})
    nested = [f"{name} {inner}" for name in commands for inner in getattr(commands[name], "commands", {})]
    for name in ["", *commands, *nested]:
        words = [*name.split(), "--help"]
        result = CliRunner().invoke(app, words, prog_name="spadework", env={"COLUMNS": "80"})
        assert result.exit_code == 0, result.output
        parts.append(f"## {' '.join(['spadework', name]).strip()}\n\n```\n{_stripped(result.stdout)}\n```\n")
    return "\n".join(parts)


def _stripped(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.rstrip().splitlines())


def settings_table(named: Mapping[str, Callable[[], RunSettings]]) -> str:
    """Every setting of recipes of one kind, what it means and its value in each; ~ marks what may change."""
    recipes = [make() for make in named.values()]
    rows = [
        [
            f"`{key}`{' ~' if type(recipes[0]).may_change(key) else ''}",
            field.description or "",
            *(str(getattr(recipe, key)) for recipe in recipes),
        ]
        for key, field in type(recipes[0]).model_fields.items()
        if key != "name"
    ]
    return table(["setting", "what it is", *named], rows)


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """As Markdown."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', ', ') for cell in line)} |" for line in lines)


def measures_table() -> str:
    """Every figure of a report."""
    return table(["figure", "what it is"], [[f"`{m.name}`", m.means] for m in MEASURES])


def terms_table() -> str:
    """What two reports must share."""
    fields = Terms.model_fields.items()
    return table(["term", "what it is"], [[f"`{name}`", field.description or ""] for name, field in fields])


def protocols_table() -> str:
    """Every protocol."""
    titles = ["protocol", "where it is laid down", "photos", "seeds", "FID", "not as there"]
    yes = {True: "needed", False: "if given"}
    rows = [
        [f"`{p.name}`", p.source, p.shape, str(p.seeds), yes[p.inception], p.departs]
        for p in PROTOCOLS.values()
    ]
    return table(titles, rows)


def card_table() -> str:
    """What the shipped model says of itself, and how it was measured."""
    card, _ = read_model(MODELS["landscape"], ModelCard)
    record, config = card.training, card.generator
    facts = {
        "name, spadework": f"{card.name}, {card.spadework}",
        "classes": ", ".join(one.name for one in card.palette.classes),
        "trained at": f"{config.size[0]}x{config.size[1]} pixels, by recipe `{record.recipe}`",
        "numbers of a style": str(config.z_dim),
        "photographs": record.data,
        "images seen": f"{record.images_seen:,}",
        "on": f"{record.machine} ({record.seconds:,.0f} s in all)",
        "terms of the weights": card.licence_weights,
        "terms of the code": card.licence_code,
        "measured on": f"{card.metrics['images']:.0f} held-out pairs, seed {card.metrics['seed']:.0f}, "
        f"protocol `{card.metrics['protocol']}`",
    }
    figures = [
        [f"`{m.name}`", m.means, f"{card.metrics[m.name]}", f"{card.metrics.get(f'{m.name}_real', '')}"]
        for m in MEASURES
        if m.name in card.metrics
    ]
    measured = table(["figure", "what it is", "paintings", "photos"], figures)
    says = table(["", "the card says"], [[f"**{what}**", told] for what, told in facts.items()])
    return f"{says}\n\n{measured}"


def contexts_table() -> str:
    """Label contexts of the example sketches."""
    from contexts import SIDES, counts

    titles = ["sketch", *(f"{side}x{side}: of {side * side:,}" for side in SIDES)]
    return table(titles, [[name, *(f"{n:,}" for n in found)] for name, found in counts().items()])


def remade(page: str, tables: dict[str, str]) -> str:
    """The page with its generated parts made anew; `tables`: by what they are made from."""
    for source, text in tables.items():
        made = f"<!-- made from the {source}; {AGAIN} -->\n{text}\n<!-- end -->"
        pattern = rf"<!-- made from the {source}.*?<!-- end -->"
        page, count = re.subn(pattern, lambda _, made=made: made, page, flags=re.DOTALL)
        assert count == 1, f"no place for the {source}"
    return page


TABLES = [("model-card.md", "card", card_table), ("concepts/contexts.md", "sketches", contexts_table)]
"""Page, what its one table is made from, and how."""

RECIPE_PAGES = {"training.md": RECIPES, "segmenter.md": SEGMENTERS, "enlarger.md": ENLARGERS}


def pages() -> Iterator[tuple[Path, str]]:
    """Every generated page and what it should hold."""
    yield DOCS / "cli.md", cli_page()
    for name, named in RECIPE_PAGES.items():
        yield DOCS / name, remade((DOCS / name).read_text(), {"recipes": settings_table(named)})
    tables = {"measures": measures_table(), "terms": terms_table(), "protocols": protocols_table()}
    yield DOCS / "evaluation.md", remade((DOCS / "evaluation.md").read_text(), tables)
    yield DOCS / "spoiled.md", spoiled.page(AGAIN)
    yield DOCS / "http.md", http_page.page(AGAIN)
    for name, source, make in TABLES:
        yield DOCS / name, remade((DOCS / name).read_text(), {source: make()})


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """Every generated page by its name, made once."""
    return {str(path.relative_to(DOCS)): text for path, text in pages()}


GENERATED = [
    "cli.md",
    "http.md",
    "evaluation.md",
    "spoiled.md",
    *RECIPE_PAGES,
    *(name for name, *_ in TABLES),
]


@pytest.mark.parametrize("name", GENERATED)
def test_pages_are_up_to_date(name: str, made: dict[str, str]) -> None:
    assert (DOCS / name).read_text() == made[name], f"docs/{name} is behind the code; {AGAIN}"


def test_every_spoilt_input_gets_a_sentence() -> None:
    told = spoiled.sentences()
    assert len(told) >= 20
    assert not [what for what, _, said in told if len(said) < 20 or "Traceback" in said]


def test_every_spoilt_input_goes_through_every_door() -> None:
    """But for a file that is there twice, under another command, and for what has no file."""
    elsewhere = {"the same, to be repaired", "a 0/255 mask to train on", "no checkpoint"}
    assert {what for what, *_ in spoiled.sentences()} == {*SPOILT, *elsewhere}


def test_every_term_of_a_report_is_explained() -> None:
    assert not [name for name, field in Terms.model_fields.items() if not field.description]


def test_every_setting_is_explained() -> None:
    fields = (Recipe.model_fields | SegmenterRecipe.model_fields | EnlargerRecipe.model_fields).items()
    unexplained = [key for key, field in fields if not field.description]
    assert not unexplained, f"give these fields a description: {', '.join(unexplained)}"


def test_the_contribution_guide_names_things_that_exist() -> None:
    guide = (DOCS.parent / "CONTRIBUTING.md").read_text()
    paths = re.findall(r"`((?:src|tests|docs|examples)/[\w/.-]+)`", guide)
    assert paths
    assert not [path for path in paths if not (DOCS.parent / path).exists()]


if __name__ == "__main__":
    os.environ["NO_COLOR"] = "1"
    sys.path.append(str(DOCS / "figures"))
    for path, text in pages():
        path.write_text(text)
