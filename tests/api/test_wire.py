"""What travels: run lengths say exactly what ids are, and requests say one thing."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydantic import ValidationError

from spadework import executor
from spadework.api.requests import PaintRequest
from spadework.api.wire import MAX_SEED, Moods, Runs
from spadework.service.moods import SHOWN


@given(arrays.arrays(np.uint8, st.tuples(st.integers(4, 12), st.integers(4, 12)), elements=st.integers(0, 3)))
def test_runs_are_the_ids(ids: np.ndarray) -> None:
    runs = Runs.of(ids)
    assert np.array_equal(Runs.model_validate_json(runs.model_dump_json()).ids(), ids)
    assert all(a[0] != b[0] for a, b in zip(runs.runs, runs.runs[1:], strict=False))


def test_runs_of_another_length() -> None:
    with pytest.raises(ValidationError, match="runs have 15 pixels, 4x4 are 16: make both agree"):
        Runs(width=4, height=4, runs=((0, 15),))


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "no sketch came: give one of ids_png"),
        ({"ids_png": "aa", "color_map": "aa"}, "ids_png and color_map came: give one"),
        ({"ids_png": "aa", "palette": "landscape"}, "a palette came without a color_map"),
        ({"ids_png": "aa", "style": {"z": [1.0]}, "mood": "mist"}, "style and mood each say"),
        ({"ids_png": "aa", "other": {"seed": 1}, "mood": "mist"}, "a mood is blended with nothing"),
        ({"ids_png": "aa", "width": 64}, "one of width and height came"),
        ({"ids_png": "aa", "width": 64, "height": 64, "short": 32}, "width and short each say"),
        ({"ids_png": "aa", "live": True}, "a live request came without a client"),
    ],
)
def test_requests_that_are_not_clear(fields: dict, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        PaintRequest.model_validate(fields)


def test_words_are_those_of_the_engine() -> None:
    assert executor.MAX_SEED == MAX_SEED
    assert set(Moods.__args__) == set(SHOWN)


def test_the_client_needs_no_torch() -> None:
    script = "import sys; from spadework import Client; Client(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
