"""The page of a test run: plain HTML beside its pictures, works from the disk and without a network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from spadework.evaluation.testrun import Row
from spadework.files import atomic_write

TITLES = {"input_label": "label map", "synthesized_image": "painted", "photo": "photo"}

HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>
body {{ font: 15px/1.5 sans-serif; margin: 2rem auto; max-width: 1100px; padding: 0 1rem;
  background: #14161a; color: #e4e6ea; }}
article {{ margin: 0 0 2.2rem; }} h2 {{ font-size: 1rem; margin: 0; }}
p {{ color: #9aa0aa; margin: 0 0 .5rem; }}
.row {{ display: flex; gap: 10px; flex-wrap: wrap; }}
figure {{ margin: 0; flex: 1 1 240px; max-width: 512px; }}
img {{ width: 100%; border-radius: 4px; display: block; }}
figcaption {{ font-size: .8rem; color: #9aa0aa; }}
.big {{ position: fixed; inset: 0; background: #000d; display: none; }}
.big img {{ width: 100%; height: 100%;
  object-fit: contain; }} .big:target {{ display: block; }} a:focus-visible {{ outline: 2px solid #6ab; }}
</style></head><body><h1>{title}</h1><p>{about}</p>
"""


def write_page(folder: Path, title: str, about: str, rows: Sequence[Row]) -> Path:
    """Writes index.html into ``folder``; a click on a picture shows it large, another one closes it."""
    parts = [HEAD.format(title=escape(title), about=escape(about))]
    for number, row in enumerate(rows):
        figures = "".join(_figure(row, kind, f"p{number}-{kind}", f"r{number}") for kind in row.pictures)
        parts.append(
            f'<article id="r{number}"><h2>{escape(row.name)}</h2><p>{escape(row.classes)}</p>'
            f'<div class="row">{figures}</div></article>\n'
        )
    page = folder / "index.html"
    atomic_write(page, "".join([*parts, "</body></html>\n"]).encode())
    return page


def _figure(row: Row, kind: str, anchor: str, back: str) -> str:
    source = quote(row.pictures[kind].as_posix())
    text = f"{escape(row.name)}: {TITLES[kind]}"
    return (
        f'<figure><a href="#{anchor}"><img loading="lazy" src="{source}" alt="{text}"></a>'
        f"<figcaption>{TITLES[kind]}</figcaption></figure>"
        f'<a class="big" id="{anchor}" href="#{back}">'
        f'<img loading="lazy" src="{source}" alt="{text}, large"></a>'
    )
