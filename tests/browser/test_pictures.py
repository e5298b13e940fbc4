"""Pictures that a person likes stay, can be compared, and gone on with."""

import numpy as np
import pytest

pytest.importorskip("playwright", reason="browser tests: playwright is not installed")
from driving import Studio
from playwright.sync_api import expect

LIKED = "#picture-list .liked"


@pytest.mark.photographs
def test_liked_pictures_stay_and_are_compared(studio: Studio) -> None:
    page = studio.page
    studio.seed(7)
    seventh = studio.photo
    page.click("#like")
    expect(page.locator("#toast")).to_contain_text("“Alpine lake, seed 7” is among your pictures")
    studio.seed(3)
    studio.choose("brush", "snow")
    studio.slide("size", 60)
    studio.drag((100, 200), (300, 210))
    page.click("#like")  # waits for the photograph
    studio.settle()
    ids, third = studio.ids, studio.photo
    studio.kept()
    page.reload()
    studio.ready()

    page.click("#pictures")
    page.locator(LIKED).nth(1).wait_for()
    assert page.locator(f"{LIKED} b").all_inner_texts() == ["Alpine lake, seed 3", "Alpine lake, seed 7"]
    expect(page.locator("#compare-stage")).to_be_hidden()
    for n in (1, 0):
        page.locator(f"{LIKED} .card").nth(n).click()
        expect(page.locator(f"{LIKED} .card[aria-pressed=true]")).to_have_count(2 - n)
    assert page.locator("#compare-title-a").inner_text() == "Alpine lake, seed 7"
    assert page.locator("#compare-title-b").inner_text() == "Alpine lake, seed 3"
    for side, picture in (("a", seventh), ("b", third)):
        shown = studio.image(f"#compare-{side}")
        assert np.abs(shown.astype(int) - picture).mean() < 4  # JPEG
    studio.slide("compare", 80)
    assert (
        studio.js("getComputedStyle(document.getElementById('compare-b')).clipPath")
        == "inset(0px 0px 0px 80%)"
    )

    page.get_by_label("Delete Alpine lake, seed 3").click()
    expect(page.locator(LIKED)).to_have_count(1)
    page.click("#toast-act")
    expect(page.locator(LIKED)).to_have_count(2)
    page.locator(LIKED).nth(1).get_by_text("Go on").click()
    studio.settle()
    assert (studio.photo == seventh).all()
    assert (studio.ids != ids).any()
    assert studio.js("studio.files.name") == "Alpine lake, seed 7"


@pytest.mark.photographs
def test_one_picture_is_compared_with_the_present(studio: Studio) -> None:
    studio.page.click("#like")
    studio.settle()
    studio.seed(11)
    studio.page.click("#pictures")
    studio.page.locator(f"{LIKED} .card").click()
    expect(studio.page.locator("#compare-title-b")).to_have_text("now")
    assert np.abs(studio.image("#compare-b").astype(int) - studio.photo).mean() < 4
