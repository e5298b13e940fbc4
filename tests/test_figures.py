"""The figures of the concepts are what their scripts draw, and what the pages say of them is so."""

from pathlib import Path

import figures
import numpy as np
import one_class
import pytest
from PIL import Image
from watching import steps

from spadework.engine import MODELS

FOLDER = Path(figures.__file__).parent
ALIKE = 30.0
"""dB; another processor rounds otherwise, and JPEG with it."""

pytestmark = pytest.mark.skipif(
    not MODELS["landscape"].is_file(), reason="the shipped model is not in this checkout"
)


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(float)


def test_figures_are_up_to_date(tmp_path: Path) -> None:
    figures.write(tmp_path)
    for name in figures.FIGURES:
        old, new = pixels(FOLDER / name), pixels(tmp_path / name)
        assert old.shape == new.shape, f"{name} is behind its script; type: make figures"
        error = np.square(old - new).mean()
        assert 10 * np.log10(255**2 / max(error, 1e-9)) > ALIKE, (
            f"{name} is behind its script; type: make figures"
        )


def test_every_figure_is_shown_and_small() -> None:
    told = "".join(path.read_text() for path in FOLDER.parent.rglob("*.md"))
    files = [path for path in FOLDER.iterdir() if path.suffix in (".png", ".jpg")]
    assert not [path.name for path in files if f"figures/{path.name})" not in told]
    assert set(figures.FIGURES) <= {path.name for path in files}
    assert sum(path.stat().st_size for path in files) < 1.5e6


def test_features_have_the_deviations_that_are_told() -> None:
    """docs/concepts/normalisation.md."""
    deviations = [float(features.std()) for features in steps("alpine-lake").blocks.values()]
    assert len(deviations) == 7
    assert (round(min(deviations), 1), round(max(deviations), 1)) == (1.2, 5.7)


def test_a_norm_leaves_nothing_of_a_class_and_spade_does() -> None:
    """docs/concepts/one-class.md."""
    parts = {name: x - x.mean(0) for name, x in one_class.compared().items()}
    assert parts["map, convolved"].abs().max() > 0.05
    assert parts["and normalised"].abs().max() < 1e-4
    assert parts["SPADE"].abs().max() > 0.5
