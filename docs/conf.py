"""How the pages of this folder become the book: `make book`. Nothing is fetched, then or when it is read."""

import shutil
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

from spadework import __version__

HERE = Path(__file__).parent

project = author = "spadework"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["figures", "gallery"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3  # as GitHub names them: page.md#a-heading

nitpicky = True  # a name in a signature that leads nowhere is a warning, and `make book` fails on warnings
OTHERS = r"(numpy|torch|NDArray|os|pathlib|collections|httpx2?|pydantic)\b.*"
INNER = r"spadework\.(model|enlarger|segmenter|sketch\.raster)\b.*"  # what an engine is made of
nitpick_ignore_regex = [("py:.*", OTHERS), ("py:.*", INNER)]
autodoc_class_signature = "separated"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 88
smartquotes = False  # what is typed stays as it is typed
default_role = "literal"  # a docstring's `name`

html_theme = "furo"
pygments_dark_style = "monokai"
html_title = f"spadework {version}"
html_favicon = "../src/spadework/studio/page/icon.svg"
html_static_path = ["figures/book.css", "figures/math.woff2"]
html_css_files = ["book.css"]
html_copy_source = False
html_show_copyright = False
html_math_renderer = "mathml"


def math(self: HTML5Translator, node: nodes.math | nodes.math_block) -> None:
    """A formula as MathML, which browsers draw by themselves."""
    block = isinstance(node, nodes.math_block)
    drawn = convert(node.astext(), display="block" if block else "inline")
    self.body.append(f'<div class="math">{drawn}</div>' if block else drawn)
    raise nodes.SkipNode


def bring_gallery(app: Sphinx, failed: Exception | None) -> None:
    """The gallery is a page of its own, which `spadework evaluate --html` made; it comes along as it is."""
    if failed is None and app.builder.format == "html":
        shutil.copytree(HERE / "gallery", app.outdir / "gallery", dirs_exist_ok=True)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (math, None), (math, None))
    app.connect("build-finished", bring_gallery)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
