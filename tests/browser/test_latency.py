"""`spadework bench studio`: every stroke is answered, and what takes the time is told."""

import shutil
from collections.abc import Callable

import pytest

pytest.importorskip("playwright", reason="browser tests: playwright is not installed")
from driving import Server, Studio
from playwright.sync_api import Browser

from spadework.bench import frames
from spadework.bench import studio as bench
from spadework.engine import Engine


@pytest.mark.needs_server
def test_strokes_are_timed(open_studio: Callable[..., Studio], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "WARM_UP", 1)
    studio = open_studio()
    case = bench.timed(studio.page, Engine.load("landscape", "cpu"), 2)
    assert studio.js("studio.sheet.strokes.length") == 3
    assert case.size == (256, 384)
    assert 0 < case.first_median <= case.latency_median <= case.latency_p95
    assert 0 < case.engine_median <= case.engine_p95
    assert set(case.stages) == {"wait", "paint", "pack", "show"}
    assert case.stages["paint"] + case.stages["show"] < case.latency_p95


def test_the_first_picture_is_timed(browser: Browser, server: Server) -> None:
    with browser.new_context(bypass_csp=True) as context:
        page = context.new_page()
        case = frames.first_picture(page, server.url)
        assert page.evaluate("document.getElementById('photo').dataset.painted") >= "1"
    assert min(case.load, case.picture) > 0


@pytest.mark.needs_server
def test_frames_of_a_sheet_are_timed(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does pan, and it does draw."""
    monkeypatch.setattr(frames, "MOVES", 8)
    origin = studio.js("studio.view.origin")
    case = frames.frames(studio.page, 512)
    assert studio.js("[studio.sheet.width, studio.sheet.height]") == [512, 512]
    assert studio.js("studio.view.origin") != origin
    assert studio.js("studio.sheet.strokes.map(({ tool, points }) => [tool, points.length > 9])") == [
        ["brush", True]
    ]
    assert 0 < case.pan_median <= case.pan_p95
    assert 0 < case.draw_median <= case.draw_p95


def test_without_a_browser_there_is_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ValueError, match=r"no browser is there .*: on Debian type apt install chromium"):
        bench.browser_file()
