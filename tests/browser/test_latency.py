"""`spadework bench studio`: every stroke is answered, and what takes the time is told."""

import shutil
from collections.abc import Callable

import pytest

pytest.importorskip("playwright", reason="browser tests: playwright is not installed")
from driving import Studio

from spadework.bench import studio as bench
from spadework.engine import Engine


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


def test_without_a_browser_there_is_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ValueError, match=r"no browser is there .*: on Debian type apt install chromium"):
        bench.browser_file()
