"""The page of a test run: plain HTML beside its pictures, works from the disk and without a network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from spadework.files import atomic_write
from spadework.nvlabs.testing import Row

TITLES = {"input_label": "label map", "synthesized_image": "painted", "photo": "photo"}

HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>
body {{ font: 15px/1.5 sans-serif; margin: 2rem auto; max-width: 1100px; padding: 0 1rem;
  background: #14161a; color: #e4e6ea; }}
h1 {{ font-size: 1.4rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }}
h2 {{ font-size: 1rem; margin: 0; overflow-wrap: anywhere; }}
article {{ margin: 2rem 0 0; padding-top: 1rem; border-top: 1px solid #2a2e35; }}
p {{ color: #a6acb6; margin: 0 0 .4rem; }}
.row {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(240px, 1fr)); gap: 12px; }}
figure {{ margin: 0; }}
img {{ width: 100%; border-radius: 4px; display: block; }}
figcaption {{ font-size: .85rem; color: #a6acb6; margin-top: .2rem; }}
a:focus-visible {{ outline: 3px solid #6ab; outline-offset: 2px; display: block; }}
dialog {{ border: 0; padding: 0; width: 100vw; height: 100vh; max-width: none; max-height: none;
  background: #0b0c0e; color: #e4e6ea; }}
dialog img {{ width: 100%; height: calc(100vh - 3rem); object-fit: contain; }}
dialog p {{ line-height: 3rem; margin: 0; text-align: center; }}
</style></head><body><h1>{title}</h1>{about}
"""

TAIL = """<dialog aria-label="large picture"><img alt=""><p></p></dialog>
<script>
const links = [...document.querySelectorAll(".row a")];
const dialog = document.querySelector("dialog");
const large = dialog.querySelector("img");
let shown = 0;
function show(index) {
  shown = (index + links.length) % links.length;
  large.src = links[shown].href;
  large.alt = dialog.querySelector("p").textContent = links[shown].querySelector("img").alt;
  if (!dialog.open) dialog.showModal();
}
links.forEach((link, index) => link.addEventListener("click", (event) => {
  event.preventDefault();
  show(index);
}));
dialog.addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => links[shown].focus());
dialog.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (step) show(shown + step);
});
</script></body></html>
"""


def write_page(folder: Path, title: str, about: Sequence[str], rows: Sequence[Row]) -> Path:
    """Writes index.html into `folder`. `about` are sentences on the whole run.

    A click on a picture shows it large; Escape or another click closes it, arrows turn the pages. Without
    scripts the picture opens by itself.
    """
    parts = [HEAD.format(title=escape(title), about="".join(f"<p>{escape(line)}</p>" for line in about))]
    parts += [_article(row) for row in rows]
    page = folder / "index.html"
    atomic_write(page, "".join([*parts, TAIL]).encode())
    return page


def _article(row: Row) -> str:
    like = "" if row.psnr is None else f". PSNR to the photo: {row.psnr:.1f} dB"
    figures = "".join(_figure(row, kind) for kind in row.pictures)
    about = f"<h2>{escape(row.name)}</h2><p>{escape(row.classes + like)}</p>"
    return f'<article>{about}<div class="row">{figures}</div></article>\n'


def _figure(row: Row, kind: str) -> str:
    source, text = quote(row.pictures[kind].as_posix()), f"{escape(row.name)}: {TITLES[kind]}"
    return (
        f'<figure><a href="{source}"><img loading="lazy" src="{source}" alt="{text}"></a>'
        f"<figcaption>{TITLES[kind]}</figcaption></figure>"
    )
