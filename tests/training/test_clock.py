"""How far a training is: by images, by the clock, whichever comes first."""

import time
from pathlib import Path

import pytest
from small import PHOTOS, small

from spadework.training.clock import DECAY, Clock
from spadework.training.loop import train
from spadework.training.painting import PainterTraining


def test_without_a_deadline_images_count() -> None:
    clock = Clock(200)
    assert [clock.share(n) for n in (0, 50, 200, 300)] == [0, 0.25, 1, 1]
    assert clock.decay_from(1.0) == 1.0


def test_with_a_deadline_time_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(1000, deadline=150.0, began=100.0)
    monkeypatch.setattr(time, "monotonic", lambda: 110.0)
    assert clock.share(0) == pytest.approx(0.2)
    assert clock.share(500) == 0.5
    monkeypatch.setattr(time, "monotonic", lambda: 151.0)
    assert clock.share(0) == 1
    assert (clock.decay_from(1.0), clock.decay_from(0.3)) == (DECAY, 0.3)


def test_a_training_ends_by_the_clock_with_the_rate_near_zero(tmp_path: Path) -> None:
    rates: list[float] = []
    began = time.monotonic()
    recipe = small("total_images=1000000", "lr=0.001", "ttur=false")
    end = began + 4
    heard = {"listener": lambda step: rates.append(step.seconds_left)}
    state = train(PainterTraining(recipe, PHOTOS), tmp_path, deadline=end, **heard)
    assert end <= time.monotonic() < end + 5
    assert 0 < state.images_seen < 1000000
    assert rates[-1] < 1  # says that little is left
    assert state.optimizer_g.param_groups[0]["lr"] < 0.0005
    assert (tmp_path / "state.safetensors").is_file()
