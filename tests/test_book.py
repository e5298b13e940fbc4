"""The pages of docs/ as a book: built whole, without a warning, and no link in it is lost."""

import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

DOCS = Path(__file__).parents[1] / "docs"
NEEDED = ("sphinx", "myst_parser", "furo", "latex2mathml")

pytestmark = pytest.mark.skipif(
    not all(map(find_spec, NEEDED)), reason="what builds the book is not installed: pip install '.[docs]'"
)


class Page(HTMLParser):
    """What a page refers to and offers, and how many formulas it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.anchors: set[str] = set()
        self.formulas = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        self.anchors |= {given[key] for key in ("id", "name") if key in given}
        self.formulas += tag == "math"
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") not in ("index", "search", "next", "prev"):
            self.fetched.append(given["href"])
        elif "src" in given:
            self.fetched.append(given["src"])


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `make book` does."""
    out = tmp_path_factory.mktemp("book")
    words = ["-q", "-n", "-W", "--keep-going", "-b", "html", "-d", str(out / ".trees"), str(DOCS), str(out)]
    built = subprocess.run([sys.executable, "-m", "sphinx", *words], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return out


@pytest.fixture(scope="module")
def pages(book: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text()) for path in sorted(book.rglob("*.html"))}


def inner(path: Path, page: Page) -> Iterator[tuple[str, Path, str]]:
    """The references that lead into the book: as written, to which file, to which place in it."""
    for reference in [*page.links, *page.fetched]:
        parts = urlsplit(reference)
        if not parts.scheme and reference != "#":
            yield (
                reference,
                (path.parent / unquote(parts.path)).resolve() if parts.path else path,
                parts.fragment,
            )


def test_every_page_is_there(pages: dict[Path, Page], book: Path) -> None:
    written = {path.relative_to(book).with_suffix("") for path in pages}
    wanted = {path.relative_to(DOCS).with_suffix("") for path in DOCS.rglob("*.md")}
    assert not wanted - written
    assert Path("gallery/index") in written


def test_no_link_leads_nowhere(pages: dict[Path, Page]) -> None:
    """As files: `python -m http.server` is not needed to read the book."""
    lost = []
    for path, page in pages.items():
        for reference, file, place in inner(path, page):
            known = pages[file].anchors if file in pages else None
            if not file.is_file() or (place and known is not None and unquote(place) not in known):
                lost.append(f"{path.name}: {reference}")
    assert not lost
    assert sum(len(page.links) for page in pages.values()) > 1000


def test_nothing_is_fetched_from_elsewhere(pages: dict[Path, Page], book: Path) -> None:
    assert not [url for page in pages.values() for url in page.fetched if urlsplit(url).netloc]
    styles = "\n".join(path.read_text() for path in book.rglob("*.css"))
    assert not re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//[^)\"']+", styles)


def test_formulas_are_drawn_by_the_browser_itself(pages: dict[Path, Page]) -> None:
    wrote = {path: path.read_text().count("$$") // 2 for path in DOCS.rglob("concepts/*.md")}
    for path, count in wrote.items():
        (built,) = [
            page for file, page in pages.items() if file.parts[-2:] == ("concepts", f"{path.stem}.html")
        ]
        assert built.formulas >= count, path
    assert sum(wrote.values()) > 8


def test_formulas_have_their_font(book: Path) -> None:
    """Without one that knows where a subscript goes, it stands on the line in some browsers."""
    style = (book / "_static" / "book.css").read_text()
    [named] = re.findall(r'math {[^}]*"(.+?)"', style)
    [file] = re.findall(rf'font-family: "{named}"; src:.*url\("(.+?)"\)', style)
    assert (book / "_static" / file).read_bytes().startswith(b"wOF2")
