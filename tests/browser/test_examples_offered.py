"""Something to start with, other each time."""

import pytest

pytest.importorskip("playwright", reason="browser tests: playwright is not installed")
from driving import Studio


def test_six_sketches_are_composed_at_every_click(studio: Studio) -> None:
    studio.page.click("#examples")
    cards = studio.page.locator("#start-list .card")
    cards.nth(5).wait_for()
    before = studio.faces("#start-list canvas")
    studio.page.click("#compose")
    studio.settle()
    after = studio.faces("#start-list canvas")
    assert len(before) == len(after) == 6
    assert all((a != b).any() for a, b in zip(before, after, strict=True))
    cards.filter(has_text="Coast").click()
    studio.settle()
    assert studio.js("studio.files.name") == "Coast"
    assert (studio.ids == studio.id_of("sea")).mean() > 0.1
    colors = studio.js("studio.palette.classes.map(({color}) => color)")
    shown = after[1][100, 100]
    assert "#" + bytes(shown).hex() == colors[studio.ids[100, 100]]
