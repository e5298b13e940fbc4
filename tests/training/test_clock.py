"""How far a training is: by images, by the clock, whichever comes first."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from small import PHOTOS, small

from spadework.training import clock, journal
from spadework.training.clock import DECAY, Clock
from spadework.training.journal import Progress
from spadework.training.loop import train
from spadework.training.painting import PainterTraining


def test_without_a_deadline_images_count() -> None:
    whole = Clock(200)
    assert [whole.share(n) for n in (0, 50, 200, 300)] == [0, 0.25, 1, 1]
    assert whole.decay_from(1.0) == 1.0


def test_with_a_deadline_time_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    timed = Clock(1000, deadline=150.0, began=100.0)
    monkeypatch.setattr(time, "monotonic", lambda: 110.0)
    assert timed.share(0) == pytest.approx(0.2)
    assert timed.share(500) == 0.5
    monkeypatch.setattr(time, "monotonic", lambda: 151.0)
    assert timed.share(0) == 1
    assert (timed.decay_from(1.0), timed.decay_from(0.3)) == (DECAY, 0.3)


def test_a_training_ends_by_the_clock_with_the_rate_near_zero(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every step takes 25 seconds."""
    now, lefts = [time.monotonic()], []

    def monotonic() -> float:
        now[0] += 0.001
        return now[0]

    for module in (clock, journal):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=monotonic))

    def listener(progress: Progress) -> None:
        lefts.append(progress.seconds_left)
        now[0] += 25

    recipe = small("total_images=1000000", "lr=0.001", "ttur=false")
    training = PainterTraining(recipe, PHOTOS)
    state = train(training, tmp_path, deadline=now[0] + 1000, listener=listener)
    assert state.step == 40
    assert lefts[-1] == pytest.approx(25, abs=2)
    assert 0 < state.optimizer_g.param_groups[0]["lr"] < 0.0001
    assert (tmp_path / "state.safetensors").is_file()
