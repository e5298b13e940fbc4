"""In windows of every width all controls can be seen, whole."""

import pytest

pytest.importorskip("playwright", reason="browser tests: playwright is not installed")
from driving import Studio

WIDTHS = (
    320,
    390,
    480,
    760,
    761,
    900,
    1024,
    1070,
    1071,
    1130,
    1131,
    1250,
    1251,
    1280,
    1365,
    1366,
    1600,
    1920,
)
"""On both sides of every step of the page's style."""

PHONE, BAR = 760, 900
"""Up to the first panels scroll; from the second on the bar is one row."""

EIGHT = """(() => {
  const moods = document.getElementById("moods");
  while (moods.children.length < 8) moods.append(moods.children[0].cloneNode(true));
})()"""
"""As many faces as there can be."""

CUT = """[...document.querySelectorAll("header *, aside *, #shelf *, #tabs *")].filter((e) =>
  e.matches("button, input, select, label:has(input), #state") && e.checkVisibility()
).filter((e) => {
  const box = e.getBoundingClientRect();
  let [left, top, right, bottom] = [0, 0, innerWidth, innerHeight];
  for (let outer = e.parentElement; outer !== document.body; outer = outer.parentElement) {
    const { overflowX, overflowY } = getComputedStyle(outer);
    if (overflowX === "visible" && overflowY === "visible") continue;
    const edge = outer.getBoundingClientRect();
    [left, right] = [Math.max(left, edge.left), Math.min(right, edge.right)];
    if (a.includes(outer.id || outer.localName)) [top, bottom] = [-Infinity, Infinity];
    else [top, bottom] = [Math.max(top, edge.top), Math.min(bottom, edge.bottom)];
  }
  return box.left < left - 1 || box.right > right + 1 || box.top < top - 1 || box.bottom > bottom + 1;
}).map((e) => e.id || e.textContent.trim() || e.outerHTML.slice(0, 60))"""
"""Controls that are not whole, inside of the window and of what is around them; `a` scrolls up and down."""


def test_no_control_is_cut_off(studio: Studio) -> None:
    studio.moods()
    studio.settle()
    studio.js(EIGHT)
    for view in ("side", "over"):
        studio.page.set_viewport_size({"width": 1366, "height": 768})
        studio.page.click(f"#view-{view}")
        for width in WIDTHS:
            studio.page.set_viewport_size({"width": width, "height": 768})
            scrolling = ["palette", "layer-list", *(["aside", "shelf"] if width <= PHONE else [])]
            panels = ("draw", "classes", "style") if width <= PHONE else ("draw",)
            for panel in panels:
                if width <= PHONE:
                    studio.page.click(f"#tab-{panel}")
                assert studio.js(CUT, scrolling) == [], (view, width, panel)
            if width >= BAR + 100 * (view == "over"):
                assert studio.js("document.querySelector('header').offsetHeight") < 60, (view, width)
    studio.settle()
